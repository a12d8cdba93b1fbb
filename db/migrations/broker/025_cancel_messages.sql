-- Cancels messages that wait or run, and discards those that are given up: a person's word, kept with the message.

CREATE TABLE dramatiq.cancellation (
    message_id uuid PRIMARY KEY,
    asked_at timestamptz NOT NULL DEFAULT now(),
    who text NOT NULL,
    reason text NOT NULL
);
COMMENT ON TABLE dramatiq.cancellation IS
'Running messages that a person wants to end, for as long as they run: whoever puts one back cancels it instead.';

CREATE FUNCTION dramatiq.cancelled_by(p_who text, p_reason text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN format('Cancelled by %s: %s', p_who, p_reason);
COMMENT ON FUNCTION dramatiq.cancelled_by IS
'What a cancelled message says of its end.';

CREATE FUNCTION dramatiq.cancel(p_ids uuid[], p_who text, p_reason text, OUT cancelled bigint, OUT asked bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lines text[];
BEGIN
    -- In the order in which acks lock them.
    PERFORM FROM dramatiq.live WHERE message_id = ANY (p_ids) ORDER BY message_id FOR NO KEY UPDATE;
    WITH waiting AS (
        UPDATE dramatiq.live
        SET state = 'cancelled', mtime = now(), delayed = false, waits_for = NULL,
            error = dramatiq.cancelled_by(p_who, p_reason)
        WHERE message_id = ANY (p_ids) AND state = 'queued'
        RETURNING line
    )
    SELECT count(*), array_agg(line) INTO cancelled, lines FROM waiting;
    PERFORM dramatiq.leave_lines(lines);
    INSERT INTO dramatiq.cancellation (message_id, who, reason)
    SELECT message_id, p_who, p_reason FROM dramatiq.live WHERE message_id = ANY (p_ids) AND state = 'consumed'
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS asked = ROW_COUNT;
END $$;
COMMENT ON FUNCTION dramatiq.cancel IS
'Cancels those of these messages that wait, are delayed or set aside, and asks the workers that run others to end them;
how many of each. A cancelled one stays, is no dead letter, and keeps its unique key: only a redrive runs it.';

CREATE FUNCTION dramatiq.heed_cancellations() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lines text[];
BEGIN
    IF NOT EXISTS (SELECT FROM dramatiq.cancellation) THEN
        RETURN;
    END IF;
    WITH over AS (
        SELECT c.message_id FROM dramatiq.cancellation c LEFT JOIN dramatiq.live q USING (message_id)
        WHERE q.state IS DISTINCT FROM 'consumed'
        FOR UPDATE OF c SKIP LOCKED
    ), heeded AS (
        DELETE FROM dramatiq.cancellation c USING over WHERE c.message_id = over.message_id RETURNING c.*
    ), cancelled AS (
        UPDATE dramatiq.live q
        SET state = 'cancelled', mtime = now(), delayed = false, waits_for = NULL,
            error = dramatiq.cancelled_by(heeded.who, heeded.reason)
        FROM heeded
        WHERE q.message_id = heeded.message_id AND q.state IN ('queued', 'rejected')
        RETURNING q.line
    )
    SELECT array_agg(line) INTO lines FROM cancelled;
    PERFORM dramatiq.leave_lines(lines);
END $$;
COMMENT ON FUNCTION dramatiq.heed_cancellations IS
'Cancels what a person asked to end and no worker runs any more, and forgets what was asked of the others that have ended.
Whatever puts a claimed message back, or gives it up, calls this in its own transaction, so that none runs again.';

CREATE FUNCTION dramatiq.asked_of(p_worker bigint) RETURNS TABLE (message_id uuid, attempt integer)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM dramatiq.cancellation) THEN
        RETURN;
    END IF;
    PERFORM dramatiq.heed_cancellations();
    RETURN QUERY
    SELECT q.message_id, q.attempt FROM dramatiq.cancellation c JOIN dramatiq.live q USING (message_id)
    WHERE q.state = 'consumed' AND q.claimed_by = p_worker;
END $$;
COMMENT ON FUNCTION dramatiq.asked_of IS
'The claims of a worker that a person wants to end.';

CREATE FUNCTION dramatiq.is_cancelled(p_id uuid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN EXISTS (SELECT FROM dramatiq.live WHERE message_id = p_id AND state = 'cancelled');
END $$;
COMMENT ON FUNCTION dramatiq.is_cancelled IS
'Whether a person cancelled a message.';

CREATE FUNCTION dramatiq.discard(p_ids uuid[]) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp -- whoever looks and sends may delete nothing else
AS $$
    WITH discarded AS (
        DELETE FROM dramatiq.live WHERE message_id = ANY (p_ids) AND state IN ('rejected', 'cancelled') RETURNING 1
    )
    SELECT count(*) FROM discarded;
$$;
COMMENT ON FUNCTION dramatiq.discard IS
'Deletes those of these messages that are dead or cancelled, for good; returns how many.';

CREATE FUNCTION dramatiq.edit(p_id uuid, p_content jsonb, p_who text, p_reason text) RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    copied uuid;
BEGIN
    INSERT INTO dramatiq.live (message_id, queue_name, state, mtime, available_at, message, attempt, priority, error)
    SELECT gen_random_uuid(), queue_name, 'cancelled', now(), available_at, message, attempt, priority,
           format('Edited by %s as %s: %s', p_who, p_id, p_reason)
    FROM dramatiq.live WHERE message_id = p_id AND state IN ('rejected', 'cancelled') AND message ? 'actor_name'
    FOR UPDATE
    RETURNING message_id INTO copied;
    IF copied IS NOT NULL THEN
        UPDATE dramatiq.live SET message = (message - 'sealed' - 'args' - 'kwargs') || p_content WHERE message_id = p_id;
        PERFORM dramatiq.redrive(ARRAY[p_id]);
    END IF;
    RETURN copied;
END $$;
COMMENT ON FUNCTION dramatiq.edit IS
'Sends a dead or cancelled message back to work with other arguments, under its own id. What it said before stays beside it
as a cancelled message, whose id is returned; NULL where there is none to edit.';
