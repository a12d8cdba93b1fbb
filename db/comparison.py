"""Compares a database with what the last migrate left there; asks nothing of ours but its note: all may be broken."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg2 import sql

from db import queries
from db.connection import Connection

NOTE = ("balansity.intended", ["kind", "name", "definition", "place"])
ROUTES = ("dramatiq.actor", ["name", "pgmq_queue"])
SWITCH = {"SELECT true": True, "SELECT false": False}  # what balansity.in_charge may say
VISITORS = (" to PUBLIC", " to anon", " to authenticated")
STAFF = "EXECUTE on ROUTINE public.update_appointment_statuses() to authenticated"  # as balansity.close_site_functions
LISTS = (".migration", ".migration_digest", "._yoyo_log", "._yoyo_version")  # of what is applied: empty, they would lie
FROM_BACKUP = "restore it from a backup, for it lists what migrations are applied, and run `balansity migrate` again"
# In which parts can be made; of what one needs that comes later, the next round finds it.
ORDER = (
    *(
        "owner",
        "schema",
        "value type",
        "counter",
        "table",
        "column",
        "type",
        "sequence",
        "function",
        "constraint",
        "queue",
    ),
    *("view", "index", "trigger", "grant"),
)


@dataclass(frozen=True)
class Difference:
    """What is not as it should be, and the statement that mends it; or what a person must do, where none can."""

    kind: str
    name: str
    problem: str
    remedy: str
    able: str | None = None  # the role that may; None: a superuser
    by_hand: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {self.problem}"


@dataclass(frozen=True)
class Note:
    """What should be, and under which circumstances it was noted: another server words definitions otherwise."""

    parts: list[Any]
    circumstances: str

    def names(self, kind: str) -> list[str]:
        return [each.name for each in self.parts if each.kind == kind]


def is_lost(conn: Connection) -> bool:
    """Whether nobody can tell what should be here."""
    return not queries.intended.is_whole(conn, table=NOTE[0], columns=NOTE[1])


def is_noted(conn: Connection) -> bool:
    """Whether what should be was noted under the circumstances of now."""
    if is_lost(conn):
        return False
    note = _note(conn)
    return note.circumstances == _circumstances(conn, in_charge=_in_charge(conn, note))


def note_places(conn: Connection) -> None:
    """Where the parts stand now: what was made again, or restored, has another place than when it was noted."""
    note = _note(conn)
    noted = {(each.kind, each.name): each.place for each in note.parts}
    moved = [
        each
        for each in _present(conn, note, in_charge=_in_charge(conn, note))
        if each.place != noted.get((each.kind, each.name), each.place)
    ]
    if moved:
        kinds, names, places = ([getattr(each, field) for each in moved] for field in ("kind", "name", "place"))
        queries.intended.note_places(conn, kinds=kinds, names=names, places=places)


def should_be(conn: Connection, table: str) -> bool:
    """Whether a table of ours is noted, be it there or not."""
    return not is_lost(conn) and table in _note(conn).names("table")


def note_intended(conn: Connection) -> None:
    """What is there now is what should be: to be called where ours has changed it, in the transaction that does.

    A function that the switch names decides what in public is ours, so the note tells who was in charge.
    """
    in_charge = SWITCH.get(queries.intended.switch(conn), False)
    parts = {
        (each.kind, each.name): each for each in _present(conn, Note([], ""), in_charge=in_charge) if _is_meant(each)
    }
    rows = [(kind, name, each.definition, each.place) for (kind, name), each in parts.items()]
    rows.append(("circumstances", "", _circumstances(conn, in_charge=in_charge), None))
    kinds, names, definitions, places = (list(column) for column in zip(*rows, strict=True))
    queries.intended.clear_noted(conn)
    queries.intended.note(conn, kinds=kinds, names=names, definitions=definitions, places=places)


def differences(conn: Connection) -> list[Difference]:
    """What is not as the last migrate left it, in an order in which it can be mended; nothing where nothing was noted.

    Rights that others than the site's visitors were given stay: somebody meant them.
    """
    if not is_noted(conn):
        return []
    note = _note(conn)
    present = _present(conn, note, in_charge=_in_charge(conn, note))
    owner = queries.intended.owner(conn)
    owners = {each.name: each.owner for each in queries.intended.table_owners(conn)}
    found = [*_missing(conn, note.parts, present), *_other(note.parts, present), *_strange(note.parts, present)]
    return sorted(
        (_by_whom(each, owner, owners) for each in found),
        key=lambda each: (not each.problem.startswith("is called"), ORDER.index(each.kind), each.name),
    )


def _note(conn: Connection) -> Note:
    noted = list(queries.intended.noted(conn))
    said = [each.definition for each in noted if each.kind == "circumstances"]
    return Note([each for each in noted if each.kind != "circumstances"], said[0] if said else "")


def _circumstances(conn: Connection, *, in_charge: bool) -> str:
    return f"PostgreSQL {conn.server_version // 10000}, {'ours' if in_charge else 'an old system'} in charge"


def _in_charge(conn: Connection, note: Note) -> bool:
    """Who is in charge; where the switch itself is broken, who was when what should be was noted."""
    return SWITCH.get(queries.intended.switch(conn), note.circumstances.endswith("ours in charge"))


def _present(conn: Connection, note: Note, *, in_charge: bool) -> list[Any]:
    handlers = [
        name.removeprefix("public.").split("(")[0] for name in note.names("function") if name.startswith("public.")
    ]
    routed = (
        [each.pgmq_queue for each in queries.broker.routed_queues(conn)]
        if queries.intended.is_whole(conn, table=ROUTES[0], columns=ROUTES[1])
        else []
    )
    return list(
        queries.intended.present(conn, in_charge=in_charge, handlers=handlers, queues=[*note.names("queue"), *routed])
    )


def _is_meant(part: Any) -> bool:
    return part.kind != "owner" and not _is_visitors(part)


def _is_visitors(part: Any) -> bool:
    """Whether it is a right that the site's visitors should not have."""
    return bool(part.kind == "grant" and part.name.endswith(VISITORS) and part.name != STAFF)


