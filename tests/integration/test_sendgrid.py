"""SendGrid is spoken to as its documentation asks, and every kind of answer is understood."""

import base64
import contextlib
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

import log
import settings
from db.connection import Connection
from errors import OutcomeUnknown, PermanentError, ProviderBusy, RetryableError
from gateways import http
from gateways.mail.envelope import Accepted, Attachment, Mail
from gateways.mail.sendgrid import send
from mail.delivery import deliver
from mail.order import read_order
from tests.integration import mail_cases as cases
from tests.servers import sendgrid as server
from tests.servers.sendgrid import Reply, SendGrid
from tests.servers.smtp import make_certificate

PDF = Attachment("report.pdf", "application/pdf", b"%PDF-1.7 x")
ICS = Attachment("consultation.ics", "text/calendar; charset=utf-8; method=REQUEST", b"BEGIN:VCALENDAR")


def mail(number: int = 1) -> Mail:
    return Mail("report_ready", "anna@example.com", "Тема", "<p>Привет</p>", "Привет", (PDF, ICS), f"delivery-{number}")


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[SendGrid]:
    with server.running() as running:
        monkeypatch.setenv("EMAIL_PROVIDER", "sendgrid")
        monkeypatch.setenv("SENDGRID_API_KEY", server.KEY)
        monkeypatch.setenv("SENDGRID_API_URL", running.url)
        settings.current.cache_clear()
        yield running
        settings.current.cache_clear()
        http.connections.clear()


def test_a_mail_arrives_whole(provider: SendGrid) -> None:
    message_id, answer = send(mail())
    assert (len(message_id), answer) == (22, "SendGrid answered 202")
    (request,) = provider.accepted
    assert request["personalizations"] == [{"to": [{"email": "anna@example.com"}]}]
    assert request["from"] == {"email": "no-reply@balansity.example", "name": "Balansity"}
    assert request["subject"] == "Тема"
    assert [part["value"] for part in request["content"]] == ["Привет", "<p>Привет</p>", "BEGIN:VCALENDAR"]
    assert request["content"][2]["type"] == "text/calendar; method=REQUEST"
    assert request["categories"] == ["report_ready"]
    assert request["custom_args"] == {"delivery": "delivery-1"}
    assert base64.b64decode(request["attachments"][0]["content"]) == PDF.content
    assert request["attachments"][1]["type"] == "application/ics"
    for each in ("open", "click", "subscription"):
        assert request["tracking_settings"][f"{each}_tracking"] == {"enable": False}


def test_connections_are_kept(provider: SendGrid) -> None:
    for number in range(20):
        send(mail(number))
    assert (len(provider.accepted), provider.connections) == (20, 1)


def test_threads_share_the_kept_connections(provider: SendGrid) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(send, map(mail, range(80))))
    assert sorted(provider.deliveries()) == sorted(f"delivery-{number}" for number in range(80))
    assert provider.connections <= 8


@pytest.mark.parametrize(
    "goodbye", [Reply(202, headers={"Connection": "close"}), Reply(202, then_hang_up=True)], ids=["said", "unsaid"]
)
def test_a_connection_that_the_server_closed_meanwhile_is_replaced(provider: SendGrid, goodbye: Reply) -> None:
    provider.scripted.append(goodbye)
    send(mail(1))
    assert provider.closed.acquire(timeout=20)
    send(mail(2))
    assert (provider.deliveries(), provider.connections) == (["delivery-1", "delivery-2"], 2)


