"""The mails that Balansity sends: what each is for, and how the delivery system treats it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any


@dataclass(frozen=True)
class Template:
    """One kind of mail; its texts are `mail/templates/<name>.html` and `.txt`.

    `essential` mails go out even to an address that bounced or complained. `resend_after_minutes` is what happens when
    the provider's answer never came: send again after so long without news, or (None) leave it to a person, because
    the mail arriving twice would alarm its reader more than its absence.
    """

    name: str
    subject: str
    essential: bool
    resend_after_minutes: int | None


TEMPLATES = {
    template.name: template
    for template in (
        Template("checkup_completed", "Ваш чекап завершен", essential=False, resend_after_minutes=None),
        Template("report_ready", "Ваш отчет готов", essential=False, resend_after_minutes=30),
        Template(
            "appointment_confirmation", "Подтверждение записи на консультацию", essential=True, resend_after_minutes=15
        ),
        Template("appointment_moved", "Консультация перенесена", essential=True, resend_after_minutes=5),
        Template("appointment_cancelled", "Консультация отменена", essential=True, resend_after_minutes=15),
        Template("appointment_reminder_24h", "Напоминание о консультации", essential=False, resend_after_minutes=15),
        Template("appointment_reminder_1h", "Напоминание о консультации", essential=False, resend_after_minutes=3),
        Template("payment_confirmation", "Подтверждение оплаты", essential=True, resend_after_minutes=None),
        Template("payment_failed", "Ошибка оплаты", essential=True, resend_after_minutes=None),
        Template("payment_refunded", "Возврат оплаты", essential=True, resend_after_minutes=None),
    )
}


def is_essential(name: Any) -> bool:
    """Whether a mail of this template goes out even to a suppressed address."""
    return isinstance(name, str) and name in TEMPLATES and TEMPLATES[name].essential


def patience(name: Any) -> timedelta | None:
    """How long to wait for news of an unanswered mail before it is sent again; None: it is not."""
    minutes = TEMPLATES[name].resend_after_minutes if isinstance(name, str) and name in TEMPLATES else None
    return None if minutes is None else timedelta(minutes=minutes)
