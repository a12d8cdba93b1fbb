"""Analytics events: what a message tells, and when it happened."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, StringConstraints, ValidationError

from errors import InvalidMessage


def _moment(value: Any) -> Any:
    """ISO 8601, and PostgreSQL's own spelling of it (`2026-11-25 07:35:00+00`); no offset means UTC."""
    if not isinstance(value, str):
        return value
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime | None, BeforeValidator(_moment)]


class EventMessage(BaseModel):
    """A message of the analytics queue, as far as it must have a shape."""

    type: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    key: Annotated[str, StringConstraints(min_length=1, max_length=300)] | None = None
    user_id: UUID | None = None
    occurred_at: Moment = None
    completed_at: Moment = None
    created_at: Moment = None


def read_event(payload: dict[str, Any], message_key: str, sent_at: datetime) -> str:
    """The event that `payload` tells, in JSON, as balansity.record_events takes it.

    Its own `key` makes it one event however often it is sent; without one the message that brought it does.

    Raises:
        InvalidMessage: naming each key of a wrong shape.
    """
    try:
        event = EventMessage.model_validate(payload)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise InvalidMessage(f"Not an analytics message: {problems}") from None
    occurred_at = event.occurred_at or event.completed_at or event.created_at or sent_at
    fields = {
        "key": event.key or message_key,
        "type": event.type,
        "occurred_at": occurred_at.isoformat(),
        "user_id": event.user_id and str(event.user_id),
        "facts": payload,
    }
    try:
        return json.dumps(fields, ensure_ascii=False, allow_nan=False)
    except ValueError:  # PostgreSQL's numbers reach further than Python's
        raise InvalidMessage("Not an analytics message: it holds a number too large to read") from None
