-- Pauses queues: nothing of a paused one is claimed, and nothing is lost.

CREATE TABLE dramatiq.pause (
    queue_name text PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT now(),
    until timestamptz,                                   -- NULL: until somebody resumes it
    who text NOT NULL,
    reason text NOT NULL CHECK (reason <> '')
);
COMMENT ON TABLE dramatiq.pause IS
'Queues that a person has paused. One whose time has passed goes on by itself; its row is purged later.';

CREATE VIEW dramatiq.current_pause AS
SELECT * FROM dramatiq.pause WHERE until IS NULL OR until > clock_timestamp();
COMMENT ON VIEW dramatiq.current_pause IS
'The queues that are paused now. A view, so that a claim''s look at it is planned with the claim.';

CREATE FUNCTION dramatiq.pause_queue(p_queue text, p_until timestamptz, p_who text, p_reason text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF p_until <= clock_timestamp() THEN
        RAISE EXCEPTION 'A pause until % would be over already.', p_until
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Name a time that lies ahead, or none.';
    END IF;
    INSERT INTO dramatiq.pause AS p (queue_name, until, who, reason) VALUES (p_queue, p_until, p_who, p_reason)
    ON CONFLICT (queue_name) DO UPDATE
    SET since = CASE WHEN p.until <= clock_timestamp() THEN now() ELSE p.since END,
        until = excluded.until, who = excluded.who, reason = excluded.reason;
END $$;
COMMENT ON FUNCTION dramatiq.pause_queue IS
'From now on nothing of this queue is claimed, until p_until or, where that is NULL, until dramatiq.resume_queue. What a
worker holds goes on. pgmq''s messages are moved here all the while, where people find them. Said again, the pause ends
when the last one says.';

CREATE FUNCTION dramatiq.resume_queue(p_queue text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ended timestamptz;
BEGIN
    DELETE FROM dramatiq.pause WHERE queue_name = p_queue RETURNING coalesce(until, 'infinity') INTO ended;
    PERFORM dramatiq.ring(ARRAY[p_queue]);
    RETURN coalesce(ended > clock_timestamp(), false);
END $$;
COMMENT ON FUNCTION dramatiq.resume_queue IS
'Lets a queue go on at once; false where it was not paused.';

CREATE FUNCTION dramatiq.purge_pauses() RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    WITH purged AS (DELETE FROM dramatiq.pause WHERE until <= clock_timestamp() RETURNING 1) SELECT count(*) FROM purged;
$$;
COMMENT ON FUNCTION dramatiq.purge_pauses IS
'Deletes the pauses whose time has passed; returns how many.';
