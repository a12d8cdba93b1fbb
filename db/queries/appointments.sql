-- name: update_appointment_statuses^
SELECT started, completed FROM balansity.update_appointment_statuses(:now);

-- name: abandon_old_assessments$
SELECT balansity.abandon_old_assessments(:now);

-- name: claim_reminders
-- The reminders due before :until that nobody has sent; whoever claims them sends them in the same transaction.
SELECT appointment_id::text, kind, balansity.iso_utc(scheduled_at), due_at, user_id::text, email
FROM balansity.claim_reminders(:now, :until);
