"""What fails in a way that it never failed before, and payments that wait for a person."""

from collections.abc import Iterator
from datetime import timedelta

from checks.finding import Finding
from db import clock, queries
from db.connection import Connection
from domain.failures import fingerprint
from messaging.vault import class_of
from translations import N_

NEW = timedelta(days=1)
MOST_KINDS = 200
MOST_PAYMENTS = 50


def new_kinds(conn: Connection) -> Iterator[Finding]:
    """Kinds of failure whose first dead letter is new, or was when somebody was told of it, until none is left."""
    now, found = clock.now(conn), False
    known = {row.subject for row in queries.alarms.open_subjects(conn, check_name="new-failure")}
    for row in queries.checks.failing(conn, most=MOST_KINDS):
        name = fingerprint(row.actor, row.kind)
        if now - row.first_at > NEW and name not in known:
            continue
        found = True
        yield Finding(
            "note",
            N_("A new kind of failure: %(actor)s, %(kind)s, first at %(since)s (failure %(name)s)."),
            N_(
                "`balansity failures` tells why; `balansity redrive --failure %(name)s` tries again, "
                "`balansity discard --failure %(name)s` gives up."
            ),
            check="new-failure",
            subject=name,
            since=row.first_at,
            facts={"actor": row.actor, "kind": class_of(row.kind), "since": row.first_at, "name": name},
            calls=True,
        )
    if not found:
        yield Finding("good", N_("New kinds of failure: none"), check="new-failure")


def flagged(conn: Connection) -> Iterator[Finding]:
    """Payments that a person has to decide about."""
    rows = list(queries.checks.flagged(conn, most=MOST_PAYMENTS))
    for row in rows:
        yield Finding(
            "note",
            N_("Payment %(payment)s waits for a person's decision since %(since)s."),
            N_("`balansity payments flagged` shows why."),
            check="payment-flagged",
            subject=row.id,
            since=row.since,
            facts={"payment": row.id[:8], "since": row.since},
            calls=True,
        )
    if not rows:
        yield Finding("good", N_("Payments that wait for a person: none"), check="payment-flagged")
