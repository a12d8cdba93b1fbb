-- What tests of actors ask of the broker's table.

-- name: due_in_pgmq(queue, pgmq_queue)$
-- How many messages are due in the pgmq queue that feeds a queue; of a paused one, none.
SELECT coalesce((
    SELECT (to_jsonb(m) ->> 'queue_visible_length')::bigint
    FROM dramatiq.readable_queues() AS readable (name), LATERAL pgmq.metrics(readable.name) AS m
    WHERE readable.name = :pgmq_queue AND NOT EXISTS (
        SELECT FROM dramatiq.current_pause AS pause WHERE pause.queue_name = :queue)), 0);

-- name: due(queue, delayed)$
-- How many messages of a queue run or are due here (or are delayed, where `delayed`), or wait in line for what is; of a paused
-- one, how many run.
SELECT count(*) FROM dramatiq.live AS q
WHERE queue_name = :queue AND (state = 'consumed' OR state = 'queued' AND (waits_for IS NULL OR waits_for = 'its turn' AND (
        SELECT count(*) FROM dramatiq.live AS first -- that hold it up, and are not due
        WHERE first.line = q.line AND first.state = 'queued'
            AND (first.waits_for <> 'its turn'
                 OR first.waits_for IS NULL AND first.available_at > clock_timestamp() AND NOT :delayed)
    ) < coalesce((SELECT key_limit FROM dramatiq.actor WHERE name = q.message ->> 'actor_name'), 1))
    AND (available_at <= clock_timestamp() OR :delayed) AND NOT EXISTS (
        SELECT FROM dramatiq.current_pause AS pause WHERE pause.queue_name = :queue));

-- name: hasten(queues)$
-- Make due now what is delayed in these queues; gives how many messages that were.
WITH hastened AS (
    UPDATE dramatiq.live SET available_at = now()
    WHERE queue_name = ANY (:queues) AND state = 'queued' AND (waits_for IS NULL OR waits_for = 'its turn')
        AND available_at > now()
    RETURNING queue_name)
SELECT count(*) FROM hastened, LATERAL dramatiq.ring(ARRAY[hastened.queue_name]);

-- name: enqueued(actor)
-- The messages that wait for an actor or are delayed, in the order of their turns.
SELECT message_id::text, message, available_at AS due, priority FROM dramatiq.live
WHERE message ->> 'actor_name' = :actor AND state = 'queued'
ORDER BY available_at, priority DESC, position;
