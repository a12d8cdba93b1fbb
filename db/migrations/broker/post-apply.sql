-- Ends every migration: messages hold what is private, so only the worker's role, and those it names, may read or send.

DO $$
BEGIN
    PERFORM dramatiq.close('dramatiq', p_service => '{send}');
    PERFORM dramatiq.furnish_routes();
    PERFORM dramatiq.make_day(day) FROM dramatiq.missing_days() AS day;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'service_role')
       AND (SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'dramatiq') THEN
        GRANT USAGE ON SCHEMA dramatiq TO service_role;
    END IF;
END $$;
