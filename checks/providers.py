"""Whether providers are there, and what their absence or a restore holds back."""

from collections.abc import Iterator

from checks.finding import Finding
from db import queries
from db.connection import Connection
from translations import N_


def away(conn: Connection) -> Iterator[Finding]:
    """Providers that take nothing, or report nothing of what they took."""
    rows = [row for row in queries.providers.list_states(conn) if row.state != "available" or row.reason]
    for row in rows:
        unheard = N_("Provider %(provider)s accepts mails and has not reported on them since %(since)s.")
        absent = N_("Provider %(provider)s is away since %(since)s; messages held: %(held)s.")
        yield Finding(
            "bad",
            unheard if row.state in {"unheard", "available"} else absent,
            N_(
                "Put right what its words name, which `balansity status` tells. The first probe that it answers lets "
                "everything go, by deadline; `balansity deliveries --unheard` shows what it did not report on."
            ),
            check="provider-away",
            subject=row.provider,
            since=row.since,
            facts={"provider": row.provider, "since": row.since, "held": row.held},
            calls=True,
            words=row.reason or "",
        )
    if not rows:
        yield Finding("good", N_("Providers that are away or unheard of: none"), check="provider-away")


def months(conn: Connection) -> Iterator[Finding]:
    """Whether the ledger has its tables of a month before it begins; else its rows are deleted one by one."""
    found = queries.checks.months(conn)
    if found.missing or found.strays:
        yield Finding(
            "note",
            N_("Rows of the ledger without a table of their month: %(strays)s; tables that are missing: %(missing)s"),
            N_("Nothing is lost. The job purge-messages and `balansity migrate` make the tables: see that they run."),
            check="months-missing",
            facts={"strays": found.strays, "missing": found.missing},
        )
    else:
        yield Finding("good", N_("The ledger has its tables of this month and the next."), check="months-missing")


def restored(conn: Connection) -> Iterator[Finding]:
    """Mails that may have left before the database was restored: a person decides."""
    row = queries.checks.held_since(conn)
    if row.held:
        yield Finding(
            "bad",
            N_("The database was restored: mails held, for they may have left before: %(held)s"),
            N_("`balansity restored` shows them; with --ask, --resend or --close a person decides about all."),
            check="held-after-restore",
            since=row.since,
            facts={"held": row.held},
            calls=True,
        )
    else:
        yield Finding("good", N_("Mails held after a restore: none"), check="held-after-restore")
