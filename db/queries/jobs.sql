-- name: list_jobs()
-- Every job as the schedule knows it now: none while the old system is in charge.
SELECT name, schedule, time_zone, actor, paused, planned_until FROM balansity.job
WHERE NOT retired AND balansity.in_charge() ORDER BY id;

-- name: list_jobs_with_latest()
-- The latest run is found in the index alone: by the times of all jobs, a rare one's would lie behind all others'.
SELECT j.name AS job, j.schedule, j.time_zone, j.paused, j.paused_by, j.paused_because, j.planned_until,
       latest.slot AS latest_run, latest.state, latest.outcome
FROM balansity.job j
LEFT JOIN LATERAL (
    SELECT s.slot FROM balansity.slot s WHERE s.job = j.name AND s.state <> 'skipped' ORDER BY s.slot DESC LIMIT 1
) AS found ON true
LEFT JOIN balansity.slot latest ON latest.job = j.name AND latest.slot = found.slot
WHERE NOT j.retired
ORDER BY j.id;

-- name: limit_idling()!
-- A process frozen in the middle of its transaction must not keep a job to itself: the server ends that transaction.
SET LOCAL idle_in_transaction_session_timeout = '10s';

-- name: take_job(name)^
-- The job's row, unless another scheduler is at it this moment.
SELECT name, schedule, time_zone, actor, paused, planned_until FROM balansity.job
WHERE name = :name AND NOT retired
FOR UPDATE SKIP LOCKED;

-- name: hold_job(name)^
-- The job's row, waiting for whoever is at it.
SELECT name, schedule, time_zone, actor, paused, planned_until FROM balansity.job
WHERE name = :name AND NOT retired
FOR UPDATE;

-- name: add_job(name, schedule, time_zone, actor, now)!
-- Begins a job now, also one that had been retired.
INSERT INTO balansity.job (name, schedule, time_zone, actor, planned_until)
VALUES (:name, :schedule, :time_zone, :actor, :now)
ON CONFLICT (name) DO UPDATE
SET schedule = excluded.schedule, time_zone = excluded.time_zone, actor = excluded.actor,
    planned_until = excluded.planned_until, retired = false
WHERE job.retired;

-- name: introduce_job(name, schedule, time_zone, actor, now)!
-- Begins a job now that never was; a retired one stays so.
INSERT INTO balansity.job (name, schedule, time_zone, actor, planned_until)
VALUES (:name, :schedule, :time_zone, :actor, :now)
ON CONFLICT DO NOTHING;

-- name: change_actor(actor, name)!
-- From now on only schedulers that send the job to this actor plan it.
UPDATE balansity.job SET actor = :actor WHERE name = :name AND actor IS DISTINCT FROM :actor;

-- name: retire_jobs(names)!
-- Retires the jobs that are none of these.
UPDATE balansity.job SET retired = true WHERE name <> ALL (:names) AND NOT retired;

-- name: change_schedule(schedule, time_zone, actor, now, name)!
UPDATE balansity.job SET schedule = :schedule, time_zone = :time_zone, actor = :actor, planned_until = :now
WHERE name = :name;

-- name: set_paused(paused, who, reason, name)!
-- Who paused it, and why, is kept for as long as it is.
UPDATE balansity.job SET paused = :paused, paused_by = :who, paused_because = :reason WHERE name = :name;

-- name: set_planned_until(until, name)!
UPDATE balansity.job SET planned_until = :until WHERE name = :name;

-- name: go_back(now, name)!
-- Undoes what a clock that was ahead skipped: those slots are still to come.
WITH undone AS (
    DELETE FROM balansity.slot WHERE job = :name AND state = 'skipped' AND finished_at > :now RETURNING slot
)
UPDATE balansity.job SET planned_until = (SELECT min(slot) FROM undone) - interval '1 microsecond'
WHERE name = :name AND EXISTS (SELECT FROM undone);

