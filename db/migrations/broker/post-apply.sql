-- Ends every migration: messages hold what is private, so only the worker's role, and those it names, may read or send.

DO $$
BEGIN
    PERFORM dramatiq.close('dramatiq', p_service => '{send}');
    IF (SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'dramatiq') THEN
        REVOKE ALL ON SCHEMA dramatiq FROM PUBLIC;
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'service_role') THEN
            GRANT USAGE ON SCHEMA dramatiq TO service_role;
        END IF;
    END IF;
END $$;
