-- What people did to the system, and why.

-- name: begin_bulk(id, action, wanted, total, who, reason)$
-- Note what a person decided about many messages; whether that is news.
WITH begun AS (
    INSERT INTO balansity.bulk_action (id, action, wanted, total, who, reason)
    VALUES (:id::uuid, :action, :wanted::jsonb, :total, :who, :reason)
    ON CONFLICT DO NOTHING RETURNING 1
)
SELECT count(*) = 1 FROM begun;

-- name: bulk(id)^
-- How far a bulk action is.
SELECT id::text, action, wanted, total, done, skipped, who, reason, begun_at, stopped_by, ended_at, state, at,
       after::text
FROM balansity.bulk_action WHERE id = :id::uuid;

-- name: bulks(limit)
-- Bulk actions, the last begun first.
SELECT id::text, action, total, done, who, begun_at, stopped_by, ended_at FROM balansity.bulk_action
ORDER BY begun_at DESC, id LIMIT :limit;

-- name: take_bulk(id, span)$
-- Work on a bulk action for so long, unless it has ended or somebody else does.
UPDATE balansity.bulk_action SET taken_until = clock_timestamp() + :span
WHERE id = :id::uuid AND ended_at IS NULL AND coalesce(taken_until, '-infinity') < clock_timestamp()
RETURNING true;

-- name: advance_bulk(id, rows, span)$
-- Note that so many rows more were worked through; whether it is to go on. After a crash some are worked through again.
UPDATE balansity.bulk_action SET done = least(total, done + :rows), taken_until = clock_timestamp() + :span
WHERE id = :id::uuid RETURNING ended_at IS NULL;

-- name: reach_in_bulk(id, state, at, after, skipped)!
-- Note where it is: in this state, behind the message `after` that changed `at`; and how many could not be done.
UPDATE balansity.bulk_action SET state = :state, at = :at, after = :after::uuid, skipped = skipped + :skipped
WHERE id = :id::uuid;

-- name: leave_bulk(id)!
UPDATE balansity.bulk_action SET taken_until = NULL WHERE id = :id::uuid;

-- name: end_bulk(id, stopped_by)$
-- End it: nothing is left (NULL), or somebody stops it.
UPDATE balansity.bulk_action SET ended_at = clock_timestamp(), stopped_by = :stopped_by, taken_until = NULL
WHERE id = :id::uuid AND ended_at IS NULL RETURNING true;

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

-- name: count_actions(since, most)$
-- How many actions there were, counted up to `most`.
SELECT count(*) FROM (
    SELECT FROM balansity.operator_action WHERE :since::timestamptz IS NULL OR acted_at >= :since LIMIT :most
) AS counted;
