-- What we hold about one person.

-- name: allow_minutes()!
-- Looking through every message and event may take longer than a statement usually may, and so may a storage of files
-- between two of them.
SET LOCAL statement_timeout = '30min'; SET LOCAL idle_in_transaction_session_timeout = '30min';

-- name: ids(user_id)
-- The ids of this person and of all rows about them.
SELECT id FROM balansity.ids_of(:user_id::uuid) AS theirs (id);

-- name: deliveries(user_id)
-- The mails to this person.
SELECT delivery_id::text FROM balansity.deliveries_of(:user_id::uuid) AS theirs (delivery_id);

-- name: forget(user_id)
-- Removes it; says what, how much of it, and how much remains because it is still needed.
SELECT what, removed, remaining FROM balansity.forget_person(:user_id::uuid);
