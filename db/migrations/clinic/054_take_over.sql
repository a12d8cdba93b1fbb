-- The change of hands itself: what the old system has, what is in the way, and the one transaction.

CREATE FUNCTION balansity.cron_is_hidden() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN NOT (has_schema_privilege('cron', 'USAGE') AND has_table_privilege('cron.job', 'SELECT')
                          AND has_table_privilege('cron.job_run_details', 'SELECT')) THEN 'all'
                WHEN row_security_active('cron.job') THEN 'others' END
    FROM pg_extension WHERE extname = 'pg_cron';
$$;
COMMENT ON FUNCTION balansity.cron_is_hidden IS
'Which jobs of pg_cron this role cannot see: all, or those of others; null where it sees them all, or there is none.';

CREATE FUNCTION balansity.old_jobs()
RETURNS TABLE (id bigint, name text, schedule text, command text, owner text, active boolean, running boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF balansity.cron_is_hidden() IS DISTINCT FROM 'all' AND EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
        RETURN QUERY EXECUTE
            'SELECT j.jobid, j.jobname::text, j.schedule, j.command, j.username::text, j.active, EXISTS (
                 SELECT FROM cron.job_run_details r
                 WHERE r.jobid = j.jobid AND r.status IN (''starting'', ''connecting'', ''sending'', ''running'')
                   AND coalesce(r.start_time, now()) > now() - interval ''1 hour'')
             FROM cron.job j
             WHERE j.database = current_database()
               -- one that is switched off stays so, where it could not be made again switched off
               AND (j.active OR has_function_privilege(
                   ''cron.alter_job(bigint, text, text, text, text, boolean)'', ''EXECUTE''))
               AND (j.jobname IN (''update-appointment-statuses'', ''cleanup-old-assessments'', ''send-appointment-reminders'')
                    OR j.command ~ ''\m(update_appointment_statuses|cleanup_old_assessments|send_appointment_reminders)\M'')
             ORDER BY j.jobid';
    END IF;
END $$;
COMMENT ON FUNCTION balansity.old_jobs IS
'The old system''s jobs in pg_cron that this role can see.';

