-- A database after years: finished messages of the last week, what died and what is due later; families with their
-- check-ups, consultations, payments and mails of two years; the jobs' runs of %(days)s days. %(mails)s mails make a tenth
-- as many families, %(messages)s messages are spread over a week. No trigger runs.
SET LOCAL session_replication_role = replica;
SET LOCAL synchronous_commit = off;

CREATE TEMPORARY TABLE family ON COMMIT DROP AS
SELECT n, gen_random_uuid() AS id, gen_random_uuid() AS parent, gen_random_uuid() AS child, gen_random_uuid() AS checkup,
       gen_random_uuid() AS payment, gen_random_uuid() AS appointment, gen_random_uuid() AS report,
       now() - interval '730 days' * n / (%(mails)s / 10) AS came
FROM generate_series(1, %(mails)s / 10) AS n;

INSERT INTO public.users (id, email, created_at) SELECT id, 'family' || n || '@example.com', came FROM family;

INSERT INTO public.profiles (id, user_id, type, first_name, last_name)
SELECT parent, id, 'parent', 'Анна', 'Ёлкина-' || n FROM family
UNION ALL SELECT child, id, 'child', 'Миша', 'Ёлкин-' || n FROM family;

INSERT INTO public.assessments (id, profile_id, assessment_type, status, started_at, completed_at, created_at, updated_at)
SELECT checkup, child, 'checkup', 'completed', came, came + interval '1 hour', came, came + interval '1 hour' FROM family
UNION ALL
SELECT gen_random_uuid(), child, 'parent', CASE WHEN n < 50 THEN 'in_progress' ELSE 'abandoned' END, came, NULL, came, came
FROM family;

INSERT INTO public.payments (id, user_id, amount, status, payment_method, external_payment_id, metadata, created_at, updated_at)
SELECT payment, id, 5000, 'completed', 'yookassa', gen_random_uuid()::text, jsonb_build_object('appointment_id', appointment),
       came, came + interval '5 minutes'
FROM family
UNION ALL -- of each checkout the row that stays open for ever, and of the last the one that waits
SELECT gen_random_uuid(), id, 5000, 'pending', 'yookassa', CASE WHEN n < 100 THEN gen_random_uuid()::text END, NULL, came, came
FROM family;

INSERT INTO balansity.provider_payment (external_id, payment_id)
SELECT external_payment_id, id FROM public.payments WHERE external_payment_id IS NOT NULL;
INSERT INTO balansity.payment_check (payment_id, checks, next_at, answer, answered_at)
SELECT id, 2, created_at + interval '3 minutes', 'pending', created_at FROM public.payments WHERE external_payment_id IS NOT NULL;
INSERT INTO balansity.payment_settlement (payment_id, status, settled_at, attempt, appointment_id)
SELECT payment, 'completed', came, '', appointment FROM family;
INSERT INTO balansity.payment_flag (payment_id, reason, flagged_at, resolved_at)
SELECT payment, 'open for 3 days', came, CASE WHEN n > 200 THEN came + interval '1 day' END FROM family WHERE n %% 4 = 0;

INSERT INTO public.appointments (id, user_id, profile_id, appointment_type_id, scheduled_at, status, payment_id, created_at)
SELECT appointment, family.id, child, offered.id, came + interval '3 days',
       CASE WHEN came > now() - interval '3 days' THEN 'confirmed' ELSE 'completed' END, payment, came
FROM family, (SELECT id FROM public.appointment_types ORDER BY name LIMIT 1) AS offered
UNION ALL
SELECT gen_random_uuid(), family.id, child, offered.id, came + interval '10 days',
       CASE WHEN came > now() - interval '10 days' THEN 'scheduled' ELSE 'completed' END, NULL, came
FROM family, (SELECT id FROM public.appointment_types ORDER BY name LIMIT 1) AS offered;

INSERT INTO balansity.report (id, assessment_id, user_id, format, digest, filename, media_type, size_bytes, path, created_at)
SELECT report, checkup, id, 'pdf', md5(n::text), 'report.pdf', 'application/pdf', 40000, 'reports/' || n, came FROM family
WHERE came > now() - interval '365 days';

SELECT balansity.make_month(ledger, (date_trunc('month', now() AT TIME ZONE 'UTC') - number * interval '1 month')::date)
FROM unnest(ARRAY['delivery', 'delivery_attempt', 'delivery_event']) AS ledger, generate_series(1, 24) AS number;

-- Ten mails a family; of those of the last week the messages are kept.
INSERT INTO balansity.delivery
    (id, key, template, recipient, subject, user_id, appointment_id, state, attempts, message_id, trace, provider,
     provider_message_id, planned_at, sent_at, changed_at)
SELECT gen_random_uuid(),
       CASE number WHEN 1 THEN concat_ws(':', 'report_ready', checkup, 'pdf', md5(n::text))
                   WHEN 2 THEN concat_ws(':', 'payment', payment, 'completed')
                   ELSE concat_ws(':', 'bench', n, number) END,
       CASE number WHEN 1 THEN 'report_ready' WHEN 2 THEN 'payment_confirmation' ELSE 'appointment_reminder_24h' END,
       'family' || n || '@example.com', 'Ваш отчет готов', id, CASE WHEN number > 2 THEN appointment END,
       CASE WHEN n < 20 AND number = 3 THEN 'failed' WHEN n < 40 AND number = 4 THEN 'unknown' WHEN n %% 10 = 0 AND number = 5 THEN 'sent'
            ELSE 'delivered' END,
       1, gen_random_uuid(), md5(concat(n, ':', number)), 'sendgrid', gen_random_uuid(), came, came, came
