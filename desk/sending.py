"""A mail once more, because a person says so: a new order under its own key, the one exception from sending once."""

import re
from contextlib import suppress
from typing import Any, NamedTuple
from uuid import UUID

from dramatiq import Message

from actors.emails import send_email
from actors.reports import generate_report
from broker import broker
from db import queries
from db.connection import Connection
from desk.decision import Decision, record
from errors import InvalidMessage, KeyMissing, Refused
from mail.ledger import Entry
from mail.order import AGAIN, read_order
from mail.template import TEMPLATES, UNSUBSCRIBED

KEY = re.compile(
    r"(?P<what>checkup|report_ready|appointment|reminder:\w+|payment):(?P<id>[0-9a-f-]{36})"
    r"(?::(?P<format>pdf|csv|json):(?P<digest>\w+))?"
)
NAMED = {"checkup": "assessment", "report_ready": "assessment", "payment": "payment"}  # all others: an appointment


class SentAgain(NamedTuple):
    """The delivery by which it goes out, and whether this call decided that, or another one before."""

    delivery_id: str
    is_new: bool


def again(
    conn: Connection, delivery_id: str, decision: Decision, *, made_anew: bool = False, number: int | None = None
) -> SentAgain:
    """Have a mail sent once more, whatever became of it, to the address that its person has now.

    It brings the report that it brought before, or, `made_anew`, one that is made of the answers as they are. A page
    gives the `number` that it showed, so that two clicks are one decision; without one, each call is a new one.

    Raises:
        Refused: it must not be sent, or what it said is no longer known.
    """
    old = queries.deliveries.lock(conn, id=delivery_id)
    before = list(queries.deliveries.sent_again(conn, id=delivery_id))
    number = number or len(before) + 1
    key = f"{AGAIN}{old.id}:{number}"
    for each in before:
        if each.key == key:
            return SentAgain(each.id, is_new=False)
    _refuse(conn, old, before)
    message, order = (_report_anew if made_anew else _as_before)(conn, old, key)
    entry = Entry.of(read_order(order), message.message_id)
    new_id = queries.deliveries.plan_again(
        conn, entry=entry, id=old.id, who=decision.who, reason=decision.reason.strip()
    )
    with broker.transaction(conn):
        broker.enqueue(message)
    record(conn, decision, "send again", old.id)
    return SentAgain(new_id, is_new=True)


def report_again(
    conn: Connection, report_id: str, decision: Decision, *, made_anew: bool = False, number: int | None = None
) -> SentAgain:
    """Have the mail that brought a report first sent once more, as `again` does.

    Raises:
        Refused: no mail brought it, or `again` refuses.
    """
    mails = list(queries.reports.mails_of(conn, id=report_id))
    if not mails:
        raise Refused("Report %(report)s is not sent again. No mail that brought it is known.", report=report_id)
    return again(conn, mails[0].id, decision, made_anew=made_anew, number=number)


def next_number(conn: Connection, delivery_id: str) -> int:
    """The number that a page shows beside a mail, and gives to `again`."""
    return len(list(queries.deliveries.sent_again(conn, id=delivery_id))) + 1


def _despite(old: Any) -> list[str]:
    """Who has unsubscribed still gets what can not be done without; any other suppression stops what is sent again."""
    template = TEMPLATES.get(old.template)
    return sorted(template.despite & UNSUBSCRIBED) if template else []


def _refuse(conn: Connection, old: Any, before: list[Any]) -> None:
    """See that the mail may go to somebody, and is not on its way to them."""
    on_its_way = [each.id for each in before if each.state in {"planned", "sending"}]
    if old.key.startswith("forgotten:"):
        raise Refused("Delivery %(id)s is not sent again. Whoever it went to has been forgotten.", id=old.id)
    if not old.address:
        raise Refused("Delivery %(id)s is not sent again. The person has no address.", id=old.id)
    if reason := queries.deliveries.suppressed(conn, address=old.address, despite=_despite(old)):
        raise Refused(
            "Delivery %(id)s is not sent again. The address is suppressed (%(reason)s): nothing is sent to it before "
            "`balansity suppressions --lift` lets it.",
            id=old.id,
            reason=reason,
        )
    if on_its_way:
        raise Refused(
            "Delivery %(id)s is not sent again. It is being sent again already, as %(new)s, which is not out yet.",
            id=old.id,
            new=on_its_way[0],
        )


def _as_before(conn: Connection, old: Any, key: str) -> tuple[Message[Any], dict[str, Any]]:
    """The order as it was first, where its message is kept and can be read; else as the ledger remembers it."""
    order = (_kept(conn, old) or _remembered(conn, old)) | {"to": old.address, "key": key, "user_id": old.user_id}
    report_id = order.get("report_id")
    if report_id and queries.reports.key_of(conn, id=report_id) is None:
        raise _without_report(old)
    return send_email.message(**order), order


def _kept(conn: Connection, old: Any) -> dict[str, Any] | None:
    with suppress(InvalidMessage, KeyMissing, ValueError):
        UUID(old.message_id)  # what the old system sent was no message of ours
        said = broker.vault.opened(conn, old.message_id)
        if isinstance(said, dict) and said.get("actor_name") == send_email.actor_name:
            return dict(said["kwargs"])
    return None


def _remembered(conn: Connection, old: Any) -> dict[str, Any]:
    """What the mail was about, by its key; its words are looked up anew."""
    named = KEY.match(old.first_key or "")
    template = TEMPLATES.get(old.template)
    if named is None or template is None:
        raise Refused(
            "Delivery %(id)s is not sent again. Its message is no longer kept, and its key does not say what it was "
            "about: order it anew.",
            id=old.id,
        )
    what = NAMED.get(named["what"], "appointment")
    order = {
        "subject": old.subject or template.subject,
        "template": old.template,
        "variables": {f"{what}_id": named["id"]},
    }
    if named["what"] == "report_ready":
        order["report_id"] = queries.reports.id_of(
            conn, assessment_id=named["id"], format=named["format"], digest=named["digest"]
        )
        if order["report_id"] is None:
            raise _without_report(old)
    return order


def _without_report(old: Any) -> Refused:
    return Refused("Delivery %(id)s is not sent again. Its report is no longer kept: have it made anew.", id=old.id)


def _report_anew(_conn: Connection, old: Any, key: str) -> tuple[Message[Any], dict[str, Any]]:
    """The report's own message, which then orders the mail."""
    named = KEY.match(old.first_key or "")
    if named is None or named["what"] != "report_ready":
        raise Refused("Delivery %(id)s brings no report that could be made anew.", id=old.id)
    order = {
        "to": old.address,
        "subject": old.subject,
        "template": old.template,
        "key": key,
        "user_id": old.user_id,
    }
    message = generate_report.message(
        assessment_id=named["id"], user_id=old.user_id, report_type=named["format"], mail_key=key
    )
    return message, order
