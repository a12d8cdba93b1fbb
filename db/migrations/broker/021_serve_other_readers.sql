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