def test_the_sandbox_checks_and_delivers_nothing(provider: SendGrid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENDGRID_SANDBOX", "on")
    settings.current.cache_clear()
    assert send(mail()) == Accepted("", "SendGrid answered 200")
    assert provider.accepted == []


def test_what_only_the_sandbox_saw_is_told_apart_in_the_ledger(
    provider: SendGrid, environment: pytest.MonkeyPatch, connection: Connection
) -> None:
    order = read_order(
        {"to": "anna@example.com", "subject": "Тема", "template": "report_ready", "variables": {"name": "Анна"}}
    )
    for sandbox in ("off", "on"):
        environment.setenv("SENDGRID_SANDBOX", sandbox)
        settings.current.cache_clear()
        deliver(order, f"sandbox {sandbox}")
    query = "SELECT array_agg(provider ORDER BY started_at) AS providers FROM balansity.delivery_attempt"
    assert cases.row(connection, query) == {"providers": ["sendgrid", "sendgrid-sandbox"]}


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, PermanentError),
        (413, PermanentError),
        (301, RetryableError),
        (307, RetryableError),
        (404, RetryableError),
        (405, RetryableError),
        (401, RetryableError),
        (403, RetryableError),
        (408, RetryableError),
        (500, RetryableError),
        (503, RetryableError),
        (502, OutcomeUnknown),
        (504, OutcomeUnknown),
    ],
)
def test_each_status_means_what_it_says(provider: SendGrid, status: int, error: type[Exception]) -> None:
    provider.scripted.append(Reply(status, {"errors": [{"message": "so it is", "field": "here"}]}))
    with pytest.raises(error, match=rf"{status}: so it is \(here\)"):
        send(mail())


def test_an_error_page_that_is_not_json_is_quoted(provider: SendGrid) -> None:
    provider.scripted.append(Reply(503, {"unexpected": True}))
    with pytest.raises(RetryableError, match="unexpected"):
        send(mail())


def test_the_limit_is_honoured_by_its_reset_time(provider: SendGrid) -> None:
    provider.scripted.append(Reply(429, headers={"X-RateLimit-Reset": str(int(time.time()) + 90)}))
    with pytest.raises(ProviderBusy) as busy:
        send(mail())
    assert 85 <= busy.value.seconds <= 90


@pytest.mark.parametrize(
    ("date", "seconds"), [("Wed, 25 Nov 2026 10:00:00 GMT", 30), ("Wed, 25 Nov 2026 11:00:00 GMT", 1)]
)
def test_a_worker_whose_clock_is_wrong_pauses_no_longer(provider: SendGrid, date: str, seconds: float) -> None:
    reset = datetime(2026, 11, 25, 10, 0, 30, tzinfo=UTC)
    provider.scripted.append(Reply(429, headers={"X-RateLimit-Reset": f"{reset.timestamp():.0f}", "Date": date}))
    with pytest.raises(ProviderBusy) as busy:
        send(mail())
    assert busy.value.seconds == seconds


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ({}, 30),
        ({"X-RateLimit-Reset": "soon"}, 30),
        ({"X-RateLimit-Reset": "1"}, 1),
        ({"X-RateLimit-Reset": "1", "Date": "?"}, 1),
    ],
)
def test_a_limit_without_a_useful_reset_time_still_pauses(
    provider: SendGrid, header: dict[str, str], seconds: float
) -> None:
    provider.scripted.append(Reply(429, headers=header))
    with pytest.raises(ProviderBusy) as busy:
        send(mail())
    assert busy.value.seconds == seconds


def test_a_connection_lost_after_the_request_is_unknown(provider: SendGrid) -> None:
    provider.scripted.append(Reply(0))
    with pytest.raises(OutcomeUnknown, match="ProtocolError"):
        send(mail())


def test_an_answer_that_never_comes_is_unknown(provider: SendGrid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "ANSWER_SECONDS", 0.2)
    provider.delay_seconds = 1
    with pytest.raises(OutcomeUnknown, match="ReadTimeoutError"):
        send(mail())


