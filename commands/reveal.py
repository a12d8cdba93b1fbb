"""`balansity reveal`: show what is kept from view, to a person who says why."""

from functools import partial

import click

from commands.acting import decision
from commands.ids import find_id
from commands.output import show_json
from db import queries
from db.database import transaction
from desk import revealing


@click.command()
@click.argument("id_")
@click.option("--reason", required=True, help="Why you must see it; it is kept with your name.")
def reveal(*, id_: str, reason: str) -> None:
    """Show what the message, or the delivery, says whose id begins with ID: decrypted, with its recipient.

    Who was shown it, when and why stays in dramatiq.revelation.
    """
    with transaction() as conn:
        finders = (partial(each.ids, conn) for each in (queries.deliveries, queries.messages))
        id_ = find_id(id_, "message or delivery", "balansity dead` or `balansity deliveries", *finders)
        shown = revealing.delivery if queries.deliveries.find(conn, id=id_) else revealing.message
        said = shown(conn, id_, decision(reason))
    show_json(said)  # not before it is noted
