-- Looks into workers: what they run, where their threads stand, and whom their sessions wait for.

CREATE TABLE dramatiq.look (
    worker bigint PRIMARY KEY,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    stacks jsonb                                         -- NULL: not answered yet
);
COMMENT ON TABLE dramatiq.look IS
'Workers that somebody looks into. Stacks are places in the code, without a value; they end after a minute.';

CREATE FUNCTION dramatiq.look_into(p_worker bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM dramatiq.end_looks();
    INSERT INTO dramatiq.look (worker) VALUES (p_worker)
    ON CONFLICT (worker) DO UPDATE SET asked_at = clock_timestamp(), stacks = NULL;
END $$;
COMMENT ON FUNCTION dramatiq.look_into IS
'Asks a worker where its threads stand; its pulse answers with its next beat, for a worker that hangs beats on.';

CREATE FUNCTION dramatiq.end_looks() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    DELETE FROM dramatiq.look WHERE asked_at < clock_timestamp() - interval '1 minute';
$$;
COMMENT ON FUNCTION dramatiq.end_looks IS
'Forgets what was seen more than a minute ago.';

CREATE FUNCTION dramatiq.running() RETURNS TABLE (
    message_id uuid, queue text, actor text, worker bigint, host text, pid integer, since timestamptz, attempt integer,
    time_limit bigint, is_cancelled boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT q.message_id, q.queue_name, q.message ->> 'actor_name', q.claimed_by, w.host, w.pid, q.mtime, q.attempt,
           CASE jsonb_typeof(q.message #> '{options,time_limit}') WHEN 'number'
                THEN (q.message #>> '{options,time_limit}')::numeric::bigint END,
           EXISTS (SELECT FROM dramatiq.cancellation c WHERE c.message_id = q.message_id)
    FROM dramatiq.live q LEFT JOIN dramatiq.worker w ON w.id = q.claimed_by
    WHERE q.state = 'consumed'
    ORDER BY q.mtime, q.message_id;
$$;
COMMENT ON FUNCTION dramatiq.running IS
'What workers hold, longest first: since when, at which attempt, whether somebody wants it to end, and the time limit in
milliseconds that the message itself has, where it has one. A few may not have begun.';

CREATE FUNCTION dramatiq.blocked_sessions() RETURNS TABLE (
    pid integer, application text, waits_for text, since timestamptz, blocked_by integer[], blockers text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.pid, a.application_name, concat_ws(' ', a.wait_event, (
               SELECT l.relation::regclass FROM pg_locks l WHERE l.pid = a.pid AND NOT l.granted LIMIT 1)),
           a.query_start, waits.blockers,
           (SELECT string_agg(DISTINCT concat_ws(' ', b.application_name, b.state), ', ') FROM pg_stat_activity b
            WHERE b.pid = ANY (waits.blockers))
    FROM pg_stat_activity a, LATERAL (SELECT pg_blocking_pids(a.pid)) AS waits (blockers)
    WHERE a.datname = current_database() AND a.wait_event_type = 'Lock' AND waits.blockers <> '{}'
    ORDER BY a.query_start, a.pid;
$$;
COMMENT ON FUNCTION dramatiq.blocked_sessions IS
'Sessions of this database that wait for others'' locks, and who holds those; as far as this role may see sessions of other
roles.';
