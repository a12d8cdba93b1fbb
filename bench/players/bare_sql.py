"""A limit: bare SQL. One table, batches of 100, no retry, no dead letter, nobody who notices that a worker died."""

import json
import os
import signal
import time
from typing import Any

import psycopg2
from psycopg2.extras import execute_values

from bench import probe

BATCH = 5_000  # messages in one statement
POLL_SECONDS = 0.05
URL = os.environ["DATABASE_URL"]

CREATE = "CREATE TABLE message (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload jsonb NOT NULL)"
SEND = "INSERT INTO message (payload) VALUES (%s)"
SEND_MANY = "INSERT INTO message (payload) VALUES %s"
# One round trip forgets what was run and claims what is next; who dies before it gives everything back.
CLAIM = """
    COMMIT; BEGIN;
    DELETE FROM message WHERE id IN (SELECT id FROM message ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED)
    RETURNING payload
"""


def install() -> None:
    _cursor().execute(CREATE)


def send(count: int) -> None:
    cursor = _cursor()
    for number in range(count):
        cursor.execute(SEND, [json.dumps({"number": number})])


def bulk(count: int) -> None:
    execute_values(_cursor(), SEND_MANY, ([json.dumps({"number": number})] for number in range(count)), page_size=BATCH)


fill = bulk


def work() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cursor = _cursor()
    cursor.execute("BEGIN")
    while True:
        cursor.execute(CLAIM)
        claimed = cursor.fetchall()
        for _ in claimed:
            probe.touch()
        if not claimed:
            time.sleep(POLL_SECONDS)


def _cursor() -> Any:
    conn = psycopg2.connect(URL)
    conn.autocommit = True
    return conn.cursor()
