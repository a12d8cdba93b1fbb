"""`balansity payments`: those that a person has to decide about."""

from uuid import UUID

import click

from actors.payments import process_payment
from commands.output import json_option, say, show_json, show_table
from db import clock, queries
from db.database import transaction
from domain.money import Sum
from errors import BalansityError


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
    show_table("Payments to decide about", rows)
    say("Ask the provider again: balansity payments process ID verify    Done: balansity payments resolve ID")


@payments.command()
@click.argument("payment_id", type=UUID)
@click.argument("action", type=click.Choice(["verify", "refund", "update_status"]))
@click.option("--yes", is_flag=True, help="Refund without asking back.")
def process(payment_id: UUID, action: str, *, yes: bool) -> None:
    """Have a worker verify or refund the payment, or bring about what its status requires."""
    if action == "refund" and not yes:
        click.confirm(f"Give the money of payment {payment_id} back?", abort=True)
    process_payment.send(payment_id=str(payment_id), action=action)
    say(f"{payment_id}: {action} is on its way")


@payments.command()
@click.argument("payment_id", type=UUID)
def resolve(payment_id: UUID) -> None:
    """Say that a person has decided: the payment is no longer flagged."""
    with transaction() as conn:
        count = queries.payments.resolve_flags(conn, payment_id=str(payment_id), now=clock.now(conn))
    if not count:
        raise BalansityError(f"Payment {payment_id} is not flagged; `balansity payments flagged` lists those that are.")
    say(f"{payment_id}: resolved")
    say(f"If what its status requires was held back: balansity payments process {payment_id} update_status")
