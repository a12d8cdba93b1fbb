"""Words for what a payment waits for, is flagged for and brought about, in the language of a page's reader.

The database and the desk say it in English, with ids, sums and states in it; what they do not say so, the provider's or
somebody else's words, may name a person.
"""

import re
from functools import cache

from web.covered import shown
from web.language import gettext
from web.sums import written
from web.words import N_, state

SENTENCES = (
    # what an open one waits for
    N_("held until a person decides: %(reason)s"),
    N_("what was paid under its id at the provider is another row's"),
    N_("the checkout gave it no id at the provider: nobody can be asked, it stays open"),
    N_("paid by %(method)s: no provider that can be asked"),
    N_("no answer in three days: a person has to decide"),
    N_("the provider is away: it is asked once it is back"),
    N_("the provider has not decided about the refund"),
    N_("completed as a visitor wrote it: nothing follows until the provider says so"),
    N_("the provider said: %(reason)s"),
    N_("the provider has not answered yet"),
    # what it is flagged for
    N_("unexpected change: %(status)s → %(new_status)s"),
    N_("the provider says %(status)s, we have %(new_status)s"),
    N_("the provider says %(sum)s, we have %(our_sum)s"),
    N_("the provider has given back %(sum)s of %(our_sum)s"),
    N_("the provider answers for a payment of another id"),
    N_("the provider made it for another %(key)s"),
    N_("the site's own rules refused %(status)s, which the provider says (%(code)s)"),
    N_("the site's own rules refused what follows (%(code)s): tried again"),
    N_("completed as a visitor wrote it, and the provider knows no such payment"),
    N_("completed as a visitor wrote it, and no provider can be asked"),
    N_("open for 3 days"),
    N_("refund pending for 3 days"),
    N_("refund refused: %(reason)s"),
    N_("refund canceled: %(key)s"),
    N_("its external_payment_id pays for another row"),
    N_("a value does not fit: %(code)s"),
    N_("paid, but appointment %(id)s is %(status)s"),
    N_("paid in %(currency)s, but prices are in RUB"),
    N_("paid %(number)s, but what metadata names costs %(price)s"),
    N_("appointment %(id)s is missing, belongs to another user or was paid otherwise"),
    N_("appointment %(id)s is not what was paid for"),
    N_("metadata describes no appointment: appointment_type_id must be a uuid and scheduled_at a time with its zone"),
    N_("metadata.scheduled_at had passed when the payment completed"),
    N_("metadata.profile_id is no profile of the payer"),
    N_("the time that metadata describes is taken"),
    N_("metadata.package_id is no package"),
    N_("metadata.appointment_id is no uuid"),
    # what the provider said
    N_("%(answer)s, %(sum)s"),
    # what came of it
    N_("settled as %(status)s"),
    N_("gave a package"),
    N_("flagged"),
    N_("decided by %(who)s"),
    N_("the provider said"),
    N_("a notice had it asked about"),
    N_("mail %(status)s"),
    N_("a consultation is paid for"),
    N_("sessions left: %(number)s"),
)
PARTS = {
    "status": r"[a-z_]{1,20}",
    "new_status": r"[a-z_]{1,20}",
    "sum": r"[\d.]+ [A-Z]{3}",
    "our_sum": r"[\d.]+ [A-Z]{3}",
    "number": r"[\d.]+",
    "price": r"[\d.]+",
    "currency": r"[A-Z]{3}",
    "code": r"[0-9A-Z]{5}",
    "key": r"[a-z_]{1,60}",
    "method": r"'?[a-z_]{1,20}'?",
    "answer": r"pending|waiting_for_capture|succeeded|canceled",
    "id": r"[0-9a-f-]{36}",
    "who": r"[\w.@ -]{1,60}",
    "reason": r".*",
}
STATES = {"status", "new_status"}
SUMS = {"sum", "our_sum"}
ANSWERS = {
    "pending": N_("not paid yet"),
    "waiting_for_capture": N_("paid, not captured yet"),
    "succeeded": N_("paid"),
    "canceled": N_("cancelled"),
}


def told(words: str | None, *, bare: bool = False) -> str | None:
    """What the database says of a payment; what is not ours in it stays covered unless `bare`."""
    if not words:
        return None
    return "; ".join(str(_said(each, bare=bare)) for each in words.split("; "))


def _said(words: str, *, bare: bool) -> str | None:
    for sentence in SENTENCES:
        if found := _pattern(sentence).fullmatch(words):
            return gettext(sentence, **{name: _part(name, part, bare=bare) for name, part in found.groupdict().items()})
    return shown(words, bare=bare)


def _part(name: str, words: str, *, bare: bool) -> str:
    if name == "reason":
        return told(words, bare=bare) or ""
    if name == "id":
        return words[:8]
    if name == "answer":
        return gettext(ANSWERS[words])
    if name in SUMS:
        return written(words)
    return state(words) if name in STATES else words


@cache
def _pattern(sentence: str) -> re.Pattern[str]:
    """What the database says where a sentence has places."""
    escaped = re.escape(sentence).replace(r"%\(", "%(").replace(r"\)s", ")s")
    return re.compile(re.sub(r"%\((\w+)\)s", lambda place: f"(?P<{place[1]}>{PARTS[place[1]]})", escaped), re.DOTALL)