CREATE FUNCTION balansity.old_handlers() RETURNS TABLE (oid oid, handler text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p.oid, CASE WHEN balansity.serves(e.handler) AND NOT EXISTS (
        SELECT FROM pg_trigger WHERE tgfoid = to_regprocedure(format('balansity.%I()', e.handler))) THEN e.handler END
    FROM balansity.site_event e
    JOIN pg_proc p ON p.oid = to_regprocedure(format('public.%I()', e.handler)) AND p.prorettype = 'trigger'::regtype
    UNION
    SELECT t.tgfoid, NULL -- of another name, but called by a trigger of the old system's name and by no other
    FROM pg_trigger t
    JOIN pg_proc p ON p.oid = t.tgfoid AND p.pronamespace <> 'balansity'::regnamespace
    WHERE p.oid NOT IN (SELECT f.oid FROM balansity.site_event e
                        CROSS JOIN to_regprocedure(format('public.%I()', e.handler)) AS f (oid) WHERE f.oid IS NOT NULL)
    GROUP BY t.tgfoid
    HAVING bool_and(EXISTS (
        SELECT FROM balansity.site_event e
        WHERE t.tgrelid = to_regclass(format('public.%I', e.table_name)) AND t.tgname = e.trigger_name));
$$;
COMMENT ON FUNCTION balansity.old_handlers IS
'Functions of the old system''s triggers; with the handler of ours that each can become where it stands. Where it can become
none, a trigger of ours stands beside.';

CREATE FUNCTION balansity.lock_sources(p_handler oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE; ', string_agg(DISTINCT tgrelid::regclass::text, ', '))
    FROM pg_trigger WHERE tgfoid = p_handler
    HAVING count(*) > 0;
$$;
COMMENT ON FUNCTION balansity.lock_sources IS
'The statement that lets the writers end whose rows an old trigger and one of ours hear of, and no other begin, until the
hand-over is there: each of the two looks by itself, so both could tell the family, or neither. NULL where nothing calls it.';

CREATE FUNCTION balansity.take_over_steps()
RETURNS TABLE (kind text, name text, what text, statement text, obstacle text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    idle constant text := 'BEGIN IF TG_OP = ''DELETE'' THEN RETURN OLD; END IF; RETURN NEW; END';
    queues constant text[] := '{email_queue, report_generation_queue, payment_processing_queue, analytics_queue}';
BEGIN
    RETURN QUERY
    SELECT 'job', j.id::text, format('ends the pg_cron job %s (%s, of role %s)', j.name, j.schedule, j.owner),
           format('SELECT cron.unschedule(%s::bigint)', j.id),
           CASE WHEN j.owner <> current_user AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
               format('pg_cron job %s (%s) belongs to role %s: as that role, or as a superuser, run '
                      '"SELECT cron.unschedule(%s)"', j.name, j.id, j.owner, j.id) END
    FROM balansity.old_jobs() AS j;

    RETURN QUERY
    SELECT 'function', h.oid::regprocedure::text,
           CASE WHEN d.ours IS NULL THEN 'does nothing any more: a trigger of ours stands beside' ELSE 'becomes ours' END,
           coalesce(d.ours, concat(balansity.lock_sources(h.oid), format(
               'CREATE OR REPLACE FUNCTION %s RETURNS trigger LANGUAGE plpgsql AS %L', h.oid::regprocedure, idle))),
           balansity.owner_obstacle(p.proowner, h.oid::regprocedure::text)
    FROM balansity.old_handlers() AS h
    JOIN pg_proc p ON p.oid = h.oid
    CROSS JOIN balansity.in_public(to_regprocedure('balansity.' || h.handler || '()')) AS d (ours)
    WHERE CASE WHEN d.ours IS NULL THEN p.prosrc <> idle ELSE pg_get_functiondef(p.oid) <> d.ours END;

    RETURN QUERY
    SELECT 'function', o.oid::regprocedure::text, 'makes way for ours', format('DROP ROUTINE %s', o.oid::regprocedure),
           balansity.owner_obstacle(o.proowner, o.oid::regprocedure::text)
    FROM pg_proc o
    WHERE o.pronamespace = 'public'::regnamespace AND o.proname IN (SELECT f.name FROM balansity.site_function f)
      AND NOT EXISTS (SELECT FROM balansity.site_function f WHERE balansity.is_twin(f.oid, o.oid));

    RETURN QUERY
    SELECT 'function', coalesce(o.oid::regprocedure::text, ''),
           CASE WHEN o.oid IS NULL THEN format('creates public.%s', f.name) ELSE 'becomes ours' END,
           balansity.in_public(f.oid) || coalesce(
               format('; COMMENT ON FUNCTION public.%I IS ', f.name) || quote_literal(obj_description(f.oid, 'pg_proc')), ''),
           NULL
    FROM balansity.site_function f
    LEFT JOIN pg_proc o ON o.pronamespace = 'public'::regnamespace AND o.proname = f.name
                       AND balansity.is_twin(f.oid, o.oid)
    WHERE o.oid IS NULL OR pg_get_functiondef(o.oid) <> balansity.in_public(f.oid);

    RETURN QUERY
    SELECT 'view', format('pgmq.%s', queue), 'makes way for ours',
           format('DROP VIEW pgmq.%I; SELECT dramatiq.furnish_queue(%L)', queue, queue),
           balansity.owner_obstacle(c.relowner, 'pgmq.' || queue)
    FROM unnest(queues) AS queue
    JOIN pg_class c ON c.oid = to_regclass(format('pgmq.%I', queue)) AND c.relkind = 'v'
    WHERE pg_get_viewdef(c.oid) NOT LIKE '%pgmq_msg_id%';

    IF NOT balansity.in_charge() THEN
        RETURN QUERY VALUES
        ('evidence', '', 'notes who has been reminded', 'SELECT balansity.note_told_reminders()', NULL),
        ('evidence', '', 'notes what was paid at the provider', 'SELECT balansity.note_paid()', NULL),
        ('jobs', '', 'our jobs begin with their next slots',
         'UPDATE balansity.job SET planned_until = balansity.now()', NULL),
        ('routes', '', 'our workers take what waits in pgmq', 'SELECT dramatiq.release_routes()', NULL),
        ('switch', '', 'our triggers begin',
         replace(pg_get_functiondef('balansity.in_charge()'::regprocedure), 'SELECT false', 'SELECT true'), NULL);
    END IF;
END $$;
COMMENT ON FUNCTION balansity.take_over_steps IS
'What it takes to put ours in charge of this database, in order; nothing where it is so. With an obstacle, for a person to
clear away, nothing is done at all.';

CREATE FUNCTION balansity.owner_obstacle(p_owner oid, p_what text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('%s belongs to role %s: take over as that role, or run "ALTER … OWNER TO %s"',
                  p_what, p_owner::regrole, current_user)
    WHERE NOT pg_has_role(p_owner, 'USAGE');
$$;
COMMENT ON FUNCTION balansity.owner_obstacle IS
'Why this role cannot replace what belongs to another; null where it can.';

CREATE FUNCTION balansity.is_twin(p_ours oid, p_theirs oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT o.proname = 'site_' || t.proname AND o.prokind = t.prokind AND t.proowner = to_regrole(current_user)
       AND pg_get_function_arguments(o.oid) = pg_get_function_arguments(t.oid)
       AND pg_get_function_result(o.oid) = pg_get_function_result(t.oid)
    FROM pg_proc o, pg_proc t
    WHERE o.oid = p_ours AND t.oid = p_theirs;
$$;
COMMENT ON FUNCTION balansity.is_twin IS
'Whether a function in public can become ours where it stands: the same call, the same result, this role''s own.';

CREATE FUNCTION balansity.keep(p_kind text, p_name text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO balansity.replaced (kind, name, definition, in_place, owner, grantees)
    SELECT 'function', p_name, pg_get_functiondef(p.oid),
           p.prorettype = 'trigger'::regtype
               OR EXISTS (SELECT FROM balansity.site_function f WHERE balansity.is_twin(f.oid, p.oid)),
           pg_get_userbyid(p.proowner), ARRAY(
               SELECT r.rolname FROM aclexplode(p.proacl) a JOIN pg_roles r ON r.oid = a.grantee
               WHERE a.grantee <> p.proowner AND r.rolname NOT IN ('anon', 'authenticated'))
    FROM pg_proc p WHERE p.oid = CASE p_kind WHEN 'function' THEN to_regprocedure(nullif(p_name, '')) END
    UNION ALL
    SELECT 'view', p_name, format('CREATE VIEW %s AS %s', p_name, pg_get_viewdef(c.oid)), false, pg_get_userbyid(c.relowner), ARRAY(
               SELECT r.rolname FROM aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
               WHERE a.grantee <> c.relowner AND a.privilege_type = 'SELECT' AND r.rolname NOT IN ('anon', 'authenticated'))
    FROM pg_class c WHERE c.oid = CASE p_kind WHEN 'view' THEN to_regclass(p_name) END
    UNION ALL
    SELECT 'job', p_name, CASE
               WHEN j.owner <> current_user THEN format('SELECT cron.schedule_in_database(%L, %L, %L, %L, %L, %L)',
                   j.name, j.schedule, j.command, current_database(), j.owner, j.active)
               WHEN j.active THEN format('SELECT cron.schedule(%L, %L, %L)', j.name, j.schedule, j.command)
               ELSE format('SELECT cron.alter_job(cron.schedule(%L, %L, %L), active := false)',
                   j.name, j.schedule, j.command) END,
           false, j.owner::name, '{}'
    FROM balansity.old_jobs() j WHERE p_kind = 'job' AND j.id::text = p_name
    ON CONFLICT DO NOTHING;
$$;
COMMENT ON FUNCTION balansity.keep IS
'Keeps what is about to be replaced; what was kept first stays.';

CREATE FUNCTION balansity.take_over() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    obstacles text;
    running text;
    step record;
    steps bigint := 0;
    user_of_it text;
BEGIN
    PERFORM dramatiq.take_turn('balansity.take_over');
    SELECT string_agg(s.obstacle, '; ') INTO obstacles FROM balansity.take_over_steps() s;
    IF obstacles IS NOT NULL THEN
        RAISE EXCEPTION 'Nothing was changed: %.', obstacles;
    END IF;
    SELECT string_agg(j.name, ', ') INTO running FROM balansity.old_jobs() j WHERE j.running;
    IF running IS NOT NULL THEN -- what it sends meanwhile would be no evidence yet
        RAISE EXCEPTION 'Nothing was changed: an old job runs at this moment (%). Do this again when it has ended.', running;
    END IF;
    FOR step IN SELECT * FROM balansity.take_over_steps() LOOP
        PERFORM balansity.keep(step.kind, step.name);
        EXECUTE step.statement;
        steps := steps + 1;
    END LOOP;
    PERFORM balansity.close_site_functions();
    PERFORM balansity.grant_rights();
    RETURN steps;
EXCEPTION WHEN dependent_objects_still_exist THEN
    GET STACKED DIAGNOSTICS user_of_it = PG_EXCEPTION_DETAIL;
    RAISE EXCEPTION '% must make way for ours, but %: drop what depends on it and do this again.', step.name, user_of_it;
END $$;
COMMENT ON FUNCTION balansity.take_over IS
'Puts ours in charge, in the caller''s transaction, without a lock on any table of the site''s but those whose old triggers
cannot become ours; returns how many steps that took. Again, it mends what has come back since.';

CREATE FUNCTION balansity.close_site_functions() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM dramatiq.close(
        'public',
        p_functions => ARRAY(SELECT handler FROM balansity.site_event),
        p_service => ARRAY(SELECT DISTINCT f.name FROM balansity.site_function f));
    IF to_regrole('authenticated') IS NOT NULL AND EXISTS (
        SELECT FROM pg_proc p
        WHERE p.oid = to_regprocedure('public.update_appointment_statuses()') AND pg_has_role(p.proowner, 'USAGE')
    ) THEN
        GRANT EXECUTE ON FUNCTION public.update_appointment_statuses() TO authenticated;
    END IF;
END $$;
COMMENT ON FUNCTION balansity.close_site_functions IS
'What the site''s server calls in public is closed to the site''s visitors, whoever wrote it; but for the statuses, which the
dashboard of signed-in staff brings up to date.';

CREATE FUNCTION balansity.begin_in_charge() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF balansity.in_charge() OR NOT EXISTS (
        SELECT FROM balansity.take_over_steps() s WHERE s.kind IN ('job', 'function', 'view') AND s.name <> ''
    ) THEN
        PERFORM balansity.take_over();
    ELSE
        PERFORM balansity.hold_routes();
    END IF;
END $$;
COMMENT ON FUNCTION balansity.begin_in_charge IS
'At the end of a migration: ours takes over where no old system lives, or mends what it has; else it waits for a person.';
