"""Whether workers and schedulers live, what they hold, and what they can run."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from checks.finding import Finding, moment
from db import clock, overview, queries
from db.connection import Connection
from messaging.seal import is_key
from translations import N_

SILENCE_SECONDS = 30  # of a process that says every few seconds that it lives
LONGEST_RUN = timedelta(minutes=10)  # Dramatiq's time limit, which no actor of ours raises
GRACE = timedelta(minutes=2)  # for its end to be written


def beating(conn: Connection) -> Iterator[Finding]:
    """Who lives by what was heard last: at once, and by the database's clock."""
    heard = queries.checks.count_heard(conn, seconds=SILENCE_SECONDS)
    yield from _living(conn, heard.workers, heard.schedulers, heard.worker_at, heard.scheduler_at)


def living(conn: Connection) -> Iterator[Finding]:
    """Who lives by counts that move while one looks: whatever a clock says, and in some seconds."""
    alive = overview.living(conn)
    yield from _living(conn, len(alive.workers), len(alive.schedulers))


def _living(
    conn: Connection, workers: int, schedulers: int, worker_at: datetime | None = None, at: datetime | None = None
) -> Iterator[Finding]:
    start_worker = N_("Start the Procfile's worker, or `balansity up`.")
    in_charge = bool(queries.takeover.in_charge(conn))
    if not workers:
        none_needed = N_("No worker process lives: none is needed until ours takes over.")
        what = N_("No worker process lives: messages wait.") if in_charge else none_needed
        verdict = "bad" if in_charge else "note"
        yield Finding(verdict, what, start_worker, check="no-worker", since=worker_at, calls=in_charge)
    elif schedulers:
        what = N_("%(workers)s worker processes live; schedulers: %(schedulers)s.")
        yield Finding("good", what, check="no-worker", facts={"workers": workers, "schedulers": schedulers})
    if not schedulers and (workers or in_charge):
        what = N_("%(workers)s worker processes live, and no scheduler: no job is planned.")
        start = N_("Start the Procfile's scheduler, or `balansity up`.")
        facts = {"workers": workers}
        yield Finding("note", what, start, check="no-scheduler", since=at, facts=facts, calls=in_charge)


def overrunning(conn: Connection) -> Iterator[Finding]:
    """Runs past any time limit: what workers repair by themselves every few seconds, or a person restarts them."""
    now, over = clock.now(conn), LONGEST_RUN + GRACE
    stuck: dict[int, list[Any]] = {}
    for run in queries.running.list_running(conn):
        longest = max(over, timedelta(milliseconds=run.time_limit or 0) + GRACE)
        if now - run.since > longest:
            stuck.setdefault(run.worker, []).append(run)
    for worker, runs in stuck.items():  # the longest first
        host, pid, since = runs[0].host or "gone", runs[0].pid or "unknown", runs[0].since
        yield Finding(
            "bad",
            N_(
                "Messages held for longer than any may run: %(count)s at worker %(worker)s "
                "(%(host)s, process %(pid)s), since %(since)s."
            ),
            N_(
                "See where it stands (`balansity running --stacks %(worker)s`) and restart it: others run what it "
                "held; its log says what it could not write."
            ),
            check="run-too-long",
            subject=str(worker),
            since=since,
            facts={"count": len(runs), "worker": worker, "host": host, "pid": pid, "since": since},
            calls=True,
        )
    if not stuck:
        yield Finding("good", N_("Messages held for longer than any may run: none"), check="run-too-long")


def hearing(conn: Connection) -> Finding:
    if deaf := queries.doctor.deaf_workers(conn):
        remedy = (
            "A pooler carries no LISTEN in transaction mode: give workers a direct address, or set BROKER_LISTEN=off."
        )
        return Finding("note", f"Workers that hear no doorbell, and look every second: {deaf}", remedy)
    return Finding("good", "Workers that hear no doorbell: none")


def knowing(conn: Connection) -> Finding:
    missing = [each for each in queries.doctor.missing_abilities(conn) if not is_key(each.ability)]
    if not missing:
        return Finding("good", "Messages that no worker can run: none")
    listed = ", ".join(f"{each.ability} ({each.messages} since {moment(each.since)})" for each in missing)
    if all(each.published for each in missing):
        remedy = "Start workers of the published version, on the queues of these."
        return Finding("note", f"Messages wait for workers that have: {listed}", remedy)
    remedy = (
        "Nobody has published all of these: deploy the version that has them (`balansity migrate`), or, where none "
        "will come, `balansity dead --give-up ACTOR` makes dead letters of what waits."
    )
    return Finding("bad", f"Messages wait for workers that have: {listed}", remedy)
