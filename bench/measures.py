"""What is measured: each measure runs one contestant once on a course of its own."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2

from bench import probe
from bench.contestants import BARE_SQL, BRIDGED, EVERYONE, IN_MEMORY, OURS, Contestant
from bench.cost import Cost, between
from bench.course import PROCESSES, Course
from bench.watch import Watch

WARM_UP = 20  # paced messages before the ones that count
SQL = Path(__file__).parent / "sql"


@dataclass(frozen=True)
class Scale:
    """How much of everything a run does."""

    drain: int = 50_000
    send: int = 2_000
    pace: int = 300
    per_second: int = 20
    most_seconds: float = 15  # of a drain; the slow are stopped there
    backlog: int = 1_000_000
    future: int = 100_000
    finished: int = 500_000
    snapshot_seconds: int = 30
    snapshot_backlog: int = 700_000


QUICK = Scale(
    drain=10_000,
    send=1_000,
    pace=60,
    most_seconds=5,
    backlog=100_000,
    future=20_000,
    finished=50_000,
    snapshot_seconds=10,
    snapshot_backlog=250_000,
)
LONG = Scale(finished=5_000_000, snapshot_seconds=300, snapshot_backlog=5_000_000)


@dataclass
class Result:
    """What one run came to."""

    value: float = 0.0  # messages a second, for all but latency
    waits: list[float] = field(default_factory=list)  # milliseconds
    memory_mb: float | None = None  # of the largest worker process
    connections: float | None = None  # per worker process
    curve: list[float] = field(default_factory=list)  # messages a second, second by second
    cost: Cost | None = None


@dataclass(frozen=True)
class Measure:
    """One row of figures."""

    name: str
    title: str
    contestants: list[Contestant]
    run: Callable[[Course, Scale], Result]
    baseline: str | None = None  # the measure that this one is held against


def drain(course: Course, scale: Scale) -> Result:
    """Messages a second with everything waiting before the workers start."""
    course.play("fill", scale.drain)
    return drained(course, scale)


def drain_backlog(course: Course, scale: Scale) -> Result:
    course.play("fill", scale.backlog)
    return drained(course, scale)


def drain_beside_future(course: Course, scale: Scale) -> Result:
    course.play("fill_future", scale.future)
    return drain(course, scale)


def drain_beside_finished(course: Course, scale: Scale) -> Result:
    course.execute((SQL / "fill_finished.sql").read_text(), count=scale.finished)
    return drain(course, scale)


def drain_long(course: Course, scale: Scale) -> Result:
    """The rate at the end of a long drain."""
    return _at_the_end(course, scale, held=False)


def drain_under_snapshot(course: Course, scale: Scale) -> Result:
    """The same while another session holds the snapshot that it took before."""
    return _at_the_end(course, scale, held=True)


def send(course: Course, scale: Scale) -> Result:
    return Result(course.play("send", scale.send)["rate"])


def bulk(course: Course, scale: Scale) -> Result:
    return Result(course.play("bulk", scale.drain)["rate"])


def latency(course: Course, scale: Scale) -> Result:
    """From just before the send to the first line of the actor, with idle workers."""
    with course.working():
        course.play("pace", WARM_UP, scale.per_second)
        course.wait_until_ran(WARM_UP, most_seconds=10)
        course.play("pace", scale.pace, scale.per_second)
        course.wait_until_ran(WARM_UP + scale.pace, most_seconds=60 + scale.pace / scale.per_second)
    return Result(waits=probe.waits(course.folder)[WARM_UP:])


def drained(course: Course, scale: Scale) -> Result:
    course.settle()
    with course.working() as workers, Watch(workers, course) as watch:
        course.wait_until_ran(1, most_seconds=0)
        before = watch.spent()
        seen = course.wait_until_ran(scale.drain, scale.most_seconds)
        after = watch.spent()
    return Result(
        seen.messages / seen.seconds,
        memory_mb=watch.memory_mb,
        connections=watch.connections / PROCESSES,
        cost=between(before, after),
    )


def _at_the_end(course: Course, scale: Scale, *, held: bool) -> Result:
    course.play("fill", scale.snapshot_backlog)
    course.settle()
    snapshot = held_snapshot(course.database) if held else nullcontext()
    with snapshot, course.working() as workers, Watch(workers, course) as watch:
        curve = list(_seconds(course, scale.snapshot_seconds))
    end = curve[-max(1, len(curve) // 5) :]
    return Result(sum(end) / len(end), memory_mb=watch.memory_mb, curve=curve)


def _seconds(course: Course, seconds: int) -> Iterator[float]:
    """Messages run in each second from the first one on."""
    before = course.wait_until_ran(1, most_seconds=0).messages
    at = time.monotonic()
    for _ in range(seconds):
        time.sleep(1)
        now, after = time.monotonic(), course.seen().messages
        yield (after - before) / (now - at)
        before, at = after, now


@contextmanager
def held_snapshot(database: str) -> Iterator[None]:
    """Another session's transaction that still sees everything as it is now."""
    conn = psycopg2.connect(database)
    conn.set_session(isolation_level="REPEATABLE READ", readonly=True)
    with conn.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class")
    try:
        yield
    finally:
        conn.close()


SENDERS = [each for each in EVERYONE if each not in {BRIDGED, IN_MEMORY}]
SLEEPERS = [each for each in SENDERS if each is not BARE_SQL]

MEASURES = [
    Measure("drain", "Drain of waiting messages", EVERYONE, drain),
    Measure("send", "Enqueue one by one", SENDERS, send),
    Measure("bulk", "Enqueue many at once", [each for each in EVERYONE if each.bulk], bulk),
    Measure("latency", "From send to start, idle", SLEEPERS, latency),
    Measure("backlog", "Drain of a large backlog", [OURS], drain_backlog, baseline="drain"),
    Measure("future", "Drain beside messages due next month", [OURS], drain_beside_future, baseline="drain"),
    Measure("finished", "Drain beside finished messages", [OURS], drain_beside_finished, baseline="drain"),
    Measure("long", "End of a long drain", [OURS, BRIDGED], drain_long),
    Measure("snapshot", "The same under a held snapshot", [OURS, BRIDGED], drain_under_snapshot, baseline="long"),
]
