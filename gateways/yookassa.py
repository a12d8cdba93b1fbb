"""YooKassa through its SDK: what became of a payment, and money back.

The SDK signs and addresses the requests. Its network layer has no time-outs and its models pass amounts through float,
so requests are made over our connections and answers are read here.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError
from urllib3 import BaseHTTPResponse

import settings
from domain.money import Sum
from domain.payload import IfReadable, Moment, problems
from errors import OutcomeUnknown, PermanentError, ProviderAway, RetryableError, UnknownToProvider
from gateways import http

if TYPE_CHECKING:
    from yookassa.client import ApiClient

Answer = TypeVar("Answer", bound=BaseModel)

NAME = "yookassa"  # in balansity.provider_state
ABOUT_US = {401, 403, 405, 429}  # statuses that speak of our key, its rights, the address or how much we ask for
REFUSALS = {404: UnknownToProvider, 408: RetryableError}  # the latter may be better another time
ID = "^[0-9A-Za-z_-]{1,100}$"  # anything else in its place makes another address, whose answer looks like an outage


class ProviderPayment(BaseModel):
    """A payment as YooKassa knows it."""

    status: Literal["pending", "waiting_for_capture", "succeeded", "canceled"]
    amount: Sum
    refunded_amount: Sum | None = None
    captured_at: IfReadable[Moment] = None  # when it succeeded
    metadata: IfReadable[dict[str, Any]] = None  # what the site said that it is for
    id: str


class Cancellation(BaseModel):
    """Why a refund was canceled, as one of YooKassa's code words."""

    reason: str = "no reason given"


class ProviderRefund(BaseModel):
    """A refund as YooKassa knows it."""

    id: str
    status: Literal["pending", "succeeded", "canceled"]
    created_at: IfReadable[Moment] = None
    cancellation_details: Cancellation = Cancellation()


def configured() -> bool:
    """Whether there is a shop to ask about."""
    return bool(settings.current().yookassa_shop_id)


def find_payment(external_id: str) -> ProviderPayment:
    """Ask what became of a payment.

    Raises:
        ProviderAway: YooKassa is away, takes nothing more for now, or does not know us.
        RetryableError: it answers nonsense.
        UnknownToProvider: it knows no such payment.
        PermanentError: it refuses the question.
    """
    return _read(ProviderPayment, _ask("GET", f"/payments/{_id(external_id)}"))


def refund(payment_id: str, external_id: str, money: Sum) -> ProviderRefund:
    """Give money back; asking again with the same `payment_id` gives it back no second time.

    Raises:
        RetryableError, PermanentError: as `find_payment`.
    """
    from yookassa.domain.request import RefundRequest

    amount = {"value": f"{money.value:.2f}", "currency": money.currency}
    try:
        body = RefundRequest({"payment_id": _id(external_id), "amount": amount})
    except ValueError as error:
        raise PermanentError(f"YooKassa cannot refund payment {external_id!r}: {error}") from error
    return _read(ProviderRefund, _ask("POST", "/refunds", {"Idempotence-Key": payment_id}, dict(body)))


def find_refund(refund_id: str) -> ProviderRefund:
    """Ask what became of a refund.

    Raises:
        RetryableError, PermanentError: as `find_payment`.
    """
    return _read(ProviderRefund, _ask("GET", f"/refunds/{_id(refund_id)}"))


def _id(written: str) -> str:
    if not re.fullmatch(ID, written):
        raise UnknownToProvider("What is written in its place is no id of YooKassa's")
    return written


def _ask(method: str, path: str, headers: Mapping[str, str] | None = None, content: Any = None) -> bytes:
    client = _client()
    try:
        answer = http.request(method, client.endpoint + path, client.prepare_request_headers(headers), content)
    except OutcomeUnknown as error:  # to ask again is safe: YooKassa does nothing twice for one Idempotence-Key
        raise ProviderAway(f"YooKassa gave no answer to {method} {path}: {error}") from error
    if answer.status == 200:
        return answer.data
    refusal = f"YooKassa answered {answer.status} to {method} {path}: {_description(answer)}"
    if answer.status in ABOUT_US or not 400 <= answer.status < 500 or not _is_the_apis(answer):
        raise ProviderAway(f"{refusal}. Check YOOKASSA_SHOP_ID, YOOKASSA_SECRET_KEY, YOOKASSA_API_URL.")
    raise REFUSALS.get(answer.status, PermanentError)(refusal)


def _client() -> "ApiClient":
    from yookassa import Configuration
    from yookassa.client import ApiClient

    ours = settings.current()
    if not configured():
        raise PermanentError("YOOKASSA_SHOP_ID is empty: set it and YOOKASSA_SECRET_KEY, then redrive the message")
    Configuration.configure(ours.yookassa_shop_id, ours.yookassa_secret_key, api_url=ours.yookassa_api_url)
    return ApiClient()


def _is_the_apis(answer: BaseHTTPResponse) -> bool:
    """Whether a refusal is YooKassa's own: what stands at a wrong address refuses everything, in other words."""
    try:
        return bool(answer.json()["type"] == "error")
    except (ValueError, KeyError, TypeError):
        return False


def _description(answer: BaseHTTPResponse) -> str:
    try:
        return str(answer.json()["description"])
    except (ValueError, KeyError, TypeError):
        return "no description"


def _read(shape: type[Answer], content: bytes) -> Answer:
    try:
        return shape.model_validate_json(content)
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            raise ProviderAway("Whoever answers at YOOKASSA_API_URL is not YooKassa's API") from None
        raise RetryableError(f"YooKassa answered what its API does not describe: {problems(error)}") from None
