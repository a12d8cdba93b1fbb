"""Where on the pages something is seen or mended, as far as there is such a page."""

from urllib.parse import quote, urlencode

from flask import current_app
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

# Of what a check finds, the first that there is; %s: its subject.
OF_CHECKS = {
    "queue-late": ("/queues/%s",),
    "queue-paused": ("/queues/%s",),
    "line-stuck": ("/queues",),
    "run-too-long": ("/running/%s", "/running"),
    "no-worker": ("/queues",),
    "no-relay": ("/queues",),
    "no-scheduler": ("/jobs",),
    "jobs-unplanned": ("/jobs/%s", "/jobs"),
    "slots-late": ("/jobs/%s", "/jobs"),
    "payment-flagged": ("/payments/%s", "/people/payment/%s"),
    "new-failure": ("/messages?state=dead&failure=%s", "/failures"),
    "held-after-restore": ("/deliveries",),
    "provider-away": ("/deliveries",),
}
OF_MANY = {"payment-flagged": "/payments", "new-failure": "/failures", "queue-late": "/queues"}


def place(address: str, **query: str) -> str | None:
    """An address of ours, if there is a page at it."""
    try:
        current_app.url_map.bind("").match(address.partition("?")[0], method="GET")
    except (HTTPException, RequestRedirect):
        return None
    return f"{address}?{urlencode(query)}" if query else address


def of_check(check: str, subject: str) -> str | None:
    """Where what a check finds is mended."""
    paths = (path.replace("%s", quote(subject, safe="")) for path in OF_CHECKS.get(check, ()))
    return next(filter(None, map(place, paths)), None)


def of_all(check: str) -> str | None:
    """Where all that a check finds is listed."""
    return place(OF_MANY[check]) if check in OF_MANY else None
