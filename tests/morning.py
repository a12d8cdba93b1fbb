"""A bad morning at the clinic: what happened before the person who answers for this system looked."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import actors
import scheduler
import settings
from actors.emails import send_email
from actors.reports import generate_report
from broker import broker
from db.connection import connect
from mail.delivery import deliver
from mail.order import read_order
from tests.clinic import Clinic
from tests.faults.crew import Office, Worker
from tests.integration.report_cases import completed_checkup
from tests.waiting import until

BY_MISTAKE = 5_000
LATE = "UPDATE dramatiq.queue SET available_at = now() - interval '15 minutes' WHERE state = 'queued'"
FAILED = """
    INSERT INTO dramatiq.queue (message_id, queue_name, state, message, error, mtime)
    VALUES (%s, 'emails', 'rejected', jsonb_build_object('actor_name', 'send_email', 'args', '[]'::jsonb, 'options',
            '{}'::jsonb, 'kwargs', %s::jsonb), %s, now())
"""


class Morning:
    """What each of the ten tasks is about."""

    def __init__(self, clinic: Clinic, url: str, folder: Path) -> None:
        self.clinic = clinic
        self.url = url
        self.folder = folder
        actors.publish(url, scheduler.publish)

    def somebody_was_not_reminded(self) -> str:
        """Her consultation of tomorrow is not paid; gives her address."""
        anna = self.clinic.add_user("anna@example.com")
        self.clinic.book(anna, datetime.now(UTC) + timedelta(hours=20), "pending")
        return "anna@example.com"

    def mails_failed_in_two_ways(self) -> None:
        """Three for a provider's sake, which is mended, and one that no trying again will help."""
        for number, error in enumerate(
            [
                *(f"gateways.mail.envelope.Refused: 535 login {number} is wrong" for number in range(3)),
                "mail.checks.Unsendable: <anna> is no address",
            ]
        ):
            order = {"to": f"p{number}@example.com", "subject": "s", "template": "report_ready"}
            self.clinic.rows(FAILED, f"{number:08x}-0000-4000-8000-000000000000", json.dumps(order), error)

    def sent_a_report(self) -> str:
        """Its mail went out with it, and the family cannot find it; gives the mail's delivery."""
        assessment_id = completed_checkup(self.clinic, self.clinic.add_user("anna@example.com"))
        generate_report(assessment_id=assessment_id, report_type="pdf", send_email=True)
        [(message_id, order)] = self.clinic.rows(
            "SELECT message_id::text, message -> 'kwargs' FROM dramatiq.queue WHERE queue_name = 'emails'"
        )
        deliver(read_order(order), message_id)
        return str(self.clinic.value("SELECT id FROM balansity.delivery"))

    def a_payment_is_stuck(self) -> str:
        """Settled in a way that nobody can explain; gives the number in the family's mail."""
        payment = self.clinic.add_payment(self.clinic.add_user(), status="cancelled", external_payment_id="2c5d-77")
        self.clinic.set_payment(payment, "completed")
        return payment[:8].upper()

    def last_night(self) -> None:
        """Jobs ran at two, three and four by the clinic's clocks, and one of them failed."""
        for hours, state, outcome in (
            (2, "failed", "OperationalError"),
            (3, "succeeded", "3 purged"),
            (4, "succeeded", "0 purged"),
        ):
            self.clinic.rows(
                "INSERT INTO balansity.slot (job, slot, state, enqueued_at, started_at, finished_at, outcome)"
                " SELECT 'purge-messages', date_trunc('day', now(), %s) + %s * interval '1 hour', %s,"
                " now(), now(), now(), %s",
                *(settings.current().time_zone.key, hours, state, outcome),
            )

    def tomorrow(self) -> str:
        """A consultation comes; gives it."""
        return self.clinic.book(self.clinic.add_user(), datetime.now(UTC) + timedelta(days=1, hours=2))

    def mails_by_mistake(self) -> None:
        """A script ordered them a minute ago."""
        broker.enqueue_many(
            send_email.message(to=f"p{number}@example.com", subject="s", template="report_ready")
            for number in range(BY_MISTAKE)
        )

    @contextmanager
    def a_report_hangs(self) -> Iterator[str]:
        """On a lock of somebody's, in a worker that has no other thread; gives its message."""
        assessment_id = completed_checkup(self.clinic, self.clinic.add_user())
        with closing(connect(self.url)) as conn:
            with conn.cursor() as cursor:
                cursor.execute("LOCK TABLE public.answers IN ACCESS EXCLUSIVE MODE")
            message = generate_report.send(assessment_id=assessment_id, report_type="pdf")
            worker = Worker(Office(self.url, self.folder), "--threads", "1", "--queues", "reports", module="actors")
            try:
                until(lambda: self.clinic.rows("SELECT 1 FROM dramatiq.queue WHERE state = 'consumed'"), "it runs")
                self.clinic.rows(LATE)
                yield message.message_id
            finally:
                conn.rollback()
                worker.kill()
