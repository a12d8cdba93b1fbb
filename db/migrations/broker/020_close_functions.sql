-- Closes what is ours to everyone but the worker's role and those it names.

CREATE FUNCTION dramatiq.close(p_schema text, p_functions text[] DEFAULT NULL, p_service text[] DEFAULT '{}')
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    object text;
    for_service boolean;
    visitor text;
BEGIN
    FOR object, for_service IN
        SELECT 'ROUTINE ' || oid::regprocedure, proname = ANY (p_service) FROM pg_proc
        WHERE pronamespace = p_schema::regnamespace AND (p_functions IS NULL OR proname = ANY (p_functions || p_service))
          AND pg_has_role(proowner, 'USAGE')
        UNION ALL
        SELECT 'TABLE ' || oid::regclass, false FROM pg_class
        WHERE relnamespace = p_schema::regnamespace AND p_functions IS NULL AND relkind IN ('r', 'v')
          AND pg_has_role(relowner, 'USAGE')
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', object);
        FOR visitor IN SELECT rolname FROM pg_roles WHERE rolname IN ('anon', 'authenticated') LOOP
            EXECUTE format('REVOKE ALL ON %s FROM %I', object, visitor);
        END LOOP;
        IF for_service AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'service_role') THEN
            EXECUTE format('GRANT EXECUTE ON %s TO service_role', object);
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION dramatiq.close IS
'Takes the functions and tables of a schema (p_functions: functions of these names only) from PUBLIC and from Supabase''s
visitors, whom default privileges may give every new one, and gives the functions of p_service to its service_role. Only
what this role owns. Every migration ends with it.';
