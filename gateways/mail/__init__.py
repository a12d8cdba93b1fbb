"""The ways out for e-mail, by EMAIL_PROVIDER and EMAIL_FALLBACK_PROVIDER: a folder, an SMTP server, SendGrid."""

from collections.abc import Callable

import settings
from errors import PermanentError
from gateways.mail import outbox, smtp
from gateways.mail.envelope import Accepted, Mail

SANDBOX = "sendgrid-sandbox"  # mails that SendGrid only checks are told apart


def _send_by_sendgrid(mail: Mail) -> Accepted:
    from gateways.mail import sendgrid

    return sendgrid.send(mail)


# By the names that the ledger has for them.
PROVIDERS: dict[str, Callable[[Mail], Accepted]] = {
    "file": outbox.send,
    "smtp": smtp.send,
    "sendgrid": _send_by_sendgrid,
    SANDBOX: _send_by_sendgrid,
}


def provider() -> str:
    """What the ledger calls the way out."""
    return _name(settings.current().email_provider)


def fallback() -> str | None:
    """What the ledger calls the second way out, for mails with a deadline, if there is one."""
    second = settings.current().email_fallback_provider
    return _name(second) if second else None


def reporting() -> list[str]:
    """The ways out that are set up to report what becomes of mails."""
    known = settings.current().sendgrid_webhook_public_key
    return [name for name in (provider(), fallback()) if name == "sendgrid" and known]


def knows(delivery_id: str) -> bool:
    """Whether SendGrid, as the first or the second way out, has ever taken a mail of this delivery.

    Raises:
        RetryableError: it does not say now.
        PermanentError: it cannot be asked.
    """
    from gateways.mail import sendgrid

    current = settings.current()
    if "sendgrid" not in {current.email_provider, current.email_fallback_provider}:
        raise PermanentError(f"EMAIL_PROVIDER={current.email_provider} cannot be asked: look into its log")
    return sendgrid.knows(delivery_id)


def send(mail: Mail, name: str) -> Accepted:
    """Hand `mail` over by the way out of this name; gives what the provider said.

    Raises:
        ProviderAway: it was certainly not accepted, and no other mail would be: that is no fault of this one.
        RetryableError: it was certainly not accepted, and may be later.
        PermanentError: it was certainly not accepted, and never will be.
        OutcomeUnknown: the request went out, and no answer came back.
    """
    return PROVIDERS[name](mail)


def _name(setting: str) -> str:
    return SANDBOX if setting == "sendgrid" and settings.current().sendgrid_sandbox else setting
