"""Made-up words for every template, to look at mails without sending any."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from gateways.mail.envelope import Attachment

_MEETING = datetime(2026, 11, 25, 7, 35, tzinfo=UTC)

_APPOINTMENT = {
    "reader": "Анна",
    "type_name": "Детский психолог",
    "patient": "Миша",
    "scheduled_at": _MEETING,
    "previous_scheduled_at": None,
    "duration_minutes": 45,
    "link": "https://video.balansity.example/room/7f3a",
    "link_is_in_account": False,
    "reminders": "за сутки и за час",
    "unpaid": False,
    "price": None,
    "page": None,
}
_PAYMENT = {
    "reader": "Анна",
    "id": "4e1b8a52-6a0f-4a57-8f5e-1f6f7f0f2c11",
    "amount": Decimal(5000),
    "currency": "RUB",
    "method": "ЮKassa",
    "appointment_type": "Детский психолог",
    "scheduled_at": _MEETING,
    "booked": True,
    "reminders": "за сутки и за час",
    "cancelled": False,
    "package": None,
    "paid_at": None,
    "page": None,
}
_ASSESSMENT = {
    "reader": "Анна",
    "patient": "Миша",
    "kind": "Детский",
    "completed_at": datetime(2026, 11, 24, 17, 5, tzinfo=UTC),
    "page": None,
}

SAMPLES: dict[str, dict[str, Any]] = {
    "checkup_completed": _ASSESSMENT,
    "report_ready": _ASSESSMENT,
    "appointment_confirmation": _APPOINTMENT,
    "appointment_moved": _APPOINTMENT | {"previous_scheduled_at": datetime(2026, 11, 24, 15, 0, tzinfo=UTC)},
    "appointment_cancelled": _APPOINTMENT,
    "appointment_reminder_24h": _APPOINTMENT,
    "appointment_reminder_1h": _APPOINTMENT,
    "payment_confirmation": _PAYMENT | {"paid_at": datetime(2026, 11, 24, 17, 5, tzinfo=UTC)},
    "payment_failed": _PAYMENT,
    "payment_refunded": _PAYMENT,
}

_ENTRY = (Attachment("consultation.ics", "text/calendar; charset=utf-8; method=REQUEST", b""),)

SAMPLE_FILES = {
    **dict.fromkeys(("appointment_confirmation", "appointment_moved", "appointment_cancelled"), _ENTRY),
    "payment_confirmation": _ENTRY,
    "report_ready": (Attachment("report.pdf", "application/pdf", b""),),
}
