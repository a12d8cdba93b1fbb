"""The way out for e-mail: a folder, an SMTP server or SendGrid, whichever EMAIL_PROVIDER names."""

import settings
from domain.mail import Accepted, Mail
from gateways.mail import outbox, sendgrid, smtp

PROVIDERS = {"file": outbox.send, "smtp": smtp.send, "sendgrid": sendgrid.send}


def send(mail: Mail) -> Accepted:
    """Hand `mail` over; gives what the provider said.

    Raises:
        RetryableError: it was certainly not accepted, and may be later.
        PermanentError: it was certainly not accepted, and never will be.
        OutcomeUnknown: the request went out, and no answer came back.
    """
    return PROVIDERS[settings.current().email_provider](mail)
