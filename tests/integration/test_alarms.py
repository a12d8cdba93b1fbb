"""Whoever is to know is told of everything once, and once when it is over, by each way, whatever fails meanwhile."""

from threading import Barrier, Thread

import pytest

import settings
from alarms import turn
from db import database
from db.connection import Connection
from tests.integration.alarm_cases import hook, late, look, mailbox, mended
from tests.integration.broker_cases import run
from tests.integration.test_checks import alive, died
from tests.servers.hook import Hook

__all__ = ["alive", "hook", "mailbox"]


def test_what_stands_is_told_once_and_once_when_it_is_over(alive: Connection, hook: Hook) -> None:
    late(alive)
    look(alive)
    assert hook.texts == []
    for minutes in (1, 1, 1, 30):
        look(alive, minutes)
    [told] = hook.texts
    assert told.startswith(
        "Balansity, balansity.example: needs attention\n\n✗ Queue emails is late: its oldest message"
    )
    assert "→ See what runs and for how long (`balansity running`)" in told
    mended(alive)
    for minutes in (1, 1, 1, 30):
        look(alive, minutes)
    [_, over] = hook.texts
    assert over.startswith("Balansity, balansity.example: it is over\n\n✓ It is over since ")
    assert "Queue emails is late" in over
    assert run(alive, "SELECT count(*) FROM balansity.alarm WHERE closed_at IS NULL") == [(0,)]


def test_it_is_told_in_russian_unless_somebody_wants_english(
    alive: Connection, hook: Hook, environment: pytest.MonkeyPatch
) -> None:
    environment.delenv("ALARM_LANGUAGE")
    settings.current.cache_clear()
    late(alive)
    look(alive)
    look(alive, 3)
    [told] = hook.texts
    assert told.startswith("Balansity, balansity.example: требует внимания\n\n✗ Очередь emails опаздывает")


def test_it_leads_to_the_pages_where_their_address_is_known(
    alive: Connection, hook: Hook, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("WEB_URL", "https://work.clinic.example")
    environment.setenv("UNSUBSCRIBE_KEYS", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    settings.current.cache_clear()
    late(alive)
    look(alive)
    look(alive, 3)
    assert hook.texts[0].endswith("\n\nhttps://work.clinic.example/")


def test_what_flickers_is_not_told_and_what_comes_back_soon_is_the_same(alive: Connection, hook: Hook) -> None:
    late(alive)
    look(alive)
    mended(alive)
    look(alive, 1)
    look(alive, 3)
    assert run(alive, "SELECT count(*) FROM balansity.alarm") == [(0,)]
    late(alive)
    look(alive)
    look(alive, 3)
    mended(alive)
    look(alive)
    late(alive)
    look(alive, 1)
    look(alive, 3)
    assert len(hook.texts) == 1


def test_what_comes_back_after_it_was_over_is_told_anew(alive: Connection, hook: Hook) -> None:
    for _ in range(2):
        late(alive)
        look(alive)
        look(alive, 3)
        mended(alive)
        look(alive)
        look(alive, 3)
    assert [text.partition("\n")[0].rpartition(": ")[2] for text in hook.texts] == ["needs attention", "it is over"] * 2


def test_of_many_that_take_a_turn_at_once_one_tells(alive: Connection, hook: Hook) -> None:
    late(alive)
    look(alive)
    run(alive, "UPDATE balansity.alarm SET began_at = began_at - interval '3 minutes'")
    run(alive, "UPDATE balansity.alarm_turn SET next_at = '-infinity'")
    barrier, taken = Barrier(4), []

    def take() -> None:
        conn = database.connect()
        conn.autocommit = True
        barrier.wait()
        taken.append(turn.take(conn))
        conn.close()

    threads = [Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [False, False, False, True]
    assert len(hook.texts) == 1


def test_a_turn_whose_holder_died_is_taken_over_and_one_from_a_future_clock_too(alive: Connection) -> None:
    run(alive, "UPDATE balansity.alarm_turn SET next_at = clock_timestamp() + interval '4 minutes'")
    assert not turn.take(alive)
    run(alive, "UPDATE balansity.alarm_turn SET next_at = clock_timestamp() - interval '1 second'")
    assert turn.take(alive)
    run(alive, "UPDATE balansity.alarm_turn SET next_at = clock_timestamp() + interval '1 day'")
    assert turn.take(alive)


def test_a_new_kind_of_failure_stands_until_none_of_it_is_left(alive: Connection, hook: Hook) -> None:
    died(alive, "sell", "ValueError: no price of anna@example.com", 1)
    look(alive)
    look(alive, 3)
    run(alive, "UPDATE dramatiq.queue SET mtime = mtime - interval '3 days'")
    look(alive)
    look(alive, 3)
    assert len(hook.texts) == 1
    assert "anna" not in hook.texts[0]
    run(alive, "DELETE FROM dramatiq.queue")
    look(alive)
    look(alive, 3)
    assert len(hook.texts) == 2


def test_many_at_once_are_told_in_one_word_that_names_the_first(alive: Connection, hook: Hook) -> None:
    for _ in range(14):
        run(
            alive,
            "INSERT INTO balansity.payment_flag (payment_id, reason, flagged_at)"
            " VALUES (gen_random_uuid(), 'of Anna', now())",
        )
    look(alive)
    look(alive, 3)
    [told] = hook.texts
    assert told.count("✗") == 10
    assert told.endswith("And 4 more: `balansity alarms` lists all.")
    assert "Anna" not in told
