"""Carry messages from PostgreSQL to RabbitMQ."""

import signal
from threading import Event

import click

import actors
import settings
from broker import broker
from errors import Refused
from messaging.relay import Relay


@click.command()
def relay() -> None:
    """Carry to RabbitMQ what SQL, triggers, pgmq and transactions have sent, until Ctrl-C.

    A process of the Procfile where BROKER_URL is set, and needed nowhere else.
    """
    current = settings.current()
    if not current.broker_url:
        raise Refused(
            "BROKER_URL is not set: PostgreSQL itself gives workers what is sent, and nothing is to be carried."
        )
    actors.complete()
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Relay(broker.process, current.broker_url, listen=lambda: current.broker_listen).run(stop)
