"""The way out for e-mail: a folder, an SMTP server or SendGrid, whichever EMAIL_PROVIDER names."""

from collections.abc import Callable

import settings
from gateways.mail import outbox, sendgrid, smtp
from gateways.mail.envelope import Accepted, Mail

PROVIDERS: dict[str, Callable[[Mail], Accepted]] = {"file": outbox.send, "smtp": smtp.send, "sendgrid": sendgrid.send}


def provider() -> str:
    """What the ledger calls the way out; mails that SendGrid only checks are told apart."""
    current = settings.current()
    if current.email_provider == "sendgrid" and current.sendgrid_sandbox:
        return "sendgrid-sandbox"
    return current.email_provider


def reporting() -> list[str]:
    """The ways out in use that are set up to report what becomes of mails."""
    current = settings.current()
    return [name for name in [provider()] if name == "sendgrid" and current.sendgrid_webhook_public_key]


def send(mail: Mail) -> Accepted:
    """Hand `mail` over; gives what the provider said.

    Raises:
        ProviderAway: it was certainly not accepted, and no other mail would be: that is no fault of this one.
        RetryableError: it was certainly not accepted, and may be later.
        PermanentError: it was certainly not accepted, and never will be.
        OutcomeUnknown: the request went out, and no answer came back.
    """
    return PROVIDERS[settings.current().email_provider](mail)
