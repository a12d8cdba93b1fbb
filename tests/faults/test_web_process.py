"""The web process answers whatever others do with their connections, and finishes what it was asked when it stops."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress

import pytest

import settings
from db.connection import Connection
from tests.pages import OPERATOR as LOGIN
from tests.pages import USERS
from tests.waiting import WAITS_HERE, until
from web.throttle import ONE_SOURCE

HEAD = b"POST /webhooks/yookassa HTTP/1.1\r\nHost: clinic\r\nContent-Length: 1000\r\n"
BEGINNINGS = (
    b"",  # mute
    b"GET",
    HEAD,  # the headers' half
    HEAD + b"\r\n{",  # the body's
    HEAD.replace(b"Content-Length: 1000", b"Transfer-Encoding: chunked") + b"\r\n3e8\r\n{",
    HEAD + b"Expect: 100-continue\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: clinic\r\n\r\n" * 50,  # reads nothing
)
HOST = b"HTTP/1.1\r\nHost: clinic\r\n"
# Heads that cannot be read, or that a proxy may read otherwise than we do.
UNREADABLE = (
    *(b"GET %s " % uri + HOST for uri in (b"http://[/", b"https://[::1", b"http://[v1.x/health")),
    *(
        b"POST /webhooks/yookassa " + HOST + headers
        for headers in (
            b"Content-Length: " + b"9" * 5_000 + b"\r\n",
            b"Content-Length: +2\r\n",
            b"Content-Length: 2\r\nContent-Length: 2\r\n",
            b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            b"Transfer-Encoding : chunked\r\n",
            b"Transfer-Encoding: \x0bchunked\r\n",
        )
    ),
    *(b"%s /health " % method + HOST for method in (b"get", b"G\xffT", b"\x16\x03\x01")),
    b"GET /health " + HOST + b"X: a\rY: b\r\n",
    b"GET /health " + HOST + b"X: a\0b\r\n",
)
CROWD = 700  # more than the process keeps
PROMPT_SECONDS = 10  # on a busy machine


class Web:
    """The Procfile's web process on a port of its own."""

    def __init__(self, database: str, users: str = USERS) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open as long as the process
        self.process = subprocess.Popen(
            [sys.executable, "-m", "web.server"],
            cwd=settings.ROOT,
            env={
                **os.environ,
                "DATABASE_URL": database,
                "PORT": str(self.port),
                "WEB_USERS": users,
            },
            stderr=self.log,
        )

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()

    def said(self) -> str:
        """What it logged so far."""
        self.log.seek(0)
        return self.log.read()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PROMPT_SECONDS)

    def listens(self) -> bool:
        with suppress(OSError), self.connect():
            return True
        return False

    def guess(self, headers: dict[str, str]) -> int:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PROMPT_SECONDS)) as client:
            client.request("GET", "/", headers={"Authorization": "Basic " + b64encode(b"doctor:x").decode(), **headers})
            return client.getresponse().status

    def get(self, path: str, seconds: float = PROMPT_SECONDS) -> int:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)) as client:
            login = b64encode(":".join(LOGIN).encode()).decode()
            client.request("GET", path, headers={"Authorization": f"Basic {login}"})
            return client.getresponse().status


@pytest.fixture
def web(database: str) -> Iterator[Web]:
    web = Web(database)
    until(web.listens, "the web process listens")
    yield web
    web.close()


def test_a_crowd_that_never_finishes_a_request_keeps_nobody_waiting(web: Web) -> None:
    with ExitStack() as crowd:
        peers = []
        for number in range(CROWD):
            peers.append(crowd.enter_context(web.connect()))
            with suppress(OSError):  # shown out already
                peers[-1].sendall(BEGINNINGS[number % len(BEGINNINGS)])
            if number % 100 == 0:
                assert web.get("/health") == 200
        for _ in range(3):
            for peer in peers:
                with suppress(OSError):
                    peer.sendall(b"a")  # a drip
            assert web.get("/") == 200
    assert web.get("/health") == 200


def test_a_request_that_cannot_be_read_is_refused_in_words_and_ends_its_connection(web: Web) -> None:
    for head in UNREADABLE:
        with closing(web.connect()) as peer:
            peer.sendall(head + b"\r\n{}GET /health " + HOST + b"\r\n")
            answer = b"".join(iter(lambda: peer.recv(65_536), b""))
        assert answer.split(b" ")[1] in {b"400", b"501"}, (head[:80], answer[:80])
        assert answer.count(b"HTTP/1.") == 1, (head[:80], "what came behind it is no request")
    assert web.get("/health") == 200
    assert "ERROR" not in web.said()


@pytest.mark.parametrize("proxies", ["0", "1"])
def test_no_header_of_a_visitors_lets_it_guess_a_login_more_often(
    database: str, monkeypatch: pytest.MonkeyPatch, proxies: str
) -> None:
    """Behind a proxy, whose word is the last address, as in front of none."""
    monkeypatch.setenv("WEB_PROXIES", proxies)
    web = Web(database)
    try:
        until(web.listens, "the web process listens")
        for number in range(ONE_SOURCE.free + 3):
            claims = f"10.0.0.{number}"
            status = web.guess(
                {"X-Forwarded-For": f"{claims}, 203.0.113.7", "X-Real-IP": claims, "Forwarded": f"for={claims}"}
            )
            assert status == (401 if number < ONE_SOURCE.free else 429)
    finally:
        web.close()


def test_what_was_asked_before_it_stops_is_answered(web: Web, connect: Callable[[], Connection]) -> None:
    blocker = connect()
    blocker.autocommit = False
    with blocker.cursor() as cursor:
        cursor.execute("LOCK TABLE balansity.delivery")
    answers: list[int] = []
    asking = threading.Thread(target=lambda: answers.append(web.get("/", seconds=30)))
    asking.start()
    watcher = connect()
    until(lambda: waits_for_lock(watcher), "the page waits for the table")
    mute = web.connect()
    web.process.send_signal(signal.SIGTERM)
    until(lambda: not web.listens(), "it lets nobody in")
    blocker.rollback()
    asking.join()
    assert answers == [200]
    assert web.process.wait(timeout=30) == 0
    assert "WARNING" not in web.said()
    mute.close()


@pytest.mark.parametrize(
    ("users", "pages"),
    [(USERS, "open to vera, pavel"), ("", "closed until WEB_USERS is set: balansity user NAME")],
)
def test_it_says_where_it_serves_and_whether_it_is_closed_and_stops_without_a_warning(
    database: str, users: str, pages: str
) -> None:
    web = Web(database, users)
    try:
        until(web.listens, "the web process listens")
        assert web.get("/health") == 200
        web.process.send_signal(signal.SIGTERM)
        assert web.process.wait(timeout=30) == 0
        assert [line.split(" web ")[1] for line in web.said().splitlines()] == [
            f"web_started address=http://0.0.0.0:{web.port} pages='{pages}'",
            "web_stopped",
        ]
    finally:
        web.close()


def waits_for_lock(conn: Connection) -> bool:
    with conn.cursor() as cursor:
        cursor.execute(f"SELECT FROM pg_locks WHERE {WAITS_HERE} AND relation = 'balansity.delivery'::regclass")
        return cursor.rowcount > 0
