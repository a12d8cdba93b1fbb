-- What people did to the system, and why.

-- name: record(who, via, action, target, count, reason, form)$
-- An action, in the transaction that does it; its number, or NULL where this form has done it already. Whoever sends the
-- same form meanwhile waits here for the end of that transaction.
INSERT INTO balansity.operator_action (who, via, action, target, count, reason, form)
VALUES (:who, :via, :action, :target, :count, :reason, :form::uuid)
ON CONFLICT (form) DO NOTHING
RETURNING id;

-- name: actions(since, before, limit)
-- What was done, the newest first.
SELECT id, acted_at, who, via, action, target, count, reason
FROM balansity.operator_action
WHERE (:since::timestamptz IS NULL OR acted_at >= :since) AND (:before::bigint IS NULL OR id < :before)
ORDER BY id DESC
LIMIT :limit;

-- name: count_actions(since)$
-- How many actions there were.
SELECT count(*) FROM balansity.operator_action WHERE :since::timestamptz IS NULL OR acted_at >= :since;
