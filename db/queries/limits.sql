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
SELECT EXISTS (SELECT FROM dramatiq.counter WHERE key = :key AND expires_at > now());
