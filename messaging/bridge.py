"""The bridge from pgmq where messages are sealed: read, encrypted here, archived as empty and stored together.

Without keys the exchange moves them itself, in SQL (`dramatiq.bridge`).
"""

import json
import time
from dataclasses import dataclass
from typing import Any

import psycopg2

from db import queries
from db.connection import Connection
from messaging.process import Process
from messaging.routes import Route
from messaging.seal import ENCODE

SINGLY = 256  # messages of a batch that failed, or so many as this time lets
SINGLY_SECONDS = 1.0
# Classes of SQLSTATEs that speak of a message: data, constraints, limits of the program, a trigger's refusal, a fault.
REFUSALS = ("22", "23", "54", "P0001", "XX000")


@dataclass(frozen=True)
class SealedBridge:
    """Moves what arrives in one pgmq queue; a message is never plain in `dramatiq.queue`, nor in the archive.

    What it claims on the way comes back as an envelope, and what it said is put in again: it need not be opened.
    """

    process: Process
    queue_name: str

    def move(self, route: Route, limit: int, claimed: int, *, whole: bool) -> list[Any]:
        """What a worker that claims `limit` and got `claimed` claims beyond, opened."""
        worker = self.process.pulse.worker_id
        with self.process.pool.transaction() as conn:
            rows = queries.broker.visible(
                conn,
                worker=worker,
                queue=self.queue_name,
                pgmq_queue=route.pgmq_queue,
                actor=route.actor_name,
                limit=limit,
                claimed=claimed,
                whole=whole,
            )
            return self._take_in(conn, route, list(rows), worker, limit - claimed)

    def passing(self, conn: Connection, route: Route, limit: int) -> list[Any]:
        """What arrived, sealed, in the transaction of whoever carries it elsewhere; what has a line is moved here."""
        rows = list(queries.broker.visible_next(conn, pgmq_queue=route.pgmq_queue, limit=limit))
        return self._stored(conn, route, rows, None, None)

    def move_singly(self, route: Route) -> tuple[int, int]:
        """Move one by one, for a while, what cannot be moved together; how many were moved, and how many refused."""
        moved, refused, deadline = 0, 0, time.monotonic() + SINGLY_SECONDS
        with self.process.pool.transaction() as conn:
            ids = queries.broker.visible_ids(conn, pgmq_queue=route.pgmq_queue, limit=SINGLY)
        for msg_id in ids:
            try:
                with self.process.pool.transaction() as conn:
                    rows = list(queries.broker.visible_one(conn, pgmq_queue=route.pgmq_queue, msg_id=msg_id))
                    self._take_in(conn, route, rows, None, 0)
                    moved += 1
            except psycopg2.Error as error:
                if not (error.pgcode or "").startswith(REFUSALS):
                    raise
                self._refuse(route, msg_id, error)
                refused += 1
            if time.monotonic() > deadline:
                break
        with self.process.pool.transaction() as conn:
            queries.broker.ring(conn, queues=[self.queue_name])
        return moved, refused

    def _take_in(self, conn: Connection, route: Route, rows: list[Any], worker: int | None, room: int) -> list[Any]:
        said = {row.msg_id: (row.content, _read(row.content)) for row in rows}
        headers = _headers(rows)
        return [self._completed(row, said, headers) for row in self._stored(conn, route, rows, worker, room)]

    def _stored(
        self, conn: Connection, route: Route, rows: list[Any], worker: int | None, room: int | None
    ) -> list[Any]:
        if not rows:
            return []
        headers = _headers(rows)
        stored = queries.broker.take_in(
            conn,
            worker=worker,
            queue=self.queue_name,
            pgmq_queue=route.pgmq_queue,
            actor=route.actor_name,
            room=room,
            msg_ids=[row.msg_id for row in rows],
            contents=[self._sealed(route, row.content, _read(row.content)) for row in rows],
            kinds=[row.kind for row in rows],
            urgencies=[row.urgency for row in rows],
            times=[row.sent_at for row in rows],
            due=[row.due_at for row in rows],
            headers=[self._sealed_headers(headers.get(row.msg_id)) for row in rows],
            lines=[row.line for row in rows],
        )
        return list(stored)

    def _completed(self, row: Any, said: dict[int, tuple[str, dict[str, Any]]], headers: dict[int, Any]) -> Any:
        fields = json.loads(row.message)
        msg_id = fields["options"]["pgmq"]["msg_id"]
        text, read = said[msg_id]
        if msg_id in headers:
            fields["options"]["headers"] = headers[msg_id]
        return row._replace(message=fields | read if read else text)  # which is refused as any that Python cannot read

    def _sealed_headers(self, headers: dict[str, Any] | None) -> str | None:
        return None if headers is None else ENCODE(self.process.seal.options({"headers": headers})["headers"])

    def _refuse(self, route: Route, msg_id: int, error: psycopg2.Error) -> None:
        """Take a message out of the way, with the kind of its error: its words may quote it."""
        with self.process.pool.transaction() as conn:
            for row in queries.broker.visible_one(conn, pgmq_queue=route.pgmq_queue, msg_id=msg_id):
                queries.broker.refuse_bridged(
                    conn,
                    queue=self.queue_name,
                    pgmq_queue=route.pgmq_queue,
                    msg_id=msg_id,
                    why=type(error).__name__,
                    sealed=self._sealed(route, row.content, _read(row.content)),
                )

    def _sealed(self, route: Route, text: str, read: dict[str, Any]) -> str:
        readable = self.process.repertoire.readable(route.actor_name)
        return ENCODE(self.process.seal.content(read, readable, text))


def _headers(rows: list[Any]) -> dict[int, Any]:
    return {row.msg_id: _read(row.headers) for row in rows if row.headers is not None}


def _read(content: str) -> dict[str, Any]:
    """What a message says; of what Python cannot read, nothing."""
    try:
        said: dict[str, Any] = json.loads(content)
    except (RecursionError, ValueError):
        return {}
    return said
