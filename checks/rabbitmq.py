"""Whether RabbitMQ answers and a relay lives, where messages go past PostgreSQL."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import settings
from checks.finding import Finding
from checks.processes import SILENCE_SECONDS
from db import queries
from db.connection import Connection
from errors import CarrierAway
from translations import N_


def answering(_conn: Connection) -> Iterator[Finding]:
    """Whether any of BROKER_URL's servers takes a connection; nothing where none is set."""
    if not (urls := settings.current().broker_url):
        return
    from messaging.publisher import Publisher

    publisher = Publisher(urls)
    try:
        publisher.reach()
    except CarrierAway as away:
        yield Finding(
            "bad",
            N_("RabbitMQ does not answer at %(places)s: messages wait in PostgreSQL."),
            N_("Start it, or correct BROKER_URL. What waits is carried over once it answers; nothing is lost."),
            check="rabbitmq-away",
            facts={"places": ", ".join(map(_place, urls))},
            calls=True,
            words=str(away),
        )
    else:
        yield Finding("good", N_("RabbitMQ answers."), check="rabbitmq-away")
    finally:
        publisher.close()


def carried(conn: Connection) -> Iterator[Finding]:
    """Whether a relay lives, which somebody has to know where messages wait for one; nothing where none is needed."""
    if not settings.current().broker_url:
        return
    relay = queries.checks.relay_heard(conn, seconds=SILENCE_SECONDS)
    if relay.lives:
        yield Finding("good", N_("A relay carries messages to RabbitMQ."), check="no-relay")
        return
    paused = {row.queue for row in queries.pauses.current(conn)}
    waits = any(row.queue not in paused for row in queries.checks.oldest_due(conn))
    nothing_waits = N_("No relay lives: nothing waits for it yet.")
    yield Finding(
        "bad" if waits else "note",
        N_("No relay lives: messages for RabbitMQ wait in PostgreSQL.") if waits else nothing_waits,
        N_("Start `balansity relay`, a line of the Procfile where BROKER_URL is set. Nothing is lost."),
        check="no-relay",
        since=relay.latest,
        calls=waits,
    )


def _place(url: str) -> str:
    """Where a server is, without its login."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or (5671 if parts.scheme == 'amqps' else 5672)}"
