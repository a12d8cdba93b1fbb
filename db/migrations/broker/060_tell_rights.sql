-- Tells what a role of an application's needs to send messages, or to work them off.

CREATE FUNCTION dramatiq.rights_to(p_duty text) RETURNS TABLE (privilege text, kind text, object text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'USAGE', 'SCHEMA', name FROM (VALUES ('dramatiq'), ('pgmq')) AS schemas (name)
    UNION ALL
    SELECT 'EXECUTE', 'FUNCTION', oid::regprocedure::text FROM pg_proc
    WHERE pronamespace = 'dramatiq'::regnamespace AND prorettype <> 'trigger'::regtype
      AND (p_duty = 'work' OR proname NOT IN ('make_day', 'drop_day')) -- they act as their owner
    UNION ALL
    SELECT may.privilege, 'TABLE', c.oid::regclass::text
    FROM pg_class c, unnest(CASE
        WHEN c.relkind = 'v' THEN '{SELECT}'
        WHEN c.relname = 'revelation' THEN CASE p_duty WHEN 'work' THEN '{SELECT, INSERT}' ELSE '{INSERT}' END -- who saw what stays
        WHEN p_duty = 'work' THEN '{SELECT, INSERT, UPDATE, DELETE}'
        WHEN c.relname IN ('queue', 'live') THEN '{SELECT, INSERT, UPDATE}'
        WHEN c.relname = 'cancellation' THEN '{SELECT, INSERT}' -- or ends a running one
        WHEN c.relname = 'changed_line' THEN '{SELECT, INSERT}' -- word of what is sent, cancelled or sent back to work
        WHEN c.relname = 'look' THEN '{SELECT, INSERT, UPDATE, DELETE}' -- or looks where it hangs
        WHEN c.relname = 'pause' THEN '{SELECT, INSERT, UPDATE, DELETE}' -- a person pauses a queue on a page
        WHEN c.relname = 'hidden_value' THEN '{INSERT}' -- the way of every message that is sent
        ELSE '{SELECT}' END::text[]) AS may (privilege)
    WHERE c.relnamespace = 'dramatiq'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND c.relname !~ '^_?yoyo|^migration'
      AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid AND i.inhparent = 'dramatiq.done'::regclass
                      AND c.relname <> 'done_other') -- a day is asked through dramatiq.done
    UNION ALL
    SELECT 'SELECT', 'TABLE', oid::regclass::text FROM pg_class -- whether migrations are missing
    WHERE relnamespace = 'dramatiq'::regnamespace AND relname = 'migration'
    UNION ALL
    SELECT 'USAGE', 'SEQUENCE', oid::regclass::text FROM pg_class
    WHERE relnamespace = 'dramatiq'::regnamespace AND relkind = 'S'
    UNION ALL
    SELECT 'SELECT', 'TABLE', 'pgmq.meta'
    UNION ALL
    SELECT may.privilege, 'TABLE', format('pgmq.%I', r.table_name)
    FROM dramatiq.routed_tables() AS r, unnest(CASE
        WHEN p_duty = 'work' THEN '{SELECT, INSERT, UPDATE, DELETE}' ELSE '{SELECT}' END::text[]) AS may (privilege)
    UNION ALL
    SELECT 'SELECT', 'SEQUENCE', pg_get_serial_sequence(format('pgmq.%I', r.table_name), 'msg_id')
    FROM dramatiq.routed_tables() AS r
    WHERE r.actor_name IS NOT NULL;
$$;
COMMENT ON FUNCTION dramatiq.rights_to IS
'What a role needs here, and in pgmq for the published routes, to `work` or, without that, to `send` messages and to look.';
