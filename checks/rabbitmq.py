"""Whether RabbitMQ answers, where messages go past PostgreSQL."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import settings
from checks.finding import Finding
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


def _place(url: str) -> str:
    """Where a server is, without its login."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or (5671 if parts.scheme == 'amqps' else 5672)}"
