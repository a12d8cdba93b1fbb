-- What is wrong, and who was told of it.

-- name: open_subjects(check_name)
-- What an open alarm of this check is about.
SELECT subject FROM balansity.alarm WHERE check_name = :check_name AND closed_at IS NULL;
