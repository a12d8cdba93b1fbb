-- Who holds what others wait for.

-- name: holders(pid)
-- Whom a waiting session waits for. The text of their queries is none of anybody's business: it holds people's data. Of
-- other roles' sessions, a role without pg_read_all_stats sees no age.
SELECT coalesce(waiting.relation::regclass::text, 'the end of a transaction') AS target,
       holder AS pid,
       activity.application_name AS application,
       coalesce(activity.usename, 'unknown') AS role,
       extract(epoch FROM clock_timestamp() - activity.xact_start) AS seconds
FROM pg_locks waiting
CROSS JOIN LATERAL unnest(pg_blocking_pids(waiting.pid)) AS holder
LEFT JOIN pg_stat_activity activity ON activity.pid = holder
WHERE waiting.pid = :pid AND NOT waiting.granted
ORDER BY activity.xact_start;

-- name: holders_of(key)
-- Who holds an advisory lock of ours, and whether such a role could migrate: anybody who may log in can take it.
SELECT l.pid, activity.application_name AS application, coalesce(activity.usename, 'unknown') AS role,
       extract(epoch FROM clock_timestamp() - activity.xact_start) AS seconds,
       coalesce(pg_has_role(activity.usesysid, coalesce(ours.nspowner, d.datdba), 'MEMBER'), true) AS may_migrate
FROM pg_locks l
JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
LEFT JOIN pg_namespace ours ON ours.nspname = 'dramatiq'
LEFT JOIN pg_stat_activity activity ON activity.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND (l.classid::bigint << 32 | l.objid::bigint) = :key
ORDER BY l.pid;

-- name: limit_wait(ms)!
-- Wait no longer than so many milliseconds for a lock, in this transaction: others queue behind who waits.
SET LOCAL lock_timeout = :ms;
