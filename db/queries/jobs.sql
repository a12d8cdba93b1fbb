-- name: list_jobs()
-- Every job as the schedule knows it now.
SELECT name, schedule, time_zone, paused, planned_until FROM balansity.job ORDER BY id;

-- name: list_jobs_with_latest()
SELECT j.name, j.schedule, j.time_zone, j.paused, latest.slot, latest.state, latest.outcome
FROM balansity.job j
LEFT JOIN LATERAL (
    SELECT s.slot, s.state, s.outcome FROM balansity.slot s
    WHERE s.job = j.name AND s.state <> 'skipped'
    ORDER BY s.slot DESC LIMIT 1
) AS latest ON true
ORDER BY j.id;

-- name: limit_idling()!
-- A process frozen in the middle of its transaction must not keep a job to itself: the server ends that transaction.
SET LOCAL idle_in_transaction_session_timeout = '10s';

-- name: take_job(name)^
-- The job's row, unless another scheduler is at it this moment.
SELECT name, schedule, time_zone, paused, planned_until FROM balansity.job WHERE name = :name FOR UPDATE SKIP LOCKED;

-- name: hold_job(name)^
-- The job's row, waiting for whoever is at it.
SELECT name, schedule, time_zone, paused, planned_until FROM balansity.job WHERE name = :name FOR UPDATE;

-- name: add_job(name, schedule, time_zone, now)!
INSERT INTO balansity.job (name, schedule, time_zone, planned_until)
VALUES (:name, :schedule, :time_zone, :now)
ON CONFLICT DO NOTHING;

-- name: change_schedule(schedule, time_zone, now, name)!
UPDATE balansity.job SET schedule = :schedule, time_zone = :time_zone, planned_until = :now WHERE name = :name;

-- name: set_paused(paused, now, name)!
UPDATE balansity.job SET paused = :paused, planned_until = greatest(planned_until, :now) WHERE name = :name;

-- name: set_planned_until(until, name)!
UPDATE balansity.job SET planned_until = :until WHERE name = :name;

-- name: add_slots(job, now, slots, reasons)
-- Gives slots their rows; returns those that are to run and had none.
INSERT INTO balansity.slot (job, slot, state, outcome, enqueued_at)
SELECT :job, at, CASE WHEN reason IS NULL THEN 'planned' ELSE 'skipped' END, reason,
       CASE WHEN reason IS NULL THEN :now::timestamptz END
FROM unnest(:slots::timestamptz[], :reasons::text[]) AS planned (at, reason)
ON CONFLICT DO NOTHING
RETURNING slot, state = 'planned' AS runs;

-- name: start_slot(job, slot, now)<!
-- Marks a run as started, unless the slot has been done already (its message came twice).
INSERT INTO balansity.slot AS s (job, slot, state, enqueued_at, started_at, attempts)
VALUES (:job, :slot, 'started', :now, :now, 1)
ON CONFLICT (job, slot) DO UPDATE
SET state = 'started', started_at = :now, finished_at = NULL, outcome = NULL, attempts = s.attempts + 1
WHERE s.state <> 'succeeded'
RETURNING attempts;

-- name: finish_slot(state, outcome, now, job, slot)!
UPDATE balansity.slot SET state = :state, outcome = :outcome, finished_at = :now WHERE job = :job AND slot = :slot;

-- name: purge_slots(before)!
DELETE FROM balansity.slot WHERE slot < :before AND state IN ('succeeded', 'failed', 'skipped');

-- name: history(job, limit)
-- The latest runs of one job, or of all.
SELECT job, slot, state, enqueued_at, started_at, finished_at, attempts, outcome
FROM balansity.slot
WHERE :job::text IS NULL OR job = :job
ORDER BY slot DESC, job
LIMIT :limit;
