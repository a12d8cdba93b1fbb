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

-- name: waiting_in_broker(count)
-- Events that no worker has claimed, with the keys that they get; they stay locked until the transaction ends.
SELECT message_id::text AS id, 'message:' || message_id AS key,
       to_timestamp((message ->> 'message_timestamp')::bigint / 1000.0) AS sent_at, message ->> 'kwargs' AS payload
FROM dramatiq.queue
WHERE queue_name = 'analytics' AND state = 'queued' AND NOT delayed AND message ->> 'actor_name' = 'record_event'
ORDER BY priority DESC, available_at, position
LIMIT :count
FOR UPDATE SKIP LOCKED;

-- name: finish_in_broker(ids)!
-- Mark messages done that this transaction has locked and worked on; nobody held a claim on them.
UPDATE dramatiq.queue SET state = 'done', attempt = attempt + 1, mtime = now(), error = NULL
WHERE message_id = ANY (:ids::uuid[]);

-- name: waiting_in_pgmq(count)
-- Events that wait in pgmq and no other reader holds; they stay locked until the transaction ends. A queue that was
-- dropped and created anew counts from 1 again: the time tells its messages from the old one's.
SELECT msg_id AS id, concat_ws(':', 'pgmq', msg_id, extract(epoch FROM enqueued_at)) AS key, enqueued_at AS sent_at,
       message::text AS payload
FROM pgmq.q_analytics_queue
WHERE vt <= clock_timestamp()
ORDER BY msg_id
LIMIT :count
FOR UPDATE SKIP LOCKED;

-- name: archive_in_pgmq(ids)!
SELECT pgmq.archive('analytics_queue', :ids::bigint[]);
