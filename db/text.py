"""Text on its way into the database."""


def storable(text: str) -> str:
    """`text` without what PostgreSQL refuses: NUL characters and halves of surrogate pairs."""
    return text.replace("\0", "").encode(errors="replace").decode()
