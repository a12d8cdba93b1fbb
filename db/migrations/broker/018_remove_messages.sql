-- Removes messages: by age, and by whom they speak of.

CREATE FUNCTION dramatiq.purge(p_ids uuid[], p_state dramatiq.state, p_before timestamptz) RETURNS bigint
LANGUAGE sql AS $$
    -- What somebody is just sending back to work is locked, and stays.
    WITH old AS (
        SELECT message_id FROM dramatiq.queue
        WHERE message_id = ANY (p_ids) AND state = p_state AND mtime < p_before
        FOR UPDATE SKIP LOCKED
    ), purged AS (
        DELETE FROM dramatiq.queue WHERE message_id IN (TABLE old) RETURNING 1
    )
    SELECT count(*) FROM purged;
$$;
COMMENT ON FUNCTION dramatiq.purge IS
'Deletes those of these messages that are still in this state, since before p_before; returns how many.';

CREATE FUNCTION dramatiq.archived(
    p_pgmq_queue text, p_before timestamptz, p_at timestamptz, p_after bigint, p_rows integer
) RETURNS TABLE (msg_id bigint, archived_at timestamptz, bytes integer)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog
AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT msg_id, archived_at, pg_column_size(message) FROM pgmq.%I
         WHERE archived_at < $1 AND archived_at >= $2 AND (archived_at, msg_id) > ($2, $3)
         ORDER BY archived_at, msg_id LIMIT $4', 'a_' || p_pgmq_queue)
    USING p_before, coalesce(p_at, '-infinity'), coalesce(p_after, 0), p_rows;
END $$;
COMMENT ON FUNCTION dramatiq.archived IS
'A page of what pgmq archived before p_before, after the message p_after of the time p_at: at most p_rows.';

CREATE FUNCTION dramatiq.purge_archive(p_pgmq_queue text, p_msg_ids bigint[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
DECLARE
    purged bigint;
BEGIN
    EXECUTE format('DELETE FROM pgmq.%I WHERE msg_id = ANY ($1)', 'a_' || p_pgmq_queue) USING p_msg_ids;
    GET DIAGNOSTICS purged = ROW_COUNT;
    RETURN purged;
END $$;
COMMENT ON FUNCTION dramatiq.purge_archive IS
'Deletes these messages from a pgmq queue''s archive; returns how many there were.';

CREATE FUNCTION dramatiq.forget(p_speaks_of regproc, p_subject jsonb, p_kept_actors text[])
RETURNS TABLE (place text, removed bigint, remaining bigint)
LANGUAGE plpgsql AS $$
DECLARE
    kept_queue text;
    keeps boolean;
    affected bigint;
BEGIN
    -- In the order in which messages move on: what another transaction has moved meanwhile is met again further down.
    place := 'pgmq';
    removed := 0;
    remaining := 0;
    FOR kept_queue, keeps IN
        SELECT kind || m.queue_name, kind = 'q_' AND a.name = ANY (p_kept_actors)
        FROM dramatiq.actor a JOIN pgmq.meta m ON m.queue_name = a.pgmq_queue, (VALUES ('q_'), ('a_')) AS k (kind)
        ORDER BY m.queue_name, kind DESC
    LOOP
        EXECUTE format('%s FROM pgmq.%I WHERE %s(message::text, message, $1)',
                       CASE WHEN keeps THEN 'SELECT' ELSE 'DELETE' END, kept_queue, p_speaks_of)
        USING p_subject;
        GET DIAGNOSTICS affected = ROW_COUNT;
        removed := removed + CASE WHEN keeps THEN 0 ELSE affected END;
        remaining := remaining + CASE WHEN keeps THEN affected ELSE 0 END;
    END LOOP;
    RETURN NEXT;

    place := 'broker';
    EXECUTE format(
        'WITH theirs AS (
             SELECT message_id,
                    state = ''consumed'' OR state <> ''done'' AND message ->> ''actor_name'' = ANY ($2) AS stays
             FROM dramatiq.queue
             WHERE %s(concat_ws('' '', message, unique_key, error), message -> ''kwargs'', $1)
             FOR UPDATE
         ), deleted AS (
             DELETE FROM dramatiq.queue q USING theirs t WHERE q.message_id = t.message_id AND t.stays IS NOT TRUE
         )
         SELECT count(*) FILTER (WHERE stays IS NOT TRUE), count(*) FILTER (WHERE stays) FROM theirs', p_speaks_of)
    INTO removed, remaining USING p_subject, p_kept_actors;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION dramatiq.forget IS
'Removes the messages that speak of a subject from the pgmq queues and archives of all routes and from the broker; says
how many of each, and how many remain: what a worker holds right now, and what waits for one of p_kept_actors.
p_speaks_of: the function (text of the message, its arguments, p_subject) that knows.';
