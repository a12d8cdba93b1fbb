-- How often workers have looked for all their queues, and exchanged with one; transactions that have committed.
SELECT (SELECT coalesce(sum(calls), 0) FROM pg_stat_user_functions WHERE schemaname = 'dramatiq' AND funcname = 'news')::bigint,
       (SELECT coalesce(sum(calls), 0) FROM pg_stat_user_functions WHERE schemaname = 'dramatiq' AND funcname = 'exchange')::bigint,
       (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database());
