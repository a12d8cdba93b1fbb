"""A local server that speaks SendGrid's v3 mail/send: its checks, its errors, its limits, and its silences."""

import contextlib
import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.servers.calls import Call
from tests.servers.listening import ListeningServer

KEY = "SG.test-key"
LARGEST_REQUEST = 30 * 1024 * 1024  # bytes
SILENCE_SECONDS = 30.0  # longer than any caller waits

Problem = tuple[str, str]  # message, field


@dataclass
class Reply:
    """What the server says instead of accepting; `status` 0 hangs up without a word."""

    status: int
    body: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    then_hang_up: bool = False  # without having announced it
    silent: bool = False  # says nothing until the caller has gone, or its mood is over
    cut_short: bool = False  # announces more than it says, and hangs up
    takes: bool = False  # the mail is taken all the same


@dataclass
class SendGrid:
    """The server's state: what it accepted, how it is told to behave, and the connections it saw."""

    url: str
    accepted: list[dict[str, Any]] = field(default_factory=list)
    suspended: bool = False  # the account: mails are answered as ever, dropped, and never reported on
    swallowed: list[dict[str, Any]] = field(default_factory=list)  # what it dropped
    webhook: Callable[[list[dict[str, Any]]], object] | None = None  # is given the events of what is delivered
    calls: list[Call] = field(default_factory=list)
    scripted: list[Reply] = field(default_factory=list)  # given out first, one a request
    mood: Reply | None = None  # what it says to everyone, until it is over
    mood_over: threading.Event = field(default_factory=threading.Event)
    away: Callable[[], AbstractContextManager[None]] = nullcontext  # nobody can connect during the block
    delay_seconds: float = 0
    connections: int = 0
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))  # one a request read
    closed: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))  # one a connection closed
    hold: threading.Event | None = None  # when set, requests are accepted and answered only once it is
    lock: threading.Lock = field(default_factory=threading.Lock)

    has_activity: bool = True  # the add-on by which it lists messages

    def deliveries(self) -> list[str]:
        """The delivery ids of everything accepted, in order."""
        return [request["custom_args"]["delivery"] for request in self.accepted]

    @contextmanager
    def moody(self, mood: Reply) -> Iterator[None]:
        """Answer everyone so during the block."""
        self.mood_over.clear()
        self.mood = mood
        try:
            yield
        finally:
            self.mood = None
            self.mood_over.set()


@contextmanager
def running() -> Iterator[SendGrid]:
    """Serve on a free port until the block ends."""
    server = _Server(_Handler)
    server.state = SendGrid(f"http://127.0.0.1:{server.server_port}", away=server.away)
    try:
        yield server.state
    finally:
        if server.state.hold:
            server.state.hold.set()
        server.state.mood_over.set()
        server.close()


