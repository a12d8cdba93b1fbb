"""SendGrid's v3 API, through its library, over connections that stay open."""

import base64
import json
import time
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import urllib3
from python_http_client.client import Client, Response
from python_http_client.exceptions import HTTPError, handle_error
from sendgrid import SendGridAPIClient
from urllib3.connection import HTTPConnection, HTTPSConnection

import settings
from errors import BalansityError, OutcomeUnknown, PermanentError, ProviderBusy, RetryableError
from gateways.mail.envelope import Accepted, Attachment, Mail
from gateways.mail.mime import message_id

TIMEOUT = urllib3.Timeout(connect=5, read=20)  # seconds; with the next one, together below the actor's time limit
WRITE_SECONDS = 60  # for the whole request: 25 MB of report at 3.3 Mbit/s
CONNECTIONS = 32  # kept open per process; more threads than that open their own for a moment
LONGEST_PAUSE_SECONDS = 3600
DEFAULT_PAUSE_SECONDS = 30


def send(mail: Mail) -> Accepted:
    """Queue `mail` at SendGrid; its name for it is the X-Message-Id.

    Raises:
        RetryableError, PermanentError, OutcomeUnknown: as gateways.mail.send promises.
    """
    current = settings.current()
    try:
        response = _endpoint(current.sendgrid_api_key, current.sendgrid_api_url).post(request_body=_body(mail))
    except HTTPError as error:
        raise _refusal(error) from None
    except NotSent as error:
        raise RetryableError(f"SendGrid cannot be reached: {error}") from None
    except urllib3.exceptions.HTTPError as error:
        raise OutcomeUnknown(f"SendGrid did not answer: {type(error).__name__}") from None
    return Accepted(str(response.headers.get("X-Message-Id", "")), f"SendGrid answered {response.status_code}")


class KeepAliveClient(Client):  # type: ignore[misc] # python_http_client publishes no types
    """The library's client on a pool of kept connections; its own opens one for every call, and logs the key."""

    def _build_client(self, name: str | None = None) -> "KeepAliveClient":
        path = [*self._url_path, name] if name else self._url_path
        return KeepAliveClient(self.host, self.request_headers, self._version, path, timeout=self.timeout)

    def post(self, request_body: Any) -> Response:
        headers = self.request_headers | {"Content-Type": "application/json"}
        body = json.dumps(request_body).encode()
        path = urlsplit(self._build_url(None)).path
        response = _connections(self.host).urlopen("POST", path, body, headers, retries=False, redirect=False)
        answer = Answer(response)
        if answer.code >= 300:
            raise handle_error(answer)
        return Response(answer)


class NotSent(urllib3.exceptions.HTTPError):
    """The request was not written to its end: it cannot have been taken."""


class Careful(HTTPConnection):
    """A connection that tells apart what fails before the request is written: urllib3's own errors do not."""

    def connect(self) -> None:
        try:
            super().connect()
        except (OSError, urllib3.exceptions.HTTPError) as error:
            raise NotSent(f"{type(error).__name__}: {error.__cause__ or error}") from error

    def request(self, *arguments: Any, **options: Any) -> None:
        if self.is_closed:
            self.connect()
        self.timeout = WRITE_SECONDS  # urllib3 would allow no more than the time for connecting
        try:
            super().request(*arguments, **options)
        except TimeoutError as error:
            raise NotSent(f"the request could not be written in {WRITE_SECONDS} s") from error


class CarefulTls(Careful, HTTPSConnection):
    """The same over TLS."""


class Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = Careful


class TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = CarefulTls


class Answer:
    """urllib3's response under the names by which the library asks."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self.code, self.reason, self.hdrs = response.status, response.reason, response.headers
        self.body = response.data

    def getcode(self) -> int:
        return self.code

    def info(self) -> Any:
        return self.hdrs

    def read(self) -> bytes:
        return self.body


@cache
def _connections(host: str) -> urllib3.HTTPConnectionPool:
    address = urlsplit(host)
    pool = TlsPool if address.scheme == "https" else Pool
    return pool(str(address.hostname), address.port, timeout=TIMEOUT, maxsize=CONNECTIONS)


@cache
def _endpoint(key: str, url: str) -> KeepAliveClient:
    client = SendGridAPIClient(key, host=url).client
    return KeepAliveClient(client.host, client.request_headers, version=3).mail.send  # type: ignore[no-any-return]


def _body(mail: Mail) -> dict[str, Any]:
    """The request, by https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send."""
    sender = settings.current().email_from
    body: dict[str, Any] = {
        "personalizations": [{"to": [{"email": mail.recipient}]}],
        "from": {"email": sender.addr_spec, "name": sender.display_name or "Balansity"},
        "subject": mail.subject,
        "content": [{"type": "text/plain", "value": mail.text}, {"type": "text/html", "value": mail.html}],
        "headers": {"Message-ID": message_id(mail, sender), "Auto-Submitted": "auto-generated"},
        "categories": [mail.template],
        "custom_args": {"delivery": mail.delivery_id},
        # Nobody watches who opens a letter about their child's health, and links lead where they say.
        "tracking_settings": {"click_tracking": {"enable": False}, "open_tracking": {"enable": False}},
        "mail_settings": {"sandbox_mode": {"enable": settings.current().sendgrid_sandbox}},
    }
    if mail.attachments:
        body["attachments"] = [_attached(attachment) for attachment in mail.attachments]
    return body


def _attached(attachment: Attachment) -> dict[str, str]:
    return {
        "content": base64.b64encode(attachment.content).decode(),
        "type": attachment.media_type.partition(";")[0],  # SendGrid refuses parameters here
        "filename": attachment.filename,
        "disposition": "attachment",
    }


def _refusal(error: HTTPError) -> BalansityError:
    """What an error status means for this mail."""
    status, words = error.status_code, f"SendGrid answered {error.status_code}: {_words(error.body)}"
    if status == 429:
        return ProviderBusy(words, _pause_seconds(error.headers))
    if status in {401, 403}:  # a key or a sender that a person must put right; the mails wait for that
        return RetryableError(f"{words}. Check SENDGRID_API_KEY and that EMAIL_FROM is a verified sender.")
    if status < 400 or status in {404, 405}:  # no answer of the API: the mails wait for the right address
        return RetryableError(f"{words}. Check SENDGRID_API_URL.")
    if status in {502, 504}:  # something between SendGrid and us gave up waiting
        return OutcomeUnknown(words)
    if status == 408 or status >= 500:
        return RetryableError(words)
    return PermanentError(words)


def _words(body: bytes) -> str:
    """SendGrid's explanation: `{"errors": [{"message": …, "field": …}]}`, or whatever else came."""
    try:
        problems = json.loads(body)["errors"]
        return "; ".join(f"{each['message']} ({each.get('field')})" for each in problems)
    except (ValueError, KeyError, TypeError):
        return body[:200].decode("utf-8", "replace")


def _pause_seconds(headers: Any) -> float:
    """Until the limit's reset, which SendGrid gives as a Unix time: by its own clock, for every worker will wait."""
    reset = str(headers.get("X-RateLimit-Reset", ""))
    if not reset.isdecimal():
        return DEFAULT_PAUSE_SECONDS
    return min(max(int(reset) - _answered_at(headers), 1), LONGEST_PAUSE_SECONDS)


def _answered_at(headers: Any) -> float:
    try:
        return parsedate_to_datetime(str(headers.get("Date"))).timestamp()
    except ValueError:
        return time.time()
