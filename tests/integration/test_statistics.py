"""The clinic's numbers are those of its tables, on its own days."""

import csv
import io
import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result

import settings
from cli import main
from db import queries
from db.statistics import MAIL_OUTCOMES, Period, collect
from desk.statistics import preset
from tests.clinic import Clinic
from tests.integration.batch_cases import refuse

MOSCOW = ZoneInfo("Europe/Moscow")
NOVEMBER = Period(date(2026, 11, 1), date(2026, 11, 30), MOSCOW)
INSIDE = datetime(2026, 10, 31, 21, 0, tzinfo=UTC)  # the first moment of November in Moscow
OUTSIDE = datetime(2026, 10, 31, 20, 59, tzinfo=UTC)


def numbers(clinic: Clinic) -> dict[str, list[dict[str, Any]]]:
    return {name: section.totals() for name, section in collect(clinic.connection, NOVEMBER).items()}


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
    checked = "conrelid = 'balansity.delivery'::regclass AND contype = 'c'"
    allowed = f"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE {checked}"
    states = re.findall("'([a-z]+)'", clinic.value(allowed))
    assert len(states) == 11
    for state in states:
        clinic.rows(
            "INSERT INTO balansity.delivery (key, template, state, message_id, planned_at, changed_at) "
            "VALUES (%s, 'report_ready', %s, 'm', %s, %s)",
            *(str(uuid4()), state, INSIDE, INSIDE),
        )
    [row] = numbers(clinic)["mails"]
    assert row == {"template": "report_ready", "planned": 11, **dict.fromkeys(MAIL_OUTCOMES, 1), "waiting": 2}
    assert row["planned"] == sum(row[outcome] for outcome in MAIL_OUTCOMES)


def record(clinic: Clinic, *moments: datetime, kind: str = "page_seen") -> None:
    events = [{"key": str(uuid4()), "type": kind, "occurred_at": at.isoformat(), "facts": {}} for at in moments]
    queries.analytics.record(clinic.connection, events=json.dumps(events), zone=MOSCOW.key, at=INSIDE)


def test_events_are_counted_and_shown_for_every_day(clinic: Clinic) -> None:
    record(clinic, INSIDE, INSIDE, OUTSIDE)
    section = collect(clinic.connection, NOVEMBER)["events"]
    assert section.totals() == [{"type": "page_seen", "events": 2}]
    days = section.by_day("events", NOVEMBER.days, type="page_seen")
    assert len(days) == 30
    assert days[0] == (date(2026, 11, 1), 2)
    assert {count for _, count in days[1:]} == {0}
    assert section.by_day("events", NOVEMBER.days, type="another") == [(day, 0) for day in NOVEMBER.days]


def test_every_number_of_the_clinic_counts_on_its_day_in_the_clinics_time_zone(clinic: Clinic) -> None:
    user_id = clinic.add_user()
    next_day = datetime(2026, 11, 1, 21, 0, tzinfo=UTC)  # the second of November has begun in Moscow
    for at in (INSIDE, next_day, next_day):
        clinic.rows("UPDATE public.assessments SET started_at = %s WHERE id = %s", at, clinic.add_checkup(user_id))
        appointment_id = clinic.book(user_id, datetime(2026, 12, 24, 10, tzinfo=UTC), "no_show")
        clinic.rows("UPDATE public.appointments SET created_at = %s WHERE id = %s", at, appointment_id)
        payment_id = clinic.add_payment(user_id, {"appointment_id": appointment_id}, status="refunded", amount="0.10")
        clinic.rows("UPDATE public.payments SET created_at = %s WHERE id = %s", at, payment_id)
        clinic.rows(
            "INSERT INTO balansity.delivery (key, template, state, message_id, planned_at, changed_at) "
            "VALUES (%s, 'report_ready', 'delivered', 'm', %s, now())",
            *(str(uuid4()), at),
        )
        record(clinic, at)
    sections = collect(clinic.connection, NOVEMBER)
    for name, measure, one in [
        ("checkups", "started", Decimal(1)), ("consultations", "no_show", Decimal(1)),
        ("revenue", "refunds", Decimal("0.10")), ("mails", "delivered", Decimal(1)), ("events", "events", Decimal(1)),
    ]:  # fmt: skip
        days = sections[name].by_day(measure, NOVEMBER.days)
        assert days[:3] == [(date(2026, 11, 1), one), (date(2026, 11, 2), 2 * one), (date(2026, 11, 3), 0)], name
        assert [row[measure] for row in sections[name].totals()] == [3 * one]


