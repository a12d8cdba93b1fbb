-- Keeps what went wrong until a person decides.

CREATE VIEW dramatiq.dead_letter AS
SELECT message_id, queue_name, message ->> 'actor_name' AS actor_name, error, mtime AS died_at, attempt,
       pgmq_queue, pgmq_msg_id, message
FROM dramatiq.live
WHERE state = 'rejected';
COMMENT ON VIEW dramatiq.dead_letter IS
'What went wrong and waits for a person.';

CREATE FUNCTION dramatiq.redrive(p_ids uuid[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    queues text[];
    lines text[];
BEGIN
    WITH redriven AS (
        UPDATE dramatiq.live
        SET state = 'queued', mtime = now(), available_at = now(), delayed = false, rescues = 0,
            error = CASE state WHEN 'rejected' THEN error END,
            waits_for = CASE WHEN line IS NOT NULL THEN 'its turn' END,
            message = message #- '{options,retries}' #- '{options,traceback}' #- '{options,failure}'
        WHERE message_id = ANY (p_ids) AND state IN ('rejected', 'cancelled') AND message ? 'actor_name'
        RETURNING queue_name, line
    )
    SELECT coalesce(array_agg(queue_name), '{}'), array_agg(line) INTO queues, lines FROM redriven;
    PERFORM dramatiq.note_change(lines, false);
    PERFORM dramatiq.ring(queues);
    RETURN cardinality(queues);
END $$;
COMMENT ON FUNCTION dramatiq.redrive IS
'Sends dead letters, and what was cancelled, back to work with a clean record, each behind those that wait in its line by
now; returns how many there were. What never was a message stays.';
