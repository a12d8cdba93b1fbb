-- Makes the queue of a migrated database what it was before messages that are done had a table a day: one plain table, and
-- the functions that wrote to it. For tests of how such a database comes over.

DROP TABLE dramatiq.queue CASCADE;
DROP TABLE dramatiq.taken_key;
DROP SEQUENCE dramatiq.queue_position_seq;
DROP FUNCTION dramatiq.enqueue, dramatiq.exchange, dramatiq.start_over, dramatiq.finish_all, dramatiq.make_day, dramatiq.drop_day, dramatiq.release_key;
DROP VIEW dramatiq.alive;
DROP TABLE dramatiq.beat;
DROP TYPE dramatiq.sight, dramatiq.place, dramatiq.hearing CASCADE;
ALTER TABLE dramatiq.worker ADD beats bigint NOT NULL DEFAULT 0, ADD heartbeat_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE dramatiq.counter DROP CONSTRAINT counter_pkey, DROP COLUMN change, ADD PRIMARY KEY (key), SET (fillfactor = 50);
ALTER TABLE dramatiq.open_group DROP CONSTRAINT open_group_pkey, ADD PRIMARY KEY (id);
ALTER TABLE dramatiq.group_member ADD FOREIGN KEY (group_id) REFERENCES dramatiq.open_group ON DELETE CASCADE;
DELETE FROM dramatiq.migration WHERE migration_id IN ('010_keep_days', '012_look_past_dead_rows', '024_carry_messages');
UPDATE dramatiq.migration_digest SET digest = 'of then' WHERE migration_id = '010_create_queue';

CREATE TABLE dramatiq.queue (
    -- dramatiq-pg's columns, as its command asks for them
    message_id uuid PRIMARY KEY,
    queue_name text NOT NULL DEFAULT 'default',
    state dramatiq.state,
    mtime timestamptz DEFAULT now(),
    message jsonb,
    -- ours
    position bigint GENERATED ALWAYS AS IDENTITY,
    priority integer NOT NULL DEFAULT 0,                 -- higher first
    available_at timestamptz NOT NULL DEFAULT now(),     -- when it fell or falls due
    delayed boolean NOT NULL DEFAULT false,              -- not due yet; kept out of the index that claims walk
    attempt integer NOT NULL DEFAULT 0,                  -- one more with each claim: the fence of acks
    claimed_by bigint,                                   -- the worker that runs it
    rescues integer NOT NULL DEFAULT 0,                  -- how many workers died with it
    pgmq_queue text,                                     -- where the bridge took it from
    pgmq_msg_id bigint,
    unique_key text,                                     -- its SHA-256
    error text,                                          -- the last failure
    hastened integer,                                    -- the attempt that waits for nothing if it is put back
    waits_for text,                                      -- `its turn`, or set aside for who has this actor or signature
    line text COLLATE "C"                                -- that its key puts it into, where it has one
);

-- Each index holds the rows of one state only, so that a claim never walks finished or future ones.
CREATE INDEX queue_due ON dramatiq.queue (queue_name, priority DESC, available_at, position)
    WHERE state = 'queued' AND NOT delayed AND waits_for IS NULL;
CREATE INDEX queue_aside ON dramatiq.queue (queue_name, waits_for, priority DESC, available_at, position)
    WHERE state = 'queued' AND waits_for IS NOT NULL;
CREATE INDEX queue_in_line ON dramatiq.queue (line, priority DESC, available_at, position)
    WHERE state = 'queued' AND waits_for = 'its turn' AND NOT delayed;
CREATE INDEX queue_has_turn ON dramatiq.queue (line)
    WHERE line IS NOT NULL AND state IN ('queued', 'consumed') AND waits_for IS DISTINCT FROM 'its turn';
