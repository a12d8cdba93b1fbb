"""An HTTP server that may stop listening for a while: whoever comes is refused, and whoever is there is cut off."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import Any

LOOK_SECONDS = 0.05


class ListeningServer(ThreadingHTTPServer):
    """Serves from `listen` until `close`, on one port."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, handler: Any) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.peers: set[socket.socket] = set()
        self.listen()

    def listen(self) -> None:
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": LOOK_SECONDS})
        self.thread.start()

    def close(self) -> None:
        self.shutdown()
        self.thread.join()
        self.server_close()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Refuse connections during the block; those that are open end at once."""
        self.close()
        for peer in list(self.peers):
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        try:
            yield
        finally:
            self.socket = socket.socket(self.address_family, self.socket_type)
            self.server_bind()
            self.server_activate()
            self.listen()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.peers.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.peers.discard(request)
        super().shutdown_request(request)
