"""What migrate does last waits for others as briefly as all that comes before it; roles are the whole cluster's."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg2
import pytest

import actors
import scheduler
from db import queries
from db.connection import connect
from db.migrate import migrate
from errors import DatabaseError
from tests.servers import own_postgres
from tests.servers.shared_postgres import at_database, create_database
from tests.waiting import until


def test_publishing_waits_briefly_for_a_lock_and_says_for_whose(
    environment: pytest.MonkeyPatch, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(psycopg2.connect(database, application_name="long report")) as holder, holder.cursor() as cursor:
        cursor.execute("LOCK TABLE dramatiq.actor")
        with caplog.at_level("INFO"), ThreadPoolExecutor(1) as thread:
            publication = thread.submit(actors.publish, database, scheduler.publish)
            until(lambda: "migration_waits" in caplog.text, "publish says that it waits")
            holder.rollback()
            publication.result()
        cursor.execute("LOCK TABLE dramatiq.actor")
        with pytest.raises(DatabaseError, match=r"in vain for dramatiq.actor, held by process .*long report"):
            actors.publish(database, scheduler.publish, patience_seconds=0.1)


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_two_databases_of_one_cluster_make_its_roles_at_one_moment(end: str) -> None:
    """A third has made a role and not committed: both wait, then use it, or one of them makes it."""
    with own_postgres.running() as server:
        addresses = [at_database(server.url, name) for name in ("first", "second")]
        for name in ("first", "second"):
            create_database(server.url, name)
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted"
        with (
            closing(psycopg2.connect(server.url)) as third,
            third.cursor() as cursor,
            ThreadPoolExecutor(2) as threads,
        ):
            cursor.execute("CREATE ROLE balansity_worker NOLOGIN")
            migrations = [threads.submit(migrate, address) for address in addresses]
            until(lambda: server.query(waiting) == [(2,)], "both wait for the role")
            getattr(third, end)()
            for migration in migrations:
                migration.result()
        for address in addresses:
            with closing(connect(address)) as conn:
                assert queries.roles.missing_grants(conn) is None
