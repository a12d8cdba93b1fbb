"""A local SMTP server that keeps what it is given, and can be told to refuse, hang up or fall silent."""

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.servers.calls import Call

LOGIN = LoginPassword(b"clinic", b"secret")


@dataclass
class Mood:
    """A reply to a recipient (RCPT) or to a mail (DATA) instead of the usual one."""

    step: str
    reply: str | None  # None: it hangs up
    takes: bool = False  # the mail is taken all the same
    silent: bool = False  # it says nothing until its mood is over


@dataclass
class Mailbox:
    """The server's state; a scripted reply is given instead of the usual one, `None` hangs up."""

    port: int = 0
    accepted: list[Envelope] = field(default_factory=list)
    mail_replies: list[str] = field(default_factory=list)
    rcpt_replies: list[str] = field(default_factory=list)
    data_replies: list[str | None] = field(default_factory=list)
    sessions: set[Any] = field(default_factory=set)  # the peers that connected
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))  # one a mail read
    hold: threading.Event | None = None  # when set, mails are taken and answered only once it is
    calls: list[Call] = field(default_factory=list)  # one a mail that was written to its end
    delay_seconds: float = 0  # before each answer to a mail
    mood: Mood | None = None  # how it takes everyone, until it is over
    mood_over: threading.Event = field(default_factory=threading.Event)
    away: Callable[[], AbstractContextManager[None]] = nullcontext  # nobody can connect during the block

    @contextmanager
    def moody(self, mood: Mood) -> Iterator[None]:
        """Take everyone so during the block."""
        self.mood_over.clear()
        self.mood = mood
        try:
            yield
        finally:
            self.mood = None
            self.mood_over.set()

    async def handle_MAIL(  # noqa: N802 - aiosmtpd finds handlers by the command's name
        self, _server: Any, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if self.mail_replies:
            return self.mail_replies.pop(0)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if self.rcpt_replies:
            return self.rcpt_replies.pop(0)
        if (mood := self.mood) and mood.step == "RCPT" and mood.reply:
            return mood.reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.sessions.add(session.peer)
        mood = self.mood if self.mood and self.mood.step == "DATA" else USUAL
        reply = self.data_replies.pop(0) if self.data_replies else mood.reply
        taken = mood.takes or (reply or "").startswith("250")
        self.calls.append(call := _call(envelope, taken=taken))
        if taken:
            self.accepted.append(envelope)
        if reply is None:
            if mood.silent:
                await asyncio.to_thread(self.mood_over.wait)
            server.transport.abort()
            return "451 never seen"
        self.arrived.release()
        if self.hold:
            await asyncio.to_thread(self.hold.wait)
        await asyncio.sleep(self.delay_seconds)
        call.answer(int(reply[:3]) if reply[:3].isdecimal() else None)
        return reply


USUAL = Mood("DATA", "250 OK")


def _call(envelope: Envelope, *, taken: bool) -> Call:
    content = envelope.content if isinstance(envelope.content, bytes) else b""
    delivery = message_from_bytes(content)["X-Balansity-Delivery"] or ""
    return Call(delivery, envelope.rcpt_tos[0], envelope.mail_from or "", taken)


@contextmanager
def running(*, login: bool = False, certificate: Path | None = None) -> Iterator[Mailbox]:
    """Serve on a free port until the block ends; with a certificate, STARTTLS comes first."""
    mailbox = Mailbox()
    options: dict[str, Any] = {
        "hostname": "127.0.0.1",
        "tls_context": _tls(certificate) if certificate else None,
        "require_starttls": certificate is not None,
        "authenticator": _authenticate if login else None,
        "auth_required": login,
    }
    controllers = [_started(mailbox, options)]

    @contextmanager
    def away() -> Iterator[None]:
        controllers[-1].stop()
        try:
            yield
        finally:
            controllers.append(_started(mailbox, options))

    mailbox.away = away
    try:
        yield mailbox
    finally:
        if mailbox.hold:
            mailbox.hold.set()
        mailbox.mood_over.set()
        controllers[-1].stop()


def _started(mailbox: Mailbox, options: dict[str, Any]) -> "_Controller":
    """Serve the mailbox, on the port that it had before or on a free one."""
    controller = _Controller(mailbox, port=mailbox.port, **options)
    controller.start()
    mailbox.port = controller.port
    return controller


class _Controller(Controller):
    def _trigger_server(self) -> None:
        """The base class greets the server to see that it lives, on the port that was asked for: learn the real one."""
        server: Any = self.server
        self.port = server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


def _authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: Any, data: LoginPassword) -> AuthResult:
    return AuthResult(success=data == LOGIN, handled=False)


def make_certificate(folder: Path) -> Path:
    """A fresh certificate for 127.0.0.1 and its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "smtp.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


def _tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
