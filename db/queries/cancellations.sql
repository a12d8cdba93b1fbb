-- Messages that a person ends.

-- name: cancel(ids, who, reason)^
-- Cancel what waits, and ask for the end of what runs: how many of each.
SELECT cancelled, asked FROM dramatiq.cancel(:ids::uuid[], :who, :reason);

-- name: asked_of(worker)
-- The claims of a worker that somebody wants to end.
SELECT message_id::text, attempt FROM dramatiq.asked_of(:worker);

-- name: discard(ids)$
-- Delete what is dead or cancelled, for good.
SELECT dramatiq.discard(:ids::uuid[]);
