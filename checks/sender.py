"""What mailbox providers hold against EMAIL_FROM's domain, as its DNS records tell."""

from collections.abc import Collection, Iterator

import settings
from checks.finding import Finding
from errors import RetryableError
from gateways import domain_names
from mail import sender_domain
from mail.sender_domain import USUAL_SELECTORS, Opinion

OF_NOBODY = ("example", "invalid", "test", "localhost", "local")  # RFC 2606, 6761, 6762
SENDGRIDS_SELECTORS = ("s1", "s2")


def reputation() -> Iterator[Finding]:
    """Whether mailboxes can tell that our mails are ours; mail that goes to files nobody asks."""
    current = settings.current()
    ways = {way for way in (current.email_provider, current.email_fallback_provider) if way not in {"", "file"}}
    domain = current.email_from.domain
    if not ways:
        return
    if not current.clinic_phone and not current.email_reply_to:
        what, remedy = "No mail says whom to call or where to write.", "Set CLINIC_PHONE and EMAIL_REPLY_TO."
        yield Finding("note", what, remedy, check="sender-contact")
    if domain.rpartition(".")[2].lower() in OF_NOBODY:
        what = f"EMAIL_FROM is at {domain}, which is nobody's domain: mailboxes refuse mail from there."
        yield Finding("bad", what, "Set EMAIL_FROM to an address of the clinic's own domain.", check="sender-domain")
        return
    try:
        yield from _looked_up(domain, _selectors(ways))
    except RetryableError as error:
        what = f"SPF, DKIM and DMARC of {domain} could not be looked up: {error}"
        yield Finding("note", what, "Look where there is DNS: `dig TXT _dmarc.DOMAIN`.", check="sender-unknown")


def _selectors(ways: Collection[str]) -> tuple[str, ...]:
    if said := settings.current().email_dkim_selector:
        return (said,)
    return SENDGRIDS_SELECTORS if ways == {"sendgrid"} else USUAL_SELECTORS


def _looked_up(domain: str, selectors: tuple[str, ...]) -> Iterator[Finding]:
    if not domain_names.takes_mail(domain):
        what = f"{domain} has no server that takes mail: mailboxes mistrust a sender whom nobody can answer."
        yield Finding("note", what, "Give it an MX record.", check="sender-domain")
    yield _finding("sender-spf", sender_domain.of_spf(domain, domain_names.texts))
    yield _finding("sender-dkim", sender_domain.of_dkim(domain, selectors, domain_names.texts))
    yield _finding("sender-dmarc", sender_domain.of_dmarc(domain, domain_names.texts))


def _finding(check: str, opinion: Opinion) -> Finding:
    return Finding(opinion.verdict, opinion.what, opinion.remedy, check=check)
