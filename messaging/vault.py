"""What lies sealed in the queue: sealed anew where it is plain or another key's, and opened for whoever may see it."""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any
from uuid import UUID

from db import binary, queries
from db.batches import Done, Transaction, work_through
from db.connection import Connection
from errors import BalansityError, InvalidMessage, KeyMissing
from messaging.encoding import fitting
from messaging.repertoire import Repertoire

KIND = re.compile(r"^([\w.]+)(?::.*)?$", re.ASCII)  # of an error, in the first line after a traceback's frames


@dataclass(frozen=True)
class Vault:
    """The sealed messages of `dramatiq.queue`, and the plain ones that ought to be."""

    repertoire: Repertoire

    def seal_all(self, transaction: Transaction) -> Done:
        """Seal, with the first key, what SQL sent and nobody has claimed yet, and what another key sealed."""
        if not (names := self.repertoire.seal.key_names()):
            return Done()
        page = partial(queries.messages.not_sealed_with, key=names[0])
        return work_through(transaction, "message to encrypt", page, self._seal)

    def _seal(self, conn: Connection, ids: list[str]) -> dict[str, int]:
        contents = {}
        for row in queries.broker.lock_messages(conn, ids=ids):
            with suppress(InvalidMessage, KeyMissing):  # doctor counts them
                contents[row.message_id] = json.dumps(self._content(row.message, row.error))
        sealed = queries.broker.seal(conn, ids=list(contents), contents=list(contents.values()), worker=None)
        return {"encrypted": sealed} if sealed else {}

    def _content(self, message: str, error: str | None) -> dict[str, Any]:
        """A message as it is put in place; of one that Python cannot read or that never was one, sealed as a whole."""
        seal = self.repertoire.seal
        try:
            fields = json.loads(message)
            if "sealed" in fields:
                return seal.resealed(fields)
            if error:
                fields["options"] = fields.get("options", {}) | {"failure": error}
            content = seal.rest(fields, self.repertoire.readable(fields.get("actor_name", "")))
        except (AttributeError, RecursionError, TypeError, ValueError):
            content = {"sealed": seal.close(message.encode())}
        return content | ({"error": kind_of(error)} if error else {})

    def lay_out(self, conn: Connection, ids: Sequence[str]) -> list[tuple[str, BalansityError]]:
        """Put what the sealed ones of these messages say into the transaction's table `opened`, for SQL to judge.

        Copied in binary form: the server may log a statement, or a line of text, that it fails at. Returns those that
        cannot be opened, and why.
        """
        queries.messages.create_opened(conn)
        rows: list[tuple[bytes, ...]] = []
        locked: list[tuple[str, BalansityError]] = []
        for row in queries.broker.lock_messages(conn, ids=list(ids)):
            try:
                said = fitting(self._opened(row.message))
            except (InvalidMessage, KeyMissing) as error:
                locked.append((row.message_id, error))
            else:
                rows.append((UUID(row.message_id).bytes, binary.JSONB + json.dumps(said).encode()))
        with conn.cursor() as cursor:
            cursor.copy_expert("COPY pg_temp.opened FROM STDIN (FORMAT binary)", BytesIO(binary.rows(rows)))
        return locked

    def opened(self, conn: Connection, message_id: str) -> Any:
        """What a message says, for a person: whoever shows it keeps first that it is shown.

        Raises:
            InvalidMessage: no such message is kept, or it was changed since it was sealed.
            KeyMissing: its key is not here.
        """
        if (text := queries.messages.show(conn, id=message_id)) is None:
            raise InvalidMessage(f"No message {message_id} is kept.")
        return self._opened(text)

    def _opened(self, message: str) -> Any:
        """A message as it was; its text where Python cannot read it."""
        try:
            return self.repertoire.seal.opened(json.loads(message))
        except (AttributeError, RecursionError, TypeError, ValueError):
            return message


def kind_of(error: str) -> str:
    """What kind of error it is: of a traceback the last line says it, and that line's words may quote somebody."""
    return class_of(error) or "An error whose words are encrypted"


def class_of(error: str) -> str | None:
    """The class of an error, which stands before its words; None where it has none."""
    after = error[error.rfind('\n  File "') + 1 :].splitlines()
    said = next((line for line in after if line.strip() and not line.startswith(" ")), "")
    found = KIND.match(said)
    return found[1] if found else None
