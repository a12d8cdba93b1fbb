-- Claims messages for workers and takes back what became of them; every answer is fenced by the claim's attempt.

CREATE FUNCTION dramatiq.most_moved(
    p_worker bigint, p_queue text, p_pgmq_queue text, p_actor text, p_limit integer, p_claimed integer, p_whole boolean
) RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- The published route counts: another version of the application may have given the queue to another actor.
    IF p_limit <= 0 OR NOT EXISTS (
        SELECT FROM dramatiq.actor WHERE pgmq_queue = p_pgmq_queue AND name = p_actor AND queue_name = p_queue
    ) OR NOT EXISTS (SELECT FROM dramatiq.worker WHERE id = p_worker) THEN
        RETURN 0;
    END IF;
    RETURN CASE WHEN p_limit < 32 THEN 128 WHEN p_whole THEN p_limit ELSE p_limit - p_claimed END;
END $$;
COMMENT ON FUNCTION dramatiq.most_moved IS
'How many messages a worker that claims p_limit, and got p_claimed, should move from pgmq. A slow actor''s queue moves here
faster than it is worked off, for only here does priority count. A fast one''s messages are claimed as they are moved,
which saves each an update: only a look at the whole queue (p_whole) moves more than there is room for, so that what is
sent straight to the queue does not hold them up.';

