-- Results of messages, kept until they expire.

-- name: store(message_id, result, ttl)!
-- Keep a result for `ttl` milliseconds, in place of one that was there.
INSERT INTO dramatiq.result (message_id, result, expires_at)
VALUES (:message_id::uuid, :result, now() + :ttl * interval '1 millisecond')
ON CONFLICT (message_id) DO UPDATE SET result = excluded.result, expires_at = excluded.expires_at;

-- name: find(message_id)$
-- The result of a message, where there is one.
SELECT result FROM dramatiq.result WHERE message_id = :message_id::uuid AND expires_at > now();

-- name: expired(at, after, rows)
-- A page of the results whose time has passed.
SELECT message_id::text AS key, expires_at AS at, pg_column_size(result) AS bytes
FROM dramatiq.result
WHERE expires_at < now() AND (:after::uuid IS NULL OR (expires_at, message_id) > (:at, :after::uuid))
ORDER BY expires_at, message_id
LIMIT :rows;

-- name: purge(keys)!
-- Delete those of these results whose time has passed.
DELETE FROM dramatiq.result WHERE message_id IN (
    SELECT message_id FROM dramatiq.result WHERE message_id = ANY (:keys::uuid[]) AND expires_at < now()
    FOR UPDATE SKIP LOCKED
);