CREATE INDEX queue_delayed ON dramatiq.queue (queue_name, available_at) WHERE state = 'queued' AND delayed;
CREATE INDEX queue_claimed ON dramatiq.queue (claimed_by) WHERE state = 'consumed';
CREATE INDEX queue_finished ON dramatiq.queue (mtime, message_id) WHERE state = 'done';
CREATE INDEX queue_dead ON dramatiq.queue (mtime, message_id) WHERE state = 'rejected';
CREATE INDEX queue_dead_by_queue ON dramatiq.queue (queue_name) WHERE state = 'rejected';
CREATE INDEX queue_cancelled ON dramatiq.queue (mtime, message_id) WHERE state = 'cancelled';
CREATE INDEX queue_by_trace ON dramatiq.queue USING hash ((message #>> '{options,trace}'))
    WHERE pgmq_msg_id IS NULL AND message #>> '{options,trace}' IS NOT NULL; -- the others are found by their time
CREATE UNIQUE INDEX queue_unique_key ON dramatiq.queue (unique_key) WHERE unique_key IS NOT NULL;

-- The queue lives from updates: vacuum early, and never let a claim's index fill with dead entries for long.
ALTER TABLE dramatiq.queue SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);

CREATE VIEW dramatiq.dead_letter AS
SELECT message_id, queue_name, message ->> 'actor_name' AS actor_name, error, mtime AS died_at, attempt,
       pgmq_queue, pgmq_msg_id, message
FROM dramatiq.queue
WHERE state = 'rejected';
CREATE OR REPLACE FUNCTION dramatiq.state_of(p_message dramatiq.queue) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE p_message.state
        WHEN 'consumed' THEN 'running' WHEN 'rejected' THEN 'dead' WHEN 'done' THEN 'done' WHEN 'cancelled' THEN 'cancelled'
        ELSE CASE WHEN p_message.waits_for <> 'its turn' THEN 'set aside' WHEN p_message.delayed THEN 'delayed'
             WHEN p_message.waits_for = 'its turn' THEN 'in line' ELSE 'waiting' END
    END;
$$;

CREATE OR REPLACE FUNCTION dramatiq.enqueue(
    p_messages text, p_priorities integer[], p_delay bigint, p_tried bigint, p_lines text[] DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    queues text[];
    lines text[];
BEGIN
    WITH enqueued AS (
        INSERT INTO dramatiq.queue AS q
            (message_id, queue_name, state, message, priority, available_at, delayed, position, line, waits_for)
        OVERRIDING SYSTEM VALUE
        SELECT id, message ->> 'queue_name', 'queued', message, priority,
               now() + p_delay * interval '1 millisecond', p_delay > 0, place,
               line, CASE WHEN line IS NOT NULL THEN 'its turn' END
        FROM (
            SELECT (message ->> 'message_id')::uuid AS id, message, priority, line,
                   nextval('dramatiq.queue_position_seq') AS place
            FROM unnest(string_to_array(p_messages, E'\x1e')::jsonb[], p_priorities, p_lines) AS sent (message, priority, line)
        ) AS numbered
        ORDER BY id
        ON CONFLICT (message_id) DO UPDATE
        SET queue_name = excluded.queue_name, state = 'queued', message = excluded.message, mtime = now(),
            priority = excluded.priority, available_at = excluded.available_at, delayed = excluded.delayed,
            attempt = q.attempt + 1, claimed_by = NULL, line = coalesce(excluded.line, q.line),
            waits_for = CASE WHEN coalesce(excluded.line, q.line) IS NOT NULL THEN 'its turn' END
        WHERE p_tried IS NULL OR q.mtime < clock_timestamp() - p_tried * interval '1 millisecond'
        RETURNING q.queue_name, q.line
    )
    SELECT array_agg(DISTINCT queue_name), array_agg(line) FILTER (WHERE line IS NOT NULL) INTO queues, lines FROM enqueued;
    IF lines IS NOT NULL THEN
        PERFORM dramatiq.note_change(lines, false);
    END IF;
    PERFORM dramatiq.ring(queues);
END $$;

CREATE OR REPLACE FUNCTION dramatiq.send(
    actor text, kwargs jsonb DEFAULT '{}', delay interval DEFAULT '0', priority integer DEFAULT NULL,
    unique_key text DEFAULT NULL, key text DEFAULT NULL
) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    known dramatiq.actor;
    missing text[];
    unknown text[];
    id uuid := gen_random_uuid();
    due timestamptz := now() + greatest(delay, '0');
    body jsonb;
    written uuid;
    holder text;
    -- A key says what it is unique for, often a person's address; to compare keys their digests will do.
    digest text := encode(sha256(convert_to(unique_key, 'UTF8')), 'hex');
    its_line text;
    turn text;
BEGIN
    SELECT * INTO known FROM dramatiq.actor a WHERE a.name = actor;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'No actor is called %.', coalesce(quote_literal(actor), 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'There are: '
                || coalesce((SELECT string_agg(a.name, ', ' ORDER BY a.name) FROM dramatiq.actor a),
                            'none yet; publish them') || '.';
    END IF;
    IF jsonb_typeof(kwargs) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION 'The arguments of % must be a JSON object, not %.', actor,
            coalesce(jsonb_typeof(kwargs), 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'For example: {"name": "value"}.';
    END IF;
    IF octet_length(kwargs::text) > 1000000 THEN
        RAISE EXCEPTION 'The arguments of % have % bytes, more than 1000000.', actor, octet_length(kwargs::text)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Send an id instead of what it stands for.';
    END IF;
    SELECT array_agg(r) INTO missing FROM unnest(known.required) AS r WHERE NOT kwargs ? r;
    SELECT array_agg(k) INTO unknown FROM jsonb_object_keys(kwargs) AS k WHERE k <> ALL (known.accepted);
    IF missing IS NOT NULL OR unknown IS NOT NULL THEN
        -- Names only: the values may be a person's.
        RAISE EXCEPTION 'Actor % cannot be called with these arguments.', actor
            USING ERRCODE = 'invalid_parameter_value', HINT = concat_ws(' ',
                'Missing: ' || array_to_string(missing, ', ') || '.',
                'Unknown: ' || array_to_string(unknown, ', ') || '.',
                'It accepts: ' || coalesce(array_to_string(known.accepted, ', '),
                                           array_to_string(known.required, ', ') || ', and more') || '.');
    END IF;

    its_line := dramatiq.line_of(known.queue_name, coalesce(key, dramatiq.key_in(kwargs, known.key)));
    turn := CASE WHEN its_line IS NOT NULL THEN 'its turn' END;
    body := jsonb_build_object(
        'queue_name', known.queue_name, 'actor_name', actor, 'args', '[]'::jsonb, 'kwargs', kwargs,
        'options', '{}'::jsonb, 'message_timestamp', floor(extract(epoch FROM clock_timestamp()) * 1000));
    LOOP
        INSERT INTO dramatiq.queue AS q
            (message_id, queue_name, state, message, priority, available_at, delayed, unique_key, line, waits_for)
        VALUES (
            id, known.queue_name, 'queued', body || jsonb_build_object('message_id', id),
            coalesce(priority, known.priority), due, coalesce(delay > '0', false), digest, its_line, turn)
        ON CONFLICT DO NOTHING
        RETURNING q.message_id INTO written;
        EXIT WHEN FOUND;
        UPDATE dramatiq.queue AS q
        SET queue_name = known.queue_name, state = 'queued', mtime = now(), rescues = 0,
            message = body || jsonb_build_object('message_id', q.message_id),
            priority = coalesce(send.priority, known.priority), available_at = due,
            delayed = coalesce(delay > '0', false), line = its_line, waits_for = turn
        WHERE q.unique_key = digest AND q.state = 'rejected' AND q.message ->> 'actor_name' = actor
        RETURNING q.message_id INTO written;
        EXIT WHEN FOUND;
        SELECT q.message_id, q.message ->> 'actor_name' INTO written, holder
        FROM dramatiq.queue q WHERE q.unique_key = digest;
        CONTINUE WHEN NOT FOUND;  -- whoever held the key has just been purged
        IF holder IS DISTINCT FROM actor THEN
            RAISE EXCEPTION 'The unique key % belongs to a message for %.', quote_literal(unique_key), holder
                USING ERRCODE = 'unique_violation', HINT = 'Give the actors keys of their own.';
        END IF;
        RETURN written;
    END LOOP;
    PERFORM dramatiq.note_change(ARRAY[its_line], false);
    PERFORM dramatiq.ring(ARRAY[known.queue_name]);
    RETURN written;
END $$;

CREATE OR REPLACE FUNCTION dramatiq.exchange(
    p_worker bigint, p_queue text, p_done uuid[], p_attempts integer[], p_limit integer,
    p_pgmq_queue text DEFAULT NULL, p_actor text DEFAULT NULL, p_after uuid DEFAULT NULL
) RETURNS TABLE (message_id uuid, attempt integer, priority integer, message jsonb)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
-- The plan is the same whatever the statistics say, which lag behind a queue that fills and drains in seconds.
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    claimed integer := 0;
    moving integer;
    lowest integer := -2147483648;
    highest integer := 2147483647;
    since timestamptz := '-infinity';
    behind bigint := 0;
    paused boolean;
    lines text[];
    called bigint := 0;
BEGIN
    -- The state is compared as text so that only the primary key answers: with the index of claimed rows at hand, the
    -- planner walks it once for every row of the batch.
    WITH done AS (
        UPDATE dramatiq.queue AS q
        SET state = 'done', mtime = now(), claimed_by = NULL, error = NULL
        FROM unnest(p_done, p_attempts) AS finished (message_id, attempt)
        WHERE q.message_id = finished.message_id AND q.attempt = finished.attempt AND q.state::text = 'consumed'
        RETURNING q.line
    )
    SELECT array_agg(line) INTO lines FROM done WHERE line IS NOT NULL;
    IF lines IS NOT NULL THEN
        PERFORM dramatiq.note_change(lines, true);
    END IF;

    -- A worker that was given up for dead must say that it lives before it claims again.
    IF p_limit <= 0 OR NOT EXISTS (SELECT FROM dramatiq.worker WHERE id = p_worker) THEN
        IF lines IS NOT NULL THEN
            PERFORM dramatiq.ring(ARRAY[p_queue]);
        END IF;
        RETURN;
    END IF;

    paused := EXISTS (SELECT FROM dramatiq.current_pause WHERE queue_name = p_queue);
    IF NOT paused THEN
        WITH due AS (
            UPDATE dramatiq.queue AS q SET delayed = false
            WHERE q.message_id IN (
                SELECT message_id FROM dramatiq.queue
                WHERE queue_name = p_queue AND state = 'queued' AND delayed AND available_at <= now()
                ORDER BY available_at LIMIT p_limit FOR UPDATE SKIP LOCKED)
            RETURNING q.line, q.waits_for
        )
        SELECT array_agg(line) INTO lines FROM due WHERE waits_for = 'its turn';
        IF lines IS NOT NULL THEN
            PERFORM dramatiq.note_change(lines, false);
        END IF;
        IF EXISTS (SELECT FROM dramatiq.changed_line WHERE queue_name = p_queue AND at <= clock_timestamp()) THEN
            called := dramatiq.call_up(p_queue);
        END IF;

        IF p_after IS NULL THEN
            PERFORM dramatiq.take_up(p_worker, p_queue, p_limit);
        ELSE
            SELECT q.priority, q.priority, available_at, position INTO lowest, highest, since, behind
            FROM dramatiq.queue AS q WHERE q.message_id = p_after;
        END IF;

        RETURN QUERY
        WITH due AS MATERIALIZED (
            SELECT message_id FROM dramatiq.queue
            WHERE queue_name = p_queue AND state = 'queued' AND NOT delayed AND waits_for IS NULL
                AND priority BETWEEN lowest AND highest AND (available_at, position) > (since, behind)
            ORDER BY priority DESC, available_at, position
            LIMIT p_limit
            FOR UPDATE SKIP LOCKED
        ), taken AS (
            UPDATE dramatiq.queue AS q
            SET state = 'consumed', claimed_by = p_worker, attempt = q.attempt + 1, mtime = now()
            FROM due WHERE q.message_id = due.message_id
            RETURNING q.message_id, q.attempt, q.priority, q.message, q.available_at, q.position
        )
        SELECT message_id, attempt, priority, message FROM taken ORDER BY priority DESC, available_at, position;
        GET DIAGNOSTICS claimed = ROW_COUNT;
        IF called > claimed OR called IS NULL THEN
            PERFORM dramatiq.ring(ARRAY[p_queue]); -- for whoever sleeps while there is more than this worker takes
        END IF;
    END IF;

    IF p_pgmq_queue IS NOT NULL THEN
        moving := dramatiq.most_moved(p_worker, p_queue, p_pgmq_queue, p_actor, p_limit, claimed, p_after IS NULL);
        IF moving > 0 THEN
            RETURN QUERY
            SELECT message_id, attempt, priority, message
            FROM dramatiq.bridge(p_worker, p_queue, p_pgmq_queue, p_actor, moving, p_limit - claimed);
        END IF;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION dramatiq.finish(p_id uuid, p_attempt integer) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    its_line text;
    ours boolean;
BEGIN
    UPDATE dramatiq.queue SET state = 'done', mtime = now(), claimed_by = NULL, error = NULL
    WHERE message_id = p_id AND attempt = p_attempt AND state = 'consumed'
    RETURNING line INTO its_line;
    ours := FOUND;
    PERFORM dramatiq.leave_lines(ARRAY[its_line]);
    RETURN ours;
END $$;

CREATE OR REPLACE FUNCTION dramatiq.take_up(p_worker bigint, p_queue text, p_limit integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (SELECT FROM dramatiq.queue
                   WHERE queue_name = p_queue AND state = 'queued' AND waits_for IS NOT NULL) THEN
        RETURN;
    END IF;
    UPDATE dramatiq.queue AS q SET waits_for = NULL
    WHERE q.message_id IN (
        SELECT mine.message_id
        FROM (SELECT unnest(abilities) FROM dramatiq.worker WHERE id = p_worker) AS able (ability), LATERAL (
            SELECT message_id FROM dramatiq.queue
            WHERE queue_name = p_queue AND state = 'queued' AND waits_for = able.ability
            ORDER BY priority DESC, available_at, position LIMIT p_limit
            FOR UPDATE SKIP LOCKED
        ) AS mine);
END $$;

DO $$
DECLARE
    queue text;
BEGIN
    FOR queue IN SELECT queue_name FROM pgmq.meta LOOP
        EXECUTE format('CREATE VIEW pgmq.%I AS SELECT msg_id, message FROM pgmq.%I
                        UNION ALL SELECT pgmq_msg_id, message FROM dramatiq.queue', queue, 'q_' || queue);
    END LOOP;
END $$;
