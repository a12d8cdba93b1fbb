"""Words for what an operator did, and where what it was about is to be seen, in the language of a page's reader."""

import re

from flask import url_for

from web.language import gettext
from web.words import N_

# What is recorded, and what page shows what it was about, by its id or name.
ACTIONS = {
    "redrive": (N_("sent back to work"), "messages.message"),
    "cancel": (N_("cancelled messages"), "messages.message"),
    "discard": (N_("deleted for good"), "messages.message"),
    "edit message": (N_("sent back with other arguments"), "messages.message"),
    "give up": (N_("gave up what no worker can run"), None),
    "stop bulk action": (N_("stopped an action about many"), "bulk.action"),
    "pause queue": (N_("paused a queue"), "queues.queue"),
    "resume queue": (N_("resumed a queue"), "queues.queue"),
    "run job": (N_("ran a job"), "jobs.job"),
    "pause job": (N_("paused a job"), "jobs.job"),
    "resume job": (N_("resumed a job"), "jobs.job"),
    "send again": (N_("sent a mail once more"), "deliveries.delivery"),
    "resend": (N_("sent what failed again"), "deliveries.delivery"),
    "open report": (N_("opened a report"), "reports.report"),
    "resolve payment": (N_("approved a payment"), "payments.payment"),
    "verify payment": (N_("had the provider asked"), "payments.payment"),
    "refund payment": (N_("gave money back"), "payments.payment"),
    "update_status payment": (N_("had done what was missing"), "payments.payment"),
    "reveal": (N_("saw covered words"), None),
    "reveal payment": (N_("saw covered words of a payment"), "payments.payment"),
    "reveal journey": (N_("saw covered words of a journey"), None),
    "lift suppression": (N_("let an address take mails again"), None),
    "forget a person": (N_("had a person forgotten"), None),
    "ask mails held after a restore": (N_("asked about mails held after a restore"), None),
    "resend mails held after a restore": (N_("sent the mails held after a restore"), None),
    "close mails held after a restore": (N_("closed the mails held after a restore"), None),
}
FACES = {"page": N_("page"), "shell": N_("shell")}
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BY_NAME = {"queues.queue", "jobs.job"}


def did(action: str) -> str:
    """What was done."""
    return gettext(ACTIONS[action][0]) if action in ACTIONS else action


def face(via: str) -> str:
    """Where it was done."""
    return gettext(FACES[via])


def place(action: str, target: str) -> str | None:
    """The address of what it was about, where one page shows it."""
    _words, endpoint = ACTIONS.get(action, ("", None))
    if endpoint in BY_NAME:
        return url_for(endpoint, name=target)
    return url_for(endpoint, id_=target) if endpoint and ID.fullmatch(target) else None


def about(target: str) -> str:
    """What it was about: ids by their first letters."""
    return ID.sub(lambda found: found[0][:8], target)
