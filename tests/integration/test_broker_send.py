"""`dramatiq.send` from SQL reaches actors, and refuses what none could run."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dramatiq
import psycopg2
import pytest

from db.connection import Connection
from messaging.broker import PostgresBroker
from tests.integration.broker_cases import run, states


class TestSendFromSql:
    @pytest.fixture(autouse=True)
    def actors(self, broker: PostgresBroker, connection: Connection) -> None:
        @dramatiq.actor(broker=broker, queue_name="letters")
        def write(to: str, copies: int = 1) -> None: ...

        @dramatiq.actor(broker=broker, queue_name="notes", required=["subject"])
        def note(**payload: Any) -> None: ...

        broker.publish_actors(connection, retire=True)

    def test_it_reaches_the_actors_queue(self, connection: Connection) -> None:
        run(connection, """SELECT dramatiq.send('write', '{"to": "all"}', delay => '1 hour', priority => 5)""")
        assert run(connection, "SELECT queue_name, priority, delayed FROM dramatiq.queue") == [("letters", 5, True)]

    def test_a_unique_key_makes_the_second_send_return_the_first_id(self, connection: Connection) -> None:
        send = """SELECT dramatiq.send('write', '{"to": "all"}', unique_key => 'letter 1')"""
        assert run(connection, send) == run(connection, send)
        assert states(connection) == {"queued": 1}

    def test_a_dead_letter_that_holds_the_key_starts_over_as_the_new_message(
        self, broker: PostgresBroker, connection: Connection
    ) -> None:
        send = """SELECT dramatiq.send('write', %s::jsonb, delay => '1 hour', unique_key => 'letter 1')::text"""
        first = run(connection, send, '{"to": "all"}')
        run(connection, "UPDATE dramatiq.queue SET state = 'rejected', rescues = 3, delayed = false")
        assert run(connection, send, '{"to": "Anna"}') == first == run(connection, send, '{"to": "nobody"}')
        assert run(
            connection,
            "SELECT state::text, message -> 'kwargs' ->> 'to', message ->> 'message_id' = message_id::text, "
            "rescues, delayed FROM dramatiq.queue",
        ) == [("queued", "Anna", True, 0, True)]
        assert run(connection, "SELECT count(*) FROM dramatiq.dead_letter") == [(0,)]

    def test_a_key_of_what_is_done_stays_taken(self, connection: Connection) -> None:
        send = """SELECT dramatiq.send('write', '{"to": "all"}', unique_key => 'letter 1')"""
        first = run(connection, send)
        run(connection, "UPDATE dramatiq.queue SET state = 'done'")
        assert run(connection, send) == first
        assert states(connection) == {"done": 1}

    def test_senders_at_once_revive_a_dead_letter_once(
        self, connection: Connection, connect: Callable[[], Connection]
    ) -> None:
        send = """SELECT dramatiq.send('write', '{"to": "all"}', unique_key => 'letter 1')"""
        first = run(connection, send)
        run(connection, "UPDATE dramatiq.queue SET state = 'rejected'")
        with ThreadPoolExecutor(4) as senders:
            assert list(senders.map(lambda conn: run(conn, send), [connect() for _ in range(4)])) == [first] * 4
        assert states(connection) == {"queued": 1}

    @pytest.mark.parametrize(
        ("call", "hint"),
        [
            ("'wriite', '{}'", "There are: note, write."),
            ("'note', '{}'", "Missing: subject. It accepts: subject, and more."),
            ("""'write', jsonb_build_object('to', repeat('x', 1000001))""", "Send an id"),
            ("'write', '[]'", "For example"),
            ("'write', '{}'", "Missing: to."),
            ("""'write', '{"to": "a", "cc": "b"}'""", "Unknown: cc. It accepts: to, copies."),
        ],
    )
    def test_what_no_actor_could_run_is_refused_with_what_exists(
        self, connection: Connection, call: str, hint: str
    ) -> None:
        with pytest.raises(psycopg2.errors.InvalidParameterValue) as refused:
            run(connection, f"SELECT dramatiq.send({call})")
        assert hint in str(refused.value.diag.message_hint)

    def test_a_delay_that_is_none_or_over_is_no_delay(self, connection: Connection) -> None:
        for delay in ("NULL", "'-1 day'"):
            run(connection, f"""SELECT dramatiq.send('write', '{{"to": "all"}}', delay => {delay})""")
        assert (
            run(connection, "SELECT delayed, available_at <= now() - interval '1 hour' FROM dramatiq.queue")
            == [(False, False)] * 2
        )

    def test_a_unique_key_of_another_actors_message_is_refused(self, connection: Connection) -> None:
        run(connection, """SELECT dramatiq.send('write', '{"to": "all"}', unique_key => 'letter 1')""")
        with pytest.raises(psycopg2.errors.UniqueViolation, match="belongs to a message for write"):
            run(connection, """SELECT dramatiq.send('note', '{"subject": "s"}', unique_key => 'letter 1')""")
