"""What the jobs do to consultations and check-ups, at any present that a test likes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.clinic import Clinic

pytestmark = pytest.mark.undone
START = datetime(2026, 11, 25, 10, 35, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def update_statuses(clinic: Clinic, now: datetime) -> tuple[int, int]:
    [(started, completed)] = clinic.rows("SELECT * FROM balansity.update_appointment_statuses(%s)", now)
    return started, completed


def reminders(clinic: Clinic, now: datetime, ahead: timedelta = MINUTE) -> list[tuple[Any, ...]]:
    """Claim what is due: kind, consultation's time, mail's time."""
    return clinic.rows("SELECT kind, scheduled_at, due_at FROM balansity.claim_reminders(%s, %s)", now, now + ahead)


@pytest.mark.parametrize("status", ["scheduled", "confirmed"])
def test_a_consultation_starts_on_its_minute_and_ends_after_its_duration_and_grace(
    clinic: Clinic, user: str, status: str
) -> None:
    appointment = clinic.book(user, START, status)
    over = START + timedelta(minutes=45 + 15)
    for now, expected in [
        (START - MINUTE, status),
        (START, "in_progress"),
        (over - MINUTE, "in_progress"),
        (over, "completed"),
    ]:
        update_statuses(clinic, now)
        assert clinic.appointment(appointment)[0] == expected


def test_its_own_duration_counts_before_its_types(clinic: Clinic, user: str) -> None:
    appointment = clinic.book(user, START, duration_minutes=90)
    update_statuses(clinic, START + 104 * MINUTE)
    assert clinic.appointment(appointment)[0] == "in_progress"
    update_statuses(clinic, START + 105 * MINUTE)
    assert clinic.appointment(appointment)[0] == "completed"


def test_a_database_without_the_newer_columns_works(clinic: Clinic, user: str) -> None:
    appointment = clinic.book(user, START)
    clinic.rows(
        "ALTER TABLE public.appointments DROP COLUMN duration_minutes, DROP COLUMN timezone, "
        "DROP COLUMN video_room_url, DROP COLUMN specialist_id"
    )
    assert update_statuses(clinic, START + 2 * HOUR) == (0, 1)
    assert clinic.appointment(appointment)[0] == "completed"


def test_what_passed_while_nothing_ran_is_completed_in_one_run(clinic: Clinic, user: str) -> None:
    clinic.book(user, START)
    clinic.book(user, START + HOUR)
    assert update_statuses(clinic, START + 61 * MINUTE) == (1, 1)
    assert update_statuses(clinic, START + 61 * MINUTE) == (0, 0)


@pytest.mark.parametrize("status", ["pending", "cancelled", "no_show", "completed"])
def test_other_statuses_are_left_alone(clinic: Clinic, user: str, status: str) -> None:
    appointment = clinic.book(user, START, status)
    assert update_statuses(clinic, START + 24 * HOUR) == (0, 0)
    assert clinic.appointment(appointment)[0] == status


def test_checkups_older_than_thirty_days_are_abandoned(clinic: Clinic, user: str) -> None:
    checkup = clinic.add_checkup(user)
    started = clinic.value("SELECT started_at FROM public.assessments")
    for days, status in [(30, "in_progress"), (31, "abandoned")]:
        clinic.rows("SELECT balansity.abandon_old_assessments(%s)", started + timedelta(days=days))
        assert clinic.value("SELECT status FROM public.assessments WHERE id = %s", checkup) == status


def test_whether_a_change_is_news_the_one_clock_says(clinic: Clinic, user: str) -> None:
    clinic.set_clock(datetime(2040, 1, 1, 12, tzinfo=UTC))
    for minute in (59, 60, 61):
        appointment = clinic.book(user, datetime(2040, 1, 1, 11, tzinfo=UTC) + minute * MINUTE)
        clinic.rows("UPDATE public.appointments SET status = 'cancelled' WHERE id = %s", appointment)
    [(subject, key)] = clinic.rows(
        "SELECT message -> 'variables' ->> 'appointment_id', message ->> 'key' FROM pgmq.q_email_queue "
        "WHERE message ->> 'template' = 'appointment_cancelled'"
    )
    assert subject == appointment
    assert key.endswith(":2040-01-01T12:01:00Z:2040-01-01T12:00:00Z")


def test_a_reminder_leaves_at_its_moment_and_never_again(clinic: Clinic, user: str) -> None:
    clinic.book(user, START)
    for before, kind in [(24 * HOUR, "24h"), (HOUR, "1h")]:
        moment = START - before
        assert reminders(clinic, moment - MINUTE) == []
        assert reminders(clinic, moment) == [(kind, START, moment)]
        assert reminders(clinic, moment) == []
        assert reminders(clinic, moment + MINUTE) == []


def test_a_reminder_is_put_on_its_way_before_its_moment(clinic: Clinic, user: str) -> None:
    clinic.book(user, START + timedelta(seconds=17))
    moment = START - HOUR + timedelta(seconds=17)
    reminders(clinic, START - 24 * HOUR)
    assert reminders(clinic, START - HOUR) == [("1h", START + timedelta(seconds=17), moment)]


@pytest.mark.parametrize(
    ("before", "kinds"),
    [(25 * HOUR, []), (20 * HOUR, ["24h"]), (61 * MINUTE, ["24h", "1h"]), (59 * MINUTE, ["1h"]), (-MINUTE, [])],
)
def test_a_late_booking_is_reminded_at_once_of_what_is_still_ahead(
    clinic: Clinic, user: str, before: timedelta, kinds: list[str]
) -> None:
    clinic.book(user, START)
    assert [kind for kind, *_ in reminders(clinic, START - before, 2 * MINUTE)] == kinds


def test_a_moved_consultation_is_reminded_of_its_new_time(clinic: Clinic, user: str) -> None:
    appointment = clinic.book(user, START)
    assert len(reminders(clinic, START - 24 * HOUR)) == 1
    later = START + 3 * HOUR
    clinic.rows("UPDATE public.appointments SET scheduled_at = %s WHERE id = %s", later, appointment)
    assert reminders(clinic, START - 24 * HOUR + MINUTE) == []
    assert reminders(clinic, later - 24 * HOUR) == [("24h", later, later - 24 * HOUR)]


@pytest.mark.parametrize("status", ["pending", "cancelled", "completed", "in_progress", "no_show"])
def test_nobody_is_reminded_of_what_is_not_to_come(clinic: Clinic, user: str, status: str) -> None:
    clinic.book(user, START, status)
    assert reminders(clinic, START - 24 * HOUR) == []


def test_an_unpaid_consultation_is_reminded_once_it_is_paid(clinic: Clinic, user: str) -> None:
    appointment = clinic.book(user, START, "pending")
    assert reminders(clinic, START - 5 * HOUR) == []
    clinic.rows("UPDATE public.appointments SET status = 'confirmed' WHERE id = %s", appointment)
    assert [kind for kind, *_ in reminders(clinic, START - 4 * HOUR)] == ["24h"]


def test_a_reminder_is_not_claimed_when_its_sending_rolls_back(clinic: Clinic, user: str) -> None:
    clinic.book(user, START)
    clinic.rows("SAVEPOINT before")
    assert len(reminders(clinic, START - HOUR)) == 1
    clinic.rows("ROLLBACK TO before")
    assert len(reminders(clinic, START - HOUR)) == 1
