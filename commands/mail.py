"""Commands about e-mail: what went out and why, what mails look like, and which addresses get none."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import click
from rich.text import Text

from broker import broker
from commands import sending
from commands.acting import asked_for, decision
from commands.ids import ends, the_one
from commands.output import (
    HIDDEN,
    MOST_COUNTED,
    Terminal,
    counted,
    json_option,
    say,
    say_rest,
    show_json,
    show_table,
    so_many,
)
from commands.when import When
from db import clock, queries
from db.connection import Connection
from db.database import transaction
from desk.decision import record
from gateways import mail as gateway
from mail import rendering
from mail.template import MINUTE, TEMPLATES, Template

STATES = {
    "planned": "cyan",
    "sending": "cyan",
    "sent": "green",
    "delivered": "green",
    "unknown": "yellow",
    "failed": "red",
    "bounced": "red",
    "dropped": "red",
    "complained": "red",
    "superseded": "dim",
    "suppressed": "dim",
}

ADDRESS = re.compile(r"[^\s<>\"]+@[^\s<>\"]+")

LEAST = ("tries", "subject", "template", "reason")  # of a delivery's columns, where there is no room

UNHEARD = "unheard"  # no state of its own: accepted, and never reported on
UNHEARD_DAYS = 30  # that are looked at: each mail whose end nobody told is looked at alone


@click.command()
@click.argument("which", required=False)
@click.option("--failed", "wanted", flag_value="failed", help="Those that could not be sent, with the reason.")
@click.option("--unknown", "wanted", flag_value="unknown", help="Those whose provider never answered.")
@click.option(
    "--unheard",
    "wanted",
    flag_value=UNHEARD,
    help=f"Those that were accepted and never reported on, of {UNHEARD_DAYS} days.",
)
@click.option("--state", "wanted", type=click.Choice([*sorted(STATES), UNHEARD]), help="Those in this state.")
@click.option("--since", type=When(), help="Changed since then: 2h (ago), or an ISO time.")
@click.option("--limit", default=30, show_default=True, type=click.IntRange(1), help="How many at most.")
@click.option("--resend", metavar="ID", help="Send a failed, unknown or unheard one again: put its cause right first.")
@click.option("--again", metavar="ID", help="Send a new mail in the place of this one, whatever became of it.")
@click.option("--made-anew", is_flag=True, help="With --again: bring a report made anew of the answers as they are.")
@click.option("--reason", help="With --again and --resend: why; it is kept with your name.")
@json_option
def deliveries(  # noqa: PLR0913 - a parameter an option
    which: str | None,
    wanted: str | None,
    *,
    since: datetime | None,
    limit: int,
    resend: str | None,
    again: str | None,
    reason: str | None,
    made_anew: bool,
    as_json: bool,
) -> None:
    """Show the ledger of e-mails, the last changed first.

    WHICH, the beginning of a delivery's id or key, tells one delivery's whole story, or lists those that begin so.

    --resend takes such a beginning too. A failed mail never left: it goes out now if nothing is in its way any more. Of
    an unknown one nobody knows whether it left, of an unheard one whether it was dropped: it may arrive a second time,
    so ask the family or look into the provider's own log before. What else was sent, superseded or suppressed is
    refused, and so is a mail whose message is no longer kept.

    --again is for all of these: a new mail with its report, to the address that the person has now. It never goes to an
    address that is suppressed, nor to a person who has been forgotten.

    \b
      balansity deliveries --again 3f2b6c1e --reason "the mother asked on the phone"

    With MESSAGE_KEYS no address and no subject is shown: `balansity reveal ID` tells them.
    """  # noqa: D301 - click reads the \b as "keep these lines"
    if which is not None and (wanted or since):
        raise click.UsageError("Say WHICH, or by their state and --since which ones, not both.")
    with transaction() as conn:
        if again is not None:
            sending.send_again(conn, sending.named(conn, again), reason, made_anew=made_anew)
            return
        if resend is not None:
            sending.resend(conn, resend, reason)
            return
        is_cut = wanted == UNHEARD and since is None
        since = clock.now(conn) - timedelta(days=UNHEARD_DAYS) if is_cut else since
        rows = _latest(conn, wanted, since, limit) if which is None else _matching(conn, which, limit)
        total = counted(rows, limit, partial(_count, conn, which, wanted, since))
        story = _story(conn, rows[0]) if which is not None and len(rows) == 1 else None
    if as_json:
        show_json(story or rows)
    elif story:
        _tell(story)
    else:
        title = f"{so_many(len(rows), total)} deliveries"
        show_table(title if rows else "Deliveries", [_listed(row) for row in rows], least=LEAST)
    if not story:
        say_rest(len(rows), total, "deliveries")
    if is_cut:
        say(f"None that changed more than {UNHEARD_DAYS} days ago was looked at: --since looks further back.", err=True)


@click.command()
@click.argument("template", required=False, metavar="[TEMPLATE]", type=click.Choice(sorted(TEMPLATES)))
@click.option("--html", is_flag=True, help="Print the HTML instead of the plain text.")
def preview(template: str | None, html: bool) -> None:
    """Show TEMPLATE with sample data; without it, list the templates.

    `balansity preview report_ready --html > report_ready.html` makes a file for the browser; the web
    process shows all of them at /mails.
    """
    if template is None:
        rows = [_described(each) for each in TEMPLATES.values()]
        show_table("Templates", rows, least=("goes despite", "unanswered"), whole="a file")
    else:
        click.echo(rendering.sample(template)[0 if html else 1], nl=False)  # noqa: TID251 - a mail as it is, of sample data


@click.command()
@click.option(
    "--lift",
    metavar="ADDRESS",
    help="Let mail go to this address again; a family's wish for no reminders ends at the second time.",
)
@click.option("--reason", help="With --lift: why; it is kept with your name.")
@json_option
def suppressions(lift: str | None, reason: str | None, as_json: bool) -> None:
    """List the addresses that bounced, complained or unsubscribed; `balansity preview` lists what still goes there.

    SendGrid keeps a list of its own: take a lifted address off there too, or it drops the mail.
    """
    with transaction() as conn:
        lifted = lift and _lift(conn, lift, reason)
        rows = _dicts(queries.deliveries.suppressions(conn))
    if lift and not lifted:
        raise click.ClickException(f"{lift} is not suppressed.")
    if as_json:
        show_json(rows)
    else:
        show_table(f"{len(rows)} suppressed", rows, least=("delivery_id", "since"))


def _lift(conn: Connection, address: str, reason: str | None) -> bool:
    """Whether there was a suppression to lift; the log names no address."""
    decided = decision(asked_for(reason))
    lifted = bool(queries.deliveries.lift(conn, address=address))
    if lifted:
        record(conn, decided, "lift suppression")
    return lifted


def _latest(conn: Connection, state: str | None, since: datetime | None, limit: int) -> list[dict[str, Any]]:
    if state == UNHEARD:
        return _ledger(queries.deliveries.unheard(conn, reporting=gateway.reporting(), since=since, count=limit))
    states = [state] if state else None
    return _ledger(queries.deliveries.latest(conn, states=states, since=since, until=None, last=None, count=limit))


def _matching(conn: Connection, name: str, limit: int) -> list[dict[str, Any]]:
    """The deliveries whose id or key begins with `name`: at least one."""
    first, last = ends(name)
    rows = _ledger(queries.deliveries.matching(conn, name=name, first=first, last=last, count=limit))
    if not rows:
        the_one(name, [], "delivery", "balansity deliveries")
    return rows


def _count(conn: Connection, which: str | None, state: str | None, since: datetime | None) -> int:
    """How many there are of what is listed."""
    if which is not None:
        first, last = ends(which)
        count = queries.deliveries.count_matching(conn, name=which, first=first, last=last)
    elif state == UNHEARD:
        count = queries.deliveries.count_unheard(conn, reporting=gateway.reporting(), since=since, most=MOST_COUNTED)
    else:
        count = queries.deliveries.count_latest(conn, states=[state] if state else None, since=since, most=MOST_COUNTED)
    return int(count)


def _story(conn: Connection, delivery: dict[str, Any]) -> dict[str, Any]:
    """A delivery with its attempts and events, in order."""
    attempts = queries.deliveries.attempts(conn, delivery_id=delivery["id"])
    reported = queries.deliveries.events(conn, delivery_id=delivery["id"])
    again = queries.deliveries.sent_again(conn, id=delivery["id"])
    return delivery | {"attempt": _ledger(attempts), "event": _ledger(reported), "sent_again": _dicts(again)}


def _ledger(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Rows of the ledger; where messages are encrypted, who a mail went to is not for everyone's eyes either."""
    return [_without_person(row) if broker.seal else row for row in _dicts(rows)]


