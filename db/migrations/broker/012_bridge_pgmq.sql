-- Bridges pgmq to the broker: what services send there is archived and enqueued in one transaction.

CREATE TABLE dramatiq.held_route (
    pgmq_queue text PRIMARY KEY
);
COMMENT ON TABLE dramatiq.held_route IS
'The pgmq queues that another system reads still: nothing is bridged from them.';

CREATE FUNCTION dramatiq.hold_routes(p_pgmq_queues text[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO dramatiq.held_route SELECT unnest(p_pgmq_queues) ON CONFLICT DO NOTHING;
$$;
COMMENT ON FUNCTION dramatiq.hold_routes IS
'Leaves these pgmq queues to whoever reads them now, until release_routes.';

CREATE FUNCTION dramatiq.release_routes() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    released text;
BEGIN
    FOR released IN DELETE FROM dramatiq.held_route RETURNING pgmq_queue LOOP
        PERFORM dramatiq.close_queue(released);
    END LOOP;
END $$;
COMMENT ON FUNCTION dramatiq.release_routes IS
'Bridges every routed pgmq queue again; visitors lose those that were held.';

CREATE FUNCTION dramatiq.priority_of(message jsonb) RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN jsonb_typeof(message -> 'priority') = 'number'
            THEN greatest(-1000, least(1000, (message ->> 'priority')::numeric))::integer
            ELSE 0 END;
COMMENT ON FUNCTION dramatiq.priority_of IS
'The priority that a pgmq message carries, 0 where it carries none that is a number. (A body after RETURN is bound when the
function is made: no search_path can mislead it, and it can be inlined.)';

CREATE FUNCTION dramatiq.drop_to_archive(p_pgmq_queue text, p_msg_ids bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format(
        'WITH taken AS (
             DELETE FROM pgmq.%I WHERE msg_id = ANY ($1) RETURNING msg_id, read_ct, enqueued_at, vt
         )
         INSERT INTO pgmq.%I (msg_id, read_ct, enqueued_at, vt, message)
         SELECT msg_id, read_ct, enqueued_at, vt, ''{}'' FROM taken', 'q_' || p_pgmq_queue, 'a_' || p_pgmq_queue)
    USING p_msg_ids;
END $$;
COMMENT ON FUNCTION dramatiq.drop_to_archive IS
'As pgmq.archive, but the archive learns only that and when there was a message: its headers and what it said are dropped.
Not archived first and emptied then, which would leave what it said in the dead row.';

CREATE FUNCTION dramatiq.trace_at(p_sent_at timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN lpad(to_hex((date_part('epoch', p_sent_at) * 1000000)::bigint), 16, '0')
    || left(md5((date_part('epoch', p_sent_at) * 1000000)::bigint::text), 16);
COMMENT ON FUNCTION dramatiq.trace_at IS
'The trace of what pgmq was sent at a time: 16 hexadecimal letters of that, in microseconds, and 16 that check them. pgmq keeps
the time at which the sender''s transaction began: so all that one transaction sent, to whichever queues, has one trace, and
no message says more than it did. (A body after RETURN can be inlined, and no search_path misleads it.)';

CREATE FUNCTION dramatiq.trace_began(p_trace text) RETURNS timestamptz
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT began.at
    FROM (
        SELECT CASE WHEN p_trace ~ '^000[0-9a-f]{29}$'
                    THEN timestamptz 'epoch' + ('x' || left(p_trace, 16))::bit(64)::bigint * interval '1 microsecond' END AS at
    ) AS began
    WHERE p_trace = dramatiq.trace_at(began.at);
$$;
COMMENT ON FUNCTION dramatiq.trace_began IS
'When the transaction began that the bridge named this trace after; NULL where it is another''s: a message''s id.';

CREATE FUNCTION dramatiq.take_in(
    p_worker bigint, p_queue text, p_pgmq_queue text, p_actor text, p_room integer, p_sealed boolean,
    p_msg_ids bigint[], p_contents jsonb[], p_kinds text[], p_urgencies integer[], p_times timestamptz[],
    p_due timestamptz[], p_headers jsonb[], p_lines text[]
) RETURNS TABLE (message_id uuid, attempt integer, priority integer, message jsonb)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    -- What all messages of a batch share; of their ids too the beginning, which keeps them together in the index, and all
    -- but what tells them apart: in the first eight letters, which people see, and in the last twelve.
    envelope jsonb := jsonb_build_object('queue_name', p_queue, 'actor_name', p_actor, 'args', '[]'::jsonb);
    batch text := left(gen_random_uuid()::text, 24);
    room integer := CASE WHEN EXISTS (SELECT FROM dramatiq.current_pause AS p WHERE p.queue_name = p_queue)
                         THEN 0 ELSE p_room END;
BEGIN
    IF p_sealed THEN
        PERFORM dramatiq.drop_to_archive(p_pgmq_queue, p_msg_ids);
    ELSE
        PERFORM pgmq.archive(p_pgmq_queue, p_msg_ids);
    END IF;
    PERFORM dramatiq.note_moved(p_pgmq_queue, p_msg_ids[cardinality(p_msg_ids)]);

    RETURN QUERY
    WITH identified AS (
        SELECT (left(batch, 4) || lpad(to_hex(a.msg_id % 65536), 4, '0') || substr(batch, 9)
                || lpad(to_hex(a.msg_id), 12, '0'))::uuid AS id, a.*, a.kind = 'object' AS sound,
               a.kind = 'object' AND a.line IS NULL AS free,
               row_number() OVER (ORDER BY (a.kind = 'object' AND a.line IS NULL) DESC, a.urgency DESC, a.msg_id) AS rank
        FROM unnest(p_msg_ids, p_contents, p_kinds, p_urgencies, p_times, p_due, p_headers, p_lines)
            AS a (msg_id, content, kind, urgency, sent_at, due_at, headers, line)
    ), arrived AS (
        SELECT a.*, a.free AND room IS NULL AS passing,
               CASE WHEN NOT a.sound THEN a.content ELSE envelope || a.content || jsonb_build_object(
                   'options', jsonb_build_object('pgmq', jsonb_build_object('queue', p_pgmq_queue, 'msg_id', a.msg_id),
                                                 'trace', dramatiq.trace_at(a.sent_at))
                       || CASE WHEN a.headers IS NULL THEN '{}' ELSE jsonb_build_object('headers', a.headers) END,
                   'message_id', a.id, 'message_timestamp', floor(extract(epoch FROM a.sent_at) * 1000)) END AS message
        FROM identified a
    ), moved AS (
        INSERT INTO dramatiq.live AS q
            (message_id, queue_name, state, message, priority, available_at, attempt, claimed_by,
             pgmq_queue, pgmq_msg_id, error, line, waits_for)
        SELECT a.id, p_queue,
               CASE WHEN NOT a.sound THEN 'rejected' WHEN a.free AND a.rank <= room THEN 'consumed' ELSE 'queued'
               END::dramatiq.state,
               a.message, a.urgency, a.due_at,
               CASE WHEN a.free AND a.rank <= room THEN 1 ELSE 0 END,
               CASE WHEN a.free AND a.rank <= room THEN p_worker END,
               p_pgmq_queue, a.msg_id,
               CASE WHEN NOT a.sound THEN
                   format('Message %s of pgmq queue %s is %s, not a JSON object: send an object of arguments.',
                          a.msg_id, p_pgmq_queue, a.kind)
               END,
               CASE WHEN a.sound THEN a.line END, CASE WHEN a.sound AND a.line IS NOT NULL THEN 'its turn' END
        FROM arrived a
        WHERE NOT a.passing
        ORDER BY a.rank
        RETURNING q.message_id, q.attempt, q.priority, q.message, q.state
    )
    SELECT message_id, attempt, priority, CASE WHEN p_sealed THEN message - '{sealed,kwargs}'::text[] ELSE message END
    FROM moved WHERE state = 'consumed'
    UNION ALL
    SELECT * FROM (SELECT a.id, 0, a.urgency, a.message FROM arrived a WHERE a.passing ORDER BY a.rank) AS passed;
    PERFORM dramatiq.note_change(p_lines, false);
END $$;
COMMENT ON FUNCTION dramatiq.take_in IS
'Archives what dramatiq.visible found and enqueues it, in the caller''s transaction. The first p_room of all, by priority,
are claimed on the way, of a paused queue none, and none that has a line; the others wait here, where priority counts.
What cannot be a message becomes a dead letter with its reason. p_sealed: the contents have been encrypted meanwhile, so
the archive must not keep them either, and the caller, who knows what the messages say, gets their envelopes alone. Where
p_room is NULL the caller carries them elsewhere: what could be claimed is returned whole and not stored here.';

CREATE FUNCTION dramatiq.bridge(
    p_worker bigint, p_queue text, p_pgmq_queue text, p_actor text, p_limit integer, p_room integer,
    p_only bigint DEFAULT NULL
) RETURNS TABLE (message_id uuid, attempt integer, priority integer, message jsonb)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ids bigint[];
    contents jsonb[];
    kinds text[];
    urgencies integer[];
    times timestamptz[];
    due timestamptz[];
    headers jsonb[];
    lines text[];
BEGIN
    SELECT array_agg(v.msg_id), array_agg(v.content), array_agg(v.kind), array_agg(v.urgency), array_agg(v.sent_at),
           array_agg(v.due_at), array_agg(v.headers), array_agg(v.line)
    INTO ids, contents, kinds, urgencies, times, due, headers, lines
    FROM dramatiq.visible(p_pgmq_queue, p_limit, p_only) AS v;
    IF ids IS NOT NULL THEN
        RETURN QUERY
        SELECT * FROM dramatiq.take_in(
            p_worker, p_queue, p_pgmq_queue, p_actor, p_room, false, ids, contents, kinds, urgencies, times, due, headers,
            lines);
    END IF;
END $$;
COMMENT ON FUNCTION dramatiq.bridge IS
'Moves visible messages of a pgmq queue here, in the caller''s transaction: read, archived and inserted together or not
at all. A worker that encrypts does the same in two steps, dramatiq.visible and dramatiq.take_in.';

CREATE FUNCTION dramatiq.bridge_singly(
    p_queue text, p_pgmq_queue text, p_actor text, p_limit integer, p_patience interval,
    OUT moved bigint, OUT refused bigint
)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    source text := format('pgmq.%I', 'q_' || p_pgmq_queue);
    began timestamptz := clock_timestamp();
    id bigint;
BEGIN
    moved := 0;
    refused := 0;
    FOR id IN EXECUTE format('SELECT msg_id FROM %s WHERE vt <= clock_timestamp() ORDER BY msg_id LIMIT $1', source)
        USING p_limit
    LOOP
        BEGIN
            PERFORM dramatiq.bridge(NULL, p_queue, p_pgmq_queue, p_actor, 1, 0, id);
            moved := moved + 1;
        EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception
                       OR internal_error THEN
            PERFORM dramatiq.refuse_bridged(p_queue, p_pgmq_queue, id, SQLERRM);
            refused := refused + 1;
        END;
        EXIT WHEN clock_timestamp() > began + p_patience;
    END LOOP;
    PERFORM dramatiq.ring(ARRAY[p_queue]);
END $$;
COMMENT ON FUNCTION dramatiq.bridge_singly IS
'Moves messages that cannot be moved together, one by one for p_patience: a batch that is too large, or has one among it
that the table refuses. That one is taken out of the way; an error that speaks of no message is raised.';

CREATE FUNCTION dramatiq.refuse_bridged(
    p_queue text, p_pgmq_queue text, p_msg_id bigint, p_why text, p_sealed jsonb DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF p_sealed IS NULL THEN
        PERFORM pgmq.archive(p_pgmq_queue, p_msg_id);
    ELSE
        PERFORM dramatiq.drop_to_archive(p_pgmq_queue, ARRAY[p_msg_id]);
    END IF;
    INSERT INTO dramatiq.live (message_id, queue_name, state, message, pgmq_queue, pgmq_msg_id, error)
    VALUES (gen_random_uuid(), p_queue, 'rejected', coalesce(p_sealed, '{}'), p_pgmq_queue, p_msg_id,
            format('Message %s of pgmq queue %s, which %s keeps, could not be moved: %s',
                   p_msg_id, p_pgmq_queue, CASE WHEN p_sealed IS NULL THEN 'its archive' ELSE 'this row' END, p_why));
EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception
               OR internal_error THEN
    EXECUTE format('UPDATE pgmq.%I SET vt = clock_timestamp() + interval ''1 hour'' WHERE msg_id = $1',
                   'q_' || p_pgmq_queue)
    USING p_msg_id;
END $$;
COMMENT ON FUNCTION dramatiq.refuse_bridged IS
'Makes a dead letter that names a pgmq message which the table refuses; where not even that can be written, the message
waits in pgmq for an hour. p_sealed: what it said, encrypted, is kept here and not in the archive.';

CREATE FUNCTION dramatiq.never_begun(p_begun text[], p_limit integer) RETURNS SETOF uuid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT q.message_id
    FROM dramatiq.live q
    JOIN dramatiq.actor a ON a.name = q.message ->> 'actor_name'
    WHERE a.pgmq_queue IS NOT NULL AND q.state = 'queued' AND q.rescues = 0 AND q.error IS NULL
      AND coalesce((q.message #>> '{options,retries}')::integer, 0) = 0 AND q.message -> 'args' = '[]'
      AND q.message_id::text <> ALL (p_begun)
    ORDER BY q.position LIMIT p_limit
$$;
COMMENT ON FUNCTION dramatiq.never_begun IS
'The first messages that wait for an actor which a pgmq queue feeds, and that nobody has tried to run. Who calls says which
of them (p_begun, message ids) may have done something outside all the same.';

CREATE FUNCTION dramatiq.hand_back(p_ids uuid[], p_opened regclass) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    returned bigint;
    lines text[];
    sending constant text := CASE WHEN to_regprocedure('pgmq.send(text, jsonb, jsonb, integer)') IS NOT NULL
        THEN 'o.message -> ''kwargs'', o.message #> ''{options,headers}''' ELSE 'o.message -> ''kwargs''' END;
BEGIN
    EXECUTE format($query$
        WITH gone AS (
            DELETE FROM dramatiq.live q USING dramatiq.actor a
            WHERE q.message_id = ANY ($1) AND q.state = 'queued' AND a.name = q.message ->> 'actor_name'
            RETURNING q.message_id, q.position, q.line, a.pgmq_queue,
                      greatest(0, ceil(extract(epoch FROM q.available_at - clock_timestamp())))::integer AS delay
        )
        SELECT count(*), array_agg(gone.line)
        FROM (SELECT * FROM gone ORDER BY position) AS gone JOIN %s AS o USING (message_id),
            LATERAL pgmq.send(gone.pgmq_queue, %s, gone.delay)$query$, p_opened, sending)
    INTO returned, lines USING p_ids;
    PERFORM dramatiq.leave_lines(lines);
    RETURN returned;
END $$;
COMMENT ON FUNCTION dramatiq.hand_back IS
'Moves those of these messages that still wait to the pgmq queues that feed their actors; returns how many. p_opened is a
table (message_id, message) of what each of them says, for here it may lie encrypted.';
