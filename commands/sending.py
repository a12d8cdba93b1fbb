"""Mails once more: the same one where it may not have arrived, or a new one because a person says so."""

import click

from commands.acting import asked_for, decision
from commands.ids import NAMED, ends, the_one
from commands.output import say
from db import queries
from db.connection import Connection
from desk.decision import record
from desk.sending import again
from gateways import mail as gateway


def resend(conn: Connection, name: str, reason: str | None) -> None:
    """Let the same mail go out once more, if it may not have arrived."""
    delivery_id, decided = named(conn, name), decision(asked_for(reason))
    if refusal := queries.deliveries.resend(conn, id=delivery_id, reporting=gateway.reporting()):
        raise click.ClickException(
            f"Delivery {delivery_id} is not sent again. {refusal} `--again` sends a new one, whatever became of this."
        )
    record(conn, decided, "resend", delivery_id)
    say(f"Delivery {delivery_id} is on its way again; `balansity deliveries {delivery_id[:8]}` tells how it went.")


def send_again(conn: Connection, delivery_id: str, reason: str | None, *, made_anew: bool) -> None:
    """Send a new mail for the same reason."""
    sent = again(conn, delivery_id, decision(asked_for(reason)), made_anew=made_anew)
    what = f"Delivery {sent.delivery_id} is on its way in the place of {delivery_id[:8]}"
    say(f"{what}; `balansity deliveries {sent.delivery_id[:8]}` tells how it went.")


def named(conn: Connection, name: str) -> str:
    """The id of the delivery whose id or key begins so."""
    first, last = ends(name)
    found = queries.deliveries.matching(conn, name=name, first=first, last=last, count=NAMED + 1)
    ids = [str(row.id) for row in found]
    return the_one(name, ids, "delivery", "balansity deliveries")
