-- Keeps workers' heartbeats, and takes over what a silent one held.

CREATE FUNCTION dramatiq.heartbeat(
    p_worker bigint, p_host text, p_pid integer, p_beats bigint, p_abilities text[]
) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE dramatiq.worker SET beats = p_beats, abilities = p_abilities, heartbeat_at = clock_timestamp() WHERE id = p_worker;
    IF FOUND THEN
        RETURN true;
    END IF;
    INSERT INTO dramatiq.worker (id, host, pid, beats, abilities) VALUES (p_worker, p_host, p_pid, p_beats, p_abilities);
    RETURN false;
END $$;
COMMENT ON FUNCTION dramatiq.heartbeat IS
'Says that a worker lives, by its own count of beats, which goes on where others had given it up: then false, for its
claims may be running elsewhere.';

CREATE FUNCTION dramatiq.rescue(p_dead bigint[], p_beats bigint[], p_most_rescues integer) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    queues text[];
BEGIN
    WITH dead AS (
        DELETE FROM dramatiq.worker WHERE id IN (
            SELECT w.id FROM dramatiq.worker AS w
            JOIN unnest(p_dead, p_beats) AS silent (id, beats) ON w.id = silent.id AND w.beats = silent.beats
            FOR UPDATE OF w SKIP LOCKED)
        RETURNING id
    ), stranded AS (
        SELECT message_id FROM dramatiq.queue q
        WHERE state = 'consumed' AND (
            claimed_by IN (SELECT id FROM dead)
            OR NOT EXISTS (SELECT FROM dramatiq.worker w WHERE w.id = q.claimed_by))
        FOR UPDATE SKIP LOCKED
    ), rescued AS (
        UPDATE dramatiq.queue AS q
        SET state = CASE WHEN rescues < p_most_rescues THEN 'queued' ELSE 'rejected' END::dramatiq.state,
            rescues = rescues + 1, claimed_by = NULL, mtime = now(),
            delayed = rescues > 0,
            available_at = CASE WHEN rescues > 0 THEN now() + random() * rescues * interval '10 seconds'
                                ELSE available_at END,
            error = format('Worker %s died while it held this message (death %s).', q.claimed_by, rescues + 1)
        WHERE message_id IN (SELECT message_id FROM stranded)
        RETURNING queue_name
    )
    SELECT coalesce(array_agg(queue_name), '{}') INTO queues FROM rescued;
    PERFORM dramatiq.ring(queues);
    RETURN cardinality(queues);
END $$;
COMMENT ON FUNCTION dramatiq.rescue IS
'Takes over the claims of workers that the caller saw standing still, unless their count has moved since, and of those
that have no row; which are dead no time in a table can tell. A message that outlived p_most_rescues workers is more
likely their killer than their victim and becomes a dead letter. What was rescued before is spread over time, so that a
killer does not take the same neighbours with it again. A locked row waits for the next round: the worker that rescues
must not be kept from its own heartbeat.';
