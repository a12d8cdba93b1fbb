"""What came of a payment, a row each: in words, with a link to what it was."""

from typing import Any

from flask import url_for

from desk.payments import Effect
from web.covered import shown
from web.payment_words import told
from web.words import mail


def effect(given: Effect, *, bare: bool) -> dict[str, Any]:
    """When, what, why, and which mail or consultation it was."""
    is_mail = given.what.startswith("mail ")
    return {
        "at": given.at,
        "what": told(given.what, bare=True),
        "detail": _mail(given.words or "", bare=bare) if is_mail else told(given.words, bare=bare),
        "id": given.id and given.id[:8],
        "address": _address(given, is_mail=is_mail),
    }


def _mail(words: str, *, bare: bool) -> str:
    """Which mail, and why it is as it is, which may name a person."""
    template, _colon, reason = words.partition(": ")
    return ": ".join(filter(None, [mail(template), shown(reason, bare=bare)]))


def _address(given: Effect, *, is_mail: bool) -> str | None:
    if is_mail:
        return url_for("deliveries.delivery", id_=given.id)
    if given.what.startswith("settled") and given.id:
        return url_for("people.person", kind="appointment", id_=given.id)
    return None
