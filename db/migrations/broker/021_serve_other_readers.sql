-- Lets readers that are no workers of ours take messages from pgmq, with answers that a program can use.

CREATE FUNCTION dramatiq.check_pgmq_queue(queue_name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pgmq.meta m WHERE m.queue_name = $1) THEN
        RAISE EXCEPTION 'No pgmq queue is called %.', coalesce(quote_literal($1), 'NULL')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'There are: ' || (SELECT string_agg(m.queue_name, ', ' ORDER BY m.queue_name) FROM pgmq.meta m);
    END IF;
END $$;
COMMENT ON FUNCTION dramatiq.check_pgmq_queue IS
'Raises where pgmq has no such queue; pgmq itself would name a missing table.';

CREATE FUNCTION dramatiq.read_pgmq(queue_name text, vt integer) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM dramatiq.check_pgmq_queue($1);
    RETURN (SELECT jsonb_build_object(
                'msg_id', r.msg_id, 'read_ct', r.read_ct, 'enqueued_at', r.enqueued_at, 'vt', r.vt,
                'message', r.message, 'msg', r.message)
            FROM pgmq.read($1, $2, 1) AS r);
END $$;
COMMENT ON FUNCTION dramatiq.read_pgmq IS
'One visible message as one object, hidden from other readers for vt seconds; NULL where there is none.';

CREATE FUNCTION dramatiq.archive_pgmq(queue_name text, msg_id bigint) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM dramatiq.check_pgmq_queue($1);
    RETURN coalesce(pgmq.archive($1, $2), false);
END $$;
COMMENT ON FUNCTION dramatiq.archive_pgmq IS
'Done with a message: true where it was there to archive.';

CREATE FUNCTION dramatiq.nack_pgmq(queue_name text, msg_id bigint) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM dramatiq.check_pgmq_queue($1);
    RETURN EXISTS (SELECT FROM pgmq.set_vt($1, $2, 0));
END $$;
COMMENT ON FUNCTION dramatiq.nack_pgmq IS
'Not done with a message: it is visible again at once; true where it was there.';

CREATE FUNCTION dramatiq.other_readers(p_within interval)
RETURNS TABLE (pgmq_queue text, messages bigint, latest timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    route text;
BEGIN
    FOR route IN
        SELECT a.pgmq_queue FROM dramatiq.actor a
        WHERE to_regclass('pgmq.' || quote_ident('a_' || a.pgmq_queue)) IS NOT NULL ORDER BY 1
    LOOP
        RETURN QUERY EXECUTE format(
            'SELECT %1$L, count(*), max(read.at)
             FROM (SELECT archived_at FROM pgmq.%2$I a
                   WHERE read_ct > 0 AND archived_at > now() - $1 AND NOT EXISTS (
                       SELECT FROM dramatiq.queue q WHERE q.pgmq_queue = %1$L AND q.pgmq_msg_id = a.msg_id)
                   UNION ALL
                   SELECT now() FROM pgmq.%3$I WHERE read_ct > 0 AND vt > now()) AS read (at)
             HAVING count(*) > 0', route, 'a_' || route, 'q_' || route)
        USING p_within;
    END LOOP;
END $$;
COMMENT ON FUNCTION dramatiq.other_readers IS
'Readers beside our workers: what they hold at the moment, and what they archived in the time given. The bridge reads
without counting, so a message that was read by pgmq''s own means was read by somebody else.';
