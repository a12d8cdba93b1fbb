-- What mails say about the service's rows: mail/facts.py reads them.
-- Columns that only newer deployments have are read through to_jsonb(row), which yields NULL where they are missing.

-- name: owners(appointment_id, payment_id, assessment_id, report_id, user_id)
-- Whose is what a mail names, as far as it exists and is anybody's: each with its owner's address.
SELECT named.what, balansity.email_of(named.user_id) AS email
FROM (
    SELECT 'appointment', a.user_id FROM public.appointments a WHERE a.id = :appointment_id::uuid
    UNION ALL
    SELECT 'payment', y.user_id FROM public.payments y WHERE y.id = :payment_id::uuid
    UNION ALL
    SELECT 'check-up', p.user_id FROM public.assessments s JOIN public.profiles p ON p.id = s.profile_id
    WHERE s.id = :assessment_id::uuid
    UNION ALL
    SELECT 'report', coalesce(p.user_id, r.user_id) FROM balansity.report r
    LEFT JOIN public.assessments s ON s.id = r.assessment_id
    LEFT JOIN public.profiles p ON p.id = s.profile_id
    WHERE r.id = :report_id::uuid
    UNION ALL
    SELECT 'user', u.id FROM public.users u WHERE u.id = :user_id::uuid
) AS named (what, user_id);

-- name: appointment(id)^
SELECT a.id, coalesce(a.status, 'of no status') AS status, balansity.of_our_time(a.scheduled_at) AS scheduled_at,
    coalesce(balansity.of_our_time(a.created_at), '2020-01-01 00:00:00+00') AS created_at,
    balansity.now() AS read_at, coalesce(t.name, 'Консультация') AS type_name, balansity.minutes_of(a) AS duration_minutes,
    m.scheduled_at IS NOT DISTINCT FROM balansity.of_our_time(a.scheduled_at) AS is_move_ordered,
    left(to_jsonb(a) ->> 'timezone', 100) AS time_zone, nullif(t.price, 0) AS price,
    left(to_jsonb(a) ->> 'video_room_url', 3000) AS video_room_url, -- more than a link may have
    balansity.reader_name(a.user_id) AS reader, left(p.first_name, 200) AS patient
FROM public.appointments a
LEFT JOIN public.appointment_types t ON t.id = a.appointment_type_id
LEFT JOIN public.profiles p ON p.id = a.profile_id AND p.user_id = a.user_id -- no other family's child
LEFT JOIN balansity.ordered_move m ON m.appointment_id = a.id
WHERE a.id = :id::uuid;

-- name: payment(id)^
-- What was paid for: the appointment that names the payment, or the one or the package that its metadata names. The
-- site writes the metadata: an appointment of somebody else's is none.
SELECT y.id, coalesce(y.status, 'of no status') AS status, y.amount, left(y.currency::text, 10) AS currency, y.payment_method, balansity.reader_name(y.user_id) AS reader,
    (
        SELECT a.id FROM public.appointments a
        WHERE a.user_id = y.user_id AND (a.payment_id = y.id OR a.id::text = y.metadata ->> 'appointment_id')
        ORDER BY a.payment_id = y.id DESC NULLS LAST
        LIMIT 1
    ) AS appointment_id,
    (
        SELECT s.settled_at FROM balansity.payment_settlement s
        WHERE s.payment_id = y.id AND s.status = 'completed'
        ORDER BY s.settled_at
        LIMIT 1
    ) AS paid_at,
    (SELECT k.name FROM public.packages k WHERE k.id::text = y.metadata ->> 'package_id') AS package
FROM public.payments y
WHERE y.id = :id::uuid;

-- name: assessment(id)^
SELECT s.assessment_type, balansity.of_our_time(s.completed_at) AS completed_at,
    balansity.reader_name(p.user_id) AS reader, left(p.first_name, 200) AS patient
FROM public.assessments s
LEFT JOIN public.profiles p ON p.id = s.profile_id
WHERE s.id = :id::uuid;

-- name: reader_name(user_id)$
SELECT balansity.reader_name(:user_id::uuid);

-- name: family_zone(user_id)$
-- By whose clocks a family lives: those of the consultation that it booked last.
SELECT left(to_jsonb(a) ->> 'timezone', 100) FROM public.appointments a
WHERE a.user_id = :user_id::uuid
ORDER BY a.created_at DESC
LIMIT 1;
