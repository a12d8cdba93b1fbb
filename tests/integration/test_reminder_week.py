"""A week of a clinic, minute by minute: every reminder that is owed leaves once, at its moment or at once."""

import random
from bisect import bisect_left
from datetime import UTC, datetime, timedelta

from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case

from actors.appointments import LOOK_AHEAD
from tests.clinic import Clinic

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WINDOWS = {"24h": (24 * HOUR, HOUR), "1h": (HOUR, timedelta(0))}  # from and until so long before the consultation
BEGIN = datetime(2026, 10, 22, tzinfo=UTC)  # Berlin's clocks go back on the 25th; reminders must not care
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


def lives(chance: random.Random) -> list[list[State]]:
    """Consultations booked for any minute at any second, and moved, cancelled or paid for later."""
    found = []
    for n in range(600):
        booked = BEGIN + chance.random() * 6 * DAY
        states = [(booked, time_after(booked, n, chance), chance.choice(["scheduled", "confirmed", "pending"]))]
        if chance.random() < 0.5:
            changed = booked + chance.random() * 2 * DAY
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


def test_each_reminder_of_a_week_leaves_once_and_on_time(connection: Connection) -> None:
    clinic, all_lives = Clinic(connection), lives(random.Random(1035))
    expected = {(n, *key): leaves for n, states in enumerate(all_lives) for key, leaves in owed(states).items()}

    left = walk(clinic, all_lives)

    assert left == expected
    assert len(left) > 500
    assert {kind for _, kind, _ in left} == {"24h", "1h"}
    assert {scheduled_at.minute for _, _, scheduled_at in left} == set(range(60))
    for (n, kind, scheduled_at), leaves in left.items():
        since = min(
            since
            for since, time, status in all_lives[n]
            if time == scheduled_at and status in {"scheduled", "confirmed"}
        )
        due = max(since, scheduled_at - WINDOWS[kind][0])
        assert leaves - due < timedelta(seconds=62) or is_down(due)


def walk(clinic: Clinic, all_lives: list[list[State]]) -> dict[Key, datetime]:
    """Live the week; returns when each reminder left."""
    user = clinic.add_user()
    changes = sorted((since, n, time, status) for n, states in enumerate(all_lives) for since, time, status in states)
    ids: dict[int, str] = {}
    left: dict[Key, datetime] = {}
    for now in TICKS:
        while changes and changes[0][0] <= now:
            _, n, time, status = changes.pop(0)
            if n in ids:
                clinic.rows(
                    "UPDATE public.appointments SET scheduled_at = %s, status = %s WHERE id = %s", time, status, ids[n]
                )
            else:
                ids[n] = clinic.book(user, time, status)
        numbers = {row_id: n for n, row_id in ids.items()}
        for row_id, kind, time, due_at in clinic.rows(
            "SELECT appointment_id::text, kind, scheduled_at, due_at FROM balansity.claim_reminders(%s, %s)",
            *(now, now + LOOK_AHEAD),
        ):
            assert (numbers[row_id], kind, time) not in left
            left[numbers[row_id], kind, time] = due_at
    return left
