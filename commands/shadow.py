"""`balansity shadow`: what ours would do beside the old system, noted and compared; nothing is sent."""

import threading
from typing import Any

import click

from commands.output import json_option, moment, say, show_json, show_table
from db import queries
from db.database import transaction
from errors import BalansityError

LOOK_SECONDS = 60
SHOWN = 5  # of what differs, for people
WORDS = (
    "same: the old system did it, too, once. ours only: it did not (or a mail follows soon). theirs only: ours would "
    "not have. theirs repeated: it did so more than once. theirs is …: another status, ten minutes after its time."
)


@click.command()
@click.option("--report", is_flag=True, help="Compare what ours would have done with what the old system did.")
@click.option("--once", is_flag=True, help="Look once, for a cron of your own, instead of every minute until Ctrl-C.")
@click.option("--anew", is_flag=True, help="Forget what was noted before.")
@json_option
def shadow(*, report: bool, once: bool, anew: bool, as_json: bool) -> None:
    """Run beside the old system: note what ours would do, and send nothing.

    Reminders, confirmations, check-ups, payments and the statuses of consultations are looked at as our jobs and
    triggers would. Let it run for a day before `balansity take-over`.
    """
    if report:
        compared = _compared()
        show_json(compared) if as_json else _show(compared)
        return
    _look(anew=anew)
    try:
        while not once and not threading.Event().wait(LOOK_SECONDS):
            _look()
    except KeyboardInterrupt:
        say("`balansity shadow --report` compares.")


def _look(*, anew: bool = False) -> None:
    with transaction() as conn:
        if queries.takeover.in_charge(conn):
            raise BalansityError("Ours is in charge of this database: there is nothing to be the shadow of.")
        if anew:
            queries.shadow.forget(conn)
        say(f"{queries.shadow.look(conn)} more acts noted")


def _compared() -> dict[str, Any]:
    with transaction() as conn:
        looks = queries.shadow.count_looks(conn)
        if not looks.looks:
            raise BalansityError("Nothing was noted yet: run `balansity shadow`.")
        return {**looks._asdict(), "compared": [row._asdict() for row in queries.shadow.compare(conn)]}


def _show(compared: dict[str, Any]) -> None:
    since, until = moment(compared["since"]), moment(compared["until"])
    rows = [row | {"about": _some(row["about"])} for row in compared["compared"]]
    show_table(f"Ours and the old system's, {since} to {until}, in {compared['looks']} looks", rows, least=("about",))
    say(WORDS)


def _some(ids: list[str]) -> str:
    more = len(ids) - SHOWN
    return ", ".join(ids[:SHOWN]) + (f" and {more} more (--json)" if more > 0 else "")
