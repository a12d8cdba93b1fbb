-- Removes messages: by age, and by whom they speak of.

CREATE FUNCTION dramatiq.purge(p_done_before timestamptz, p_dead_before timestamptz, p_batch integer) RETURNS bigint
LANGUAGE sql AS $$
    -- What somebody is just sending back to work is locked, and stays.
    WITH done AS (
        SELECT message_id FROM dramatiq.queue WHERE state = 'done' AND mtime < p_done_before
        LIMIT p_batch FOR UPDATE SKIP LOCKED
    ), dead AS (
        SELECT message_id FROM dramatiq.queue WHERE state = 'rejected' AND mtime < p_dead_before
        LIMIT p_batch FOR UPDATE SKIP LOCKED
    ), purged AS (
        DELETE FROM dramatiq.queue WHERE message_id IN (TABLE done UNION ALL TABLE dead) RETURNING 1
    )
    SELECT count(*) FROM purged;
$$;
COMMENT ON FUNCTION dramatiq.purge IS
'Deletes at most p_batch messages done before p_done_before or dead since before p_dead_before; returns how many.';

CREATE FUNCTION dramatiq.purge_archives(p_before timestamptz, p_batch integer) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
DECLARE
    queue text;
    purged bigint;
    total bigint := 0;
BEGIN
    FOR queue IN SELECT a.pgmq_queue FROM dramatiq.actor a JOIN pgmq.meta m ON m.queue_name = a.pgmq_queue LOOP
        EXECUTE format('DELETE FROM pgmq.%1$I WHERE msg_id IN (
                            SELECT msg_id FROM pgmq.%1$I WHERE archived_at < $1 LIMIT $2)', 'a_' || queue)
        USING p_before, p_batch;
        GET DIAGNOSTICS purged = ROW_COUNT;
        total := total + purged;
    END LOOP;
    RETURN total;
END $$;
COMMENT ON FUNCTION dramatiq.purge_archives IS
'Deletes at most p_batch archived messages of each routed queue from before p_before; returns how many.';

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
