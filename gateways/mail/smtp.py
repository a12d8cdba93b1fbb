"""An SMTP server, over one kept connection a thread."""

import contextlib
import re
import smtplib
import ssl
import threading

import settings
from errors import BalansityError, OutcomeUnknown, ProviderAway, RetryableError
from gateways.mail import mime, replies
from gateways.mail.envelope import Accepted, Mail

TIMEOUT_SECONDS = 20  # for every step but the next
CONTENT_SECONDS = 60  # for writing the mail, and for the server that looks into it
GO_AHEAD = 354


class Kept(threading.local):
    """The connection of a thread; it ends with the thread."""

    held: "Held | None" = None


class Held:
    """A connection that is closed when nobody holds it any more."""

    def __init__(self, server: smtplib.SMTP) -> None:
        self.server = server

    def __del__(self) -> None:
        self.server.close()


kept = Kept()


def send(mail: Mail) -> Accepted:
    """Hand `mail` to the server; its name is the Message-ID, and its words often hold its own number.

    Raises:
        RetryableError, PermanentError, OutcomeUnknown: as gateways.mail.send promises.
    """
    sender = settings.current().email_from
    content = mime.build(mail, sender, settings.current().email_reply_to).as_bytes()
    server = _connection()
    try:
        _envelope(server, sender.addr_spec, mail.recipient)
        answer = _content(server, content)
    except OutcomeUnknown:
        drop()
        raise
    return Accepted(mime.message_id(mail, sender), answer)


def _connection() -> smtplib.SMTP:
    """The thread's connection if the server still answers on it, else a new one."""
    if kept.held:
        with contextlib.suppress(smtplib.SMTPException, OSError):
            if kept.held.server.rset()[0] == 250:
                return kept.held.server
        drop()
    kept.held = Held(_open())
    return kept.held.server


def _open() -> smtplib.SMTP:
    current = settings.current()
    address = f"{current.smtp_host}:{current.smtp_port}"
    try:
        server = _greet()
        try:
            _secure_and_log_in(server)
        except BaseException:
            server.close()
            raise
    except smtplib.SMTPAuthenticationError as error:
        raise ProviderAway(
            f"{address} refused the login ({error.smtp_code}): check SMTP_USERNAME, SMTP_PASSWORD"
        ) from None
    except (smtplib.SMTPException, OSError, UnicodeError) as error:  # Unicode's, where SMTP_HOST can be no host's name
        raise ProviderAway(f"{address} cannot be used: {type(error).__name__}: {error}") from None
    return server


def _greet() -> smtplib.SMTP:
    current = settings.current()
    address = current.smtp_host, current.smtp_port
    if current.smtp_tls == "tls":
        return smtplib.SMTP_SSL(*address, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context())
    return smtplib.SMTP(*address, timeout=TIMEOUT_SECONDS)


def _secure_and_log_in(server: smtplib.SMTP) -> None:
    current = settings.current()
    if current.smtp_tls == "starttls":
        server.starttls(context=ssl.create_default_context())
    if current.smtp_username:
        server.login(current.smtp_username, current.smtp_password)


def _envelope(server: smtplib.SMTP, sender: str, recipient: str) -> None:
    """Sender and recipient; up to here nothing can have gone out."""
    try:
        server.ehlo_or_helo_if_needed()
        code, words = server.mail(sender)
        if not _accepted(code):  # nothing is wrong with the mail: it waits for the right sender
            raise ProviderAway(f"{_answer(code, words)}. Check that it may send as EMAIL_FROM.")
        code, words = server.rcpt(recipient)
        if not _accepted(code):
            raise _refusal(code, words)
    except (smtplib.SMTPException, OSError) as error:
        raise ProviderAway(f"The SMTP server hung up before the mail: {type(error).__name__}") from None


def _content(server: smtplib.SMTP, content: bytes) -> str:
    """The mail itself, and the server's words."""
    _wait_at_most(server, CONTENT_SECONDS)
    try:
        _write(server, content)
        code, words = server.getreply()
    except (smtplib.SMTPException, OSError) as error:  # the mail was written to its end: it may have been taken
        raise OutcomeUnknown(f"The SMTP server did not answer: {type(error).__name__}") from None
    finally:
        _wait_at_most(server, TIMEOUT_SECONDS)
    if code >= 400:
        raise _refusal(code, words)
    if not _accepted(code):
        raise OutcomeUnknown(_answer(code, words))
    return _answer(code, words)


def _write(server: smtplib.SMTP, content: bytes) -> None:
    """Ask for the server's go-ahead (354) and write the mail; it is none before its last line, a lone dot."""
    try:
        code, words = server.docmd("data")
        if code != GO_AHEAD:
            raise _refusal(code, words) if code >= 400 else ProviderAway(_answer(code, words))
    except (smtplib.SMTPException, OSError) as error:
        raise ProviderAway(f"The SMTP server hung up before the mail: {type(error).__name__}") from None
    try:
        server.send(re.sub(rb"(?m)^\.", b"..", content).removesuffix(b"\r\n") + b"\r\n.\r\n")
    except (smtplib.SMTPException, OSError) as error:
        server.close()
        raise RetryableError(f"The SMTP server hung up in the middle of the mail: {type(error).__name__}") from None


def _wait_at_most(server: smtplib.SMTP, seconds: float) -> None:
    if server.sock:  # none once the server has hung up
        server.sock.settimeout(seconds)


def _accepted(code: int) -> bool:
    """Whether the first digit says so; smtplib gives -1 for what is no SMTP at all."""
    return 200 <= code < 300


def _refusal(code: int, words: bytes | str) -> BalansityError:
    return replies.refusal(code, _text(words), _answer(code, words))


def _answer(code: int, words: bytes | str) -> str:
    return f"The SMTP server answered {code}: {_text(words)[:200]}"


def _text(words: bytes | str) -> str:
    return words.decode(errors="replace") if isinstance(words, bytes) else words


def drop() -> None:
    """End the thread's connection, where it has one."""
    kept.held = None
