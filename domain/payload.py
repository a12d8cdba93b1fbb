"""Payloads of messages: read into a model, or refused by name."""

from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ValidationError

from errors import InvalidMessage

Model = TypeVar("Model", bound=BaseModel)


def _moment(value: Any) -> Any:
    """ISO 8601, and PostgreSQL's own spelling of it (`2026-11-25 07:35:00+00`); no offset means UTC."""
    if not isinstance(value, str):
        return value
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, BeforeValidator(_moment)]


def read_payload(model: type[Model], payload: dict[str, Any], kind: str) -> Model:
    """The payload as `model`; keys that are null count as missing.

    Raises:
        InvalidMessage: naming each key of a wrong shape and its value.
    """
    try:
        return model.model_validate({key: value for key, value in payload.items() if value is not None})
    except ValidationError as error:
        problems = [_problem(each["loc"], each["type"], each["input"], each["msg"]) for each in error.errors()]
        raise InvalidMessage(f"Not {kind} message: {'; '.join(problems)}") from None


def _problem(place: tuple[int | str, ...], kind: str, value: Any, message: str) -> str:
    key = ".".join(map(str, place))
    return f"{key} is missing" if kind == "missing" else f"{key}={str(value)[:100]!r}: {message}"
