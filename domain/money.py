"""Money: an amount with its currency."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Sum:
    """An amount in a currency (`RUB`)."""

    value: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.value:.2f} {self.currency}"
