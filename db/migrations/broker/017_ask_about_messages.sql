-- Lets the application's SQL ask about its messages and work on them, so that it need not know the broker's tables.

CREATE FUNCTION dramatiq.kept(p_id uuid) RETURNS dramatiq.queue
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_one dramatiq.queue;
BEGIN
    SELECT * INTO found_one FROM dramatiq.live WHERE message_id = p_id;
    IF NOT FOUND THEN
        SELECT * INTO found_one FROM dramatiq.done WHERE message_id = p_id;
    END IF;
    RETURN found_one;
END $$;
COMMENT ON FUNCTION dramatiq.kept IS
'A message, of whatever state; NULLs where it is not kept. Asked first where most are that anybody asks for: of the days
each has an index of its own.';

CREATE FUNCTION dramatiq.is_pending(p_id uuid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN EXISTS (SELECT FROM dramatiq.live WHERE message_id = p_id AND state IN ('queued', 'consumed'));
END $$;
COMMENT ON FUNCTION dramatiq.is_pending IS
'Whether a message waits or runs; false where it is done, dead or gone. In plpgsql, which keeps its plan: it is asked
once for each of many rows.';

CREATE FUNCTION dramatiq.sent_at(p_id text) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN to_timestamp(((dramatiq.kept(p_id::uuid)).message ->> 'message_timestamp')::bigint / 1000.0);
END $$;
COMMENT ON FUNCTION dramatiq.sent_at IS
'When a message was sent, to the millisecond, by its sender''s clock or that of the pgmq queue it came from; NULL where
it is not kept here.';

CREATE FUNCTION dramatiq.due_since(p_id text) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    kept dramatiq.queue := dramatiq.kept(p_id::uuid);
BEGIN
    RETURN CASE WHEN kept.message #> '{options,retries}' IS NULL THEN kept.available_at
                ELSE least(kept.available_at, dramatiq.sent_at(p_id)) END;
END $$;
COMMENT ON FUNCTION dramatiq.due_since IS
'Since when a message has been due; of one that was tried before, only when it was sent is known. NULL where it is not
kept here.';

CREATE FUNCTION dramatiq.pending_arguments(p_queue text, p_argument text) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT argument
    FROM (
        SELECT message FROM dramatiq.live
        WHERE queue_name = p_queue AND state = 'queued' AND NOT delayed AND waits_for IS NULL
        UNION ALL
        SELECT message FROM dramatiq.live WHERE queue_name = p_queue AND state = 'queued' AND waits_for IS NOT NULL
        UNION ALL
        SELECT message FROM dramatiq.live WHERE queue_name = p_queue AND state = 'queued' AND delayed
        UNION ALL
        SELECT message FROM dramatiq.live WHERE queue_name = p_queue AND state = 'consumed'
    ) AS pending, LATERAL (SELECT message #>> ARRAY['kwargs', p_argument]) AS given (argument)
    WHERE argument IS NOT NULL;
$$;
COMMENT ON FUNCTION dramatiq.pending_arguments IS
'What the messages of a queue that wait or run were given for one argument. Four reads, because each has its own small
index: a single one would walk what was given up, too.';

CREATE FUNCTION dramatiq.is_waiting(p_queue text, p_arguments jsonb) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM dramatiq.live
        WHERE queue_name = p_queue AND state = 'queued' AND NOT delayed AND waits_for IS NULL
            AND message -> 'kwargs' @> p_arguments
        UNION ALL
        SELECT FROM dramatiq.live
        WHERE queue_name = p_queue AND state = 'queued' AND NOT delayed AND waits_for = 'its turn'
            AND message -> 'kwargs' @> p_arguments);
$$;
COMMENT ON FUNCTION dramatiq.is_waiting IS
'Whether a message with these arguments is due, or waits for its turn, that no worker has claimed or set aside.';

CREATE FUNCTION dramatiq.send_again(p_id uuid) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    kept dramatiq.queue := dramatiq.kept(p_id);
    body jsonb := kept.message #- '{options,retries}' #- '{options,traceback}' #- '{options,failure}' || jsonb_build_object(
        'message_timestamp', floor(extract(epoch FROM clock_timestamp()) * 1000));
BEGIN
    IF kept.message_id IS NULL THEN
        RETURN false;
    END IF;
    PERFORM dramatiq.enqueue(body::text, ARRAY[kept.priority], 0, NULL, ARRAY[kept.line]);
    RETURN true;
END $$;
COMMENT ON FUNCTION dramatiq.send_again IS
'Enqueues a message anew, whatever became of it, with a clean record of retries; false where it is no longer kept.';

