-- Groups of messages that call back when they have all ended.

-- name: begin(group, members)$
-- Say of how many members a group is; false where it exists.
SELECT dramatiq.begin_group(:group, :members);

-- name: count_member(group, member)$
-- Note that a member has ended; whether it was the last, which is said once.
SELECT dramatiq.count_member(:group, :member::uuid);

-- name: stale(before, at, after, rows)
-- A page of the groups of which no member has ended since then.
SELECT id AS key, touched_at AS at, 0 AS bytes FROM dramatiq.open_group
WHERE touched_at < :before AND (:after::text IS NULL OR (touched_at, id) > (:at, :after))
ORDER BY touched_at, id
LIMIT :rows;

-- name: purge(keys, before)!
-- Forget those of these groups of which no member has ended since then.
WITH purged AS (
    DELETE FROM dramatiq.open_group WHERE id = ANY (:keys) AND touched_at < :before RETURNING id
), emptied AS (
    DELETE FROM dramatiq.group_member WHERE group_id IN (SELECT id FROM purged)
)
SELECT FROM purged;