-- name: add_slots(job, now, slots, reasons, messages)
-- Gives slots their rows: skipped for a reason, or run by a message; returns the messages of those that had no row.
INSERT INTO balansity.slot (job, slot, state, outcome, enqueued_at, finished_at, message_id)
SELECT :job, at, CASE WHEN reason IS NULL THEN 'planned' ELSE 'skipped' END, reason,
       CASE WHEN reason IS NULL THEN :now::timestamptz END, CASE WHEN reason IS NOT NULL THEN :now END, message_id
FROM unnest(:slots::timestamptz[], :reasons::text[], :messages::uuid[]) AS planned (at, reason, message_id)
ON CONFLICT DO NOTHING
RETURNING message_id::text;

-- name: start_slot(job, slot)<!
-- Marks a run as started, unless the slot has been done already (its message came twice); returns which attempt it is.
INSERT INTO balansity.slot AS s (job, slot, state, enqueued_at, started_at, attempts)
VALUES (:job, :slot, 'started', balansity.now(), balansity.now(), 1)
ON CONFLICT (job, slot) DO UPDATE
SET state = 'started', started_at = excluded.started_at, finished_at = NULL, outcome = NULL, attempts = s.attempts + 1
WHERE s.state <> 'succeeded'
RETURNING attempts;

-- name: finish_slot(state, outcome, job, slot, attempt)!
-- Says how an attempt ended, once, unless a later one has begun; the work of its transaction took until this moment.
UPDATE balansity.slot
SET state = :state, outcome = :outcome, finished_at = balansity.now() + (clock_timestamp() - now())
WHERE job = :job AND slot = :slot AND attempts = :attempt AND state <> 'succeeded';

-- name: open_slots(before, after, rows)
-- A page of the runs that were to begin or began before then, and have not ended.
SELECT id AS key, 0 AS bytes FROM balansity.slot
WHERE state IN ('planned', 'started') AND coalesce(started_at, enqueued_at) < :before
  AND (:after::bigint IS NULL OR id > :after)
ORDER BY id
LIMIT :rows;

-- name: fail_lost_slots(keys, before, now)!
-- Ends those of these runs whose message is dead or gone: they will not end by themselves.
UPDATE balansity.slot s
SET state = 'failed', outcome = 'its message is dead or gone', finished_at = :now
WHERE s.id = ANY (:keys) AND s.state IN ('planned', 'started') AND coalesce(s.started_at, s.enqueued_at) < :before
  AND NOT dramatiq.is_pending(s.message_id);

-- name: old_slots(before, at, after, rows)
-- A page of the slots from before then.
SELECT id AS key, slot AS at, 0 AS bytes FROM balansity.slot
WHERE slot < :before AND (:after::bigint IS NULL OR (slot, id) > (:at, :after))
ORDER BY slot, id
LIMIT :rows;

-- name: purge_slots(keys)!
DELETE FROM balansity.slot WHERE id = ANY (:keys);

-- name: folded(start, end, job)
-- What each job did in a period, or one of them, a row each. All runs are only counted and their longest looked for; what
-- is rare, and the last one, each has an index.
SELECT ran.job, ran.slots - rare.skipped AS runs, rare.failed, open.unfinished, rare.skipped, ran.first, ran.last,
       extract(epoch FROM ran.longest)::float AS longest_seconds, latest.state, latest.outcome
FROM (
    SELECT j.name AS job, counted.*
    FROM balansity.job j CROSS JOIN LATERAL (
        SELECT count(*) AS slots, min(s.slot) AS first, max(s.slot) AS last, max(s.finished_at - s.started_at) AS longest
        FROM balansity.slot s
        WHERE s.job = j.name AND s.slot >= :start AND s.slot < :end
    ) AS counted
    WHERE (:job::text IS NULL OR j.name = :job) AND counted.slots > 0
) AS ran
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE s.state = 'failed') AS failed, count(*) FILTER (WHERE s.state = 'skipped') AS skipped
    FROM balansity.slot s
    WHERE s.job = ran.job AND s.slot >= :start AND s.slot < :end AND s.state IN ('failed', 'skipped')
) AS rare
CROSS JOIN LATERAL (
    SELECT count(*) AS unfinished FROM balansity.slot s
    WHERE s.job = ran.job AND s.slot >= :start AND s.slot < :end AND s.state IN ('planned', 'started')
) AS open
LEFT JOIN LATERAL (
    SELECT s.slot FROM balansity.slot s
    WHERE s.job = ran.job AND s.slot >= :start AND s.slot < :end AND s.state <> 'skipped' ORDER BY s.slot DESC LIMIT 1
) AS found ON true
LEFT JOIN balansity.slot latest ON latest.job = ran.job AND latest.slot = found.slot
ORDER BY ran.job;

