"""Who may do what in the database: visitors nothing, under any default privileges; who used a queue goes on."""

import pytest
from psycopg2.errors import InsufficientPrivilege

from tests.clinic import Clinic, take_over
from tests.live.database import LOOSE, LiveDatabase
from tests.live.database import live_database as live_databases

VISITORS_MAY = """
    SELECT format('%%s: %%s', visitor, object) FROM unnest(ARRAY['anon', 'authenticated']) AS visitor, LATERAL (
        SELECT oid::regprocedure::text FROM pg_proc
        WHERE (pronamespace IN ('dramatiq'::regnamespace, 'balansity'::regnamespace)
               OR pronamespace = 'public'::regnamespace
                  AND proname ~ '^(queue_(email|rep|pay)|pgmq_|handle_(checkup|new_app|payment|appointment))')
          AND has_function_privilege(visitor, oid, 'EXECUTE')
        UNION ALL
        SELECT oid::regclass::text FROM pg_class
        WHERE (relnamespace IN ('dramatiq'::regnamespace, 'balansity'::regnamespace)
               OR relnamespace = 'pgmq'::regnamespace
                  AND relname ~ '^([qa]_)?(email|report_generation|payment_processing|analytics)_queue(_msg_id_seq)?$')
          AND CASE relkind
              WHEN 'S' THEN has_sequence_privilege(visitor, oid, 'USAGE, SELECT, UPDATE')
              WHEN 'i' THEN false
              ELSE has_table_privilege(visitor, oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER')
              END
        UNION ALL
        SELECT oid::regtype::text FROM pg_type
        WHERE typnamespace IN ('dramatiq'::regnamespace, 'balansity'::regnamespace) AND typtype IN ('d', 'e')
          AND has_type_privilege(visitor, oid, 'USAGE')
        UNION ALL
        SELECT oid::regnamespace::text FROM pg_namespace
        WHERE nspname IN ('dramatiq', 'balansity') AND has_schema_privilege(visitor, oid, 'USAGE, CREATE')
    ) AS may (object)
"""
OWNERS_VIEWS = """
    SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'v' AND (n.nspname IN ('dramatiq', 'balansity', 'cron')
                               OR n.nspname = 'pgmq' AND c.relname IN ('email_queue', 'analytics_queue'))
      AND coalesce(NOT 'security_invoker=true' = ANY (c.reloptions), true)
"""
A_LATER_MIGRATION = """
    CREATE TABLE {0}.later (id bigint GENERATED ALWAYS AS IDENTITY);
    CREATE VIEW {0}.later_view AS SELECT * FROM {0}.later;
    CREATE TYPE {0}.later_kind AS ENUM ('one');
    CREATE FUNCTION {0}.later_function() RETURNS void LANGUAGE sql AS ''
"""


@pytest.mark.parametrize("loose", LOOSE)
def test_visitors_get_nothing_of_ours_now_or_later(server: str, worker_id: str, loose: str) -> None:
    with live_databases(server, f"loose_{loose}_{worker_id}", loose=loose) as live, live.owner() as owner:
        owner.rows("ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO anon, PUBLIC")
        owner.rows("ALTER DEFAULT PRIVILEGES GRANT ALL ON TYPES TO authenticated, PUBLIC")
        owner.rows("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC")
        take_over(live.url)
        assert owner.rows(VISITORS_MAY) == []
        for schema in ("dramatiq", "balansity"):
            owner.rows(A_LATER_MIGRATION.format(schema))
        assert owner.rows(VISITORS_MAY) != []
        take_over(live.url)
        assert owner.rows(VISITORS_MAY) == []
        assert owner.rows(OWNERS_VIEWS) == [] or owner.connection.server_version < 150000
        assert owner.value("SELECT count(*) FROM pg_default_acl") > 0, "they are the site's, and stay"


def test_whoever_used_a_queue_goes_on_except_visitors(live_database: LiveDatabase) -> None:
    with live_database.owner() as owner:
        owner.rows("GRANT USAGE ON SCHEMA pgmq TO anon, authenticated, service_role")
        owner.rows("GRANT ALL ON pgmq.q_email_queue, pgmq.a_email_queue TO PUBLIC")
        owner.rows("GRANT ALL ON pgmq.q_analytics_queue, pgmq.a_analytics_queue TO service_role, authenticated")
        take_over(live_database.url)
        deletes = "SELECT has_table_privilege('balansity_web', 'pgmq.q_email_queue', 'DELETE')"
        assert not owner.value(deletes), "what everybody had, roles of ours do not keep"
        for queue in ("email_queue", "analytics_queue"):
            assert use(owner, "service_role", queue)
            for visitor in ("anon", "authenticated"):
                with pytest.raises(InsufficientPrivilege):
                    use(owner, visitor, queue)


def use(owner: Clinic, role: str, queue: str) -> bool:
    """Send, read and archive as `role`; whether the message was there."""
    owner.rows(f"SET ROLE {role}")
    try:
        message_id = owner.value("SELECT pgmq.send(%s, %s)", queue, '{"to": "anna@example.com", "priority": 3}')
        seen = [row[0] for row in owner.rows("SELECT msg_id FROM pgmq.read(%s, 30, 1000)", queue)]
        return message_id in seen and bool(owner.value("SELECT pgmq.archive(%s, %s)", queue, message_id))
    finally:
        owner.rows("RESET ROLE")