def _without_person(row: dict[str, Any]) -> dict[str, Any]:
    """A row without its recipient and subject, and its words without addresses."""
    hidden = {name: HIDDEN for name in ("recipient", "subject") if row.get(name)}
    texts = {name: ADDRESS.sub(HIDDEN, value) for name, value in row.items() if isinstance(value, str)}
    return row | texts | hidden


def _dicts(rows: Iterable[Any]) -> list[dict[str, Any]]:
    return [row._asdict() for row in rows]


def _listed(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"][:8],
        "changed": row["changed_at"],
        "state": Text(row["state"], STATES[row["state"]]),
        "template": row["template"],
        "reason": row["reason"],
        "tries": row["attempts"],
        "subject": row["subject"],
    }


def _tell(story: dict[str, Any]) -> None:
    Terminal().print(Text(story["state"], STATES[story["state"]]))
    for name in (
        "id",
        "key",
        "template",
        "recipient",
        "subject",
        "user_id",
        "trace",
        "reason",
        "provider",
        "provider_message_id",
    ):
        say(f"{name:<19}  {story[name] or ''}".rstrip())
    if story["again_of"]:
        say("In the place of {again_of}, says {decided_by}: {decided_because}".format(**story))
    planned = {"when": story["planned_at"], "what": "planned", "words": None}
    happened = [planned, *map(_attempted, story["attempt"]), *map(_reported, story["event"])]
    show_table("Its story", [*happened, *map(_repeated, story["sent_again"])])


def _attempted(attempt: dict[str, Any]) -> dict[str, Any]:
    outcome = attempt["outcome"] or "no answer recorded"
    return {
        "when": attempt["started_at"],
        "what": f"attempt {attempt['number']} by {attempt['provider']}: {outcome}",
        "words": " · ".join(filter(None, (attempt["answer"], attempt["provider_message_id"]))),
    }


def _reported(event: dict[str, Any]) -> dict[str, Any]:
    return {"when": event["occurred_at"], "what": event["kind"], "words": event["detail"]}


def _repeated(again: dict[str, Any]) -> dict[str, Any]:
    words = f"as {again['id'][:8]}, which is {again['state']}"
    return {"when": again["planned_at"], "what": f"sent again by {again['decided_by']}", "words": words}


def _described(template: Template) -> dict[str, str]:
    again = template.resend_after
    return {
        "template": template.name,
        "subject": template.subject,
        "goes despite": ", ".join(sorted(template.despite)) or "nothing",
        "unanswered": f"sent again after {again // MINUTE} min" if again else "left to a person",
    }
