"""A pgmq message that the broker's table refuses holds up no other, and stays where a person finds it."""

from collections.abc import Callable, Iterator
from typing import Any

import dramatiq
import pytest

from db.connection import Connection
from messaging.broker import PostgresBroker
from tests.integration.broker_cases import run, states
from tests.waiting import until

REFUSED = 3
MESSAGES = 40
REFUSE = """
    CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON dramatiq.queue FOR EACH ROW WHEN ({condition})
    EXECUTE FUNCTION public.refuse()
"""


@pytest.fixture
def seen(broker: PostgresBroker, connection: Connection) -> Iterator[list[int]]:
    """What was run, of numbered messages that wait in pgmq."""
    numbers: list[int] = []

    @dramatiq.actor(broker=broker, queue_name="analytics", pgmq_queue="analytics_queue")
    def record(number: int) -> None:
        numbers.append(number)

    broker.publish_actors(connection, retire=True)
    run(
        connection,
        "SELECT pgmq.send('analytics_queue', jsonb_build_object('number', n)) FROM generate_series(1, %s) AS n",
        MESSAGES,
    )
    yield numbers
    run(connection, "DROP FUNCTION public.refuse() CASCADE")


def others() -> list[int]:
    return [number for number in range(1, MESSAGES + 1) if number != REFUSED]


def test_the_others_run_and_the_refused_one_is_a_dead_letter_that_names_it(
    connection: Connection, seen: list[int], work: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    run(connection, REFUSE.format(condition=f"NEW.message -> 'kwargs' ->> 'number' = '{REFUSED}'"))
    work()
    until(lambda: states(connection) == {"done": MESSAGES - 1, "rejected": 1})
    assert sorted(seen) == others()
    [(number, error)] = run(connection, "SELECT pgmq_msg_id, error FROM dramatiq.dead_letter")
    assert error == (
        f"Message {number} of pgmq queue analytics_queue, which its archive keeps, could not be moved: not this one"
    )
    kept = run(connection, "SELECT message ->> 'number' FROM pgmq.a_analytics_queue WHERE msg_id = %s", number)
    assert kept == [(str(REFUSED),)]
    assert "pgmq_messages_refused" in caplog.text


def test_one_of_which_not_even_a_dead_letter_can_be_made_stays_in_pgmq(
    connection: Connection, seen: list[int], work: Callable[..., Any]
) -> None:
    [(number,)] = run(
        connection, "SELECT msg_id FROM pgmq.q_analytics_queue WHERE message ->> 'number' = %s", str(REFUSED)
    )
    run(connection, REFUSE.format(condition=f"NEW.pgmq_msg_id = {number}"))
    work()
    until(lambda: states(connection) == {"done": MESSAGES - 1})
    assert sorted(seen) == others()
    left = run(connection, "SELECT msg_id, vt > now() + interval '50 minutes' FROM pgmq.q_analytics_queue")
    assert left == [(number, True)]
