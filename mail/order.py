"""What a message of the e-mail queue asks for."""

from datetime import UTC
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints, ValidationError

from domain.money import Amount, Currency
from domain.payload import IfReadable, Moment, problems, read_payload
from domain.words import Words, one_line, person_name
from mail.checks import Unsendable

AGAIN = "again:"  # how the key of a mail begins that a person has sent once more, whatever was sent before
REMINDERS = {"appointment_reminder_24h": "24h", "appointment_reminder_1h": "1h"}  # templates, by the kind of their key


def _given_name(value: Any) -> str | None:
    """Empty where words were given that no person is called: the mail does without, and yet says whose it is."""
    return person_name(value) or ("" if one_line(value) else None)


GivenName = Annotated[str | None, BeforeValidator(_given_name)]


class Variables(BaseModel):
    """The `variables` of a message: which row the mail is about, and what its sender knew of it."""

    appointment_id: UUID | None = None
    payment_id: UUID | None = None
    assessment_id: UUID | None = None
    scheduled_at: Moment | None = None
    previous_scheduled_at: IfReadable[Moment] = None
    completed_at: IfReadable[Moment] = None
    amount: Amount | None = None
    currency: Currency = "RUB"
    payment_method: Words = None
    appointment_type: Words = None
    profile_name: GivenName = None
    name: GivenName = None
    status: Words = None

    def named(self) -> dict[str, UUID | None]:
        """The rows that the mail is about."""
        return {name: getattr(self, name) for name in ("appointment_id", "payment_id", "assessment_id")}


class Contents(BaseModel):
    """What a letter is made of."""

    variables: Variables = Field(default_factory=Variables)
    report_id: UUID | None = None


class MailOrder(BaseModel):
    """One message of the e-mail queue, of any shape: it is judged where the ledger can say what was wrong with it."""

    to: Any = None
    subject: Any = None
    template: Any = None
    variables: Any = Field(default_factory=dict)
    key: IfReadable[Annotated[str, StringConstraints(min_length=1, max_length=300)]] = None
    report_id: Any = None
    user_id: IfReadable[UUID] = None

    @property
    def is_again(self) -> bool:
        """Whether a person decided to send once more what was sent before."""
        return self.key is not None and self.key.startswith(AGAIN)

    def reminder_key(self) -> str | None:
        """The business key of a reminder that names its consultation and time: whatever asks for it, it goes once."""
        kind = REMINDERS.get(self.template) if isinstance(self.template, str) and not self.is_again else None
        try:
            about = self.read_contents().variables if kind else Variables()
        except Unsendable:
            return None
        if about.appointment_id is None or about.scheduled_at is None:
            return None
        at = about.scheduled_at.astimezone(UTC)
        second = f"{at:%Y-%m-%dT%H:%M:%S}" + (f".{at:%f}" if at.microsecond else "")  # as balansity.iso_utc writes it
        return f"reminder:{kind}:{about.appointment_id}:{second}Z"

    def read_contents(self) -> Contents:
        """The variables and the report's id, typed.

        Raises:
            Unsendable: naming each key that cannot be read; values are not quoted, they may be personal.
        """
        try:
            return Contents.model_validate({"variables": self.variables, "report_id": self.report_id})
        except ValidationError as error:
            raise Unsendable(problems(error)) from None


def read_order(payload: dict[str, Any]) -> MailOrder:
    """The payload as an order."""
    return read_payload(MailOrder, payload, "an e-mail")
