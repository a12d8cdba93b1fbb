"""What families and the site do during the proof, and what must come of each deed, once."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg2

from tests.clinic import Clinic
from tests.faults.proof.scene import Scene
from tests.servers.yookassa import YooKassa

PAUSE_SECONDS = 0.2  # before the site tries again what failed
# Who did what, in the transaction that did it: the answer to a commit may be lost, and the deed is done all the same.
JOURNAL = "CREATE TABLE public.proof_deed (number integer, step integer, kind text, PRIMARY KEY (number, step))"
NOTE = "INSERT INTO public.proof_deed VALUES (%s, %s, %s) ON CONFLICT DO NOTHING RETURNING 1"
PRICE = "5000.00"


@dataclass(frozen=True)
class Deed:
    """One step of one family's business: `at` seconds after the beginning."""

    at: float
    number: int  # of the family
    kind: str
    step: int


@dataclass(frozen=True)
class Kind:
    """A business: its steps, each a transaction, and what must come of all of them for the family."""

    steps: tuple[Callable[["Family"], None], ...]
    mails: tuple[str, ...]
    payment: str | None = None  # the status in which each of these ends
    appointment: str | None = None
    reports: int = 0
    events: tuple[str, ...] = ()
    refunds: int = 0
    weight: int = 1


@dataclass(frozen=True)
class Family:
    """Whose business it is, and the transaction in which a step of it is done."""

    number: int
    clinic: Clinic
    yookassa: YooKassa

    @property
    def email(self) -> str:
        return address(self.number)

    @property
    def user_id(self) -> str:
        return str(self.clinic.value("SELECT id FROM public.users WHERE email = %s", self.email))

    def payment_id(self) -> str:
        return str(self.clinic.value("SELECT id FROM public.payments WHERE user_id = %s", self.user_id))


def address(number: int) -> str:
    return f"family-{number}@example.com"


def in_days(days: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)


def book(family: Family) -> None:
    family.clinic.book_for(family.clinic.add_family(email=family.email), in_days(5))


def book_for_today(family: Family) -> None:
    """So late that both reminders' moments are there: the later one takes over."""
    family.clinic.book_for(family.clinic.add_family(email=family.email), in_days(0.9 / 24))


def book_unpaid(family: Family) -> None:
    members = family.clinic.add_family(email=family.email)
    payment_id = family.clinic.add_payment(members.user_id)
    family.clinic.book_for(members, in_days(6), "pending", payment_id)


def pay(family: Family) -> None:
    family.clinic.set_payment(family.payment_id(), "completed")


def open_payment(family: Family) -> None:
    family.clinic.add_payment(family.clinic.add_family(email=family.email).user_id, status="processing")


def fail_to_pay(family: Family) -> None:
    family.clinic.set_payment(family.payment_id(), "failed")


def begin_check_up(family: Family) -> None:
    members = family.clinic.add_family(email=family.email)
    check_up = family.clinic.value(
        "INSERT INTO public.assessments (profile_id, assessment_type, total_steps) VALUES (%s, 'checkup', 31) "
        "RETURNING id",
        members.child_id,
    )
    family.clinic.rows(
        "INSERT INTO public.answers (assessment_id, question_id, question_code, answer_type, value) "
        "SELECT %s, n, 'q' || n, CASE WHEN n > 22 THEN 'impact' ELSE 'default' END, n %% 3 "
        "FROM generate_series(2, 31) AS n WHERE n <> 22",
        check_up,
    )


def complete_check_up(family: Family) -> None:
    family.clinic.rows(
        "UPDATE public.assessments SET status = 'completed', completed_at = now(), updated_at = now() "
        "WHERE profile_id IN (SELECT id FROM public.profiles WHERE user_id = %s)",
        family.user_id,
    )


def pay_unseen(family: Family) -> None:
    """The money is at YooKassa, whose notice never came; the site asks to look."""
    _ask_about(family, "pending", "verify")


def ask_for_refund(family: Family) -> None:
    _ask_about(family, "completed", "refund")


def _ask_about(family: Family, status: str, action: str) -> None:
    external_id = family.yookassa.add_payment(value=PRICE)
    user_id = family.clinic.add_family(email=family.email).user_id
    payment_id = family.clinic.add_payment(user_id, status=status, external_payment_id=external_id)
    family.clinic.rows("SELECT public.queue_payment_processing(%s, %s)", payment_id, action)


def write_letter(family: Family) -> None:
    family.clinic.add_family(email=family.email)
    family.clinic.rows(
        "SELECT public.queue_email_task(%s, 'Оплата', 'payment_confirmation', '{\"amount\": 5000}', 1)", family.email
    )


KINDS = {
    "booking": Kind((book,), ("appointment_confirmation",), appointment="scheduled", weight=3),
    "booking for today": Kind(
        (book_for_today,), ("appointment_confirmation", "appointment_reminder_1h"), appointment="scheduled"
    ),
    "payment": Kind(
        (book_unpaid, pay),
        ("appointment_confirmation", "payment_confirmation"),
        payment="completed",
        appointment="confirmed",
        events=("payment_completed",),
        weight=3,
    ),
    "failed payment": Kind(
        (open_payment, fail_to_pay), ("payment_failed",), payment="failed", events=("payment_failed",)
    ),
    "check-up": Kind(
        (begin_check_up, complete_check_up),
        ("checkup_completed", "report_ready"),
        reports=1,
        events=("assessment_completed",),
        weight=2,
    ),
    "unseen payment": Kind(
        (pay_unseen,), ("payment_confirmation",), payment="completed", events=("payment_completed",)
    ),
    "refund": Kind(
        (ask_for_refund,), ("payment_refunded",), payment="refunded", events=("payment_refunded",), refunds=1
    ),
    "letter": Kind((write_letter,), ("payment_confirmation",)),
}


class Site:
    """Does deeds one after the other, each until it is done, whatever the database does meanwhile."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def do(self, deeds: list[Deed]) -> None:
        began = time.monotonic()
        for deed in deeds:
            self.scene.over.wait(max(0.0, deed.at - (time.monotonic() - began)))
            while not self.scene.over.is_set() and not self._try(deed):
                time.sleep(PAUSE_SECONDS)

    def _try(self, deed: Deed) -> bool:
        options = "-c statement_timeout=20s -c default_transaction_read_only=off"
        try:
            with closing(psycopg2.connect(self.scene.server.url, options=options, connect_timeout=5)) as conn, conn:
                clinic = Clinic(conn)
                if clinic.rows(NOTE, deed.number, deed.step, deed.kind):
                    KINDS[deed.kind].steps[deed.step](Family(deed.number, clinic, self.scene.yookassa))
        except psycopg2.Error:
            return False
        return True
