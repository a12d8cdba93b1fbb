"""The web process: one thread takes requests in, a few answer what is complete, and whoever dawdles is shown out.

A reverse proxy that ends TLS is expected before it (nginx, Caddy, a platform's router); it need not be trusted to
buffer: mute, half-sent and unread connections cost a socket each and are closed, the longest waiting first.
"""

import logging
import resource
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import TcpWSGIServer

import log
import settings
from alarms.lookout import Lookout
from errors import SettingsError
from web import port
from web.app import LARGEST_REQUEST, create_app

CONNECTIONS = 400  # at once; with one more comes, the one that has waited longest goes
FILES = 1024  # that a process may open: a socket and a body on disk for each connection, and the database's
PATIENCE_SECONDS = 60  # for a request to be complete, or for the next one on the same connection
STOP_SECONDS = 20  # for requests that are complete, below what `up` and platforms wait before they kill
THREADS = 8
THREADS_END_SECONDS = 2
LARGEST_HEADERS = 32_768  # bytes
BODY_IN_MEMORY = 65_536  # bytes; the rest of a body waits on disk

events = log.EventLogger("web")


def main() -> None:
    """Serve on all addresses at PORT until SIGTERM or Ctrl-C."""
    try:
        current = settings.current()
        log.set_up(current.log_level)
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a short queue is no news
        port.check(current.port)
        server = Server(create_app(), host="0.0.0.0", port=current.port, proxies=current.web_proxies)  # noqa: S104
    except SettingsError as error:
        sys.exit(str(error))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    events.info("web_started", address=f"http://0.0.0.0:{server.effective_port}", pages=_pages(current))
    lookout = Lookout()
    lookout.start()
    server.run()
    lookout.stop()
    events.info("web_stopped")


def _pages(current: settings.Settings) -> str:
    if not current.web_users:
        return "closed until WEB_USERS is set: balansity user NAME"
    return f"open to {', '.join(user.name for user in current.web_users)}"


class Parser(HTTPRequestParser):  # type: ignore[misc] # waitress publishes no types
    """A request's head; what cannot be read is refused in words, where Waitress's own fails or guesses."""

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError:  # a length of thousands of digits, an address such as http://[/
            raise ParsingError("The request cannot be read") from None
        if self.chunked and "CONTENT_LENGTH" in self.headers:  # a proxy may go by the other one
            raise ParsingError("Content-Length beside Transfer-Encoding")


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection that knows since when it has kept us waiting."""

    parser_class = Parser

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.waiting_since = time.monotonic()
        super().__init__(*arguments, **options)

    def service(self) -> None:
        super().service()
        self.waiting_since = time.monotonic()

    @property
    def keeps_waiting(self) -> bool:
        """Whether it is the other side's turn: to ask, to go on asking, or to read its answer."""
        return not self.requests and not self.will_close

    def show_out(self) -> None:
        """End it in the next turn of the loop, also where the other side reads nothing and no byte can be written."""
        self.will_close = True
        with suppress(OSError):  # it is gone already
            self.socket.shutdown(socket.SHUT_RDWR)


class Server(TcpWSGIServer):  # type: ignore[misc]
    """Waitress, which cares for mute connections, with an end to its patience: its own, one byte a minute renews."""

    channel_class = Channel

    def __init__(self, app: Any, *, host: str, port: int, proxies: int) -> None:
        allow_files()
        # Of X-Forwarded-For, so many last addresses are our proxies' word; anything before is the visitor's.
        trust = {"trusted_proxy": "*", "trusted_proxy_count": proxies, "trusted_proxy_headers": {"x-forwarded-for"}}
        super().__init__(
            app,
            adj=Adjustments(
                host=host,
                port=port,
                threads=THREADS,
                connection_limit=CONNECTIONS,
                backlog=CONNECTIONS,
                max_request_header_size=LARGEST_HEADERS,
                max_request_body_size=LARGEST_REQUEST,
                inbuf_overflow=BODY_IN_MEMORY,
                cleanup_interval=1,
                asyncore_use_poll=True,
                log_socket_errors=False,
                clear_untrusted_proxy_headers=True,
                ident="",
                **(trust if proxies else {}),
            ),
        )
        self.stopping = False

    def handle_accept(self) -> None:
        if len(self._map) >= CONNECTIONS - 1:
            waiting = min(self._waiting(), key=lambda channel: channel.waiting_since, default=None)
            if waiting:
                waiting.show_out()
        super().handle_accept()

    def maintenance(self, now: float) -> None:
        del now  # a wall clock's
        latest = time.monotonic() - PATIENCE_SECONDS
        for channel in self._waiting():
            if channel.waiting_since < latest:
                channel.show_out()

    def _waiting(self) -> Iterator[Channel]:
        return (channel for channel in self.active_channels.values() if channel.keeps_waiting)

    def stop(self) -> None:
        """Let `run` come to its end; may be called by a signal's handler."""
        self.stopping = True
        self.pull_trigger()

    def run(self) -> None:
        """Serve until `stop`; then answer what is complete, and nobody else."""
        while not self.stopping:
            self._turn()
        wasyncore.dispatcher.close(self)  # the listening socket; its own `close` would deafen the threads, too
        latest = time.monotonic() + STOP_SECONDS
        while self._busy() and time.monotonic() < latest:
            self._turn()
        # Idle threads end as soon as they are told; only one that still answers after all that time is worth a warning.
        self.task_dispatcher.shutdown(timeout=THREADS_END_SECONDS)
        wasyncore.close_all(self._map, ignore_all=True)  # connections that are kept open, and the trigger

    def _turn(self) -> None:
        wasyncore.loop(timeout=1, map=self._map, use_poll=True, count=1)

    def _busy(self) -> bool:
        return any(channel.requests or channel.total_outbufs_len for channel in self.active_channels.values())


def allow_files() -> None:
    """Ask for enough open files where a system gives few; without them accepting would fail, again and again."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FILES:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (FILES if hard == resource.RLIM_INFINITY else min(FILES, hard), hard)
        )


if __name__ == "__main__":
    main()
