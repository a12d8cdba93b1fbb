-- Analytics events: kept once, counted per day and type.

-- name: record(events, zone, at)$
-- How many of these events were new.
SELECT balansity.record_events(:events::jsonb, :zone, :at);

-- name: allow_minutes()!
-- A recount of years may take longer than a statement usually may.
SET LOCAL statement_timeout = '30min';

-- name: recount(zone)$
-- Put every kept event on its day in this time zone; gives how many stood on another.
SELECT balansity.recount_events(:zone);

-- name: purge(before, batch)$
-- Delete a batch of events received before this; their counts stay.
SELECT balansity.purge_events(:before, :batch);

-- name: take_along(count)
-- Events that wait, at most `count` in the broker and as many in pgmq, with the keys that they get; they stay locked until
-- the transaction ends. A pgmq queue that was dropped and created anew counts from 1 again: the time tells its messages
-- from the old one's.
SELECT message_id::text, msg_id, sent_at, arguments AS payload,
       coalesce('message:' || message_id, concat_ws(':', 'pgmq', msg_id, extract(epoch FROM sent_at))) AS key
FROM dramatiq.take_along('analytics', 'record_event', 'analytics_queue', :count);

-- name: finish_along(ids, msg_ids)$
-- Mark done what was taken along and kept.
SELECT dramatiq.finish_along('analytics_queue', :ids::uuid[], :msg_ids::bigint[]);
