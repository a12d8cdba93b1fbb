"""`dramatiq.send` from SQL reaches actors, and refuses what none could run."""

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
