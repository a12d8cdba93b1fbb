-- Looks past the index entries of dead rows, which stay while somebody holds an old snapshot: what a session knows of its
-- looks is a setting of its own, which ends with the session and is undone with a transaction.

CREATE FUNCTION dramatiq.again_at(p_began timestamptz) RETURNS timestamptz
LANGUAGE sql
RETURN clock_timestamp() + 20 * (clock_timestamp() - p_began);
COMMENT ON FUNCTION dramatiq.again_at IS
'When to do again what began then and has ended now, if a twentieth of the time may go into it.';

CREATE TYPE dramatiq.sight AS (
    since timestamptz,                                   -- when the last look began that left nothing
    has_left boolean,                                    -- whether one has left something since then
    whole_at timestamptz,                                -- when to begin at the start of the queue again; NULL: it is cheap
    put_off integer                                      -- how many looks found something while that was due
);
COMMENT ON TYPE dramatiq.sight IS
'What a session remembers of its looks into a pgmq queue, in the setting dramatiq.sight_<oid of its table>.';

CREATE FUNCTION dramatiq.visible(p_pgmq_queue text, p_limit integer, p_only bigint DEFAULT NULL)
RETURNS TABLE (msg_id bigint, content jsonb, kind text, urgency integer, sent_at timestamptz, due_at timestamptz,
               headers jsonb, line text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known_for constant interval := '10 seconds';
    margin constant interval := '0.5 seconds'; -- what commits later after it was sent is found by a whole look
    cheap constant interval := '1 millisecond';
    source constant regclass := to_regclass(format('pgmq.%I', 'q_' || p_pgmq_queue));
    memory constant text := 'dramatiq.sight_' || source::oid;
    present constant timestamptz := clock_timestamp();
    seen dramatiq.sight := nullif(current_setting(memory, true), '')::dramatiq.sight;
    moved constant bigint := nullif(current_setting('dramatiq.moved_' || source::oid, true), '');
    is_known constant boolean := coalesce(seen.since BETWEEN present - known_for AND present, false);
    is_due constant boolean := coalesce(present >= seen.whole_at, true);
    ways text[] := '{whole}';
    way text;
    began timestamptz;
    found bigint;
    fed dramatiq.actor;
    columns text;
BEGIN
    IF source IS NULL  -- a route to a queue that nobody has created yet
       OR EXISTS (SELECT FROM dramatiq.held_route h WHERE h.pgmq_queue = p_pgmq_queue)
    THEN
        RETURN;
    END IF;
    IF p_only IS NULL AND seen.whole_at IS NOT NULL AND NOT (is_due AND (seen.has_left OR seen.put_off >= 20)) THEN
        ways := array_remove(ARRAY[CASE WHEN seen.has_left THEN 'behind' END, CASE WHEN is_known THEN 'lately' END,
                                   CASE WHEN is_due OR NOT is_known THEN 'whole' END], NULL);
    END IF;
    SELECT * INTO fed FROM dramatiq.actor a WHERE a.pgmq_queue = p_pgmq_queue;
    -- By name, and no types of pgmq's: both differ between its versions.
    columns := 'msg_id, message, enqueued_at, CASE read_ct WHEN 0 THEN vt END AS due_at, '
        || CASE WHEN EXISTS (SELECT FROM pg_attribute WHERE attrelid = source AND attname = 'headers' AND NOT attisdropped)
                THEN 'nullif(headers, ''null'') AS headers' ELSE 'NULL::jsonb AS headers' END;
    FOREACH way IN ARRAY ways LOOP
        began := clock_timestamp();
        RETURN QUERY EXECUTE format(
            'SELECT msg_id,
                    CASE jsonb_typeof(message) WHEN ''object''
                         THEN jsonb_build_object(''kwargs'', message - ''self'')  -- that one no Python function takes
                         ELSE jsonb_build_object(''payload'', message) END,
                    coalesce(jsonb_typeof(message), ''NULL''), dramatiq.priority_of(message), enqueued_at,
                    greatest(due_at, enqueued_at), headers,
                    dramatiq.line_of($2, coalesce(headers ->> ''x-pgmq-group'', dramatiq.key_in(message, $3)))
             FROM (' || CASE way
            WHEN 'behind' THEN
                'SELECT %1$s FROM pgmq.%2$I WHERE msg_id > $4 AND vt <= clock_timestamp()
                 ORDER BY msg_id LIMIT $1 FOR UPDATE SKIP LOCKED'
            WHEN 'lately' THEN -- ordered so that only the index of times can answer
                'SELECT %1$s FROM pgmq.%2$I WHERE vt BETWEEN $5 AND $6
                 ORDER BY msg_id + 0 LIMIT $1 FOR UPDATE SKIP LOCKED'
            ELSE
                'WITH urgent AS (
                     SELECT %1$s FROM pgmq.%2$I
                     WHERE %3$L AND dramatiq.priority_of(message) > 0 AND vt <= clock_timestamp() %4$s
                     ORDER BY dramatiq.priority_of(message) DESC, msg_id LIMIT $1 FOR UPDATE SKIP LOCKED
                 ), others AS (
                     SELECT %1$s FROM pgmq.%2$I
                     WHERE NOT (%3$L AND dramatiq.priority_of(message) > 0) AND vt <= clock_timestamp() %4$s
                     ORDER BY msg_id LIMIT $1 FOR UPDATE SKIP LOCKED
                 )
                 TABLE urgent UNION ALL TABLE others'
            END || ') AS visible',
            columns, 'q_' || p_pgmq_queue, to_regclass(format('pgmq.%I', p_pgmq_queue || '_urgent')) IS NOT NULL,
            'AND msg_id = ' || p_only)
        USING p_limit, fed.queue_name, fed.key, moved, seen.since - margin, present;
        GET DIAGNOSTICS found = ROW_COUNT;
        IF way = 'whole' THEN
            seen.whole_at := CASE WHEN clock_timestamp() - began > cheap THEN dramatiq.again_at(began) END;
            seen.put_off := 0;
        ELSIF found > 0 AND is_due THEN
            seen.put_off := seen.put_off + 1;
        END IF;
        IF found < p_limit AND way <> 'behind' THEN
            seen.since := present;
        END IF;
        seen.has_left := found >= p_limit;
        EXIT WHEN found > 0;
    END LOOP;
    IF p_only IS NULL THEN
        PERFORM set_config(memory, seen::text, false);
    END IF;
END $$;
COMMENT ON FUNCTION dramatiq.visible IS
'Messages of a pgmq queue that no other reader holds, locked for the caller''s transaction: p_limit at most of a raised
priority, wherever they stand in pgmq''s order, and as many others; p_only: that message and no other. Each with what a
message here says for it, the kind of JSON that it is, its headers (pgmq has them since 1.5), and the line of its key: the
header x-pgmq-group, by which pgmq''s own readers go, or the argument that the actor names. A message whose vt lies ahead
belongs to another reader, or is delayed.
While somebody holds an old snapshot, the index entries of all that was moved since stay, and a look at the whole queue walks
them. Where that takes long, a look begins behind what this session moved last, while there is a backlog, or else at what has
become readable since the last look that left nothing. What these pass over (it committed late, or another worker let go of it)
is found by a look at the whole queue, which takes a twentieth of the time at most and waits for one that finds nothing, but
for no more than twenty that find something.';

CREATE FUNCTION dramatiq.note_moved(p_pgmq_queue text, p_last bigint) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT set_config('dramatiq.moved_' || format('pgmq.%I', 'q_' || p_pgmq_queue)::regclass::oid, p_last::text, false);
$$;
COMMENT ON FUNCTION dramatiq.note_moved IS
'Remembers the last message that this session moved out of a pgmq queue: behind it dramatiq.visible finds the next.';

CREATE FUNCTION dramatiq.is_any_visible(p_pgmq_queue text) RETURNS boolean
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    recent constant interval := '3 seconds'; -- who asks, asks each second
    source constant regclass := to_regclass(format('pgmq.%I', 'q_' || p_pgmq_queue));
    memory constant text := 'dramatiq.glance_' || source::oid;
    present constant timestamptz := clock_timestamp();
    question constant text := format('SELECT EXISTS (SELECT FROM pgmq.%I WHERE vt BETWEEN $1 AND $2)', 'q_' || p_pgmq_queue);
    any_visible boolean;
BEGIN
    IF source IS NULL THEN
        RETURN false;
    END IF;
    EXECUTE question INTO any_visible USING present - recent, present;
    IF NOT any_visible AND coalesce(present >= nullif(current_setting(memory, true), '')::timestamptz, true) THEN
        EXECUTE question INTO any_visible USING timestamptz '-infinity', present;
        PERFORM set_config(memory, dramatiq.again_at(present)::text, false);
    END IF;
    RETURN any_visible;
END $$;
COMMENT ON FUNCTION dramatiq.is_any_visible IS
'Whether a message of a pgmq queue can be read that has become so lately; or longer ago, which is asked where a twentieth of
this session''s time is enough for it. False where there is no such queue.';

CREATE TYPE dramatiq.place AS (
    priority integer,                                    -- of a message that was claimed and acked, and its place:
    available_at timestamptz,                            -- behind it the next may wait
    "position" bigint,
    whole_at timestamptz,                                -- when to begin at the start of the queue again; NULL: it is cheap
    put_off integer                                      -- how many looks found something while that was due
);
COMMENT ON TYPE dramatiq.place IS
'What a session remembers of its looks for what is due in a queue, in the setting dramatiq.place_<md5 of its name>.';

CREATE FUNCTION dramatiq.entries_read(p_index text) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ -- as text, so that the index may be made anew
    SELECT pg_stat_get_xact_tuples_returned(to_regclass('dramatiq.' || p_index));
$$;
COMMENT ON FUNCTION dramatiq.entries_read IS
'How many entries of an index this session has read of late.';

CREATE FUNCTION dramatiq.is_dear(p_entries bigint) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN p_entries > 5000;
COMMENT ON FUNCTION dramatiq.is_dear IS
'Whether a look at a whole queue that reads so many entries, of the dead ones too, is not to be repeated each time.';

CREATE FUNCTION dramatiq.recall_place(p_queue text, p_done uuid[]) RETURNS dramatiq.place
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    place dramatiq.place := nullif(current_setting('dramatiq.place_' || md5(p_queue), true), '')::dramatiq.place;
BEGIN
    IF place.whole_at IS NOT NULL AND p_done <> '{}' THEN
        SELECT q.priority, q.available_at, q.position INTO place.priority, place.available_at, place.position
        FROM dramatiq.live AS q WHERE q.message_id = p_done[cardinality(p_done)];
    END IF;
    RETURN place;
END $$;
COMMENT ON FUNCTION dramatiq.recall_place IS
'Where this session''s next look for what is due may begin, if one at the whole queue is dear: behind what it acks.';

CREATE FUNCTION dramatiq.note_place(
    p_queue text, p_place dramatiq.place, p_claimed bigint, p_whole_began timestamptz, p_entries bigint
) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    place dramatiq.place := p_place;
BEGIN
    IF p_whole_began IS NOT NULL THEN
        place.whole_at := CASE WHEN dramatiq.is_dear(p_entries) THEN dramatiq.again_at(p_whole_began) END;
        place.put_off := 0;
    ELSIF p_claimed > 0 AND clock_timestamp() >= place.whole_at THEN
        place.put_off := place.put_off + 1;
    END IF;
    IF place.whole_at IS NOT NULL OR p_place.whole_at IS NOT NULL THEN
        PERFORM set_config('dramatiq.place_' || md5(p_queue), place::text, false);
    END IF;
END $$;
COMMENT ON FUNCTION dramatiq.note_place IS
'Remembers a look that claimed so many, and, where it was one at the whole queue, when it began and how many entries it read.';

CREATE FUNCTION dramatiq.is_any_due(p_queue text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
    memory constant text := 'dramatiq.glance_' || md5(p_queue);
    place constant dramatiq.place := dramatiq.recall_place(p_queue, '{}');
    began constant timestamptz := clock_timestamp();
    any_due boolean;
BEGIN
    IF place.priority IS NOT NULL AND EXISTS (
        SELECT FROM dramatiq.live q
        WHERE q.queue_name = p_queue AND q.state = 'queued' AND NOT q.delayed AND q.waits_for IS NULL
            AND q.priority = place.priority AND (q.available_at, q.position) > (place.available_at, place.position))
    THEN
        RETURN true;
    END IF;
    IF began < nullif(current_setting(memory, true), '')::timestamptz THEN
        RETURN false;
    END IF;
    any_due := EXISTS (
        SELECT FROM dramatiq.live q
        WHERE q.queue_name = p_queue AND q.state = 'queued' AND NOT q.delayed AND q.waits_for IS NULL);
    PERFORM set_config(memory, dramatiq.again_at(began)::text, false);
    RETURN any_due;
END $$;
COMMENT ON FUNCTION dramatiq.is_any_due IS
'Whether something of a queue is due, behind what this session acked last, or anywhere, which is asked where a twentieth of
the session''s time is enough for it.';

CREATE TYPE dramatiq.hearing AS (
    behind bigint,                                       -- words up to here were heard, but for what committed late
    whole_at timestamptz                                 -- when to look for those
);
COMMENT ON TYPE dramatiq.hearing IS
'What a session remembers of its looks for words of a queue, in the setting dramatiq.hearing_<md5 of its name>.';

CREATE FUNCTION dramatiq.heard_up_to(p_queue text) RETURNS bigint
LANGUAGE sql STABLE
RETURN coalesce((nullif(current_setting('dramatiq.hearing_' || md5(p_queue), true), '')::dramatiq.hearing).behind, 0);
COMMENT ON FUNCTION dramatiq.heard_up_to IS
'Behind which id this session looks for words of a queue.';

CREATE FUNCTION dramatiq.note_heard(p_queue text, p_last bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    margin constant integer := 1000; -- words of others that commit meanwhile
    memory constant text := 'dramatiq.hearing_' || md5(p_queue);
    heard dramatiq.hearing := nullif(current_setting(memory, true), '')::dramatiq.hearing;
BEGIN
    heard.behind := greatest(heard.behind, p_last - margin);
    PERFORM set_config(memory, heard::text, false);
END $$;
COMMENT ON FUNCTION dramatiq.note_heard IS
'Remembers that this session has heard all words of a queue up to this one, but for those that commit late.';

CREATE FUNCTION dramatiq.is_called_for(p_queue text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
    memory constant text := 'dramatiq.hearing_' || md5(p_queue);
    last constant bigint := pg_sequence_last_value('dramatiq.changed_line_id_seq');
    began constant timestamptz := clock_timestamp();
    heard dramatiq.hearing := nullif(current_setting(memory, true), '')::dramatiq.hearing;
    called boolean;
BEGIN
    called := EXISTS (SELECT FROM dramatiq.changed_line
                      WHERE queue_name = p_queue AND id > coalesce(heard.behind, 0) AND at <= began);
    IF NOT called AND heard.behind > 0 AND began >= coalesce(heard.whole_at, '-infinity') THEN
        called := EXISTS (SELECT FROM dramatiq.changed_line WHERE queue_name = p_queue AND id <= heard.behind AND at <= began);
        heard := ROW(CASE WHEN called THEN 0 ELSE heard.behind END, dramatiq.again_at(began));
    END IF;
    PERFORM set_config(memory, heard::text, false);
    PERFORM dramatiq.note_heard(p_queue, last) WHERE NOT called;
    RETURN called;
END $$;
COMMENT ON FUNCTION dramatiq.is_called_for IS
'Whether somebody left word of a line of this queue, which this session has not heard. What committed late, a thousand words
behind, is looked for where a twentieth of the session''s time is enough for it.';
