"""A week of a clinic, minute by minute: every reminder that is owed leaves once, at its moment or at once."""

import itertools
import random
from bisect import bisect_left
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from uuid import uuid4

import pytest

from actors.appointments import LOOK_AHEAD, Reminder, mail
from db import queries
from db.connection import Connection
from db.database import pool
from mail.delivery import deliver
from mail.order import read_order
from tests.clinic import Clinic

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WINDOWS = {"24h": (24 * HOUR, HOUR), "1h": (HOUR, timedelta(0))}  # from and until so long before the consultation
BEGIN = datetime(2026, 10, 22, tzinfo=UTC)  # the clocks of Berlin, where the session is, go back on the 25th
END = BEGIN + 7 * DAY
OUTAGES = [(BEGIN + 2 * DAY, BEGIN + 2 * DAY + 3 * HOUR), (BEGIN + 5 * DAY, BEGIN + 5 * DAY + 25 * HOUR)]
NOTICE = [2 * MINUTE, 50 * MINUTE, 90 * MINUTE, 20 * HOUR, 30 * HOUR, 60 * HOUR]  # how long ahead people book

State = tuple[datetime, datetime, str]  # from when on a consultation is for what time, in which status
Key = tuple[int, str, datetime]  # consultation, kind, its time


def is_down(moment: datetime) -> bool:
    return any(start <= moment < end for start, end in OUTAGES)


# When a scheduler looks: every minute, up to 2 s late, but for the outages.
ALL_TICKS = [BEGIN + n * MINUTE + timedelta(milliseconds=n * 37 % 2000) for n in range(7 * 24 * 60)]
TICKS = [tick for tick in ALL_TICKS if not is_down(tick)]


def lives(chance: random.Random, consultations: int) -> list[list[State]]:
    """Consultations booked for any minute at any second, and moved, cancelled or paid for later."""
    found = []
    for n in range(consultations):
        booked = BEGIN + chance.random() * 6 * DAY
        states = [(booked, time_after(booked, n, chance), chance.choice(["scheduled", "confirmed", "pending"]))]
        if chance.random() < 0.5:
            changed = chance.choice(
                [booked + chance.random() * 2 * DAY, max(states[0][1] - DAY, booked + 2 * MINUTE) - 0.5 * MINUTE]
            )
            time, status = chance.choice(
                [
                    (time_after(changed, n, chance), states[0][2]),
                    (states[0][1], "cancelled"),
                    (states[0][1], "confirmed"),
                ]
            )
            states.append((changed, time, status))
        found.append(states)
    return found


def time_after(moment: datetime, n: int, chance: random.Random) -> datetime:
    return (moment + chance.choice(NOTICE)).replace(minute=n % 60, second=0, microsecond=0) + HOUR


def owed(states: list[State]) -> dict[tuple[str, datetime], datetime]:
    """The reminders a consultation should get, by kind and time, and when each should leave."""
    found: dict[tuple[str, datetime], datetime] = {}
    ends = [since for since, *_ in states[1:]] + [END]
    for (since, scheduled_at, status), end in zip(states, ends, strict=True):
        for kind, (before, until) in WINDOWS.items():
            moment = scheduled_at - before
            look = bisect_left(TICKS, max(since, moment - LOOK_AHEAD + timedelta(microseconds=1)))
            leaves = TICKS[look] if look < len(TICKS) else END
            if status in {"scheduled", "confirmed"} and leaves < min(scheduled_at - until, end, END):
                found.setdefault((kind, scheduled_at), max(moment, leaves))
    return found


def is_true(states: list[State], scheduled_at: datetime, at: datetime) -> bool:
    """Whether a reminder of that time is still right at this moment."""
    _, time, status = [state for state in states if state[0] <= at][-1]
    return time == scheduled_at and status in {"scheduled", "confirmed"}


@pytest.mark.parametrize("consultations", [300, pytest.param(600, marks=pytest.mark.heavy)])
def test_each_reminder_of_a_week_leaves_once_and_on_time(
    connection: Connection, environment: pytest.MonkeyPatch, consultations: int
) -> None:
    clinic, all_lives = Clinic(connection), lives(random.Random(1035), consultations)
    clinic.rows("SET TimeZone TO 'Europe/Berlin'")
    expected = {(n, *key): leaves for n, states in enumerate(all_lives) for key, leaves in owed(states).items()}

    week = Week(clinic)
    week.live(all_lives)

    assert week.left == expected
    assert len(week.left) > consultations
    assert {kind for _, kind, _ in week.left} == {"24h", "1h"}
    assert {scheduled_at.minute for _, _, scheduled_at in week.left} == set(range(60))
    for (n, kind, scheduled_at), leaves in week.left.items():
        since = min(
            since
            for since, time, status in all_lives[n]
            if time == scheduled_at and status in {"scheduled", "confirmed"}
        )
        due = max(since, scheduled_at - WINDOWS[kind][0])
        assert leaves - due < timedelta(seconds=62) or is_down(due)

    ends = {
        week.delivery_keys[n, kind, time]: ("sent", 1) if is_true(all_lives[n], time, leaves) else ("superseded", 0)
        for (n, kind, time), leaves in expected.items()
    }
    ledger = {key: end for key, *end in clinic.rows("SELECT key, state, attempts FROM balansity.delivery")}
    assert {key: tuple(end) for key, end in ledger.items()} == ends
    assert set(ends.values()) == {("sent", 1), ("superseded", 0)}


class Week:
    """What happens in the clinic: changes of consultations and mails at their moments, a look at every tick."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic
        self.ids: dict[int, str] = {}
        self.left: dict[Key, datetime] = {}
        self.delivery_keys: dict[Key, str] = {}
        self.agenda: list[tuple[datetime, int, Callable[[], None]]] = []  # the soonest first
        self.order = itertools.count()

    def live(self, all_lives: list[list[State]]) -> None:
        for n, states in enumerate(all_lives):
            for since, time, status in states:
                self.plan(since, partial(self.change, n, time, status))
        for now in TICKS:
            self.happen(now)
            self.look(now)
        self.happen(END + LOOK_AHEAD)

    def plan(self, moment: datetime, what: Callable[[], None]) -> None:
        heappush(self.agenda, (moment, next(self.order), what))

    def happen(self, until: datetime) -> None:
        while self.agenda and self.agenda[0][0] <= until:
            heappop(self.agenda)[2]()

    def change(self, n: int, time: datetime, status: str) -> None:
        if n in self.ids:
            change = "UPDATE public.appointments SET scheduled_at = %s, status = %s WHERE id = %s"
            self.clinic.rows(change, time, status, self.ids[n])
        else:
            family = self.clinic.add_user(f"family{n}@example.com")
            self.ids[n] = self.clinic.book(family, time, status)

    def look(self, now: datetime) -> None:
        """Claim the reminders that are due, and plan their mails."""
        numbers = {row_id: n for n, row_id in self.ids.items()}
        for reminder in queries.appointments.claim_reminders(
            self.clinic.connection, now=now, until=now + LOOK_AHEAD, keys=None
        ):
            key = numbers[reminder.appointment_id], reminder.kind, datetime.fromisoformat(reminder.scheduled_at)
            assert key not in self.left
            self.left[key] = reminder.due_at
            self.delivery_keys[key] = mail(reminder)["key"]
            self.plan(reminder.due_at, partial(self.send, reminder))

    def send(self, reminder: Reminder) -> None:
        self.clinic.set_clock(reminder.due_at)
        pool.closeall()  # the clock is that of connections opened from now on
        deliver(read_order(mail(reminder)), str(uuid4()))
