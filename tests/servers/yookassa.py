"""YooKassa as its API reference describes it: payments by id, refunds once per Idempotence-Key, Basic auth, errors."""

import json
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler
from typing import Any
from uuid import uuid4

from tests.servers.listening import ListeningServer

SHOP_ID = "100500"
SECRET_KEY = "test_secret"
AUTHORIZATION = "Basic " + b64encode(f"{SHOP_ID}:{SECRET_KEY}".encode()).decode()
CODES = {400: "invalid_request", 401: "invalid_credentials", 404: "not_found", 429: "too_many_requests"}


@dataclass
class YooKassa:
    """What the provider knows, and how it behaves next."""

    url: str = ""
    payments: dict[str, dict[str, Any]] = field(default_factory=dict)
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)  # by Idempotence-Key
    refund_status: str = "succeeded"
    requests: list[tuple[str, str]] = field(default_factory=list)
    # What happens to the next answers: a status or a raw body instead, "silence", or "lost" after its work is done.
    answers: list[int | str] = field(default_factory=list)
    mood: int | str | None = None  # the same for every answer, while nothing else is wanted
    away: Callable[[], AbstractContextManager[None]] = nullcontext  # nobody can connect during the block
    meanwhile: Callable[[], None] | None = None  # what happens once between the next real answer and its arrival
    let_go: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def moody(self, mood: int | str) -> Iterator[None]:
        """Answer everyone so during the block."""
        self.mood = mood
        try:
            yield
        finally:
            self.mood = None

    def add_payment(
        self,
        status: str = "succeeded",
        value: str = "5000.00",
        currency: str = "RUB",
        metadata: dict[str, str] | None = None,
    ) -> str:
        payment_id = str(uuid4())
        self.payments[payment_id] = {
            "id": payment_id,
            "status": status,
            "paid": status in {"succeeded", "waiting_for_capture"},
            "amount": {"value": value, "currency": currency},
            "refunded_amount": {"value": "0.00", "currency": currency},
            "created_at": "2026-11-25T07:35:00.000Z",
            "refundable": status == "succeeded",
            "test": True,
            "metadata": metadata or {},
        }
        return payment_id

    def create_refund(self, key: str | None, wanted: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if not key:
            return problem(400, "Idempotence-Key header is missing")
        if made := self.refunds.get(key):
            same = wanted == {name: made[name] for name in wanted}
            return (200, made) if same else problem(400, "Idempotence key duplicated")
        if refusal := self.refusal(self.payments.get(wanted["payment_id"]), wanted["amount"]):
            return refusal
        self.refunds[key] = {"id": str(uuid4()), "status": "pending", **wanted}
        if self.refund_status != "pending":
            self.settle_refund(key, self.refund_status)
        return 200, self.refunds[key]

    def refusal(self, payment: dict[str, Any] | None, amount: dict[str, str]) -> tuple[int, dict[str, Any]] | None:
        if payment is None:
            return problem(404, "Payment doesn't exist or access denied")
        if payment["status"] != "succeeded":
            return problem(400, "Payment can't be refunded")
        if amount["currency"] != payment["amount"]["currency"]:
            return problem(400, "Refund currency differs from the payment's")
        if Decimal(amount["value"]) > self.remaining(payment):
            return problem(400, "Refund amount exceeds what is left of the payment")
        return None

    def settle_refund(self, key: str, status: str) -> None:
        refund = self.refunds[key]
        refund["status"] = status
        if status == "canceled":
            refund["cancellation_details"] = {"party": "yoo_money", "reason": "insufficient_funds"}
        else:
            self.give_back(refund["payment_id"], refund["amount"]["value"])

    def give_back(self, payment_id: str, value: str) -> None:
        refunded = self.payments[payment_id]["refunded_amount"]
        refunded["value"] = f"{Decimal(refunded['value']) + Decimal(value):.2f}"

    def remaining(self, payment: dict[str, Any]) -> Decimal:
        pending = [
            Decimal(refund["amount"]["value"])
            for refund in self.refunds.values()
            if refund["payment_id"] == payment["id"] and refund["status"] == "pending"
        ]
        return Decimal(payment["amount"]["value"]) - Decimal(payment["refunded_amount"]["value"]) - sum(pending)


def problem(status: int, description: str) -> tuple[int, dict[str, Any]]:
    code = CODES.get(status, "internal_server_error")
    return status, {"type": "error", "id": str(uuid4()), "code": code, "description": description}


@contextmanager
def running() -> Iterator[YooKassa]:
    """Serve on a free port until the block ends."""
    provider = YooKassa()
    server = ListeningServer(type("Handler", (_Handler,), {"provider": provider}))
    provider.url = f"http://127.0.0.1:{server.server_port}/v3"
    provider.away = server.away
    try:
        yield provider
    finally:
        provider.let_go.set()
        server.close()


class _Handler(BaseHTTPRequestHandler):
    provider: YooKassa

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name for it
        pass

    def _answer(self, body: bytes) -> None:
        self.provider.requests.append((self.command, self.path))
        unusual = self.provider.answers.pop(0) if self.provider.answers else self.provider.mood
        if unusual == "silence":
            self.provider.let_go.wait()
            self.close_connection = True
        elif unusual == "lost":
            self._serve(body)
            self.close_connection = True
        elif isinstance(unusual, str):
            self._write(200, unusual.encode())
        else:
            status, content = problem(unusual, "As the test wanted") if unusual else self._serve(body)
            answer = json.dumps(content).encode()
            if meanwhile := self.provider.meanwhile:
                self.provider.meanwhile = None
                meanwhile()
            self._write(status, answer)

    def _serve(self, body: bytes) -> tuple[int, dict[str, Any]]:
        if self.headers["Authorization"] != AUTHORIZATION:
            return problem(401, "Login has illegal format")
        if self.command == "POST":
            return self.provider.create_refund(self.headers["Idempotence-Key"], json.loads(body))
        known = {"payments": self.provider.payments, "refunds": {r["id"]: r for r in self.provider.refunds.values()}}
        _, _, kind, wanted = self.path.split("/", 3)
        found = known[kind].get(wanted)
        return (200, found) if found else problem(404, f"{kind[:-1].title()} doesn't exist or access denied")

    def _write(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
