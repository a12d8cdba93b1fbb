"""Whatever a database, a role or an environment sets for its sessions: the whole flow runs."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest

import settings
from db.connection import connect
from db.migrate import migrate
from tests.servers import shared_postgres
from tests.waiting import until

NAMELESS = 54_321  # a user id that no passwd entry has
BY_THE_DATABASE = {
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "iso_8601",
    "TimeZone": "Pacific/Kiritimati",
    "client_encoding": "LATIN1",
    "standard_conforming_strings": "off",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "search_path": "nowhere",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "statement_timeout": "1ms",
    "lock_timeout": "1ms",
    "idle_in_transaction_session_timeout": "1ms",
    "idle_session_timeout": "1ms",
    "row_security": "off",
    "jit_above_cost": "0",
    "enable_indexscan": "off",
    "enable_seqscan": "off",
    "plan_cache_mode": "force_generic_plan",
}
OF_THE_SITE = (  # which is not ours to mend: pgmq's own functions do not compile without standard strings
    *("statement_timeout=0", "lock_timeout=0", "idle_in_transaction_session_timeout=0", "idle_session_timeout=0"),
    *(r"default_transaction_isolation=read\ committed", "standard_conforming_strings=on"),
)
BY_THE_ENVIRONMENT = {
    "PGOPTIONS": "-c search_path=nowhere -c intervalstyle=iso_8601",
    "PGTZ": "Pacific/Kiritimati",
    "PGDATESTYLE": "SQL, DMY",
    "PGCLIENTENCODING": "LATIN1",
}


def balansity(*arguments: str, url: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=settings.ROOT,
        env=os.environ | {"DATABASE_URL": url} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert arguments[0] == "doctor" or done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def worker(url: str, **environment: str) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "dramatiq", "actors", "--processes", "1", "--threads", "2", "--queues", "emails"],
        cwd=settings.ROOT,
        env=os.environ | {"DATABASE_URL": url} | environment,
        start_new_session=True,
    )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def flows(url: str, outbox: Path, **environment: str) -> None:
    """Migrate, order a mail as the site does, send it, and ask doctor."""
    environment = {"EMAIL_OUTBOX_DIR": str(outbox), "ENV_FILE": ""} | environment
    balansity("migrate", url=url, **environment)
    conn = psycopg2.connect(url, options=" ".join(f"-c {each}" for each in OF_THE_SITE))
    with conn, conn.cursor() as cursor:
        cursor.execute(
            "SELECT public.queue_email_task('anna@example.com', 'Subject', 'payment_confirmation', %s)",
            (json.dumps({"amount": 5000}),),
        )
    conn.close()
    with worker(url, **environment):
        until(lambda: list(outbox.glob("**/*.eml")), "the mail is in the outbox", 40)
        told = json.loads(balansity("doctor", "--json", url=url, **environment))
    assert not [each for each in told if each["verdict"] == "bad" and "PostgreSQL" in each["what"]]
    assert any("1 worker processes live" in each["what"] for each in told), told
    assert {each["what"] for each in told if each["verdict"] == "bad"} <= {"Jobs that nobody plans"}, told


def test_the_whole_flow_runs_whatever_the_database_sets(server: str, empty_database: str, tmp_path: Path) -> None:
    conn = psycopg2.connect(server)
    conn.autocommit = True
    name = empty_database.partition("?")[0].rpartition("/")[2]
    for setting, value in BY_THE_DATABASE.items():
        listed = value if setting == "search_path" else f"'{value}'"
        conn.cursor().execute(f"ALTER DATABASE {name} SET {setting} = {listed}")
    conn.close()
    flows(empty_database, tmp_path)


def test_the_whole_flow_runs_whatever_the_environment_sets(empty_database: str, tmp_path: Path) -> None:
    flows(empty_database, tmp_path, **BY_THE_ENVIRONMENT)


def migrate_without_a_name(url: str) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        os.environ.pop(name, None)
    if os.geteuid() == 0:
        os.setresuid(NAMELESS, -1, -1)  # in effect still who may open the server's socket
    migrate(url)


def test_a_user_id_without_a_name_migrates(empty_database: str) -> None:
    child = multiprocessing.get_context("fork").Process(target=migrate_without_a_name, args=(empty_database,))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    conn = connect(empty_database)
    with conn, conn.cursor() as cursor:
        cursor.execute("SELECT DISTINCT username FROM balansity._yoyo_log")
        assert cursor.fetchall() == [(conn.info.user,)]
    conn.close()


def test_processes_on_a_database_that_is_not_migrated_say_so_once_and_then_work(
    empty_database: str, tmp_path: Path
) -> None:
    said = tmp_path / "said"
    programs = (("dramatiq", "actors", "--processes", "1", "--threads", "2"), ("scheduler",))
    with said.open("wb") as file:
        started = [
            subprocess.Popen(
                [sys.executable, "-m", *program],
                cwd=settings.ROOT,
                env=os.environ | {"DATABASE_URL": empty_database},
                stderr=file,
                stdout=file,
                start_new_session=True,
            )
            for program in programs
        ]
    try:
        until(lambda: said.read_text().count("run `balansity migrate`") == len(started), "each has said it", 30)
        migrate(empty_database)
        until(lambda: "worker_registered" in said.read_text(), "the worker works", 30)
        until(lambda: "scheduler_started" in said.read_text(), "the scheduler works", 30)
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
    assert said.read_text().count("run `balansity migrate`") == len(started)
    assert "Traceback" not in said.read_text()


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_is_not_in_utf_8_is_refused_with_a_sentence(server: str, encoding: str) -> None:
    name = f"{shared_postgres.CLONE}{encoding.lower()}"
    conn = psycopg2.connect(server)
    conn.autocommit = True
    conn.cursor().execute(
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    conn.close()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "cli", "migrate"],
            cwd=settings.ROOT,
            env=os.environ | {"DATABASE_URL": shared_postgres.at_database(server, name)},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        shared_postgres.drop_database(server, name)
    assert done.returncode == 1
    assert f"keeps text as {encoding}" in done.stderr
