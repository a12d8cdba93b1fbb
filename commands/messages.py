"""See what the broker holds, and decide about dead letters."""

import json
from typing import Any
from uuid import UUID

import click
from rich.console import Console, JustifyMethod
from rich.table import Table

from db import overview, queries
from db.database import transaction
from errors import BalansityError

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON instead of a table.")


@click.command()
@as_json
def status(*, json_: bool) -> None:
    """Show what waits, runs and failed, queue by queue, and which workers live."""
    with transaction() as conn:
        queues, pgmq, workers = overview.queues(conn), overview.pgmq(conn), overview.workers(conn)
    if json_:
        click.echo(json.dumps({"queues": queues, "pgmq": pgmq, "workers": workers}))
        return
    show("Broker", queues)
    show("pgmq, not yet bridged", pgmq)
    show("Workers", workers)


@click.command()
@click.argument("message_id", required=False)
@click.option("--actor", help="Only those of this actor.")
@click.option("--limit", default=20, show_default=True, help="At most so many, the newest first.")
@as_json
def dead(*, message_id: str | None, actor: str | None, limit: int, json_: bool) -> None:
    """List dead letters with their reasons; with MESSAGE_ID, show one whole."""
    with transaction() as conn:
        rows = (
            [queries.messages.show_dead(conn, id=_uuid(message_id))]
            if message_id
            else queries.messages.list_dead(conn, actor=actor, limit=limit)
        )
        letters = [row._asdict() for row in rows if row]
    for letter in letters:
        if "message" in letter:
            letter["message"] = _decoded(letter["message"])
    if message_id and not letters:
        raise BalansityError(f"No dead letter has the id {message_id}: `balansity dead` lists those there are.")
    if json_ or message_id:
        click.echo(json.dumps(letters, default=str, ensure_ascii=False, indent=None if json_ else 2))
        return
    for letter in letters:
        click.echo(f"{letter['message_id']}  {letter['died_at']:%Y-%m-%d %H:%M:%S}  {letter['actor']}")
        click.echo(f"    after {letter['attempts']} attempts: {_reason(letter['error'])}")
    click.echo(
        f"{len(letters)} dead letters. Whole: balansity dead MESSAGE_ID. Back to work: balansity redrive MESSAGE_ID"
    )


@click.command()
@click.argument("message_ids", nargs=-1)
@click.option("--actor", help="All dead letters of this actor.")
@click.option("--all", "all_", is_flag=True, help="All dead letters.")
def redrive(*, message_ids: tuple[str, ...], actor: str | None, all_: bool) -> None:
    """Send dead letters back to work with a clean record of retries."""
    if (bool(message_ids), bool(actor), all_).count(True) != 1:
        raise click.UsageError("Name message ids, or --actor NAME, or --all.")
    with transaction() as conn:
        if message_ids:
            count = queries.messages.redrive(conn, ids=[_uuid(each) for each in message_ids])
        else:
            count = queries.messages.redrive_actor(conn, actor=actor)
    click.echo(f"{count} sent back to work.")


def show(title: str, rows: list[dict[str, Any]]) -> None:
    """Print rows as a table for people; what tells them apart, in the first column, is shown whole."""
    if not rows:
        click.echo(f"{title}: none")
        return
    table = Table(title=title, title_justify="left")
    for number, (column, value) in enumerate(rows[0].items()):
        justify: JustifyMethod = "right" if isinstance(value, int) else "left"
        table.add_column(column.replace("_", " "), justify=justify, no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console().print(table)


def _decoded(message: str) -> Any:
    """The message, or its text as it is where it is nested too deeply or holds too large a number."""
    try:
        return json.loads(message)
    except (RecursionError, ValueError):
        return message


def _reason(error: str) -> str:
    """The line that says what was wrong: the first one after a traceback's frames, which are indented."""
    after = error[error.rfind('\n  File "') + 1 :].splitlines()
    return next((line for line in after if line.strip() and not line.startswith(" ")), "no reason given")


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise BalansityError(f"{text!r} is no message id: it looks like 3f2b6c1e-….") from None
