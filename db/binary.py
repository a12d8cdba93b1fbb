"""Rows as COPY reads them in binary form: an error tells a row's number, where of text it would quote the line."""

import struct
from collections.abc import Iterable

BEGIN, END = struct.pack("!11sii", b"PGCOPY\n\xff\r\n\0", 0, 0), struct.pack("!h", -1)
JSONB = b"\1"  # before a document's text: the version of its form

integer, bigint, boolean = (struct.Struct(form).pack for form in ("!i", "!q", "!?"))


def rows(values: Iterable[tuple[bytes | None, ...]]) -> bytes:
    """Rows of columns, each as its type is sent; None is NULL."""
    parts = [BEGIN]
    for row in values:
        parts.append(struct.pack("!h", len(row)))
        for column in row:
            parts += (integer(-1),) if column is None else (integer(len(column)), column)
    return b"".join([*parts, END])
