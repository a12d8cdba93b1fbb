"""What is known of a provider decides who asks it, who waits, and in which order all go once it is back."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from db.connection import Connection
from gateways import availability

pytestmark = pytest.mark.fast

FAIL = "SELECT balansity.provider_failed('smtp', 'down', 'a worker', NULL)"
PROBE_NOW = "UPDATE balansity.provider_state SET next_probe_at = now()"
WORK = "SELECT balansity.provider_worked('smtp', 'a worker')"


def ask(conn: Connection, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with conn.cursor() as cursor:
        cursor.execute(query, values)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []


def enqueue(conn: Connection, priority: int = 0, delay: int = 86_400_000) -> str:
    message_id = str(uuid4())
    body = f'{{"message_id": "{message_id}", "queue_name": "emails", "options": {{}}}}'
    ask(conn, "SELECT dramatiq.enqueue(%s, ARRAY[%s], %s, NULL)", body, priority, delay)
    return message_id


def hold(conn: Connection, message_id: str, hours: float | None = None) -> Any:
    """Ask for the provider; None: the message may call it."""
    query = "SELECT balansity.ask_for_provider('smtp', %s, now() + %s * interval '1 hour')"
    return ask(conn, query, message_id, hours)[0][0]


def claim(conn: Connection) -> list[str]:
    ask(conn, "SELECT dramatiq.heartbeat(1, 'here', 1, 1, '{}', true)")
    claimed = ask(conn, "SELECT message_id::text FROM dramatiq.exchange(1, 'emails', '{}', '{}', 10)")
    return [message_id for (message_id,) in claimed]


def test_what_was_held_goes_in_the_order_of_its_deadlines_whatever_its_priority(undone: Connection) -> None:
    ask(undone, FAIL)
    ids = {}
    for hours, priority in ((3, 0), (1, -5), (None, 9), (2, 7)):
        ids[hours] = enqueue(undone, priority)
        hold(undone, ids[hours], hours)
    fresh = enqueue(undone, 8, delay=0)
    ask(undone, WORK)
    assert claim(undone) == [ids[1], ids[2], ids[3], ids[None], fresh]


def test_a_message_that_is_being_held_as_the_provider_comes_back_waits_for_nothing(
    connect: Callable[[], Connection],
) -> None:
    worker, other = connect(), connect()
    ask(worker, FAIL)
    message_id = enqueue(worker, delay=0)
    assert claim(worker) == [message_id]
    assert hold(worker, message_id) is not None
    ask(other, WORK)
    ask(worker, "SELECT dramatiq.retry(%s, 1, '{}', 600000, 'smtp is away')", message_id)
    assert claim(worker) == [message_id]
    ask(worker, "SELECT dramatiq.retry(%s, 2, '{}', 600000, 'another trouble')", message_id)
    assert claim(worker) == []


def test_a_message_that_probed_in_vain_lets_others_probe_before_it(undone: Connection) -> None:
    ask(undone, FAIL)
    poison, other = enqueue(undone), enqueue(undone)
    assert hold(undone, poison, 1) < hold(undone, other, 2)
    ask(undone, PROBE_NOW)
    assert hold(undone, poison, 1) is None
    ask(undone, FAIL)
    assert hold(undone, poison, 1) > hold(undone, other, 2)


def test_who_is_not_the_probe_does_not_end_it(undone: Connection) -> None:
    ask(undone, FAIL)
    ask(undone, PROBE_NOW)
    probe, other = enqueue(undone), enqueue(undone)
    assert hold(undone, probe) is None
    ask(undone, "SELECT balansity.provider_unasked('smtp', %s)", other)
    assert hold(undone, other) is not None
    ask(undone, "SELECT balansity.provider_unasked('smtp', %s)", probe)
    assert hold(undone, other) is None


@pytest.mark.parametrize(
    "query", ["SELECT balansity.take_probe('smtp', %s)", "SELECT balansity.ask_for_provider('smtp', %s, NULL) IS NULL"]
)
def test_a_probe_whose_worker_died_probes_anew_when_it_is_rescued(undone: Connection, query: str) -> None:
    """Nobody would ask for three minutes, else: the probe counts as under way."""
    ask(undone, FAIL)
    ask(undone, PROBE_NOW)
    probe, other = enqueue(undone), enqueue(undone)
    assert ask(undone, query, probe) == [(True,)]
    assert ask(undone, query, other) == [(False,)], "one at a time"
    ask(undone, "DELETE FROM balansity.held_message WHERE message_id = %s", other)
    assert ask(undone, query, probe) == [(True,)]


def test_messages_past_their_deadline_hold_up_nobodys_probe(undone: Connection) -> None:
    ask(undone, FAIL)
    late = [enqueue(undone) for _ in range(3)]
    for each in late:
        hold(undone, each, -0.01)
    assert ask(undone, "SELECT held FROM (SELECT count(*) AS held FROM balansity.held_message) AS all_held") == [(1,)]
    first = hold(undone, enqueue(undone), 1)
    assert first == hold(undone, enqueue(undone), 0.5), "the first in line comes for the next probe"


@pytest.mark.usefixtures("environment")
def test_many_more_messages_than_a_statement_moves_are_let_go(connection: Connection) -> None:
    ask(connection, FAIL)
    for _ in range(availability.TOGETHER * 2 + 1):
        hold(connection, enqueue(connection))
    availability.seen.clear()
    availability.worked("smtp")
    assert ask(connection, "SELECT count(*) FROM dramatiq.queue WHERE delayed") == [(0,)]
    assert ask(connection, "SELECT count(*) FROM balansity.held_message") == [(0,)]


@pytest.mark.usefixtures("environment")
def test_whom_a_refused_mail_was_for_is_not_kept_with_the_refusal(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    words = "The SMTP server answered 554: 5.7.1 <anna@example.com>: Relay access denied; to=олег@пример.рф"
    availability.failed("smtp", str(uuid4()), words)
    [(kept,)] = ask(connection, "SELECT reason FROM balansity.provider_state")
    for place in (kept, caplog.text):
        assert "Relay access denied" in place
        assert "anna" not in place
        assert "олег" not in place
