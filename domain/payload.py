"""Payloads of messages: read into a model, or refused by key. No value is quoted: it may be a person's."""

from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ValidationError, WrapValidator
from pydantic import ValidatorFunctionWrapHandler as Handler

from errors import InvalidMessage

YEARS = range(1900, 2200)  # beyond them, another time zone's reckoning soon leaves the calendar

Model = TypeVar("Model", bound=BaseModel)
Kind = TypeVar("Kind")


def _moment(value: Any) -> Any:
    """ISO 8601, and PostgreSQL's own spelling of it (`2026-11-25 07:35:00+00`); no offset means UTC."""
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("must be an ISO 8601 time such as 2026-11-25T07:35:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _of_our_time(moment: datetime) -> datetime:
    if moment.year not in YEARS:
        raise ValueError(f"must be a time from {YEARS.start} to {YEARS.stop}")
    return moment


def _if_readable(value: Any, read: Handler) -> Any:
    try:
        return read(value)
    except ValidationError:
        return None


Moment = Annotated[datetime, BeforeValidator(_moment), AfterValidator(_of_our_time)]

# Of a key that may be missing: what cannot be read counts as missing too.
IfReadable = Annotated[Kind | None, WrapValidator(_if_readable)]


def read_payload(model: type[Model], payload: dict[str, Any], kind: str) -> Model:
    """The payload as `model`; keys that are null count as missing.

    Raises:
        InvalidMessage: naming each key of a wrong shape.
    """
    try:
        return model.model_validate({key: value for key, value in payload.items() if value is not None})
    except ValidationError as error:
        raise InvalidMessage(f"Not {kind} message: {problems(error)}") from None


def problems(error: ValidationError) -> str:
    """Each key that is wrong, and how."""
    return "; ".join(
        f"{'.'.join(map(str, each['loc']))} {_complaint(each['type'], each['msg'])}" for each in error.errors()
    )


def _complaint(kind: str, message: str) -> str:
    return "is missing" if kind == "missing" else f"is wrong: {message}"
