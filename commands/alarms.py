"""`balansity alarms`: what somebody was told of, and whether they can be told."""

import sys
from typing import Any

import click

import settings
from alarms import ways, words
from commands.output import json_option, say, show_json, show_table
from db import queries
from db.database import transaction
from errors import BalansityError
from log import first_line


@click.command()
@click.option("--test", "is_test", is_flag=True, help="Tell a word by each way that is set, and say what came of it.")
@json_option
def alarms(*, is_test: bool, as_json: bool) -> None:
    """Show what wants a person and by which ways somebody was told; --test tells a word by each way."""
    if is_test:
        sys.exit(not _test())
    with transaction() as conn:
        rows = [_shown(row._asdict()) for row in queries.alarms.open_alarms(conn)]
    if as_json:
        show_json(rows)
    else:
        show_table("Alarms", rows, least=("over_at", "subject"))


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"what": words.sentence(row.pop("sentence"), language="en")}


def _test() -> bool:
    """Whether there is a way, and all work."""
    known = settings.current().alarm_ways
    if not known:
        say("No way is set: set ALARM_WEBHOOK_URL, or ALARM_SMTP_URL and ALARM_EMAIL_TO.")
    worked = [_tested(way) for way in known]
    return bool(worked) and all(worked)


def _tested(way: str) -> bool:
    try:
        ways.tell(way, words.heading_of_test(), words.test())
    except BalansityError as error:
        say(f"{way}: {first_line(error)}")
        return False
    say(f"{way}: told")
    return True
