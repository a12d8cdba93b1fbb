"""This project's broker, with its messages arriving through pgmq."""

import os
from pathlib import Path
from typing import Any

import dramatiq

import broker
import db.connection
from bench import probe
from db.migrate import migrate

SEND = Path(__file__).parents[1] / "sql" / "fill_pgmq.sql"
BATCH = 50_000  # messages in one statement, which ends within its time limit


@dramatiq.actor(broker=broker.broker, queue_name="analytics", pgmq_queue="analytics_queue")
def noop(**payload: Any) -> None:
    del payload
    probe.touch()


def install() -> None:
    migrate(os.environ["DATABASE_URL"])


def fill(count: int) -> None:
    for sent in range(0, count, BATCH):
        with db.database.transaction() as conn, conn.cursor() as cursor:
            cursor.execute(SEND.read_text(), {"count": min(BATCH, count - sent)})
