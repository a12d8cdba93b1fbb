-- What we hold about one person.

-- name: ids(user_id)
-- The ids of this person and of all rows about them.
SELECT id FROM balansity.ids_of(:user_id::uuid) AS theirs (id);

-- name: signs(user_id)$
-- What tells that a text is about them, for the queries below.
SELECT balansity.signs_of(:user_id::uuid)::text;

-- name: forget_events(keys, person)$
SELECT balansity.forget_events(:keys::bytea[], :person::jsonb);

-- name: suppressions(after, rows)
-- A page of the suppressed addresses, by their digests.
SELECT key, 0 AS bytes
FROM (SELECT encode(sha256(convert_to(address, 'UTF8')), 'hex') AS key FROM balansity.suppression) AS digests
WHERE :after::text IS NULL OR key > :after
ORDER BY key
LIMIT :rows;

-- name: forget_suppressions(keys, person)$
SELECT balansity.forget_suppressions(:keys, :person::jsonb);

-- name: all_deliveries(after, rows)
SELECT k.id::text AS key, d.bytes
FROM balansity.delivery_key k, LATERAL (
    SELECT pg_column_size(m) AS bytes FROM balansity.delivery m WHERE (m.id, m.planned_at) = (k.id, k.planned_at) OFFSET 0
) AS d
WHERE :after::uuid IS NULL OR k.id > :after::uuid
ORDER BY k.id
LIMIT :rows;

-- name: deliveries_to(keys, person)
-- Those of these mails that went to this person.
SELECT id::text AS key, 0 AS bytes, is_named FROM balansity.deliveries_to(:keys::uuid[], :person::jsonb);

-- name: forget_deliveries(keys)$
SELECT balansity.forget_deliveries(:keys::uuid[]);

-- name: forget_reasons(user_id, ids, person)!
-- Take out why somebody decided as they did about this person's payments, about what has these ids, or in words that speak
-- of the person.
WITH acted AS (
    UPDATE balansity.operator_action SET target = '', reason = '(forgotten)'
    WHERE string_to_array(target, ', ') && :ids::text[] OR balansity.speaks_of(concat_ws(' ', target, reason), NULL, :person::jsonb)
)
UPDATE balansity.payment_flag SET decided_because = NULL
WHERE decided_because IS NOT NULL AND payment_id IN (SELECT id FROM public.payments WHERE user_id = :user_id::uuid);

-- name: doubtful_mails(after, rows)
-- A page of the mails that a restore made doubtful before they were in the ledger.
SELECT key, 0 AS bytes FROM balansity.doubtful_mail
WHERE :after::text IS NULL OR key > :after
ORDER BY key
LIMIT :rows;

-- name: forget_doubtful_mails(keys, person)!
DELETE FROM balansity.doubtful_mail WHERE key = ANY (:keys) AND balansity.speaks_of(key, NULL, :person::jsonb);

-- name: noted(after, rows)
-- A page of the appointments and payments that we noted something about.
SELECT DISTINCT id::text AS key, 0 AS bytes, id FROM balansity.noted
WHERE :after::uuid IS NULL OR id > :after::uuid
ORDER BY id
LIMIT :rows;

-- name: forget_deleted(keys)$
-- Remove the notes about those that are gone; gives how many notes.
SELECT balansity.forget_deleted(:keys::uuid[]);
