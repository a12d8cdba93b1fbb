"""A person sees the schedule and has a hand on it: `balansity jobs` and `balansity plan`."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

import cli
import scheduler
from actors.appointments import LOOK_AHEAD, update_appointment_statuses
from tests.clinic import Clinic

START = datetime(2030, 11, 25, 10, 2, tzinfo=UTC)  # 13:02 in Moscow
DAY = ("2030-11-25 13:02", "2030-11-26 13:02")
STATUSES = "update-appointment-statuses"


def balansity(*words: str, code: int = 0) -> str:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(cli.main, list(words))
    assert result.exit_code == code, result.output
    return result.output


def plan(since: str, until: str) -> list[tuple[str, str, str]]:
    return [(at[11:19], what, subject) for at, what, subject in planned(since, until)]


def planned(since: str, until: str) -> list[tuple[str, str, str]]:
    events: list[dict[str, str]] = json.loads(balansity("plan", "--from", since, "--to", until, "--json"))
    return [(event["at"], event["what"], event["subject"]) for event in events]


@pytest.fixture
def at_start(clinic: Clinic) -> Clinic:
    """The clinic, where it is START."""
    clinic.set_clock(START)
    return clinic


def test_the_list_shows_each_jobs_policy_next_runs_and_latest_one(at_start: Clinic) -> None:
    update_appointment_statuses("2026-11-20T10:05:00+00:00")
    [first, *others] = json.loads(balansity("jobs", "list", "--json"))
    assert (first["job"], first["state"], first["outcome"]) == (STATUSES, "succeeded", "0 started, 0 completed")
    assert first["next_runs"] == [f"2030-11-25T10:{minute}:00+00:00" for minute in ("05", "10", "15")]
    assert (first["missed"], first["most_lateness"]) == ("once", "1:00:00")
    assert {job["latest_run"] for job in others} == {None}
    shown = balansity("jobs", "list")
    for words in (
        STATUSES,
        "2030-11-25 13:05:00, 2030-11-25 13:10:00, 2030-11-25 13:15:00",
        "once, 1:00:00 late at most",
    ):
        assert words in shown


def test_the_list_and_doctor_tell_of_a_job_planned_ahead_of_the_clock(at_start: Clinic) -> None:
    assert "planned ahead of the clock: none" in balansity("doctor", code=1)
    at_start.rows("UPDATE balansity.job SET planned_until = %s WHERE name = %s", START + timedelta(hours=6), STATUSES)
    [first, *others] = json.loads(balansity("jobs", "list", "--json"))
    assert (first["ahead"], first["next_runs"][0]) == (True, "2030-11-25T16:05:00+00:00")
    assert {job["ahead"] for job in others} == {False}
    assert "ahead of the clock" in balansity("jobs")
    said = balansity("doctor", code=1)
    assert f"planned ahead of the clock: {STATUSES} until 2030-11-25 19:02:00 Europe/Moscow\n" in said


def test_history_shows_runs_and_skipped_slots_where_they_are_asked_for(at_start: Clinic) -> None:
    at_start.rows("UPDATE balansity.job SET planned_until = %s", START - timedelta(minutes=15))
    scheduler.enqueue_due(START)
    runs = json.loads(balansity("jobs", "history", STATUSES, "--json"))
    assert [run["slot"] for run in runs] == ["2030-11-25T10:00:00+00:00"]
    with_skipped = json.loads(balansity("jobs", "history", STATUSES, "--skipped", "--json"))
    assert [run["state"] for run in with_skipped] == ["planned", "skipped", "skipped"]
    update_appointment_statuses(runs[0]["slot"])
    shown = balansity("jobs", "history", STATUSES)
    for column in ("slot", "enqueued", "started", "finished", "outcome"):
        assert column in shown
    assert shown.count("2030-11-25 13:02:00") == 3


def test_a_person_pauses_resumes_and_runs_a_job(clinic: Clinic) -> None:
    balansity("jobs", "pause", STATUSES)
    assert json.loads(balansity("jobs", "list", "--json"))[0]["next_runs"] == []
    assert "paused" in balansity("jobs", "list")
    balansity("jobs", "resume", STATUSES)
    balansity("jobs", "run", STATUSES)
    run, *_ = json.loads(balansity("jobs", "history", STATUSES, "--json"))  # others may have been due since migrating
    assert (run["job"], run["state"]) == (STATUSES, "planned")


def test_jobs_alone_lists_them(clinic: Clinic) -> None:
    assert STATUSES in balansity("jobs")


def test_an_unknown_job_is_refused(clinic: Clinic) -> None:
    for order in ("run", "pause", "resume", "history"):
        assert "There is no job 'backup'" in balansity("jobs", order, "backup", code=1)


def test_the_beginning_of_a_name_does_unless_others_begin_so(clinic: Clinic) -> None:
    assert balansity("jobs", "pause", "update") == f"{STATUSES}: paused\n"
    said = balansity("jobs", "pause", "", code=1)
    assert "begins more than one job: cleanup-old-assessments, " in said
    assert "and more. Give more of it." in said


def test_the_plan_shows_what_will_happen_when(at_start: Clinic) -> None:
    appointment = at_start.book(at_start.add_user(), START + timedelta(hours=1, minutes=1, seconds=30))
    subject = f"appointment {appointment}"
    assert plan("2030-11-25 13:02", "2030-11-25 15:30") == [
        ("10:02:00", "reminder 24h", subject),
        ("10:03:30", "reminder 1h", subject),
        ("11:05:00", "in_progress", subject),
        ("12:05:00", "completed", subject),
    ]


def test_a_plan_of_later_leaves_out_what_will_have_happened_before(at_start: Clinic) -> None:
    appointment = at_start.book(at_start.add_user(), START + timedelta(hours=30))
    whole = planned("2030-11-25 13:02", "2030-11-27 00:00")
    assert [what for _, what, _ in whole] == ["reminder 24h", "reminder 1h", "in_progress", "completed"]
    assert planned("2030-11-26 17:00", "2030-11-27 00:00") == [
        ("2030-11-26T15:02:00+00:00", "reminder 1h", f"appointment {appointment}"),
        *whole[2:],
    ]


def test_the_plan_counts_an_appointment_that_passed_as_completed_once(at_start: Clinic) -> None:
    appointment = at_start.book(at_start.add_user(), START - timedelta(hours=5))
    assert plan("2030-11-25 13:02", "2030-11-25 15:30") == [("10:05:00", "completed", f"appointment {appointment}")]


def test_the_plan_begins_after_the_slots_that_are_planned(at_start: Clinic) -> None:
    appointment = at_start.book(at_start.add_user(), START - timedelta(hours=5))
    at_start.rows("UPDATE balansity.job SET planned_until = %s", START + timedelta(minutes=3))
    assert plan("2030-11-25 13:02", "2030-11-25 15:30") == [("10:10:00", "completed", f"appointment {appointment}")]


def test_the_plan_tells_which_reports_and_how_many_messages_leave(at_start: Clinic) -> None:
    checkup = at_start.add_checkup(at_start.add_user())
    kept, gone = (
        at_start.value(
            "INSERT INTO balansity.report (assessment_id, format, digest, filename, media_type, size_bytes, content, "
            "created_at) VALUES (%s, 'pdf', '', '', '', 0, '', %s) RETURNING id::text",
            *(assessment, START),
        )
        for assessment in (checkup, "00000000-0000-0000-0000-000000000000")
    )
    for state, finished in (
        ("done", START - timedelta(days=7, minutes=13)),  # these two by the run of 10:15
        ("rejected", START - timedelta(days=90) + timedelta(minutes=12, seconds=59)),
        ("done", START - timedelta(days=7) + timedelta(minutes=13)),  # not older than seven days at 10:15
        ("queued", START - timedelta(days=400)),
    ):
        at_start.rows(
            "INSERT INTO dramatiq.queue (message_id, state, mtime, message) VALUES (gen_random_uuid(), %s, %s, '{}')",
            *(state, finished),
        )
    leaving = [event for event in plan("2030-11-25 13:02", "2030-11-26 03:45") if event[1] in {"purged", "removed"}]
    assert leaving == [
        ("10:15:00", "purged", "2 messages"),
        ("11:15:00", "purged", "1 messages"),
        ("00:30:00", "removed", f"report {gone}"),
    ]
    at_start.rows("UPDATE balansity.report SET created_at = %s", START - timedelta(days=10 * 366))
    assert {subject for _, _, subject in plan(*DAY)} >= {f"report {kept}", f"report {gone}"}


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
    assert {"jobs", "plan"} <= set(cli.COMMANDS)
    assert not {"run", "pause", "resume", "history", "list"} & set(cli.COMMANDS)


def test_what_the_plan_says_is_what_happens(at_start: Clinic) -> None:
    """A day is planned, whole and from its middle on, then lived slot by slot."""
    clinic, chance, end = at_start, random.Random(7), START + timedelta(days=1)
    user = clinic.add_user()
    for _ in range(40):
        booked_for = START + timedelta(minutes=chance.randrange(-90, 1500))
        clinic.book(user, booked_for, chance.choice(["scheduled", "confirmed", "pending", "cancelled", "in_progress"]))
        begun = START - timedelta(days=30, minutes=chance.randrange(-1500, 1500))
        clinic.rows("UPDATE public.assessments SET started_at = %s WHERE id = %s", begun, clinic.add_checkup(user))
    whole, late = set(planned(*DAY)), set(planned("2030-11-25 23:00", DAY[1]))

    lived = set()
    for minute in range(int((end - START) / timedelta(minutes=1)) + 1):
        now = START + timedelta(minutes=minute)
        for appointment, kind, due_at in clinic.rows(
            "SELECT appointment_id, kind, due_at FROM balansity.claim_reminders(%s, %s)", now, now + LOOK_AHEAD
        ):
            lived.add((due_at.astimezone(UTC).isoformat(), f"reminder {kind}", f"appointment {appointment}"))
        before = statuses(clinic)
        if now.minute % 5 == 0:
            clinic.rows("SELECT balansity.update_appointment_statuses(%s)", now)
        if (now.hour, now.minute) == (0, 0):  # three in Moscow
            clinic.rows("SELECT balansity.abandon_old_assessments(%s)", now)
        lived |= {(now.isoformat(), status, f"{noun} {row_id}") for noun, row_id, status in statuses(clinic) - before}
    assert len(whole) > 80
    assert {what for _, what, _ in whole} >= {"abandoned", "completed", "reminder 24h"}
    assert whole == {event for event in lived if event[0] <= end.isoformat()}
    assert late == {event for event in whole if event[0] >= "2030-11-25T20:00:00"}


def statuses(clinic: Clinic) -> set[tuple[Any, ...]]:
    return set(
        clinic.rows(
            "SELECT 'appointment', id, status FROM public.appointments "
            "UNION ALL SELECT 'assessment', id, status FROM public.assessments"
        )
    )
