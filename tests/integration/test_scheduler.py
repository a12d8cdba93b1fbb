"""Every slot has exactly one row and at most one message, whoever schedules, whatever happens to the clock."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import scheduler
import settings
from checks.jobs import is_late
from db import overview, queries
from db.connection import Connection
from db.database import transaction
from desk.plan import happenings
from domain.slots import Missed
from errors import BalansityError
from scheduler import JOBS, Job, enqueue_due, introduce
from tests.clinic import Clinic

STATUSES, CLEAN_UP, REMINDERS, *_ = JOBS
START = datetime(2026, 11, 25, 10, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def planned(clinic: Clinic) -> None:
    """The schedule has been planned until START."""
    set_cursor(clinic, START)


def set_cursor(clinic: Clinic, moment: datetime) -> None:
    clinic.rows("UPDATE balansity.job SET planned_until = %s", moment)


def deploy(now: datetime, jobs: list[Job]) -> None:
    """What `balansity migrate` of a version with this table of jobs does."""
    with transaction() as conn:
        scheduler.publish(conn, jobs, now)


def slots(clinic: Clinic, job: str) -> list[tuple[str, str]]:
    """Time and state of each of a job's slots."""
    found = clinic.rows("SELECT slot, state FROM balansity.slot WHERE job = %s ORDER BY slot", job)
    return [(f"{slot.astimezone(UTC):%H:%M}", state) for slot, state in found]


def sent(clinic: Clinic, actor: str) -> list[str]:
    """The slots that messages for an actor speak of."""
    found = clinic.rows(
        "SELECT message -> 'kwargs' ->> 'slot' FROM dramatiq.queue WHERE message ->> 'actor_name' = %s ORDER BY 1",
        actor,
    )
    return [f"{datetime.fromisoformat(slot):%H:%M}" for (slot,) in found]


def test_the_jobs_are_known_from_the_first_migration_on(connection: Connection) -> None:
    known = Clinic(connection).rows("SELECT jobname, schedule, active FROM cron.job ORDER BY jobid")
    assert known == [(job.name, job.schedule, True) for job in JOBS]


def test_a_slot_is_enqueued_once_with_its_time(clinic: Clinic) -> None:
    for seconds in (0, 179, 180, 181, 240):
        enqueue_due(START + timedelta(seconds=seconds), [STATUSES])
    assert slots(clinic, STATUSES.name) == [("10:05", "planned")]
    assert sent(clinic, "update_appointment_statuses") == ["10:05"]


def test_the_clean_up_comes_at_three_by_the_clinics_clock(clinic: Clinic) -> None:
    enqueue_due(START + timedelta(days=1), [CLEAN_UP])
    assert sent(clinic, "cleanup_old_assessments") == ["00:00"]


def test_schedulers_at_the_same_moment_enqueue_each_slot_once(clinic: Clinic) -> None:
    with ThreadPoolExecutor(8) as threads:
        for minute in range(1, 31):
            now = START + minute * MINUTE
            list(threads.map(enqueue_due, [now] * 8))
    expected = [f"10:{minute:02}" for minute in range(3, 33)]
    assert sent(clinic, "send_appointment_reminders") == expected
    assert slots(clinic, REMINDERS.name) == [(time, "planned") for time in expected]


def test_a_slot_held_by_another_scheduler_is_left_to_it(clinic: Clinic, connect: Callable[[], Connection]) -> None:
    other = Clinic(connect())
    other.rows("BEGIN")
    other.rows("SELECT FROM balansity.job FOR UPDATE")
    assert enqueue_due(START + 10 * MINUTE) == 0
    other.rows("ROLLBACK")
    assert enqueue_due(START + 10 * MINUTE) > 0


@pytest.mark.parametrize(
    ("missed", "states"),
    [
        (Missed.SKIP, ["skipped", "skipped", "planned"]),
        (Missed.ONCE, ["skipped", "skipped", "planned"]),
        (Missed.ALL, ["planned", "planned", "planned"]),
    ],
)
def test_after_an_outage_every_slot_has_its_row(clinic: Clinic, missed: Missed, states: list[str]) -> None:
    enqueue_due(START + 13 * MINUTE, [replace(STATUSES, missed=missed)])
    assert slots(clinic, STATUSES.name) == list(zip(["10:05", "10:10", "10:15"], states, strict=True))
    assert len(sent(clinic, "update_appointment_statuses")) == states.count("planned")


