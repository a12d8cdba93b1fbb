"""YooKassa's notifications: hints only; the verify that follows asks its API what really happened."""

from datetime import timedelta
from typing import Annotated, Literal

from flask import Blueprint, abort, request
from pydantic import BaseModel, StringConstraints, ValidationError

from actors.payments import process_payment
from broker import broker
from db import clock, queries
from db.database import transaction
from gateways import yookassa
from log import EventLogger

pages = Blueprint("yookassa_notices", __name__)
events = EventLogger(__name__)


Id = Annotated[str, StringConstraints(pattern=yookassa.ID)]


class Subject(BaseModel):
    """The payment, or the refund, that a notification is about."""

    id: Id
    payment_id: Id | None = None


class Notice(BaseModel):
    """One notification; `event` is payment.succeeded, refund.succeeded and the like."""

    type: Literal["notification"]
    event: str
    object: Subject

    @property
    def external_id(self) -> str:
        """The provider's id of the payment."""
        return self.object.payment_id or self.object.id


@pages.post("/webhooks/yookassa")
def receive() -> tuple[str, int]:
    """Have the payment verified; a notification about somebody else's payment is none of our business."""
    if not yookassa.configured():
        abort(404)
    try:
        notice = Notice.model_validate_json(request.get_data())
    except ValidationError:
        abort(400, "Not a notification")
    with transaction() as conn:
        now = clock.now(conn)
        ours = list(queries.payments.hear_notice(conn, external_id=notice.external_id, now=now))
        with broker.transaction(conn):
            for payment in ours:
                if payment.due_at:
                    process_payment.send_with_options(
                        kwargs={"payment_id": payment.payment_id, "action": "verify"},
                        delay=(payment.due_at - now) // timedelta(milliseconds=1),
                    )
    events.info("payment_notice_received", known=len(ours))
    return "", 200
