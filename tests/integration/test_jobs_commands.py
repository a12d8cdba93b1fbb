"""A person sees the schedule and has a hand on it: `balansity jobs` and `balansity plan`."""

import json
import random
from datetime import UTC, datetime, timedelta
from getpass import getuser
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
WHY = ("--reason", "the site is being moved")
NIGHT = ("--from", "2030-11-24 20:00", "--to", "2030-11-25 05:00")  # by the clinic's clocks


def balansity(*words: str, code: int = 0) -> str:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(cli.main, list(words))
    assert result.exit_code == code, result.output
    return result.output


def plan(since: str, until: str) -> list[tuple[str, str, str]]:
    return [(at[11:19], what, subject) for at, what, subject in planned(since, until)]


def planned(since: str, until: str) -> list[tuple[str, str, str]]:
    told = json.loads(balansity("plan", "--from", since, "--to", until, "--json"))
    events: list[dict[str, str]] = told["happening"]
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
    balansity("jobs", "pause", STATUSES, *WHY)
    assert json.loads(balansity("jobs", "list", "--json"))[0]["next_runs"] == []
    assert f"paused by {getuser()}: {WHY[1]}" in balansity("jobs", "list")
    assert scheduler.enqueue_due(clinic.value("SELECT now() + interval '5 minutes'"), [scheduler.JOBS[0]]) == 0
    balansity("jobs", "resume", STATUSES, *WHY)
    balansity("jobs", "run", STATUSES, *WHY)
    run, *_ = json.loads(balansity("jobs", "history", STATUSES, "--json"))  # others may have been due since migrating
    assert (run["job"], run["state"]) == (STATUSES, "planned")


@pytest.fixture
def night(at_start: Clinic) -> Clinic:
    """A night of reminders every minute, of which one failed and one took long, and of one clean-up."""
    at_start.rows(
        "INSERT INTO balansity.slot (job, slot, state, enqueued_at, started_at, finished_at, attempts, outcome) "
        "SELECT 'send-appointment-reminders', at, CASE WHEN n = 7 THEN 'failed' ELSE 'succeeded' END, at, at, "
        "at + CASE WHEN n = 9 THEN interval '45 s' ELSE interval '0.1 s' END, 1, "
        "CASE WHEN n = 7 THEN 'ProviderAway' ELSE '0 reminders' END "
        "FROM generate_series(0, 479) AS n, "
        "LATERAL (SELECT '2030-11-24 20:00:00+00'::timestamptz + n * interval '1 min') AS minute (at)"
    )
    at_start.rows(
        "INSERT INTO balansity.slot (job, slot, state, outcome) VALUES "
        "('cleanup-old-assessments', '2030-11-25 00:00+00', 'succeeded', '3 abandoned'), "
        "('cleanup-old-assessments', '2030-11-26 00:00+00', 'succeeded', 'of another night')"
    )
    return at_start


def test_a_night_is_a_line_a_job_and_what_failed_or_took_long(night: Clinic) -> None:
    told = json.loads(balansity("jobs", "history", *NIGHT, "--json"))
    clean_up, reminders = told["job"]
    assert (clean_up["runs"], clean_up["outcome"]) == (1, "3 abandoned")
    assert (reminders["runs"], reminders["failed"], reminders["longest_seconds"]) == (360, 1, 45)
    assert (reminders["first"], reminders["last"]) == ("2030-11-24T20:00:00+00:00", "2030-11-25T01:59:00+00:00")
    assert [(run["slot"][11:16], run["state"]) for run in told["run"]] == [("20:09", "succeeded"), ("20:07", "failed")]
    shown = balansity("jobs", "history", *NIGHT)
    for words in ("360", "45.0 s", "2030-11-24 23:07:00", "ProviderAway"):
        assert words in shown
    assert len(shown.splitlines()) < 12


