-- What mails say about the service's rows. Each gives one JSON object or NULL.
-- Columns that only newer deployments have are read through to_jsonb(row), which yields NULL where they are missing.

-- name: appointment(id)$
SELECT jsonb_build_object(
    'id', a.id, 'user_id', a.user_id, 'status', a.status, 'scheduled_at', a.scheduled_at, 'created_at', a.created_at,
    'read_at', balansity.now(),
    'type_name', t.name,
    'duration_minutes', coalesce((to_jsonb(a) ->> 'duration_minutes')::integer, t.duration_minutes),
    'time_zone', to_jsonb(a) ->> 'timezone',
    'video_room_url', to_jsonb(a) ->> 'video_room_url',
    'reader', balansity.reader_name(a.user_id),
    'patient', p.first_name
)
FROM public.appointments a
JOIN public.appointment_types t ON t.id = a.appointment_type_id
LEFT JOIN public.profiles p ON p.id = a.profile_id
WHERE a.id = :id::uuid;

-- name: payment(id)$
-- What was paid for: the appointment that names the payment, or the one or the package that its metadata names. The
-- site writes the metadata: an appointment of somebody else's is none.
SELECT jsonb_build_object(
    'id', y.id, 'user_id', y.user_id, 'status', y.status, 'amount', y.amount::text, 'currency', y.currency,
    'payment_method', y.payment_method,
    'reader', balansity.reader_name(y.user_id),
    'appointment_id', (
        SELECT a.id FROM public.appointments a
        WHERE a.user_id = y.user_id AND (a.payment_id = y.id OR a.id::text = y.metadata ->> 'appointment_id')
        ORDER BY a.payment_id = y.id DESC NULLS LAST
        LIMIT 1
    ),
    'package', (SELECT k.name FROM public.packages k WHERE k.id::text = y.metadata ->> 'package_id')
)
FROM public.payments y
WHERE y.id = :id::uuid;

-- name: assessment(id)$
SELECT jsonb_build_object(
    'id', s.id, 'user_id', p.user_id, 'assessment_type', s.assessment_type, 'completed_at', s.completed_at,
    'reader', balansity.reader_name(p.user_id),
    'patient', p.first_name
)
FROM public.assessments s
LEFT JOIN public.profiles p ON p.id = s.profile_id
WHERE s.id = :id::uuid;

-- name: reader_name(user_id)$
SELECT balansity.reader_name(:user_id::uuid);
