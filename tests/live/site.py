"""The site's own statements: a signed-in visitor's, its server's and its webhook's, one transaction each."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import psycopg2

from db.connection import Connection
from tests.clinic import Clinic

T = TypeVar("T")
OPTIONS = "-c lock_timeout=1s"  # nothing of ours makes the site wait longer
RESULTS = {
    "emotional": {"score": 5, "status": "concerning"},
    "prosocial": {"score": 3, "status": "concerning"},
    "total_difficulties": 21,
    "calculated_at": "2026-11-24T09:05:00Z",
}


@dataclass(frozen=True)
class Customer:
    """A parent who signed up, with one child."""

    user_id: str
    child_id: str
    email: str


class Site:
    """Writes as the live site does: visitors under row-level security, the server with its service role."""

    def __init__(self, url: str) -> None:
        self.url = url

    @contextmanager
    def _transaction(self, role: str, user_id: str = "") -> Iterator[Clinic]:
        conn: Connection = psycopg2.connect(self.url, application_name="site", options=OPTIONS)
        try:
            with conn:
                clinic = Clinic(conn)
                clinic.rows("SELECT set_config('request.jwt.claim.sub', %s, true)", user_id)
                clinic.rows(f"SET LOCAL ROLE {role}")
                yield clinic
        finally:
            conn.close()

    @contextmanager
    def visitor(self, customer: Customer) -> Iterator[Clinic]:
        """A transaction of a signed-in user's browser."""
        with self._transaction("authenticated", customer.user_id) as clinic:
            yield clinic

    @contextmanager
    def anonymous(self) -> Iterator[Clinic]:
        """A transaction of somebody who has not signed in."""
        with self._transaction("anon") as clinic:
            yield clinic

    @contextmanager
    def server(self) -> Iterator[Clinic]:
        """A transaction of the site's server."""
        with self._transaction("service_role") as clinic:
            yield clinic

    def sign_up(self, email: str = "anna@example.com") -> Customer:
        """Supabase adds the person; the site's own trigger gives them their row of `users`."""
        with self.server() as server:
            user_id = str(server.value("INSERT INTO auth.users (email) VALUES (%s) RETURNING id", email))
            child_id = server.value(
                "INSERT INTO profiles (user_id, type, first_name, last_name) "
                "VALUES (%s, 'child', 'Мария', 'Ёлкина') RETURNING id",
                user_id,
            )
        return Customer(user_id, str(child_id), email)

    def book(self, customer: Customer, scheduled_at: datetime, kind: str = "Детский психолог") -> str:
        """A consultation; the site knows no `pending`, so it is `scheduled` whether paid or not."""
        with self.visitor(customer) as visitor:
            return str(
                visitor.value(
                    "INSERT INTO appointments (user_id, profile_id, appointment_type_id, scheduled_at, status) "
                    "SELECT %s, %s, id, %s, 'scheduled' FROM appointment_types WHERE name = %s RETURNING id",
                    *(customer.user_id, customer.child_id, scheduled_at, kind),
                )
            )

    def move(self, customer: Customer, appointment_id: str, scheduled_at: datetime) -> None:
        with self.visitor(customer) as visitor:
            visitor.rows("UPDATE appointments SET scheduled_at = %s WHERE id = %s", scheduled_at, appointment_id)

    def cancel(self, customer: Customer, appointment_id: str) -> None:
        with self.visitor(customer) as visitor:
            visitor.rows("UPDATE appointments SET status = 'cancelled' WHERE id = %s", appointment_id)

    def delete_appointment(self, appointment_id: str) -> None:
        """What specialists do instead of cancelling."""
        with self.server() as server:
            server.rows("DELETE FROM appointments WHERE id = %s", appointment_id)

    def check_out(self, customer: Customer, metadata: dict[str, Any], amount: str = "5000.00") -> str:
        """Two rows, one by the browser, which stays pending for ever, one by the API; returns the provider's id."""
        with self.visitor(customer) as visitor:
            visitor.rows(
                "INSERT INTO payments (user_id, amount, status, payment_method, metadata) "
                "VALUES (%s, %s, 'pending', 'yookassa', %s)",
                *(customer.user_id, amount, json.dumps(metadata)),
            )
        external_id = str(uuid.uuid4())
        with self.server() as server:
            server.rows(
                "INSERT INTO payments (user_id, amount, status, payment_method, metadata, external_payment_id) "
                "VALUES (%s, %s, 'pending', 'yookassa', %s, %s)",
                *(customer.user_id, amount, json.dumps(metadata), external_id),
            )
        return external_id

    def hear_of_payment(self, external_id: str, status: str = "completed") -> bool:
        """The site's webhook: true where it found the payment pending. It locks the payment, then what was bought."""
        with self.server() as server:
            found = server.rows(
                "UPDATE payments SET status = %s WHERE external_payment_id = %s AND status = 'pending' "
                "RETURNING id, metadata ->> 'appointment_id'",
                *(status, external_id),
            )
            for payment_id, appointment_id in found if status == "completed" else []:
                server.rows("UPDATE appointments SET payment_id = %s WHERE id = %s", payment_id, appointment_id)
        return bool(found)

    def begin_checkup(self, customer: Customer, kind: str = "checkup") -> str:
        with self.visitor(customer) as visitor:
            assessment_id = visitor.value(
                "INSERT INTO assessments (profile_id, assessment_type) VALUES (%s, %s) RETURNING id",
                *(customer.child_id, kind),
            )
            for question in range(2, 22):  # whose types the site leaves empty
                visitor.rows(
                    "INSERT INTO answers (assessment_id, question_id, value) VALUES (%s, %s, 1)",
                    *(assessment_id, question),
                )
        return str(assessment_id)

    def complete_checkup(self, customer: Customer, assessment_id: str, results: Any = RESULTS) -> None:
        """Results are written in the same UPDATE that completes."""
        with self.visitor(customer) as visitor:
            visitor.rows(
                "UPDATE assessments SET status = 'completed', completed_at = now(), results_summary = %s WHERE id = %s",
                *(json.dumps(results), assessment_id),
            )

    def read_appointments(self, customer: Customer) -> list[tuple[Any, ...]]:
        """The page that every visitor opens."""
        with self.visitor(customer) as visitor:
            return visitor.rows(
                "SELECT a.id, a.status, t.name, p.status FROM appointments a "
                "JOIN appointment_types t ON t.id = a.appointment_type_id LEFT JOIN payments p ON p.id = a.payment_id "
                "ORDER BY a.scheduled_at"
            )


