"""`balansity payments`: those that wait or that a person has to decide about, and all that is known of one."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any

import click

from commands.acting import asked_for, decision, reason_option
from commands.ids import find_id, the_one
from commands.output import (
    confirmed,
    json_option,
    moment,
    say,
    say_rest,
    show_json,
    show_table,
    so_many,
)
from db import queries
from db.connection import Connection
from db.database import transaction
from desk import payments as desk
from domain.money import Sum
from errors import BalansityError

LIMIT = 20  # rows of a listing

CAUSES = {  # what a status brings about
    "completed": "The mail, and what its metadata names and is not given yet (a consultation, a package),",
    "refunded": "The mail, and the end of what it had paid for,",
    "cancelled": "The end of what it had paid for",
    "failed": "The mail",
}


@click.group(invoke_without_command=True)
@click.pass_context
def payments(ctx: click.Context) -> None:
    """Payments that somebody has to decide about or that wait (both shown without a command), and what can be done.

    A payment is called by the first letters of its id, which are the number in its family's mails, or by the
    provider's id.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(flagged, as_json=False)
        ctx.invoke(open_, unknown=False, limit=LIMIT, as_json=False)


@payments.command("open")
@click.option("--unknown", is_flag=True, help="Those that no provider can be asked about: they stay open for ever.")
@click.option("--limit", default=LIMIT, show_default=True, type=click.IntRange(1), help="How many at most.")
@json_option
def open_(*, unknown: bool, limit: int, as_json: bool) -> None:
    """Payments that are not decided yet: what each waits for, since when, and when it is asked about next."""
    with transaction() as conn:
        rows = desk.open_ones(conn, limit, known=not unknown)
        counts = desk.counts_open(conn)
        total, others = counts[not unknown], 0 if unknown else counts[False]
    if as_json:
        show_json([asdict(row) for row in rows])
    else:
        for row in rows:
            say("\n".join(_waiting(row)))
        say(f"{so_many(len(rows), total)} open payments.")
        if others:
            many = others if others < desk.MOST_COUNTED else f"More than {desk.MOST_COUNTED - 1}"
            say(f"{many} more that no provider can be asked about: balansity payments open --unknown")
    say_rest(len(rows), total, "open payments")


@payments.command()
@click.argument("which")
@json_option
def show(which: str, *, as_json: bool) -> None:
    """Tell all of one payment: its row, what it waits for, what the provider said, what it gave, flags and mails."""
    with transaction() as conn:
        told = desk.about(conn, payment_id := _found(conn, which))
    if told is None:  # a moment ago it was there
        raise BalansityError(f"There is no payment {payment_id} any more.")
    waits, effects = told.pop("open"), told.pop("effect")
    if as_json:
        show_json(told | {"open": waits and asdict(waits), "effect": [asdict(each) for each in effects]})
        return
    for name, value in told.items():
        if value is not None:
            say(f"{name:<14}  {moment(value) if isinstance(value, datetime) else value}")
    if waits:
        say("Open:\n" + "\n".join(_waiting(waits)))
    show_table("What came of it", [asdict(each) for each in effects], least=("id",))


@payments.command()
@json_option
def flagged(*, as_json: bool) -> None:
    """Payments that do not add up, with the reason, the oldest first."""
    with transaction() as conn:
        rows = [
            {
                "payment": flag.payment,
                "status": flag.status,
                "sum": str(Sum(flag.amount, flag.currency)),
                "reason": flag.reason,
                "since": flag.since,
            }
            for flag in queries.payments.list_flags(conn)
        ]
    if as_json:
        show_json(rows)
        return
    listed = [row | {"payment": row["payment"][:8]} for row in rows]
    show_table("Payments to decide about", listed, least=("since", "status"))
    say("Ask the provider again: balansity payments process ID verify    Approve: balansity payments resolve ID")
    say("What happened to one: balansity payments show ID")


@payments.command()
@click.argument("payment_id")
@click.argument("action", type=click.Choice(["verify", "refund", "update_status"]))
@click.option("--reason", help="Why; a refund needs one. It is kept with your name.")
@click.option("--yes", is_flag=True, help="Refund without asking back.")
def process(payment_id: str, action: str, *, reason: str | None, yes: bool) -> None:
    """Have a worker verify or refund the payment, or bring about what its status requires."""
    with transaction() as conn:
        payment_id = _found(conn, payment_id)
    if action == "refund":
        reason = asked_for(reason)
        confirmed(f"Give the money of payment {payment_id} back?", yes=yes)
    with transaction() as conn:
        desk.process(conn, payment_id, action, decision(reason or "asked for"))
    say(f"{payment_id}: {action} is on its way")


@payments.command()
@click.argument("payment_id")
@reason_option
@click.option("--yes", is_flag=True, help="Approve without asking back.")
def resolve(payment_id: str, *, reason: str, yes: bool) -> None:
    """Say that a person has decided: the payment is no longer flagged, and what held it up holds no more.

    That approves it as it stands. What follows is said before it is done. To refuse it, set its status on the site.
    """
    with transaction() as conn:
        payment_id = _found(conn, payment_id)
        flags = desk.flags(conn, payment_id)
    if not flags:
        raise BalansityError(f"Payment {payment_id} is not flagged; `balansity payments flagged` lists those that are.")
    say("\n".join(_consequences(payment_id, flags)))
    confirmed(f"Resolve payment {payment_id}?", yes=yes)
    with transaction() as conn:
        desk.resolve(conn, payment_id, decision(reason))
    say(f"{payment_id}: resolved")


def _found(conn: Connection, given: str) -> str:
    """The id of the payment that is called so: by its first letters, or by the provider's id."""
    if names := desk.called(conn, given):
        return the_one(given, names, "payment", "balansity payments")
    return find_id(given.lstrip("№# "), "payment", "balansity payments", partial(queries.payments.ids, conn))


def _waiting(payment: desk.Open) -> Iterator[str]:
    yield f"{payment.id[:8]}  {payment.sum}, {payment.status} since {moment(payment.since)}"
    asked = f"; asked {payment.checks} times" if payment.checks else ""
    next_at = f", next at {moment(payment.next_check_at)}" if payment.next_check_at else ""
    yield f"    {payment.why}{asked}{next_at}"


def _consequences(payment_id: str, flags: Sequence[Any]) -> Iterator[str]:
    """What a payment is flagged for, and what resolving brings about."""
    status = flags[0].status
    yield f"Payment {payment_id} is {status}, and flagged:"
    yield from (f"  {flag.reason}" for flag in flags)
    if not any(flag.halts for flag in flags):
        yield "Resolving takes it off the list, and has no other effect."
    else:
        yield f"Resolving approves it: from then on it counts as {status}, whoever wrote that."
        if status == "completed":
            yield "A pending consultation that is linked to it is confirmed within a minute."
        if status in CAUSES:
            yield f"{CAUSES[status]} follows on: balansity payments process {payment_id} update_status"
    if any(flag.is_retried for flag in flags):
        yield "What the site refused to write is not tried again."
