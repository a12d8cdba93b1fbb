"""The words of the statistics' page, in Russian for the clinic's people. What has no word here is shown as it is."""

from mail.template import TEMPLATES

HEADINGS = {
    "checkups": "Чекапы",
    "consultations": "Консультации",
    "revenue": "Выручка",
    "mails": "Письма",
    "events": "События",
}
COLUMNS = {
    "type": "Вид",
    "template": "Письмо",
    "currency": "Валюта",
    "started": "Начато",
    "in_progress": "Не закончено",
    "abandoned": "Брошено",
    "booked": "Записей",
    "cancelled": "Отмен",
    "no_show": "Неявок",
    "open": "Предстоит",
    "payments": "Оплат",
    "revenue": "Выручка",
    "refunds": "Возвраты",
    "kept": "Остается",
    "planned": "Всего",
    "waiting": "Ждет отправки",
    "sent": "Отправлено, ответа нет",
    "delivered": "Доставлено",
    "bounced": "Вернулось",
    "complained": "Жалоб",
    "dropped": "Отброшено почтовой службой",
    "unknown": "Исход неизвестен",
    "failed": "Не отправлено",
    "superseded": "Устарело",
    "suppressed": "Адрес не принимает",
    "events": "Событий",
    "completed": "Завершено",
}
GROUPS = {
    "checkups": {"checkup": "Чекап ребенка", "parent": "Чекап родителя", "family": "Чекап семьи"},
    "revenue": {"other": "Прочее"},
    "mails": {name: template.subject for name, template in TEMPLATES.items()}
    | {
        "appointment_reminder_24h": "Напоминание за 24 часа",
        "appointment_reminder_1h": "Напоминание за час",
    },
    "events": {
        "assessment_completed": "Чекап завершен",
        "payment_completed": "Оплата прошла",
        "payment_failed": "Оплата не прошла",
        "payment_cancelled": "Оплата отменена",
        "payment_refunded": "Оплата возвращена",
    },
}
