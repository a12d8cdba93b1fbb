"""A mail as the bytes that SMTP carries and .eml files hold.

No header's value goes through Python's own parser: it decodes encoded words that stand in a text, line ends included,
in file names and types of attachments, too.
"""

import re
from base64 import b64encode
from collections.abc import Iterator
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, localtime
from unicodedata import category
from urllib.parse import quote

from gateways.mail.envelope import Attachment, Mail

AS_WRITTEN = SMTP.clone(refold_source="none")
PLAIN = re.compile(r"(?!.*=\?)[ -~]{0,600}")  # what stands in a header as it is: ASCII that looks like no encoded word
MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(; ?[\w-]+=[\w.+-]+)*", re.ASCII)
CALENDAR_FILE = "application/ics"  # of an invitation that stands beside the text already: it is not to count twice
LONGEST_FILENAME = 100  # characters, the last ones; a header's line has 998 at most
BREAKS = {"Cc", "Cs", "Zl", "Zp"}  # Unicode's classes: controls and line ends, halves of characters
WORD_BYTES = 39  # in an encoded word; with a header's name before it, a line stays below RFC 2047's 76 characters


def build(mail: Mail, sender: Address, reply_to: Address | None = None) -> EmailMessage:
    """The whole message; its Message-ID is the edition's, so that two copies are recognised as one."""
    message = EmailMessage(policy=AS_WRITTEN)
    headers = {
        "From": _mailbox(sender),
        **({"Reply-To": _mailbox(reply_to)} if reply_to else {}),
        "To": _written(mail.recipient),
        "Subject": _written(mail.subject),
        "Date": format_datetime(localtime()),
        "Message-ID": _written(message_id(mail, sender)),
        "Auto-Submitted": "auto-generated",
        "X-Balansity-Template": _written(mail.template),
        "X-Balansity-Delivery": _written(mail.delivery_id),
    }
    headers |= unsubscribing(mail)
    for name, value in headers.items():
        message.set_raw(name, value)
    message.set_content(mail.text, cte="quoted-printable")
    message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    for attachment in mail.attachments:
        if attachment.invites:  # Outlook and Gmail take it for an invitation there only; as a file others open it
            text, method = attachment.content.decode(), {"method": attachment.invites}
            message.add_alternative(text, subtype="calendar", cte="base64", params=method)
    if mail.attachments:
        message.make_mixed()
    for attachment in mail.attachments:
        message.attach(_attached(attachment))
    return message


def unsubscribing(mail: Mail) -> dict[str, str]:
    """What mail programs need for a button of theirs (RFC 2369), that works at one click (RFC 8058)."""
    if not mail.unsubscribe_url:
        return {}
    return {
        "List-Unsubscribe": f"<{mail.unsubscribe_url}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def message_id(mail: Mail, sender: Address) -> str:
    edition = f".{mail.edition}" if mail.edition else ""
    return f"<{mail.delivery_id}{edition}@{sender.domain}>"


def one_line(text: str) -> str:
    """As a header may say it: a receiver that decodes it and writes it on must find no line's end in it."""
    return "".join(" " if category(character) in BREAKS else character for character in text)


def _mailbox(address: Address) -> str:
    if PLAIN.fullmatch(str(address)):
        return str(address)
    return f"{_encoded(one_line(address.display_name))}\r\n <{address.addr_spec}>"


def _written(text: str) -> str:
    return text if PLAIN.fullmatch(text) else _encoded(one_line(text))


def _encoded(text: str) -> str:
    """Text as RFC 2047's encoded words, spaces and all: those between two words do not count.

    Python's own folding leaves some spaces there, where they are lost.
    """
    return "\r\n ".join(f"=?utf-8?b?{b64encode(piece).decode()}?=" for piece in _pieces(text))


def _pieces(text: str) -> Iterator[bytes]:
    """UTF-8 in pieces that fit into a word; no character is divided."""
    piece = b""
    for character in text:
        encoded = character.encode()
        if len(piece) + len(encoded) > WORD_BYTES:
            yield piece
            piece = b""
        piece += encoded
    yield piece


def _attached(attachment: Attachment) -> EmailMessage:
    part = EmailMessage(policy=AS_WRITTEN)
    part.set_content(attachment.content, maintype="application", subtype="octet-stream")
    del part["Content-Type"], part["MIME-Version"]
    media_type = CALENDAR_FILE if attachment.invites else attachment.media_type
    part.set_raw("Content-Type", media_type if MEDIA_TYPE.fullmatch(media_type) else "application/octet-stream")
    part.set_raw("Content-Disposition", f"attachment;\r\n {_named(attachment.filename)}")
    return part


def _named(filename: str) -> str:
    """A file's name as a parameter; as RFC 2231 encodes it where it is more than letters and digits."""
    if re.fullmatch(r"[\w.-]{1,60}", filename, re.ASCII):
        return f'filename="{filename}"'
    return f"filename*=utf-8''{quote(one_line(filename)[-LONGEST_FILENAME:], safe='')}"
