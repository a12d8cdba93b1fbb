"""What a message of the e-mail queue asks for."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from domain.mail import Unsendable
from errors import InvalidMessage


def _words(value: Any) -> str | None:
    """Optional words that are blank or no words at all are simply not there."""
    return (value.strip() or None) if isinstance(value, str) else None


def _moment(value: Any) -> Any:
    """ISO 8601, and PostgreSQL's own spelling of it (`2026-11-25 07:35:00+00`); no offset means UTC."""
    if not isinstance(value, str):
        return value
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Words = Annotated[str | None, BeforeValidator(_words)]
Moment = Annotated[datetime | None, BeforeValidator(_moment)]


class Variables(BaseModel):
    """The `variables` of a message: which row the mail is about, and what its sender knew of it."""

    appointment_id: UUID | None = None
    payment_id: UUID | None = None
    assessment_id: UUID | None = None
    scheduled_at: Moment = None
    previous_scheduled_at: Moment = None
    completed_at: Moment = None
    amount: Decimal | None = None
    currency: Words = None
    payment_method: Words = None
    appointment_type: Words = None
    profile_name: Words = None
    name: Words = None
    status: Words = None


class MailOrder(BaseModel):
    """One message of the e-mail queue; what its letter consists of is judged once the ledger has a row for it."""

    to: Any = None
    subject: Any = None
    template: Any = None
    variables: dict[str, Any] = Field(default_factory=dict)
    key: str | None = Field(default=None, min_length=1, max_length=300)
    report_id: UUID | None = None
    user_id: UUID | None = None

    def read_variables(self) -> Variables:
        """The variables, typed.

        Raises:
            Unsendable: naming each one that cannot be read; values are not quoted, they may be personal.
        """
        try:
            return Variables.model_validate(self.variables)
        except ValidationError as error:
            raise Unsendable("; ".join(_problems(error, "variables."))) from None


def read_order(payload: dict[str, Any]) -> MailOrder:
    """The payload as an order.

    Raises:
        InvalidMessage: naming each key of a wrong shape.
    """
    try:
        return MailOrder.model_validate({key: value for key, value in payload.items() if value is not None})
    except ValidationError as error:
        raise InvalidMessage("Not an e-mail message: " + "; ".join(_problems(error))) from None


def _problems(error: ValidationError, prefix: str = "") -> list[str]:
    return [f"{prefix}{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