def _missing(conn: Connection, noted: Sequence[Any], present: Sequence[Any]) -> Iterator[Difference]:
    names = {(each.kind, each.name) for each in present}
    places = {(each.kind, each.place): each.name for each in present if each.place}
    wanted = {(each.kind, each.name) for each in noted}
    roles = {each.name for each in queries.roles.names(conn)}
    lost = {each.name for each in noted if each.kind == "table" and each.name.endswith(LISTS)} - {
        *(name for kind, name in names if kind == "table")
    }
    for each in noted:
        if (each.kind, each.name) in names or each.kind == "type":  # which comes with its column
            continue
        now = places.get((each.kind, each.place))
        if now and (each.kind, now) not in wanted:
            if rename := _renaming(each.kind, now, each.name):
                yield Difference(each.kind, each.name, f"is called {now}", rename)
            continue  # it comes back with what it belongs to, which has another name
        if each.kind == "sequence" or (each.kind == "grant" and each.name.rsplit(" to ", 1)[1] not in roles):
            continue  # it comes with its column, and without a role there is nobody to grant to
        if each.name.rpartition(".")[0] not in lost and each.name.partition(" on ")[2].partition(" to ")[0] not in lost:
            by_hand = FROM_BACKUP if each.name in lost else _lost_values(conn, each, names)
            yield Difference(each.kind, each.name, "is missing", each.definition, by_hand=by_hand)


def _lost_values(conn: Connection, part: Any, present: set[tuple[str, str]]) -> str:
    """What a person must do about a column that may not be empty and whose values nothing here knows."""
    table, column = part.name.rsplit(".", 1) if part.kind == "column" else ("", "")
    if (
        ("table", table) not in present
        or " SET NOT NULL" not in part.definition
        or " DEFAULT " in part.definition.split(";")[0]
    ):
        return ""
    with conn.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(*table.split("."))))
        if cursor.fetchone() == (False,):
            return ""
    addition = part.definition.split(";")[0].replace(" IF NOT EXISTS", "")
    return (
        f"its values are in no place but a backup: {addition}, fill {column} in every row (or delete the rows "
        "that have none), and run `balansity migrate` again"
    )