FROM family, generate_series(1, 10) AS number;
INSERT INTO balansity.delivery_key (id, key, planned_at) SELECT id, key, planned_at FROM balansity.delivery;
INSERT INTO balansity.delivery_attempt (delivery_id, number, provider, started_at, finished_at, outcome, answer)
SELECT id, 1, 'sendgrid', planned_at, planned_at + interval '1 second', 'sent', '202' FROM balansity.delivery;
INSERT INTO balansity.delivery_event (id, delivery_id, kind, occurred_at, received_at)
SELECT concat(id, kind), id, kind, sent_at, sent_at
FROM balansity.delivery, unnest(ARRAY['processed', 'delivered']) AS kind
WHERE state = 'delivered' OR hashtext(key) %% 50 <> 0 AND kind = 'processed'; -- of the rest nothing was ever heard

INSERT INTO balansity.slot (job, slot, state, enqueued_at, started_at, finished_at, attempts, outcome)
SELECT j.name, at, CASE WHEN hashtext(j.name || at) %% 5000 = 0 THEN 'failed' ELSE 'succeeded' END, at, at,
       at + interval '200 milliseconds', 1, '0 done'
FROM balansity.job j, generate_series(now() - interval '1 day' * %(days)s, now() - interval '1 minute', CASE split_part(j.schedule, ' ', 1)
         WHEN '*' THEN interval '1 minute' WHEN '*/5' THEN interval '5 minutes' ELSE interval '1 day' END) AS at;

INSERT INTO balansity.operator_action (acted_at, who, via, action, target, reason)
SELECT came, 'vera', 'page', 'resolve payment', payment, 'the family asked' FROM family, generate_series(1, 2) ORDER BY came;

INSERT INTO balansity.analytics_daily (day, type, events)
SELECT came::date, 'assessment_completed', count(*) FROM family GROUP BY 1;

SELECT dramatiq.make_day((now() AT TIME ZONE 'UTC')::date - number) FROM generate_series(1, 7) AS number;

-- Messages: mails, three parts in ten of them sent by SQL through pgmq; others.
INSERT INTO dramatiq.queue
    (message_id, queue_name, state, mtime, available_at, attempt, pgmq_queue, pgmq_msg_id, error, message)
SELECT id, queue, state, at, at - interval '1 second', 1, CASE WHEN number %% 10 < 3 THEN 'email_queue' END,
       CASE WHEN number %% 10 < 3 THEN number END,
       CASE WHEN state = 'rejected' THEN format('Refused%%s: the provider says no to %%s', number %% 12, number) END,
       jsonb_build_object(
           'queue_name', queue, 'actor_name', actor, 'args', '[]'::jsonb,
           'kwargs', jsonb_build_object(
               'to', 'family' || number %% (%(mails)s / 10) || '@example.com', 'subject', 'Ваш отчет готов',
               'template', 'report_ready', 'variables', jsonb_build_object('name', 'Анна'), 'appointment_id', about),
           'options', jsonb_build_object('trace', CASE WHEN number %% 10 < 3 THEN dramatiq.trace_at(at) ELSE md5(number::text) END),
           'message_id', id, 'message_timestamp', floor(extract(epoch FROM at) * 1000))
FROM (
    SELECT number, gen_random_uuid() AS id, md5(number::text || 'about')::uuid AS about,
           CASE WHEN number %% 1000 = 7 THEN 'reports' WHEN number %% 10 < 7 THEN 'emails' ELSE 'analytics' END AS queue,
           CASE WHEN number %% 1000 = 7 THEN 'generate_report' WHEN number %% 10 < 7 THEN 'send_email' ELSE 'update_analytics' END AS actor,
           CASE WHEN number %% 2000 = 0 THEN 'rejected' WHEN number %% 5000 = 1 THEN 'cancelled' ELSE 'done' END::dramatiq.state AS state,
           now() - interval '7 days' * number / %(messages)s AS at
    FROM generate_series(1, %(messages)s) AS number
) AS ended;
INSERT INTO dramatiq.queue (message_id, queue_name, state, available_at, delayed, message)
SELECT id, 'emails', 'queued', now() + interval '1 day' * number / 100, true, jsonb_build_object(
    'queue_name', 'emails', 'actor_name', 'send_email', 'args', '[]'::jsonb, 'kwargs', '{}'::jsonb, 'options', '{}'::jsonb,
    'message_id', id, 'message_timestamp', 1700000000000)
FROM (SELECT gen_random_uuid() AS id, number FROM generate_series(1, 1000) AS number) AS later;

INSERT INTO dramatiq.minute (minute, queue_name, actor, ending, failure, bucket, messages, attempts, seconds, pgmq_queue)
SELECT date_trunc('minute', mtime), queue_name, message ->> 'actor_name', 'done', '', 6, count(*), count(*), count(*),
       coalesce(pgmq_queue, '')
FROM dramatiq.queue WHERE state = 'done' GROUP BY 1, 2, 3, 10;
UPDATE dramatiq.kept_until SET at = date_trunc('minute', now());

INSERT INTO pgmq.a_email_queue (msg_id, read_ct, enqueued_at, archived_at, vt, message)
SELECT pgmq_msg_id, 0, mtime, mtime, mtime, message -> 'kwargs' FROM dramatiq.queue WHERE pgmq_msg_id IS NOT NULL;

UPDATE balansity.job SET planned_until = now();
