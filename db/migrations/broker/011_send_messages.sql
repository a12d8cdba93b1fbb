-- Sends messages to actors: the broker's own way, and the one from SQL.

CREATE FUNCTION dramatiq.start_over(p_ids uuid[], p_built bigint, p_tried bigint DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp -- whoever sends may delete nothing else
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    built timestamptz := to_timestamp(greatest(0, least(p_built, 1e13)) / 1000) - interval '1 day';
    known uuid[];
BEGIN
    SELECT array_agg(ended.message_id) INTO known
    FROM unnest(p_ids) AS sent (message_id), LATERAL (
        SELECT d.message_id FROM dramatiq.done AS d
        WHERE d.message_id = sent.message_id AND d.mtime >= built
        OFFSET 0 -- each id is looked up: a join, or a range that ends, makes the planner read all that was done today
    ) AS ended;
    IF known IS NULL THEN
        RETURN;
    END IF;
    DELETE FROM dramatiq.live AS q USING dramatiq.done AS d
    WHERE q.message_id = ANY (known) AND d.message_id = q.message_id
        AND d.mtime >= clock_timestamp() - p_tried * interval '1 millisecond';
    WITH ended AS (
        DELETE FROM dramatiq.done AS d USING dramatiq.live AS q
        WHERE d.message_id = ANY (known) AND q.message_id = d.message_id
        RETURNING d.message_id, d.attempt, d.unique_key
    )
    UPDATE dramatiq.live AS q
    SET attempt = q.attempt + ended.attempt + 1, unique_key = ended.unique_key
    FROM ended WHERE q.message_id = ended.message_id;
END $$;
COMMENT ON FUNCTION dramatiq.start_over IS
'Lets those of these messages, which the caller has just put into dramatiq.live, that were done before begin under a new
fence, and forgets that end; as dramatiq.enqueue does it with what is live. No index spans both, so what was done is looked
for afterwards: whoever acks such a message meanwhile has committed by then. None was done before it was built (p_built:
when the first of them was, in milliseconds since 1970), so that few days are looked at; a day for clocks that differ.
p_tried as dramatiq.enqueue has it: one that was done since then stays so.';

CREATE FUNCTION dramatiq.enqueue(
    p_messages text, p_priorities integer[], p_delay bigint, p_tried bigint, p_lines text[] DEFAULT NULL,
    p_built bigint DEFAULT 0
) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    queues text[];
    lines text[];
    ids uuid[];
BEGIN
    WITH enqueued AS (
        INSERT INTO dramatiq.live AS q
            (message_id, queue_name, state, message, priority, available_at, delayed, position, line, waits_for)
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
        RETURNING q.queue_name, q.line, q.message_id
    )
    SELECT array_agg(DISTINCT queue_name), array_agg(line) FILTER (WHERE line IS NOT NULL),
           array_agg(message_id) FILTER (WHERE p_built IS NOT NULL)
    INTO queues, lines, ids FROM enqueued;
    IF ids IS NOT NULL THEN
        PERFORM dramatiq.start_over(ids, p_built, p_tried);
    END IF;
    IF lines IS NOT NULL THEN
        PERFORM dramatiq.note_change(lines, false);
    END IF;
    PERFORM dramatiq.ring(queues);
END $$;
COMMENT ON FUNCTION dramatiq.enqueue IS
'Enqueues messages, each due in p_delay milliseconds. p_messages: as Dramatiq encodes them, with U+001E (which JSON
escapes) between: splitting text is cheaper than taking a JSON array apart. p_priorities and p_lines (NULL: none): one for
each of them. p_built: when the first of them was built, in milliseconds since 1970; NULL: just now, so none was done before.
A message id that exists already starts over under a new fence, so an ack of its old claim changes nothing. Where the
answer to a first try, p_tried milliseconds ago, was lost, one that was written since then stays as it is: by that
try. They are written in the order of their ids, so that two senders of the same messages cannot deadlock, and keep the
order in which they were sent by their positions. In plpgsql, which keeps its plans: planning costs more than inserting
one message.';

CREATE TABLE dramatiq.taken_key (
    unique_key text PRIMARY KEY,                         -- its SHA-256
    message_id uuid NOT NULL
);
COMMENT ON TABLE dramatiq.taken_key IS
'The unique keys of the messages that are kept, and whose they are: no table of dramatiq.queue knows those of all others.';

CREATE FUNCTION dramatiq.release_key() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM dramatiq.taken_key
    WHERE (unique_key, message_id) = (OLD.unique_key, OLD.message_id)
      AND NOT EXISTS (SELECT FROM dramatiq.queue WHERE message_id = OLD.message_id); -- it is done, or starts over
    RETURN NULL;
END $$;
COMMENT ON FUNCTION dramatiq.release_key IS
'Gives a unique key back with the message that had it, however that is removed.';

CREATE TRIGGER release_key AFTER DELETE ON dramatiq.queue FOR EACH ROW WHEN (OLD.unique_key IS NOT NULL)
EXECUTE FUNCTION dramatiq.release_key();

CREATE FUNCTION dramatiq.send(
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
    written := id;
    WHILE digest IS NOT NULL LOOP
        INSERT INTO dramatiq.taken_key (unique_key, message_id) VALUES (digest, id) ON CONFLICT DO NOTHING;
        EXIT WHEN FOUND;
        SELECT k.message_id INTO written FROM dramatiq.taken_key k WHERE k.unique_key = digest;
        CONTINUE WHEN NOT FOUND;  -- whoever held the key has just been purged
        UPDATE dramatiq.live AS q
        SET queue_name = known.queue_name, state = 'queued', mtime = now(), rescues = 0,
            message = body || jsonb_build_object('message_id', q.message_id),
            priority = coalesce(send.priority, known.priority), available_at = due,
            delayed = coalesce(delay > '0', false), line = its_line, waits_for = turn
        WHERE q.message_id = written AND q.state = 'rejected' AND q.message ->> 'actor_name' = actor;
        EXIT WHEN FOUND;
        SELECT q.message ->> 'actor_name' INTO holder FROM dramatiq.queue q WHERE q.message_id = written;
        IF NOT FOUND THEN  -- the whole table was emptied, say
            UPDATE dramatiq.taken_key AS k SET message_id = id WHERE (k.unique_key, k.message_id) = (digest, written);
            written := id;
            EXIT WHEN FOUND;
        ELSIF holder IS DISTINCT FROM actor THEN
            RAISE EXCEPTION 'The unique key % belongs to a message for %.', quote_literal(unique_key), holder
                USING ERRCODE = 'unique_violation', HINT = 'Give the actors keys of their own.';
        ELSE
            RETURN written;
        END IF;
    END LOOP;
    IF written = id THEN
        INSERT INTO dramatiq.live
            (message_id, queue_name, state, message, priority, available_at, delayed, unique_key, line, waits_for)
        VALUES (
            id, known.queue_name, 'queued', body || jsonb_build_object('message_id', id),
            coalesce(priority, known.priority), due, coalesce(delay > '0', false), digest, its_line, turn);
    END IF;
    PERFORM dramatiq.note_change(ARRAY[its_line], false);
    PERFORM dramatiq.ring(ARRAY[known.queue_name]);
    RETURN written;
END $$;
COMMENT ON FUNCTION dramatiq.send IS
'Sends a message to an actor from SQL, in the caller''s transaction; returns its id. A unique key that is taken makes
it a no-op that returns the first message''s id, until that is purged. A dead letter that holds the key starts over as
this message, under its own id: nobody else would run it, and a redrive of it beside this one would do the work twice.
key: its line''s, instead of what the actor''s argument says.';
