"""An e-mail as it crosses to a provider, and how the provider took it."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Attachment:
    """One file of a mail; `media_type` may carry parameters: `text/calendar; charset=utf-8; method=REQUEST`."""

    filename: str
    media_type: str
    content: bytes

    @property
    def invites(self) -> str | None:
        """An invitation's method: mail programs look for it beside the text, too, where it is an answerable one."""
        kind, _, method = self.media_type.rpartition("; method=")
        return method if kind.startswith("text/calendar") and method in {"REQUEST", "CANCEL"} else None


@dataclass(frozen=True)
class Mail:
    """A finished e-mail."""

    template: str
    recipient: str
    subject: str
    html: str
    text: str
    attachments: tuple[Attachment, ...]
    delivery_id: str  # its identity towards the provider, the same for every attempt; the ledger gives it
    unsubscribe_url: str = ""  # answers RFC 8058's one click; empty: this mail is not to be done without
    edition: int = 0  # one more with each resend by a person: mailboxes show it beside an earlier copy


class Accepted(NamedTuple):
    """How a provider took a mail: its name for it, and its words; either may be empty."""

    message_id: str
    answer: str
