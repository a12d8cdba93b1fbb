"""`balansity payments`: those that a person has to decide about."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import click

from actors.payments import process_payment
from commands.ids import find_id
from commands.output import confirmed, json_option, say, show_json, show_table
from db import clock, queries
from db.connection import Connection
from db.database import transaction
from domain.money import Sum
from errors import BalansityError

CAUSES = {  # what a status brings about
    "completed": "The mail, and what its metadata names and is not given yet (a consultation, a package),",
    "refunded": "The mail, and the end of what it had paid for,",
    "cancelled": "The end of what it had paid for",
    "failed": "The mail",
}


@click.group(invoke_without_command=True)
@click.pass_context
def payments(ctx: click.Context) -> None:
    """Payments that a person has to decide about (shown without a command), and what can be done with one."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(flagged, as_json=False)


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
    show_table("Payments to decide about", rows, least=("since", "status"))
    say("Ask the provider again: balansity payments process ID verify    Approve: balansity payments resolve ID")


@payments.command()
@click.argument("payment_id")
@click.argument("action", type=click.Choice(["verify", "refund", "update_status"]))
@click.option("--yes", is_flag=True, help="Refund without asking back.")
def process(payment_id: str, action: str, *, yes: bool) -> None:
    """Have a worker verify or refund the payment, or bring about what its status requires."""
    with transaction() as conn:
        payment_id = _found(conn, payment_id)
    if action == "refund":
        confirmed(f"Give the money of payment {payment_id} back?", yes=yes)
    process_payment.send(payment_id=payment_id, action=action)
    say(f"{payment_id}: {action} is on its way")


@payments.command()
@click.argument("payment_id")
@click.option("--yes", is_flag=True, help="Approve without asking back.")
def resolve(payment_id: str, *, yes: bool) -> None:
    """Say that a person has decided: the payment is no longer flagged, and what held it up holds no more.

    That approves it as it stands. What follows is said before it is done. To refuse it, set its status on the site.
    """
    with transaction() as conn:
        payment_id = _found(conn, payment_id)
        flags = list(queries.payments.flags_of(conn, payment_id=payment_id))
    if not flags:
        raise BalansityError(f"Payment {payment_id} is not flagged; `balansity payments flagged` lists those that are.")
    say("\n".join(_consequences(payment_id, flags)))
    confirmed(f"Resolve payment {payment_id}?", yes=yes)
    with transaction() as conn:
        queries.payments.resolve_flags(conn, payment_id=payment_id, now=clock.now(conn))
    say(f"{payment_id}: resolved")


def _found(conn: Connection, given: str) -> str:
    return find_id(given, "payment", "balansity payments flagged", partial(queries.payments.ids, conn))


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
