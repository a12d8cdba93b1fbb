"""SendGrid's Event Webhook: what became of the mails that left."""

import binascii
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, abort, request
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case
from pydantic import BaseModel, TypeAdapter, ValidationError
from sendgrid.helpers.eventwebhook import EventWebhook

import settings
from db import connection, queries
from log import EventLogger

LONGEST_AGE_SECONDS = 600  # of a signature; an old one may be a replay
SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"

# SendGrid's names and ours; a bounce of type `blocked` is a refusal for today only.
KINDS = {
    "processed": "processed",
    "deferred": "deferred",
    "delivered": "delivered",
    "dropped": "dropped",
    "bounce": "bounced",
    "spamreport": "complained",
}

pages = Blueprint("sendgrid_events", __name__)
deliveries = queries.load("deliveries")
events = EventLogger(__name__)


class Event(BaseModel):
    """One event; `delivery` is the custom argument that our mails carry."""

    sg_event_id: str
    event: str
    timestamp: int
    delivery: Any = None
    type: str | None = None
    reason: str | None = None
    response: str | None = None

    @property
    def kind(self) -> str | None:
        return "blocked" if self.event == "bounce" and self.type == "blocked" else KINDS.get(self.event)


BATCH = TypeAdapter(list[Event])


@pages.post("/webhooks/sendgrid")
def receive() -> tuple[str, int]:
    """Take in a batch: all of it or, so that SendGrid sends it again, none."""
    body = _verified_body()
    try:
        batch = BATCH.validate_json(body)
    except ValidationError:
        abort(400, "Not a batch of events")
    with connection.transaction() as conn:
        news = sum(_record(conn, event) for event in batch)
    events.info("mail_events_received", events=len(batch), news=news)
    return "", 204


def _verified_body() -> str:
    key = settings.current().sendgrid_webhook_public_key
    if not key:
        abort(404)
    signature, timestamp = request.headers.get(SIGNATURE, ""), request.headers.get(TIMESTAMP, "")
    try:
        body = request.get_data().decode()
        genuine = EventWebhook(key).verify_signature(body, signature, timestamp)
    except (binascii.Error, UnicodeDecodeError):
        genuine = False
    if not genuine or not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > LONGEST_AGE_SECONDS:
        abort(403, "The signature is wrong or too old")
    return body


def _record(conn: Connection, event: Event) -> bool:
    """Whether the event was news; mails of other senders on the account, and openings and clicks, are not for us."""
    delivery_id = _delivery_id(event)
    if event.kind is None or delivery_id is None:
        return False
    news: Any = deliveries.record_event(
        conn,
        id=event.sg_event_id,
        delivery_id=delivery_id,
        kind=event.kind,
        detail=event.reason or event.response,
        occurred_at=datetime.fromtimestamp(event.timestamp, UTC),
        at=datetime.now(UTC),
    )
    return bool(news)


def _delivery_id(event: Event) -> str | None:
    """The delivery's id; another sender on the account may use the same argument for something else."""
    try:
        return str(UUID(event.delivery))
    except (ValueError, TypeError, AttributeError):
        return None
