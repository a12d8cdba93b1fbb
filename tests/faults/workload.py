"""The actors that real worker processes run in the fault tests; each notes what it does in the effects file."""

import os
import time
from pathlib import Path

import dramatiq
from dramatiq.errors import Retry

import broker  # noqa: F401 - the actors below are declared on it
import db.database
from errors import PermanentError
from tests.faults.effects import note

GATE = Path(os.environ["GATE_FILE"])  # a named pipe: opening it to read blocks until a test opens it to write


def wait_at_gate(name: str) -> None:
    note(f"began:{name}")
    os.close(os.open(GATE, os.O_RDONLY))


@dramatiq.actor(queue_name="quick")
def count(number: int) -> None:
    note(str(number))


@dramatiq.actor(queue_name="quick")
def nap(name: str, seconds: float) -> None:
    """Work that takes its time."""
    note(f"began:{name}")
    time.sleep(seconds)
    note(name)


@dramatiq.actor(queue_name="slow")
def nap_elsewhere(name: str, seconds: float) -> None:
    nap.fn(name, seconds)


@dramatiq.actor(queue_name="quick")
def finish_after_gate(name: str) -> None:
    wait_at_gate(name)
    note(name)


@dramatiq.actor(queue_name="quick")
def retry_after_gate(name: str) -> None:
    wait_at_gate(name)
    note(name)
    raise Retry(delay=0)


@dramatiq.actor(queue_name="quick", pipe_ignore=True)
def pipe_after_gate(name: str) -> None:
    wait_at_gate(name)
    note(name)


@dramatiq.actor(queue_name="quick", throws=(PermanentError,))
def fail_after_gate(name: str) -> None:
    wait_at_gate(name)
    note(name)
    raise PermanentError("The gate was the wrong one.")


@dramatiq.actor(queue_name="quick", max_retries=1, min_backoff=1, max_backoff=1)
def break_on(address: str) -> None:
    note("broke")
    raise ValueError(f"cannot use {address}")


@dramatiq.actor(queue_name="bridged", pgmq_queue="analytics_queue")
def receive(number: int) -> None:
    note(str(number))


@dramatiq.actor(queue_name="heard", pgmq_queue="email_queue")
def hear(address: str) -> None:
    """Work that is about somebody."""
    note(address)


@dramatiq.actor(queue_name="quick")
def count_in_transaction(number: int) -> None:
    """Work that holds a connection of its own."""
    with db.database.transaction() as conn, conn.cursor() as cursor:
        cursor.execute("SELECT 1")
        note(str(number))


for extra in range(int(os.environ.get("EXTRA_QUEUES", "0"))):
    dramatiq.actor(count_in_transaction.fn, actor_name=f"count_{extra}", queue_name=f"extra_{extra}")
