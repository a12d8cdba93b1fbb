"""The request's queue helpers for Python code: the same names and meanings as in SQL and on the site."""

from typing import Any
from uuid import UUID

from psycopg2.extras import Json

from db import queries
from db.database import transaction
from messaging import pgmq


def queue_email_task(
    to: str, subject: str, template: str, variables: dict[str, Any] | None = None, priority: int = 0
) -> int:
    """Queue a mail in `email_queue`; returns its pgmq message id.

    `template` is one of `balansity preview`'s names, `variables` is what it says; higher `priority` goes first.
    """
    with transaction() as conn:
        return int(
            queries.queues.queue_email_task(
                conn, to=to, subject=subject, template=template, variables=Json(variables or {}), priority=priority
            )
        )


def queue_report_generation(assessment_id: UUID | str, user_id: UUID | str | None, report_type: str = "pdf") -> int:
    """Queue a report (`pdf`, `csv` or `json`) of a check-up; returns its pgmq message id."""
    with transaction() as conn:
        return int(
            queries.queues.queue_report_generation(
                conn, assessment_id=str(assessment_id), user_id=user_id and str(user_id), report_type=report_type
            )
        )


def queue_payment_processing(payment_id: UUID | str, action: str) -> int:
    """Queue work on a payment (`verify`, `refund` or `update_status`); returns its pgmq message id."""
    with transaction() as conn:
        return int(queries.queues.queue_payment_processing(conn, payment_id=str(payment_id), action=action))


def read_email_task(vt: int = 30) -> dict[str, Any] | None:
    """Take the next mail from `email_queue`, as `messaging.pgmq.read` does.

    For code of the old set-up: it competes with the workers, which take what waits within a second and need no such
    reader (docs/operations.md).
    """
    with transaction() as conn:
        return pgmq.read(conn, "email_queue", vt)


def archive_task(queue: str, msg_id: int) -> bool:
    """Mark a task as done; true where it was there."""
    with transaction() as conn:
        return pgmq.archive(conn, queue, msg_id)