def test_a_clock_set_back_runs_nothing_twice(clinic: Clinic) -> None:
    for minutes in (3, 8, -55, -50, 9, 13):
        enqueue_due(START + minutes * MINUTE, [STATUSES])
    assert sent(clinic, "update_appointment_statuses") == ["10:05", "10:10", "10:15"]


def test_a_clock_that_was_ahead_for_one_look_costs_no_slot(clinic: Clinic) -> None:
    enqueue_due(START + timedelta(hours=6), [STATUSES])
    assert sent(clinic, "update_appointment_statuses") == ["16:00"]
    for minutes in range(3, 6 * 60 + 10):
        enqueue_due(START + minutes * MINUTE, [STATUSES])
    expected = [f"{minutes // 60:02}:{minutes % 60:02}" for minutes in range(10 * 60 + 5, 16 * 60 + 15, 5)]
    assert sent(clinic, "update_appointment_statuses") == expected
    assert slots(clinic, STATUSES.name) == [(time, "planned") for time in expected]


def test_a_clock_set_forward_leaves_no_slot_out(clinic: Clinic) -> None:
    enqueue_due(START + 3 * MINUTE, [STATUSES])
    enqueue_due(START + 63 * MINUTE, [STATUSES])
    assert len(slots(clinic, STATUSES.name)) == 13
    assert sent(clinic, "update_appointment_statuses") == ["10:05", "11:05"]


def ordered(order: Callable[..., Any], job: str, now: datetime) -> None:
    """Give a person's order, in a transaction of its own."""
    with transaction() as conn:
        order(conn, job, now)


def test_after_a_year_a_day_is_listed_and_one_row_tells_of_all_before(clinic: Clinic) -> None:
    set_cursor(clinic, START - timedelta(days=365))
    assert enqueue_due(START, [REMINDERS]) == 1
    [first, second, *others] = clinic.rows("SELECT slot, outcome FROM balansity.slot ORDER BY slot")
    assert first == (START - timedelta(days=365) + MINUTE, "missed, like every other until 2026-11-24 10:02 UTC")
    assert second[0] == START - timedelta(days=1) + MINUTE
    assert len(others) == 24 * 60 - 1
    assert sent(clinic, "send_appointment_reminders") == ["10:02"]
    assert enqueue_due(START + MINUTE, [REMINDERS]) == 1


def test_a_year_of_pause_is_told_in_the_same_way(clinic: Clinic) -> None:
    ordered(scheduler.pause, REMINDERS.name, START)
    ordered(scheduler.resume, REMINDERS.name, START + timedelta(days=365))
    [(first, *_), *others] = clinic.rows("SELECT outcome FROM balansity.slot ORDER BY slot")
    assert first == "paused, like every other until 2027-11-24 10:02 UTC"
    assert others == [("paused",)] * 24 * 60
    assert enqueue_due(START + timedelta(days=365) + MINUTE, [REMINDERS]) == 1


def test_a_paused_job_does_nothing_and_says_so_when_it_goes_on(clinic: Clinic) -> None:
    ordered(scheduler.pause, STATUSES.name, START + 4 * MINUTE)
    assert enqueue_due(START + 9 * MINUTE, [STATUSES]) == 0
    ordered(scheduler.resume, STATUSES.name, START + 9 * MINUTE)
    enqueue_due(START + 14 * MINUTE, [STATUSES])
    assert slots(clinic, STATUSES.name) == [("10:05", "planned"), ("10:10", "skipped"), ("10:15", "planned")]
    [(active,)] = clinic.rows("SELECT active FROM cron.job WHERE jobname = %s", STATUSES.name)
    assert active


