-- Results of messages, kept until they expire.

-- name: store(message_id, result, ttl)!
-- Keep a result for `ttl` milliseconds, in place of one that was there.
INSERT INTO dramatiq.result (message_id, result, expires_at)
VALUES (:message_id::uuid, :result, now() + :ttl * interval '1 millisecond')
ON CONFLICT (message_id) DO UPDATE SET result = excluded.result, expires_at = excluded.expires_at;

-- name: find(message_id)$
-- The result of a message, where there is one.
SELECT result FROM dramatiq.result WHERE message_id = :message_id::uuid AND expires_at > now();
