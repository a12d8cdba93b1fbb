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

-- name: limit_wait(ms)!
-- Wait no longer than so many milliseconds for a lock, in this transaction: others queue behind who waits.
SET LOCAL lock_timeout = :ms;
