-- Ends every migration: what is ours stays closed to the site's visitors; the request's functions are its server's.

DO $$
BEGIN
    PERFORM balansity.notice_restore();
    PERFORM dramatiq.close('balansity');
    IF to_regnamespace('cron') IS NOT NULL AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
        PERFORM dramatiq.close('cron');
    END IF;
    PERFORM dramatiq.close(
        'public',
        p_functions => '{handle_checkup_completed, handle_new_appointment, handle_payment_status_change,
                         handle_appointment_change}',
        p_service => '{queue_email_task, queue_report_generation, queue_payment_processing,
                       pgmq_read, pgmq_archive, pgmq_nack, pgmq_metrics}'
    );
END $$;
