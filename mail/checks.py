"""What is refused before a provider sees it: addresses, subjects and sizes that no mail may have."""

from typing import Any
from unicodedata import category

from email_validator import EmailNotValidError, validate_email

from errors import PermanentError
from gateways.mail.envelope import Attachment

LARGEST_ATTACHMENTS = 18_000_000  # bytes; 25 MB once encoded, the most that Gmail and Yandex accept
LONGEST_SUBJECT = 250  # characters
BREAKS = {"Cc", "Cs", "Zl", "Zp"}  # Unicode's classes of control characters, lone surrogates and line breaks


class Unsendable(PermanentError):  # noqa: N818 - a finding about the mail, recorded rather than raised to the top
    """This mail can never be sent as it is."""


def checked_address(value: Any) -> str:
    """The address in the ASCII form that every mail server takes.

    Raises:
        Unsendable: it is missing or no address; the reason never quotes it.
    """
    if not isinstance(value, str) or not value.strip():
        raise Unsendable("no recipient: `to` is empty, the user has no e-mail address")
    try:
        # The test domain .test is fine: a provider that cannot reach it says so.
        parts = validate_email(
            value.strip(" "), check_deliverability=False, allow_smtputf8=False, test_environment=True
        )
    except EmailNotValidError:
        raise Unsendable("the recipient's address is malformed") from None
    if parts.ascii_email is None:
        raise Unsendable("the recipient's address cannot be written in ASCII")
    if "=?" in parts.ascii_email:  # an encoded word (RFC 2047), which a mail program may decode, line ends included
        raise Unsendable("the recipient's address is malformed")
    return parts.ascii_email


def is_address(value: Any, checked: str) -> bool:
    """Whether a value that may be anything is this address, which has been checked; mailboxes know no capitals."""
    try:
        return checked_address(value).lower() == checked.lower()
    except Unsendable:
        return False


def checked_subject(value: Any) -> str:
    """The subject, known to be one line of text.

    Raises:
        Unsendable: it is empty, too long, or carries control characters, as a header injection would.
    """
    subject = value.strip(" ") if isinstance(value, str) else ""
    if not subject:
        raise Unsendable("the subject is empty")
    if any(category(character) in BREAKS for character in subject):
        raise Unsendable("the subject contains a line break or another control character")
    if len(subject) > LONGEST_SUBJECT:
        raise Unsendable(f"the subject has {len(subject)} characters, {LONGEST_SUBJECT} are allowed")
    return subject


def check_size(attachments: tuple[Attachment, ...]) -> None:
    """Refuse what no mailbox would accept.

    Raises:
        Unsendable: the attachments together are too large.
    """
    size = sum(len(attachment.content) for attachment in attachments)
    if size > LARGEST_ATTACHMENTS:
        raise Unsendable(f"the attachments have {size:,} bytes, {LARGEST_ATTACHMENTS:,} are allowed")
