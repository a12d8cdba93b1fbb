-- Analytics events: kept once, counted per day and type.

-- name: record(events, zone, at)$
-- How many of these events were new.
SELECT balansity.record_events(:events::jsonb, :zone, :at);

-- name: waiting(count)
-- Events that wait in pgmq and nobody else holds; they stay locked until the transaction ends.
SELECT msg_id, enqueued_at, message
FROM pgmq.q_analytics_queue
WHERE vt <= clock_timestamp()
ORDER BY msg_id
LIMIT :count
FOR UPDATE SKIP LOCKED;

-- name: archive(ids)
SELECT pgmq.archive('analytics_queue', :ids::bigint[]);

-- name: daily(first, last)
-- Events of each day and type.
SELECT day, type, events FROM balansity.analytics_daily
WHERE day BETWEEN :first AND :last
ORDER BY day, type;
