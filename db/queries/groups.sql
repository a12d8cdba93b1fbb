-- Groups of messages that call back when they have all ended.

-- name: begin(group, members)$
-- Say of how many members a group is; false where it exists.
SELECT dramatiq.begin_group(:group, :members);

-- name: count_member(group, member)$
-- Note that a member has ended; whether it was the last, which is said once.
SELECT dramatiq.count_member(:group, :member::uuid);
