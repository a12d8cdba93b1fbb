"""The rows that mails speak of, as db/queries/letters.sql delivers them."""

from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel

import settings
from domain.link import web_link
from domain.money import Amount, Currency
from domain.payload import IfReadable
from domain.words import Line, Name
from zones import zone_or

BOOKED = {"scheduled", "confirmed"}

# By how much time is left: when before a consultation its family is still going to be reminded of it.
REMINDERS = ((timedelta(days=1), "за сутки и за час"), (timedelta(hours=1), "за час"))


class AppointmentFacts(BaseModel):
    """A consultation; at `read_at` by the database's clock.

    `reader` is the first name of the parent who booked it, `patient` of whom it is for; `is_move_ordered` tells that a
    mail was ordered that names its time as the one that it was moved to.
    """

    id: UUID
    status: str
    scheduled_at: datetime
    created_at: datetime
    read_at: datetime
    type_name: Line
    price: IfReadable[Amount]
    duration_minutes: int
    is_move_ordered: bool = False
    time_zone: str | None
    video_room_url: str | None
    reader: Name
    patient: Name

    def zone(self, default: ZoneInfo) -> ZoneInfo:
        return zone_or(self.time_zone, default)

    @property
    def is_ahead(self) -> bool:
        """Whether it is still going to take place."""
        return self.status in BOOKED and self.scheduled_at > self.read_at

    @property
    def reminders(self) -> str | None:
        """The reminders that a mail written now may promise, in words."""
        return next((words for before, words in REMINDERS if self.scheduled_at - self.read_at > before), None)

    @property
    def link(self) -> str | None:
        """The video room's address, if it leads to where the clinic has its rooms."""
        return web_link(self.video_room_url, settings.current().room_hosts)

    @property
    def link_is_in_account(self) -> bool:
        """Whether there is an address that no mail shows."""
        return bool((self.video_room_url or "").strip()) and self.link is None


class PaymentFacts(BaseModel):
    """A payment, and in words what it was for."""

    id: UUID
    status: str
    amount: Amount
    currency: Currency
    payment_method: str | None
    paid_at: datetime | None
    reader: Name
    appointment_id: UUID | None
    package: str | None


class AssessmentFacts(BaseModel):
    """A check-up."""

    assessment_type: str | None
    completed_at: datetime | None
    reader: Name
    patient: Name