def test_a_changed_schedule_keeps_what_the_old_one_owed(clinic: Clinic) -> None:
    changed = replace(STATUSES, schedule="7 * * * *")
    deploy(START + 4 * MINUTE, [changed])
    enqueue_due(START + 6 * MINUTE, [changed])
    assert sent(clinic, "update_appointment_statuses") == ["10:05", "10:07"]
    assert clinic.value("SELECT schedule FROM cron.job WHERE jobname = %s", STATUSES.name) == "7 * * * *"


def test_a_schedule_changed_during_a_pause_hides_no_slot(clinic: Clinic) -> None:
    changed = replace(STATUSES, schedule="7 * * * *")
    ordered(scheduler.pause, STATUSES.name, START)
    deploy(START + 4 * MINUTE, [changed])
    ordered(scheduler.resume, STATUSES.name, START + 6 * MINUTE)
    enqueue_due(START + 66 * MINUTE, [changed])
    assert slots(clinic, STATUSES.name) == [
        ("10:05", "skipped"),
        ("10:07", "skipped"),
        ("11:07", "planned"),
    ]


UNREADABLE = {
    "time_zone": "UPDATE balansity.job SET time_zone = %s WHERE name = %s",
    "schedule": "UPDATE balansity.job SET schedule = %s WHERE name = %s",
}


@pytest.mark.parametrize(
    ("column", "value"),
    [("time_zone", "Europe"), ("time_zone", "x" * 300), ("schedule", "soon"), ("schedule", "0 0 31 2 *")],
)
def test_a_row_that_no_longer_can_be_read_holds_up_no_job(clinic: Clinic, column: str, value: str) -> None:
    clinic.rows(UNREADABLE[column], value, STATUSES.name)
    with transaction() as conn:  # what only looks at it sees no slots of it, or those by the clinic's clock
        assert {job["job"] for job in overview.jobs(conn)} == {job.name for job in JOBS}
        for job in queries.jobs.list_jobs(conn):
            assert is_late(job.schedule, job.time_zone, START, START + timedelta(days=2))
        happenings(conn, START, START, START + timedelta(days=1))
    deploy(START + MINUTE, [STATUSES])
    enqueue_due(START + 4 * MINUTE, [STATUSES])
    assert slots(clinic, STATUSES.name) == [("10:05", "planned")]


