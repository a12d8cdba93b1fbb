"""Where a family ends the mails that can be done without: their mail program by itself (RFC 8058), or they by a button.

Open to everybody: whoever has the link may. Programs that look through mails follow links, so only a POST unsubscribes.
No try is counted: a signature that nobody guesses stands before the database, and Gmail's few servers ask for many.
"""

from typing import Any

from flask import Blueprint, render_template

import settings
from db import queries
from db.database import transaction
from log import EventLogger
from mail import unsubscribing

pages = Blueprint("unsubscribe", __name__, template_folder="templates")
events = EventLogger(__name__)


@pages.get("/unsubscribe/<token>")
def ask(token: str) -> Any:
    """The button, and what it does."""
    return _page("asked" if unsubscribing.delivery_of(token) else "unknown")


@pages.post("/unsubscribe/<token>")
def unsubscribe(token: str) -> Any:
    """Send no such mail to whoever got this one; asked again, the same."""
    delivery = unsubscribing.delivery_of(token)
    if delivery is None:
        return _page("unknown")
    with transaction() as conn:
        news = queries.deliveries.unsubscribe(conn, delivery_id=str(delivery))
    events.info("mail_unsubscribed", delivery=delivery, news=news)
    return _page("done")


def _page(state: str) -> Any:
    current = settings.current()
    reply_to = current.email_reply_to and current.email_reply_to.addr_spec
    words = render_template("unsubscribe.html", state=state, phone=current.clinic_phone, reply_to=reply_to)
    return words, 404 if state == "unknown" else 200
