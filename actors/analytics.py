"""The analytics actor: keeps events once, and in batches when many wait."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dramatiq
import orjson
from dramatiq.middleware import CurrentMessage
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case

import settings
from db import connection, queries
from domain.analytics import read_event
from errors import InvalidMessage, PermanentError
from log import EventLogger

BATCH = 1000  # events that one message takes along from pgmq

analytics = queries.load("analytics")
events = EventLogger(__name__)


@dramatiq.actor(
    queue_name="analytics",
    pgmq_queue="analytics_queue",
    max_retries=20,
    min_backoff=1_000,
    max_backoff=300_000,
    time_limit=60_000,
    throws=(PermanentError,),
)
def record_event(**payload: Any) -> None:
    """Keep the event of this message and, in the same transaction, those that wait behind it in pgmq."""
    message = CurrentMessage.get_current_message()
    assert message, "dramatiq.middleware.CurrentMessage is active wherever actors run"  # noqa: S101
    sent_at = datetime.fromtimestamp(message.message_timestamp / 1000, UTC)
    own = read_event(payload, f"message:{message.message_id}", sent_at)
    with connection.transaction() as conn:
        batch = [own, *_take_waiting(conn)]
        new = analytics.record(
            conn, events=orjson.dumps(batch).decode(), zone=settings.current().time_zone.key, at=datetime.now(UTC)
        )
    events.info("events_recorded", received=len(batch), new=new)


def _take_waiting(conn: Connection) -> Iterator[dict[str, Any]]:
    """Take events out of pgmq. One of a wrong shape stays there: the bridge brings it, and it becomes a dead letter."""
    taken = []
    for number, enqueued_at, payload in analytics.waiting(conn, count=BATCH):
        try:
            event = read_event(payload, f"pgmq:analytics_queue:{number}", enqueued_at)
        except InvalidMessage:
            continue
        taken.append(number)
        yield event
    analytics.archive(conn, ids=taken)
