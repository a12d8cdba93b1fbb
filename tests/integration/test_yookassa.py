"""The gateway asks YooKassa as its reference says, waits for it no longer than it must, and sorts its refusals."""

import json
from collections.abc import Iterator
from decimal import Decimal
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from traceback import format_exception
from uuid import uuid4

import pytest

import settings
from domain.money import Sum
from errors import PermanentError, ProviderAway, RetryableError
from gateways import http
from gateways import yookassa as gateway
from tests.servers import yookassa
from tests.servers.yookassa import YooKassa


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[YooKassa]:
    with yookassa.running() as provider:
        monkeypatch.setenv("YOOKASSA_API_URL", provider.url)
        monkeypatch.setenv("YOOKASSA_SHOP_ID", yookassa.SHOP_ID)
        monkeypatch.setenv("YOOKASSA_SECRET_KEY", yookassa.SECRET_KEY)
        settings.current.cache_clear()
        yield provider
    settings.current.cache_clear()


def test_a_payment_is_read_exactly(provider: YooKassa) -> None:
    found = gateway.find_payment(provider.add_payment("succeeded", "90071992547409.91"))
    assert found.status == "succeeded"
    assert found.amount == Sum(Decimal("90071992547409.91"), "RUB")


def test_a_refund_asked_for_twice_is_one_refund(provider: YooKassa) -> None:
    external_id, payment_id = provider.add_payment(), str(uuid4())
    for _ in range(2):
        assert gateway.refund(payment_id, external_id, Sum(Decimal(5000), "RUB")).status == "succeeded"
    [made] = provider.refunds.values()
    assert made["amount"] == {"value": "5000.00", "currency": "RUB"}


@pytest.mark.parametrize("status", [202, 301, 429, 500, 503, 520, 599])
def test_a_provider_in_trouble_is_asked_again_later(provider: YooKassa, status: int) -> None:
    provider.answers.append(status)
    with pytest.raises(RetryableError, match=f"answered {status}"):
        gateway.find_payment(provider.add_payment())


@pytest.mark.parametrize("status", [403, 405, 429])
def test_a_refusal_that_speaks_of_us_is_no_payments_fault(provider: YooKassa, status: int) -> None:
    provider.answers.append(status)
    with pytest.raises(ProviderAway, match=f"answered {status}"):
        gateway.find_payment(provider.add_payment())


def test_a_page_at_a_wrong_address_is_no_payments_fault(provider: YooKassa, monkeypatch: pytest.MonkeyPatch) -> None:
    provider.answers.append("<html>Welcome to nginx!</html>")
    with pytest.raises(ProviderAway, match="not YooKassa's API"):
        gateway.find_payment(provider.add_payment())
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as another:  # its 404 is a page of its own
        thread = Thread(target=another.serve_forever)
        thread.start()
        monkeypatch.setenv("YOOKASSA_API_URL", f"http://127.0.0.1:{another.server_port}")
        settings.current.cache_clear()
        with pytest.raises(ProviderAway, match=r"404.*YOOKASSA_API_URL"):
            gateway.find_payment(str(uuid4()))
        another.shutdown()
        thread.join()


@pytest.mark.parametrize("answer", ["no json", "[]", json.dumps({"status": "mood", "amount": {}})])
def test_nonsense_is_asked_again_later(provider: YooKassa, answer: str) -> None:
    provider.answers.append(answer)
    with pytest.raises(RetryableError):
        gateway.find_payment(provider.add_payment())


def test_what_the_provider_says_is_not_quoted(provider: YooKassa) -> None:
    answer = {"status": "Anna Ivanova", "amount": {"value": "79001234567", "currency": "RUB"}, "phone": "79001234567"}
    provider.answers.append(json.dumps(answer))
    with pytest.raises(RetryableError, match="status is wrong") as error:
        gateway.find_payment(provider.add_payment())
    told = "".join(format_exception(error.value))
    assert "Anna" not in told
    assert "7900" not in told


def test_silence_ends_in_time(provider: YooKassa, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "ANSWER_SECONDS", 0.2)
    provider.answers.append("silence")
    with pytest.raises(RetryableError, match="ReadTimeout"):
        gateway.find_payment(provider.add_payment())


def test_a_provider_that_is_away_is_asked_again_later(provider: YooKassa, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOOKASSA_API_URL", "http://127.0.0.1:9")
    settings.current.cache_clear()
    with pytest.raises(RetryableError, match="ConnectionError"):
        gateway.find_payment("x")


def test_what_the_provider_does_not_know_stays_unknown(provider: YooKassa) -> None:
    with pytest.raises(PermanentError, match=r"404.*doesn't exist"):
        gateway.find_payment(str(uuid4()))


def test_an_id_cannot_lead_elsewhere(provider: YooKassa) -> None:
    with pytest.raises(PermanentError):
        gateway.find_payment("../refunds?limit=1")
    assert provider.requests == []


def test_a_wrong_key_is_ours_to_put_right_and_not_shown(provider: YooKassa, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOOKASSA_SECRET_KEY", "wrong_secret")
    settings.current.cache_clear()
    with pytest.raises(ProviderAway, match="401") as refusal:
        gateway.find_payment(provider.add_payment())
    assert "wrong_secret" not in str(refusal.value)


def test_a_refund_that_cannot_be_is_permanent(provider: YooKassa) -> None:
    with pytest.raises(PermanentError, match="can't be refunded"):
        gateway.refund(str(uuid4()), provider.add_payment("pending"), Sum(Decimal(5000), "RUB"))
    with pytest.raises(PermanentError, match="no id of YooKassa"):
        gateway.refund(str(uuid4()), "too short", Sum(Decimal(5000), "RUB"))


def test_a_refund_can_be_asked_about(provider: YooKassa) -> None:
    provider.refund_status = "pending"
    made = gateway.refund("p-1", provider.add_payment(), Sum(Decimal(5000), "RUB"))
    assert gateway.find_refund(made.id).status == "pending"
    provider.settle_refund("p-1", "canceled")
    assert gateway.find_refund(made.id).cancellation_details.reason == "insufficient_funds"


def test_a_key_stands_for_one_refund_and_no_more_than_was_paid_is_given_back(provider: YooKassa) -> None:
    external_id = provider.add_payment()
    gateway.refund("p-1", external_id, Sum(Decimal(3000), "RUB"))
    with pytest.raises(PermanentError, match="duplicated"):
        gateway.refund("p-1", external_id, Sum(Decimal(1), "RUB"))
    with pytest.raises(PermanentError, match="exceeds"):
        gateway.refund("p-2", external_id, Sum(Decimal(3000), "RUB"))
    with pytest.raises(PermanentError, match="Idempotence-Key"):
        gateway.refund("", external_id, Sum(Decimal(1), "RUB"))


def test_without_a_shop_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOOKASSA_SHOP_ID", "")
    monkeypatch.setenv("YOOKASSA_SECRET_KEY", "")
    settings.current.cache_clear()
    assert not gateway.configured()
    with pytest.raises(PermanentError, match="YOOKASSA_SHOP_ID is empty"):
        gateway.find_payment("x")
    settings.current.cache_clear()
