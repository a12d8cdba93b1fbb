-- What bench/analytics.py puts in and measures.

-- name: fill(count)!
-- Check-ups completed over the last month, by a thousand users.
SELECT pgmq.send_batch('analytics_queue', array_agg(jsonb_build_object(
    'type', (ARRAY['assessment_completed', 'payment_completed', 'appointment_booked'])[1 + mod(n, 3)],
    'assessment_id', gen_random_uuid(),
    'user_id', md5(mod(n, 1000)::text)::uuid,
    'completed_at', now() - mod(n, 43200) * interval '1 minute'
)))
FROM generate_series(1, :count) AS n;

-- name: kept()$
SELECT count(*) FROM balansity.analytics_event;

-- name: counted()$
SELECT sum(events)::bigint FROM balansity.analytics_daily;

-- name: transactions()$
SELECT count(DISTINCT received_at) FROM balansity.analytics_event;
