-- Keeps what ended in each minute, so that nobody who looks walks a million finished messages.

CREATE FUNCTION dramatiq.class_of(p_error text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(substring(dramatiq.saying_of(p_error) FROM '^([A-Za-z_][\w.]{0,79})(?::|$)'), 'other');
$$;
COMMENT ON FUNCTION dramatiq.class_of IS
'The class of an error without a word of what it says, which may quote somebody; `other` where it has none.';

CREATE TABLE dramatiq.minute (
    minute timestamptz NOT NULL,
    queue_name text NOT NULL,
    actor text NOT NULL,
    ending text NOT NULL CHECK (ending IN ('done', 'dead')),
    failure text NOT NULL,                               -- of what is dead, its error's class; else empty
    bucket smallint NOT NULL,                            -- of the time from when they were due: dramatiq.bounds()
    messages bigint NOT NULL,
    attempts bigint NOT NULL,                            -- together; what is more than messages was tried again
    seconds double precision NOT NULL,                   -- together
    pgmq_queue text NOT NULL DEFAULT '',                 -- where the bridge took them from
    PRIMARY KEY (minute, queue_name, actor, ending, failure, bucket, pgmq_queue)
);
COMMENT ON TABLE dramatiq.minute IS
'What ended in each minute. A message that was sent back to work counts each time.';

CREATE TABLE dramatiq.total (LIKE dramatiq.minute INCLUDING ALL);
ALTER TABLE dramatiq.total DROP COLUMN minute, DROP COLUMN pgmq_queue, ADD PRIMARY KEY (queue_name, actor, ending, failure, bucket);
COMMENT ON TABLE dramatiq.total IS
'The sum of all minutes that were ever kept: what only grows, as Prometheus wants it.';

CREATE TABLE dramatiq.depth (
    queue_name text PRIMARY KEY,
    waiting bigint NOT NULL,
    delayed bigint NOT NULL,
    set_aside bigint NOT NULL,
    dead bigint NOT NULL
);
COMMENT ON TABLE dramatiq.depth IS
'How many messages each queue held when minutes were kept last.';

CREATE TABLE dramatiq.kept_until (at timestamptz NOT NULL);
INSERT INTO dramatiq.kept_until VALUES (date_trunc('minute', now()));
COMMENT ON TABLE dramatiq.kept_until IS
'Up to when minutes are kept: one row.';

CREATE FUNCTION dramatiq.bounds() RETURNS double precision[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT '{0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400}'::float8[];
$$;
COMMENT ON FUNCTION dramatiq.bounds IS
'Seconds: bucket 0 has what took less than the first, bucket 1 what took less than the second, and so on.';

CREATE FUNCTION dramatiq.keep_minutes(p_most interval) RETURNS timestamptz
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    begins timestamptz;
    ends timestamptz;
BEGIN
    SELECT at INTO begins FROM dramatiq.kept_until FOR UPDATE;
    -- What ends just before a minute does commits a little later.
    ends := least(date_trunc('minute', clock_timestamp() - interval '5 seconds'), begins + p_most);
    IF ends <= begins THEN
        RETURN begins;
    END IF;
    INSERT INTO dramatiq.minute
        (minute, queue_name, actor, ending, failure, bucket, messages, attempts, seconds, pgmq_queue)
    SELECT date_trunc('minute', mtime), queue_name, coalesce(message ->> 'actor_name', ''),
           CASE state WHEN 'done' THEN 'done' ELSE 'dead' END,
           CASE state WHEN 'done' THEN '' ELSE dramatiq.class_of(error) END, width_bucket(took.seconds, dramatiq.bounds()),
           count(*), sum(attempt), sum(took.seconds), coalesce(pgmq_queue, '')
    FROM (
        SELECT * FROM dramatiq.done WHERE mtime >= begins AND mtime < ends
        UNION ALL
        SELECT * FROM dramatiq.live WHERE state = 'rejected' AND mtime >= begins AND mtime < ends
    ) AS ended, LATERAL (SELECT greatest(extract(epoch FROM mtime - available_at)::float8, 0)) AS took (seconds)
    GROUP BY 1, 2, 3, 4, 5, 6, 10;

    INSERT INTO dramatiq.total AS t (queue_name, actor, ending, failure, bucket, messages, attempts, seconds)
    SELECT queue_name, actor, ending, failure, bucket, sum(messages), sum(attempts), sum(seconds)
    FROM dramatiq.minute WHERE minute >= begins AND minute < ends
    GROUP BY queue_name, actor, ending, failure, bucket
    ON CONFLICT (queue_name, actor, ending, failure, bucket) DO UPDATE
    SET messages = t.messages + excluded.messages, attempts = t.attempts + excluded.attempts,
        seconds = t.seconds + excluded.seconds;

    DELETE FROM dramatiq.depth;
    INSERT INTO dramatiq.depth (queue_name, waiting, delayed, set_aside, dead)
    SELECT queue_name, sum(waiting), sum(delayed), sum(set_aside), sum(dead)
    FROM (
        SELECT queue_name, count(*), 0, 0, 0 FROM dramatiq.live
        WHERE state = 'queued' AND NOT delayed AND waits_for IS NULL GROUP BY queue_name
        UNION ALL
        SELECT queue_name, 0, count(*), 0, 0 FROM dramatiq.live WHERE state = 'queued' AND delayed GROUP BY queue_name
        UNION ALL
        SELECT queue_name, count(*) FILTER (WHERE waits_for = 'its turn' AND NOT delayed), 0,
               count(*) FILTER (WHERE waits_for <> 'its turn'), 0
        FROM dramatiq.live WHERE state = 'queued' AND waits_for IS NOT NULL GROUP BY queue_name
        UNION ALL
        SELECT queue_name, 0, 0, 0, count(*) FROM dramatiq.live WHERE state = 'rejected' GROUP BY queue_name
    ) AS counts (queue_name, waiting, delayed, set_aside, dead)
    GROUP BY queue_name;
    UPDATE dramatiq.kept_until SET at = ends;
    RETURN ends;
END $$;
COMMENT ON FUNCTION dramatiq.keep_minutes IS
'Keeps the minutes that have passed since the last call, p_most of them at most; gives up to when they are kept now.';

CREATE FUNCTION dramatiq.purge_minutes(p_before timestamptz) RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    WITH purged AS (DELETE FROM dramatiq.minute WHERE minute < p_before RETURNING 1) SELECT count(*) FROM purged;
$$;
COMMENT ON FUNCTION dramatiq.purge_minutes IS
'Deletes minutes before p_before; returns how many rows they had.';

CREATE FUNCTION dramatiq.present() RETURNS TABLE (
    queue_name text, waiting bigint, delayed bigint, set_aside bigint, running bigint, dead bigint,
    oldest_seconds double precision, done_an_hour bigint, dead_an_hour bigint, buckets bigint[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
-- A plan that stops at the thousandth, whatever the statistics say of a queue that fills in seconds.
SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
    WITH RECURSIVE claimed AS (
        SELECT q.queue_name, count(*) AS messages FROM dramatiq.live q WHERE q.state = 'consumed' GROUP BY q.queue_name
    ), known AS (
        SELECT a.queue_name FROM dramatiq.actor a UNION SELECT d.queue_name FROM dramatiq.depth d
        UNION SELECT m.queue_name FROM dramatiq.minute m WHERE m.minute >= date_trunc('minute', now()) - interval '1 hour'
    ), waits (queue_name, next) AS (
        -- From each known queue to the next in the index's order, past their own entries, to others that nobody knows yet.
        SELECT k.queue_name, lead(k.queue_name) OVER (ORDER BY k.queue_name) FROM (TABLE known UNION SELECT '') AS k
        UNION ALL
        SELECT CASE WHEN w.next IS NULL
                    THEN (SELECT min(q.queue_name) FROM dramatiq.live q
                          WHERE q.state = 'queued' AND NOT q.delayed AND q.waits_for IS NULL AND q.queue_name > w.queue_name)
                    ELSE (SELECT min(q.queue_name) FROM dramatiq.live q
                          WHERE q.state = 'queued' AND NOT q.delayed AND q.waits_for IS NULL AND q.queue_name > w.queue_name
                            AND q.queue_name < w.next) END, w.next
        FROM waits w WHERE w.queue_name IS NOT NULL
    ), names AS (
        SELECT w.queue_name FROM waits w WHERE w.queue_name <> ''
    ), hour AS (
        SELECT m.queue_name, m.ending, m.bucket, sum(m.messages) AS messages FROM dramatiq.minute m
        WHERE m.minute >= date_trunc('minute', now()) - interval '1 hour' GROUP BY 1, 2, 3
    )
    SELECT n.queue_name,
           CASE WHEN waiting.messages > 1000 OR in_line.messages > 1000
                THEN greatest(d.waiting, waiting.messages + in_line.messages) ELSE waiting.messages + in_line.messages END,
           CASE WHEN delayed.messages > 1000 THEN greatest(d.delayed, delayed.messages) ELSE delayed.messages END,
           CASE WHEN aside.messages > 1000 THEN greatest(d.set_aside, aside.messages) ELSE aside.messages END,
           coalesce(claimed.messages, 0),
           CASE WHEN dead.messages > 1000 THEN greatest(d.dead, dead.messages) ELSE dead.messages END,
           coalesce(extract(epoch FROM now() - least(waiting.since, unheard.since))::float8, 0),
           coalesce(ended.done, 0), coalesce(ended.dead, 0), ended.buckets
    FROM names n
    LEFT JOIN dramatiq.depth d USING (queue_name)
    LEFT JOIN claimed USING (queue_name)
    CROSS JOIN LATERAL (
        SELECT count(*), min(available_at) FROM (
            SELECT q.available_at FROM dramatiq.live q
            WHERE q.queue_name = n.queue_name AND q.state = 'queued' AND NOT q.delayed AND q.waits_for IS NULL
            ORDER BY q.priority DESC, q.available_at, q.position LIMIT 1001) AS first
    ) AS waiting (messages, since)
    CROSS JOIN LATERAL (
        SELECT count(*) FROM (
            SELECT FROM dramatiq.live q
            WHERE q.line BETWEEN n.queue_name || ' ' AND n.queue_name || '!'
              AND q.state = 'queued' AND q.waits_for = 'its turn' AND NOT q.delayed LIMIT 1001) AS first
    ) AS in_line (messages)
    CROSS JOIN LATERAL (
        SELECT min(c.at) FROM dramatiq.changed_line c WHERE c.queue_name = n.queue_name AND c.at < now()
    ) AS unheard (since)
    CROSS JOIN LATERAL (
        SELECT count(*) FROM (
            SELECT FROM dramatiq.live q WHERE q.queue_name = n.queue_name AND q.state = 'queued' AND q.delayed LIMIT 1001
        ) AS first
    ) AS delayed (messages)
    CROSS JOIN LATERAL (
        SELECT count(*) FROM ( -- in two parts, past all that wait for their turn
            (SELECT FROM dramatiq.live q
             WHERE q.queue_name = n.queue_name AND q.state = 'queued' AND q.waits_for < 'its turn' LIMIT 1001)
            UNION ALL
            (SELECT FROM dramatiq.live q
             WHERE q.queue_name = n.queue_name AND q.state = 'queued' AND q.waits_for > 'its turn' LIMIT 1001)) AS first
    ) AS aside (messages)
    CROSS JOIN LATERAL (
        SELECT count(*) FROM (
            -- Said so that no other index gives the order: one by time would be walked through all queues' dead letters.
            SELECT FROM dramatiq.live q
            WHERE q.queue_name BETWEEN n.queue_name AND n.queue_name AND q.state = 'rejected'
            ORDER BY q.queue_name LIMIT 1001) AS first
    ) AS dead (messages)
    CROSS JOIN LATERAL (
        SELECT (sum(h.messages) FILTER (WHERE h.ending = 'done'))::bigint,
               (sum(h.messages) FILTER (WHERE h.ending = 'dead'))::bigint,
               ARRAY(SELECT coalesce(sum(b.messages), 0)::bigint
                     FROM generate_series(0, cardinality(dramatiq.bounds())) AS number
                     LEFT JOIN hour b ON (b.queue_name, b.ending, b.bucket::integer) = (n.queue_name, 'done', number)
                     GROUP BY number ORDER BY number)
        FROM hour h WHERE h.queue_name = n.queue_name
    ) AS ended (done, dead, buckets)
    ORDER BY n.queue_name;
$$;
COMMENT ON FUNCTION dramatiq.present IS
'Each queue now and in the last hour, whatever its size. Up to 1,000 messages in one state are counted as they are now; where
there are more, the number is the last minute''s. oldest_seconds: of the first 1,000 in their order. buckets: how long what
was done took, by dramatiq.bounds().';

CREATE FUNCTION dramatiq.backlog(p_most integer)
RETURNS TABLE (pgmq_queue text, messages bigint, oldest_seconds double precision)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    FOR pgmq_queue IN
        SELECT a.pgmq_queue FROM dramatiq.actor a JOIN dramatiq.readable_queues() AS r (name) ON r.name = a.pgmq_queue ORDER BY 1
    LOOP
        EXECUTE format(
            'SELECT (SELECT count(*) FROM (SELECT FROM pgmq.%1$I LIMIT $1) AS first),
                    coalesce((SELECT greatest(extract(epoch FROM now() - enqueued_at)::float8, 0)
                              FROM pgmq.%1$I ORDER BY msg_id LIMIT 1), 0)', 'q_' || pgmq_queue)
        INTO messages, oldest_seconds USING p_most;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION dramatiq.backlog IS
'What waits in each routed pgmq queue for the bridge, counted up to p_most, and how old the first of it is.';

CREATE FUNCTION dramatiq.count_bridged(
    p_pgmq_queue text, OUT waiting bigint, OUT delayed bigint, OUT in_flight bigint, OUT done bigint, OUT dead bigint
)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off -- what is done since is little, whatever the statistics say of a moment that they do not know
AS $$
    SELECT count(*) FILTER (WHERE q.state = 'queued' AND NOT q.delayed),
           count(*) FILTER (WHERE q.state = 'queued' AND q.delayed),
           count(*) FILTER (WHERE q.state = 'consumed'),
           (SELECT coalesce(sum(m.messages), 0)::bigint
            FROM dramatiq.minute m WHERE m.pgmq_queue = p_pgmq_queue AND m.ending = 'done')
           + (SELECT count(*) FROM dramatiq.done l
              WHERE l.pgmq_queue = p_pgmq_queue AND l.mtime >= (SELECT k.at FROM dramatiq.kept_until k)),
           count(*) FILTER (WHERE q.state = 'rejected')
    FROM (
        SELECT * FROM dramatiq.live WHERE state = 'queued' AND NOT delayed AND waits_for IS NULL
        UNION ALL SELECT * FROM dramatiq.live WHERE state = 'queued' AND delayed AND waits_for IS NULL
        UNION ALL SELECT * FROM dramatiq.live WHERE state = 'queued' AND waits_for IS NOT NULL
        UNION ALL SELECT * FROM dramatiq.live WHERE state = 'consumed'
        UNION ALL SELECT * FROM dramatiq.live WHERE state = 'rejected'
    ) AS q WHERE q.pgmq_queue = p_pgmq_queue;
$$;
COMMENT ON FUNCTION dramatiq.count_bridged IS
'What became of the messages that the bridge moved here from a pgmq queue; done: in the minutes that are kept, and since.';
