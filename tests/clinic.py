"""The site as tests see it: it writes rows the way the live one does."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg2 import extensions, sql

from db import takeover
from db.connection import Connection
from db.migrate import migrate


def take_over(url: str) -> None:
    """Migrate a database where an old system lives, and put ours in charge."""
    migrate(url)
    takeover.take_over(url)


@dataclass(frozen=True)
class Family:
    """A parent with one child."""

    user_id: str
    child_id: str


IN_PGMQ = "SELECT coalesce(sum(queue_length), 0) FROM pgmq.metrics_all()"
UNFINISHED = "SELECT count(*) FROM dramatiq.queue WHERE state IN ('queued', 'consumed')"


class Clinic:
    """Writes and reads the service's tables through one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.connection.cursor(cursor_factory=extensions.cursor) as cursor:  # whose columns need no names
            cursor.execute(statement, values)
            return [] if cursor.description is None else cursor.fetchall()

    def value(self, statement: str, *values: Any) -> Any:
        [(found,)] = self.rows(statement, *values)
        return found

    def make_for_all(self, *statements: str) -> None:
        """Make what the databases of all tests share, a role say, as far as no other test has."""
        for statement in statements:
            self.rows(f"DO $$ BEGIN {statement}; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$")

    def is_worked_off(self) -> bool:
        """Whether no message waits or runs; pgmq is asked first, for a move to the queue may come between the two."""
        return not self.value(IN_PGMQ) and not self.value(UNFINISHED)

    def set_clock(self, moment: datetime) -> None:
        """Let it be `moment` in this database: its owner replaces the clock, as nobody else can."""
        with self.connection.cursor() as cursor:
            cursor.execute(
                sql.SQL(
                    "CREATE OR REPLACE FUNCTION balansity.now() RETURNS timestamptz LANGUAGE sql STABLE "
                    "RETURN {}::timestamptz"
                ).format(sql.Literal(moment.isoformat()))
            )

    def plan_up_to_now(self) -> None:
        """Let no slot be unplanned: the template of the tests' databases grows old while they run."""
        self.rows("UPDATE balansity.job SET planned_until = now()")

    def add_user(self, email: str | None = "anna@example.com") -> str:
        return str(self.value("INSERT INTO public.users (email) VALUES (%s) RETURNING id", email))

    def add_checkup(self, user_id: str | None) -> str:
        profile_id = user_id and self.value(
            "INSERT INTO public.profiles (user_id, type, first_name, last_name) "
            "VALUES (%s, 'child', 'Мария', 'Ёлкина') RETURNING id",
            user_id,
        )
        return str(
            self.value(
                "INSERT INTO public.assessments (profile_id, assessment_type) VALUES (%s, 'checkup') RETURNING id",
                profile_id,
            )
        )

    def add_family(self, parent: str = "Анна", child: str = "Миша", email: str = "anna@example.com") -> Family:
        user_id = self.add_user(email)
        profile = "INSERT INTO public.profiles (user_id, type, first_name) VALUES (%s, %s, %s) RETURNING id"
        self.rows(profile, user_id, "parent", parent)
        return Family(user_id, str(self.value(profile, user_id, "child", child)))

    def add_completed_checkup(self, family: Family) -> str:
        return str(
            self.value(
                "INSERT INTO public.assessments (profile_id, assessment_type, status, completed_at) "
                "VALUES (%s, 'checkup', 'completed', '2026-11-24T09:05:00Z') RETURNING id",
                family.child_id,
            )
        )

    def type_id(self, name: str = "Детский психолог") -> str:
        return str(self.value("SELECT id FROM public.appointment_types WHERE name = %s", name))

    def book(
        self,
        user_id: str,
        scheduled_at: datetime,
        status: str = "scheduled",
        duration_minutes: int | None = None,
        payment_id: str | None = None,
    ) -> str:
        return str(
            self.value(
                "INSERT INTO public.appointments "
                "(user_id, appointment_type_id, scheduled_at, status, duration_minutes, payment_id) "
                "VALUES (%s, %s, %s, %s, %s, %s) RETURNING id",
                *(user_id, self.type_id(), scheduled_at, status, duration_minutes, payment_id),
            )
        )

    def book_for(
        self, family: Family, scheduled_at: datetime, status: str = "scheduled", payment_id: str | None = None
    ) -> str:
        """A consultation about the child, written in columns that the oldest deployments have."""
        return str(
            self.value(
                "INSERT INTO public.appointments "
                "(user_id, profile_id, appointment_type_id, scheduled_at, status, payment_id) "
                "VALUES (%s, %s, %s, %s, %s, %s) RETURNING id",
                *(family.user_id, family.child_id, self.type_id(), scheduled_at, status, payment_id),
            )
        )

    def add_payment(
        self,
        user_id: str,
        metadata: Any = None,
        *,
        status: str = "pending",
        amount: str = "5000.00",
        currency: str = "RUB",
        external_payment_id: str | None = None,
        payment_method: str | None = "yookassa",
    ) -> str:
        return str(
            self.value(
                "INSERT INTO public.payments "
                "(user_id, metadata, status, amount, currency, external_payment_id, payment_method) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
                *(user_id, json.dumps(metadata), status, amount, currency, external_payment_id, payment_method),
            )
        )

    def set_payment(self, payment_id: str, *statuses: str) -> None:
        for status in statuses:
            self.rows("UPDATE public.payments SET status = %s WHERE id = %s", status, payment_id)

    def pay_anew(self, payment_id: str, external_payment_id: str) -> None:
        """Another attempt at a payment, under an id of its own at the provider."""
        self.rows(
            "UPDATE public.payments SET status = 'pending', external_payment_id = %s WHERE id = %s",
            *(external_payment_id, payment_id),
        )

    def appointment(self, appointment_id: str) -> tuple[str, str | None]:
        """Its status and the payment it is linked to."""
        [found] = self.rows("SELECT status, payment_id::text FROM public.appointments WHERE id = %s", appointment_id)
        return found[0], found[1]

    def messages(self, queue: str) -> list[dict[str, Any]]:
        """What has been sent to a pgmq queue and nobody has read."""
        statement = {
            "email_queue": "SELECT message FROM pgmq.q_email_queue ORDER BY msg_id",
            "report_generation_queue": "SELECT message FROM pgmq.q_report_generation_queue ORDER BY msg_id",
            "payment_processing_queue": "SELECT message FROM pgmq.q_payment_processing_queue ORDER BY msg_id",
            "analytics_queue": "SELECT message FROM pgmq.q_analytics_queue ORDER BY msg_id",
        }[queue]
        return [message for (message,) in self.rows(statement)]

    def templates(self) -> list[str]:
        """Of the mails that have been sent, in order."""
        return [mail["template"] for mail in self.messages("email_queue")]

    def payment_mails(self) -> list[str]:
        """The templates of those that were about a payment."""
        return [template for template in self.templates() if template.startswith("payment")]

    def events(self) -> list[str]:
        """The types of the analytics events that have been sent, in order."""
        return [event["type"] for event in self.messages("analytics_queue")]

    def payment_status(self, payment_id: str) -> str:
        return str(self.value("SELECT status FROM public.payments WHERE id = %s", payment_id))

    def flags(self, payment_id: str) -> list[str]:
        """Why a person has to look at this payment."""
        statement = "SELECT reason FROM balansity.payment_flag WHERE payment_id = %s ORDER BY flagged_at, reason"
        return [reason for (reason,) in self.rows(statement, payment_id)]
