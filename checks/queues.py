"""Whether queues are late, which of them a person has paused, and whether what is done finds its day."""

from collections.abc import Iterator
from datetime import timedelta

from checks.finding import Finding
from db import clock, queries
from db.connection import Connection
from translations import N_

PATIENCE = {"emails": timedelta(minutes=2), "payments": timedelta(minutes=2)}  # a family waits for these
USUAL_PATIENCE = timedelta(minutes=10)
STANDSTILL = timedelta(minutes=2)  # of a line in which a message could run


def lateness(conn: Connection) -> Iterator[Finding]:
    """Queues whose oldest due message has waited for longer than they may let it; a paused one is not late."""
    now, paused = clock.now(conn), {row.queue for row in queries.pauses.current(conn)}
    late = False
    for row in queries.checks.oldest_due(conn):
        if row.queue in paused or now - row.since <= PATIENCE.get(row.queue, USUAL_PATIENCE):
            continue
        late = True
        yield Finding(
            "bad",
            N_("Queue %(queue)s is late: its oldest message has been due since %(since)s."),
            N_("See what runs and for how long (`balansity running`); start workers that take this queue."),
            check="queue-late",
            subject=row.queue,
            since=row.since,
            facts={"queue": row.queue, "since": row.since},
            calls=True,
        )
    if not late:
        yield Finding("good", N_("No queue is late."), check="queue-late")


def lines(conn: Connection) -> Iterator[Finding]:
    """Lines that stand still: whatever the service does lets them go on, so somebody changed rows by hand."""
    rows = list(queries.checks.stuck_lines(conn, seconds=STANDSTILL.total_seconds()))
    for row in rows:
        yield Finding(
            "bad",
            N_("A line of queue %(queue)s stands still: its first message waits since %(since)s for nothing."),
            N_("Rows were changed by hand. In psql: SELECT dramatiq.note_change('{%(line)s}', true)"),
            check="line-stuck",
            subject=row.line,
            since=row.since,
            facts={"queue": row.queue, "since": row.since, "line": row.line},
            calls=True,
        )
    if not rows:
        yield Finding("good", N_("No line stands still."), check="line-stuck")


def pauses(conn: Connection) -> Iterator[Finding]:
    """Queues that a person has paused: they are not late, and somebody may have forgotten them."""
    rows = list(queries.pauses.current(conn))
    for row in rows:
        until = N_("Queue %(queue)s is paused until %(until)s by %(who)s: %(reason)s")
        open_end = N_("Queue %(queue)s is paused until it is resumed, by %(who)s: %(reason)s")
        yield Finding(
            "note",
            until if row.until else open_end,
            N_("`balansity queues resume %(queue)s` lets it go on at once."),
            check="queue-paused",
            subject=row.queue,
            since=row.since,
            facts={"queue": row.queue, "until": row.until, "who": row.who, "reason": row.reason},
        )
    if not rows:
        yield Finding("good", N_("Queues that a person paused: none"), check="queue-paused")


def days(conn: Connection) -> Iterator[Finding]:
    """Whether each day has its table before it begins; else its messages lie where they are deleted one by one."""
    found = queries.checks.days(conn)
    if found.missing or found.strays:
        yield Finding(
            "note",
            N_("Finished messages without a table of their day: %(strays)s; days that have none: %(missing)s"),
            N_("Nothing is lost. The job purge-messages and `balansity migrate` make the tables: see that they run."),
            check="days-missing",
            facts={"strays": found.strays, "missing": found.missing},
        )
    else:
        yield Finding("good", N_("Every day has its table of finished messages."), check="days-missing")
