-- Queues that a person pauses.

-- name: pause(queue, until, who, reason)!
-- Claim nothing more of a queue until then, or until it is resumed.
SELECT dramatiq.pause_queue(:queue, :until, :who, :reason);

-- name: resume(queue)$
-- Let a queue go on; false where it was not paused.
SELECT dramatiq.resume_queue(:queue);

-- name: current()
-- The queues that are paused now, since and until when, by whom and why.
SELECT queue_name AS queue, since, until, who, reason FROM dramatiq.current_pause ORDER BY queue_name;

-- name: purge()$
-- Forget the pauses that are over.
SELECT dramatiq.purge_pauses();
