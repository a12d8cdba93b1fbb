"""A bakery: an application of its own that has the broker, and nothing of the clinic."""

import os

import dramatiq
from dramatiq.middleware import CurrentMessage

from db.connection import Pool
from messaging.broker import PostgresBroker
from tests.tiny import conf

pool = Pool(conf.database_url, lambda: conf.CONNECTIONS)
broker = PostgresBroker(pool, silence_seconds=conf.SILENCE_SECONDS)


def note(what: str) -> None:
    """Keep what was done, by which process and when."""
    with pool.transaction() as conn, conn.cursor() as cursor:
        cursor.execute("INSERT INTO bakery.done (what, pid) VALUES (%s, %s)", (what, os.getpid()))


@dramatiq.actor(broker=broker, queue_name="oven", store_results=True)
def bake(loaf: str) -> str:
    note(f"baked {loaf}")
    return f"warm {loaf}"


@dramatiq.actor(broker=broker, queue_name="oven", store_results=True)
def cut(loaf: str) -> str:
    return f"cut {loaf}"


@dramatiq.actor(broker=broker, queue_name="oven")
def praise() -> None:
    note("praised the bakers")


@dramatiq.actor(broker=broker, queue_name="oven", max_retries=1, min_backoff=1, max_backoff=1)
def bake_better(loaf: str) -> None:
    """Succeeds at the second try."""
    message = CurrentMessage.get_current_message()
    tried = message and message.options.get("retries")
    note(f"baked {loaf} better" if tried else f"tried {loaf}")
    if not tried:
        raise ValueError(f"{loaf} is raw")


@dramatiq.actor(broker=broker, queue_name="oven", max_retries=1, min_backoff=1, max_backoff=1)
def burn(loaf: str) -> None:
    note(f"burnt {loaf}")
    raise ValueError(f"{loaf} is charcoal")


@dramatiq.actor(broker=broker, queue_name="counter", pgmq_queue="orders")
def sell(loaf: str, priority: int = 0) -> None:
    note(f"sold {loaf} at {priority}")


@dramatiq.actor(broker=broker, queue_name="night")
def knead(loaf: str) -> None:
    """Work that a test can hold up, by the lock of the dough."""
    note(f"kneading {loaf}")
    with pool.transaction() as conn, conn.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(1)")
    note(f"kneaded {loaf}")
