-- What mails say about the service's rows: mail/facts.py reads them.
-- Columns that only newer deployments have are read through to_jsonb(row), which yields NULL where they are missing.

-- name: appointment(id)^
SELECT a.id, a.status, a.scheduled_at, a.created_at, balansity.now() AS read_at, t.name AS type_name,
    coalesce((to_jsonb(a) ->> 'duration_minutes')::integer, t.duration_minutes) AS duration_minutes,
    to_jsonb(a) ->> 'timezone' AS time_zone, to_jsonb(a) ->> 'video_room_url' AS video_room_url,
    balansity.reader_name(a.user_id) AS reader, p.first_name AS patient
FROM public.appointments a
JOIN public.appointment_types t ON t.id = a.appointment_type_id
LEFT JOIN public.profiles p ON p.id = a.profile_id
WHERE a.id = :id::uuid;

-- name: payment(id)^
-- What was paid for: the appointment that names the payment, or the one or the package that its metadata names. The
-- site writes the metadata: an appointment of somebody else's is none.
SELECT y.id, y.status, y.amount, y.currency, y.payment_method, balansity.reader_name(y.user_id) AS reader,
    (
        SELECT a.id FROM public.appointments a
        WHERE a.user_id = y.user_id AND (a.payment_id = y.id OR a.id::text = y.metadata ->> 'appointment_id')
        ORDER BY a.payment_id = y.id DESC NULLS LAST
        LIMIT 1
    ) AS appointment_id,
    (SELECT k.name FROM public.packages k WHERE k.id::text = y.metadata ->> 'package_id') AS package
FROM public.payments y
WHERE y.id = :id::uuid;

-- name: assessment(id)^
SELECT s.assessment_type, s.completed_at, balansity.reader_name(p.user_id) AS reader, p.first_name AS patient
FROM public.assessments s
LEFT JOIN public.profiles p ON p.id = s.profile_id
WHERE s.id = :id::uuid;

-- name: reader_name(user_id)$
SELECT balansity.reader_name(:user_id::uuid);

-- name: family_zone(user_id)$
-- By whose clocks a family lives: those of the consultation that it booked last.
SELECT to_jsonb(a) ->> 'timezone' FROM public.appointments a
WHERE a.user_id = :user_id::uuid
ORDER BY a.created_at DESC
LIMIT 1;
