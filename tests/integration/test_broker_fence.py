"""What a run causes counts with its end: a run that others have taken over causes nothing, and none counts twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import dramatiq
import pytest
from dramatiq import group
from dramatiq.errors import Retry
from dramatiq.middleware import Callbacks, GroupCallbacks, Pipelines, SkipMessage

from db import queries
from db.connection import Connection
from db.database import pool
from messaging.broker import PostgresBroker
from messaging.limits import PostgresLimits
from tests.integration.broker_cases import PATIENCE, blocked, message_with, run
from tests.waiting import until

Work = Callable[..., dramatiq.Worker]
PATIENCE_SECONDS = PATIENCE / 1000
TRACES = """
    SELECT (SELECT count(*) FROM dramatiq.queue WHERE queue_name = 'caused'), (SELECT count(*) FROM dramatiq.result),
           (SELECT count(*) FROM dramatiq.group_member)
"""

HANG_WHILE_SETTING_ASIDE = """
    SELECT pg_advisory_lock(7);
    CREATE FUNCTION public.hang() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock(7);
        RETURN NEW;
    END $$;
    CREATE TRIGGER hang BEFORE UPDATE ON dramatiq.queue FOR EACH ROW
    WHEN (NEW.waits_for IS NOT NULL AND OLD.waits_for IS NULL) EXECUTE FUNCTION public.hang()