CREATE FUNCTION dramatiq.take_along(p_queue text, p_actor text, p_pgmq_queue text, p_limit integer)
RETURNS TABLE (message_id uuid, msg_id bigint, sent_at timestamptz, arguments text, sealed text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    due uuid[];
BEGIN
    IF EXISTS (SELECT FROM dramatiq.current_pause WHERE queue_name = p_queue) THEN
        RETURN;
    END IF;
    due := dramatiq.take_due(p_queue, p_limit, 'along', p_actor);
    RETURN QUERY
    SELECT q.message_id, NULL::bigint, to_timestamp((q.message ->> 'message_timestamp')::bigint / 1000.0),
           q.message ->> 'kwargs', q.message ->> 'sealed'
    FROM dramatiq.live q
    WHERE q.message_id = ANY (due)
    ORDER BY q.priority DESC, q.available_at, q.position;
    IF to_regclass(format('pgmq.%I', 'q_' || p_pgmq_queue)) IS NOT NULL THEN
        RETURN QUERY EXECUTE format(
            'SELECT NULL::uuid, msg_id, enqueued_at, message::text, NULL::text FROM pgmq.%I
             WHERE msg_id = ANY ($1) ORDER BY msg_id', 'q_' || p_pgmq_queue)
        USING ARRAY(SELECT v.msg_id FROM dramatiq.visible(p_pgmq_queue, p_limit) AS v ORDER BY v.msg_id LIMIT p_limit);
    END IF;
END $$;
COMMENT ON FUNCTION dramatiq.take_along IS
'Messages that an actor may work on beside its own: p_limit at most that are due here and that nobody has claimed, and
as many that wait in pgmq (those have a msg_id) and no other reader holds. They stay locked until the caller''s
transaction ends. None of a paused queue. Where `sealed` is given, what they say is in there.';

CREATE FUNCTION dramatiq.finish_along(p_pgmq_queue text, p_ids uuid[], p_msg_ids bigint[], p_drop boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lines text[];
BEGIN
    SELECT f.lines INTO lines FROM dramatiq.finish_all(p_ids, NULL) AS f;
    PERFORM dramatiq.leave_lines(lines);
    IF p_drop THEN
        PERFORM dramatiq.drop_to_archive(p_pgmq_queue, p_msg_ids);
    ELSIF p_msg_ids <> '{}' THEN
        PERFORM pgmq.archive(p_pgmq_queue, p_msg_ids);
    END IF;
    PERFORM dramatiq.note_moved(p_pgmq_queue, p_msg_ids[cardinality(p_msg_ids)]) WHERE p_msg_ids <> '{}';
END $$;
COMMENT ON FUNCTION dramatiq.finish_along IS
'Marks done what this transaction took along and worked on; nobody held a claim on it. p_drop: pgmq''s
archive is not to keep what it said.';

CREATE FUNCTION dramatiq.hasten(p_ids uuid[], p_pressing bigint DEFAULT 0) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    queues text[];
    lines text[];
BEGIN
    -- In the order in which acks lock them.
    PERFORM FROM dramatiq.live WHERE message_id = ANY (p_ids) ORDER BY message_id FOR NO KEY UPDATE;
    WITH hastened AS (
        UPDATE dramatiq.live q
        SET delayed = false, available_at = now() + place * interval '1 microsecond' - interval '1 second',
            priority = CASE WHEN place <= p_pressing THEN 2147483647 ELSE priority END,
            hastened = CASE WHEN state = 'consumed' THEN attempt END
        FROM unnest(p_ids) WITH ORDINALITY AS wanted (id, place)
        WHERE q.message_id = ANY (ARRAY[wanted.id]) AND (q.state = 'queued' AND q.delayed OR q.state = 'consumed')
        RETURNING q.queue_name, q.line
    )
    SELECT array_agg(DISTINCT queue_name), array_agg(line) INTO queues, lines FROM hastened;
    PERFORM dramatiq.note_change(lines, false);
    PERFORM dramatiq.ring(queues);
END $$;
COMMENT ON FUNCTION dramatiq.hasten IS
'Makes messages that wait for their time due at once, in this order; the first p_pressing of them before all others of
their queue, whatever its priorities. One that is running may be about to be put back for a time that somebody chose
before: if it is, it takes its place in this order all the same.';

CREATE FUNCTION dramatiq.marks_in(p_text text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(array_agg(DISTINCT mark[1]), '{}')
    FROM regexp_matches(lower(p_text), '[0-9a-f]{8}-[0-9a-f]{4}-|[[:alnum:]]{0,40}@', 'g') AS mark;
$$;
COMMENT ON FUNCTION dramatiq.marks_in IS
'By what a text is found that names a uuid or an address: of each uuid how it begins, of each address the last word before
its @, 40 letters of it at most, for an index takes none of any length. No two of them can overlap, so none is missed,
whatever stands around them.';

CREATE FUNCTION dramatiq.marks_of(p_message jsonb, p_error text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT dramatiq.marks_in(concat_ws(' ', p_message, p_error));
$$;
COMMENT ON FUNCTION dramatiq.marks_of IS
'The marks of what a message says, and its failure.';

-- What was given up stays for months, and may be much; nothing else pays for this.
CREATE INDEX queue_given_up_by_mark ON dramatiq.live
    USING gin (dramatiq.marks_of(message, error)) WITH (fastupdate = off)
    WHERE state IN ('rejected', 'cancelled');

CREATE FUNCTION dramatiq.messages_about(p_ids uuid[], p_speaks_of regproc, p_subject jsonb, p_names text)
RETURNS TABLE (message_id uuid, actor text, state dramatiq.state, sent_at timestamptz, due_at timestamptz,
               changed_at timestamptz, attempt integer, failure text, waits_for text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT q.message_id, q.message ->> ''actor_name'', q.state,
                to_timestamp((q.message ->> ''message_timestamp'')::numeric / 1000), q.available_at, q.mtime, q.attempt, q.error,
                q.waits_for
         FROM (
             SELECT unnest($1)
             UNION
             SELECT said.message_id FROM (
                 SELECT u.message_id, concat_ws('' '', u.message, u.error) AS text, u.message -> ''kwargs'' AS arguments
                 FROM (
                     SELECT * FROM dramatiq.live WHERE state = ''queued'' AND NOT delayed AND waits_for IS NULL
                     UNION ALL SELECT * FROM dramatiq.live WHERE state = ''queued'' AND waits_for IS NOT NULL
                     UNION ALL SELECT * FROM dramatiq.live WHERE state = ''queued'' AND delayed
                     UNION ALL SELECT * FROM dramatiq.live WHERE state = ''consumed''
                     UNION ALL SELECT * FROM dramatiq.live WHERE state IN (''rejected'', ''cancelled'')
                         AND dramatiq.marks_of(message, error) && $3
                 ) AS u
                 OFFSET 0 -- columns as arguments let the function that knows be inlined
             ) AS said
             WHERE %s(said.text, said.arguments, $2)
         ) AS wanted (id), LATERAL dramatiq.kept(wanted.id) AS q
         WHERE q.message_id IS NOT NULL', p_speaks_of)
    USING p_ids, p_subject, dramatiq.marks_in(p_names);
END $$;
COMMENT ON FUNCTION dramatiq.messages_about IS
'These messages, and those that speak of a subject and are not done: p_speaks_of is the function (text of the message,
its arguments, p_subject) that knows, p_names the uuids and addresses of which a message that speaks of it names one. What
an encrypted one says, only its ids tell. Each state has a small index, and what they find is found by its id: an OR of the
two would walk what is done.';

CREATE FUNCTION dramatiq.pgmq_messages_about(p_speaks_of regproc, p_subject jsonb)
RETURNS TABLE (pgmq_queue text, msg_id bigint, actor text, sent_at timestamptz, visible_at timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    waiting record;
BEGIN
    FOR waiting IN SELECT * FROM dramatiq.routed_tables() AS r WHERE r.actor_name IS NOT NULL LOOP
        RETURN QUERY EXECUTE format(
            'SELECT $1, msg_id, $2, enqueued_at, vt FROM pgmq.%I WHERE %s(message::text, message, $3)',
            waiting.table_name, p_speaks_of)
        USING substr(waiting.table_name, 3), waiting.actor_name, p_subject;
    END LOOP;
END $$;
COMMENT ON FUNCTION dramatiq.pgmq_messages_about IS
'The messages that wait in pgmq for the bridge and speak of a subject, as dramatiq.messages_about finds its own.';

CREATE FUNCTION dramatiq.messages_between(p_low uuid, p_high uuid) RETURNS SETOF uuid
LANGUAGE sql STABLE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT message_id FROM dramatiq.queue WHERE message_id BETWEEN p_low AND p_high ORDER BY message_id LIMIT 20;
$$;
COMMENT ON FUNCTION dramatiq.messages_between IS
'The first messages whose ids are in this range: those that begin with some letters.';

CREATE FUNCTION dramatiq.trace_of(p_message_id text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN p_message_id ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN coalesce(
        substring((dramatiq.kept(p_message_id::uuid)).message #>> '{options,trace}' FROM '^[0-9a-f]{32}$'),
        replace(lower(p_message_id), '-', '')) END;
$$;
COMMENT ON FUNCTION dramatiq.trace_of IS
'The trace that a message is part of: what it carries, or else its own id without dashes. NULL for what is no message''s id.';

CREATE FUNCTION dramatiq.traced(p_trace text) RETURNS SETOF uuid
LANGUAGE sql STABLE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT q.message_id FROM dramatiq.queue q
    WHERE q.message #>> '{options,trace}' = p_trace AND q.pgmq_msg_id IS NULL
    UNION ALL
    SELECT since.message_id
    FROM (
        SELECT q.message_id, q.pgmq_msg_id, q.message FROM dramatiq.done q
        WHERE q.mtime >= dramatiq.trace_began(p_trace) - interval '1 minute'
        ORDER BY q.mtime, q.message_id LIMIT 30000
    ) AS since
    WHERE since.pgmq_msg_id IS NOT NULL AND since.message #>> '{options,trace}' = p_trace
    LIMIT 1000;
$$;
COMMENT ON FUNCTION dramatiq.traced IS
'The messages that carry this trace, not the one whose id it is; of those that pgmq was sent only what is done, among the
first 30,000 that were done since the trace began.';
