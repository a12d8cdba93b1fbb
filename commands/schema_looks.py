"""Doctor's looks at the schema: whether it is as the last migrate left it, and who may use it."""

from collections.abc import Iterator

from checks.finding import Finding
from db import comparison, queries
from db.connection import Connection
from db.session import STATEMENT_SECONDS


def right_role(conn: Connection) -> str:
    """Which role may do what this one may not: on Supabase postgres, where it is self-hosted perhaps supabase_admin."""
    return f"Connect as role {queries.intended.owner(conn)}, who owns ours, or let it grant this role what is named."


def differences(conn: Connection) -> Iterator[Finding]:
    """What is not as the last migrate left it; of what a superuser owns, one line for all."""
    if comparison.is_lost(conn):
        what = "The note of what should be here, balansity.intended, is lost: what differs is not known."
        remedy = "Restore that table from a backup; else `balansity migrate` notes what is here now as what should be."
        yield Finding("bad", what, remedy)
        return
    if not comparison.is_noted(conn):
        what = "What should be here was noted on another version of PostgreSQL: what differs is not known."
        yield Finding("note", what, "Run `balansity migrate`.")
        return
    found = comparison.differences(conn)
    owned = [each for each in found if each.kind == "owner"]
    if not found:
        yield Finding("good", "Triggers, functions, rights, queues and views are as the last migrate left them.")
    if owned:
        what = f"Not as it should be: {owned[0].name} {owned[0].problem}, and so do {len(owned) - 1} more"
        yield Finding(
            "bad", what, "Run `balansity migrate` as a superuser: it gives them to the owner of the site's tables."
        )
    for each in found:
        if each.kind != "owner":
            mends = f"Run `balansity migrate` as role {each.able}: it mends this."
            by_hand = f"As role {each.able}, {each.by_hand}."
            yield Finding("bad", f"Not as it should be: {each}", by_hand if each.by_hand else mends)


def rights(conn: Connection) -> Finding:
    missing = queries.doctor.missing_rights(conn)
    if missing:
        owner = queries.intended.sites_owner(conn)
        return Finding(
            "bad", f"This role lacks: {missing}", f"Grant it, or connect as the owner of the tables: {owner}."
        )
    if queries.doctor.row_security_hides(conn):
        return Finding("bad", "Row-level security hides rows from this role.", "Use a role with BYPASSRLS.")
    return Finding("good", "This role may do all it must.")


def roles(conn: Connection) -> Finding:
    if missing := queries.roles.missing_grants(conn):
        what = "The roles balansity_worker and balansity_web lack rights that a login of theirs needs."
        return Finding("note", what, f"As the owner of what they name, or a superuser: {missing}")
    return Finding("good", "The roles balansity_worker and balansity_web have what their logins need.")


def statement_limit(conn: Connection) -> Finding:
    if role := queries.doctor.unlimited_role(conn):
        return Finding(
            "bad",
            "Statements may wait for ever: a pooler takes no time limit from us.",
            f"As its owner: ALTER ROLE {role} SET statement_timeout = '{STATEMENT_SECONDS}s'.",
        )
    return Finding("good", "Statements have a time limit.")