@pytest.mark.parametrize(("schedule", "why"), [("0 0 31 feb *", "never comes"), ("61 * * * *", "61")])
def test_a_schedule_that_is_none_is_refused_where_the_table_is_read(schedule: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        replace(STATUSES, schedule=schedule)
    assert str(refused.value).startswith(f"Job {STATUSES.name}: {schedule!r}")


def test_a_job_that_left_the_table_is_retired_and_may_come_back(clinic: Clinic) -> None:
    active = "SELECT active FROM cron.job WHERE jobname = %s"
    deploy(START, [CLEAN_UP])
    assert not clinic.value(active, STATUSES.name)
    assert enqueue_due(START + 3 * MINUTE, [STATUSES]) == 0
    deploy(START + 8 * MINUTE, [CLEAN_UP, STATUSES])
    assert clinic.value(active, STATUSES.name)
    enqueue_due(START + 9 * MINUTE, [STATUSES])
    assert enqueue_due(START + 13 * MINUTE, [STATUSES]) == 1
    assert slots(clinic, STATUSES.name) == [("10:15", "planned")]


def test_an_older_scheduler_that_starts_retires_revives_and_changes_nothing(clinic: Clinic) -> None:
    newer, coming = replace(STATUSES, schedule="7 * * * *"), replace(STATUSES, name="greet-everyone")
    deploy(START, [newer, coming])
    introduce(START + MINUTE, [STATUSES, CLEAN_UP])
    assert enqueue_due(START + 4 * MINUTE, [STATUSES, CLEAN_UP]) == 0
    assert enqueue_due(START + 6 * MINUTE, [STATUSES, CLEAN_UP]) == 1
    assert slots(clinic, STATUSES.name) == [("10:07", "planned")]
    assert not clinic.value("SELECT active FROM cron.job WHERE jobname = %s", CLEAN_UP.name)
    assert enqueue_due(START + 6 * MINUTE, [newer, coming]) == 1
    assert slots(clinic, coming.name) == [("10:05", "planned")]


def test_a_job_that_another_actor_does_now_is_left_to_the_schedulers_that_know_so(clinic: Clinic) -> None:
    handed_over = replace(STATUSES, actor=CLEAN_UP.actor)
    deploy(START, [handed_over])
    assert enqueue_due(START + 4 * MINUTE, [STATUSES]) == 0
    assert enqueue_due(START + 4 * MINUTE, [handed_over]) == 1
    assert sent(clinic, "update_appointment_statuses") == []


def test_a_new_job_begins_now(clinic: Clinic) -> None:
    new = replace(STATUSES, name="greet-everyone")
    introduce(START, [new])
    assert enqueue_due(START + 3 * MINUTE, [new]) == 1


def test_a_slot_whose_message_cannot_be_written_stays_due(clinic: Clinic) -> None:
    clinic.rows("ALTER TABLE dramatiq.queue ADD CONSTRAINT full_disk CHECK (false) NOT VALID")
    with pytest.raises(Exception, match="full_disk"):
        enqueue_due(START + 3 * MINUTE, [STATUSES])
    clinic.rows("ALTER TABLE dramatiq.queue DROP CONSTRAINT full_disk")
    assert slots(clinic, STATUSES.name) == []
    assert enqueue_due(START + 4 * MINUTE, [STATUSES]) == 1


def test_a_run_by_hand_is_a_slot_of_its_own(clinic: Clinic) -> None:
    ordered(scheduler.run_now, STATUSES.name, START)
    assert slots(clinic, STATUSES.name) == [("10:02", "planned")]
    assert enqueue_due(START + 3 * MINUTE, [STATUSES]) == 1


@pytest.mark.parametrize("order", [scheduler.run_now, scheduler.pause, scheduler.resume])
def test_an_unknown_job_is_refused_with_the_known_ones(clinic: Clinic, order: Callable[..., Any]) -> None:
    with pytest.raises(BalansityError, match=r"no job 'backup'.*update-appointment-statuses"):
        ordered(order, "backup", START)


@pytest.mark.parametrize("month", ["2026-03", "2026-10"])
def test_three_schedulers_in_a_month_with_outages_and_a_clock_change_leave_no_slot_out(
    clinic: Clinic, environment: pytest.MonkeyPatch, month: str
) -> None:
    """Berlin's clocks skip 02:30 on 29 March and show it twice on 25 October."""
    environment.setenv("TIME_ZONE", "Europe/Berlin")
    settings.current.cache_clear()
    hourly, nightly = replace(STATUSES, schedule="10 * * * *"), replace(CLEAN_UP, schedule="30 2 * * *")
    begin = datetime.fromisoformat(f"{month}-01T12:00:00+00:00")
    set_cursor(clinic, begin)
    deploy(begin, [hourly, nightly])
    set_cursor(clinic, begin)

    now = begin
    with ThreadPoolExecutor(3) as schedulers:
        while now < begin + timedelta(days=30):
            now += timedelta(hours=9) if now.day % 7 == 6 and now.hour == 4 else timedelta(minutes=59)
            clocks = [now, now, now - MINUTE]  # the third is behind
            list(schedulers.map(lambda clock: enqueue_due(clock, [hourly, nightly]), clocks))

    found = [slot for (slot,) in clinic.rows("SELECT slot FROM balansity.slot WHERE job = %s ORDER BY 1", hourly.name)]
    assert found == [begin + 10 * MINUTE + timedelta(hours=n) for n in range(len(found))]
    assert found[-1] > now - timedelta(hours=1)
    nights = clinic.rows("SELECT slot AT TIME ZONE 'Europe/Berlin' FROM balansity.slot WHERE job = %s", nightly.name)
    assert len({night.date() for (night,) in nights}) == len(nights) == 30
    assert {(night.hour, night.minute) for (night,) in nights} == {(2, 30)} | (
        {(3, 30)} if month == "2026-03" else set()
    )
    [(messages, planned)] = clinic.rows(
        "SELECT (SELECT count(*) FROM dramatiq.queue), (SELECT count(*) FROM balansity.slot WHERE state = 'planned')"
    )
    assert messages == planned > 650
