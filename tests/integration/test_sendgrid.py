"""SendGrid is spoken to as its documentation asks, and every kind of answer is understood."""

import base64
import logging
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import urllib3

import log
import settings
from domain.mail import Attachment, Mail
from errors import OutcomeUnknown, PermanentError, ProviderBusy, RetryableError
from gateways.mail import send, sendgrid
from tests.servers import sendgrid as server
from tests.servers.sendgrid import Answer, SendGrid

PDF = Attachment("report.pdf", "application/pdf", b"%PDF-1.7 x")
ICS = Attachment("consultation.ics", "text/calendar; charset=utf-8; method=PUBLISH", b"BEGIN:VCALENDAR")


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
        sendgrid._connections().clear()


def test_a_mail_arrives_whole(provider: SendGrid) -> None:
    message_id, answer = send(mail())
    assert (len(message_id), answer) == (22, "SendGrid answered 202")
    (request,) = provider.accepted
    assert request["personalizations"] == [{"to": [{"email": "anna@example.com"}]}]
    assert request["from"] == {"email": "no-reply@balansity.example", "name": "Balansity"}
    assert request["subject"] == "Тема"
    assert [part["value"] for part in request["content"]] == ["Привет", "<p>Привет</p>"]
    assert request["categories"] == ["report_ready"]
    assert request["custom_args"] == {"delivery": "delivery-1"}
    assert base64.b64decode(request["attachments"][0]["content"]) == PDF.content
    assert request["attachments"][1]["type"] == "text/calendar"
    assert request["tracking_settings"]["open_tracking"] == {"enable": False}


def test_connections_are_kept(provider: SendGrid) -> None:
    for number in range(20):
        send(mail(number))
    assert (len(provider.accepted), provider.connections) == (20, 1)


def test_threads_share_the_kept_connections(provider: SendGrid) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(send, map(mail, range(80))))
    assert sorted(provider.deliveries()) == sorted(f"delivery-{number}" for number in range(80))
    assert provider.connections <= 8


def test_a_connection_that_the_server_closed_meanwhile_is_replaced(provider: SendGrid) -> None:
    provider.scripted.append(Answer(202, headers={"Connection": "close"}))
    send(mail(1))
    send(mail(2))
    assert provider.deliveries()[-1] == "delivery-2"


def test_the_sandbox_checks_and_delivers_nothing(provider: SendGrid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENDGRID_SANDBOX", "on")
    settings.current.cache_clear()
    send(mail())
    assert provider.accepted == []


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, PermanentError),
        (413, PermanentError),
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
    provider.scripted.append(Answer(status, {"errors": [{"message": "so it is", "field": "here"}]}))
    with pytest.raises(error, match=rf"{status}: so it is \(here\)"):
        send(mail())


def test_an_error_page_that_is_not_json_is_quoted(provider: SendGrid) -> None:
    provider.scripted.append(Answer(503, {"unexpected": True}))
    with pytest.raises(RetryableError, match="unexpected"):
        send(mail())


def test_the_limit_is_honoured_by_its_reset_time(provider: SendGrid) -> None:
    provider.scripted.append(Answer(429, headers={"X-RateLimit-Reset": str(int(time.time()) + 90)}))
    with pytest.raises(ProviderBusy) as busy:
        send(mail())
    assert 85 <= busy.value.seconds <= 90


@pytest.mark.parametrize(
    ("header", "seconds"), [({}, 30), ({"X-RateLimit-Reset": "soon"}, 30), ({"X-RateLimit-Reset": "1"}, 1)]
)
def test_a_limit_without_a_useful_reset_time_still_pauses(
    provider: SendGrid, header: dict[str, str], seconds: float
) -> None:
    provider.scripted.append(Answer(429, headers=header))
    with pytest.raises(ProviderBusy) as busy:
        send(mail())
    assert busy.value.seconds == seconds


def test_a_connection_lost_after_the_request_is_unknown(provider: SendGrid) -> None:
    provider.scripted.append(Answer(0))
    with pytest.raises(OutcomeUnknown, match="ProtocolError"):
        send(mail())


def test_an_answer_that_never_comes_is_unknown(provider: SendGrid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sendgrid, "TIMEOUT", urllib3.Timeout(connect=1, read=0.2))
    provider.delay_seconds = 1
    with pytest.raises(OutcomeUnknown, match="ReadTimeoutError"):
        send(mail())


def test_a_server_that_is_not_there_is_tried_again(provider: SendGrid, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("SENDGRID_API_URL", f"http://127.0.0.1:{port}")
    settings.current.cache_clear()
    with pytest.raises(RetryableError, match="NewConnectionError"):
        send(mail())


def test_the_key_is_never_logged(provider: SendGrid, caplog: pytest.LogCaptureFixture) -> None:
    log.set_up("DEBUG")
    with caplog.at_level(logging.DEBUG):
        send(mail())
        provider.scripted.append(Answer(401))
        with pytest.raises(RetryableError) as refused:
            send(mail())
    assert server.KEY not in caplog.text + str(refused.value)
