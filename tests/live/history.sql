-- What the old system left behind: families, consultations ahead and behind, payments of checkout, messages of each kind.
-- Of consultations ahead, every third was told a day before and its message archived, every third has it waiting, every
-- third was never told.

INSERT INTO auth.users (email) SELECT 'family-' || n || '@example.com' FROM generate_series(1, 30) AS n;
INSERT INTO public.profiles (user_id, type, first_name, last_name)
SELECT id, 'child', 'Мария', 'Ёлкина' FROM public.users;

INSERT INTO public.appointments (user_id, profile_id, appointment_type_id, scheduled_at, status)
SELECT p.user_id, p.id, t.id, date_trunc('minute', now()) + ahead.hours * interval '1 hour',
       CASE WHEN ahead.hours < 0 THEN 'completed' ELSE 'scheduled' END
FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM public.profiles) AS p
JOIN (SELECT *, row_number() OVER (ORDER BY hours) AS n
      FROM unnest(ARRAY[-50, -26, 2, 5, 9, 12, 16, 20, 22, 23, 26, 30, 50, 75]) AS hours) AS ahead ON ahead.n = p.n % 14 + 1
JOIN public.appointment_types t ON t.name = 'Детский психолог';

SELECT count(pgmq.archive('email_queue', m.msg_id))
FROM pgmq.q_email_queue m WHERE m.msg_id % 2 = 0; -- half of the confirmations went out

WITH told AS (
    SELECT n % 3 AS share, pgmq.send('email_queue', jsonb_build_object(
        'to', email, 'subject', 'Напоминание о консультации', 'template', 'appointment_reminder_24h',
        'variables', jsonb_build_object('appointment_id', id, 'scheduled_at', scheduled_at),
        'priority', 0, 'created_at', scheduled_at - interval '24 hours')) AS msg_id
    FROM (SELECT a.id, a.scheduled_at, u.email, row_number() OVER (ORDER BY a.scheduled_at, a.id) AS n
          FROM public.appointments a JOIN public.users u ON u.id = a.user_id
          WHERE a.status = 'scheduled' AND a.scheduled_at < now() + interval '24 hours') AS ahead
    WHERE n % 3 < 2
)
SELECT count(pgmq.archive('email_queue', msg_id)) FROM (SELECT * FROM told OFFSET 0) AS told WHERE share = 0;

-- Checkout leaves two rows: the browser's, which stays pending for ever, and the API's.
INSERT INTO public.payments (user_id, amount, payment_method, created_at)
SELECT id, 5000, 'yookassa', now() - interval '20 days' FROM public.users;
INSERT INTO public.payments (user_id, amount, payment_method, external_payment_id, created_at)
SELECT id, 5000, 'yookassa', 'old-' || id, now() - interval '20 days' FROM public.users;
UPDATE public.payments SET status = 'completed' WHERE external_payment_id IS NOT NULL;
