"""Whether somebody is told."""

from collections.abc import Iterator

import settings
from checks.finding import Finding
from db import queries
from db.connection import Connection
from translations import N_


def ways(conn: Connection) -> Iterator[Finding]:
    """Ways of telling that fail, which the other way tells."""
    known = settings.current().alarm_ways
    rows = list(queries.alarms.failing_ways(conn, ways=list(known)))
    for row in rows:
        yield Finding(
            "note",
            N_("Alarms cannot be told by %(way)s since %(since)s: tried %(count)s times."),
            N_("`balansity alarms --test` tells what it answers: correct the settings ALARM_…, see .env.example."),
            check="alarm-way-failing",
            subject=row.way,
            since=row.since,
            facts={"way": row.way, "since": row.since, "count": row.failures},
            calls=True,
        )
    if not rows and known:
        yield Finding(
            "good", N_("Alarms are told by: %(ways)s"), check="alarm-way-failing", facts={"ways": ", ".join(known)}
        )


def configured() -> Iterator[Finding]:
    """Whether there is any way, and whether silence itself is noticed."""
    current = settings.current()
    if not current.alarm_ways:
        remedy = "Set ALARM_WEBHOOK_URL, or ALARM_SMTP_URL and ALARM_EMAIL_TO: see docs/operations.md."
        yield Finding("note", "Nobody is told when something is wrong.", remedy, check="alarms-unset")
    if not current.heartbeat_url:
        remedy = "Set HEARTBEAT_URL to an address that a service watches, such as healthchecks.io."
        yield Finding("note", "Nobody notices when nothing is told any more.", remedy, check="heartbeat-unset")
