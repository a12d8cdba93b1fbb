-- Tells how late each queue is and what fails in a new way, in a time that does not grow with what is kept.

CREATE FUNCTION dramatiq.heard_within(p_time interval, OUT workers bigint, OUT latest timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT count(*) FILTER (WHERE heartbeat_at > clock_timestamp() - p_time), max(heartbeat_at) FROM dramatiq.alive;
$$;
COMMENT ON FUNCTION dramatiq.heard_within IS
'How many workers have said within that time that they live, by this server''s clock, and when the latest did. For people:
who takes over from the dead goes by their counts.';

CREATE FUNCTION dramatiq.oldest_visible(p_pgmq_queue text) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    since timestamptz;
BEGIN
    EXECUTE format('SELECT vt FROM pgmq.%I WHERE vt <= clock_timestamp() ORDER BY vt LIMIT 1', 'q_' || p_pgmq_queue)
    INTO since;
    RETURN since;
END $$;
COMMENT ON FUNCTION dramatiq.oldest_visible IS
'Since when the oldest message of a pgmq queue can be read.';

CREATE FUNCTION dramatiq.waiting_in_pgmq() RETURNS TABLE (queue text, waiting bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    few constant bigint := 10000;
BEGIN
    FOR queue IN SELECT readable.name FROM dramatiq.readable_queues() AS readable (name) LOOP
        EXECUTE format('SELECT count(*) FROM (SELECT FROM pgmq.%I LIMIT $1) AS first', 'q_' || queue)
        INTO waiting USING few;
        IF waiting = few THEN
            SELECT greatest(few, c.reltuples::bigint) INTO waiting
            FROM pg_class c WHERE c.oid = format('pgmq.%I', 'q_' || queue)::regclass;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION dramatiq.waiting_in_pgmq IS
'How many messages each pgmq queue holds: up to 10,000 as they are now; where there are more, about, as the server last
counted them.';

CREATE FUNCTION dramatiq.oldest_due() RETURNS TABLE (queue_name text, since timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- From one queue's first entry in the index to the next queue's, and of each from one priority to the next.
    WITH RECURSIVE waits (queue_name) AS (
        SELECT min(q.queue_name) FROM dramatiq.live q WHERE q.state = 'queued' AND NOT q.delayed AND q.waits_for IS NULL
        UNION ALL
        SELECT (SELECT min(q.queue_name) FROM dramatiq.live q
                WHERE q.state = 'queued' AND NOT q.delayed AND q.waits_for IS NULL AND q.queue_name > w.queue_name)
        FROM waits w WHERE w.queue_name IS NOT NULL
    ), priorities (queue_name, priority, place) AS (
        SELECT w.queue_name, (
            SELECT max(q.priority) FROM dramatiq.live q
            WHERE q.queue_name = w.queue_name AND q.state = 'queued' AND NOT q.delayed AND q.waits_for IS NULL), 1
        FROM waits w WHERE w.queue_name IS NOT NULL
        UNION ALL
        SELECT p.queue_name, (
            SELECT max(q.priority) FROM dramatiq.live q
            WHERE q.queue_name = p.queue_name AND q.state = 'queued' AND NOT q.delayed AND q.waits_for IS NULL
              AND q.priority < p.priority), p.place + 1
        FROM priorities p WHERE p.priority IS NOT NULL AND p.place < 100
    ), routes AS MATERIALIZED ( -- nothing is asked of a queue that cannot be read
        SELECT a.queue_name, a.pgmq_queue
        FROM dramatiq.actor a JOIN dramatiq.readable_queues() AS readable (name) ON readable.name = a.pgmq_queue
        WHERE a.pgmq_queue NOT IN (SELECT h.pgmq_queue FROM dramatiq.held_route h)
    ), oldest (queue_name, since) AS (
        SELECT p.queue_name, (
            SELECT q.available_at FROM dramatiq.live q
            WHERE q.queue_name = p.queue_name AND q.priority = p.priority
              AND q.state = 'queued' AND NOT q.delayed AND q.waits_for IS NULL
            ORDER BY q.available_at LIMIT 1)
        FROM priorities p WHERE p.priority IS NOT NULL
        UNION ALL
        SELECT a.queue_name, (
            SELECT q.available_at FROM dramatiq.live q
            WHERE q.queue_name = a.queue_name AND q.state = 'queued' AND q.delayed
            ORDER BY q.available_at LIMIT 1)
        FROM (SELECT DISTINCT queue_name FROM dramatiq.actor) AS a
        UNION ALL
        SELECT c.queue_name, min(c.at) FROM dramatiq.changed_line c GROUP BY c.queue_name -- nobody has called up since
        UNION ALL
        SELECT r.queue_name, dramatiq.oldest_visible(r.pgmq_queue) FROM routes r
    )
    SELECT o.queue_name, min(o.since) FROM oldest o WHERE o.since < clock_timestamp() GROUP BY o.queue_name
    ORDER BY o.queue_name;
$$;
COMMENT ON FUNCTION dramatiq.oldest_due IS
'Since when the oldest message of each queue has been due, here or in the pgmq queue that feeds it; a queue where nothing is
due has no row.';

CREATE FUNCTION dramatiq.stuck_lines(p_since interval) RETURNS TABLE (queue_name text, line text, since timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- From one line's first entry in the index to the next line's.
    WITH RECURSIVE lines (line, number) AS (
        SELECT min(q.line), 1 FROM dramatiq.live q
        WHERE q.state = 'queued' AND q.waits_for = 'its turn' AND NOT q.delayed
        UNION ALL
        SELECT (SELECT min(q.line) FROM dramatiq.live q
                WHERE q.state = 'queued' AND q.waits_for = 'its turn' AND NOT q.delayed AND q.line > l.line), l.number + 1
        FROM lines l WHERE l.line IS NOT NULL AND l.number < 1000
    )
    SELECT split_part(l.line, ' ', 1), l.line, first.available_at
    FROM lines l, LATERAL (
        SELECT q.available_at FROM dramatiq.live q
        WHERE q.line = l.line AND q.state = 'queued' AND q.waits_for = 'its turn' AND NOT q.delayed
        ORDER BY q.priority DESC, q.available_at, q.position LIMIT 1
    ) AS first
    WHERE first.available_at < now() - p_since
        AND split_part(l.line, ' ', 1) NOT IN (SELECT p.queue_name FROM dramatiq.current_pause p)
        AND NOT EXISTS (
            SELECT FROM dramatiq.live q
            WHERE q.line = l.line AND q.state IN ('queued', 'consumed') AND q.waits_for IS DISTINCT FROM 'its turn')
        AND NOT EXISTS (
            SELECT FROM dramatiq.changed_line c WHERE c.queue_name = split_part(l.line, ' ', 1) AND c.line = l.line);
$$;
COMMENT ON FUNCTION dramatiq.stuck_lines IS
'Lines, among the first 1,000, in which the first message has waited for that long though none has its turn and nobody
left word: rows were changed by hand. dramatiq.note_change for them lets them go on.';
