-- What readers other than our workers ask of pgmq.

-- name: read(queue, vt)$
-- Take one message, hidden from others for `vt` seconds.
SELECT dramatiq.read_pgmq(:queue, :vt);

-- name: archive(queue, msg_id)$
-- Mark a message as done; false where it was not there.
SELECT dramatiq.archive_pgmq(:queue, :msg_id);
