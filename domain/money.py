"""Money: an amount with its currency."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field


@dataclass(frozen=True)
class Sum:
    """An amount in a currency (`RUB`)."""

    value: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.value:.2f} {self.currency}"


def currency_code(value: Any) -> str:
    """The code (`RUB`) that a row or a message means; empty for what is none, and roubles where nothing is said."""
    code = "RUB" if value is None else str(value).strip().upper()
    return code if re.fullmatch("[A-Z]{3}", code) else ""


Amount = Annotated[Decimal, Field(ge=0, lt=10**10)]  # no payment is larger, nor anything but a number
Currency = Annotated[str, BeforeValidator(currency_code)]
