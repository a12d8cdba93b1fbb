-- What every batch begins with.

-- name: limit_waiting()!
-- A row that somebody else holds fails its batch soon, so that the others are not kept waiting for it.
SET LOCAL lock_timeout = '2s';
