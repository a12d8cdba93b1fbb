-- Closes what is ours to everyone but the worker's role and those it names.

CREATE FUNCTION dramatiq.shut(p_object text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    visitor text;
BEGIN
    EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', p_object);
    FOR visitor IN SELECT rolname FROM pg_roles WHERE rolname IN ('anon', 'authenticated') LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %I', p_object, visitor);
    END LOOP;
END $$;
COMMENT ON FUNCTION dramatiq.shut IS
'Takes an object (as REVOKE names it) from PUBLIC and from Supabase''s visitors, whom default privileges may give every
new one.';

CREATE FUNCTION dramatiq.close(p_schema text, p_functions text[] DEFAULT NULL, p_service text[] DEFAULT '{}')
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    object text;
    for_service boolean;
    seen regclass;
BEGIN
    FOR object, for_service IN
        SELECT 'ROUTINE ' || oid::regprocedure, proname = ANY (p_service) FROM pg_proc
        WHERE pronamespace = p_schema::regnamespace AND (p_functions IS NULL OR proname = ANY (p_functions || p_service))
          AND pg_has_role(proowner, 'USAGE')
        UNION ALL
        SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || oid::regclass, false FROM pg_class
        WHERE relnamespace = p_schema::regnamespace AND p_functions IS NULL AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
          AND pg_has_role(relowner, 'USAGE')
        UNION ALL
        SELECT 'TYPE ' || oid::regtype, false FROM pg_type
        WHERE typnamespace = p_schema::regnamespace AND p_functions IS NULL AND typtype IN ('d', 'e')
          AND pg_has_role(typowner, 'USAGE')
        UNION ALL
        SELECT 'SCHEMA ' || oid::regnamespace, false FROM pg_namespace
        WHERE nspname = p_schema AND p_functions IS NULL AND pg_has_role(nspowner, 'USAGE')
    LOOP
        PERFORM dramatiq.shut(object);
        IF for_service AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'service_role') THEN
            EXECUTE format('GRANT EXECUTE ON %s TO service_role', object);
        END IF;
    END LOOP;
    FOR seen IN
        SELECT oid FROM pg_class
        WHERE relnamespace = p_schema::regnamespace AND p_functions IS NULL AND relkind = 'v'
          AND pg_has_role(relowner, 'USAGE')
    LOOP
        PERFORM dramatiq.show_as_reader(seen);
    END LOOP;
END $$;
COMMENT ON FUNCTION dramatiq.close IS
'Takes a schema and what stands in it (p_functions: functions of these names only) from PUBLIC and from visitors, gives the
functions of p_service to Supabase''s service_role, and lets views show what their reader may see. Only what this role
owns. Every migration ends with it.';

CREATE FUNCTION dramatiq.show_as_reader(p_view regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Older servers have no such views: there, nobody but the owner may read them at all.
    IF current_setting('server_version_num')::integer >= 150000 AND NOT EXISTS (
        SELECT FROM pg_class WHERE oid = p_view AND 'security_invoker=true' = ANY (reloptions)
    ) THEN
        EXECUTE format('ALTER VIEW %s SET (security_invoker = true)', p_view);
    END IF;
END $$;
COMMENT ON FUNCTION dramatiq.show_as_reader IS
'Lets a view run with its reader''s rights: as its owner''s it would step over row-level security.';

CREATE FUNCTION dramatiq.close_queue(p_pgmq_queue text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    object regclass;
    kind text;
    privileges text;
    keeper text;
BEGIN
    FOR object, kind, privileges IN
        SELECT c.oid, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
               (SELECT string_agg(privilege_type, ', ') FROM aclexplode(c.relacl) WHERE grantee = 0)
        FROM pg_class c
        WHERE c.oid IN (
            to_regclass(format('pgmq.%I', 'q_' || p_pgmq_queue)), to_regclass(format('pgmq.%I', 'a_' || p_pgmq_queue)),
            to_regclass(format('pgmq.%I', p_pgmq_queue)), to_regclass(format('dramatiq.%I', p_pgmq_queue)),
            to_regclass(pg_get_serial_sequence(format('pgmq.%I', 'q_' || p_pgmq_queue), 'msg_id'))
        ) AND pg_has_role(c.relowner, 'USAGE')
    LOOP
        FOR keeper IN
            SELECT r.rolname FROM pg_roles r
            WHERE privileges IS NOT NULL AND NOT r.rolsuper AND NOT starts_with(r.rolname, 'pg_')
              AND has_schema_privilege(r.oid, 'pgmq', 'USAGE')
              AND NOT has_table_privilege(r.oid, 'dramatiq.queue', 'SELECT') -- such a one has been given what it needs
              AND NOT EXISTS (
                  SELECT FROM pg_roles v
                  WHERE v.rolname IN ('anon', 'authenticated') AND pg_has_role(v.oid, r.oid, 'MEMBER'))
        LOOP
            EXECUTE format('GRANT %s ON %s %s TO %I', privileges, kind, object, keeper);
        END LOOP;
        PERFORM dramatiq.shut(kind || ' ' || object);
    END LOOP;
END $$;
COMMENT ON FUNCTION dramatiq.close_queue IS
'Takes a pgmq queue and our view of it from visitors. Every other role that could use it can go on: what PUBLIC had, each
role that may enter schema pgmq gets by name.';
