"""A person sees the schedule and has a hand on it: `balansity jobs` and `balansity plan`."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case

import cli
from actors.appointments import LOOK_AHEAD, update_appointment_statuses
from tests.clinic import Clinic

START = datetime(2030, 11, 25, 10, 2, tzinfo=UTC)  # 13:02 in Moscow
PLAN_OF_A_DAY = ["plan", "--from", "2030-11-25 13:02", "--to", "2030-11-26 13:02", "--json"]
STATUSES = "update-appointment-statuses"


@pytest.fixture
def clinic(connection: Connection, environment: pytest.MonkeyPatch) -> Clinic:
    return Clinic(connection)


def balansity(*words: str, code: int = 0) -> str:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(cli.main, list(words))
    assert result.exit_code == code, result.output
    return result.output


def plan(since: str, until: str) -> list[tuple[str, str, str]]:
    events: list[dict[str, Any]] = json.loads(balansity("plan", "--from", since, "--to", until, "--json"))
    return [(event["at"][11:19], event["what"], event["subject"]) for event in events]


def test_the_list_shows_each_jobs_next_run_and_latest_one(clinic: Clinic) -> None:
    update_appointment_statuses("2026-11-20T10:05:00+00:00")
    [first, *others] = json.loads(balansity("jobs", "list", "--json"))
    assert (first["job"], first["state"], first["outcome"]) == (STATUSES, "succeeded", "0 started, 0 completed")
    assert datetime.fromisoformat(first["next_run"]) > datetime.now(UTC)
    assert {job["latest_run"] for job in others} == {None}
    assert STATUSES in balansity("jobs", "list")


def test_a_person_pauses_resumes_and_runs_a_job(clinic: Clinic) -> None:
    balansity("jobs", "pause", STATUSES)
    assert json.loads(balansity("jobs", "list", "--json"))[0]["next_run"] is None
    balansity("jobs", "resume", STATUSES)
    balansity("jobs", "run", STATUSES)
    run, *_ = json.loads(balansity("jobs", "history", STATUSES, "--json"))  # others may have been due since migrating
    assert (run["job"], run["state"]) == (STATUSES, "planned")


def test_jobs_alone_lists_them(clinic: Clinic) -> None:
    assert STATUSES in balansity("jobs")


def test_an_unknown_job_is_refused(clinic: Clinic) -> None:
    assert "There is no job 'backup'" in balansity("jobs", "run", "backup", code=1)


def test_the_plan_shows_what_will_happen_when(clinic: Clinic) -> None:
    appointment = clinic.book(clinic.add_user(), START + timedelta(hours=1, minutes=1, seconds=30))
    subject = f"appointment {appointment}"
    assert plan("2030-11-25 13:02", "2030-11-25 15:30") == [
        ("10:02:00", "reminder 24h", subject),
        ("10:03:30", "reminder 1h", subject),
        ("11:05:00", "in_progress", subject),
        ("12:05:00", "completed", subject),
    ]


def test_the_plan_counts_an_appointment_that_passed_as_completed_once(clinic: Clinic) -> None:
    appointment = clinic.book(clinic.add_user(), START - timedelta(hours=5))
    assert plan("2030-11-25 13:02", "2030-11-25 15:30") == [("10:05:00", "completed", f"appointment {appointment}")]


def test_the_plan_leaves_out_paused_jobs_and_writes_nothing(clinic: Clinic) -> None:
    checkup = clinic.add_checkup(clinic.add_user())
    clinic.rows("UPDATE public.assessments SET started_at = '2030-10-26T10:00:00Z'")
    assert plan("2030-11-25 13:02", "2030-11-27 00:00") == [("00:00:00", "abandoned", f"assessment {checkup}")]
    clinic.rows("UPDATE balansity.job SET paused = true")
    assert plan("2030-11-25 13:02", "2030-11-27 00:00") == []
    assert clinic.value("SELECT status FROM public.assessments") == "in_progress"


def test_a_plan_that_ends_before_it_begins_is_refused(clinic: Clinic) -> None:
    assert "must be after" in balansity("plan", "--from", "2030-01-02", "--to", "2030-01-01", code=2)


def test_parts_of_a_group_are_no_commands_of_their_own() -> None:
    assert {"jobs", "plan"} <= set(cli._commands())
    assert not {"run", "pause", "resume", "history", "list"} & set(cli._commands())


def test_what_the_plan_says_is_what_happens(clinic: Clinic) -> None:
    """A day is planned, then lived slot by slot."""
    chance, user, end = random.Random(7), clinic.add_user(), START + timedelta(days=1)
    for _ in range(40):
        booked_for = START + timedelta(minutes=chance.randrange(-90, 1500))
        clinic.book(user, booked_for, chance.choice(["scheduled", "confirmed", "pending", "cancelled", "in_progress"]))
    planned = {tuple(event.values()) for event in json.loads(balansity(*PLAN_OF_A_DAY))}

    lived = set()
    for minute in range(int((end - START) / timedelta(minutes=1)) + 1):
        now = START + timedelta(minutes=minute)
        for appointment, kind, due_at in clinic.rows(
            "SELECT appointment_id, kind, due_at FROM balansity.claim_reminders(%s, %s)", now, now + LOOK_AHEAD
        ):
            lived.add((due_at.astimezone(UTC).isoformat(), f"reminder {kind}", f"appointment {appointment}"))
        if now.minute % 5 == 0:
            before = statuses(clinic)
            clinic.rows("SELECT balansity.update_appointment_statuses(%s)", now)
            lived |= {
                (now.isoformat(), status, f"appointment {row_id}") for row_id, status in statuses(clinic) - before
            }
    assert len(planned) > 60
    assert planned == {event for event in lived if event[0] <= end.isoformat()}


def statuses(clinic: Clinic) -> set[tuple[Any, ...]]:
    return set(clinic.rows("SELECT id, status FROM public.appointments"))
