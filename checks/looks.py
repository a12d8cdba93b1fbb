"""The one list of checks: what `doctor`, the overview, /health/system and alarms are fed from, most pressing first."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import psycopg2

from checks import failures, jobs, processes, providers, queues, rabbitmq, schema, telling
from checks.finding import Finding
from db.connection import Connection
from db.trouble import passes
from translations import N_

MOST_ALIKE = 3  # findings of one check that are told one by one

Look = Callable[[Connection], Iterable[Finding]]
Found = TypeVar("Found")

# In a time that does not grow with what is kept; the rest of doctor's list is slower, or about an installation.
QUICK: tuple[Look, ...] = (
    schema.writable,
    schema.migrated,
    processes.beating,
    rabbitmq.answering,
    rabbitmq.carried,
    providers.away,
    queues.lateness,
    queues.lines,
    processes.overrunning,
    providers.restored,
    failures.flagged,
    failures.new_kinds,
    jobs.planning,
    jobs.running,
    telling.ways,
    queues.pauses,
    queues.days,
    providers.months,
)


def quick(conn: Connection) -> list[Finding]:
    """What the quick checks find, on a connection whose statements commit one by one.

    Raises:
        psycopg2.Error: the database is away.
    """
    found = [finding for look in QUICK for finding in looked(look, conn)]
    return sorted(found, key=lambda finding: finding.verdict != "bad")


def calling(findings: Iterable[Finding]) -> list[Finding]:
    """Those that want a person."""
    return [finding for finding in findings if finding.calls]


def abridged(found: Iterable[Found], check: Callable[[Found], str]) -> Iterator[tuple[Found, int]]:
    """What was found, of each check the first few; with the last of these, how many more there are of its kind."""
    listed = list(found)
    alike, shown = Counter(map(check, listed)), Counter[str]()
    for each in listed:
        shown[name := check(each)] += 1
        if shown[name] <= MOST_ALIKE:
            yield each, alike[name] - MOST_ALIKE if shown[name] == MOST_ALIKE else 0


def looked(look: Look, conn: Connection) -> Iterator[Finding]:
    """What a look finds; where it cannot look, that: what it asks may be what is broken."""
    try:
        yield from look(conn)
    except psycopg2.Error as error:
        if passes(error):
            raise
        name = f"{look.__module__.rpartition('.')[2]}.{look.__name__}"
        facts = {"check": name, "why": type(error).__name__}
        remedy = N_("`balansity doctor` tells what is not as it should be; `balansity migrate` mends what it can.")
        what = N_("Check %(check)s cannot be made: %(why)s.")
        yield Finding("bad", what, remedy, check="check-failed", subject=name, facts=facts, calls=True)
