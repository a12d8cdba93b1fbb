"""The mails that Balansity sends: what each is for, and how the delivery system treats it."""

from dataclasses import dataclass
from datetime import timedelta

MINUTE = timedelta(minutes=1)
NOTHING: frozenset[str] = frozenset()
UNSUBSCRIBED = frozenset({"unsubscribed"})
BOUNCED = UNSUBSCRIBED | {"bounced"}
EVERYTHING = BOUNCED | {"complained"}


@dataclass(frozen=True)
class Template:
    """One kind of mail; its texts are `mail/templates/<name>.html` and `.txt`.

    `despite` are the suppressions of an address that do not stop it: a bounce may pass, and money that moved is always
    told; a complaint may be a stranger's, whose address somebody has booked with; what a family has asked for or must
    know goes to it although it has unsubscribed. `resend_after` is what happens when the provider's answer never came:
    send again after so long without news, or (None) leave it to a person, because the mail arriving twice would alarm
    its reader more than its absence.
    """

    name: str
    subject: str
    despite: frozenset[str]
    resend_after: timedelta | None

    @property
    def can_be_done_without(self) -> bool:
        """Whether it has a link to unsubscribe."""
        return "unsubscribed" not in self.despite


TEMPLATES = {
    template.name: template
    for template in (
        Template("checkup_completed", "Ваш чекап завершен", despite=NOTHING, resend_after=None),
        Template("report_ready", "Ваш отчет готов", despite=UNSUBSCRIBED, resend_after=30 * MINUTE),
        Template(
            "appointment_confirmation",
            "Подтверждение записи на консультацию",
            despite=BOUNCED,
            resend_after=15 * MINUTE,
        ),
        Template("appointment_moved", "Консультация перенесена", despite=BOUNCED, resend_after=5 * MINUTE),
        Template("appointment_cancelled", "Консультация отменена", despite=BOUNCED, resend_after=15 * MINUTE),
        Template("appointment_reminder_24h", "Напоминание о консультации", despite=NOTHING, resend_after=15 * MINUTE),
        Template("appointment_reminder_1h", "Напоминание о консультации", despite=NOTHING, resend_after=3 * MINUTE),
        Template("payment_confirmation", "Подтверждение оплаты", despite=EVERYTHING, resend_after=None),
        Template("payment_failed", "Ошибка оплаты", despite=BOUNCED, resend_after=None),
        Template("payment_refunded", "Возврат оплаты", despite=EVERYTHING, resend_after=None),
    )
}
