"""How long the ledger keeps what: it has a table a month, which is made ahead and dropped whole."""

from datetime import UTC, date, datetime, timedelta
from functools import partial

import settings
from db import queries
from db.batches import ROWS, Done, work_through
from db.connection import Connection
from db.database import transaction


def keep_months(now: datetime) -> Done:
    """Make the tables of the months ahead, and drop those that are past their retention, which count as `months`.

    Raises:
        psycopg2.Error: the server stays away.
    """
    kept = settings.current()
    done = Done()
    for ledger, days in (
        ("delivery", kept.delivery_retention_days),
        ("delivery_attempt", kept.delivery_attempt_retention_days),
        ("delivery_event", kept.delivery_event_retention_days),
    ):
        done.add(_make_ahead(ledger))
        done.add(_leave(ledger, _month_of(now - timedelta(days=days))))
    return done


def _month_of(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _make_ahead(ledger: str) -> Done:
    def make(conn: Connection, months: list[date]) -> dict[str, int]:
        return {"made": queries.months.make(conn, ledger=ledger, keys=months)}

    return work_through(transaction, f"{ledger}'s month ahead", partial(queries.months.missing, ledger=ledger), make)


def _leave(ledger: str, over: datetime) -> Done:
    """Drop the months that were over by then, and delete what came in months that had no table."""

    def drop(conn: Connection, months: list[date]) -> dict[str, int]:
        return {"months": queries.months.drop(conn, ledger=ledger, keys=months)}

    done = Done()
    if ledger == "delivery":
        done.add(work_through(transaction, "delivery", partial(queries.months.past_deliveries, before=over), _release))
    if not done.skipped:  # no key stays behind of a delivery that is gone
        done.add(
            work_through(
                transaction, f"{ledger}'s month", partial(queries.months.old, ledger=ledger, before=over), drop
            )
        )
        while _purge_strays(ledger, over) == ROWS:
            pass
    return done


def _release(conn: Connection, ids: list[str]) -> dict[str, int]:
    return {"released": queries.months.release_keys(conn, keys=ids)}


def _purge_strays(ledger: str, over: datetime) -> int:
    with transaction() as conn:
        purged: int = queries.months.purge_strays(conn, ledger=ledger, before=over, most=ROWS)
    return purged