def test_a_measure_by_day_is_of_one_group_or_of_all(clinic: Clinic) -> None:
    user_id = clinic.add_user()
    for name, amount in (("Логопед", "100"), ("Психиатр", "20.50")):
        clinic.add_payment(user_id, {"appointment_type_id": clinic.type_id(name)}, status="completed", amount=amount)
    clinic.rows("UPDATE public.payments SET created_at = %s", INSIDE)
    revenue = collect(clinic.connection, NOVEMBER)["revenue"]
    first = NOVEMBER.days[:1]
    assert revenue.by_day("revenue", first) == [(first[0], Decimal("120.50"))]
    assert revenue.by_day("revenue", first, type="Психиатр", currency="RUB") == [(first[0], Decimal("20.50"))]
    assert revenue.by_day("revenue", first, type="Психиатр", currency="EUR") == [(first[0], 0)]


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


def test_no_word_of_a_wide_table_is_cut_off(clinic: Clinic) -> None:
    for state in MAIL_OUTCOMES[1:]:
        clinic.rows(
            "INSERT INTO balansity.delivery (key, template, state, message_id, planned_at, changed_at) "
            "VALUES (%s, 'appointment_reminder_24h', %s, 'm', now(), now())",
            *(state, state),
        )
    shown = statistics().output
    assert all(word in shown for word in ("appointment_reminder_24h", *MAIL_OUTCOMES[1:]))


def statistics(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["stats", *arguments])


@pytest.mark.parametrize("kind", ["[/x]", "seen [online]", "[bold]loud"])
def test_stats_shows_words_as_they_are(clinic: Clinic, kind: str) -> None:
    record(clinic, INSIDE, kind=kind)
    result = statistics("--from", "2026-11-01", "--to", "2026-11-30")
    assert result.exit_code == 0, result.output
    assert kind in result.output


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_spreadsheet_runs_a_word_as_a_formula(clinic: Clinic, start: str) -> None:
    record(clinic, INSIDE, kind=f"{start}1+1")
    result = statistics("--from", "2026-11-01", "--to", "2026-11-30", "--csv")
    [row] = csv.DictReader(io.StringIO(result.output, newline=""))
    assert row["group"] == f"'{start}1+1"


def test_a_section_has_a_total_of_its_groups_and_of_each_currency(clinic: Clinic) -> None:
    user = clinic.add_user()
    for status, amount, currency in (
        ("completed", "5000", "RUB"),
        ("completed", "70", "EUR"),
        ("refunded", "1", "RUB"),
    ):
        clinic.add_payment(user, status=status, amount=amount, currency=currency)
    record(clinic, INSIDE, kind="a")
    record(clinic, INSIDE, kind="b")
    found = json.loads(statistics("--from", "2026-11-01", "--to", "2026-11-30", "--json").output)
    assert found["total"]["events"] == [{"type": "total", "events": 2}]
    assert "total" in statistics("--from", "2026-11-01", "--to", "2026-11-30").output
    today = json.loads(statistics("--period", "today", "--json").output)
    paid = {row["currency"]: row["payments"] for row in today["total"]["revenue"]}
    assert paid == {"RUB": 2, "EUR": 1}


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("today", "2026-03-01", "2026-03-01"),
        ("yesterday", "2026-02-28", "2026-02-28"),
        ("week", "2026-02-23", "2026-03-01"),
        ("month", "2026-03-01", "2026-03-01"),
        ("last-month", "2026-02-01", "2026-02-28"),
    ],
)
def test_a_period_by_name_is_of_the_clinics_days(name: str, first: str, last: str) -> None:
    late = datetime(2026, 2, 28, 22, tzinfo=UTC)  # in Moscow it is March
    period = preset(name, MOSCOW, late)
    assert (f"{period.first}", f"{period.last}") == (first, last)