def test_a_server_that_is_not_there_is_tried_again(provider: SendGrid, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("SENDGRID_API_URL", f"http://127.0.0.1:{port}")
    settings.current.cache_clear()
    with pytest.raises(RetryableError, match="Connection refused"):
        send(mail())


@contextmanager
def listening(monkeypatch: pytest.MonkeyPatch, scheme: str, serve: Callable[[socket.socket], object]) -> Iterator[None]:
    """Stands in for SendGrid with a server that does `serve` with one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        monkeypatch.setenv("SENDGRID_API_URL", f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")
        settings.current.cache_clear()

        def serve_one() -> None:
            with listener.accept()[0] as connection, contextlib.suppress(OSError):
                serve(connection)

        thread = threading.Thread(target=serve_one)
        thread.start()
        yield
        thread.join()


def read_request(connection: socket.socket) -> None:
    with connection.makefile("rb") as stream:
        head = iter(stream.readline, b"\r\n")
        (length,) = (int(line.split()[1]) for line in head if line.lower().startswith(b"content-length:"))
        stream.read(length)


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ssl.SSLContext:
    """A TLS server's context whose certificate we trust."""
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_a_mail_that_was_taken_over_tls_is_unknown_if_the_answer_is_garbled(
    provider: SendGrid, monkeypatch: pytest.MonkeyPatch, trusted: ssl.SSLContext
) -> None:
    def garble(connection: socket.socket) -> None:
        raw = connection.dup()
        with raw, trusted.wrap_socket(connection, server_side=True) as encrypted:
            read_request(encrypted)
            raw.sendall(b"HTTP/1.1 202 Accepted\r\n\r\n")  # and not encrypted

    with listening(monkeypatch, "https", garble), pytest.raises(OutcomeUnknown, match="SSLError"):
        send(mail())


def test_over_tls_a_mail_arrives(provider: SendGrid, monkeypatch: pytest.MonkeyPatch, trusted: ssl.SSLContext) -> None:
    def accept(connection: socket.socket) -> None:
        with trusted.wrap_socket(connection, server_side=True) as encrypted:
            read_request(encrypted)
            encrypted.sendall(b"HTTP/1.1 202 Accepted\r\nX-Message-Id: m1\r\nContent-Length: 0\r\n\r\n")

    with listening(monkeypatch, "https", accept):
        assert send(mail()) == Accepted("m1", "SendGrid answered 202")


def test_an_untrusted_certificate_leaves_the_mail_waiting(
    provider: SendGrid, monkeypatch: pytest.MonkeyPatch, trusted: ssl.SSLContext
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with (
        listening(monkeypatch, "https", lambda connection: trusted.wrap_socket(connection, server_side=True).close()),
        pytest.raises(RetryableError, match="certificate verify failed"),
    ):
        send(mail())


def test_a_handshake_that_is_never_answered_leaves_the_mail_waiting(
    provider: SendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "CONNECT_SECONDS", 0.2)
    over = threading.Event()
    with listening(monkeypatch, "https", lambda _: over.wait(20)):
        with pytest.raises(RetryableError, match="reached"):
            send(mail())
        over.set()


LARGE = replace(mail(), attachments=(replace(PDF, content=bytes(10_000_000)),))


def test_a_large_report_may_take_its_time_on_a_slow_line(provider: SendGrid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "CONNECT_SECONDS", 0.5)

    def accept_slowly(connection: socket.socket) -> None:
        time.sleep(1)  # the line is blocked for longer than connecting may take
        read_request(connection)
        connection.sendall(b"HTTP/1.1 202 Accepted\r\nX-Message-Id: m1\r\nContent-Length: 0\r\n\r\n")

    with listening(monkeypatch, "http", accept_slowly):
        assert send(LARGE) == Accepted("m1", "SendGrid answered 202")


def test_a_request_that_was_not_written_to_its_end_is_tried_again(
    provider: SendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "WRITE_SECONDS", 0.2)
    over = threading.Event()
    with listening(monkeypatch, "http", lambda _: over.wait(20)):
        with pytest.raises(RetryableError, match="did not take the request"):
            send(LARGE)
        over.set()


def test_the_key_is_never_logged(provider: SendGrid, caplog: pytest.LogCaptureFixture) -> None:
    log.set_up("DEBUG")
    with caplog.at_level(logging.DEBUG):
        send(mail())
        provider.scripted.append(Reply(401))
        with pytest.raises(RetryableError) as refused:
            send(mail())
    assert server.KEY not in caplog.text + str(refused.value)
