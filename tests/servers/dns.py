"""A DNS server of a test's own: it has the records that it was given, and keeps silent where it is told to."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset

LOOK_SECONDS = 0.05
SECONDS = 300  # that a record would be remembered

Records = dict[tuple[str, str], list[str]]  # by name and type, as a zone file writes them


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        packet, socket = self.request
        asked = dns.message.from_wire(packet)
        server: Any = self.server
        if server.records is not None:
            socket.sendto(_answer(asked, server.records).to_wire(), self.client_address)


def _answer(asked: dns.message.Message, records: Records) -> dns.message.Message:
    answer = dns.message.make_response(asked)
    answer.flags |= dns.flags.RA
    [question] = asked.question
    name, kind = str(question.name).rstrip("."), question.rdtype.name
    if not any(known == name or known.endswith(f".{name}") for known, _ in records):
        answer.set_rcode(dns.rcode.NXDOMAIN)
    elif found := records.get((name, kind)):
        answer.answer.append(dns.rrset.from_text(question.name, SECONDS, "IN", kind, *found))
    return answer


@contextmanager
def answering(records: Records | None) -> Iterator[None]:
    """All of this process asks a server with these records; None: one that never answers."""
    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), _Handler) as server:
        server.records = records  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": LOOK_SECONDS})
        thread.start()
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], server.server_address[1]
        usual, dns.resolver.default_resolver = dns.resolver.default_resolver, resolver
        try:
            yield
        finally:
            dns.resolver.default_resolver = usual
            server.shutdown()
            thread.join()
