-- name: under_way(now, after, rows)
-- A page of the appointments that have come and are not over, as far as is known.
SELECT id::text AS key, 0 AS bytes FROM public.appointments
WHERE status IN ('scheduled', 'confirmed', 'in_progress') AND scheduled_at <= :now
  AND (:after::uuid IS NULL OR id > :after::uuid)
ORDER BY id
LIMIT :rows;

-- name: update_appointment_statuses(keys, now)^
SELECT started, completed FROM balansity.update_appointment_statuses(:now, :keys::uuid[]);

-- name: unfinished(now, after, rows)
-- A page of the check-ups that nobody finished in 30 days.
SELECT id::text AS key, 0 AS bytes FROM public.assessments
WHERE status = 'in_progress' AND coalesce(started_at, created_at) < :now - interval '30 days'
  AND (:after::uuid IS NULL OR id > :after::uuid)
ORDER BY id
LIMIT :rows;

-- name: abandon_old_assessments(keys, now)$
SELECT balansity.abandon_old_assessments(:now, :keys::uuid[]);

-- name: to_remind(until, now, after, rows)
-- A page of the appointments with a reminder that is due before :until and that nobody has sent.
SELECT DISTINCT appointment_id::text AS key, 0 AS bytes, appointment_id
FROM balansity.reminders_between(:now, :until)
WHERE :after::uuid IS NULL OR appointment_id > :after::uuid
ORDER BY appointment_id
LIMIT :rows;

-- name: claim_reminders(until, now, keys)
-- Their reminders due before :until that nobody has sent; whoever claims them sends them in the same transaction.
SELECT appointment_id::text, kind, balansity.iso_utc(scheduled_at) AS scheduled_at, due_at, user_id::text, email
FROM balansity.claim_reminders(:now, :until, :keys::uuid[]);

-- name: reminders_between(now, until, most)
-- The first of them, or all where `most` is NULL, as in those that follow.
SELECT due_at, appointment_id::text, kind FROM balansity.reminders_between(:now, :until) ORDER BY due_at LIMIT :most;

-- name: status_changes_until(until, most)
-- A time long past is any: what is due is due at once.
SELECT greatest(due_at, '1900-01-01 00:00:00+00') AS due_at, appointment_id::text, status
FROM balansity.status_changes_until(:until) ORDER BY due_at LIMIT :most;

-- name: abandonments_until(until, most)
SELECT greatest(due_at, '1900-01-01 00:00:00+00') AS due_at, assessment_id::text
FROM balansity.abandonments_until(:until) ORDER BY due_at LIMIT :most;

-- name: read_only()!
-- For the rest of the transaction: a plan writes nothing.
SET TRANSACTION READ ONLY;
