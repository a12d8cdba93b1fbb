"""A queue that was one plain table comes over to a table a day while messages flow, and loses none."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event

import pytest

from db.connection import Connection
from db.migrate import Migrated, migrate
from tests.clinic import Clinic
from tests.integration.batch_cases import refuse
from tests.integration.broker_cases import run
from tests.waiting import until

OLDER = Path(__file__).with_name("older_queue.sql")
DONE = 50_000
FILL = """
    INSERT INTO dramatiq.queue (message_id, queue_name, state, mtime, attempt, unique_key, error, message)
    SELECT gen_random_uuid(), 'default', state, now() - number * interval '10 seconds', 1,
           CASE number %% 10 WHEN 0 THEN 'key ' || number END, CASE state WHEN 'rejected' THEN 'ValueError: no' END,
           jsonb_build_object('queue_name', 'default', 'actor_name', 'note', 'args', '[]'::jsonb, 'kwargs', '{}'::jsonb,
                              'options', '{}'::jsonb, 'message_timestamp', 1700000000000)
    FROM (
        SELECT number, (CASE WHEN number > 400 THEN 'done' WHEN number > 300 THEN 'rejected'
                             WHEN number > 200 THEN 'cancelled' WHEN number > 100 THEN 'consumed'
                             ELSE 'queued' END)::dramatiq.state AS state
        FROM generate_series(1, 400 + %s) AS number
    ) AS numbered
"""
KEPT = "SELECT message_id::text, state::text, attempt, unique_key, error, position FROM dramatiq.queue"
EXCHANGE = "SELECT message_id::text, attempt FROM dramatiq.exchange(%s, 'traffic', %s::uuid[], %s::integer[], 50)"
INTENDED = "SELECT kind, name, definition FROM balansity.intended WHERE kind <> 'grant'"


@pytest.fixture
def older(clinic: Clinic) -> None:
    """The test's database, as it was before."""
    with clinic.connection.cursor() as cursor:
        cursor.execute(OLDER.read_text(encoding="utf-8"))
        cursor.execute(FILL, [DONE])
        cursor.execute("ANALYZE dramatiq.queue")


class Traffic:
    """A sender and a worker, by the statements of processes that were started before."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self.connect = connect
        self.sent: list[str] = []
        self.acked: list[str] = []
        self.over = Event()

    @contextmanager
    def flowing(self) -> Iterator[None]:
        with ThreadPoolExecutor(2) as threads:
            both = [threads.submit(self._send), threads.submit(self._work)]
            try:
                until(lambda: len(self.acked) > 100)
                yield
                acked = len(self.acked)
                until(lambda: len(self.acked) > acked + 100 or both[0].done() or both[1].done(), "they go on")
            finally:
                self.over.set()
            for each in both:
                each.result()

    def _send(self) -> None:
        with closing(self.connect()) as conn:
            while not self.over.is_set():
                ids = [str(uuid.uuid4()) for _ in range(10)]
                built = int(time.time() * 1000)
                texts = [
                    json.dumps({"message_id": each, "queue_name": "traffic", "message_timestamp": built})
                    for each in ids
                ]
                run(conn, "SELECT dramatiq.enqueue(%s, %s, 0, NULL)", "\x1e".join(texts), [0] * 10)
                self.sent += ids

    def _work(self) -> None:
        with closing(self.connect()) as conn:
            [(worker,)] = run(conn, "INSERT INTO dramatiq.worker (host, pid) VALUES ('here', 1) RETURNING id")
            ids: list[str] = []
            attempts: list[int] = []
            while ids or not self.over.is_set():
                claims = run(
                    conn,
                    EXCHANGE,
                    *(worker, ids, attempts),
                )
                self.acked += ids
                ids, attempts = [each for each, _ in claims], [attempt for _, attempt in claims]


@pytest.mark.usefixtures("older")
def test_nothing_is_lost_while_messages_flow(database: str, clinic: Clinic, connect: Callable[[], Connection]) -> None:
    fresh = set(clinic.rows(INTENDED))
    before = set(clinic.rows(KEPT))
    traffic = Traffic(connect)
    with traffic.flowing():
        [moved] = [each for each in migrate(database).mended if each.startswith("moved")]
    assert int(moved.split()[1]) >= DONE
    after = {row[0]: row for row in clinic.rows(KEPT)}
    assert len(after) == clinic.value("SELECT count(*) FROM dramatiq.queue"), "no message is there twice"
    assert before <= set(after.values())
    assert set(traffic.sent) == after.keys() - {row[0] for row in before}
    assert {after[each][1] for each in traffic.acked} == {"done"}
    assert clinic.value("SELECT count(*) FROM dramatiq.done_other") == 0
    assert clinic.value("SELECT count(*) FROM dramatiq.taken_key") == (DONE + 400) // 10
    assert set(clinic.rows(INTENDED)) == fresh, "as a database that was never older"
    assert migrate(database) == Migrated()


@pytest.mark.usefixtures("older")
def test_it_waits_briefly_for_whoever_reads_the_queue_and_nobody_waits_behind_it_for_long(
    database: str, connection: Connection, connect: Callable[[], Connection], caplog: pytest.LogCaptureFixture
) -> None:
    reader = connect()
    run(reader, "BEGIN")
    run(reader, "SELECT FROM dramatiq.queue LIMIT 1")
    run(connection, "SET lock_timeout = '2s'")
    with caplog.at_level("INFO"), ThreadPoolExecutor(1) as thread:
        migration = thread.submit(migrate, database)
        try:
            for _ in range(2):
                caplog.clear()
                until(lambda: "migration_waits" in caplog.text)
                run(connection, "UPDATE dramatiq.queue SET priority = 1 WHERE state = 'consumed'")
        finally:
            run(reader, "COMMIT")
        migration.result()
    assert run(connection, "SELECT count(*) FROM dramatiq.queue") == [(DONE + 400,)]


@pytest.mark.usefixtures("older")
def test_what_cannot_be_moved_is_named_and_moved_by_the_next_migrate(database: str, clinic: Clinic) -> None:
    [(bad,)] = clinic.rows("SELECT message_id::text FROM dramatiq.queue WHERE state = 'done' LIMIT 1")
    refuse(clinic, "dramatiq.queue", f"OLD.message_id = '{bad}'", "DELETE")
    told = migrate(database).mended
    assert f"moved {DONE - 1} finished messages to their days; 1 skipped: message {bad} (RaiseException)" in told
    clinic.rows("DROP TRIGGER react ON dramatiq_former.queue")
    assert "moved 1 finished messages to their days" in migrate(database).mended
    assert clinic.value("SELECT count(*) FROM dramatiq.queue") == DONE + 400
    assert clinic.value("SELECT to_regnamespace('dramatiq_former') IS NULL")
