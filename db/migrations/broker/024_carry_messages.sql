-- Carries messages to another broker, takes back what it cannot end, and keeps here what has a line.

CREATE FUNCTION dramatiq.carry(p_queue text, p_limit integer) RETURNS TABLE (priority integer, message text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
-- As in dramatiq.exchange.
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    leaving uuid[];
    kept uuid[];
BEGIN
    IF EXISTS (SELECT FROM dramatiq.changed_line WHERE queue_name = p_queue AND at <= clock_timestamp()) THEN
        PERFORM dramatiq.pass_on(ARRAY[p_queue]);
    END IF;
    IF EXISTS (SELECT FROM dramatiq.current_pause WHERE queue_name = p_queue) THEN
        RETURN;
    END IF;
    leaving := dramatiq.take_due(p_queue, p_limit, 'to carry') || dramatiq.fallen_due(p_queue, p_limit, false);
    RETURN QUERY
    WITH gone AS (
        DELETE FROM dramatiq.live AS q WHERE q.message_id = ANY (leaving) AND q.unique_key IS NULL
        RETURNING q.priority, q.available_at, q.position, q.message
    )
    SELECT carried.priority, carried.message::text
    FROM (
        TABLE gone
        UNION ALL
        SELECT q.priority, q.available_at, q.position, q.message FROM dramatiq.live AS q
        WHERE q.message_id = ANY (leaving) AND q.unique_key IS NOT NULL
    ) AS carried
    ORDER BY carried.priority DESC, carried.available_at, carried.position;
    kept := ARRAY(SELECT message_id FROM dramatiq.live WHERE message_id = ANY (leaving));
    IF kept <> '{}' THEN
        PERFORM dramatiq.finish_all(kept, array_fill(NULL::integer, ARRAY[cardinality(kept)]));
    END IF;
END $$;
COMMENT ON FUNCTION dramatiq.carry IS
'Takes what is due out of a queue, p_limit at most of what was delayed and as many others, for whoever carries it elsewhere
and commits when it has arrived there. What has a line stays, for a turn lasts until its end is written here; workers are told
of it. Where a unique key holds a message''s place, that stays, too, as done. Nothing of a paused queue.';

CREATE FUNCTION dramatiq.claim_in_turn(p_worker bigint, p_queue text, p_limit integer)
RETURNS TABLE (message_id uuid, attempt integer, priority integer, message jsonb)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH taken AS (
        UPDATE dramatiq.live AS q
        SET state = 'consumed', claimed_by = p_worker, attempt = q.attempt + 1, mtime = now()
        WHERE q.message_id = ANY (ARRAY(
            SELECT message_id FROM dramatiq.live
            WHERE line >= p_queue || ' ' AND line < p_queue || '!' -- the character after the blank
                AND state IN ('queued', 'consumed') AND waits_for IS DISTINCT FROM 'its turn' -- as the index has it
                AND state = 'queued' AND NOT delayed AND waits_for IS NULL
            ORDER BY priority DESC, available_at, position
            LIMIT p_limit
            FOR UPDATE SKIP LOCKED))
        RETURNING q.message_id, q.attempt, q.priority, q.message, q.available_at, q.position
    )
    SELECT message_id, attempt, priority, message FROM taken ORDER BY priority DESC, available_at, position;
END $$;
COMMENT ON FUNCTION dramatiq.claim_in_turn IS
'Claims messages of a queue''s lines whose turn has come, and no others.';

CREATE FUNCTION dramatiq.give_back(
    p_message jsonb, p_priority integer, p_delay bigint, p_dead boolean, p_error text, p_waits_for text
) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO dramatiq.live AS q
        (message_id, queue_name, state, message, priority, available_at, delayed, error, waits_for)
    VALUES (
        (p_message ->> 'message_id')::uuid, p_message ->> 'queue_name',
        CASE WHEN p_dead THEN 'rejected' ELSE 'queued' END::dramatiq.state, p_message, p_priority,
        now() + p_delay * interval '1 millisecond', p_delay > 0, p_error, p_waits_for)
    ON CONFLICT (message_id) DO UPDATE
    SET state = excluded.state, message = excluded.message, mtime = now(), priority = excluded.priority,
        available_at = excluded.available_at, delayed = excluded.delayed, attempt = q.attempt + 1, claimed_by = NULL,
        error = excluded.error, waits_for = excluded.waits_for;
    PERFORM dramatiq.start_over(ARRAY[(p_message ->> 'message_id')::uuid], 0); -- what a unique key has kept as done
    IF p_delay = 0 AND NOT p_dead THEN
        PERFORM dramatiq.ring(ARRAY[p_message ->> 'queue_name']);
    END IF;
END $$;
COMMENT ON FUNCTION dramatiq.give_back IS
'Takes back a message that was carried elsewhere: to be tried again in p_delay milliseconds, as a dead letter, or for a worker
that has what it waits for.';

CREATE TABLE dramatiq.relay (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    heard_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE dramatiq.relay IS
'When one of those who carry messages elsewhere has said last that it lives; for people.';

CREATE FUNCTION dramatiq.relay_lives() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO dramatiq.relay DEFAULT VALUES ON CONFLICT (single) DO UPDATE SET heard_at = excluded.heard_at;
$$;
COMMENT ON FUNCTION dramatiq.relay_lives IS
'Says that somebody lives who carries messages elsewhere.';

CREATE FUNCTION dramatiq.relay_heard_within(p_time interval, OUT lives boolean, OUT latest timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(max(heard_at) > clock_timestamp() - p_time, false), max(heard_at) FROM dramatiq.relay;
$$;
COMMENT ON FUNCTION dramatiq.relay_heard_within IS
'Whether somebody who carries messages elsewhere has said within that time that they live, by this server''s clock, and when
that was last.';
