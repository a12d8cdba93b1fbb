"""Words for the steps of a journey, and for why a reminder was withheld, in the language of a page's reader."""

from web.language import gettext
from web.words import N_, state

KINDS = {
    "user": N_("User"),
    "check-up": N_("Check-up"),
    "report": N_("Report"),
    "appointment": N_("Consultation"),
    "consultation": N_("Consultation"),
    "payment": N_("Payment"),
    "message": N_("Message"),
    "mail": N_("Mail"),
    "address": N_("Address that is no user's"),
}
REMINDERS = {"24h": N_("24h"), "1h": N_("1h")}
EVENTS = {
    "begun": N_("begun"),
    "completed": N_("completed"),
    "cancelled": N_("cancelled"),
    "refunded": N_("refunded"),
    "pending": N_("not paid yet"),
    "processing": N_("being paid"),
    "scheduled": N_("takes place"),
    "confirmed": N_("takes place, confirmed"),
    "no_show": N_("nobody came"),
    "abandoned": N_("abandoned"),
    "of no status": N_("of no status"),
    "kept": N_("kept"),
    "booked": N_("booked for"),
    "made": N_("made"),
    "settled": N_("settled"),
    "to be asked about": N_("to be asked about"),
    "flagged": N_("flagged"),
    "decided": N_("decided"),
    "waits in pgmq": N_("waits in pgmq"),
    "waits": N_("waits"),
    "waits for its turn": N_("waits for its turn"),
    "runs": N_("runs"),
    "is dead": N_("given up"),
    "is cancelled": N_("cancelled"),
    "tried": N_("tried"),
    "sent again": N_("sent again"),
    "sending": N_("being sent"),
}
REASONS = {
    "its message is on its way": N_("its message is on its way"),
    "it is not due yet": N_("it is not due yet"),
    "it is due now": N_("it is due now"),
    "the consultation is not paid": N_("the consultation is not paid"),
    "the consultation is cancelled": N_("the consultation is cancelled"),
    "the consultation is in_progress": N_("the consultation has begun"),
    "the consultation is completed": N_("the consultation is completed"),
    "the consultation is no_show": N_("nobody came to the consultation"),
    "no clinic can mean the consultation's time": N_("no clinic can mean the consultation's time"),
    "its time has passed": N_("its time has passed"),
    "the person has no address": N_("the person has no address"),
    "the address is suppressed": N_("the address is suppressed"),
    "the old system is in charge": N_("the old system is in charge"),
    "the job send-appointment-reminders is paused": N_("the job send-appointment-reminders is paused"),
}


def kind(name: str) -> str:
    """What somebody or something is."""
    return gettext(KINDS[name]) if name in KINDS else name


def step(kind_name: str, event: str) -> str:
    """What happened to what: an event may end in who did it, "tried by smtp"."""
    name, _by, who = event.partition(" by ")
    happened = gettext(EVENTS[name]) if name in EVENTS else state(name)
    return f"{kind(kind_name)}: {happened}" + (f" · {who}" if who else "")


def reminder(kind_name: str) -> str:
    """How long before a consultation it comes."""
    return gettext(REMINDERS[kind_name]) if kind_name in REMINDERS else kind_name


def reason(words: str) -> str:
    """Why a reminder is not sent, or not yet."""
    return gettext(REASONS[words]) if words in REASONS else words
