"""A relay before PostgreSQL that hangs up at one statement: before it arrives, or when it has had its effect."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

from psycopg2.extensions import parse_dsn


class DeafRelay:
    """Relays every connection to the server of `url`."""

    def __init__(self, url: str) -> None:
        self.server = parse_dsn(url)
        self.lose_answer_to = b""  # words of the statement
        self.lost = 0
        self.hang_up_at = 0  # the number of a statement, of all connections', that does not arrive
        self.statements = 0
        self.counting = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        port = self.listener.getsockname()[1]
        login = urlsplit(url).netloc.rpartition("@")[0]
        self.url = urlunsplit(
            urlsplit(url)._replace(netloc=f"{login}@127.0.0.1:{port}", query="sslmode=disable&gssencmode=disable")
        )
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                deaf = threading.Event()
                server = self._connected()
                for way in ((client, server, deaf, True), (server, client, deaf, False)):
                    threading.Thread(target=self._pass_on, args=way, daemon=True).start()

    def _connected(self) -> socket.socket:
        host, port = self.server["host"], self.server.get("port", "5432")
        if not host.startswith("/"):
            return socket.create_connection((host, int(port)))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    def _pass_on(self, source: socket.socket, target: socket.socket, deaf: threading.Event, to_server: bool) -> None:
        with suppress(OSError):
            while words := source.recv(65536):
                if to_server and words.startswith(b"Q") and self._is_last():
                    break
                if to_server and self.lose_answer_to and self.lose_answer_to in words:
                    self.lose_answer_to = b""
                    deaf.set()
                elif deaf.is_set() and not to_server:
                    self.lost += 1
                    break
                target.sendall(words)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _is_last(self) -> bool:
        with self.counting:
            self.statements += 1
            return self.statements == self.hang_up_at


@contextmanager
def running(url: str) -> Iterator[DeafRelay]:
    relay = DeafRelay(url)
    try:
        yield relay
    finally:
        relay.close()
