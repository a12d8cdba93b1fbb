"""How long pages and reading commands take beside years of finished work: `python -m bench.reading`.

A database is filled with finished messages of a week, and with families, payments, mails and runs of years; then each
page is asked for and each command run in this process, a few times. A command's time is without the start of Python.
`--again` measures the database of the last run as it is.
"""

import base64
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import psycopg2
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flask.testing import FlaskClient
from rich.console import Console
from rich.table import Table
from werkzeug.security import generate_password_hash
from werkzeug.test import TestResponse

import cli
import settings
from bench.databases import fresh
from bench.readings import COMMANDS, PAGES, STATEMENTS, samples
from db import embedded
from db.connection import Connection
from db.database import pool
from web.app import create_app

FILL = Path(__file__).parent / "sql" / "fill_history.sql"
DATABASE = "bench_reading"
GOAL_MS = 100
UNWELL = "/health/system"  # says that no worker lives here
LOGIN = ("bench", "a reader's long password")


@click.command()
@click.option("--messages", default=2_000_000, show_default=True, help="Finished messages.")
@click.option("--mails", default=300_000, show_default=True, help="Deliveries; a tenth as many families.")
@click.option("--again", is_flag=True, help="Measure the database of the last run.")
@click.option("--rounds", default=5, show_default=True, help="How often each is asked; the best counts.")
@click.option("--only", default="", help="Only what has this in its name.")
def main(*, messages: int, mails: int, again: bool, rounds: int, only: str) -> None:
    """Measure how long each page and each reading command takes."""
    with embedded.running(settings.ROOT / "var" / "bench-reading") as server:
        url = server.replace("/postgres?", f"/{DATABASE}?")
        if not again:
            fill(fresh(server, DATABASE), messages, mails)
        with settings_of(url), connected(url) as conn:
            readings = [each for each in prepared(conn) if only in each[0]]
            figures = {name: measured(read, rounds) for name, read in readings}
    table = Table("reading", "ms", "", title=f"Best of {rounds}, goal {GOAL_MS} ms")
    for name, milliseconds in figures.items():
        table.add_row(name, f"{milliseconds:.0f}", "" if milliseconds < GOAL_MS else "slow")
    Console().print(table)


def fill(url: str, messages: int, mails: int) -> None:
    with connected(url) as conn, conn.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(FILL.read_text(encoding="utf-8"), {"messages": messages, "mails": mails, "days": 90})
        cursor.execute("COMMIT")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    conn = psycopg2.connect(url)
    conn.autocommit = True
    yield conn
    conn.close()


@contextmanager
def settings_of(url: str) -> Iterator[None]:
    """This process's settings point at the database a while; its pages have a reader, its provider reports."""
    before = dict(os.environ)
    hashed = generate_password_hash(LOGIN[1], "scrypt:1024:8:1")
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    published = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    os.environ |= {"DATABASE_URL": url, "ENV_FILE": "", "WEB_USERS": f"{LOGIN[0]}:reader:{hashed}"}
    os.environ |= {"EMAIL_PROVIDER": "sendgrid", "SENDGRID_API_KEY": "none"}
    os.environ["SENDGRID_WEBHOOK_PUBLIC_KEY"] = base64.b64encode(published).decode()
    settings.current.cache_clear()
    pool.closeall()
    try:
        yield
    finally:
        pool.closeall()
        os.environ.clear()
        os.environ.update(before)
        settings.current.cache_clear()


def prepared(conn: Connection) -> Iterator[tuple[str, Callable[[], None]]]:
    """Each reading, with the ids of things that are there in the places of their names."""
    known = samples(conn)
    client, shell = logged_in(), CliRunner()
    for page in PAGES:
        yield page, partial(looked_at, client, page.format(**known))
    for command in COMMANDS:
        yield f"balansity {command}", partial(run, shell, command.format(**known))
    for statement in STATEMENTS:
        yield statement, partial(asked, conn, statement)


def logged_in() -> FlaskClient:
    client = create_app().test_client()
    send(client, "/login", name=LOGIN[0], password=LOGIN[1])
    return client


def looked_at(client: FlaskClient, page: str) -> None:
    """A page, or what its form finds for these words."""
    words, _space, address = page.rpartition(" ")
    answer = send(client, address, words=words) if words else client.get(address)
    assert answer.status_code == (503 if address == UNWELL else 200), (page, answer.text)


def send(client: FlaskClient, address: str, **form: str) -> TestResponse:
    """What a page's form leads to."""
    token = client.get(address).text.partition('name="csrf_token" value="')[2].partition('"')[0]
    return client.post(address, data=form | {"csrf_token": token}, follow_redirects=True)


def run(shell: CliRunner, words: str) -> None:
    result = shell.invoke(cli.main, words.split())
    assert result.exit_code == 0, (words, result.output)


def asked(conn: Connection, statement: str) -> None:
    with conn.cursor() as cursor:
        cursor.execute(statement)
        cursor.fetchall()


def measured(read: Callable[[], Any], rounds: int) -> float:
    """Milliseconds, the best: what others on the machine do adds to all."""
    return min(timed(read) for _ in range(rounds))


def timed(read: Callable[[], Any]) -> float:
    begin = perf_counter()
    read()
    return (perf_counter() - begin) * 1000


if __name__ == "__main__":
    main()
