"""How a person is forgotten: place by place in batches, what tells of them last, so that it may be begun again."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from broker import broker
from db import queries
from db.batches import Batches, Done, Page, Skipped, Work, hexadecimal, pages, work_through
from db.connection import Connection
from db.database import transaction
from errors import BalansityError
from gateways import report_storage
from gateways.mail import outbox

SPEAKS_OF = "balansity.message_speaks_of"  # the function that knows whether a message is about somebody
KEPT_ACTORS = ["process_payment"]  # whose waiting messages move money
PLACES = (
    "reports",
    "report files without a report",
    "mail files in the outbox folder",
    "messages of pgmq, archived ones too",
    "messages of the broker",
    "links in analytics events",
    "addresses in the list of suppressed ones",
    "addresses in the mail ledger",
    "doubts about mails before a restore",
    "reasons of decisions about payments",
    "notes about deleted appointments and payments",
)


class Forgetting:
    """Removes what is held about one person.

    Reports and the ledger's mails that name the person lead to their other ids and addresses: they go last. Whatever
    ends it before, the next call finds everything that is left.
    """

    def __init__(self, user_id: UUID, told: Callable[[int], None]) -> None:
        self.user_id = str(user_id)
        self.told = told
        self.done = Done()
        self.kept: set[tuple[str, str]] = set()  # messages that remain
        self.locked: dict[
            str, str
        ] = {}  # messages of which nobody here can say whether they speak of the person, and why
        with transaction() as conn:
            self.ids = [row.id for row in queries.people.ids(conn, user_id=self.user_id)]
            self.signs: str = queries.people.signs(conn, user_id=self.user_id)

    def run(self) -> tuple[Done, int]:
        """How much was removed from which of PLACES, what could not be, and how many messages remain."""
        self._forget_pgmq()
        self._forget_messages()
        self._tell_locked()
        self._forget("event", queries.analytics.kept, self._events, hexadecimal)
        self._forget("suppressed address", queries.people.suppressions, self._suppressions, lambda _: "(not shown)")
        self._forget("doubt", queries.people.doubtful_mails, self._doubts)
        named, others = self._deliveries()
        self.done.counts["mail files in the outbox folder"] += outbox.remove([row.key for row in (*named, *others)])
        self.done.add(report_storage.remove_of_user(self.user_id))
        self.done.add(report_storage.remove_folders(self.ids))
        ledger = Batches(transaction, "delivery", _ledger, told=self.told)
        ledger.take(others)
        ledger.take(named)
        self.done.add(ledger.done)
        with transaction() as conn:
            ids = [*self.ids, *(row.key for row in (*named, *others))]
            reasons = queries.people.forget_reasons(conn, user_id=self.user_id, ids=ids, person=self.signs)
        self.done.counts["reasons of decisions about payments"] += reasons
        self._forget("note", queries.people.noted, _notes)
        return self.done, len(self.kept)

    def _forget(self, kind: str, page: Page, work: Work, named: Callable[[Any], str] = str) -> None:
        self.done.add(work_through(transaction, kind, page, work, named=named, told=self.told))

    def _forget_pgmq(self) -> None:
        with transaction() as conn:
            tables = list(queries.messages.routed_tables(conn))
        for table, actor in tables:
            page = partial(queries.messages.pgmq_messages, table=table)
            self._forget(f"message of {table}", page, partial(self._pgmq, table, actor in KEPT_ACTORS))

    def _pgmq(self, table: str, keep: bool, conn: Connection, keys: list[int]) -> dict[str, int]:
        found = queries.messages.forget_pgmq(
            conn, keys=keys, table=table, speaks_of=SPEAKS_OF, subject=self.signs, keep=keep
        )
        self.kept |= {(table, str(key)) for key in found.kept}
        return {"messages of pgmq, archived ones too": found.removed}

    def _forget_messages(self) -> None:
        """Look through the broker's messages, and again at those that came or changed while one was found.

        A message that one of theirs sends meanwhile may stand where the look has been already.
        """
        since = None
        while True:
            with transaction() as conn:
                before = queries.messages.moment_before(conn)
            messages = Batches(transaction, "message", self._messages, told=self.told)
            for page in pages(transaction, partial(queries.messages.messages, since=since)):
                messages.take(row for row in page if row.is_new)
            self.done.add(messages.done)
            if not messages.done.counts:
                return
            since = before

    def _messages(self, conn: Connection, keys: list[str]) -> dict[str, int]:
        self.locked |= {message_id: str(error) for message_id, error in broker.vault.lay_out(conn, keys)}
        found = queries.messages.forget(
            conn, keys=keys, speaks_of=SPEAKS_OF, subject=self.signs, kept_actors=KEPT_ACTORS
        )
        self.kept |= {("the broker", key) for key in found.kept}
        return {"messages of the broker": found.removed}

    def _tell_locked(self) -> None:
        """Name one of those that are locked alike, for a key that is lost locks all of its messages."""
        alike: dict[str, list[str]] = {}
        for message_id, why in sorted(self.locked.items()):
            alike.setdefault(why, []).append(message_id)
        for why, (first, *others) in alike.items():
            name = f"message {first}" + (f" and {len(others)} others" if others else "")
            self.done.skipped.append(Skipped(name, BalansityError(why)))

    def _events(self, conn: Connection, keys: list[bytes]) -> dict[str, int]:
        return {"links in analytics events": queries.people.forget_events(conn, keys=keys, person=self.signs)}

    def _suppressions(self, conn: Connection, keys: list[str]) -> dict[str, int]:
        count = queries.people.forget_suppressions(conn, keys=keys, person=self.signs)
        return {"addresses in the list of suppressed ones": count}

    def _doubts(self, conn: Connection, keys: list[str]) -> dict[str, int]:
        count = queries.people.forget_doubtful_mails(conn, keys=keys, person=self.signs)
        return {"doubts about mails before a restore": count}

    def _deliveries(self) -> tuple[list[Any], list[Any]]:
        """The mails that name the person, and others to their addresses."""
        found: dict[str, Any] = {}

        def look(conn: Connection, keys: list[str]) -> dict[str, int]:
            found.update((row.key, row) for row in queries.people.deliveries_to(conn, keys=keys, person=self.signs))
            return {}

        self._forget("delivery", queries.people.all_deliveries, look)
        return [row for row in found.values() if row.is_named], [row for row in found.values() if not row.is_named]


def _ledger(conn: Connection, keys: list[str]) -> dict[str, int]:
    return {"addresses in the mail ledger": queries.people.forget_deliveries(conn, keys=keys)}


def _notes(conn: Connection, keys: list[str]) -> dict[str, int]:
    return {"notes about deleted appointments and payments": queries.people.forget_deleted(conn, keys=keys)}
