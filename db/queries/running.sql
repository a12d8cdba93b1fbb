-- What workers do right now.

-- name: list_running()
-- What workers hold, longest first.
SELECT message_id::text AS id, queue, actor, worker, host, pid, since, attempt, time_limit, is_cancelled
FROM dramatiq.running();

-- name: list_blocked()
-- Sessions that wait for others' locks.
SELECT pid, application, waits_for, since, blocked_by, blockers FROM dramatiq.blocked_sessions();

-- name: sees_all_sessions()$
-- Whether this role may see what sessions of others wait for.
SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE');

-- name: workers()
-- The numbers of the workers that have a row.
SELECT id FROM dramatiq.worker ORDER BY id;

-- name: look_into(worker)!
-- Ask a worker where its threads stand.
SELECT dramatiq.look_into(:worker);

-- name: is_looked_into(worker)$
-- Whether somebody waits for this worker's answer.
SELECT EXISTS (SELECT FROM dramatiq.look WHERE worker = :worker AND stacks IS NULL);

-- name: answer(worker, stacks)!
-- Say where a worker's threads stand.
UPDATE dramatiq.look SET stacks = :stacks::jsonb WHERE worker = :worker;

-- name: look(worker)^
-- Where a worker's threads stand, as it answered to who asked; null until it has.
SELECT asked_at, stacks, clock_timestamp() - asked_at AS waited FROM dramatiq.look WHERE worker = :worker;

-- name: end_looks()!
-- Forget what was seen more than a minute ago.
SELECT dramatiq.end_looks();
