"""What `balansity doctor` finds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `good`, a `note` that needs no action now, or `bad` with its remedy."""

    verdict: str
    what: str
    remedy: str = ""
