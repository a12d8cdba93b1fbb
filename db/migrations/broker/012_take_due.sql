-- Finds what falls due, and what is due, past the index entries of what was due before.

CREATE TYPE dramatiq.horizon AS (
    available_at timestamptz,                            -- nothing due is left before this time
    "position" bigint,                                   -- and place
    whole_at timestamptz                                 -- when to look for what committed late all the same
);
COMMENT ON TYPE dramatiq.horizon IS
'What a session remembers of its looks for delayed messages of a queue, in the setting dramatiq.horizon_<md5 of its name>,
while a look at all of them is dear.';

CREATE FUNCTION dramatiq.recall_horizon(p_queue text) RETURNS dramatiq.horizon
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    horizon dramatiq.horizon := nullif(current_setting('dramatiq.horizon_' || md5(p_queue), true), '')::dramatiq.horizon;
BEGIN
    IF clock_timestamp() BETWEEN horizon.available_at AND horizon.whole_at THEN
        RETURN horizon;
    END IF;
    RETURN ROW(timestamptz '-infinity', 0, NULL)::dramatiq.horizon;
END $$;
COMMENT ON FUNCTION dramatiq.recall_horizon IS
'Behind which place this session looks for delayed messages of a queue: before all of them where that is cheap, or due again.';

CREATE FUNCTION dramatiq.note_horizon(p_queue text, p_horizon dramatiq.horizon, p_began timestamptz, p_entries bigint)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    margin constant interval := '0.5 seconds'; -- what commits later after it fell due is found by a look at all
    memory constant text := 'dramatiq.horizon_' || md5(p_queue);
    horizon dramatiq.horizon := p_horizon;
BEGIN
    IF horizon.available_at IS NULL THEN
        horizon := ROW(now() - margin, 0, horizon.whole_at);
    END IF;
    IF horizon.whole_at IS NULL AND dramatiq.is_dear(p_entries) THEN
        horizon.whole_at := dramatiq.again_at(p_began);
    END IF;
    IF horizon.whole_at IS NOT NULL THEN
        PERFORM set_config(memory, horizon::text, false);
    ELSIF current_setting(memory, true) <> '' THEN
        PERFORM set_config(memory, '', false);
    END IF;
END $$;
COMMENT ON FUNCTION dramatiq.note_horizon IS
'Remembers where a look for what is due ended, without a place where it left nothing; and where it was one at all that is
delayed, which has no time for the next, when it began and how many entries it read.';

CREATE FUNCTION dramatiq.fallen_due(p_queue text, p_limit integer, p_lines boolean) RETURNS uuid[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
    memory constant text := concat_ws(' ', p_queue, p_lines);
    began constant timestamptz := clock_timestamp();
    entries constant bigint := dramatiq.entries_read('queue_delayed');
    horizon dramatiq.horizon := dramatiq.recall_horizon(memory);
    found uuid[];
BEGIN
    found := ARRAY(
        SELECT message_id FROM dramatiq.live
        WHERE queue_name = p_queue AND state = 'queued' AND delayed AND available_at <= now()
            AND (available_at, position) > (horizon.available_at, horizon.position)
            AND CASE p_lines WHEN true THEN line IS NOT NULL WHEN false THEN line IS NULL AND waits_for IS NULL ELSE true END
        ORDER BY available_at, position LIMIT p_limit FOR UPDATE SKIP LOCKED);
    SELECT available_at, position INTO horizon.available_at, horizon.position
    FROM dramatiq.live WHERE cardinality(found) >= p_limit AND message_id = found[p_limit];
    PERFORM dramatiq.note_horizon(memory, horizon, began, dramatiq.entries_read('queue_delayed') - entries);
    RETURN found;
END $$;
COMMENT ON FUNCTION dramatiq.fallen_due IS
'Delayed messages whose time has come, p_limit at most, locked; p_lines: those that have a line, or those that wait for
nothing else. While somebody holds an old snapshot, the index entries of all that was made due since stay. Where a look at all
of them reads many, one begins where this session''s last one ended; what that passes over, because it committed late, is
found by a look at all, which takes a twentieth of the time at most.';

CREATE FUNCTION dramatiq.take_due(p_queue text, p_limit integer, p_for text, p_actor text DEFAULT NULL) RETURNS uuid[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
    memory constant text := concat_ws(' ', p_queue, p_for);
    place constant dramatiq.place := dramatiq.recall_place(memory, '{}');
    is_part boolean := place.whole_at IS NOT NULL AND (place.put_off < 20 OR clock_timestamp() < place.whole_at);
    lowest integer := place.priority;
    highest integer := place.priority;
    since timestamptz := place.available_at;
    behind bigint := place.position;
    whole_began timestamptz;
    entries bigint;
    found uuid[];
BEGIN
    LOOP
        IF NOT is_part THEN
            SELECT -2147483648, 2147483647, '-infinity', 0, clock_timestamp(), dramatiq.entries_read('queue_due')
            INTO lowest, highest, since, behind, whole_began, entries;
        END IF;
        found := ARRAY(
            SELECT message_id FROM dramatiq.live
            WHERE queue_name = p_queue AND state = 'queued' AND NOT delayed AND waits_for IS NULL
                AND priority BETWEEN lowest AND highest AND (available_at, position) > (since, behind)
                AND CASE WHEN p_actor IS NULL THEN line IS NULL ELSE message ->> 'actor_name' = p_actor END
            ORDER BY priority DESC, available_at, position LIMIT p_limit FOR UPDATE SKIP LOCKED);
        EXIT WHEN NOT is_part OR found <> '{}' OR clock_timestamp() < place.whole_at;
        is_part := false;
    END LOOP;
    PERFORM dramatiq.note_place(memory, dramatiq.recall_place(memory, found), cardinality(found), whole_began,
                                dramatiq.entries_read('queue_due') - entries);
    RETURN found;
END $$;
COMMENT ON FUNCTION dramatiq.take_due IS
'What is due of a queue, p_limit at most, locked, for whoever takes it out for p_for without a claim: what an actor may run, or
what has no line. Where a look at the whole queue is dear it begins behind what this session took so last, as
dramatiq.exchange does.';

CREATE FUNCTION dramatiq.make_due(p_queue text, p_limit integer, p_lines_only boolean) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found constant uuid[] := dramatiq.fallen_due(p_queue, p_limit, nullif(p_lines_only, false));
    lines text[];
BEGIN
    IF found = '{}' THEN
        RETURN NULL;
    END IF;
    WITH due AS (
        UPDATE dramatiq.live AS q SET delayed = false WHERE q.message_id = ANY (found) RETURNING q.line, q.waits_for
    )
    SELECT array_agg(line) INTO lines FROM due WHERE waits_for = 'its turn';
    RETURN lines;
END $$;
COMMENT ON FUNCTION dramatiq.make_due IS
'Makes delayed messages due whose time has come, p_limit at most; returns the lines of those that wait for their turn.';
