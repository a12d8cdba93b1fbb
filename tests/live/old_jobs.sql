-- The old jobs of pg_cron.
SELECT cron.schedule('update-appointment-statuses', '*/5 * * * *', 'SELECT public.update_appointment_statuses()');
SELECT cron.schedule('cleanup-old-assessments', '0 3 * * *', $$
    UPDATE public.assessments SET status = 'abandoned'
    WHERE status = 'in_progress' AND started_at < now() - interval '30 days'$$);
SELECT cron.schedule('send-appointment-reminders', '0 * * * *', 'SELECT public.send_appointment_reminders()');
SELECT cron.schedule('somebody-elses', '0 4 * * *', 'SELECT 1');