CREATE FUNCTION dramatiq.finish_all(p_ids uuid[], p_attempts integer[], OUT finished bigint, OUT lines text[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    -- The state is compared as text, and the id as the only one of an array, so that the primary key answers for each row
    -- of the batch, whatever the statistics say: with the index of claimed rows at hand, or the order of ids to merge by, the
    -- planner walks either from end to end where it believes the table empty.
    WITH ended AS (
        DELETE FROM dramatiq.live AS q USING unnest(p_ids, p_attempts) AS run (message_id, attempt)
        WHERE q.message_id = ANY (ARRAY[run.message_id])
            AND (q.attempt = run.attempt AND q.state::text = 'consumed' OR run.attempt IS NULL)
        RETURNING q.*, coalesce(run.attempt, q.attempt + 1) AS attempts
    ), kept AS (
        INSERT INTO dramatiq.done
            (message_id, queue_name, state, mtime, message, position, priority, available_at, attempt, rescues, pgmq_queue,
             pgmq_msg_id, unique_key, line)
        SELECT message_id, queue_name, 'done', now(), message, position, priority, available_at, attempts, rescues, pgmq_queue,
               pgmq_msg_id, unique_key, line
        FROM ended
        RETURNING line
    )
    SELECT count(*), array_agg(line) FILTER (WHERE line IS NOT NULL) INTO finished, lines FROM kept;
END $$;
COMMENT ON FUNCTION dramatiq.finish_all IS
'Acks messages: each moves to the day on which it ends, if the claim that is named is the current one. An attempt of NULL:
nobody claimed it, and the caller has it locked. All that is done passes here; returns how many did, and their lines, which
the caller says they left.';

CREATE FUNCTION dramatiq.exchange(
    p_worker bigint, p_queue text, p_done uuid[], p_attempts integer[], p_limit integer,
    p_pgmq_queue text DEFAULT NULL, p_actor text DEFAULT NULL, p_after uuid DEFAULT NULL, p_lines_only boolean DEFAULT false
) RETURNS TABLE (message_id uuid, attempt integer, priority integer, message jsonb)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
-- The plan is the same whatever the statistics say, which lag behind a queue that fills and drains in seconds.
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    claimed integer := 0;
    moving integer;
    lowest integer := -2147483648;
    highest integer := 2147483647;
    since timestamptz := '-infinity';
    behind bigint := 0;
    paused boolean;
    lines text[];
    called bigint := 0;
    place constant dramatiq.place := dramatiq.recall_place(p_queue, p_done);
    is_part boolean := p_after IS NULL AND place.priority IS NOT NULL
                       AND (place.put_off < 20 OR clock_timestamp() < place.whole_at);
    whole_began timestamptz;
    entries bigint;
BEGIN
    IF p_after IS NOT NULL THEN -- looked for where most are, before the acks that may move it
        SELECT q.priority, q.priority, available_at, position INTO lowest, highest, since, behind
        FROM dramatiq.live AS q WHERE q.message_id = p_after;
        IF NOT FOUND THEN
            SELECT q.priority, q.priority, available_at, position INTO lowest, highest, since, behind
            FROM dramatiq.done AS q WHERE q.message_id = p_after AND q.mtime > now() - interval '1 minute';
        END IF;
    END IF;
    IF p_done <> '{}' THEN
        SELECT f.lines INTO lines FROM dramatiq.finish_all(p_done, p_attempts) AS f;
    END IF;
    IF lines IS NOT NULL THEN
        PERFORM dramatiq.note_change(lines, true);
    END IF;

    -- A worker that was given up for dead must say that it lives before it claims again.
    IF p_limit <= 0 OR NOT EXISTS (SELECT FROM dramatiq.worker WHERE id = p_worker) THEN
        IF lines IS NOT NULL THEN
            PERFORM dramatiq.ring(ARRAY[p_queue]);
        END IF;
        RETURN;
    END IF;

    paused := EXISTS (SELECT FROM dramatiq.current_pause WHERE queue_name = p_queue);
    IF NOT paused THEN
        lines := dramatiq.make_due(p_queue, p_limit, p_lines_only);
        IF lines IS NOT NULL THEN
            PERFORM dramatiq.note_change(lines, false);
        END IF;
        IF dramatiq.is_called_for(p_queue) THEN
            called := dramatiq.call_up(p_queue);
        END IF;

        IF is_part THEN
            SELECT place.priority, place.priority, place.available_at, place.position INTO lowest, highest, since, behind;
        END IF;
        IF p_lines_only THEN
            RETURN QUERY SELECT * FROM dramatiq.claim_in_turn(p_worker, p_queue, p_limit);
            GET DIAGNOSTICS claimed = ROW_COUNT;
        ELSE
            LOOP
                IF p_after IS NULL AND NOT is_part THEN
                    whole_began := clock_timestamp();
                    entries := dramatiq.entries_read('queue_due');
                    PERFORM dramatiq.take_up(p_worker, p_queue, p_limit);
                END IF;
                RETURN QUERY
                WITH taken AS (
                    UPDATE dramatiq.live AS q
                    SET state = 'consumed', claimed_by = p_worker, attempt = q.attempt + 1, mtime = now()
                    WHERE q.message_id = ANY (ARRAY(
                        SELECT message_id FROM dramatiq.live
                        WHERE queue_name = p_queue AND state = 'queued' AND NOT delayed AND waits_for IS NULL
                            AND priority BETWEEN lowest AND highest AND (available_at, position) > (since, behind)
                        ORDER BY priority DESC, available_at, position
                        LIMIT p_limit
                        FOR UPDATE SKIP LOCKED))
                    RETURNING q.message_id, q.attempt, q.priority, q.message, q.available_at, q.position
                )
                SELECT message_id, attempt, priority, message FROM taken ORDER BY priority DESC, available_at, position;
                GET DIAGNOSTICS claimed = ROW_COUNT;
                EXIT WHEN NOT is_part OR claimed > 0 OR clock_timestamp() < place.whole_at;
                SELECT false, -2147483648, 2147483647, '-infinity', 0 INTO is_part, lowest, highest, since, behind;
            END LOOP;
            PERFORM dramatiq.note_place(p_queue, place, claimed, whole_began, dramatiq.entries_read('queue_due') - entries)
            WHERE p_after IS NULL;
        END IF;
        IF called > claimed OR called IS NULL THEN
            PERFORM dramatiq.ring(ARRAY[p_queue]); -- for whoever sleeps while there is more than this worker takes
        END IF;
    END IF;

    IF p_pgmq_queue IS NOT NULL THEN
        moving := dramatiq.most_moved(p_worker, p_queue, p_pgmq_queue, p_actor, p_limit, claimed, p_after IS NULL);
        IF moving > 0 THEN
            RETURN QUERY
            SELECT message_id, attempt, priority, message
            FROM dramatiq.bridge(p_worker, p_queue, p_pgmq_queue, p_actor, moving, p_limit - claimed);
        END IF;
    END IF;
END $$;
COMMENT ON FUNCTION dramatiq.exchange IS
'The hot path, one round trip a batch: acks what is finished, claims what is due, and tops up from pgmq.
An ack counts only while the claim it belongs to (message and attempt) is the current one.
With p_after, a message that this worker claimed before, it looks only behind that one at the same priority. While
another session holds an old snapshot, the index entries of all that was claimed since stay; from the start of the
queue, every claim would walk them. The worker asks without p_after now and then, and whenever it gets too few. Where that is
dear, it begins behind what this session acked last, too, and at the start of the queue where that finds nothing, for a
twentieth of the time, or after twenty looks that find something.
Between acks and claims it calls up, in the queue''s lines, whose turn has come. p_lines_only: all else is carried elsewhere.
Of a paused queue nothing is claimed; what waits in pgmq comes over all the same, to where people find it.';

CREATE FUNCTION dramatiq.finish(p_id uuid, p_attempt integer) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ended record;
BEGIN
    SELECT f.finished, f.lines INTO ended FROM dramatiq.finish_all(ARRAY[p_id], ARRAY[p_attempt]) AS f;
    PERFORM dramatiq.leave_lines(ended.lines);
    RETURN ended.finished = 1;
END $$;
COMMENT ON FUNCTION dramatiq.finish IS
'Acks one message whose run caused something that is written in the same transaction; false where the claim was taken
over, and nothing of it may be.';

CREATE FUNCTION dramatiq.retry(p_id uuid, p_attempt integer, p_options jsonb, p_delay bigint, p_error text)
RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    queue text;
    waits boolean;
BEGIN
    UPDATE dramatiq.live
    SET state = 'queued', message = coalesce(jsonb_set(message, '{options}', p_options), message), mtime = now(),
        claimed_by = NULL, error = p_error,
        available_at = CASE WHEN hastened = attempt THEN available_at ELSE now() + p_delay * interval '1 millisecond' END,
        delayed = p_delay > 0 AND hastened IS DISTINCT FROM attempt
    WHERE message_id = p_id AND attempt = p_attempt AND state::text = 'consumed'
    RETURNING queue_name, delayed INTO queue, waits;
    PERFORM dramatiq.heed_cancellations();
    IF NOT waits THEN
        PERFORM dramatiq.ring(ARRAY[queue]);
    END IF;
    RETURN queue IS NOT NULL;
END $$;
COMMENT ON FUNCTION dramatiq.retry IS
'Puts a claimed message back to run again after p_delay milliseconds, or at once where it was hastened while it ran; false
where the claim was taken over. p_options (NULL: as they are) replace the message''s own.';

CREATE FUNCTION dramatiq.reject(p_id uuid, p_attempt integer, p_options jsonb, p_error text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    its_line text;
    ours boolean;
BEGIN
    UPDATE dramatiq.live
    SET state = 'rejected', message = coalesce(jsonb_set(message, '{options}', p_options), message), mtime = now(),
        claimed_by = NULL, error = p_error
    WHERE message_id = p_id AND attempt = p_attempt AND state::text = 'consumed'
    RETURNING line INTO its_line;
    ours := FOUND;
    PERFORM dramatiq.heed_cancellations();
    PERFORM dramatiq.leave_lines(ARRAY[its_line]);
    RETURN ours;
END $$;
COMMENT ON FUNCTION dramatiq.reject IS
'Gives a claimed message up: it becomes a dead letter; false where the claim was taken over.';

CREATE FUNCTION dramatiq.requeue(p_ids uuid[], p_attempts integer[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    queues text[];
BEGIN
    WITH requeued AS (
        UPDATE dramatiq.live AS q
        SET state = 'queued', claimed_by = NULL, mtime = now()
        FROM unnest(p_ids, p_attempts) AS unstarted (message_id, attempt)
        WHERE q.message_id = ANY (ARRAY[unstarted.message_id]) AND q.attempt = unstarted.attempt
            AND q.state::text = 'consumed'
        RETURNING q.queue_name
    )
    SELECT coalesce(array_agg(queue_name), '{}') INTO queues FROM requeued;
    PERFORM dramatiq.heed_cancellations();
    PERFORM dramatiq.ring(queues);
    RETURN cardinality(queues);
END $$;
COMMENT ON FUNCTION dramatiq.requeue IS
'Hands claimed but unstarted messages back; they keep their place in the order.';

CREATE FUNCTION dramatiq.free_unknown(p_worker bigint, p_queue text, p_ids uuid[], p_attempts integer[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    freed bigint;
BEGIN
    UPDATE dramatiq.live AS q
    SET state = 'queued', claimed_by = NULL, mtime = now()
    WHERE q.claimed_by = p_worker AND q.queue_name = p_queue AND q.state = 'consumed'
        AND (q.message_id, q.attempt) NOT IN (SELECT * FROM unnest(p_ids, p_attempts));
    GET DIAGNOSTICS freed = ROW_COUNT;
    IF freed > 0 THEN
        PERFORM dramatiq.heed_cancellations();
        PERFORM dramatiq.ring(ARRAY[p_queue]);
    END IF;
    RETURN freed;
END $$;
COMMENT ON FUNCTION dramatiq.free_unknown IS
'Hands back what a worker holds of a queue besides the claims it names: an exchange committed, and its answer was lost.';

CREATE FUNCTION dramatiq.next_due(p_queue text, p_pgmq_queue text) RETURNS double precision
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    soon constant interval := '2 seconds'; -- who asks looks again before
    began constant timestamptz := clock_timestamp();
    entries constant bigint := dramatiq.entries_read('queue_delayed');
    horizon dramatiq.horizon := dramatiq.recall_horizon(p_queue);
    delayed_until timestamptz;
    due timestamptz;
    visible timestamptz;
BEGIN
    SELECT until INTO due FROM dramatiq.current_pause WHERE queue_name = p_queue;
    IF FOUND THEN
        RETURN extract(epoch FROM due - clock_timestamp());
    END IF;
    SELECT available_at INTO delayed_until
    FROM dramatiq.live
    WHERE queue_name = p_queue AND state = 'queued' AND delayed AND available_at < began + soon
        AND (available_at, position) > (horizon.available_at, horizon.position)
    ORDER BY available_at, position LIMIT 1;
    IF coalesce(delayed_until > now(), true) THEN
        horizon.available_at := NULL;
        PERFORM dramatiq.note_horizon(p_queue, horizon, began, dramatiq.entries_read('queue_delayed') - entries);
    END IF;
    SELECT least(
        delayed_until,
        -- A word that another worker is about to take, or took and left again.
        (SELECT greatest(min(at), clock_timestamp() + interval '2 milliseconds') FROM dramatiq.changed_line
         WHERE queue_name = p_queue AND id > dramatiq.heard_up_to(p_queue) HAVING count(*) > 0)
    ) INTO due;
    IF p_pgmq_queue IS NOT NULL THEN
        EXECUTE format('SELECT min(vt) FROM pgmq.%I WHERE vt > $1 AND vt < $2', 'q_' || p_pgmq_queue)
        INTO visible USING clock_timestamp(), began + soon;
    END IF;
    RETURN extract(epoch FROM least(due, visible) - clock_timestamp());
END $$;
COMMENT ON FUNCTION dramatiq.next_due IS
'In how many seconds the next delayed message of a queue falls due, or of the pgmq queue that feeds it; NULL where none does
soon; or in how many to look again for whose turn has come. Of a paused queue: in how many its pause ends. An idle worker
asks, so that it need not wait for its next look.';

CREATE FUNCTION dramatiq.news(p_worker bigint, p_queues text[])
RETURNS TABLE (queue_name text, seconds double precision)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
    route text;
BEGIN
    FOREACH queue_name IN ARRAY p_queues LOOP
        SELECT a.pgmq_queue INTO route FROM dramatiq.actor a
        WHERE a.queue_name = news.queue_name AND to_regclass('pgmq.' || quote_ident('q_' || a.pgmq_queue)) IS NOT NULL
            AND NOT EXISTS (SELECT FROM dramatiq.held_route h WHERE h.pgmq_queue = a.pgmq_queue);
        seconds := CASE
            WHEN dramatiq.is_any_visible(route) THEN 0
            WHEN EXISTS (SELECT FROM dramatiq.current_pause p WHERE p.queue_name = news.queue_name)
                THEN dramatiq.next_due(queue_name, route)
            WHEN dramatiq.is_any_due(queue_name) OR EXISTS (
                SELECT FROM dramatiq.worker w, unnest(w.abilities) AS able (ability)
                WHERE w.id = p_worker AND ( -- asked of each ability: a join would walk all that wait for their turn
                    SELECT true FROM dramatiq.live q
                    WHERE q.queue_name = news.queue_name AND q.state = 'queued' AND q.waits_for = able.ability LIMIT 1)
            ) OR dramatiq.is_called_for(queue_name) THEN 0
            ELSE dramatiq.next_due(queue_name, route) END;
        IF seconds IS NOT NULL THEN
            RETURN NEXT;
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION dramatiq.news IS
'Which of these queues a worker should look at, and in how many seconds: 0 or less where something is due, here or in the
pgmq queue that feeds it, else as dramatiq.next_due has it. A process asks for all of its queues that sleep.';
