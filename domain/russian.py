"""Times, money and counts as a Russian reader expects them."""

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.numbers import format_currency, format_decimal
from babel.units import format_unit

MOSCOW = ZoneInfo("Europe/Moscow")
NO_BREAK = "\N{NO-BREAK SPACE}"


def day(moment: datetime, zone: ZoneInfo) -> str:
    """For example `25 ноября 2026 года`."""
    return format_datetime(moment, "d MMMM y 'года'", tzinfo=zone, locale="ru")


def day_and_time(moment: datetime, zone: ZoneInfo) -> str:
    """For example `25 ноября в 10:35 (МСК)`."""
    return _formatted(moment, zone, "d MMMM 'в' HH:mm")


def weekday_and_time(moment: datetime, zone: ZoneInfo) -> str:
    """For example `среда, 25 ноября в 10:35 (МСК)`."""
    return _formatted(moment, zone, "EEEE, d MMMM 'в' HH:mm")


def time_of_day(moment: datetime, zone: ZoneInfo) -> str:
    """For example `10:35 (МСК)`."""
    return _formatted(moment, zone, "HH:mm")


def zone_name(moment: datetime, zone: ZoneInfo) -> str:
    """The zone as Russians count it, from Moscow: `МСК`, `МСК+2`, `МСК−1:30`."""
    ahead = (moment.astimezone(zone).utcoffset() or timedelta()) - (
        moment.astimezone(MOSCOW).utcoffset() or timedelta()
    )
    if not ahead:
        return "МСК"
    hours, minutes = divmod(abs(ahead) // timedelta(minutes=1), 60)
    sign = "+" if ahead > timedelta() else "\N{MINUS SIGN}"
    return f"МСК{sign}{hours}" + (f":{minutes:02}" if minutes else "")


def money(amount: Decimal, currency: str) -> str:
    """For example `5 000 ₽`, and `5 000,50 ₽` where there are kopecks; without a currency the number alone."""
    if not currency:
        return number(amount)
    digits = "#,##0" if amount == amount.to_integral_value() else "#,##0.00"
    return format_currency(amount, currency, f"{digits}{NO_BREAK}¤", locale="ru", currency_digits=False)


def number(value: int | Decimal) -> str:
    """For example `5 000`, and `5 000,50` where it is not whole."""
    return format_decimal(value, "#,##0" if value == int(value) else "#,##0.00", locale="ru")


def minutes(count: int) -> str:
    """For example `45 минут`."""
    return format_unit(count, "duration-minute", locale="ru").replace(" ", NO_BREAK)


def _formatted(moment: datetime, zone: ZoneInfo, pattern: str) -> str:
    return f"{format_datetime(moment, pattern, tzinfo=zone, locale='ru')} ({zone_name(moment, zone)})"
