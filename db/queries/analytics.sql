-- Analytics events: kept once, counted per day and type.

-- name: record(events, zone, at)$
-- How many of these events were new.
SELECT balansity.record_events(:events::jsonb, :zone, :at);

-- name: kept(after, rows)
-- A page of all kept events.
SELECT key, pg_column_size(facts) AS bytes FROM balansity.analytics_event
WHERE :after::bytea IS NULL OR key > :after
ORDER BY key
LIMIT :rows;

-- name: recount(keys, zone)$
-- Put these events on their day in this time zone; gives how many stood on another.
SELECT balansity.recount_events(:keys::bytea[], :zone);

-- name: drop_empty_days()!
-- Forget the days that have no event left.
DELETE FROM balansity.analytics_daily WHERE events = 0;

-- name: old(before, at, after, rows)
-- A page of the events received before this.
SELECT key, received_at AS at, pg_column_size(facts) AS bytes FROM balansity.analytics_event
WHERE received_at < :before AND (:after::bytea IS NULL OR (received_at, key) > (:at, :after))
ORDER BY received_at, key
LIMIT :rows;

-- name: purge(keys)!
-- Delete these events; their counts stay.
DELETE FROM balansity.analytics_event WHERE key IN (
    SELECT key FROM balansity.analytics_event WHERE key = ANY (:keys::bytea[]) FOR UPDATE SKIP LOCKED
);

-- name: take_along(count)
-- Events that wait, at most `count` in the broker and as many in pgmq, with the keys that they get; they stay locked until
-- the transaction ends. A pgmq queue that was dropped and created anew counts from 1 again: the time tells its messages
-- from the old one's.
SELECT message_id::text, msg_id, sent_at, arguments AS payload, sealed,
       coalesce('message:' || message_id, concat_ws(':', 'pgmq', msg_id, extract(epoch FROM sent_at))) AS key
FROM dramatiq.take_along('analytics', 'record_event', 'analytics_queue', :count);

-- name: finish_along(ids, msg_ids, drop)$
-- Mark done what was taken along and kept; pgmq's archive need not keep it, too, where `drop` says so.
SELECT dramatiq.finish_along('analytics_queue', :ids::uuid[], :msg_ids::bigint[], :drop);
