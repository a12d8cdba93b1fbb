-- The way back: the old system as it was, and the work that it has to go on with.

CREATE FUNCTION balansity.hold_routes() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT dramatiq.hold_routes('{email_queue, report_generation_queue, payment_processing_queue, analytics_queue}');
$$;
COMMENT ON FUNCTION balansity.hold_routes IS
'The old system''s queues stay its own.';

CREATE FUNCTION balansity.hand_back_steps() RETURNS TABLE (what text, statement text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY VALUES
    ('our triggers and jobs end',
     replace(pg_get_functiondef('balansity.in_charge()'::regprocedure), 'SELECT true', 'SELECT false')),
    ('our workers leave pgmq alone', 'SELECT balansity.hold_routes()');

    RETURN QUERY
    SELECT format('%s goes', o.oid::regprocedure), format('DROP FUNCTION %s', o.oid::regprocedure)
    FROM balansity.site_function f
    JOIN pg_proc o ON o.pronamespace = 'public'::regnamespace AND balansity.is_twin(f.oid, o.oid)
    WHERE NOT EXISTS (SELECT FROM balansity.replaced r
                      WHERE r.kind = 'function' AND r.in_place AND to_regprocedure(r.name) = o.oid);

    RETURN QUERY
    SELECT format('%s %s comes back', r.kind, r.name), concat_ws('; ',
        rtrim(balansity.lock_sources(h.oid), '; '),
        CASE r.kind WHEN 'view' THEN format('DROP VIEW IF EXISTS %s', r.name) END,
        rtrim(r.definition, E'; \n'),
        CASE WHEN r.kind <> 'job' AND NOT r.in_place THEN
            format('REVOKE ALL ON %1$s %2$s FROM PUBLIC; ALTER %3$s %2$s OWNER TO %4$I', o.grants, r.name, o.alters, r.owner)
        END,
        (SELECT string_agg(format('GRANT %s ON %s %s TO %I', o.use, o.grants, r.name, grantee), '; ')
         FROM unnest(r.grantees) AS grantee WHERE EXISTS (SELECT FROM pg_roles WHERE rolname = grantee)))
    FROM balansity.replaced r
    LEFT JOIN (VALUES ('function', 'ROUTINE', 'ROUTINE', 'EXECUTE'), ('view', 'TABLE', 'VIEW', 'SELECT'))
        AS o (kind, grants, alters, use) USING (kind)
    LEFT JOIN balansity.old_handlers() AS h
        ON h.handler IS NULL AND h.oid = to_regprocedure(CASE r.kind WHEN 'function' THEN r.name END)
    ORDER BY r.id;

    RETURN QUERY VALUES
    ('what was kept is given back', 'DELETE FROM balansity.replaced'),
    ('visitors stay out', 'SELECT balansity.close_site_functions()');
END $$;
COMMENT ON FUNCTION balansity.hand_back_steps IS
'What it takes to put the old system in charge again, in order.';

CREATE FUNCTION balansity.hand_back() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    step record;
BEGIN
    PERFORM dramatiq.take_turn('balansity.take_over');
    IF balansity.in_charge() THEN
        IF NOT EXISTS (SELECT FROM balansity.replaced) THEN
            RAISE EXCEPTION 'There is no old system to hand back to: nothing was replaced here.';
        END IF;
        FOR step IN SELECT * FROM balansity.hand_back_steps() LOOP
            EXECUTE step.statement;
        END LOOP;
    END IF;
END $$;
COMMENT ON FUNCTION balansity.hand_back IS
'Puts the old system in charge again, in the caller''s transaction: its functions, views and jobs as they were.';

CREATE FUNCTION balansity.never_begun_messages(p_limit integer) RETURNS SETOF uuid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT dramatiq.never_begun(ARRAY(
        SELECT d.message_id FROM balansity.delivery d
        WHERE d.state IN ('planned', 'sending', 'unknown', 'failed') AND d.attempts > 0), p_limit)
$$;
COMMENT ON FUNCTION balansity.never_begun_messages IS
'The first messages that the old system has to go on with: those that no mail of a try that may have left belongs to.';

CREATE FUNCTION balansity.hand_back_appointments() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    returned bigint;
BEGIN
    UPDATE public.appointments a SET status = 'scheduled', updated_at = balansity.now()
    WHERE a.id IN (
        SELECT id FROM public.appointments
        WHERE status = 'confirmed' AND scheduled_at > balansity.now()
        LIMIT 500 FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS returned = ROW_COUNT;
    RETURN returned;
END $$;
COMMENT ON FUNCTION balansity.hand_back_appointments IS
'Gives back a batch of paid consultations to come, which the old system knows as scheduled; again, until there are none.';