@dataclass
class Load:
    """What became of the site's transactions while something else went on."""

    seconds: list[float] = field(default_factory=list)  # that each took
    failures: list[str] = field(default_factory=list)

    def measure(self, statement: Callable[[], T]) -> T:
        began = time.monotonic()
        try:
            return statement()
        except psycopg2.Error as error:
            self.failures.append(f"{error.pgcode}: {error}")
            raise
        finally:
            self.seconds.append(time.monotonic() - began)

    @property
    def longest(self) -> float:
        return max(self.seconds, default=0.0)


@contextmanager
def load(site: Site, customers: Sequence[Customer], pause_seconds: float = 0.05) -> Iterator[Load]:
    """The site's statements, a thread for each customer, until the block ends; a customer pauses between two visits."""
    seen, over = Load(), threading.Event()

    def live(customer: Customer) -> None:
        while not over.wait(pause_seconds):  # people think; the processor is left to what the load is to disturb
            with suppress(psycopg2.Error):  # which is noted
                _visit(site, customer, seen)

    threads = [threading.Thread(target=live, args=[customer], daemon=True) for customer in customers]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _visit(site: Site, customer: Customer, seen: Load) -> None:
    """A consultation is booked, paid and moved; a check-up is completed."""
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    appointment_id = seen.measure(lambda: site.book(customer, tomorrow))
    external_id = seen.measure(lambda: site.check_out(customer, {"appointment_id": appointment_id}))
    seen.measure(lambda: site.hear_of_payment(external_id))
    seen.measure(lambda: site.read_appointments(customer))
    seen.measure(lambda: site.move(customer, appointment_id, tomorrow + timedelta(days=1)))
    checkup_id = seen.measure(lambda: site.begin_checkup(customer))
    seen.measure(lambda: site.complete_checkup(customer, checkup_id))
