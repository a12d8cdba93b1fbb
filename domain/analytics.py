"""Analytics events: what a message tells, and when it happened."""

import json
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, StringConstraints

from domain.payload import IfReadable, Moment, read_payload
from errors import InvalidMessage


class EventMessage(BaseModel):
    """A message of the analytics queue, as far as it must have a shape."""

    type: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    key: IfReadable[Annotated[str, StringConstraints(min_length=1, max_length=300)]] = None
    user_id: IfReadable[UUID] = None
    occurred_at: IfReadable[Moment] = None
    completed_at: IfReadable[Moment] = None
    created_at: IfReadable[Moment] = None


def read_event(payload: dict[str, Any], message_key: str, sent_at: datetime) -> str:
    """The event that `payload` tells, in JSON, as balansity.record_events takes it.

    Its own `key` makes it one event however often it is sent; without one the message that brought it does.

    Raises:
        InvalidMessage: naming what has a wrong shape.
    """
    event = read_payload(EventMessage, payload, "an analytics")
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
    except RecursionError:
        raise InvalidMessage("Not an analytics message: it is nested too deeply to read") from None
