"""An address that alarms are posted to, or a beat is asked of: it keeps what comes, and can refuse or be away."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.servers.listening import ListeningServer


@dataclass
class Hook:
    """What has come, and how the next calls are answered."""

    url: str = ""
    posted: list[Any] = field(default_factory=list)  # what was taken
    beats: int = 0
    status: int = 200
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))  # one a call

    @property
    def texts(self) -> list[str]:
        return [each["text"] for each in self.posted]


@contextmanager
def running() -> Iterator[Hook]:
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if hook.status < 300:
                hook.posted.append(content)
            self._answer()

        def do_GET(self) -> None:
            hook.beats += hook.status < 300
            self._answer()

        def _answer(self) -> None:
            self.send_response(hook.status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            hook.arrived.release()

        def log_message(self, *_: Any) -> None:
            """Not to stderr."""

    server = ListeningServer(Handler)
    hook.url = f"http://127.0.0.1:{server.server_port}/services/secret-path"
    try:
        yield hook
    finally:
        server.close()
