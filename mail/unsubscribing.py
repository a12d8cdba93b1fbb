"""The link by which a family ends the mails that can be done without.

It names the delivery and is signed: who knows a delivery's id can end nobody's mails, who sees the link learns nothing.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from hmac import compare_digest, digest
from uuid import UUID

import settings
from values import key_bytes

PLACE = "unsubscribe:here"  # stands in a letter for its link, until the ledger has said which delivery it is
TOKEN = re.compile(r"[\w-]{43}", re.ASCII)
PURPOSE = b"balansity.unsubscribe"  # the keys sign nothing else by this name
SIGNATURE_BYTES = 16


def link(delivery_id: str) -> str:
    """Where a mail's reader unsubscribes; empty where no WEB_URL is set."""
    current = settings.current()
    if not current.web_url:
        return ""
    named = UUID(delivery_id).bytes
    token = urlsafe_b64encode(named + _signature(current.unsubscribe_keys[0], named)).decode().rstrip("=")
    return f"{current.web_url}/unsubscribe/{token}"


def delivery_of(token: str) -> UUID | None:
    """The delivery that a link names; None: no key of ours has signed it."""
    if not TOKEN.fullmatch(token):
        return None
    content = urlsafe_b64decode(token + "=")
    named, signature = content[:SIGNATURE_BYTES], content[SIGNATURE_BYTES:]
    keys = settings.current().unsubscribe_keys
    known = [compare_digest(signature, _signature(key, named)) for key in keys]
    return UUID(bytes=named) if any(known) else None


def _signature(key: str, named: bytes) -> bytes:
    return digest(key_bytes(key), PURPOSE + named, sha256)[:SIGNATURE_BYTES]
