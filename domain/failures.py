"""What a kind of failure is called."""

from hashlib import sha256


def fingerprint(actor: str | None, kind: str) -> str:
    """Names the failures of one actor in one way in a few letters."""
    return sha256(f"{actor} {kind}".encode()).hexdigest()[:8]
