"""A local SMTP server that keeps what it is given, and can be told to refuse, hang up or fall silent."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

LOGIN = LoginPassword(b"clinic", b"secret")


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
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.sessions.add(session.peer)
        reply = self.data_replies.pop(0) if self.data_replies else "250 OK"
        if reply is None:
            server.transport.abort()
            return "451 never seen"
        if reply.startswith("250"):
            self.accepted.append(envelope)
        self.arrived.release()
        if self.hold:
            await asyncio.to_thread(self.hold.wait)
        return reply


@contextmanager
def running(*, login: bool = False, certificate: Path | None = None) -> Iterator[Mailbox]:
    """Serve on a free port until the block ends; with a certificate, STARTTLS comes first."""
    mailbox = Mailbox()
    controller = _Controller(
        mailbox,
        hostname="127.0.0.1",
        port=0,
        tls_context=_tls(certificate) if certificate else None,
        require_starttls=certificate is not None,
        authenticator=_authenticate if login else None,
        auth_required=login,
    )
    controller.start()
    mailbox.port = controller.port
    try:
        yield mailbox
    finally:
        if mailbox.hold:
            mailbox.hold.set()
        controller.stop()


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
