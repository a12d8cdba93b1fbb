-- What a person asks of the broker's table.

-- name: present()
-- Each queue now and in the last hour, in a time that does not grow with what is kept.
SELECT queue_name, waiting, delayed, set_aside, running, dead, oldest_seconds, done_an_hour, dead_an_hour, buckets,
       dramatiq.bounds() AS bounds
FROM dramatiq.present();

-- name: keep_minutes(most)$
-- Keep what ended in the minutes that have passed, so many at most; gives up to when.
SELECT dramatiq.keep_minutes(:most);

-- name: purge_minutes(before)$
SELECT dramatiq.purge_minutes(:before);

-- name: count_pgmq()
-- How many messages wait in pgmq for the bridge; of many, about.
SELECT queue, waiting FROM dramatiq.waiting_in_pgmq();

-- name: list_workers()
-- The worker processes that say they live.
SELECT id AS worker, host, pid, extract(epoch FROM now() - heartbeat_at)::int AS silent_seconds
FROM dramatiq.alive
ORDER BY id;

-- name: count_in_pgmq()$
-- How many messages lie in pgmq; to be asked before `unfinished_soon`, as broker.count_in_pgmq before its sister.
SELECT coalesce(sum(m.queue_length), 0)::bigint
FROM dramatiq.readable_queues() AS readable (name), LATERAL pgmq.metrics(readable.name) AS m;

-- name: unfinished_soon()$
-- Messages here that run now or within a minute; later ones are for another day.
SELECT count(*) FROM dramatiq.live
WHERE state = 'consumed' OR (state = 'queued' AND available_at < now() + interval '1 minute');

-- name: list_dead(actor, since, limit)
-- Dead letters, the newest first; of an actor (NULL: of any), since then (NULL: since ever).
SELECT message_id::text, actor_name AS actor, queue_name AS queue, died_at, attempt AS attempts, pgmq_queue, pgmq_msg_id,
       error
FROM dramatiq.dead_letter
WHERE (:actor::text IS NULL OR actor_name = :actor) AND (:since::timestamptz IS NULL OR died_at >= :since)
ORDER BY died_at DESC
LIMIT :limit;

-- name: count_dead(actor, since)$
-- How many dead letters there are of these.
SELECT count(*) FROM dramatiq.dead_letter
WHERE (:actor::text IS NULL OR actor_name = :actor) AND (:since::timestamptz IS NULL OR died_at >= :since);

-- name: dead_ids(first, last, count)
-- The ids of dead letters, and of what was cancelled, from one to another.
SELECT message_id::text FROM dramatiq.live
WHERE state IN ('rejected', 'cancelled') AND message_id BETWEEN :first::uuid AND :last::uuid ORDER BY message_id LIMIT :count;

-- name: ids(first, last, count)
-- The ids of messages from one to another.
SELECT message_id::text FROM dramatiq.queue
WHERE message_id BETWEEN :first::uuid AND :last::uuid ORDER BY message_id LIMIT :count;

-- name: show_dead(id)^
-- One dead letter with its payload, as text: not everything that PostgreSQL takes can be decoded here.
SELECT message_id::text, actor_name AS actor, queue_name AS queue, died_at, attempt AS attempts, pgmq_queue, pgmq_msg_id,
       error, message::text
FROM (
    SELECT message_id, message ->> 'actor_name' AS actor_name, queue_name, mtime AS died_at, attempt, pgmq_queue, pgmq_msg_id,
           error, message
    FROM dramatiq.live WHERE state IN ('rejected', 'cancelled')
) AS ended
WHERE message_id = :id::uuid;

-- name: give_up_waiting(actor, limit)$
-- Make a batch of dead letters of what waits for an actor that no worker has.
SELECT dramatiq.give_up_waiting(:actor, :limit);

-- name: redrive(ids)$
-- Send these dead letters back to work.
SELECT dramatiq.redrive(:ids::uuid[]);

-- name: edit(id, content, who, reason)$
-- Send a dead or cancelled message back to work with other arguments; the id of the copy of what it said before.
SELECT dramatiq.edit(:id::uuid, :content::jsonb, :who, :reason)::text;

