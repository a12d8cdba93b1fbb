"""SMTP: one kept connection a thread, encrypted, and every kind of answer understood."""

import asyncio
import email
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

import settings
from errors import OutcomeUnknown, PermanentError, ProviderAway, RetryableError
from gateways.mail import smtp as gateway
from gateways.mail.envelope import Accepted, Attachment, Mail
from gateways.mail.smtp import send
from tests.servers import smtp as server
from tests.servers.smtp import Mailbox
from tests.unit.test_headers import decoded, headers_of

ICS = Attachment("consultation.ics", "text/calendar; charset=utf-8; method=REQUEST", b"BEGIN:VCALENDAR")


def mail(number: int = 1) -> Mail:
    text = "Привет\n.точка в начале строки\n"
    return Mail("report_ready", "anna@example.com", "Тема", f"<p>{text}</p>", text, (ICS,), f"delivery-{number}")


def use(monkeypatch: pytest.MonkeyPatch, port: int, **more: str) -> None:
    names = {"EMAIL_PROVIDER": "smtp", "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port), "SMTP_TLS": "off", **more}
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    settings.current.cache_clear()


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    with server.running() as mailbox:
        use(monkeypatch, mailbox.port)
        yield mailbox
        gateway.drop()
        settings.current.cache_clear()


def received(mailbox: Mailbox, number: int = 0) -> Any:
    content = mailbox.accepted[number].content
    assert isinstance(content, bytes)
    return email.message_from_bytes(content, _class=EmailMessage, policy=default)


def test_a_mail_arrives_whole(provider: Mailbox) -> None:
    provider.data_replies.append("250 2.0.0 Ok: queued as 4F1A2")
    assert send(mail()) == Accepted(
        "<delivery-1@balansity.example>", "The SMTP server answered 250: 2.0.0 Ok: queued as 4F1A2"
    )
    message = received(provider)
    assert (message["To"], message["Subject"]) == ("anna@example.com", "Тема")
    assert message["From"] == "Balansity <no-reply@balansity.example>"
    assert message.get_body(("plain",)).get_content().splitlines()[1] == ".точка в начале строки"
    (ics,) = message.iter_attachments()
    assert (ics.get_content_type(), ics.get_filename()) == ("application/ics", "consultation.ics")
    beside_the_text = [part for part in message.walk() if part.get_content_type() == "text/calendar"]
    assert [part.get_param("method") for part in beside_the_text] == ["REQUEST"]
    assert beside_the_text[0].get_content() == ICS.content.decode() + "\r\n"


@pytest.mark.parametrize(
    "subject",
    [
        "Напоминание о консультации у детского психолога в среду, 25 ноября, в 10:35 (МСК)",
        "Отчет =?utf-8?q?=0d=0aBcc:_evil=40example.com?=",
    ],
)
def test_a_subject_arrives_as_it_was_written_and_alone(provider: Mailbox, subject: str) -> None:
    send(replace(mail(), subject=subject))
    [accepted] = provider.accepted
    assert isinstance(accepted.content, bytes)
    headers = headers_of(accepted.content)
    assert decoded(headers["Subject"]) == subject
    assert "Bcc" not in headers


def test_the_connection_is_kept(provider: Mailbox) -> None:
    for number in range(5):
        send(mail(number))
    assert (len(provider.accepted), len(provider.sessions)) == (5, 1)


def test_every_thread_has_its_own_connection(provider: Mailbox) -> None:
    together = threading.Barrier(4)

    def send_five(thread: int) -> None:
        together.wait()
        for number in range(5):
            send(mail(thread * 5 + number))
        gateway.drop()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(send_five, range(4)))
    assert (len(provider.accepted), len(provider.sessions)) == (20, 4)


@pytest.mark.parametrize(
    ("reply", "error"), [("550 No such user", PermanentError), ("450 Mailbox busy", RetryableError)]
)
def test_a_refused_recipient_is_told_apart_by_its_first_digit(
    provider: Mailbox, reply: str, error: type[Exception]
) -> None:
    provider.rcpt_replies.append(reply)
    with pytest.raises(error, match=reply[:3]):
        send(mail())
    send(mail(2))
    assert received(provider)["Message-ID"] == "<delivery-2@balansity.example>"


@pytest.mark.parametrize(
    "reply", ["550 5.7.1 Sender not verified", "530 Authentication required", "451 Try later", "?"]
)
def test_a_refused_sender_is_ours_to_put_right_and_the_mail_waits(provider: Mailbox, reply: str) -> None:
    provider.mail_replies.append(reply)
    with pytest.raises(RetryableError, match="EMAIL_FROM"):
        send(mail())
    send(mail(2))
    assert received(provider)["Message-ID"] == "<delivery-2@balansity.example>"


@pytest.mark.parametrize("place", ["mail_replies", "rcpt_replies", "data_replies"])
def test_a_limit_that_is_used_up_ends_no_mail_wherever_the_server_says_so(provider: Mailbox, place: str) -> None:
    getattr(provider, place).append("550 5.4.5 Daily user sending limit exceeded")
    with pytest.raises(ProviderAway, match="Daily user sending limit exceeded"):
        send(mail())
    send(mail(2))
    assert received(provider)["Message-ID"] == "<delivery-2@balansity.example>"


