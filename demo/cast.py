"""Who plays: families with their history, written as the site would have written it."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from db import queries
from db.connection import Connection

FAMILIES = {
    # parent: (first name, last name), child: (first name, last name, born, gender)
    "check-up": (("Анна", "Соколова"), ("Мария", "Соколова", "2016-04-12", "female")),
    "booking": (("Борис", "Ёлкин"), ("Фёдор", "Ёлкин", "2013-09-30", "male")),
    "tomorrow": (("Вера", "Преображенская"), ("Илья", "Преображенский", "2018-01-05", "male")),
    "soon": (("Григорий", "Щукин"), ("Алёна", "Щукина", "2015-11-23", "female")),
    "payment": (("Дарья", "Мельникова"), ("Тимофей", "Мельников", "2014-06-17", "male")),
    "failure": (("Егор", "Цветков"), ("Злата", "Цветкова", "2017-03-08", "female")),
    "today": (("Жанна", "Орлова"), ("Юлия", "Орлова", "2012-12-01", "female")),
}
PAST = (
    # family, days ago, consultation, how it ended, what became of its payment
    ("today", 14, "Детский психолог", "completed", "completed"),
    ("soon", 9, "Семейный психолог", "cancelled", "refunded"),
    ("booking", 5, "Логопед", "cancelled", "cancelled"),
)
SEED = 20  # the answers are invented, but the same in every run
MOMENTS_AHEAD = timedelta(seconds=20)  # how soon after the curtain rises the reminders fall due


@dataclass(frozen=True)
class Family:
    """A parent's account and a child's profile."""

    user_id: str
    child_id: str
    parent: str


@dataclass(frozen=True)
class Cast:
    """The families by their part, and the rows that the acts change or watch."""

    families: dict[str, Family]
    assessment_id: str
    stale_assessment_id: str
    unpaid_appointment_id: str
    payment_id: str
    failing_payment_id: str
    begun_appointment_id: str
    over_appointment_id: str

    def user(self, part: str) -> str:
        return self.families[part].user_id


def assemble(conn: Connection) -> Cast:
    """Write the families and what happened before the curtain rises."""
    queries.demo.be_silent(conn)
    families = {part: _family(conn, number, *FAMILIES[part]) for number, part in enumerate(FAMILIES)}
    now = datetime.now(UTC)
    paying, failing = families["payment"], families["failure"]
    payment_id = queries.demo.add_payment(conn, user_id=paying.user_id, amount=5000, status="pending")
    odd = now.replace(minute=35, second=0, microsecond=0) + timedelta(days=3)  # half past something, as people book
    for part, days, type_name, status, paid in PAST:
        payment = queries.demo.add_payment(conn, user_id=families[part].user_id, amount=5000, status=paid)
        _book(conn, families[part], odd - timedelta(days=3 + days), type_name, status=status, payment_id=payment)
    _book(conn, families["tomorrow"], now + timedelta(hours=24) + MOMENTS_AHEAD, "Детский психолог")
    soon = _book(conn, families["soon"], now + timedelta(hours=1) + MOMENTS_AHEAD, "Семейный психолог")
    queries.demo.add_reminder(conn, appointment_id=soon, kind="24h")
    cast = Cast(
        families=families,
        assessment_id=_answered(conn, families["check-up"], now - timedelta(minutes=25)),
        stale_assessment_id=_answered(conn, families["booking"], now - timedelta(days=31)),
        unpaid_appointment_id=_book(conn, paying, odd, "Логопед", status="pending", payment_id=payment_id),
        payment_id=payment_id,
        failing_payment_id=queries.demo.add_payment(conn, user_id=failing.user_id, amount=5000, status="processing"),
        begun_appointment_id=_book(conn, families["today"], now - timedelta(minutes=5), "Невролог"),
        over_appointment_id=_book(conn, families["today"], now - timedelta(hours=2), "Первичная встреча"),
    )
    queries.demo.be_heard(conn)
    queries.demo.note_paid(conn)
    return cast


def _family(conn: Connection, number: int, parent: tuple[str, str], child: tuple[str, str, str, str]) -> Family:
    user_id = queries.demo.add_user(conn, email=f"parent{number}@example.com", phone=f"+7900000000{number}")
    for type_, (first_name, last_name, dob, gender) in (("parent", (*parent, None, None)), ("child", child)):
        child_id = queries.demo.add_profile(
            conn, user_id=user_id, type=type_, first_name=first_name, last_name=last_name, dob=dob, gender=gender
        )
    return Family(user_id, child_id, " ".join(parent))


def _book(conn: Connection, family: Family, scheduled_at: datetime, type_name: str, **unpaid: str) -> str:
    values = {"status": "scheduled", "payment_id": None, **unpaid}
    booked: Any = queries.demo.add_appointment(
        conn,
        user_id=family.user_id,
        profile_id=family.child_id,
        type_name=type_name,
        scheduled_at=scheduled_at,
        **values,
    )
    return str(booked)


def _answered(conn: Connection, family: Family, started_at: datetime) -> str:
    """A check-up with every question answered; the site has not computed its results yet."""
    invented = random.Random(SEED)  # noqa: S311 - answers, not secrets
    assessment_id: Any = queries.demo.add_assessment(
        conn, profile_id=family.child_id, assessment_type="checkup", started_at=started_at
    )
    for question in (*range(2, 22), *range(23, 32)):
        queries.demo.add_answer(
            conn,
            assessment_id=assessment_id,
            question_id=question,
            answer_type="impact" if question > 22 else "default",
            value=invented.randint(0, 2 if question > 22 else 4),
        )
    return str(assessment_id)
