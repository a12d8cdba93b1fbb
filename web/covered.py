"""Words that may name a person, covered until an operator says why they must be seen."""

COVERED = "•••"


def shown(words: str | None, *, bare: bool) -> str | None:
    """The words, where they are shown `bare` or there are none."""
    return words if bare or not words else COVERED
