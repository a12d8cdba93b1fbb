-- Two roles with the least that workers (and the scheduler) and the web process need; logins are made members of them.

CREATE FUNCTION balansity.wanted_rights()
RETURNS TABLE (role text, privilege text, kind text, object text, columns text[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'balansity_worker', r.privilege, r.kind, r.object, NULL::text[] FROM dramatiq.rights_to('work') AS r
    UNION ALL
    SELECT 'balansity_web', r.privilege, r.kind, r.object, NULL FROM dramatiq.rights_to('send') AS r
    UNION ALL
    SELECT each.role, 'USAGE', 'SCHEMA', each.name, NULL
    FROM (VALUES ('balansity_worker', 'balansity'), ('balansity_worker', 'public'),
                 ('balansity_web', 'balansity'), ('balansity_web', 'public')) AS each (role, name)
    UNION ALL
    SELECT each.role, 'EXECUTE', 'FUNCTION', p.oid::regprocedure::text, NULL
    FROM pg_proc p, (VALUES ('balansity_worker'), ('balansity_web')) AS each (role)
    WHERE p.pronamespace = 'balansity'::regnamespace AND NOT p.prosecdef
    UNION ALL
    SELECT 'balansity_worker', 'EXECUTE', 'FUNCTION', p.oid::regprocedure::text, NULL -- an owner's work, as far as it may be asked for
    FROM pg_proc p
    WHERE p.pronamespace = 'balansity'::regnamespace AND p.proname IN ('make_month', 'drop_month', 'release_keys', 'purge_strays')
    UNION ALL
    SELECT 'balansity_worker', 'EXECUTE', 'FUNCTION', p.oid::regprocedure::text, NULL
    FROM pg_proc p
    WHERE p.pronamespace = 'public'::regnamespace AND p.proname IN (SELECT f.name FROM balansity.site_function f)
      AND balansity.in_charge() -- until then they are the old system's
    UNION ALL
    SELECT 'balansity_worker', 'EXECUTE', 'FUNCTION', p.oid::regprocedure::text, NULL
    FROM unnest('{checkup, parent, family}'::text[]) AS type, pg_proc p
    WHERE p.oid = to_regprocedure(format('public.calculate_%s_scores(uuid)', type)) -- the site's own; most give it to all
    UNION ALL
    SELECT each.role, may.privilege, 'TABLE', c.oid::regclass::text, NULL
    FROM pg_class c, (VALUES ('balansity_worker'), ('balansity_web')) AS each (role), unnest(CASE
        WHEN c.relkind = 'v' OR c.relispartition THEN '{SELECT}'
        WHEN each.role = 'balansity_worker' AND c.relname IN ('intended', 'replaced') THEN '{SELECT}' -- an owner runs these
        WHEN each.role = 'balansity_worker' AND c.relname = 'payment_transition' THEN '{SELECT}' -- a table of rules
        WHEN each.role = 'balansity_worker' AND c.relname IN (
            'delivery', 'delivery_key', 'delivery_attempt', 'delivery_event', 'provider_payment', 'home', 'restore', 'shadow', 'shadow_look',
            'operator_action', 'bulk_action')
            THEN '{SELECT, INSERT, UPDATE}' -- evidence: who was told, what was paid, what came back
        WHEN each.role = 'balansity_worker' THEN '{SELECT, INSERT, UPDATE, DELETE}'
        WHEN c.relname IN ('delivery', 'delivery_key', 'delivery_event', 'suppression', 'provider_state', 'outage', 'payment_check')
            THEN '{SELECT, INSERT, UPDATE}' -- what a provider reports
        WHEN c.relname = 'bulk_action' THEN '{SELECT, INSERT, UPDATE}' -- what a person decides on a page
        WHEN c.relname IN ('alarm', 'alarm_telling', 'alarm_way') THEN '{SELECT, INSERT, UPDATE, DELETE}' -- either may tell
        WHEN c.relname = 'alarm_turn' THEN '{SELECT, UPDATE}'
        WHEN c.relname = 'operator_action' THEN '{SELECT, INSERT}'
        WHEN c.relname IN ('report', 'replaced') THEN '{}'
        ELSE '{SELECT}' END::text[]) AS may (privilege)
    WHERE c.relnamespace = 'balansity'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND c.relname !~ '^_?yoyo|^migration'
      AND NOT (c.relispartition AND pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT') -- a month is asked through its ledger
    UNION ALL
    SELECT 'balansity_web', 'SELECT', 'TABLE', 'balansity.report',
           '{id, user_id, assessment_id, format, digest, size_bytes, path, created_at}'::text[] -- never what it says
    UNION ALL
    SELECT 'balansity_web', 'EXECUTE', 'FUNCTION', 'balansity.opened_report(uuid)', NULL -- unless it is noted who asks
    UNION ALL
    SELECT each.role, 'SELECT', 'TABLE', c.oid::regclass::text, NULL -- whether migrations are missing
    FROM pg_class c, (VALUES ('balansity_worker'), ('balansity_web')) AS each (role)
    WHERE c.relnamespace = 'balansity'::regnamespace AND c.relname = 'migration'
    UNION ALL
    SELECT 'balansity_web', 'UPDATE', 'TABLE', 'balansity.payment_flag',
           '{resolved_at, decided_by, decided_because}'::text[] -- a person decides about a payment on its page
    UNION ALL
    SELECT 'balansity_web', may.privilege, 'TABLE', may.name, may.columns -- a person runs, pauses and resumes a job
    FROM (VALUES ('UPDATE', 'balansity.job', '{paused, paused_by, paused_because, planned_until}'::text[]),
                 ('INSERT', 'balansity.slot', NULL),
                 ('DELETE', 'balansity.slot', NULL)) AS may (privilege, name, columns) -- that a clock ahead skipped
    UNION ALL
    SELECT 'balansity_worker', 'USAGE', 'SEQUENCE', c.oid::regclass::text, NULL
    FROM pg_class c
    WHERE c.relnamespace = 'balansity'::regnamespace AND c.relkind = 'S'
    UNION ALL
    SELECT each.role, each.privilege, 'TABLE', format('public.%I', each.name), each.columns
    FROM (VALUES
        ('balansity_worker', 'SELECT', 'users', NULL::text[]),
        ('balansity_worker', 'SELECT', 'profiles', NULL),
        ('balansity_worker', 'SELECT', 'assessments', NULL),
        ('balansity_worker', 'SELECT', 'answers', NULL),
        ('balansity_worker', 'SELECT', 'appointment_types', NULL),
        ('balansity_worker', 'SELECT', 'appointments', NULL),
        ('balansity_worker', 'SELECT', 'payments', NULL),
        ('balansity_worker', 'SELECT', 'packages', NULL),
        ('balansity_worker', 'SELECT', 'package_purchases', NULL),
        ('balansity_worker', 'UPDATE', 'assessments', '{status, updated_at}'),
        ('balansity_worker', 'UPDATE', 'payments', '{status, updated_at}'),
        ('balansity_worker', 'UPDATE', 'appointments', '{status, payment_id, updated_at}'),
        ('balansity_worker', 'UPDATE', 'package_purchases', '{sessions_remaining}'),
        ('balansity_worker', 'INSERT', 'appointments',
         '{user_id, profile_id, appointment_type_id, scheduled_at, status, payment_id}'),
        ('balansity_worker', 'INSERT', 'package_purchases', '{user_id, package_id, sessions_remaining, payment_id}'),
        ('balansity_web', 'SELECT', 'users', '{id, email}'),
        ('balansity_web', 'SELECT', 'profiles', '{id, user_id, first_name, last_name}'),
        ('balansity_web', 'SELECT', 'assessments', NULL),
        ('balansity_web', 'SELECT', 'appointment_types', NULL),
        ('balansity_web', 'SELECT', 'appointments', NULL),
        ('balansity_web', 'SELECT', 'payments', NULL),
        ('balansity_web', 'SELECT', 'packages', NULL),
        ('balansity_web', 'SELECT', 'package_purchases', '{id, payment_id, sessions_remaining, created_at}')
    ) AS each (role, privilege, name, columns)
    WHERE to_regclass(format('public.%I', each.name)) IS NOT NULL;
$$;
COMMENT ON FUNCTION balansity.wanted_rights IS
'What the two roles need. Nothing of it passes row-level security: their logins have BYPASSRLS, or policies of their own.';

CREATE FUNCTION balansity.missing_grants() RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('CREATE ROLE %I NOLOGIN', named.role)
    FROM (VALUES ('balansity_worker'), ('balansity_web')) AS named (role)
    WHERE to_regrole(named.role) IS NULL
    UNION ALL
    SELECT format('GRANT %s%s ON %s %s TO %I', w.privilege, ' (' || array_to_string(w.columns, ', ') || ')', w.kind,
                  string_agg(w.object, ', ' ORDER BY w.object), w.role)
    FROM balansity.wanted_rights() AS w
    WHERE CASE w.kind
        WHEN 'SCHEMA' THEN has_schema_privilege(to_regrole(w.role), w.object, w.privilege)
        WHEN 'FUNCTION' THEN has_function_privilege(to_regrole(w.role), w.object, w.privilege)
        WHEN 'SEQUENCE' THEN has_sequence_privilege(to_regrole(w.role), w.object, w.privilege)
        WHEN 'TABLE' THEN has_table_privilege(to_regrole(w.role), w.object, w.privilege) OR (
            SELECT bool_and(has_column_privilege(to_regrole(w.role), w.object, name, w.privilege))
            FROM unnest(w.columns) AS name)
        END IS NOT TRUE
    GROUP BY w.role, w.kind, w.privilege, w.columns, split_part(w.object, '.', 1);
$$;
COMMENT ON FUNCTION balansity.missing_grants IS
'The statements that give the two roles what they need and do not have, the roles themselves first.';

CREATE FUNCTION balansity.grant_rights() RETURNS SETOF text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    statement text;
BEGIN
    FOR statement IN SELECT * FROM balansity.missing_grants() LOOP
        BEGIN
            EXECUTE statement;
            RETURN NEXT statement;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL; -- a migration of another database made the role meanwhile
            WHEN insufficient_privilege OR undefined_object THEN NULL; -- for somebody who may: doctor shows what is left
        END;
    END LOOP;
END $$;
COMMENT ON FUNCTION balansity.grant_rights IS
'Makes the two roles where they are missing, and gives them what they need, as far as this role may; returns the statements
that did.';
