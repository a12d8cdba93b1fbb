"""The subjects and headings of all mails, in one table that is to be read as a whole."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from domain import russian


class Heading(NamedTuple):
    """What stands above a mail: in the list of a mailbox, and over the text."""

    subject: str
    title: str


# With {when} and {time} of the consultation, and {price}. No letter ё: the subjects that come from outside have none.
HEADINGS = {
    "checkup_completed": Heading("Ваш чекап завершен", "Чекап завершен"),
    "report_ready": Heading("Ваш отчет готов", "Ваш отчет готов"),
    "appointment_confirmation": Heading("Подтверждение записи на консультацию", "Вы записаны на консультацию"),
    "appointment_moved": Heading("Консультация перенесена на {when}", "Консультация перенесена"),
    "appointment_cancelled": Heading("Консультация отменена", "Консультация отменена"),
    "appointment_reminder_24h": Heading("Напоминание о консультации: {when}", "Скоро ваша консультация"),
    "appointment_reminder_1h": Heading("Напоминание о консультации: {when}", "Консультация в {time}"),
    "payment_confirmation": Heading("Подтверждение оплаты", "Оплата прошла"),
    "payment_failed": Heading("Ошибка оплаты", "Оплата не прошла"),
    "payment_refunded": Heading("Возврат оплаты", "Оплата возвращена"),
}
UNPAID = Heading("Оплатите консультацию до {when}: {price}", "Осталось оплатить консультацию")
UNPRICED = Heading("Оплатите консультацию до {when}", "Осталось оплатить консультацию")


def heading(template: str, words: Mapping[str, Any], zone: ZoneInfo) -> Heading:
    """What stands above this mail; `words` are those of its text, `zone` serves where they have none."""
    zone, at, price = words.get("zone") or zone, words.get("scheduled_at"), words.get("price")
    found = HEADINGS[template]
    if words.get("unpaid") and template == "appointment_confirmation":
        found = UNPAID if price else UNPRICED
    filling = {
        "when": at and russian.day_and_time(at, zone),
        "time": at and russian.time_of_day(at, zone),
        "price": price and russian.money(price, "RUB"),
    }
    return Heading(*(each.format(**filling) for each in found))
