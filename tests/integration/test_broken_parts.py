"""Whatever of ours is dropped or renamed, doctor says so, and migrate mends it or says what a person must do."""

import json

import pytest
from click.testing import CliRunner

import cli
from tests.clinic import Clinic

SHARES = 8  # of the long walk, to run beside each other
# Every part of ours that can be dropped or renamed, as statements call it, and its table where they need that.
PARTS = """
    SELECT concat(CASE lower(c.relkind::text) WHEN 'v' THEN 'VIEW' WHEN 'i' THEN 'INDEX' WHEN 's' THEN 'SEQUENCE'
                  ELSE 'TABLE' END, ' ', n.nspname, '.', quote_ident(c.relname)) AS part, NULL::regclass AS its_table
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('balansity', 'dramatiq') AND c.relkind IN ('r', 'p', 'v', 'i', 'I', 'S')
      AND NOT (c.relispartition AND (c.relkind IN ('i', 'I') OR c.relname ~ '_[0-9]{6,8}$')) -- of indexes, days, months
      AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = c.oid)
    UNION ALL
    SELECT 'ROUTINE ' || p.oid::regprocedure, NULL
    FROM pg_proc p WHERE p.pronamespace IN ('balansity'::regnamespace, 'dramatiq'::regnamespace)
    UNION ALL
    SELECT 'TYPE ' || t.oid::regtype, NULL
    FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE t.typnamespace IN ('balansity'::regnamespace, 'dramatiq'::regnamespace)
      AND (t.typtype = 'e' OR t.typtype = 'c' AND c.relkind = 'c')
    UNION ALL
    SELECT 'TRIGGER ' || quote_ident(t.tgname), t.tgrelid
    FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE p.pronamespace IN ('balansity'::regnamespace, 'dramatiq'::regnamespace)
      AND NOT t.tgisinternal AND t.tgparentid = 0
    UNION ALL
    SELECT 'CONSTRAINT ' || quote_ident(k.conname), k.conrelid
    FROM pg_constraint k
    WHERE k.connamespace IN ('balansity'::regnamespace, 'dramatiq'::regnamespace) AND k.conrelid <> 0
      AND k.contype <> 'n' AND k.coninhcount = 0 -- a day's and a month's go and come with their table's
"""

# What the comparison, the mending, or what migrate does before and after them stands on.
SAMPLE = (
    "DROP FUNCTION balansity.in_charge()",
    "DROP FUNCTION dramatiq.furnish_queue(text)",
    "DROP FUNCTION balansity.grant_rights()",
    "DROP VIEW balansity.site_event CASCADE",
    "ALTER VIEW balansity.site_event RENAME COLUMN handler TO called",
    "ALTER VIEW balansity.site_function RENAME TO moved_away",
    "DROP TABLE dramatiq.actor CASCADE",
    "ALTER TABLE dramatiq.actor RENAME pgmq_queue TO moved_away",
    "ALTER TABLE dramatiq.queue RENAME TO moved_away",
    "DROP TABLE dramatiq.queue CASCADE",
    "DROP TABLE dramatiq.done_other",
    "DROP SEQUENCE dramatiq.queue_position_seq CASCADE",
    "ALTER FUNCTION dramatiq.close(text, text[], text[]) RENAME TO moved_away",
    "DROP TYPE dramatiq.state CASCADE",
    "DROP TYPE balansity.mail_entry CASCADE",
    "ALTER TABLE balansity.delivery RENAME CONSTRAINT delivery_pkey TO moved_away",
    "ALTER INDEX dramatiq.queue_due RENAME TO moved_away",
    "ALTER TRIGGER on_new_appointment ON public.appointments RENAME TO moved_away",
    "ALTER TABLE balansity._yoyo_version RENAME TO moved_away",
    "ALTER TABLE balansity.migration_digest RENAME TO moved_away",
)
BEYOND_MENDING = {
    "DROP TABLE balansity.migration": "table balansity.migration is missing: as role postgres, restore it",
    "DROP TABLE dramatiq.migration_digest": "table dramatiq.migration_digest is missing: as role postgres, restore it",
    "DROP TABLE dramatiq._yoyo_version": "table dramatiq._yoyo_version is missing: as role postgres, restore it",
}


def told(*command: str) -> str:
    """What a command prints; it ends by itself, whatever is broken."""
    done = CliRunner().invoke(cli.main, command)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.output


def bad() -> list[str]:
    """What doctor finds bad of the database itself; no process of ours lives here."""
    found = [each for each in json.loads(told("doctor", "--json")) if each["verdict"] == "bad"]
    return [f"{each['what']} {each['remedy']}" for each in found if "worker process" not in each["what"]]


@pytest.fixture
def parts(clinic: Clinic) -> list[tuple[str, str | None]]:
    """Every part of ours in a database of this version."""
    told("migrate")
    assert bad() == []
    return present(clinic)


