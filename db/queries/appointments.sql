-- name: update_appointment_statuses(now)^
SELECT started, completed FROM balansity.update_appointment_statuses(:now);

-- name: abandon_old_assessments(now)$
SELECT balansity.abandon_old_assessments(:now);

-- name: claim_reminders(until, now)
-- The reminders due before :until that nobody has sent; whoever claims them sends them in the same transaction.
SELECT appointment_id::text, kind, balansity.iso_utc(scheduled_at) AS scheduled_at, due_at, user_id::text, email
FROM balansity.claim_reminders(:now, :until);

-- name: reminders_between(now, until)
SELECT due_at, appointment_id::text, kind FROM balansity.reminders_between(:now, :until);

-- name: status_changes_until(until)
SELECT due_at, appointment_id::text, status FROM balansity.status_changes_until(:until);

-- name: abandonments_until(until)
SELECT due_at, assessment_id::text FROM balansity.abandonments_until(:until);

-- name: read_only()!
-- For the rest of the transaction: a plan writes nothing.
SET TRANSACTION READ ONLY;
