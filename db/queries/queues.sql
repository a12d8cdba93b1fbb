-- The queue functions of 031_setup_queues.sql.

-- name: queue_email_task(to, subject, template, variables, priority)$
-- Queue a mail.
SELECT public.queue_email_task(:to, :subject, :template, :variables::jsonb, :priority);

-- name: queue_report_generation(assessment_id, user_id, report_type)$
-- Queue a report.
SELECT public.queue_report_generation(:assessment_id::uuid, :user_id::uuid, :report_type);

-- name: queue_payment_processing(payment_id, action)$
-- Queue work on a payment.
SELECT public.queue_payment_processing(:payment_id::uuid, :action);
