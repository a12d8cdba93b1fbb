-- Counters that processes share; what each call does is told at the functions, in 019_keep_results_and_limits.sql.

-- name: add(key, value, ttl)$
-- Create a counter that lives `ttl` milliseconds; false where it exists.
SELECT dramatiq.add_counter(:key, :value, :ttl * interval '1 millisecond');

-- name: count(key, amount, low, high, ttl)$
-- Add to a counter within bounds; false where it would leave them.
SELECT dramatiq.count(:key, :amount, :low, :high, :ttl * interval '1 millisecond');

-- name: count_and_sum(key, keys, amount, high, ttl)$
-- Add to a counter unless the sum of `keys` would exceed `high`.
SELECT dramatiq.count_and_sum(:key, :keys, :amount, :high, :ttl * interval '1 millisecond');

-- name: exists(key)$
-- Whether a counter exists.
SELECT coalesce((SELECT expires_at > now() FROM dramatiq.counter WHERE key = :key ORDER BY change DESC LIMIT 1), false);

-- name: expired(at, after, rows)
-- A page of the counters whose time has passed.
SELECT key, expires_at AS at, pg_column_size(key) AS bytes
FROM dramatiq.counter
WHERE expires_at < now() AND (:after::text IS NULL OR (expires_at, key) > (:at, :after))
ORDER BY expires_at, key
LIMIT :rows;

-- name: purge(keys)!
-- Delete those of these counters whose time has passed.
DELETE FROM dramatiq.counter WHERE key IN (
    SELECT key FROM dramatiq.counter WHERE key = ANY (:keys) AND expires_at < now() FOR UPDATE SKIP LOCKED
);
