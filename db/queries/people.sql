-- What we hold about one person.

-- name: forget(user_id)
-- Removes it; says what and how much of it.
SELECT what, removed FROM balansity.forget_person(:user_id::uuid);
