"""Rows of the service that mail tests speak of."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from db.connection import Connection


@dataclass(frozen=True)
class Family:
    """A parent with one child."""

    user_id: str
    child_id: str


def add_family(conn: Connection, parent: str = "Анна", child: str = "Миша", email: str = "anna@example.com") -> Family:
    user_id = _insert(conn, "INSERT INTO public.users (email) VALUES (%s) RETURNING id", email)
    _insert(
        conn,
        "INSERT INTO public.profiles (user_id, type, first_name) VALUES (%s, 'parent', %s) RETURNING id",
        user_id,
        parent,
    )
    child_id = _insert(
        conn,
        "INSERT INTO public.profiles (user_id, type, first_name) VALUES (%s, 'child', %s) RETURNING id",
        user_id,
        child,
    )
    return Family(user_id, child_id)


def add_appointment(
    conn: Connection, family: Family, scheduled_at: datetime, status: str = "scheduled", payment_id: str | None = None
) -> str:
    return _insert(
        conn,
        "INSERT INTO public.appointments (user_id, profile_id, appointment_type_id, scheduled_at, status, payment_id) "
        "SELECT %s, %s, id, %s, %s, %s FROM public.appointment_types WHERE name = 'Детский психолог' RETURNING id",
        family.user_id,
        family.child_id,
        scheduled_at,
        status,
        payment_id,
    )


def add_payment(conn: Connection, family: Family, status: str = "completed", metadata: Any = None) -> str:
    return _insert(
        conn,
        "INSERT INTO public.payments (user_id, amount, status, payment_method, metadata) "
        "VALUES (%s, 5000, %s, 'yookassa', %s) RETURNING id",
        family.user_id,
        status,
        json.dumps(metadata or {}),
    )


def add_assessment(conn: Connection, family: Family) -> str:
    return _insert(
        conn,
        "INSERT INTO public.assessments (profile_id, assessment_type, status, completed_at) "
        "VALUES (%s, 'checkup', 'completed', '2026-11-24T09:05:00Z') RETURNING id",
        family.child_id,
    )


def row(conn: Connection, query: str, *values: Any) -> dict[str, Any]:
    """The one row that `query` finds."""
    with conn.cursor() as cursor:
        cursor.execute(query, values)
        assert cursor.description
        (found,) = cursor.fetchall()
        return dict(zip((column.name for column in cursor.description), found, strict=True))


def _insert(conn: Connection, statement: str, *values: Any) -> str:
    return str(UUID(row(conn, statement, *values)["id"]))
