-- Until it is known whether an old system lives (post-apply.sql), its queues are its own.

DO $$
BEGIN
    PERFORM dramatiq.hold_routes('{email_queue, report_generation_queue, payment_processing_queue, analytics_queue}');
END $$;
