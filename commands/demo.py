"""Watch the whole job once."""

import logging
import math
import secrets
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click
from rich.rule import Rule
from werkzeug.security import generate_password_hash

import settings
from commands.output import Terminal, json_option, short, show_json
from db import overview, queries
from db.connection import Connection
from db.database import connect
from demo.account import Account
from demo.acts import Act, program
from demo.cast import assemble
from demo.stage import PROCESSES, Stage, set_up
from procfile import interruptible
from web import port

LONGEST_SECONDS = 85.0
LOOK_SECONDS = 0.2
START_SECONDS = 30.0
PASSWORD_BYTES = 12


@click.command()
@json_option
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=settings.ROOT / "var" / "demo",
    help="Where the mails, the reports, the logs and the server's data go.  [default: var/demo]",
)
@click.option("--pages", is_flag=True, help="Afterwards keep the pages up on its data, until Ctrl-C.")
def demo(*, as_json: bool, folder: Path, pages: bool) -> None:
    """Watch the whole job once, on invented families and a real PostgreSQL.

    Starts the server, the workers and the scheduler, changes rows the way the site does, and shows what follows:
    mails as .eml files, the report as PDF, statuses, analytics. Nothing leaves this machine. Ends by itself within
    90 seconds; the exit code is 0 only if every effect was seen exactly once. With --json the account goes to stderr.
    With --pages workers, scheduler and pages go on afterwards, so that you can look around; a login is printed.
    """
    logging.getLogger().setLevel(logging.WARNING)  # the account tells what happens
    console = Terminal(stderr=as_json, highlight=False, soft_wrap=True)
    started_at = time.monotonic()
    if pages:
        port.check(settings.current().port)
    try:
        with interruptible(), set_up(folder.absolute()) as stage:
            account = play(stage, console, started_at)
            conn = connect(stage.url)
            try:
                problems = account.problems(conn)
            finally:
                conn.close()
            account.write_reports()
            if as_json:
                show_json(account.summary(problems))
            _conclude(account, problems)
            if pages:
                _keep_open(stage, console)
    except Exception as error:
        if as_json:
            show_json({"problems": [str(error)]})
        raise
    sys.exit(1 if problems else 0)


def play(stage: Stage, console: Terminal, started_at: float) -> Account:
    console.print(Rule("Balansity: the whole job, once"))
    conn = connect(stage.url)
    conn.autocommit = True
    try:
        cast = assemble(conn)
        account = Account(stage, program(cast), console, started_at)
        stage.start(*PROCESSES)
        _wait(
            stage, lambda: bool(queries.demo.scheduler_is_ready(conn) and overview.living(conn).workers), START_SECONDS
        )
        console.print(
            f"[dim]{account.seconds:5.1f} s[/]  PostgreSQL, workers and scheduler run; {len(cast.families)} families"
        )
        for act in account.acts:
            _perform(act, account, conn)
        with account.progress() as progress:
            bar = progress.add_task("effects", total=len(account.effects))

            def all_seen() -> bool:
                account.look(conn)
                progress.update(bar, completed=account.tell())
                is_over = not queries.messages.count_in_pgmq(conn) and not queries.messages.unfinished_soon(conn)
                return account.complete() and is_over

            _wait(stage, all_seen, LONGEST_SECONDS - account.seconds)
        return account
    finally:
        conn.close()


def _perform(act: Act, account: Account, conn: Connection) -> None:
    account.say(f"[bold]{act.title}[/]")
    if act.play:
        act.play(conn)
    if act.job:
        account.stage.command("jobs", "run", act.job, "--reason", "the demonstration")
    account.look(conn)
    account.tell()


def _wait(stage: Stage, condition: Callable[[], bool], seconds: float) -> None:
    """Look until the condition holds or the time is up; what is missing then is told at the end."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        stage.check()
        time.sleep(LOOK_SECONDS)


def _conclude(account: Account, problems: list[str]) -> None:
    console = account.console
    console.print(Rule())
    for email in account.seen["emails"]:
        path = short(account.stage.outbox / email["file"])
        console.print(f"  {email['name'] or '':<22} {email['template']:<28} [dim]{path}[/]")
    for report in account.seen["reports"]:
        console.print(f"  {'':<22} {'report':<28} [dim]{short(Path(report['file']))}[/]")
    for problem in problems:
        console.print(f"[red]✗ {problem}[/]")
    if not problems:
        console.print(
            f"[green]Every one of {len(account.effects)} effects was seen exactly once, in {account.seconds} s.[/]"
        )


def _keep_open(stage: Stage, console: Terminal) -> None:
    """Serve the pages to a user who is made for this, as long as nobody presses Ctrl-C."""
    name, password = "vera", secrets.token_urlsafe(PASSWORD_BYTES)
    stage.start("web", WEB_USERS=f"{name}:operator:{generate_password_hash(password)}", WEB_PROXIES="0")
    _wait(stage, lambda: port.answers(settings.current().port), START_SECONDS)
    console.print(
        f"Pages: http://localhost:{settings.current().port}, user {name}, password {password}; Ctrl-C ends them."
    )
    with suppress(KeyboardInterrupt):
        _wait(stage, lambda: False, math.inf)