"""


class Ends(dramatiq.Middleware):
    """Hears when a run has ended for Dramatiq, and sends a message of its own when it does."""

    def __init__(self) -> None:
        self.heard = Event()

    def after_process_message(
        self, broker: Any, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        if message.options.get("guest"):
            broker.enqueue(caused("from a guest's hook"))

    def after_ack(self, broker: Any, message: Any) -> None:
        self.heard.set()

    def after_nack(self, broker: Any, message: Any) -> None:
        self.heard.set()


def caused(what: str) -> dramatiq.Message[Any]:
    return dramatiq.Message(queue_name="caused", actor_name="caused", args=(what,), kwargs={}, options={})


@pytest.fixture
def ends(broker: PostgresBroker) -> Ends:
    ends = Ends()
    broker.add_middleware(ends)
    broker.declare_actor(dramatiq.actor(broker=broker, actor_name="caused", queue_name="caused")(lambda *_: None))
    return ends


CAUSING: dict[str, Any] = {
    "store_results": True,
    "pipe_target": caused("a successor").asdict(),
    "on_success": "caused",
    "on_failure": "caused",
    "guest": True,
}


@pytest.mark.parametrize("end", ["return", "raise", "retry", "skip"])
def test_a_run_that_was_taken_over_causes_nothing(
    broker: PostgresBroker, work: Work, ends: Ends, connection: Connection, end: str
) -> None:
    began, go_on = Event(), Event()

    @dramatiq.actor(broker=broker, max_retries=1 if end == "retry" else 0)
    def stay() -> int:
        began.set()
        go_on.wait(PATIENCE_SECONDS)
        match end:
            case "raise":
                raise ValueError("an actor's own")
            case "retry":
                raise Retry(delay=0)
            case "skip":
                raise SkipMessage("by the actor")
        return 1

    message = stay.send_with_options(**CAUSING)
    work(threads=1)
    assert began.wait(PATIENCE_SECONDS)
    run(connection, "UPDATE dramatiq.queue SET attempt = attempt + 1, claimed_by = -1")  # as a rescue and a claim do
    held = run(connection, "SELECT * FROM dramatiq.queue WHERE message_id = %s", message.message_id)
    go_on.set()
    assert ends.heard.wait(PATIENCE_SECONDS)
    broker.close()  # what was to be written is written by then
    assert run(connection, "SELECT * FROM dramatiq.queue WHERE message_id = %s", message.message_id) == held
    assert run(connection, TRACES) == [(0, 0, 0)]


def test_a_claim_that_was_taken_over_while_its_exchange_hung_does_not_start(
    broker: PostgresBroker, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """However short the silence was: others count it from the last beat, which was before the exchange began."""
    broker.pulse.silence_seconds = 3
    note = dramatiq.actor(broker=broker, actor_name="note")(lambda: None)
    broker.enqueue_many([note.message(), message_with(actor_name="nobody")])
    run(connection, HANG_WHILE_SETTING_ASIDE)
    consumer = broker.consume("default", prefetch=4, timeout=PATIENCE)
    with ThreadPoolExecutor(1) as thread:
        claimed = thread.submit(next, consumer)
        until(lambda: blocked(connection) == 1, "it sets aside the other that it claimed")
        run(connection, "SELECT dramatiq.rescue(array_agg(id), array_agg(beats), 10) FROM dramatiq.alive")
        assert run(connection, "SELECT message ->> 'actor_name' FROM dramatiq.queue WHERE state = 'queued'") == [
            ("note",)
        ]
        until(lambda: "worker_was_given_up" in caplog.text, "it has learned of it")
        run(connection, "SELECT pg_advisory_unlock(7)")
        claim = claimed.result()
    assert claim is not None
    assert not consumer.claims.start(claim)


def test_a_worker_that_cannot_say_that_it_lives_claims_nothing(
    broker: PostgresBroker, connection: Connection, connect: Callable[[], Connection]
) -> None:
    """Others would take it over at once; claimed and handed back in turn, it would find no rest."""
    broker.pulse.silence_seconds = 1
    note = dramatiq.actor(broker=broker, actor_name="note")(lambda: None)
    consumer = broker.consume("default", prefetch=4, timeout=500)
    until(lambda: run(connection, "SELECT 1 FROM dramatiq.worker") == [(1,)], "it is known")
    other = connect()
    other.autocommit = False
    run(other, "SELECT FROM dramatiq.worker FOR UPDATE")
    until(broker.pulse.lapsed, "its beat hangs")
    message = note.send()
    assert next(consumer) is None
    assert run(connection, "SELECT state::text, attempt FROM dramatiq.queue") == [("queued", 0)]
    other.rollback()
    until(lambda: not broker.pulse.lapsed(), "it beats again")
    claim = next(each for each in consumer if each is not None)
    assert (claim.message_id, claim.attempt) == (message.message_id, 1)


@pytest.mark.parametrize(("end", "state"), [("return", "done"), ("raise", "rejected")])
@pytest.mark.usefixtures("ends")
def test_what_a_run_causes_is_there_with_its_end(
    broker: PostgresBroker, connection: Connection, end: str, state: str
) -> None:
    @dramatiq.actor(broker=broker, max_retries=0)
    def end_so() -> int:
        if end == "raise":
            raise ValueError("an actor's own")
        return 1

    message = end_so.send_with_options(**CAUSING)
    worker = dramatiq.Worker(broker, worker_timeout=100, worker_threads=1, queues={"default"})
    worker.start()
    of_message = "SELECT state::text FROM dramatiq.queue WHERE message_id = %s"
    until(lambda: run(connection, of_message, message.message_id) == [(state,)])
    traces = run(connection, TRACES)
    worker.stop()
    assert traces == [
        (3 if end == "return" else 2, 1, 0)
    ]  # successor, callback, guest's message; no successor of a failure


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_group_counts_each_member_once_however_often_it_runs(
    broker: PostgresBroker, work: Work, connection: Connection, by_hand: bool
) -> None:
    if by_hand:  # Dramatiq's own beside ours: each of these would count, send or retry once more
        broker.middleware.extend([GroupCallbacks(PostgresLimits(pool)), Callbacks(), Pipelines()])
    seen: list[str] = []
    member = dramatiq.actor(broker=broker, actor_name="member")(seen.append)
    over = dramatiq.actor(broker=broker, actor_name="over")(seen.append)
    last = member.message("last")
    members = group([member.message("first"), member.message("second"), last], broker=broker)
    members.add_completion_callback(over.message("over"))
    with pool.transaction() as conn, broker.transaction(conn):
        members.run()
        run(
            conn,
            "UPDATE dramatiq.queue SET delayed = true, available_at = 'infinity' WHERE message_id = %s",
            last.message_id,
        )
    work()
    until(lambda: {*seen} == {"first", "second"})
    for _ in range(2):  # a run whose ack was undone: the server lost its last second, or a person had it run again
        until(lambda: run(connection, "SELECT count(*) FROM dramatiq.queue WHERE state = 'done'") == [(2,)])
        run(connection, "UPDATE dramatiq.queue SET state = 'queued' WHERE state = 'done'")
    until(lambda: seen.count("first") == seen.count("second") == 3)
    until(lambda: run(connection, "SELECT count(*) FROM dramatiq.queue WHERE state = 'done'") == [(2,)])
    run(connection, "UPDATE dramatiq.queue SET delayed = false WHERE delayed")
    run(connection, "UPDATE dramatiq.queue SET available_at = now() WHERE state = 'queued'")
    broker.join("default", timeout=PATIENCE)
    assert seen[6:] == ["last", "over"]
    assert run(connection, "SELECT count(*) FROM dramatiq.open_group") == [(0,)]


def test_a_group_that_no_member_touched_for_long_is_purged(broker: PostgresBroker, connection: Connection) -> None:
    backend = next(each for each in broker.middleware if isinstance(each, GroupCallbacks)).rate_limiter_backend
    assert backend.add("a group", 2, 1)
    assert not backend.add("a group", 2, 1)
    run(connection, "SELECT dramatiq.count_member('a group', gen_random_uuid())")
    for minutes, purged in ((-1, 0), (1, 1)):
        before = datetime.now(UTC) + timedelta(minutes=minutes)
        assert queries.groups.purge(connection, keys=["a group"], before=before) == purged
    assert run(connection, "SELECT dramatiq.count_member('a group', gen_random_uuid())") == [(False,)]
