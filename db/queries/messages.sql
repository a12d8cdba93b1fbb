-- What a person asks of the broker's table.

-- name: count_messages()
-- How many messages of each queue are in which state, and how long the first due one waits.
SELECT queue_name AS queue,
       count(*) FILTER (WHERE state = 'queued' AND NOT delayed) AS waiting,
       count(*) FILTER (WHERE state = 'queued' AND delayed) AS delayed,
       count(*) FILTER (WHERE state = 'consumed') AS running,
       count(*) FILTER (WHERE state = 'done') AS done,
       count(*) FILTER (WHERE state = 'rejected') AS dead,
       coalesce(extract(epoch FROM now() - min(available_at) FILTER (WHERE state = 'queued' AND NOT delayed)), 0)::int
           AS oldest_seconds
FROM dramatiq.queue
GROUP BY queue_name
ORDER BY queue_name;

-- name: count_pgmq()
-- How many messages wait in pgmq for the bridge.
SELECT queue_name AS queue, queue_length AS waiting FROM pgmq.metrics_all() ORDER BY queue_name;

-- name: list_workers()
-- The worker processes that say they live.
SELECT id AS worker, host, pid, extract(epoch FROM now() - heartbeat_at)::int AS silent_seconds
FROM dramatiq.worker
ORDER BY id;

-- name: unfinished_soon()$
-- Messages that run now or within a minute; later ones are for another day.
SELECT (SELECT count(*) FROM dramatiq.queue
        WHERE state = 'consumed' OR (state = 'queued' AND available_at < now() + interval '1 minute'))
     + (SELECT sum(queue_length) FROM pgmq.metrics_all());

-- name: list_dead(actor, limit)
-- Dead letters, the newest first.
SELECT message_id::text, actor_name AS actor, queue_name AS queue, died_at, attempt AS attempts, pgmq_queue, pgmq_msg_id,
       error
FROM dramatiq.dead_letter
WHERE :actor::text IS NULL OR actor_name = :actor
ORDER BY died_at DESC
LIMIT :limit;

-- name: show_dead(id)^
-- One dead letter with its payload, as text: not everything that PostgreSQL takes can be decoded here.
SELECT message_id::text, actor_name AS actor, queue_name AS queue, died_at, attempt AS attempts, pgmq_queue, pgmq_msg_id,
       error, message::text
FROM dramatiq.dead_letter
WHERE message_id = :id::uuid;

-- name: give_up_waiting(actor, limit)$
-- Make a batch of dead letters of what waits for an actor that no worker has.
SELECT dramatiq.give_up_waiting(:actor, :limit);

-- name: redrive(ids)$
-- Send these dead letters back to work.
SELECT dramatiq.redrive(:ids::uuid[]);

-- name: redrive_actor(actor)$
-- Send all dead letters of an actor back to work; all there are where it is null.
SELECT dramatiq.redrive(coalesce(array_agg(message_id), '{}'))
FROM dramatiq.dead_letter
WHERE :actor::text IS NULL OR actor_name = :actor;

-- name: purges_until(done, dead, until)
-- How many messages purge is going to delete by a given time, by the minute from which on they are due.
SELECT date_trunc('minute', mtime + kept) + interval '1 minute' AS due_at, count(*) AS messages
FROM dramatiq.queue JOIN (VALUES ('done'::dramatiq.state, :done), ('rejected', :dead)) AS policy (state, kept) USING (state)
WHERE mtime < :until - kept
GROUP BY due_at;

-- name: purge(done_before, dead_before, batch)$
-- Delete a batch of old messages.
SELECT dramatiq.purge(:done_before, :dead_before, :batch);

-- name: purge_archives(before, batch)$
-- Delete a batch of what pgmq kept.
SELECT dramatiq.purge_archives(:before, :batch);

-- name: purge_expired(batch)$
-- Delete a batch of results and counters whose time has passed.
SELECT dramatiq.purge_expired(:batch);
