-- Keeps workers' heartbeats, and takes over what a silent one held.

-- Which beat it is stands in the key: from the index's end the newest is found at once, however many dead ones are kept
-- while somebody holds an old snapshot.
CREATE TABLE dramatiq.beat (
    worker bigint REFERENCES dramatiq.worker ON DELETE CASCADE,
    number bigint,                                       -- who is dead is told by this count: it stands still
    at timestamptz NOT NULL DEFAULT clock_timestamp(),   -- for people
    PRIMARY KEY (worker, number)
);
COMMENT ON TABLE dramatiq.beat IS
'Each worker''s latest beat.';

CREATE VIEW dramatiq.alive AS
SELECT w.id, w.host, w.pid, coalesce(b.number, 0) AS beats, coalesce(b.at, w.started_at) AS heartbeat_at
FROM dramatiq.worker w LEFT JOIN LATERAL (
    SELECT number, at FROM dramatiq.beat WHERE worker = w.id ORDER BY number DESC LIMIT 1
) AS b ON true;
COMMENT ON VIEW dramatiq.alive IS
'The workers that nobody has given up, how often their hearts have beaten and when they did last.';

CREATE FUNCTION dramatiq.heartbeat(
    p_worker bigint, p_host text, p_pid integer, p_beats bigint, p_abilities text[], p_hears boolean
) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off -- the plan is made when there is little, and kept
AS $$
DECLARE
    known dramatiq.worker;
BEGIN
    SELECT * INTO known FROM dramatiq.worker WHERE id = p_worker FOR KEY SHARE; -- who gives it up waits, or has
    IF known.id IS NULL THEN
        INSERT INTO dramatiq.worker (id, host, pid, abilities, hears) VALUES (p_worker, p_host, p_pid, p_abilities, p_hears);
    ELSIF (known.abilities, known.hears) IS DISTINCT FROM (p_abilities, p_hears) THEN
        UPDATE dramatiq.worker SET abilities = p_abilities, hears = p_hears WHERE id = p_worker;
    END IF;
    UPDATE dramatiq.beat SET number = p_beats, at = clock_timestamp()
    WHERE worker = p_worker AND number = (
        SELECT number FROM dramatiq.beat WHERE worker = p_worker ORDER BY number DESC LIMIT 1);
    IF NOT FOUND THEN
        INSERT INTO dramatiq.beat (worker, number) VALUES (p_worker, p_beats);
    END IF;
    RETURN known.id IS NOT NULL;
END $$;
COMMENT ON FUNCTION dramatiq.heartbeat IS
'Says that a worker lives, by its own count of beats, which goes on where others had given it up: then false, for its
claims may be running elsewhere. Its own row changes only where the worker has.';

CREATE FUNCTION dramatiq.take_over(p_ids uuid[], p_why text, p_most_rescues integer) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    queues text[];
    lines text[];
BEGIN
    WITH rescued AS (
        UPDATE dramatiq.live AS q
        SET state = CASE WHEN rescues < p_most_rescues THEN 'queued' ELSE 'rejected' END::dramatiq.state,
            rescues = rescues + 1, claimed_by = NULL, mtime = now(),
            delayed = rescues > 0,
            available_at = CASE WHEN rescues > 0 THEN now() + random() * rescues * interval '10 seconds'
                                ELSE available_at END,
            error = format(p_why, q.claimed_by, rescues + 1)
        WHERE message_id = ANY (p_ids) AND state::text = 'consumed'
        RETURNING queue_name, line, state
    )
    SELECT coalesce(array_agg(queue_name), '{}'), array_agg(line) FILTER (WHERE state = 'rejected') INTO queues, lines
    FROM rescued;
    PERFORM dramatiq.heed_cancellations();
    PERFORM dramatiq.leave_lines(lines);
    PERFORM dramatiq.ring(queues);
    RETURN cardinality(queues);
END $$;
COMMENT ON FUNCTION dramatiq.take_over IS
'Puts claimed messages back whose run has come to nothing. p_why is said with the worker and the count of such ends. A
message that outlived p_most_rescues workers is more likely their killer than their victim and becomes a dead letter. What
was rescued before is spread over time, so that a killer does not take the same neighbours with it again.';

CREATE FUNCTION dramatiq.rescue(p_dead bigint[], p_beats bigint[], p_most_rescues integer) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off -- the plan is made when there is little, and kept
AS $$
DECLARE
    silent bigint[];
BEGIN
    silent := ARRAY(SELECT id FROM dramatiq.worker WHERE id = ANY (p_dead) FOR UPDATE SKIP LOCKED);
    -- In a statement of its own, which sees the beat of whoever had the lock before.
    DELETE FROM dramatiq.worker WHERE id IN (
        SELECT a.id FROM unnest(p_dead, p_beats) AS known (id, beats)
        JOIN dramatiq.alive AS a ON a.id = known.id AND a.beats = known.beats
        WHERE a.id = ANY (silent));
    RETURN (
        WITH stranded AS (
            SELECT message_id FROM dramatiq.live q
            WHERE state = 'consumed' AND NOT EXISTS (SELECT FROM dramatiq.worker w WHERE w.id = q.claimed_by)
            FOR UPDATE SKIP LOCKED
        )
        SELECT dramatiq.take_over(array_agg(message_id), 'Worker %s died while it held this message (death %s).',
                                  p_most_rescues)
        FROM stranded);
END $$;
COMMENT ON FUNCTION dramatiq.rescue IS
'Takes over the claims of workers that the caller saw standing still, unless their count has moved since, and of those
that have no row; which are dead no time in a table can tell. A locked row waits for the next round: the worker that
rescues must not be kept from its own heartbeat.';

CREATE FUNCTION dramatiq.rescue_lost(p_ids uuid[], p_attempts integer[], p_most_rescues integer) RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    WITH lost AS (
        SELECT q.message_id FROM dramatiq.live AS q, unnest(p_ids, p_attempts) AS claim (message_id, attempt)
        WHERE q.message_id = ANY (ARRAY[claim.message_id]) AND q.attempt = claim.attempt AND q.state::text = 'consumed'
        ORDER BY claim.message_id FOR UPDATE OF q
    )
    SELECT dramatiq.take_over(array_agg(message_id), 'A thread of worker %s left this message without an end (%s so far).',
                              p_most_rescues)
    FROM lost;
$$;
COMMENT ON FUNCTION dramatiq.rescue_lost IS
'Puts back the claims of a living worker that none of its threads runs any more.';

CREATE FUNCTION dramatiq.deaf_workers() RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('worker %s (%s, process %s)', id, host, pid) FROM dramatiq.worker WHERE NOT hears ORDER BY id;
$$;
COMMENT ON FUNCTION dramatiq.deaf_workers IS
'Workers that did not hear their own bell: news reaches them when they look, up to a second later.';