@pytest.mark.parametrize(
    ("command", "replies", "error"),
    [
        ("DATA", [], ProviderAway),  # hung up without a word, before the go-ahead
        ("DATA", ["451 4.3.0 Try later"], RetryableError),
        ("DATA", ["554 5.7.1 Relay access denied"], ProviderAway),
        ("EHLO", ["504 5.5.2 Helo command rejected"] * 2, ProviderAway),
        ("RCPT", [], ProviderAway),
    ],
)
def test_a_server_that_closes_or_refuses_before_its_go_ahead_has_taken_nothing(
    monkeypatch: pytest.MonkeyPatch, command: str, replies: list[str], error: type[Exception]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as thread:
        listening.settimeout(10)
        thread.submit(_talk, listening, command, replies)
        use(monkeypatch, listening.getsockname()[1])
        with pytest.raises(error) as refused:
            send(mail())
        gateway.drop()
    settings.current.cache_clear()
    assert type(refused.value) is error


def _talk(listening: socket.socket, command: str, replies: list[str]) -> None:
    """Agree to every command up to `command`, which gets these replies; then hang up."""
    peer, _ = listening.accept()
    with peer, peer.makefile("rw", newline="\r\n") as lines:
        print("220 ready", file=lines, end="\r\n", flush=True)
        for line in lines:
            if line.upper().startswith((command, "HELO")):
                if not replies:
                    return
                print(replies.pop(0), file=lines, end="\r\n", flush=True)
            else:
                print("250 OK", file=lines, end="\r\n", flush=True)


def test_an_answer_to_the_mail_that_is_no_smtp_is_unknown(provider: Mailbox) -> None:
    provider.data_replies.append("taken, thanks")
    with pytest.raises(OutcomeUnknown, match="answered -1"):
        send(mail())


@pytest.mark.parametrize(("reply", "error"), [("554 Spam", PermanentError), ("452 Too many", RetryableError)])
def test_a_refused_mail_is_told_apart_by_its_first_digit(provider: Mailbox, reply: str, error: type[Exception]) -> None:
    provider.data_replies.append(reply)
    with pytest.raises(error, match=reply[:3]):
        send(mail())


def test_a_connection_lost_after_the_mail_is_unknown(provider: Mailbox) -> None:
    provider.data_replies.append(None)
    with pytest.raises(OutcomeUnknown):
        send(mail())
    send(mail(2))
    assert len(provider.accepted) == 1


def test_a_server_may_take_its_time_to_look_into_a_mail(provider: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = provider.handle_DATA

    async def thorough(*arguments: Any) -> str:
        await asyncio.sleep(3)
        return await usual(*arguments)

    monkeypatch.setattr(provider, "handle_DATA", thorough)
    monkeypatch.setattr(gateway, "TIMEOUT_SECONDS", 2)
    send(mail())
    assert len(provider.accepted) == 1
    held = gateway.kept.held
    assert held
    assert held.server.sock
    assert held.server.sock.gettimeout() == 2


def test_a_thread_that_ends_takes_its_connection_along(provider: Mailbox) -> None:
    def one_mail() -> socket.socket:
        send(mail())
        assert gateway.kept.held
        sock = gateway.kept.held.server.sock
        assert sock
        return sock

    with ThreadPoolExecutor(1) as thread:
        mine = thread.submit(one_mail).result()
        assert mine.fileno() > 0
    assert mine.fileno() == -1


def test_a_restarted_server_gets_a_new_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2):
        with server.running() as mailbox:
            use(monkeypatch, mailbox.port)
            send(mail(number))
            assert len(mailbox.accepted) == 1
    gateway.drop()
    settings.current.cache_clear()


def test_a_server_that_is_not_there_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    use(monkeypatch, port)
    with pytest.raises(RetryableError, match=f"127.0.0.1:{port}"):
        send(mail())
    settings.current.cache_clear()


def test_a_server_whose_name_can_be_none_leaves_the_mail_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, 25, SMTP_HOST="smtp..example")
    with pytest.raises(RetryableError, match=r"smtp\.\.example:25 cannot be used"):
        send(mail())
    settings.current.cache_clear()


def test_login_happens_over_tls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    certificate = server.make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with server.running(login=True, certificate=certificate) as mailbox:
        use(monkeypatch, mailbox.port, SMTP_TLS="starttls", SMTP_USERNAME="clinic", SMTP_PASSWORD="secret")
        send(mail())
        assert len(mailbox.accepted) == 1
        gateway.drop()
        use(monkeypatch, mailbox.port, SMTP_TLS="starttls", SMTP_USERNAME="clinic", SMTP_PASSWORD="wrong")
        with pytest.raises(RetryableError, match="SMTP_PASSWORD") as refused:
            send(mail())
        assert "wrong" not in str(refused.value)
    settings.current.cache_clear()


def test_an_untrusted_certificate_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with server.running(certificate=server.make_certificate(tmp_path)) as mailbox:
        use(monkeypatch, mailbox.port, SMTP_TLS="starttls")
        with pytest.raises(RetryableError, match="SSLCertVerificationError"):
            send(mail())
        assert mailbox.accepted == []
    settings.current.cache_clear()