def test_a_night_can_be_asked_for_what_failed_and_for_one_job(night: Clinic) -> None:
    failed = json.loads(balansity("jobs", "history", *NIGHT, "--failed", "--json"))
    assert [job["job"] for job in failed["job"]] == ["send-appointment-reminders"]
    assert [run["outcome"] for run in failed["run"]] == ["ProviderAway"]
    one = json.loads(balansity("jobs", "history", "cleanup", *NIGHT, "--json"))
    assert ([job["runs"] for job in one["job"]], one["run"]) == ([1], [])


def test_what_is_left_out_of_a_night_is_counted(night: Clinic) -> None:
    assert "1 of 2 runs: --limit 2 lists all" in balansity("jobs", "history", *NIGHT, "--limit", "1")


def test_a_period_that_ends_before_it_begins_is_refused(clinic: Clinic) -> None:
    assert "must be after" in balansity("jobs", "history", "--from", "2030-01-02", "--to", "2030-01-01", code=2)
    assert "is no time" in balansity("jobs", "history", "--from", "last night", code=2)


def test_the_plan_tells_how_often_each_job_will_run_tomorrow(at_start: Clinic) -> None:
    at_start.rows("UPDATE balansity.job SET paused = true WHERE name = 'purge-messages'")
    told = json.loads(balansity("plan", "--from", "2030-11-26", "--to", "2030-11-27", "--json"))
    runs = {job["job"]: job for job in told["job"]}
    assert runs[STATUSES]["runs"] == 24 * 12
    assert runs["cleanup-old-assessments"]["first"] == "2030-11-26T00:00:00+00:00"
    assert (runs["purge-messages"]["runs"], runs["purge-messages"]["paused"]) == (0, True)


def test_jobs_alone_lists_them(clinic: Clinic) -> None:
    assert STATUSES in balansity("jobs")


def test_an_unknown_job_is_refused(clinic: Clinic) -> None:
    for order in (["run", *WHY], ["pause", *WHY], ["resume", *WHY], ["history"]):
        assert "There is no job 'backup'" in balansity("jobs", *order, "backup", code=1)


@pytest.mark.parametrize("order", ["run", "pause", "resume"])
def test_a_hand_on_a_job_needs_a_reason(clinic: Clinic, order: str) -> None:
    assert "Say --reason" in balansity("jobs", order, STATUSES, code=2)
    assert clinic.value("SELECT count(*) FROM balansity.job WHERE paused") == 0


def test_the_beginning_of_a_name_does_unless_others_begin_so(clinic: Clinic) -> None:
    assert balansity("jobs", "pause", "update", *WHY) == f"{STATUSES}: paused\n"
    said = balansity("jobs", "pause", "", *WHY, code=1)
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


def test_a_long_plan_shows_its_first_and_says_how_to_see_the_rest(at_start: Clinic) -> None:
    at_start.book(at_start.add_user(), START + timedelta(hours=1, minutes=1, seconds=30))
    period = ["--from", "2030-11-25 13:02", "--to", "2030-11-25 15:30"]
    said = balansity("plan", *period, "--limit", "3")
    assert "3 of 4 happenings: --limit 4 lists all." in said
    assert "in_progress" in said
    assert "completed" not in said


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
        ("rejected", START - timedelta(days=90) + timedelta(minutes=12, seconds=59)),  # by the run of 10:15
        ("rejected", START - timedelta(days=90) + timedelta(minutes=13)),  # not older than 90 days at 10:15
        ("done", START - timedelta(days=7, minutes=13)),  # these two when their day is seven days ago, in UTC
        ("done", START - timedelta(days=7) + timedelta(minutes=13)),
        ("done", START - timedelta(days=6)),
        ("queued", START - timedelta(days=400)),
    ):
        at_start.rows(
            "INSERT INTO dramatiq.queue (message_id, state, mtime, message) VALUES (gen_random_uuid(), %s, %s, '{}')",
            *(state, finished),
        )
    leaving = [event for event in plan("2030-11-25 13:02", "2030-11-26 03:45") if event[1] in {"purged", "removed"}]
    assert leaving == [
        ("10:15:00", "purged", "1 messages"),
        ("11:15:00", "purged", "1 messages"),
        ("00:15:00", "purged", "2 messages"),
    ]
    assert "Reports of deleted check-ups go with the next run" in balansity("plan")
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
