-- Furnishes the pgmq queues that feed actors: a doorbell, an index of urgent messages, a view of what waits.

CREATE FUNCTION dramatiq.ring_for_pgmq() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM dramatiq.notify(queue_name) FROM dramatiq.actor WHERE 'q_' || pgmq_queue = TG_TABLE_NAME;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION dramatiq.ring_for_pgmq IS
'A message that any pgmq function sends rings for the actor that its queue is routed to; the trigger''s condition sees
whether anybody sleeps.';

CREATE FUNCTION dramatiq.furnish_queue(p_pgmq_queue text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    queue text := 'q_' || p_pgmq_queue;
    home text := CASE WHEN has_schema_privilege('pgmq', 'CREATE') THEN 'pgmq' ELSE 'dramatiq' END;
BEGIN
    PERFORM dramatiq.take_turn('dramatiq.furnish_queue');
    BEGIN
        IF to_regclass(format('pgmq.%I', queue)) IS NULL THEN
            PERFORM pgmq.create(p_pgmq_queue);
        END IF;
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE NOTICE 'No pgmq queue %: this role may not create it.', p_pgmq_queue;
        RETURN;
    END;
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_trigger
                       WHERE tgrelid = format('pgmq.%I', queue)::regclass AND tgname = 'ring') THEN
            -- As dramatiq.ring has it; whoever sends runs it, and may not call that.
            EXECUTE format('CREATE TRIGGER ring AFTER INSERT ON pgmq.%I FOR EACH STATEMENT
                            WHEN (CASE WHEN pg_try_advisory_lock_shared(%2$s)
                                       THEN NOT pg_advisory_unlock_shared(%2$s) ELSE true END)
                            EXECUTE FUNCTION dramatiq.ring_for_pgmq()', queue, dramatiq.bell_of('pgmq.' || p_pgmq_queue));
        END IF;
        IF to_regclass(format('pgmq.%I', p_pgmq_queue || '_urgent')) IS NULL THEN
            -- As priority_of has it, which is inlined where the bridge asks; whoever sends runs it, and may not call that.
            EXECUTE format(
                'CREATE INDEX %1$I ON pgmq.%2$I ((%3$s) DESC, msg_id) WHERE %3$s > 0', p_pgmq_queue || '_urgent', queue,
                'CASE WHEN jsonb_typeof(message -> ''priority'') = ''number''
                      THEN greatest(-1000, least(1000, (message ->> ''priority'')::numeric))::integer
                      ELSE 0 END');
        END IF;
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE NOTICE 'No trigger and index on pgmq.%: workers poll for its messages, in their order.', queue;
    END;
    IF to_regclass(format('%I.%I', home, p_pgmq_queue)) IS NULL THEN
        EXECUTE format(
            'CREATE VIEW %I.%I AS
             SELECT msg_id, read_ct, enqueued_at, vt, message FROM pgmq.%I
             UNION ALL -- three reads, for each has an index of its own: one would walk the finished messages too
             SELECT pgmq_msg_id, rescues, available_at, available_at, message -> ''kwargs'' FROM dramatiq.live
             WHERE pgmq_queue = %4$L AND state = ''queued'' AND NOT delayed AND waits_for IS NULL
             UNION ALL
             SELECT pgmq_msg_id, rescues, available_at, available_at, message -> ''kwargs'' FROM dramatiq.live
             WHERE pgmq_queue = %4$L AND state = ''queued'' AND delayed AND waits_for IS NULL
             UNION ALL
             SELECT pgmq_msg_id, rescues, available_at, available_at, message -> ''kwargs'' FROM dramatiq.live
             WHERE pgmq_queue = %4$L AND state = ''queued'' AND waits_for IS NOT NULL',
            home, p_pgmq_queue, queue, p_pgmq_queue);
        PERFORM dramatiq.show_as_reader(format('%I.%I', home, p_pgmq_queue));
    END IF;
    IF NOT EXISTS (SELECT FROM dramatiq.held_route h WHERE h.pgmq_queue = p_pgmq_queue) THEN
        PERFORM dramatiq.close_queue(p_pgmq_queue);
    END IF;
END $$;
COMMENT ON FUNCTION dramatiq.furnish_queue IS
'Creates a pgmq queue where it is missing, and gives it what it lacks of comforts that need rights on pgmq''s own schema
and tables. Without the trigger, workers notice by polling (at most a second later); without the index, urgent messages
overtake others only once the bridge has moved them; without the right to create there, the view stands in schema
dramatiq. Visitors lose it, unless another system has it still. One at a time: two that create the same queue would fail.';

CREATE FUNCTION dramatiq.furnish_routes() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT dramatiq.furnish_queue(pgmq_queue) FROM dramatiq.actor WHERE pgmq_queue IS NOT NULL ORDER BY pgmq_queue;
$$;
COMMENT ON FUNCTION dramatiq.furnish_routes IS
'Furnishes the queue of every published route; asked for at each publication, for one that was dropped and made anew.';

CREATE FUNCTION dramatiq.routed_queues() RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pgmq_queue FROM dramatiq.actor WHERE pgmq_queue IS NOT NULL ORDER BY pgmq_queue;
$$;
COMMENT ON FUNCTION dramatiq.routed_queues IS
'The pgmq queues that feed actors.';

CREATE FUNCTION dramatiq.doorless_routes() RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pgmq_queue FROM dramatiq.actor
    WHERE pgmq_queue IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_trigger
        WHERE tgrelid = to_regclass(format('pgmq.%I', 'q_' || pgmq_queue)) AND tgname = 'ring')
    ORDER BY pgmq_queue;
$$;
COMMENT ON FUNCTION dramatiq.doorless_routes IS
'Routed pgmq queues whose messages ring no bell, and those that do not exist.';

CREATE FUNCTION dramatiq.missing_route_rights() RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN source IS NULL THEN 'the pgmq queue ' || pgmq_queue ELSE format('taking from pgmq.q_%s', pgmq_queue) END
    FROM dramatiq.actor, to_regclass(format('pgmq.%I', 'q_' || pgmq_queue)) AS source
    WHERE pgmq_queue IS NOT NULL AND (
        source IS NULL OR NOT (has_table_privilege(source, 'SELECT') AND has_table_privilege(source, 'UPDATE')
                               AND has_table_privilege(source, 'DELETE')))
    ORDER BY pgmq_queue;
$$;
COMMENT ON FUNCTION dramatiq.missing_route_rights IS
'What this role lacks to bridge the published routes.';

CREATE FUNCTION dramatiq.readable_queues() RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT m.queue_name
    FROM pgmq.meta m, to_regclass(format('pgmq.%I', 'q_' || m.queue_name)) AS source
    WHERE has_table_privilege(source, 'SELECT')
      AND has_sequence_privilege(pg_get_serial_sequence(format('pgmq.%I', 'q_' || m.queue_name), 'msg_id'), 'SELECT')
    ORDER BY m.queue_name;
$$;
COMMENT ON FUNCTION dramatiq.readable_queues IS
'The pgmq queues whose figures this role may see: pgmq.metrics_all fails where it may not see one of them.';

CREATE FUNCTION dramatiq.unserved_queues() RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT queue_name FROM dramatiq.live
    WHERE state = 'queued' AND NOT delayed AND waits_for IS NULL AND available_at < now() - interval '1 minute'
      AND queue_name NOT IN (SELECT p.queue_name FROM dramatiq.current_pause p)
    UNION
    SELECT queue_name FROM dramatiq.changed_line
    WHERE at < now() - interval '1 minute' AND queue_name NOT IN (SELECT p.queue_name FROM dramatiq.current_pause p)
    UNION
    SELECT m.queue_name FROM dramatiq.readable_queues() AS readable (name), LATERAL pgmq.metrics(readable.name) AS m
    WHERE m.queue_name IN (SELECT pgmq_queue FROM dramatiq.actor EXCEPT SELECT pgmq_queue FROM dramatiq.held_route) AND m.oldest_msg_age_sec > 60
      AND coalesce((to_jsonb(m) ->> 'queue_visible_length')::bigint, m.queue_length) > 0;
$$;
COMMENT ON FUNCTION dramatiq.unserved_queues IS
'Queues, the broker''s and those of pgmq that feed it, with due messages older than a minute that no worker takes, though
nobody paused them. The figures of an older pgmq do not tell what is due from what is delayed.';

CREATE FUNCTION dramatiq.other_readers(p_within interval) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    route text;
    seen boolean;
BEGIN
    FOR route IN
        SELECT pgmq_queue FROM dramatiq.routed_queues() AS pgmq_queue
        WHERE to_regclass(format('pgmq.%I', 'q_' || pgmq_queue)) IS NOT NULL
        EXCEPT SELECT pgmq_queue FROM dramatiq.held_route ORDER BY 1
    LOOP
        -- The bridge counts no reads and takes no message that is hidden: whoever did either is another.
        EXECUTE format(
            'SELECT EXISTS (SELECT FROM pgmq.%I WHERE read_ct > 0 AND vt > clock_timestamp())
                 OR EXISTS (SELECT FROM pgmq.%I
                            WHERE archived_at > clock_timestamp() - $1 AND read_ct > 0 AND vt > archived_at)',
            'q_' || route, 'a_' || route)
        INTO seen USING p_within;
        IF seen THEN
            RETURN NEXT route;
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION dramatiq.other_readers IS
'Routed pgmq queues from which somebody beside the bridge takes messages: one is hidden now, or was archived while hidden,
within that time.';
