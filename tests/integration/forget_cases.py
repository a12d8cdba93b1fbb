"""What the tests of forgetting share: traces of a person, made and looked for."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from click.testing import CliRunner

import actors
import db.database
from actors.appointments import remind
from cli import main
from db import queries
from tests.clinic import Clinic

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
# Every table of ours, with its parts as one, and how many of its rows hold any of the words in any column.
TABLES = """
    SELECT relnamespace::regnamespace::text, relname FROM pg_class
    WHERE relnamespace IN ('balansity'::regnamespace, 'dramatiq'::regnamespace, 'pgmq'::regnamespace)
      AND relkind IN ('r', 'p') AND NOT relispartition
"""
HOLDING = 'SELECT count(*) FROM "{}"."{}" AS held WHERE held::text ILIKE ANY (%s)'


def traces(clinic: Clinic, *words: str) -> dict[str, int]:
    """How many rows of each table hold any of these words."""
    patterns = [f"%{word}%" for word in words]
    found = {
        f"{schema}.{table}": int(clinic.value(HOLDING.format(schema, table), patterns))
        for schema, table in clinic.rows(TABLES)
    }
    return {table: count for table, count in found.items() if count}


def live_with_the_service(clinic: Clinic, address: str, first_name: str, last_name: str) -> list[str]:
    """A user who fills in a check-up, books, pays and is reminded; returns every id and word that is theirs."""
    user_id, scheduled_at = clinic.add_user(address), datetime.now(UTC) + timedelta(hours=24)
    assessment_id = clinic.add_checkup(user_id)
    profile_id = clinic.value(
        "UPDATE public.profiles SET first_name = %s, last_name = %s WHERE user_id = %s RETURNING id::text",
        *(first_name, last_name, user_id),
    )
    clinic.rows(
        "INSERT INTO public.answers (assessment_id, question_id, answer_type, value) VALUES (%s, 2, 'default', 1)",
        assessment_id,
    )
    clinic.rows("UPDATE public.assessments SET status = 'completed' WHERE id = %s", assessment_id)
    appointment_id = clinic.book(user_id, scheduled_at, "pending")
    payment_id = clinic.add_payment(user_id, {"appointment_id": appointment_id})
    clinic.set_payment(payment_id, "completed")
    clinic.rows("SELECT public.queue_payment_processing(%s, 'update_status')", payment_id)
    remind(datetime.now(UTC))
    return [user_id, assessment_id, profile_id, appointment_id, payment_id, address, first_name, last_name]


def forget(user_id: str, exit_code: int = 0) -> dict[str, Any]:
    actors.publish(db.database.url())
    result = CliRunner().invoke(main, ["forget", user_id, "--json", "--yes"])
    assert result.exit_code == exit_code, result.output
    told: dict[str, Any] = json.loads(result.output)
    return told


def write_down(clinic: Clinic, key: str, recipient: str | None, user_id: str | None, state: str = "sent") -> str:
    """A delivery; returns its id."""
    return str(
        clinic.value(
            "INSERT INTO balansity.delivery "
            "(key, template, state, recipient, user_id, message_id, planned_at, changed_at) "
            "VALUES (%s, 'report_ready', %s, %s, %s, 'm', now(), now()) RETURNING id",
            *(key, state, recipient, user_id),
        )
    )


def record(clinic: Clinic, key: str, user_id: str | None, facts: dict[str, Any]) -> None:
    event = {"key": key, "type": "page_seen", "occurred_at": AT.isoformat(), "user_id": user_id, "facts": facts}
    queries.analytics.record(clinic.connection, events=json.dumps([event]), zone="Europe/Moscow", at=AT)
