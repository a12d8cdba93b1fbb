"""The clinic's numbers are those of its tables, on its own days."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case

from broker import broker
from cli import main
from db import queries
from db.statistics import Period, collect, events_by_day
from tests.clinic import Clinic

MOSCOW = ZoneInfo("Europe/Moscow")
NOVEMBER = Period(date(2026, 11, 1), date(2026, 11, 30), MOSCOW)
INSIDE = datetime(2026, 10, 31, 21, 0, tzinfo=UTC)  # the first moment of November in Moscow
OUTSIDE = datetime(2026, 10, 31, 20, 59, tzinfo=UTC)


@pytest.fixture
def clinic(environment: pytest.MonkeyPatch, connection: Connection) -> Iterator[Clinic]:
    yield Clinic(connection)
    broker.close()


def numbers(clinic: Clinic) -> dict[str, list[dict[str, Any]]]:
    return collect(clinic.connection, NOVEMBER)


def test_check_ups_count_by_the_day_they_started_and_what_became_of_them(clinic: Clinic) -> None:
    user_id = clinic.add_user()
    for status, started_at in [
        ("completed", INSIDE), ("completed", INSIDE), ("abandoned", INSIDE), ("in_progress", INSIDE),
        ("completed", OUTSIDE),
    ]:  # fmt: skip
        clinic.rows(
            "UPDATE public.assessments SET status = %s, started_at = %s WHERE id = %s",
            *(status, started_at, clinic.add_checkup(user_id)),
        )
    assert numbers(clinic)["checkups"] == [
        {"type": "checkup", "started": 4, "completed": 2, "abandoned": 1, "in_progress": 1}
    ]


def test_consultations_count_by_the_day_they_were_booked(clinic: Clinic) -> None:
    user_id = clinic.add_user()
    for status in ["scheduled", "confirmed", "completed", "cancelled", "cancelled", "no_show"]:
        clinic.book(user_id, datetime(2026, 12, 24, 10, tzinfo=UTC), status)
    clinic.rows("UPDATE public.appointments SET created_at = %s", INSIDE)
    clinic.book(user_id, datetime(2026, 11, 24, 10, tzinfo=UTC))
    clinic.rows("UPDATE public.appointments SET created_at = %s WHERE scheduled_at < '2026-12-01'", OUTSIDE)
    assert numbers(clinic)["consultations"] == [
        {"type": "Детский психолог", "booked": 6, "completed": 1, "cancelled": 2, "no_show": 1, "open": 2}
    ]


def test_revenue_finds_the_consultation_type_of_every_kind_of_payment(clinic: Clinic) -> None:
    user_id = clinic.add_user()
    linked = clinic.add_payment(user_id, status="completed")
    appointment_id = clinic.book(user_id, datetime(2026, 12, 24, 10, tzinfo=UTC), payment_id=linked)
    other_id = clinic.book(user_id, datetime(2026, 12, 25, 10, tzinfo=UTC))
    clinic.add_payment(user_id, {"appointment_id": other_id}, status="refunded", amount="1500.50")
    speech = clinic.type_id("Логопед")
    clinic.add_payment(user_id, {"appointment_type_id": speech}, status="completed", amount="7000")
    package_id = clinic.value(
        "INSERT INTO public.packages (name, session_count, appointment_type_id, price) VALUES ('5', 5, %s, 20000) "
        "RETURNING id",
        speech,
    )
    clinic.add_payment(user_id, {"package_id": str(package_id)}, status="completed", amount="20000")
    clinic.add_payment(user_id, {"appointment_id": "nonsense"}, status="completed", amount="1")
    clinic.add_payment(user_id, status="failed")
    clinic.rows("UPDATE public.payments SET created_at = %s", INSIDE)
    assert appointment_id
    assert [tuple(map(str, row.values())) for row in numbers(clinic)["revenue"]] == [
        ("other", "RUB", "1", "1.00", "0.00", "1.00"),
        ("Детский психолог", "RUB", "2", "6500.50", "1500.50", "5000.00"),
        ("Логопед", "RUB", "2", "27000.00", "0.00", "27000.00"),
    ]


def test_mails_count_by_template_and_outcome(clinic: Clinic) -> None:
    for state in ["sent", "delivered", "bounced", "failed", "planned"]:
        clinic.rows(
            "INSERT INTO balansity.delivery (key, template, state, message_id, planned_at, changed_at) "
            "VALUES (%s, 'report_ready', %s, 'm', %s, %s)",
            *(str(uuid4()), state, INSIDE, INSIDE),
        )
    assert numbers(clinic)["mails"] == [
        {"template": "report_ready", "planned": 5, "sent": 3, "delivered": 1, "bounced": 1, "failed": 1}
    ]


def record(clinic: Clinic, *moments: datetime) -> None:
    events = [{"key": str(uuid4()), "type": "page_seen", "occurred_at": at.isoformat(), "facts": {}} for at in moments]
    queries.load("analytics").record(clinic.connection, events=json.dumps(events), zone=MOSCOW.key, at=INSIDE)


def test_events_are_counted_and_shown_for_every_day(clinic: Clinic) -> None:
    record(clinic, INSIDE, INSIDE, OUTSIDE)
    assert numbers(clinic)["events"] == [{"type": "page_seen", "events": 2}]
    days = events_by_day(clinic.connection, NOVEMBER, "page_seen")
    assert len(days) == 30
    assert days[0] == (date(2026, 11, 1), 2)
    assert {count for _, count in days[1:]} == {0}


def test_stats_speaks_tables_csv_and_json(clinic: Clinic) -> None:
    record(clinic, INSIDE)
    period = ["stats", "--from", "2026-11-01", "--to", "2026-11-30"]
    tables = CliRunner().invoke(main, period)
    assert tables.exit_code == 0, tables.output
    assert "page_seen" in tables.output
    rows = list(csv.DictReader(io.StringIO(CliRunner().invoke(main, [*period, "--csv"]).output)))
    assert rows == [{"section": "events", "group": "page_seen", "measure": "events", "value": "1"}]
    found = json.loads(CliRunner().invoke(main, [*period, "--json"]).output)
    assert (found["from"], found["events"]) == ("2026-11-01", [{"type": "page_seen", "events": 1}])


def test_stats_refuses_a_period_that_ends_before_it_starts(clinic: Clinic) -> None:
    result = CliRunner().invoke(main, ["stats", "--from", "2026-11-30", "--to", "2026-11-01"])
    assert result.exit_code == 1
    assert "--from 2026-11-30 is later than --to 2026-11-01" in result.output
