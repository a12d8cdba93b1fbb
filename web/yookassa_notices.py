"""YooKassa's notifications: hints only; the verify that follows asks its API what really happened."""

from typing import Annotated, Literal

from flask import Blueprint, abort, request
from pydantic import BaseModel, StringConstraints, ValidationError

from actors.payments import process_payment
from db import queries
from db.database import transaction
from gateways import yookassa
from log import EventLogger

pages = Blueprint("yookassa_notices", __name__)
events = EventLogger(__name__)


Id = Annotated[str, StringConstraints(pattern="^[0-9A-Za-z_-]+$", max_length=100)]


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
        ours = list(queries.payments.find_by_external_id(conn, external_id=notice.external_id))
    for payment in ours:
        if not payment.is_waiting:
            process_payment.send(payment_id=payment.payment_id, action="verify")
    events.info("payment_notice_received", known=len(ours))
    return "", 200
