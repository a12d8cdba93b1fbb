"""What a provider says when it takes a mail."""

from typing import NamedTuple


class Receipt(NamedTuple):
    """The provider's name for the mail, and its words; None where it gave none."""

    message_id: str | None
    answer: str | None = None
