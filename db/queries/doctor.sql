-- What `balansity doctor` looks at.

-- name: server_version()$
-- As people write it.
SHOW server_version;

-- name: missing_schemas()$
-- Schemas of ours that do not exist yet.
SELECT string_agg(wanted, ', ') FROM unnest(ARRAY['balansity', 'dramatiq', 'pgmq']) AS wanted
WHERE to_regnamespace(wanted) IS NULL;

-- name: closed_schemas()$
-- Schemas that exist and that this role may not use.
SELECT string_agg(nspname, ', ' ORDER BY nspname) FROM pg_namespace
WHERE nspname IN ('balansity', 'dramatiq', 'pgmq') AND NOT has_schema_privilege(oid, 'USAGE');

-- name: missing_rights()$
-- What this role may not do, and must.
SELECT string_agg(missing, ', ') FROM (
    SELECT false, missing FROM dramatiq.missing_route_rights() AS missing
    UNION ALL VALUES
    (has_table_privilege('public.appointments', 'SELECT, UPDATE'), 'update of public.appointments'),
    (has_table_privilege('public.assessments', 'SELECT, UPDATE'), 'update of public.assessments'),
    (has_table_privilege('public.payments', 'SELECT, UPDATE'), 'update of public.payments'),
    (has_table_privilege('public.users', 'SELECT'), 'select of public.users'),
    (has_schema_privilege('dramatiq', 'USAGE'), 'usage of schema dramatiq')
) AS rights (granted, missing)
WHERE NOT granted;

-- name: unlimited_role()$
-- The role, where no statement of it has a time limit.
SELECT quote_ident(current_user) WHERE current_setting('statement_timeout') = '0';

-- name: quoting_settings()$
-- The settings under which the server's log quotes statements of this role.
SELECT string_agg(name || ' = ' || current_setting(name), ', ' ORDER BY name) FROM pg_settings
WHERE name = 'log_min_duration_statement' AND setting <> '-1'
   OR name = 'log_min_duration_sample' AND setting <> '-1'
   OR name = 'log_statement' AND setting IN ('mod', 'all')
   OR name = 'log_min_error_statement' AND setting NOT IN ('fatal', 'panic');

-- name: row_security_hides()$
-- Whether row-level security would hide rows from this role.
SELECT row_security_active('public.appointments');

-- name: pgmq_origin()$
-- How pgmq came here.
SELECT coalesce('extension ' || (SELECT extversion FROM pg_extension WHERE extname = 'pgmq'), 'SQL of the pgmq package');

-- name: doorless_queues()$
-- pgmq queues of ours whose messages ring no bell.
SELECT string_agg(queue, ', ') FROM dramatiq.doorless_routes() AS queue;

-- name: routed_queues()
-- The pgmq queues that feed actors.
SELECT pgmq_queue FROM dramatiq.routed_queues() AS pgmq_queue;

-- name: queue_views_schema()$
-- Where the views of waiting messages stand.
SELECT CASE WHEN to_regclass('pgmq.email_queue') IS NULL THEN 'dramatiq' ELSE 'pgmq' END;

-- name: cron_views_schema()$
-- Where the views of jobs and their runs stand.
SELECT CASE WHEN EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron')
            THEN 'balansity.cron_job, balansity.cron_job_run_details' ELSE 'cron.job, cron.job_run_details' END;

-- name: unserved_queues()$
-- Queues with due messages older than a minute that no worker takes.
SELECT string_agg(queue, ', ') FROM dramatiq.unserved_queues() AS queue;

-- name: deaf_workers()$
-- Workers that do not hear the doorbell.
SELECT string_agg(worker, ', ') FROM dramatiq.deaf_workers() AS worker;

-- name: missing_abilities()
-- What messages wait for that no worker has.
SELECT ability, messages, since, published FROM dramatiq.missing_abilities();

-- name: may_read_cron()$
-- Whether the tables of the pg_cron extension are there and this role may look at them.
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron')
   AND coalesce(has_table_privilege(to_regclass('cron.job'), 'SELECT'), false);

-- name: old_cron_jobs()$
-- pg_cron's jobs that ours replace and that still run; row-level security shows a role its own, a superuser all.
SELECT string_agg(jobname || ' (job ' || jobid || ' of role ' || username || ')', ', ' ORDER BY jobid) FROM cron.job
WHERE active AND jobname IN ('update-appointment-statuses', 'cleanup-old-assessments', 'send-appointment-reminders');

-- name: odd_appointments()$
-- Open appointments whose time or duration nobody can mean: how many, and the first few.
SELECT CASE WHEN count(*) > 0 THEN concat(count(*), ' (', string_agg(id::text, ', ') FILTER (WHERE place <= 5), ')') END
FROM balansity.odd_appointments() WITH ORDINALITY AS odd (id, place);

-- name: dead_letters()$
-- How many wait for a person.
SELECT count(*) FROM dramatiq.dead_letter;

-- name: failed_mails()$
-- Deliveries of the last week that never left.
SELECT count(*) FROM balansity.delivery WHERE state IN ('failed', 'unknown') AND changed_at > now() - interval '7 days';

-- name: clinics_time(zone)$
-- What the clinic's clocks say.
SELECT (now() AT TIME ZONE :zone)::text;

-- name: misplaced_events(zone)$
-- How many analytics events stand on the day of another time zone.
SELECT balansity.misplaced_events(:zone);
