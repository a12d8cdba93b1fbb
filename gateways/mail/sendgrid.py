"""SendGrid's v3 API, through its library, over connections that stay open."""

import base64
import json
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

from python_http_client.client import Client
from sendgrid import SendGridAPIClient
from urllib3 import BaseHTTPResponse

import settings
from errors import BalansityError, OutcomeUnknown, PermanentError, ProviderAway, ProviderBusy, RetryableError
from gateways import http
from gateways.mail.envelope import Accepted, Attachment, Mail
from gateways.mail.mime import CALENDAR_FILE, message_id, one_line, unsubscribing

TRACKING = ("click_tracking", "open_tracking", "subscription_tracking")  # the last has a way to unsubscribe of its own
LONGEST_PAUSE_SECONDS = 3600
DEFAULT_PAUSE_SECONDS = 30


def send(mail: Mail) -> Accepted:
    """Queue `mail` at SendGrid; its name for it is the X-Message-Id.

    Raises:
        RetryableError, PermanentError, OutcomeUnknown: as gateways.mail.send promises.
    """
    library = _library()
    library.client = _Client(library.host, library.client.request_headers, version=3)
    answer: BaseHTTPResponse = library.send(_body(mail))
    if answer.status >= 300:
        raise _refusal(answer)
    return Accepted(answer.headers.get("X-Message-Id", ""), f"SendGrid answered {answer.status}")


def knows(delivery_id: str) -> bool:
    """Whether SendGrid's Email Activity, a product of its own, lists a mail of this delivery.

    Raises:
        RetryableError, PermanentError: as gateways.mail.knows promises.
    """
    library = _library()
    query = urlencode({"limit": 1, "query": f"(unique_args['delivery']=\"{delivery_id}\")"})
    try:
        answer = http.request("GET", f"{library.host}/v3/messages?{query}", library.client.request_headers)
    except OutcomeUnknown as error:  # to ask again is safe
        raise RetryableError(str(error)) from error
    if answer.status in {401, 403, 404}:
        raise PermanentError(
            f"SendGrid answered {answer.status}: {_words(answer.data)}. Its list of messages needs the add-on "
            "Email Activity History, and a key that may read it."
        )
    if answer.status >= 300:
        raise _refusal(answer)
    try:
        return bool(json.loads(answer.data)["messages"])
    except (ValueError, KeyError, TypeError):
        raise RetryableError("SendGrid answered what its API does not describe") from None


def _library() -> SendGridAPIClient:
    current = settings.current()
    return SendGridAPIClient(current.sendgrid_api_key, host=current.sendgrid_api_url)


class _Client(Client):  # type: ignore[misc] # python_http_client publishes no types
    """The library's client on our connections; its own opens one for every call, and logs the key."""

    def _build_client(self, name: str) -> "_Client":
        return _Client(self.host, self.request_headers, self._version, [*self._url_path, name])

    def post(self, request_body: Any) -> BaseHTTPResponse:
        return http.request("POST", self._build_url(None), self.request_headers, request_body)


def _body(mail: Mail) -> dict[str, Any]:
    """The request, by https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send."""
    sender = settings.current().email_from
    body: dict[str, Any] = {
        "personalizations": [{"to": [{"email": mail.recipient}]}],
        "from": {"email": sender.addr_spec, "name": _plain(sender.display_name or "Balansity")},
        "subject": _plain(mail.subject),
        "content": [{"type": "text/plain", "value": mail.text}, {"type": "text/html", "value": mail.html}],
        "headers": {
            "Message-ID": message_id(mail, sender),
            "Auto-Submitted": "auto-generated",
            **unsubscribing(mail),
        },
        "categories": [mail.template],
        "custom_args": {"delivery": mail.delivery_id},
        # Nobody watches who opens a letter about their child's health, and links lead where they say.
        "tracking_settings": {each: {"enable": False} for each in TRACKING},
        "mail_settings": {"sandbox_mode": {"enable": settings.current().sendgrid_sandbox}},
    }
    if reply_to := settings.current().email_reply_to:
        body["reply_to"] = {"email": reply_to.addr_spec, "name": _plain(reply_to.display_name or "Balansity")}
    if mail.attachments:
        body["attachments"] = [_attached(attachment) for attachment in mail.attachments]
        body["content"] += [
            {"type": f"text/calendar; method={attachment.invites}", "value": attachment.content.decode()}
            for attachment in mail.attachments
            if attachment.invites
        ]
    return body


def _plain(text: str) -> str:
    """One line, and no encoded word (RFC 2047): SendGrid writes the header, and a mail program would decode it."""
    return one_line(text).replace("=?", "= ?")


def _attached(attachment: Attachment) -> dict[str, str]:
    return {
        "content": base64.b64encode(attachment.content).decode(),
        # SendGrid refuses parameters here.
        "type": CALENDAR_FILE if attachment.invites else attachment.media_type.partition(";")[0],
        "filename": _plain(attachment.filename),
        "disposition": "attachment",
    }


def _refusal(answer: BaseHTTPResponse) -> BalansityError:
    """What an error status means for this mail."""
    status, words = answer.status, f"SendGrid answered {answer.status}: {_words(answer.data)}"
    if status == 429:
        return ProviderBusy(words, _pause_seconds(answer.headers))
    if status in {401, 403}:  # a key or a sender that a person must put right; the mails wait for that
        return ProviderAway(f"{words}. Check SENDGRID_API_KEY and that EMAIL_FROM is a verified sender.")
    if status < 400 or status in {404, 405}:  # no answer of the API: the mails wait for the right address
        return ProviderAway(f"{words}. Check SENDGRID_API_URL.")
    if status in {502, 504}:  # something between SendGrid and us gave up waiting
        return OutcomeUnknown(words)
    if status >= 500:
        return ProviderAway(words)
    return (RetryableError if status == 408 else PermanentError)(words)


def _words(body: bytes) -> str:
    """SendGrid's explanation: `{"errors": [{"message": …, "field": …}]}`, or whatever else came."""
    try:
        problems = json.loads(body)["errors"]
        return "; ".join(f"{each['message']} ({each.get('field')})" for each in problems)
    except (ValueError, KeyError, TypeError):
        return body[:200].decode("utf-8", "replace")


def _pause_seconds(headers: Mapping[str, str]) -> float:
    """Until the limit's reset, which SendGrid gives as a Unix time: by its own clock, for every worker will wait."""
    reset = headers.get("X-RateLimit-Reset", "")
    if not reset.isdecimal():
        return DEFAULT_PAUSE_SECONDS
    return min(max(int(reset) - _answered_at(headers), 1), LONGEST_PAUSE_SECONDS)


def _answered_at(headers: Mapping[str, str]) -> float:
    try:
        return parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except ValueError:
        return time.time()
