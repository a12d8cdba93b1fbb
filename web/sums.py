"""Sums of money as the reader's language writes them."""

import re
from decimal import Decimal

from babel import Locale
from babel.numbers import format_currency

from web.language import chosen

SUM = re.compile(r"(\d+\.\d\d) ([A-Z]{3})")


def written(words: str) -> str:
    """`words` with each `5000.00 RUB`, as the desk says sums, written so; kopecks only where there are any."""
    return SUM.sub(lambda found: _sum(Decimal(found[1]), found[2]), words)


def _sum(amount: Decimal, currency: str) -> str:
    pattern = Locale.parse(chosen()).currency_formats["standard"].pattern
    if amount == int(amount):
        pattern = pattern.replace(".00", "")
    return format_currency(amount, currency, pattern, locale=chosen(), currency_digits=False)
