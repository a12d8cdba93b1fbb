"""The invariant that each worker sees to: what it holds is run by one of its threads, or its end is being written."""

from collections.abc import Callable, Iterator
from threading import Event, current_thread
from typing import Any

import dramatiq
import pytest
from dramatiq.middleware import MiddlewareError, TimeLimitExceeded

from checks.processes import GRACE, LONGEST_RUN, overrunning
from db.connection import Connection
from messaging import consumer
from messaging.broker import PostgresBroker
from tests.integration.broker_cases import PATIENCE, run, states
from tests.waiting import until

Work = Callable[..., dramatiq.Worker]
PATIENCE_SECONDS = PATIENCE / 1000


@pytest.fixture(autouse=True)
def _frequent_audits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "AUDIT_SECONDS", 0.2)


@pytest.fixture(autouse=True)
def _quiet_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threading.excepthook", lambda _: None)  # threads end here by what is raised in them


class Trap(dramatiq.Middleware):
    """Raises between a run and its ack, where Dramatiq awaits nothing: what is no Exception ends the thread."""

    def __init__(self, what: type[BaseException], times: int) -> None:
        self.what = what
        self.times = times

    def before_ack(self, broker: Any, message: Any) -> None:
        if message.actor_name == "fall_in" and self.times > 0:
            self.times -= 1
            raise self.what


@pytest.mark.parametrize("what", [MiddlewareError, TimeLimitExceeded])
def test_what_a_thread_left_without_an_end_runs_again(
    broker: PostgresBroker, work: Work, connection: Connection, caplog: pytest.LogCaptureFixture, what: Any
) -> None:
    ran: list[str] = []
    broker.add_middleware(Trap(what, times=1))
    fall_in = dramatiq.actor(broker=broker, actor_name="fall_in")(lambda: ran.append(current_thread().name))
    fall_in.send()
    work(threads=2)
    until(lambda: states(connection) == {"done": 1}, seconds=PATIENCE_SECONDS)
    assert len(ran) == 2
    assert "lost_claims_rescued" in caplog.text
    [(rescues, error)] = run(connection, "SELECT rescues, error FROM dramatiq.queue")
    assert (rescues, error) == (1, None)


def test_what_ends_so_every_time_becomes_a_dead_letter(
    broker: PostgresBroker, connection: Connection, work: Work
) -> None:
    broker.add_middleware(Trap(MiddlewareError, times=100))
    fall_in = dramatiq.actor(broker=broker, actor_name="fall_in")(lambda: None)
    count = dramatiq.actor(broker=broker, actor_name="count")(lambda: None)
    fall_in.send()
    run(connection, "UPDATE dramatiq.queue SET rescues = 10")
    count.send()
    work(threads=2)
    until(lambda: states(connection) == {"done": 1, "rejected": 1}, seconds=PATIENCE_SECONDS)
    [(error,)] = run(connection, "SELECT error FROM dramatiq.dead_letter")
    assert "left this message without an end (11 so far)" in error


def test_a_run_that_takes_long_is_not_taken_for_lost(
    broker: PostgresBroker, work: Work, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    began, go_on = Event(), Event()

    @dramatiq.actor(broker=broker, queue_name="slow")
    def stay() -> None:
        began.set()
        go_on.wait(PATIENCE_SECONDS)

    audited: list[Any] = []
    stay.send()
    work(threads=2)
    assert began.wait(PATIENCE_SECONDS)
    short = dramatiq.actor(broker=broker, actor_name="short", queue_name="slow")(lambda: audited.append(1))
    for number in range(20):  # each wakes the consumer, and several audits come by
        short.send()
        until(lambda: len(audited) > number, seconds=PATIENCE_SECONDS)  # noqa: B023 - it is asked in this round
    go_on.set()
    broker.join("slow", timeout=PATIENCE)
    assert run(connection, "SELECT count(*), max(rescues) FROM dramatiq.queue WHERE state = 'done'") == [(21, 0)]
    assert "lost_claims_rescued" not in caplog.text


@pytest.fixture
def unwilling(connection: Connection) -> Iterator[None]:
    """A database that lets nothing become a dead letter."""
    run(
        connection,
        """
        CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$;
        CREATE TRIGGER refuse BEFORE UPDATE ON dramatiq.queue FOR EACH ROW WHEN (NEW.state = 'rejected')
        EXECUTE FUNCTION public.refuse()
        """,
    )
    yield
    run(connection, "DROP FUNCTION IF EXISTS public.refuse() CASCADE")


def test_an_end_that_the_database_refuses_is_written_when_it_no_longer_does(
    broker: PostgresBroker, work: Work, connection: Connection, unwilling: None, caplog: pytest.LogCaptureFixture
) -> None:
    fail = dramatiq.actor(broker=broker, actor_name="fail", max_retries=0)(lambda: 1 / 0)
    fail.send()
    work(threads=1)
    until(lambda: "message_cannot_be_settled" in caplog.text, seconds=PATIENCE_SECONDS)
    assert states(connection) == {"consumed": 1}
    run(connection, "DROP FUNCTION public.refuse() CASCADE")
    until(lambda: states(connection) == {"rejected": 1}, seconds=PATIENCE_SECONDS)


def test_doctor_tells_what_a_worker_holds_for_longer_than_any_may_run(
    broker: PostgresBroker, connection: Connection
) -> None:
    dramatiq.actor(broker=broker, actor_name="late")(lambda: None).send()
    run(connection, "INSERT INTO dramatiq.worker (id, host, pid) VALUES (7, 'clinic', 12)")
    run(connection, "UPDATE dramatiq.queue SET state = 'consumed', claimed_by = 7, mtime = now()")
    assert [finding.verdict for finding in overrunning(connection)] == ["good"]
    seconds = (LONGEST_RUN + GRACE).total_seconds() + 1
    run(connection, "UPDATE dramatiq.queue SET mtime = now() - %s * interval '1 second'", seconds)
    [finding] = overrunning(connection)
    assert "1 at worker 7 (clinic, process 12), since" in finding.what
