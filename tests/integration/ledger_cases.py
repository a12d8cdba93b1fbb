"""Orders for mails, and what the ledger and the outbox say of them."""

import email
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from typing import Any
from uuid import uuid4

import settings
from db import queries
from db.connection import Connection
from mail.delivery import deliver
from mail.ledger import Entry
from mail.order import read_order
from tests.integration.mail_cases import row


def outbox() -> list[EmailMessage]:
    files = sorted(settings.current().email_outbox_dir.glob("*.eml"))
    return [email.message_from_bytes(file.read_bytes(), policy=default) for file in files]


def order(template: str = "report_ready", **more: Any) -> dict[str, Any]:
    return {
        "to": "anna@example.com",
        "subject": "Ваш отчет готов",
        "template": template,
        "variables": {"name": "Анна"},
        **more,
    }


def send(payload: dict[str, Any], message_id: str = "m1") -> None:
    deliver(read_order(payload), message_id)


def ledger(conn: Connection) -> dict[str, Any]:
    return row(conn, "SELECT * FROM balansity.delivery")


def begin_sending(
    conn: Connection, message_id: str, kind: str = "report_ready", key: str = "k", ago: timedelta = timedelta()
) -> str:
    """What a worker that died so long ago, in the middle of its call, leaves behind."""
    delivery_id, state, number, *_ = queries.deliveries.begin(
        conn,
        entry=Entry(key, False, message_id, kind, "anna@example.com", "Ваш отчет готов", None),
        refusal=None,
        reason=None,
        despite=[],
        hourly=30,
        resend_after=timedelta(),
        provider="smtp",
        token=str(uuid4()),
    )
    assert (state, number is None) == ("sending", False)
    with conn.cursor() as cursor:
        cursor.execute("UPDATE balansity.delivery SET changed_at = changed_at - %s WHERE id = %s", (ago, delivery_id))
    return str(delivery_id)


def finish(conn: Connection, delivery: str, number: int, outcome: str, answer: str) -> None:
    queries.deliveries.finish_attempt(
        conn,
        delivery_id=delivery,
        number=number,
        outcome=outcome,
        answer=answer,
        provider_message_id="",
    )


def pass_time(conn: Connection, span: timedelta) -> None:
    with conn.cursor() as cursor:
        cursor.execute("UPDATE balansity.delivery SET changed_at = changed_at - %s", (span,))


def report_delivered(conn: Connection, delivery: str) -> None:
    queries.deliveries.record_event(
        conn, id="e1", delivery_id=delivery, kind="delivered", detail=None, occurred_at=datetime.now(UTC)
    )
