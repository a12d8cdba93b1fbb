"""Whoever is to know is told of everything once, and once when it is over, by each way, whatever fails meanwhile."""

import json
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from pathlib import Path
from threading import Barrier, Thread

import pytest
from click.testing import CliRunner

import cli
import settings
from alarms import lookout, turn
from alarms.lookout import Lookout
from db import database
from db.connection import Connection
from db.database import pool
from tests.integration.broker_cases import run
from tests.integration.test_checks import alive, died, waits
from tests.servers import hook as hooks
from tests.servers import smtp
from tests.servers.hook import Hook
from tests.servers.smtp import Mailbox

__all__ = ["alive"]

NOWHERE = "postgresql://someone:hunter2@127.0.0.1:9/clinic"


@pytest.fixture
def hook(environment: pytest.MonkeyPatch) -> Iterator[Hook]:
    with hooks.running() as hook:
        environment.setenv("ALARM_WEBHOOK_URL", hook.url)
        environment.setenv("ALARM_LANGUAGE", "en")
        settings.current.cache_clear()
        yield hook


@pytest.fixture
def mailbox(environment: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    with smtp.running() as mailbox:
        environment.setenv("ALARM_SMTP_URL", f"smtp://127.0.0.1:{mailbox.port}")
        environment.setenv("ALARM_EMAIL_TO", "head@clinic.example, doctor@clinic.example")
        environment.setenv("ALARM_LANGUAGE", "en")
        settings.current.cache_clear()
        yield mailbox


def look(conn: Connection, minutes: float = 0) -> bool:
    """Take a turn, so many minutes after the last."""
    for table, columns in {"alarm": ("began_at", "gone_at"), "alarm_way": ("next_at",)}.items():
        for column in columns:
            run(conn, f"UPDATE balansity.{table} SET {column} = {column} - %s * interval '1 minute'", minutes)
    run(conn, "UPDATE balansity.alarm_turn SET next_at = '-infinity'")
    return turn.take(conn)


def late(conn: Connection) -> None:
    waits(conn, "emails", 5)


def mended(conn: Connection) -> None:
    run(conn, "UPDATE dramatiq.queue SET state = 'done' WHERE state = 'queued'")


def mails(mailbox: Mailbox) -> list[str]:
    contents = [each.content for each in mailbox.accepted]
    return [
        message_from_bytes(each, policy=policy.default).get_content().replace("\r\n", "\n")
        for each in contents
        if isinstance(each, bytes)
    ]


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


def test_a_way_that_fails_holds_up_no_other_and_is_tried_again(
    alive: Connection, hook: Hook, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    hook.status = 500
    late(alive)
    look(alive)
    look(alive, 3)
    assert (hook.posted, len(mails(mailbox))) == ([], 1)
    assert "secret-path" not in caplog.text
    pause = "SELECT failures, round(extract(epoch FROM next_at - clock_timestamp()) / 60)::int FROM balansity.alarm_way"
    assert run(alive, pause) == [(1, 1)]
    look(alive)
    look(alive, 1.1)
    assert run(alive, pause) == [(2, 2)]
    hook.status = 200
    look(alive, 2.1)
    assert len(hook.posted) == 1
    look(alive)
    look(alive, 3)
    assert run(alive, "SELECT * FROM balansity.alarm_way") == []
    assert [text.count("Alarms cannot be told by webhook") for text in mails(mailbox)] == [0, 1, 1]
    assert ["Queue emails is late" in text for text in mails(mailbox)] == [True, False, False]
    assert ["Queue emails is late" in text for text in hook.texts] == [True, False]


def test_what_began_and_ended_while_a_way_failed_is_told_by_it_in_one_sentence(alive: Connection, hook: Hook) -> None:
    hook.status = 503
    late(alive)
    look(alive)
    look(alive, 3)
    mended(alive)
    look(alive)
    look(alive, 3)
    hook.status = 200
    look(alive, 60)
    [told] = [text for text in hook.texts if "Queue emails" in text]
    assert "✓ It was so from " in told
    assert "which could not be told before: Queue emails is late" in told


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


def test_a_template_shapes_what_is_posted(alive: Connection, hook: Hook, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ALARM_WEBHOOK_TEMPLATE", '{"chat_id": -100, "text": "<b>{text}</b>", "more": ["{text}"]}')
    settings.current.cache_clear()
    assert CliRunner().invoke(cli.main, ["alarms", "--test"]).output == "webhook: told\n"
    [posted] = hook.posted
    assert (posted["chat_id"], posted["text"]) == (-100, f"<b>{posted['more'][0]}</b>")
    assert "alarms arrive" in posted["text"]


def test_a_mail_goes_to_all_of_them_with_a_login_over_tls(
    alive: Connection, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate = smtp.make_certificate(tmp_path)
    with smtp.running(login=True, certificate=certificate) as mailbox:
        environment.setenv("ALARM_SMTP_URL", f"smtp://clinic:secret@127.0.0.1:{mailbox.port}")
        environment.setenv("ALARM_EMAIL_TO", "head@clinic.example, doctor@clinic.example")
        environment.setenv("ALARM_EMAIL_FROM", "Alarms <alarms@clinic.example>")
        settings.current.cache_clear()
        refused = CliRunner().invoke(cli.main, ["alarms", "--test"])
        assert (refused.exit_code, refused.output.startswith("email: 127.0.0.1 did not take it: SSL")) == (1, True)
        environment.setenv("SSL_CERT_FILE", str(certificate))
        assert CliRunner().invoke(cli.main, ["alarms", "--test"]).output == "email: told\n"
        [mail] = mailbox.accepted
        assert (mail.mail_from, mail.rcpt_tos) == (
            "alarms@clinic.example",
            ["head@clinic.example", "doctor@clinic.example"],
        )


def test_a_wrong_login_is_told_without_it(environment: pytest.MonkeyPatch, alive: Connection) -> None:
    with smtp.running(login=True) as mailbox:
        environment.setenv("ALARM_SMTP_URL", f"smtp://clinic:guessed-wrong@127.0.0.1:{mailbox.port}")
        environment.setenv("ALARM_EMAIL_TO", "head@clinic.example")
        settings.current.cache_clear()
        said = CliRunner().invoke(cli.main, ["alarms", "--test"]).output
    assert said.startswith("email: 127.0.0.1 did not take it: SMTP")
    assert "guessed" not in said


def test_without_a_way_nothing_looks_and_doctor_says_so(alive: Connection) -> None:
    watch = Lookout()
    watch.start()
    assert not watch.thread.is_alive()
    watch.stop()
    told = json.loads(CliRunner().invoke(cli.main, ["doctor", "--json"]).output)
    assert {"alarms-unset", "heartbeat-unset"} <= {each["check"] for each in told}
    assert CliRunner().invoke(cli.main, ["alarms", "--test"]).exit_code == 1


def test_the_heart_beats_only_while_somebody_would_be_told(
    alive: Connection, hook: Hook, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("HEARTBEAT_URL", hook.url)
    settings.current.cache_clear()
    late(alive)
    look(alive)
    assert hook.beats == 1
    run(alive, "UPDATE balansity.scheduler SET looked_at = now() - interval '1 minute'")
    look(alive)
    assert hook.beats == 1
    run(alive, "UPDATE balansity.scheduler SET looked_at = now()")
    environment.setenv("ALARM_WEBHOOK_URL", "http://127.0.0.1:9/refused")
    settings.current.cache_clear()
    look(alive, 3)
    assert hook.beats == 1


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Lookout]:
    monkeypatch.setattr(lookout, "AWAY_SECONDS", 0)
    return Lookout


def test_a_database_that_is_away_is_told_from_memory_once_and_when_it_is_back(
    alive: Connection, hook: Hook, environment: pytest.MonkeyPatch, database: str, hasty: Callable[[], Lookout]
) -> None:
    watch = hasty()
    environment.setenv("DATABASE_URL", NOWHERE)
    settings.current.cache_clear()
    pool.closeall()
    for _ in range(3):
        watch.look()
    [told] = hook.texts
    assert "✗ The database does not answer since" in told
    assert "hunter2" not in told
    environment.setenv("DATABASE_URL", database)
    settings.current.cache_clear()
    for _ in range(3):
        watch.look()
    assert len(hook.texts) == 2
    assert "it is over\n\n✓ The database does not answer since" in hook.texts[1]


def test_a_short_absence_of_the_database_is_not_told(
    alive: Connection, hook: Hook, environment: pytest.MonkeyPatch, database: str
) -> None:
    watch = Lookout()
    environment.setenv("DATABASE_URL", NOWHERE)
    settings.current.cache_clear()
    watch.look()
    environment.setenv("DATABASE_URL", database)
    settings.current.cache_clear()
    watch.look()
    assert hook.texts == []
    assert watch.outage.since is None


def test_what_cannot_be_checked_for_want_of_tables_is_told_until_a_turn_succeeds(
    alive: Connection, hook: Hook, hasty: Callable[[], Lookout]
) -> None:
    watch = hasty()
    run(alive, "ALTER TABLE balansity.alarm_turn RENAME TO moved_away")
    for _ in range(2):
        watch.look()
    assert len(hook.texts) == 1
    assert "✗ Nothing can be checked since" in hook.texts[0]
    run(alive, "ALTER TABLE balansity.moved_away RENAME TO alarm_turn")
    watch.look()
    assert len(hook.texts) == 2


def test_whoever_dies_between_the_call_and_the_note_lets_it_be_told_twice_at_most(
    alive: Connection, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    late(alive)
    look(alive)
    run(alive, "ALTER TABLE balansity.alarm_telling RENAME TO moved_away")
    run(alive, "CREATE VIEW balansity.alarm_telling AS SELECT * FROM balansity.moved_away WHERE false")
    run(alive, "CREATE RULE broken AS ON INSERT TO balansity.alarm_telling DO INSTEAD NOTHING")
    look(alive, 3)
    run(alive, "DROP VIEW balansity.alarm_telling")
    run(alive, "ALTER TABLE balansity.moved_away RENAME TO alarm_telling")
    for _ in range(3):
        look(alive, 1)
    assert len(hook.texts) == 2


def test_the_list_tells_by_which_ways_each_was_told(alive: Connection, hook: Hook) -> None:
    late(alive)
    look(alive)
    look(alive, 3)
    [alarm] = json.loads(CliRunner().invoke(cli.main, ["alarms", "--json"]).output)
    assert (alarm["check"], alarm["subject"], alarm["told_by"]) == ("queue-late", "emails", ["webhook"])
    assert alarm["what"].startswith("Queue emails is late")
    assert "Queue emails is late" in CliRunner().invoke(cli.main, ["alarms"], env={"COLUMNS": "200"}).output


def test_no_mail_of_an_alarm_asks_for_an_answer(mailbox: Mailbox, alive: Connection) -> None:
    assert CliRunner().invoke(cli.main, ["alarms", "--test"]).exit_code == 0
    [mail] = mailbox.accepted
    assert isinstance(mail.content, bytes)
    read = message_from_bytes(mail.content)
    assert read["Auto-Submitted"] == "auto-generated"
    assert read["Subject"] == "Balansity, balansity.example: a test"
