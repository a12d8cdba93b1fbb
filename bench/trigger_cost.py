"""What our triggers add to the site's transactions: `python -m bench.trigger_cost [--json]`.

Each change is made many times with its trigger on and off by turns, each in a transaction of its own, on the embedded
server with its durability as it is, in tables as full as the service's after years. Turns are blocks of changes:
switching a trigger makes every session plan anew, which the first changes of a block pay for and which is not counted.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.extensions import make_dsn
from rich.console import Console
from rich.table import Table

import settings
from db import embedded
from db.connection import Connection
from db.migrate import migrate

BLOCKS = 20
BLOCK = 50
WARM_UP = 10
DATABASE = "trigger_cost"
ROWS = 20_000  # that every table has at the start

FILL = """
WITH payer AS (
    INSERT INTO public.users (email) SELECT n || '@example.com' FROM generate_series(1, %(rows)s) AS n RETURNING id
), payment AS (
    INSERT INTO public.payments (user_id, amount, status, external_payment_id, metadata)
    SELECT id, 5000, 'completed', gen_random_uuid(), '{}' FROM payer
    RETURNING id, user_id
), appointment AS (
    INSERT INTO public.appointments (user_id, appointment_type_id, scheduled_at, status, payment_id)
    SELECT user_id, (SELECT id FROM public.appointment_types LIMIT 1), now() - interval '2 days', 'completed', id
    FROM payment
), package AS (
    INSERT INTO public.packages (name, session_count, price) VALUES ('5', 5, 5000) RETURNING id
), assessment AS (
    INSERT INTO public.assessments (assessment_type, status) SELECT 'checkup', 'completed' FROM payer
)
INSERT INTO public.package_purchases (user_id, package_id, sessions_remaining, payment_id)
SELECT payment.user_id, package.id, 0, payment.id FROM payment, package
"""

PAYMENTS = "ALTER TABLE public.payments {} TRIGGER on_payment_status_change"
ADD_PAYMENT_FOR_AN_APPOINTMENT = """
WITH payer AS (INSERT INTO public.users (email) VALUES ('anna@example.com') RETURNING id), booked AS (
    INSERT INTO public.appointments (user_id, appointment_type_id, scheduled_at, status)
    SELECT payer.id, offered.id, now() + interval '2 days', 'pending'
    FROM payer, (SELECT id FROM public.appointment_types LIMIT 1) AS offered
    RETURNING id, user_id
)
INSERT INTO public.payments (user_id, amount, metadata)
SELECT user_id, 5000, jsonb_build_object('appointment_id', id) FROM booked RETURNING id
"""
ADD_PAYMENT_FOR_A_PACKAGE = """
WITH payer AS (INSERT INTO public.users (email) VALUES ('anna@example.com') RETURNING id)
INSERT INTO public.payments (user_id, amount, metadata)
SELECT payer.id, 5000, jsonb_build_object('package_id', package.id)
FROM payer, (SELECT id FROM public.packages LIMIT 1) AS package
RETURNING id
"""
ADD_PURCHASE = """
WITH payer AS (INSERT INTO public.users (email) VALUES ('anna@example.com') RETURNING id), payment AS (
    INSERT INTO public.payments (user_id, amount, status) SELECT id, 5000, 'completed' FROM payer RETURNING id, user_id
)
INSERT INTO public.package_purchases (user_id, package_id, sessions_remaining, payment_id)
SELECT payment.user_id, package.id, 5, payment.id
FROM payment, (SELECT id FROM public.packages LIMIT 1) AS package
RETURNING payment_id
"""


@dataclass(frozen=True)
class Change:
    """What the site does to a prepared row, and how to switch its trigger."""

    name: str
    switch: str  # {} is ENABLE or DISABLE
    prepare: str
    change: str


CHANGES = (
    Change(
        "book a consultation",
        "ALTER TABLE public.appointments {} TRIGGER on_new_appointment",
        "INSERT INTO public.users (email) VALUES ('anna@example.com') RETURNING id",
        """
        INSERT INTO public.appointments (user_id, appointment_type_id, scheduled_at)
        SELECT %s, id, now() + interval '2 days' FROM public.appointment_types LIMIT 1
        """,
    ),
    Change(
        "pay for a consultation",
        PAYMENTS,
        ADD_PAYMENT_FOR_AN_APPOINTMENT,
        "UPDATE public.payments SET status = 'completed' WHERE id = %s",
    ),
    Change(
        "cancel such a payment",
        PAYMENTS,
        ADD_PAYMENT_FOR_AN_APPOINTMENT,
        "UPDATE public.payments SET status = 'cancelled' WHERE id = %s",
    ),
    Change(
        "pay for a package",
        PAYMENTS,
        ADD_PAYMENT_FOR_A_PACKAGE,
        "UPDATE public.payments SET status = 'completed' WHERE id = %s",
    ),
    Change(
        "refund a package",
        PAYMENTS,
        ADD_PURCHASE,
        "UPDATE public.payments SET status = 'refunded' WHERE id = %s",
    ),
    Change(
        "complete a check-up",
        "ALTER TABLE public.assessments {} TRIGGER on_checkup_completed",
        """
        WITH parent AS (INSERT INTO public.users (email) VALUES ('anna@example.com') RETURNING id), child AS (
            INSERT INTO public.profiles (user_id, type, first_name) SELECT id, 'child', 'Мария' FROM parent RETURNING id
        )
        INSERT INTO public.assessments (profile_id, assessment_type) SELECT id, 'checkup' FROM child RETURNING id
        """,
        "UPDATE public.assessments SET status = 'completed' WHERE id = %s",
    ),
)


def main() -> None:
    with database() as conn:
        figures = {change.name: measure(conn, change) for change in CHANGES}
    if "--json" in sys.argv:
        print(json.dumps(figures))
        return
    table = Table("change", "alone, ms", "with trigger, ms", "added, ms", title=f"Median of {BLOCKS * BLOCK}")
    for name, (alone, with_trigger) in figures.items():
        table.add_row(name, f"{alone:.2f}", f"{with_trigger:.2f}", f"{with_trigger - alone:.2f}")
    Console().print(table)


@contextmanager
def database() -> Iterator[Connection]:
    with embedded.running(settings.ROOT / "var" / "bench-postgres") as server:
        administer(server, f"DROP DATABASE IF EXISTS {DATABASE}")
        administer(server, f"CREATE DATABASE {DATABASE}")
        migrate(server.replace("/postgres?", f"/{DATABASE}?"))
        conn = psycopg2.connect(make_dsn(server, dbname=DATABASE))
        conn.autocommit = True
        with conn.cursor() as cursor:
            cursor.execute(FILL, {"rows": ROWS})
            cursor.execute("ANALYZE")
        yield conn
        conn.close()


def administer(server: str, statement: str) -> None:
    conn = psycopg2.connect(server)
    conn.autocommit = True
    conn.cursor().execute(statement)
    conn.close()


def measure(conn: Connection, change: Change) -> tuple[float, float]:
    """Milliseconds a change takes alone and with its trigger."""
    with conn.cursor() as cursor:
        alone: list[float] = []
        with_trigger: list[float] = []
        for _ in range(BLOCKS):
            for state, seconds in (("DISABLE", alone), ("ENABLE", with_trigger)):
                cursor.execute(change.switch.format(state))
                seconds.extend([timed(cursor, change) for _ in range(WARM_UP + BLOCK)][WARM_UP:])
    return median(alone) * 1000, median(with_trigger) * 1000


def timed(cursor: Cursor, change: Change) -> float:
    cursor.execute(change.prepare)
    prepared = cursor.fetchone()
    begin = perf_counter()
    cursor.execute(change.change, prepared)
    return perf_counter() - begin


if __name__ == "__main__":
    main()
