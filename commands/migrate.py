"""Bring the database to the newest schema, and show or check what that schema is."""

import difflib
import subprocess

import click

import actors
import db.database
import scheduler
import settings
from broker import broker
from commands.output import say
from db import embedded, queries
from db.migrate import migrate as apply_migrations
from db.patience import PATIENCE_SECONDS
from errors import BalansityError
from procfile import SERVE, unserved

SNAPSHOT = settings.ROOT / "db" / "schema.sql"
SNAPSHOT_FOLDER = settings.ROOT / "var" / "schema-postgres"


@click.command()
@click.option(
    "--patience",
    type=click.FloatRange(min=0),
    default=PATIENCE_SECONDS,
    show_default=True,
    help="Seconds after which a lock that somebody holds is asked for no more.",
)
def migrate(*, patience: float) -> None:
    """Apply the migrations that are missing, and make this version's actors and jobs the ones that count.

    Safe to run from several processes at once, and beside a site at work: no lock is waited for longer than half a
    second; who holds it is said, and it is asked for again.
    """
    actors.complete()
    url = db.database.url()
    done = apply_migrations(url, start_options=db.database.start_options(), patience_seconds=patience)
    granted = actors.publish(url, scheduler.publish, patience_seconds=patience)
    told = [f"applied {name}" for name in done.applied] + done.mended + [f"granted: {each}" for each in granted]
    say("\n".join(told) or "The database is up to date.")
    if waiting := unserved(broker.queues):
        say(f"{waiting} {SERVE}")
    with db.database.transaction() as conn:
        if not queries.takeover.in_charge(conn):
            say("An old system is in charge here: ours only waits. `balansity take-over --plan` says what is left.")


@click.command()
@click.option("--check", is_flag=True, help="Fail where db/schema.sql differs from what the migrations make.")
def schema(*, check: bool) -> None:
    """Write db/schema.sql, the whole schema that the migrations make, for people to read."""
    made = _dump()
    if not check:
        SNAPSHOT.write_text(made, encoding="utf-8")
        say(f"wrote {SNAPSHOT.relative_to(settings.ROOT)}")
        return
    stored = SNAPSHOT.read_text(encoding="utf-8") if SNAPSHOT.exists() else ""
    if difference := list(difflib.unified_diff(stored.splitlines(), made.splitlines(), "db/schema.sql", "migrations")):
        raise BalansityError(
            "\n".join([*difference[:60], "db/schema.sql is old: run `balansity schema` and commit it."])
        )
    say("db/schema.sql is what the migrations make.")


def _dump() -> str:
    """The schemas of ours and the service's, from a fresh database of the embedded server."""
    with embedded.running(SNAPSHOT_FOLDER) as server:
        fresh = server.replace("/postgres?", "/schema?")
        conn = db.database.connect(server)
        conn.autocommit = True
        with conn.cursor() as cursor:
            cursor.execute("DROP DATABASE IF EXISTS schema WITH (FORCE)")
            cursor.execute("DROP ROLE IF EXISTS balansity_worker, balansity_web")  # else what they have is not given
            cursor.execute("CREATE DATABASE schema TEMPLATE template0")
        conn.close()
        apply_migrations(fresh)
        wanted = [f"--schema={name}" for name in ("balansity", "cron", "dramatiq", "public")]
        wanted += [f"--exclude-table=*.{name}" for name in ("migration", "migration_digest", "_yoyo_*", "yoyo_lock")]
        wanted.append("--exclude-table=*.*_2[0-9]*")  # of a day
        dumped = subprocess.run(  # noqa: S603 - our own binary with fixed arguments
            [embedded.binaries() / "pg_dump", "--schema-only", "--no-owner", *wanted, fresh],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    return _tidy(dumped)


def _tidy(dumped: str) -> str:
    """A dump without banners, and without what differs between two runs or two servers of the same schema."""
    banner = ("-- Name: ", "-- PostgreSQL database dump", "-- Dumped", "\\restrict", "\\unrestrict")
    unsteady = ("SET ", "SELECT pg_catalog.set_config")
    lines = [line for line in dumped.splitlines() if line != "--" and not line.startswith(banner + unsteady)]
    return "\n".join(line for line, before in zip(lines, ["", *lines], strict=False) if line or before) + "\n"
