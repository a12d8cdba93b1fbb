"""SendGrid's Event Webhook: what became of the mails that left."""

import binascii
import json
import re
import time
from typing import Annotated, Any
from uuid import UUID

from flask import Blueprint, abort, request
from pydantic import BaseModel, BeforeValidator, StringConstraints, ValidationError

import settings
from db import queries
from db.connection import Connection
from db.database import transaction
from db.text import storable
from domain.payload import IfReadable, Moment, problems
from log import EventLogger

LONGEST_AGE_SECONDS = 600  # of a signature; an old one may be a replay
SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"
UNIX_TIME = re.compile(r"\d{1,12}", re.ASCII)  # seconds

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
events = EventLogger(__name__)


def _storable(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_storable)]


class SendGridEvent(BaseModel):
    """One event; `delivery` is the custom argument that our mails carry, and other senders' mails do not."""

    sg_event_id: Annotated[Text, StringConstraints(min_length=1, max_length=300)]
    event: str
    timestamp: Moment
    delivery: IfReadable[UUID] = None
    type: IfReadable[Text] = None
    reason: IfReadable[Text] = None
    response: IfReadable[Text] = None

    @property
    def kind(self) -> str | None:
        return "blocked" if self.event == "bounce" and self.type == "blocked" else KINDS.get(self.event)


@pages.post("/webhooks/sendgrid")
def receive() -> tuple[str, int]:
    """Take in a batch: all that can be read of it or, so that SendGrid sends it again, none."""
    batch = _batch(_verified_body())
    with transaction() as conn:
        news = sum(_record(conn, event) for event in map(_event, batch) if event)
        if news:
            queries.providers.hear(conn, worker="its events")
    events.info("mail_events_received", events=len(batch), news=news)
    return "", 204


def _verified_body() -> str:
    from sendgrid.helpers.eventwebhook import EventWebhook

    key = settings.current().sendgrid_webhook_public_key
    if not key:
        abort(404)
    signature, timestamp = request.headers.get(SIGNATURE, ""), request.headers.get(TIMESTAMP, "")
    if not (signature + timestamp).isascii():
        abort(400, "The signature cannot be read")
    try:
        body = request.get_data().decode()
        genuine = EventWebhook(key).verify_signature(body, signature, timestamp)
    except (binascii.Error, UnicodeDecodeError):
        genuine = False
    if not genuine or not UNIX_TIME.fullmatch(timestamp) or abs(time.time() - int(timestamp)) > LONGEST_AGE_SECONDS:
        abort(403, "The signature is wrong or too old")
    return body


def _batch(body: str) -> list[Any]:
    try:
        batch = json.loads(body)
    except (ValueError, RecursionError):  # nested deeper than Python goes
        batch = None
    if not isinstance(batch, list):
        abort(400, "Not a batch of events")
    return batch


def _event(each: Any) -> SendGridEvent | None:
    """The event; one that cannot be read must not hold up the others: it would be no better when it comes again."""
    try:
        return SendGridEvent.model_validate(each)
    except ValidationError as error:
        events.warning("mail_event_skipped", why=problems(error))
        return None


def _record(conn: Connection, event: SendGridEvent) -> bool:
    """Whether the event was news; mails of other senders on the account, and openings and clicks, are not for us."""
    if event.kind is None or event.delivery is None:
        return False
    news: bool = queries.deliveries.record_event(
        conn,
        id=event.sg_event_id,
        delivery_id=str(event.delivery),
        kind=event.kind,
        detail=event.reason or event.response,
        occurred_at=event.timestamp,
    )
    return news