-- name: purges_until(done, dead, until)
-- How many messages purge is going to delete by a given time, by the minute from which on they are due: what is done by the
-- day, at the end of the one on which its time is over. It is told by the minutes that are kept, from the first of which any
-- is left; only what ended before or after them is counted. Each state by an index of its own.
WITH known AS (
    SELECT k.at AS until, coalesce((SELECT min(m.minute) FROM dramatiq.minute m), k.at) AS first,
           (SELECT min(q.mtime) FROM dramatiq.done q) AS oldest,
           date_trunc('day', :until - :done, 'UTC') AS gone
    FROM dramatiq.kept_until k
)
SELECT date_trunc('minute', due.at) + interval '1 minute' AS due_at, sum(due.messages)::bigint AS messages
FROM (
    SELECT date_trunc('day', ended.at, 'UTC') + interval '1 day' + :done, ended.messages
    FROM (
        SELECT date_bin('1 day', m.minute, 'epoch'), sum(m.messages) FROM known k, dramatiq.minute m
        WHERE m.ending = 'done' AND m.minute >= date_trunc('minute', k.oldest) AND m.minute < k.gone
        GROUP BY 1
        UNION ALL
        SELECT q.mtime, 1 FROM known k, dramatiq.done q WHERE q.mtime < least(k.first, k.gone)
        UNION ALL
        SELECT q.mtime, 1 FROM known k, dramatiq.done q WHERE q.mtime >= greatest(k.first, k.until) AND q.mtime < k.gone
    ) AS ended (at, messages)
    UNION ALL
    SELECT mtime + :dead, 1 FROM dramatiq.live WHERE state = 'rejected' AND mtime < :until - :dead
    UNION ALL
    SELECT mtime + :dead, 1 FROM dramatiq.live WHERE state = 'cancelled' AND mtime < :until - :dead
) AS due (at, messages)
GROUP BY due_at
ORDER BY due_at;

-- name: missing_days(after, rows)
-- A page of the days ahead that finished messages have no table for.
SELECT day AS key, 0 AS bytes FROM dramatiq.missing_days() AS day
WHERE :after::date IS NULL OR day > :after::date ORDER BY day LIMIT :rows;

-- name: make_days(keys)$
-- Make the tables of these days; how many there were to make.
SELECT count(*) FILTER (WHERE dramatiq.make_day(day)) FROM unnest(:keys::date[]) AS day;

-- name: old_days(before, after, rows)
-- A page of the days of finished messages that were over by then.
SELECT day AS key, 0 AS bytes FROM dramatiq.old_days(:before) AS day
WHERE :after::date IS NULL OR day > :after::date ORDER BY day LIMIT :rows;

-- name: drop_days(keys)$
-- Drop the tables of these days; how many messages they had.
SELECT sum(dramatiq.drop_day(day))::bigint FROM unnest(:keys::date[]) AS day;

-- name: strays(before, at, after, rows)
-- A page of the messages that were done before then, on days that had no table.
SELECT message_id::text AS key, mtime AS at, pg_column_size(message) AS bytes
FROM dramatiq.done_other
WHERE mtime < :before AND (:after::uuid IS NULL OR (mtime, message_id) > (:at, :after::uuid))
ORDER BY mtime, message_id
LIMIT :rows;

-- name: given_up(state, before, at, after, rows)
-- A page of the messages that are dead, or cancelled, since before then.
SELECT message_id::text AS key, mtime AS at, pg_column_size(message) AS bytes
FROM dramatiq.live
WHERE state = :state::dramatiq.state AND mtime < :before
  AND (:after::uuid IS NULL OR (mtime, message_id) > (:at, :after::uuid))
ORDER BY mtime, message_id
LIMIT :rows;

-- name: purge(keys, state, before)$
-- Delete old messages.
SELECT dramatiq.purge(:keys::uuid[], :state::dramatiq.state, :before);

-- name: routed_queues()
-- The pgmq queues of all routes.
SELECT a.pgmq_queue FROM dramatiq.actor a JOIN pgmq.meta m ON m.queue_name = a.pgmq_queue ORDER BY a.pgmq_queue;

-- name: archived(pgmq_queue, before, after, rows)
-- A page of what pgmq archived before then.
SELECT msg_id AS key, bytes FROM dramatiq.archived(:pgmq_queue, :before, :after, :rows);

-- name: purge_archive(keys, pgmq_queue, before)$
-- Delete archived messages.
SELECT dramatiq.purge_archive(:pgmq_queue, :keys::bigint[], :before);

-- name: routed_tables()
-- The tables of pgmq that hold what was sent to actors, in the order in which messages move on.
SELECT table_name, actor_name FROM dramatiq.routed_tables();

-- name: pgmq_messages(table, after, rows)
-- A page of a pgmq queue's or archive's messages.
SELECT msg_id AS key, bytes FROM dramatiq.pgmq_messages(:table, :after, :rows);

-- name: forget_pgmq(keys, table, speaks_of, subject, keep)^
-- Remove the messages that speak of a subject: removed, and which are kept.
SELECT removed, kept
FROM dramatiq.forget_pgmq(:table, :keys::bigint[], :speaks_of::regproc, :subject::jsonb, :keep);

-- name: moment_before()$
-- Before anything that has yet to be committed began.
SELECT now() - interval '10 minutes';

-- name: messages(since, after, rows)
-- A page of all messages, each with whether it may have come or changed since then (null: since ever).
SELECT message_id::text AS key, coalesce(pg_column_size(message), 0) AS bytes,
       coalesce(mtime >= :since::timestamptz, true) AS is_new
FROM dramatiq.queue
WHERE :after::uuid IS NULL OR message_id > :after::uuid
ORDER BY message_id
LIMIT :rows;

-- name: create_opened()!
-- Where the encrypted ones of these messages are put in plain, for this transaction only.
CREATE TEMPORARY TABLE opened (message_id uuid PRIMARY KEY, message jsonb) ON COMMIT DROP;

