"""How fast mail leaves: one worker with 8 threads against a provider that answers in 50 ms.

Compared with 8 bare connections that post the same requests to the same provider one after another. Run:
`python -m bench.mail`, or with `--json`.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

import click
import psycopg2
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import settings
from bench.databases import fresh
from db import embedded
from tests.servers import sendgrid
from tests.servers.sendgrid import SendGrid

THREADS = 8
ANSWER_SECONDS = 0.05
WARM_UP = 80  # mails, not counted: processes start, connections open


@click.command()
@click.option("--mails", default=2000, show_default=True, help="How many mails are measured.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(mails: int, as_json: bool) -> None:
    """Measure mails a second."""
    with sendgrid.running() as provider, embedded.running(settings.ROOT / "var" / "bench-mail") as server:
        provider.delay_seconds = ANSWER_SECONDS
        url = fresh(server, "bench_mail")
        bare = _bare_connections(provider, mails)
        ours = _worker(provider, url, mails)
        result = {
            "mails": mails,
            "threads": THREADS,
            "answer_seconds": ANSWER_SECONDS,
            "bare_connections_per_second": round(bare, 1),
            "worker_per_second": round(ours, 1),
            "share": round(ours / bare, 3),
        }
    if as_json:
        click.echo(json.dumps(result))
        return
    table = Table("What", "Mails a second", title=f"{mails} mails, {THREADS} at a time, answers after 50 ms")
    table.add_row("bare connections", f"{bare:.1f}")
    table.add_row("worker", f"{ours:.1f}  ({ours / bare:.0%})")
    Console().print(table)


def _bare_connections(provider: SendGrid, mails: int) -> float:
    body = json.dumps(
        {
            "personalizations": [{"to": [{"email": "anna@example.com"}]}],
            "from": {"email": "no-reply@example.com"},
            "subject": "Тема",
            "content": [{"type": "text/plain", "value": "x" * 9000}],
            "custom_args": {"delivery": "bare"},
        }
    )
    headers = {"Authorization": f"Bearer {sendgrid.KEY}", "Content-Type": "application/json"}

    def post(count: int) -> None:
        connection = http.client.HTTPConnection(urlsplit(provider.url).netloc)
        for _ in range(count):
            connection.request("POST", "/v3/mail/send", body.encode(), headers)
            connection.getresponse().read()
        connection.close()

    started = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(post, [mails // THREADS] * THREADS))
    return mails / (time.perf_counter() - started)


def _worker(provider: SendGrid, url: str, mails: int) -> float:
    conn = psycopg2.connect(url)
    conn.autocommit = True
    with conn.cursor() as cursor:
        cursor.execute(
            "SELECT count(public.queue_email_task("
            "'family-' || n || '@example.com', 'Тема', 'report_ready', '{\"name\": \"Анна\"}'"
            ")) FROM generate_series(1, %s) AS n",
            (mails + WARM_UP,),
        )
    conn.close()
    provider.accepted.clear()
    with _running_worker(provider, url), Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("worker", total=mails)
        _wait(provider, WARM_UP)
        first, started = len(provider.accepted), time.perf_counter()
        while len(provider.accepted) < mails + WARM_UP:
            time.sleep(0.01)
            progress.update(task, completed=len(provider.accepted) - WARM_UP)
        return (len(provider.accepted) - first) / (time.perf_counter() - started)


def _wait(provider: SendGrid, count: int) -> None:
    while len(provider.accepted) < count:
        time.sleep(0.005)


@contextmanager
def _running_worker(provider: SendGrid, url: str) -> Iterator[None]:
    environment = os.environ | {
        "DATABASE_URL": url,
        "EMAIL_PROVIDER": "sendgrid",
        "EMAIL_RATE_LIMIT": "10000",
        "SENDGRID_API_KEY": sendgrid.KEY,
        "SENDGRID_API_URL": provider.url,
    }
    command = [sys.executable, "-m", "dramatiq", "actors", "--processes", "1", "--threads", str(THREADS)]
    process = subprocess.Popen(
        [*command, "--queues", "emails"],
        cwd=settings.ROOT,
        env=environment,
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


if __name__ == "__main__":
    main()
