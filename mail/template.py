"""The mails that Balansity sends: what each is for, and how the delivery system treats it."""

from dataclasses import dataclass
from datetime import timedelta

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Template:
    """One kind of mail; its texts are `mail/templates/<name>.html` and `.txt`.

    `essential` mails go out even to an address that bounced or complained. `resend_after` is what happens when
    the provider's answer never came: send again after so long without news, or (None) leave it to a person, because
    the mail arriving twice would alarm its reader more than its absence.
    """

    name: str
    subject: str
    essential: bool
    resend_after: timedelta | None


TEMPLATES = {
    template.name: template
    for template in (
        Template("checkup_completed", "Ваш чекап завершен", essential=False, resend_after=None),
        Template("report_ready", "Ваш отчет готов", essential=False, resend_after=30 * MINUTE),
        Template(
            "appointment_confirmation", "Подтверждение записи на консультацию", essential=True, resend_after=15 * MINUTE
        ),
        Template("appointment_moved", "Консультация перенесена", essential=True, resend_after=5 * MINUTE),
        Template("appointment_cancelled", "Консультация отменена", essential=True, resend_after=15 * MINUTE),
        Template("appointment_reminder_24h", "Напоминание о консультации", essential=False, resend_after=15 * MINUTE),
        Template("appointment_reminder_1h", "Напоминание о консультации", essential=False, resend_after=3 * MINUTE),
        Template("payment_confirmation", "Подтверждение оплаты", essential=True, resend_after=None),
        Template("payment_failed", "Ошибка оплаты", essential=True, resend_after=None),
        Template("payment_refunded", "Возврат оплаты", essential=True, resend_after=None),
    )
}
