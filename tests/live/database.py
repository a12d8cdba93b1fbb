"""A database of the live kind: Supabase's roles, a site with its own rules and rows, and the system being replaced."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2
from pgmq.install import get_embedded_install_sql

from db.connection import Connection
from tests.clinic import Clinic, take_over
from tests.live.site import Site
from tests.servers.shared_postgres import CLONE, at_database, create_database, drop_database

HERE = Path(__file__).parent
OWNER = "live_owner"  # what Supabase calls postgres, which is the superuser's name on the servers of tests
PASSWORD = "of-a-test"
ROLES = {
    "anon": "NOLOGIN",
    "authenticated": "NOLOGIN",
    "service_role": "NOLOGIN BYPASSRLS",
    OWNER: f"LOGIN PASSWORD '{PASSWORD}' CREATEROLE BYPASSRLS",
}
LOOSE = {"public": "IN SCHEMA public", "pgmq": "IN SCHEMA pgmq", "everywhere": ""}  # kinds of default privileges


@dataclass(frozen=True)
class LiveDatabase:
    """Its address for the owner, who migrates it, and for the superuser, who made it."""

    url: str
    admin_url: str

    @property
    def site(self) -> Site:
        return Site(self.url)

    @contextmanager
    def owner(self) -> Iterator[Clinic]:
        """An autocommit connection of the owner's."""
        with _autocommit(self.url) as conn:
            yield Clinic(conn)

    @contextmanager
    def superuser(self) -> Iterator[Clinic]:
        """An autocommit connection of the superuser's."""
        with _autocommit(self.admin_url) as conn:
            yield Clinic(conn)

    def take_over(self) -> None:
        """Migrate it, and put ours in charge."""
        take_over(self.url)

    def run(self, script: str) -> None:
        """Run one of this folder's SQL files as the owner, for example `touchy_triggers.sql`."""
        with self.owner() as owner:
            owner.rows((HERE / script).read_text(encoding="utf-8").replace("%", "%%"))


@contextmanager
def live_database(
    server: str, name: str, *, loose: str = "public", old_system: bool = True, cron: bool = False
) -> Iterator[LiveDatabase]:
    """A new database of the live kind until the block ends.

    `loose` is where new objects are granted to visitors: `public`, `pgmq` or `everywhere`. Without `old_system` the
    site stands alone. With `cron` (on a server that has pg_cron, whose database is called `name`) the old jobs run.
    """
    name = name if cron else CLONE + name
    drop_database(server, name)
    create_database(server, name)
    admin_url = at_database(server, name)
    live = LiveDatabase(_as_owner(admin_url), admin_url)
    with live.superuser() as superuser:
        # The owner is a member of the others, as Supabase's postgres is.
        superuser.make_for_all(*(f"CREATE ROLE {role} {kind}" for role, kind in ROLES.items()))
        superuser.make_for_all(*(f"GRANT {role} TO {OWNER}" for role in ROLES if role != OWNER))
        superuser.rows(f"ALTER DATABASE {name} OWNER TO {OWNER}")
        superuser.rows((HERE / "platform.sql").read_text(encoding="utf-8"))
        if cron:
            superuser.rows(f"CREATE EXTENSION pg_cron; GRANT USAGE ON SCHEMA cron TO {OWNER}")
            superuser.rows(f"GRANT SELECT ON cron.job, cron.job_run_details TO {OWNER}")
        with live.owner() as owner:
            owner.rows(get_embedded_install_sql().replace("%", "%%"))
            for kind in ("TABLES", "FUNCTIONS", "SEQUENCES"):
                owner.rows(
                    f"ALTER DEFAULT PRIVILEGES {LOOSE[loose]} GRANT ALL ON {kind} TO anon, authenticated, service_role"
                )
        live.run("site.sql")
        superuser.rows(
            "CREATE TRIGGER on_auth_user_created AFTER INSERT ON auth.users "
            "FOR EACH ROW EXECUTE FUNCTION public.handle_new_user()"
        )
    if old_system:
        live.run("old_system.sql")
        live.run("history.sql")
        if cron:
            live.run("old_jobs.sql")
    yield live
    drop_database(server, name)


def _as_owner(url: str) -> str:
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{OWNER}:{PASSWORD}@{place}"))


@contextmanager
def _autocommit(url: str) -> Iterator[Connection]:
    conn = psycopg2.connect(url)
    conn.autocommit = True
    yield conn
    conn.close()
