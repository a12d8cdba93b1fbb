-- What we hold about one person.

-- name: deliveries(user_id)
-- The mails to this person.
SELECT delivery_id::text FROM balansity.deliveries_of(:user_id::uuid) AS theirs (delivery_id);

-- name: forget(user_id)
-- Removes it; says what and how much of it.
SELECT what, removed FROM balansity.forget_person(:user_id::uuid);