def test_csv_has_each_days_numbers_where_they_are_asked_for(clinic: Clinic) -> None:
    record(clinic, INSIDE)
    result = statistics("--from", "2026-11-01", "--to", "2026-11-30", "--csv", "--by-day")
    [row] = csv.DictReader(io.StringIO(result.output))
    assert (row["day"], row["value"]) == (f"{INSIDE.astimezone(MOSCOW):%Y-%m-%d}", "1")


@pytest.mark.parametrize("arguments", [["--by-day"], ["--period", "week", "--from", "2026-11-01"]])
def test_options_that_do_not_go_together_are_refused(clinic: Clinic, arguments: list[str]) -> None:
    assert statistics(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "2026-11-30", "--to", "2026-11-01"], "2026-11-30 is later than the last day 2026-11-01"),
        (["--to", "0001-01-05"], "0001-01-05 cannot be counted: choose days from 1900-01-01 to 2199-12-31"),
        (["--to", "9999-12-31"], "9999-12-31 cannot be counted"),
        (["--from", "0001-01-01", "--to", "2026-11-30"], "0001-01-01 cannot be counted"),
    ],
)
def test_stats_refuses_days_that_make_no_period(clinic: Clinic, arguments: list[str], said: str) -> None:
    result = statistics(*arguments)
    assert result.exit_code == 1
    assert said in result.output


@pytest.mark.parametrize("day", ["1900-01-01", "2199-12-31"])
def test_stats_counts_to_the_bounds_of_its_calendar(clinic: Clinic, day: str) -> None:
    result = statistics("--to", day)
    assert result.exit_code == 0, result.output


def test_doctor_names_events_on_other_days_and_stats_recounts_them(
    clinic: Clinic, environment: pytest.MonkeyPatch
) -> None:
    record(clinic, datetime(2026, 11, 23, 20, 30, tzinfo=UTC))
    environment.setenv("TIME_ZONE", "Asia/Yekaterinburg")
    settings.current.cache_clear()
    finding = "not theirs in Asia/Yekaterinburg: {}"
    assert finding.format(1) in CliRunner().invoke(main, ["doctor"]).output
    day = ["--from", "2026-11-24", "--to", "2026-11-24", "--json"]
    assert json.loads(statistics(*day).output)["events"] == []
    assert json.loads(statistics(*day, "--recount").output)["events"] == [{"type": "page_seen", "events": 1}]
    assert finding.format("none") in CliRunner().invoke(main, ["doctor"]).output


def test_an_event_that_cannot_be_moved_holds_up_no_other(clinic: Clinic, environment: pytest.MonkeyPatch) -> None:
    for second in range(9):
        record(clinic, datetime(2026, 11, 23, 20, 30, second, tzinfo=UTC))
    key = clinic.value("SELECT encode(min(key), 'hex') FROM balansity.analytics_event")
    refuse(clinic, "balansity.analytics_event", f"OLD.key = decode('{key}', 'hex')")
    environment.setenv("TIME_ZONE", "Asia/Yekaterinburg")
    settings.current.cache_clear()
    result = CliRunner().invoke(main, ["stats", "--recount"])
    assert result.exit_code == 1
    assert f"Skipped: event {key}: this row is not to be touched" in result.stderr
    assert clinic.rows("SELECT day::text, events FROM balansity.analytics_daily ORDER BY 1") == [
        ("2026-11-23", 1),
        ("2026-11-24", 8),
    ]


def test_a_day_on_which_clocks_go_back_has_an_hour_more(clinic: Clinic) -> None:
    berlin = Period(date(2026, 10, 24), date(2026, 10, 26), ZoneInfo("Europe/Berlin"))
    for at in ("2026-10-24 21:59", "2026-10-24 22:00", "2026-10-25 22:59", "2026-10-25 23:00", "2026-10-26 23:00"):
        clinic.rows(
            "INSERT INTO balansity.delivery (key, template, state, message_id, planned_at, changed_at) "
            "VALUES (%s, 'report_ready', 'sent', 'm', %s, now())",
            *(str(uuid4()), f"{at}Z"),
        )
    days = collect(clinic.connection, berlin)["mails"].by_day("planned", berlin.days)
    assert [count for _day, count in days] == [1, 2, 1]