-- name: remarkable(start, end, job, patience, limit)
-- The runs of a period that failed or took longer than this (NULL: only those that failed), the latest first.
SELECT job, slot, state, attempts, started_at, extract(epoch FROM finished_at - started_at)::float AS took_seconds,
       outcome
FROM (
    SELECT * FROM balansity.slot WHERE state = 'failed' AND slot >= :start AND slot < :end
    UNION ALL
    SELECT * FROM balansity.slot
    WHERE state NOT IN ('failed', 'skipped') AND finished_at - started_at > :patience::interval
      AND slot >= :start AND slot < :end
) AS remarkable
WHERE :job::text IS NULL OR job = :job
ORDER BY slot DESC, job
LIMIT :limit;

-- name: count_remarkable(start, end, job, patience)$
SELECT count(*)
FROM (
    SELECT job FROM balansity.slot WHERE state = 'failed' AND slot >= :start AND slot < :end
    UNION ALL
    SELECT job FROM balansity.slot
    WHERE state NOT IN ('failed', 'skipped') AND finished_at - started_at > :patience::interval
      AND slot >= :start AND slot < :end
) AS remarkable
WHERE :job::text IS NULL OR job = :job;

-- name: history(job, skipped, limit)
-- The latest slots of one job, or of all; those that were skipped only where they are asked for.
SELECT job, slot, state, enqueued_at, started_at, finished_at, attempts, outcome
FROM balansity.slot
WHERE (:job::text IS NULL OR job = :job) AND (:skipped OR state <> 'skipped')
ORDER BY slot DESC, job
LIMIT :limit;

-- name: count_history(job, skipped, most)$
-- How many slots `history` chooses from, counted up to `most`.
SELECT count(*) FROM (
    SELECT FROM balansity.slot WHERE (:job::text IS NULL OR job = :job) AND (:skipped OR state <> 'skipped') LIMIT :most
) AS counted;

-- name: job_names()
-- What the jobs are called, retired ones too.
SELECT name FROM balansity.job ORDER BY name;

-- name: beat(id, host, pid, beats)!
-- Says that a scheduler lives.
WITH beaten AS (
    UPDATE balansity.scheduler SET beats = :beats, looked_at = clock_timestamp()
    WHERE id = :id::uuid AND beats = (
        SELECT beats FROM balansity.scheduler WHERE id = :id::uuid ORDER BY beats DESC LIMIT 1)
    RETURNING id
)
INSERT INTO balansity.scheduler (id, host, pid, beats)
SELECT :id::uuid, :host, :pid, :beats WHERE NOT EXISTS (SELECT FROM beaten);

-- name: list_beats()
-- How often each scheduler has looked.
SELECT id::text, beats FROM balansity.scheduler;

-- name: list_schedulers()
-- The scheduler processes that say they live.
SELECT id::text AS scheduler, host, pid, extract(epoch FROM clock_timestamp() - looked_at)::int AS silent_seconds
FROM balansity.scheduler
ORDER BY id;

-- name: remove_schedulers(ids, beats)!
-- Takes away the rows of schedulers that stood still at these counts.
DELETE FROM balansity.scheduler AS s USING unnest(:ids::uuid[], :beats::bigint[]) AS dead (id, beats)
WHERE s.id = dead.id AND s.beats = dead.beats;