class _Server(ListeningServer):
    state: SendGrid

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.state.closed.release()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        with self.server.state.lock:
            self.server.state.connections += 1

    def do_POST(self) -> None:
        state = self.server.state
        content = self.rfile.read(int(self.headers["Content-Length"]))
        state.arrived.release()
        with state.lock:
            scripted = state.scripted.pop(0) if state.scripted else state.mood
        answer = scripted or self._judge(content)
        request = json.loads(content)
        taken = answer.status == 202 or answer.takes
        call = _call(request, taken=taken)
        reported = None
        with state.lock:
            state.calls.append(call)
            if taken:
                (state.swallowed if state.suspended else state.accepted).append(request)
                reported = None if state.suspended else state.webhook
        if state.hold:
            state.hold.wait()
        if answer.silent:
            state.mood_over.wait(SILENCE_SECONDS)
        time.sleep(state.delay_seconds)
        with contextlib.suppress(ConnectionError):  # the client gave up waiting
            self._say(answer)
            call.answer(None if answer.silent or answer.cut_short else answer.status or None)
        if reported:
            reported(list(_events(request)))

    def do_GET(self) -> None:
        state = self.server.state
        with state.lock:
            scripted = state.scripted.pop(0) if state.scripted else None
        self._say(scripted or self._listed())

    def _listed(self) -> Reply:
        """The Email Activity that a query by the custom argument finds."""
        if not self.server.state.has_activity:
            return _refusal(403, ("access forbidden", ""))
        [query] = parse_qs(urlsplit(self.path).query)["query"]
        asked = re.fullmatch(r"""\(unique_args\['delivery'\]="(.+)"\)""", query)
        assert asked
        found = [{"status": "delivered"}] * self.server.state.deliveries().count(asked[1])
        return Reply(200, {"messages": found[:1]})

    def _judge(self, content: bytes) -> Reply:
        if self.path != "/v3/mail/send":
            return _refusal(404, ("Not Found", ""))
        if self.headers["Authorization"] != f"Bearer {KEY}":
            return _refusal(401, ("The provided authorization grant is invalid, expired, or revoked", ""))
        if len(content) > LARGEST_REQUEST:
            return _refusal(413, ("Payload Too Large", ""))
        request = json.loads(content)
        if problems := [problem for check in CHECKS for problem in check(request)]:
            return _refusal(400, *problems)
        if request.get("mail_settings", {}).get("sandbox_mode", {}).get("enable"):
            return Reply(200)
        return Reply(202, headers={"X-Message-Id": uuid.uuid4().hex[:22]})

    def _say(self, answer: Reply) -> None:
        self.close_connection |= answer.status == 0 or answer.then_hang_up or answer.silent or answer.cut_short
        if answer.status == 0 or answer.silent:
            return
        body = json.dumps(answer.body).encode() if answer.body else b""
        self.send_response_only(answer.status)
        self.send_header("Content-Length", str(len(body) + answer.cut_short))
        self.send_header("Content-Type", "application/json")
        for name, value in {"Date": self.date_time_string(), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing: the tests' output is for the tests."""


def _events(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What SendGrid reports of a mail that all went well with."""
    for kind in ("processed", "delivered"):
        yield {
            "sg_event_id": uuid.uuid4().hex,
            "event": kind,
            "email": request["personalizations"][0]["to"][0]["email"],
            "timestamp": int(time.time()),
            **request["custom_args"],
        }


def _call(request: dict[str, Any], *, taken: bool) -> Call:
    [to] = request["personalizations"][0]["to"]
    return Call(request["custom_args"]["delivery"], to["email"], request["from"]["email"], taken)


def _refusal(status: int, *problems: Problem) -> Reply:
    return Reply(
        status, {"errors": [{"message": message, "field": field, "help": None} for message, field in problems]}
    )


def _recipients(request: dict[str, Any]) -> Iterator[Problem]:
    personalizations = request.get("personalizations")
    if not personalizations:
        yield "The personalizations field is required and must have at least one personalization.", "personalizations"
        return
    for number, each in enumerate(personalizations):
        if not each.get("to"):
            yield "The to array is required for all personalization objects.", f"personalizations.{number}.to"
        for place, to in enumerate(each.get("to", [])):
            if "@" not in to.get("email", ""):
                yield "Does not contain a valid address.", f"personalizations.{number}.to.{place}.email"


def _sender(request: dict[str, Any]) -> Iterator[Problem]:
    if "@" not in request.get("from", {}).get("email", ""):
        yield "The from object must be provided for every email send.", "from"


def _subject(request: dict[str, Any]) -> Iterator[Problem]:
    if not request.get("subject"):
        yield "The subject is required.", "subject"


def _content(request: dict[str, Any]) -> Iterator[Problem]:
    types = [part.get("type") for part in request.get("content", [])]
    if not types:
        yield "Unless a valid template_id is provided, the content parameter is required.", "content"
    if types != sorted(types, key=lambda kind: {"text/plain": 0, "text/html": 1}.get(kind, 2)):
        yield "If present, text/plain and text/html may only be provided once, in that order.", "content"
    for number, part in enumerate(request.get("content", [])):
        if not part.get("value"):
            yield "The content value must be a string at least one character in length.", f"content.{number}.value"


def _attachments(request: dict[str, Any]) -> Iterator[Problem]:
    for number, file in enumerate(request.get("attachments", [])):
        for name in ("type", "filename"):
            if any(character in file.get(name, "") for character in ";\r\n"):
                yield f"The attachment {name} cannot contain ';', or CRLF characters.", f"attachments.{number}.{name}"
        if not file.get("content"):
            yield "The attachment content is required.", f"attachments.{number}.content"


def _labels(request: dict[str, Any]) -> Iterator[Problem]:
    if len(request.get("categories", [])) > 10:
        yield "You cannot have more than 10 categories per request.", "categories"
    if len(json.dumps(request.get("custom_args", {}))) > 10_000:
        yield "The custom_args cannot exceed 10,000 bytes.", "custom_args"


CHECKS: tuple[Callable[[dict[str, Any]], Iterator[Problem]], ...] = (
    _recipients,
    _sender,
    _subject,
    _content,
    _attachments,
    _labels,
)
