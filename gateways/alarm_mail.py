"""A mail server for alarms alone: whatever is wrong with the clinic's mails, these take another way."""

import smtplib
import ssl
from contextlib import closing
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import SplitResult, unquote, urlsplit

import settings
from errors import RetryableError

STEP_SECONDS = 15
PORTS = {"smtp": 587, "smtps": 465}
LOCAL = {"localhost", "127.0.0.1", "::1"}  # where nothing can be read on the way


def tell(subject: str, text: str) -> None:
    """Mail a text to everybody of ALARM_EMAIL_TO.

    Raises:
        RetryableError: the server did not take it, of any of them.
    """
    address = urlsplit(settings.current().alarm_smtp_url)
    try:
        with closing(_connected(address)) as server:
            _secured(server, address)
            refused = server.send_message(_mail(subject, text))
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        raise RetryableError(f"{address.hostname} did not take it: {_kind(error)}") from None
    if refused:
        raise RetryableError(f"{address.hostname} refused {len(refused)} of those who are to know")


def _connected(address: SplitResult) -> smtplib.SMTP:
    where = address.hostname or "", address.port or PORTS[address.scheme]
    if address.scheme == "smtps":
        return smtplib.SMTP_SSL(*where, timeout=STEP_SECONDS, context=ssl.create_default_context())
    return smtplib.SMTP(*where, timeout=STEP_SECONDS)


def _secured(server: smtplib.SMTP, address: SplitResult) -> None:
    """Encrypt where the server can, and log in where somebody could read it only if it is encrypted."""
    server.ehlo_or_helo_if_needed()
    encrypted = address.scheme == "smtps"
    if not encrypted and server.has_extn("starttls"):
        server.starttls(context=ssl.create_default_context())
        encrypted = True
    if address.username:
        if not encrypted and address.hostname not in LOCAL:
            raise RetryableError(f"{address.hostname} offers no encryption: no password is given to it")
        server.login(unquote(address.username), unquote(address.password or ""))


def _mail(subject: str, text: str) -> EmailMessage:
    current = settings.current()
    sender = current.alarm_email_from or current.email_from
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, current.alarm_email_to, subject
    mail["Date"], mail["Message-ID"] = formatdate(localtime=False), make_msgid(domain=sender.domain)
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text)
    return mail


def _kind(error: Exception) -> str:
    """An error without the server's words: they may quote a login."""
    code = getattr(error, "smtp_code", None)
    return f"{type(error).__name__} {code}" if code else type(error).__name__