def _other(noted: Sequence[Any], present: Sequence[Any]) -> Iterator[Difference]:
    there = {(each.kind, each.name): each for each in present}
    for each in noted:
        now = there.get((each.kind, each.name))
        if now is None or now.definition == each.definition:
            continue
        disabled = now.definition == each.definition + "; -- disabled"
        by_hand = "" if now.removal or each.kind != "value type" else f"it should be made by: {each.definition}"
        yield Difference(
            each.kind, each.name, "is disabled" if disabled else "is another", _replacement(each, now), by_hand=by_hand
        )


def _replacement(part: Any, now: Any) -> str:
    head = "\n LANGUAGE"
    anew = part.kind in {"index", "constraint", "value type"} or (
        part.kind == "function"  # with another result or parameters it cannot be replaced
        and now.definition.split(head)[0] != part.definition.split(head)[0]
    )
    if part.kind == "view":  # which of another's columns is made anew, where nothing depends on it
        made = part.definition.rstrip("; \n")
        return f"DO $mend$ BEGIN {made}; EXCEPTION WHEN invalid_table_definition THEN {now.removal}; {made}; END $mend$"
    return f"{now.removal}; {part.definition}" if anew else str(part.definition)


def _strange(noted: Sequence[Any], present: Sequence[Any]) -> Iterator[Difference]:
    """What is there, should not be and does something: a visitor's right, a trigger, a namesake in public."""
    wanted = {(each.kind, each.name) for each in noted}
    places = defaultdict(set)
    for each in noted:
        places[each.kind].add(each.place)
    for each in present:
        if each.kind == "owner":
            yield Difference("owner", each.name, f"belongs to the superuser {each.definition}", each.removal)
        elif (each.kind, each.name) not in wanted and (
            _is_visitors(each)
            or (each.kind == "function" and each.name.startswith("public.") and each.place not in places["function"])
            # Doorbells come with each route.
            or (each.kind == "trigger" and " on pgmq." not in each.name and each.place not in places["trigger"])
        ):
            yield Difference(each.kind, each.name, "is not ours", each.removal)


def _by_whom(found: Difference, owner: str, owners: dict[str, str]) -> Difference:
    """With the role that may; a function that is made anew would be everybody's."""
    able = {"owner": None, "trigger": owners.get(found.name.rsplit(" on ", 1)[-1], owner)}.get(found.kind, owner)
    remedy = found.remedy
    if found.kind == "function" and found.problem in {"is missing", "is another"}:
        remedy += f"; REVOKE ALL ON ROUTINE {found.name} FROM PUBLIC"
    return Difference(found.kind, found.name, found.problem, remedy, able, found.by_hand)


def _renaming(kind: str, now: str, wanted: str) -> str:
    """The statement that gives a part its name back; none where only what it belongs to has another name."""
    (place, own, rest), (wanted_place, wanted_own, wanted_rest) = _address(kind, now), _address(kind, wanted)
    if (place, rest) != (wanted_place, wanted_rest) or own == wanted_own:
        return ""
    match kind:
        case "column":
            return f"ALTER TABLE {place} RENAME COLUMN {own} TO {wanted_own}"
        case "constraint":
            return f"ALTER TABLE {place} RENAME CONSTRAINT {own} TO {wanted_own}"
        case "trigger":
            return f"ALTER TRIGGER {own} ON {place} RENAME TO {wanted_own}"
        case "schema":
            return f"ALTER SCHEMA {own} RENAME TO {wanted_own}"
        case _:
            sort = {"function": "ROUTINE", "value type": "TYPE", "counter": "SEQUENCE"}.get(kind, kind.upper())
            return f"ALTER {sort} {now} RENAME TO {wanted_own}"


def _address(kind: str, name: str) -> tuple[str, str, str]:
    """Where a part stands, its own name, and its arguments."""
    if kind in {"constraint", "trigger"}:
        own, place = name.split(" on ", 1)
        return place, own, ""
    head, bracket, arguments = name.partition("(")
    place, _, own = head.rpartition(".")
    return place, own, bracket + arguments