-- name: forget(keys, speaks_of, subject, kept_actors)^
-- Remove the messages that speak of a subject: removed, and which are kept.
SELECT removed, kept::text[]
FROM dramatiq.forget(:keys::uuid[], 'pg_temp.opened', :speaks_of::regproc, :subject::jsonb, :kept_actors);

-- name: not_sealed_with(key, after, rows)
-- A page of the messages that are plain, or of which another key encrypted a part.
SELECT message_id::text AS key, coalesce(pg_column_size(message), 0) AS bytes
FROM dramatiq.queue
WHERE (coalesce(split_part(message ->> 'sealed', '.', 1), '') <> :key
       OR jsonb_path_exists(
           message, '$.options.*.sealed ? (!(@ starts with $key))', jsonb_build_object('key', :key::text)))
  AND (:after::uuid IS NULL OR message_id > :after::uuid)
ORDER BY message_id
LIMIT :rows;

-- name: sealed_messages()
-- How many messages each key has encrypted, and how many are plain (null).
SELECT key, messages FROM dramatiq.sealed_messages();

-- name: show(id)$
-- What a message says, as text.
SELECT message::text FROM dramatiq.queue WHERE message_id = :id::uuid;

-- name: note_revelation(id, who, reason)!
-- Keep that somebody is shown what a message says.
INSERT INTO dramatiq.revelation (id, revealed_by, reason) VALUES (:id::uuid, :who, :reason);

-- name: horizon(filter, until, last, look)^
-- How far back a page of what a filter finds is looked for: to this message; nulls: to the end.
SELECT changed_at, message_id::text AS id FROM dramatiq.horizon(:filter::jsonb, :until, :last::uuid, :look);

-- name: find(filter, until, last, rows, start, first)
-- A page of the messages that a filter finds, the last changed first, not before the message `first` that changed at `start`.
SELECT message_id::text AS id, queue, actor, state, changed_at, due_at, attempt, priority, kind
FROM dramatiq.find(:filter::jsonb, :until, :last::uuid, :rows, :start, :first::uuid);

-- name: count_found(filter, most, until, last, start, first)$
-- How many of these there are, counted up to `most` (NULL: to the last).
SELECT dramatiq.count_found(:filter::jsonb, :most, :until, :last::uuid, :start, :first::uuid);

-- name: known_queues()
-- The queues of the actors that are published.
SELECT DISTINCT queue_name AS queue FROM dramatiq.actor ORDER BY 1;

-- name: page_found(filter, at, after, rows)
-- A page of the messages that a filter finds, from the one that changed first.
SELECT message_id::text AS key, changed_at AS at, bytes FROM dramatiq.page_found(:filter::jsonb, :at, :after::uuid, :rows);

-- name: failures(filter)
-- What fails and why, by actor and kind.
SELECT actor, kind, state, messages, first_at, last_at, sample::text FROM dramatiq.failures(:filter::jsonb);

-- name: dead_kinds()
-- The kinds of failure that have dead letters.
SELECT actor, kind FROM dramatiq.failing();

-- name: kinds()
-- Those, and the kinds of what waits to be tried again.
SELECT actor, kind FROM dramatiq.failing()
UNION
SELECT message ->> 'actor_name', dramatiq.kind_of(error) FROM dramatiq.live
WHERE state = 'queued' AND delayed AND error IS NOT NULL;

-- name: whole(id)^
-- One message with all that is known of it; what it says as text, for not everything that PostgreSQL takes can be decoded.
SELECT message_id::text AS id, dramatiq.trace_of(message_id::text) AS trace, queue_name AS queue,
       message ->> 'actor_name' AS actor, dramatiq.state_of(q) AS state,
       dramatiq.sent_at(message_id::text) AS sent_at, available_at AS due_at, mtime AS changed_at, attempt, priority,
       rescues, claimed_by AS worker, waits_for, pgmq_queue, pgmq_msg_id, error, message::text,
       EXISTS (SELECT FROM dramatiq.cancellation c WHERE c.message_id = q.message_id) AS is_to_end
FROM dramatiq.queue q WHERE message_id = :id::uuid;

-- name: ended()
-- All that ever ended, by queue, actor, ending, class of error, and bucket of the time that it took.
SELECT queue_name AS queue, actor, ending, failure, bucket, messages, attempts, seconds FROM dramatiq.total
ORDER BY queue_name, actor, ending, failure, bucket;

-- name: bounds()$
-- The upper ends of the buckets but for the last, in seconds.
SELECT dramatiq.bounds();

-- name: minutes_lag()$
-- For how long no minute has been kept, in seconds.
SELECT extract(epoch FROM clock_timestamp() - at)::float8 FROM dramatiq.kept_until;

-- name: backlog(most)
-- What waits in pgmq for the bridge, each queue counted up to `most`.
SELECT pgmq_queue AS queue, messages, oldest_seconds FROM dramatiq.backlog(:most);
