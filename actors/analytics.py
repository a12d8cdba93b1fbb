"""The analytics actor: keeps events once, and in batches when many wait."""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Protocol

import dramatiq
from dramatiq.middleware import CurrentMessage

import settings
from broker import broker
from db import clock, queries
from db.connection import Connection
from db.database import transaction
from domain.analytics import read_event
from errors import InvalidMessage, KeyMissing, PermanentError
from log import EventLogger

BATCH = 1000  # events that one message takes along from the broker, and as many from pgmq

events = EventLogger(__name__)


class Waiting(Protocol):
    """A message that waits behind the one at work: its payload is JSON, not yet looked at."""

    message_id: Any  # a UUID's text, of one that waits in the broker
    msg_id: Any  # a number, of one in pgmq
    key: str
    sent_at: datetime
    payload: str
    sealed: str | None  # the payload, where messages are encrypted


@dramatiq.actor(
    queue_name="analytics",
    pgmq_queue="analytics_queue",
    required=["type"],
    max_retries=20,
    min_backoff=1_000,
    max_backoff=300_000,
    time_limit=60_000,
    throws=(PermanentError,),
)
def record_event(**payload: Any) -> None:
    """Keep the event of this message and, in the same transaction, those of the messages that wait behind it."""
    message = CurrentMessage.get_current_message()
    assert message, "dramatiq.middleware.CurrentMessage is active wherever actors run"  # noqa: S101
    sent_at = datetime.fromtimestamp(message.message_timestamp / 1000, UTC)
    own = read_event(payload, f"message:{message.message_id}", sent_at)
    with transaction() as conn:
        batch = [own, *_take_along(conn)]
        zone = settings.current().time_zone.key
        new = queries.analytics.record(conn, events=f"[{','.join(batch)}]", zone=zone, at=clock.now(conn))
    events.info("events_recorded", received=len(batch), new=new)


def _take_along(conn: Connection) -> list[str]:
    taken = list(_readable(queries.analytics.take_along(conn, count=BATCH)))
    queries.analytics.finish_along(
        conn,
        ids=[row.message_id for row, _ in taken if row.message_id],
        msg_ids=[row.msg_id for row, _ in taken if row.msg_id],
        drop=bool(broker.seal),
    )
    return [event for _, event in taken]


def _readable(rows: Iterable[Waiting]) -> Iterator[tuple[Waiting, str]]:
    """Each message with its event. One of a wrong shape is left to come by itself and end as a dead letter."""
    for row in rows:
        with suppress(InvalidMessage, KeyMissing, ValueError, RecursionError):
            payload = json.loads(broker.seal.open(row.sealed))["kwargs"] if row.sealed else json.loads(row.payload)
            yield row, read_event(payload, row.key, row.sent_at)
