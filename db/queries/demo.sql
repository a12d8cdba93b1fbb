-- What the demonstration writes, the way the site would, and what it reads to see the effects.

-- name: be_silent()!
-- History is loaded without the triggers: its mails went out long ago.
SET session_replication_role = replica;

-- name: be_heard()!
-- From here on, changes have their effects.
RESET session_replication_role;

-- name: note_paid()$
-- What stands at the provider is noted, as at a hand-over: no trigger has heard of it.
SELECT balansity.note_paid();

-- name: add_user(email, phone)$
-- A parent with an account.
INSERT INTO public.users (email, phone, region, marketing_consent) VALUES (:email, :phone, 'Москва', true)
RETURNING id::text;

-- name: add_profile(user_id, type, first_name, last_name, dob, gender)$
-- A member of the parent's family.
INSERT INTO public.profiles (user_id, type, first_name, last_name, dob, gender)
VALUES (:user_id::uuid, :type, :first_name, :last_name, :dob::date, :gender)
RETURNING id::text;

-- name: add_assessment(profile_id, assessment_type, started_at)$
-- A check-up that somebody began.
INSERT INTO public.assessments (profile_id, assessment_type, total_steps, started_at, created_at, updated_at)
VALUES (:profile_id::uuid, :assessment_type, 31, :started_at, :started_at, :started_at)
RETURNING id::text;

-- name: add_answer(assessment_id, question_id, answer_type, value)!
-- One answer of it.
INSERT INTO public.answers (assessment_id, question_id, question_code, answer_type, value)
VALUES (:assessment_id::uuid, :question_id, 'q' || :question_id::text, :answer_type, :value);

-- name: add_payment(user_id, amount, status)$
-- A payment on its way.
INSERT INTO public.payments (user_id, amount, status, payment_method, external_payment_id)
VALUES (:user_id::uuid, :amount, :status, 'yookassa', gen_random_uuid()::text)
RETURNING id::text;

-- name: add_appointment(user_id, profile_id, type_name, scheduled_at, status, payment_id)$
-- A consultation.
INSERT INTO public.appointments (user_id, profile_id, appointment_type_id, scheduled_at, status, payment_id)
SELECT :user_id::uuid, :profile_id::uuid, t.id, :scheduled_at, :status, :payment_id::uuid
FROM public.appointment_types t WHERE t.name = :type_name
RETURNING id::text;

-- name: add_reminder(appointment_id, kind)!
-- A reminder that went out earlier.
INSERT INTO balansity.reminder (appointment_id, kind, scheduled_at, planned_at)
SELECT id, :kind, scheduled_at, scheduled_at - interval '24 hours' FROM public.appointments
WHERE id = :appointment_id::uuid;

-- name: complete_assessment(id)!
-- The site, when the last question is answered; it computes results_summary moments later.
UPDATE public.assessments SET status = 'completed', completed_at = now(), updated_at = now() WHERE id = :id::uuid;

-- name: set_payment_status(id, status)!
-- The site, when YooKassa's answer comes.
UPDATE public.payments SET status = :status, updated_at = now() WHERE id = :id::uuid;

-- name: mails()
-- Every delivery of the ledger.
SELECT d.id::text, d.key, d.template, d.state, d.reason, d.user_id::text, d.provider_message_id AS file,
       p.first_name || ' ' || p.last_name AS name
FROM balansity.delivery d
LEFT JOIN public.profiles p ON p.user_id = d.user_id AND p.type = 'parent'
ORDER BY d.planned_at;

-- name: reports()
-- Every finished report.
SELECT id::text, assessment_id::text, format, filename AS file, content FROM balansity.report ORDER BY created_at;

-- name: events()
-- Every analytics event kept.
SELECT facts ->> 'key' AS id, type FROM balansity.analytics_event ORDER BY occurred_at;

-- name: appointments()
-- Where the consultations stand.
SELECT id::text, status, payment_id::text FROM public.appointments;

-- name: payments()
-- Where the payments stand.
SELECT id::text, status FROM public.payments;

-- name: assessments()
-- Where the check-ups stand.
SELECT id::text, status FROM public.assessments;

-- name: dead()
-- What went wrong.
SELECT actor_name, error FROM dramatiq.dead_letter;

-- name: scheduler_is_ready()$
-- The scheduler has written its jobs.
SELECT count(*) >= 3 FROM balansity.job;