def present(clinic: Clinic) -> list[tuple[str, str | None]]:
    return sorted(clinic.rows(PARTS), key=str)


def ends_mended(clinic: Clinic, parts: list[tuple[str, str | None]], breakage: str) -> None:
    clinic.rows(breakage)
    assert any("Not as it should be" in each and "mends this" in each for each in bad()), breakage
    assert "mended " in told("migrate"), breakage
    assert bad() == [], breakage
    assert present(clinic) == parts, breakage


def test_what_the_comparison_and_the_mending_stand_on_is_mended(
    clinic: Clinic, parts: list[tuple[str, str | None]]
) -> None:
    for breakage in SAMPLE:
        ends_mended(clinic, parts, breakage)
    assert told("migrate") == "The database is up to date.\n"


@pytest.mark.parametrize("breakage", BEYOND_MENDING)
def test_what_only_a_backup_has_is_named_and_all_else_is_mended(
    clinic: Clinic, parts: list[tuple[str, str | None]], breakage: str
) -> None:
    clinic.rows(breakage)
    clinic.rows("DROP FUNCTION balansity.settle_payment")
    found = " ".join(bad())
    assert breakage.removeprefix("DROP TABLE ") in found
    assert "restore" in found.lower()
    assert BEYOND_MENDING[breakage] in told("migrate")
    assert clinic.rows("SELECT to_regproc('balansity.settle_payment') IS NULL") == [(False,)]
    assert BEYOND_MENDING[breakage] in told("migrate")  # and no migration was applied again


@pytest.mark.parametrize(
    "breakage", ["DROP TABLE balansity.intended", "ALTER TABLE balansity.intended RENAME definition TO moved_away"]
)
def test_a_lost_note_is_said_and_made_anew(clinic: Clinic, parts: list[tuple[str, str | None]], breakage: str) -> None:
    clinic.rows(breakage)
    assert any("balansity.intended, is lost" in each for each in bad())
    assert "balansity.intended was lost" in told("migrate")
    assert bad() == []
    assert present(clinic) == parts
    ends_mended(clinic, parts, "DROP FUNCTION balansity.settle_payment")


def test_a_column_whose_values_nobody_knows_is_left_to_a_person(
    clinic: Clinic, parts: list[tuple[str, str | None]]
) -> None:
    ends_mended(clinic, parts, "ALTER TABLE balansity.suppression DROP address CASCADE")  # an empty table
    ends_mended(clinic, parts, "ALTER TABLE balansity.job DROP paused CASCADE")  # its default is known
    ends_mended(clinic, parts, "ALTER TABLE balansity.job RENAME schedule TO moved_away")  # and nothing is lost
    clinic.rows("ALTER TABLE balansity.job DROP schedule CASCADE; DROP FUNCTION balansity.settle_payment")
    addition = "ALTER TABLE balansity.job ADD COLUMN schedule text"
    assert any(f"{addition}, fill schedule in every row" in each for each in bad())
    said = told("migrate")
    assert "column balansity.job.schedule is missing: as role postgres, its values are in no place but a backup" in said
    assert f"{addition}, fill schedule in every row" in said
    assert clinic.rows("SELECT to_regproc('balansity.settle_payment') IS NULL") == [(False,)]
    clinic.rows(addition)
    assert "contains null values" in told("migrate")
    clinic.rows("UPDATE balansity.job SET schedule = '0 3 * * *'")
    assert "mended column balansity.job.schedule, which was another" in told("migrate")
    assert bad() == []
    assert present(clinic) == parts


def breakages(clinic: Clinic) -> list[str]:
    """Each part of ours dropped, and each under another name."""
    statements = []
    for part, table in clinic.rows(PARTS):
        match part.split(" ")[0]:
            case "CONSTRAINT":
                statements += [
                    f"ALTER TABLE {table} DROP {part} CASCADE",
                    f"ALTER TABLE {table} RENAME {part} TO moved_away",
                ]
            case "TRIGGER":
                statements += [f"DROP {part} ON {table}", f"ALTER {part} ON {table} RENAME TO moved_away"]
            case "SEQUENCE":
                statements += [f"ALTER {part} RENAME TO moved_away"]
            case _:
                statements += [f"DROP {part} CASCADE", f"ALTER {part} RENAME TO moved_away"]
    kept = [*BEYOND_MENDING, "balansity.intended ", "._yoyo_log", "._yoyo_version", ".migration ", ".migration_digest "]
    return [each for each in statements if not any(name in f"{each} " for name in kept)]


@pytest.mark.heavy
@pytest.mark.parametrize("share", range(SHARES))
def test_every_part_that_is_dropped_or_renamed_is_mended(
    clinic: Clinic, parts: list[tuple[str, str | None]], share: int
) -> None:
    for breakage in breakages(clinic)[share::SHARES]:
        ends_mended(clinic, parts, breakage)
