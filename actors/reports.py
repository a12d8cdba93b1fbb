"""The report actor: one check-up, one kept report, one mail that brings it."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import dramatiq
from dramatiq.middleware import CurrentMessage
from pydantic import BaseModel, StringConstraints

import settings
from actors.emails import send_email
from actors.holding import held_on, reaching
from actors.runs import run_slot
from broker import broker
from db import clock, queries
from db.connection import Connection
from db.database import transaction
from domain.payload import read_payload
from errors import PermanentError, RetryableError
from gateways import report_storage
from gateways.report_storage import ReportFile, ReportKey
from log import EventLogger
from mail.order import AGAIN
from reports.check_up import CheckUp
from reports.formats import digest, render
from reports.report import Contact, Report
from reports.scoring import SCALES

ANSWERS_ARRIVE_WITHIN = timedelta(minutes=10)  # of the check-up's last change

events = EventLogger(__name__)


class ReportRequest(BaseModel):
    """A message of the report queue."""

    assessment_id: UUID
    user_id: UUID | None = None
    report_type: Literal["pdf", "csv", "json"] = "pdf"
    # The key of a mail that a person has sent again, with a report made anew.
    mail_key: Annotated[str, StringConstraints(pattern=f"^{AGAIN}")] | None = None


@dramatiq.actor(
    queue_name="reports",
    pgmq_queue="report_generation_queue",
    required=["assessment_id"],
    max_retries=12,
    min_backoff=2_000,
    max_backoff=300_000,
    time_limit=120_000,
    throws=(PermanentError,),
)
def generate_report(**payload: Any) -> None:
    """Make the report of a check-up, keep it and mail it; the same report is kept and mailed once."""
    request = read_payload(ReportRequest, payload, "a report")
    with transaction() as conn:
        at = clock.now(conn)
        check_up = _load(conn, request)
        asked = check_up.wants_site_scores and queries.reports.site_scores(
            conn, id=str(check_up.id), assessment_type=check_up.assessment_type
        )
        report = _report(check_up, asked, at)
        key = ReportKey(check_up.id, request.report_type, digest(report))
        known = report_storage.is_kept(conn, key)
    wanted = not known or request.mail_key is not None
    kept = wanted and _keep(check_up, key, render(report, request.report_type), request, at)
    events.info("report_kept" if kept else "report_known", assessment=check_up.id, format=request.report_type)


@dramatiq.actor(queue_name="reports", max_retries=3, min_backoff=60_000, time_limit=600_000)
def remove_old_reports(slot: str) -> None:
    """Remove reports that are past REPORT_RETENTION_DAYS, and those of check-ups that are gone."""
    run_slot("remove-old-reports", slot, _remove_old)


def _remove_old(at: datetime) -> str:
    """Remove in a transaction a batch; what cannot be removed is named."""
    retention = timedelta(days=settings.current().report_retention_days)
    done = report_storage.remove_old(at - retention)
    return f"{done.counts['removed']} removed{done.note()}"


def _load(conn: Connection, request: ReportRequest) -> CheckUp:
    row = queries.reports.assessment(
        conn, id=str(request.assessment_id), user_id=request.user_id and str(request.user_id)
    )
    if row is None:
        raise PermanentError(f"There is no assessment {request.assessment_id}: no report can be made of it")
    check_up = CheckUp.model_validate(row, from_attributes=True)
    if check_up.assessment_type not in SCALES:
        raise PermanentError(
            f"Assessment {check_up.id} is a {check_up.assessment_type!r}: only {', '.join(SCALES)} score"
        )
    if check_up.status != "completed":
        raise PermanentError(f"Assessment {check_up.id} is {check_up.status}: only a completed one has a report")
    if check_up.owner_id and request.user_id not in {None, check_up.owner_id}:
        raise PermanentError(
            f"Assessment {check_up.id} belongs to another user than {request.user_id}: its report is not sent to them"
        )
    return check_up


def _report(check_up: CheckUp, site_scores: object, at: datetime) -> Report:
    """The report, unless there is nothing to report: the site may still be writing, but not for long."""
    current = settings.current()
    contact = Contact(current.booking_page, current.clinic_phone)
    report = replace(check_up.report(current.time_zone, site_scores), contact=contact)
    if not report.is_empty:
        return report
    message = f"Assessment {check_up.id} has no results and no answers that count: there is nothing to report"
    if at - check_up.changed_at < ANSWERS_ARRIVE_WITHIN:
        raise RetryableError(message + " yet")
    raise PermanentError(message)


def _keep(check_up: CheckUp, key: ReportKey, file: ReportFile, request: ReportRequest, at: datetime) -> bool:
    """Keep the report and send its mail, unless another worker was faster."""
    owner_id = check_up.owner_id or request.user_id
    with reaching(report_storage.NAME) if settings.current().report_storage_url else nullcontext():
        report_storage.write(key, file.content)
    with transaction() as conn:
        report_id = report_storage.save(conn, key, owner_id, file, at)
        if report_id is None and request.mail_key:
            report_id = report_storage.renew(conn, key, file)
        if report_id:
            _send(conn, check_up, request.mail_key or f"report_ready:{key}", report_id, owner_id)
    return report_id is not None


def _send(conn: Connection, check_up: CheckUp, key_of_mail: str, report_id: UUID, owner_id: UUID | None) -> None:
    """Send the mail; its key is the report's, so that one made again after its removal is not mailed by itself."""
    if message := CurrentMessage.get_current_message():
        queries.deliveries.doubt(conn, key=key_of_mail, cause=message.message_id)
    with broker.transaction(conn):
        order = {
            "to": check_up.email,
            "subject": "Ваш отчет готов",
            "template": "report_ready",
            "variables": {
                "name": check_up.reader_name,
                "assessment_id": str(check_up.id),
                "profile_name": check_up.first_name,
            },
            "report_id": str(report_id),
            "user_id": owner_id and str(owner_id),
            "key": key_of_mail,
        }
        send_email.send_with_options(kwargs=order, **held_on())
