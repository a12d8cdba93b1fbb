-- Makes delayed messages due, past the index entries of those that were made due before.

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

CREATE FUNCTION dramatiq.make_due(p_queue text, p_limit integer, p_lines_only boolean) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    began constant timestamptz := clock_timestamp();
    entries constant bigint := dramatiq.entries_read('queue_delayed');
    horizon dramatiq.horizon := dramatiq.recall_horizon(p_queue);
    lines text[];
BEGIN
    WITH due AS (
        UPDATE dramatiq.live AS q SET delayed = false
        WHERE q.message_id = ANY (ARRAY(
            SELECT message_id FROM dramatiq.live
            WHERE queue_name = p_queue AND state = 'queued' AND delayed AND available_at <= now()
                AND (available_at, position) > (horizon.available_at, horizon.position)
                AND (line IS NOT NULL OR NOT p_lines_only)
            ORDER BY available_at, position LIMIT p_limit FOR UPDATE SKIP LOCKED))
        RETURNING q.line, q.waits_for, q.available_at, q.position
    ), numbered AS (
        SELECT *, row_number() OVER (ORDER BY available_at, position) AS number FROM due
    )
    SELECT array_agg(line) FILTER (WHERE waits_for = 'its turn'),
           max(available_at) FILTER (WHERE number = p_limit), max(position) FILTER (WHERE number = p_limit)
    INTO lines, horizon.available_at, horizon.position FROM numbered;
    PERFORM dramatiq.note_horizon(p_queue, horizon, began, dramatiq.entries_read('queue_delayed') - entries);
    RETURN lines;
END $$;
COMMENT ON FUNCTION dramatiq.make_due IS
'Makes delayed messages due whose time has come, p_limit at most; returns the lines of those that wait for their turn.
While somebody holds an old snapshot, the index entries of all that was made due since stay. Where a look at all of them reads
many, one begins where this session''s last one ended; what that passes over, because it committed late, is found by a look
at all, which takes a twentieth of the time at most.';
