-- The schedule in the database: jobs, one row for every slot of theirs, and the views that answer pg_cron's queries.

CREATE TABLE balansity.job (
    name text PRIMARY KEY,
    id bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    schedule text NOT NULL,                           -- a cron expression with named weekdays
    time_zone text NOT NULL,
    actor text,                                       -- that its slots are sent to; NULL until one was published
    paused boolean NOT NULL DEFAULT false,
    paused_by text,                                   -- who,
    paused_because text,                              -- and why
    retired boolean NOT NULL DEFAULT false,           -- no longer in the table of jobs; kept for its history
    planned_until timestamptz NOT NULL DEFAULT balansity.now()  -- every slot up to here has its row
);

-- scheduler.py keeps these rows as it says; they stand here so that the jobs are known from the first migration on.
INSERT INTO balansity.job (name, schedule, time_zone) VALUES
    ('update-appointment-statuses', '*/5 * * * *', 'Europe/Moscow'),
    ('cleanup-old-assessments', '0 3 * * *', 'Europe/Moscow'),
    ('send-appointment-reminders', '* * * * *', 'Europe/Moscow');

-- planned → started → succeeded | failed (→ started again, on a retry); or skipped: missed, and not to be made up for.
CREATE TABLE balansity.scheduler (
    id uuid,
    host text NOT NULL,
    pid integer NOT NULL,
    beats bigint,                                     -- who is dead is told by this count: it stands still
    looked_at timestamptz NOT NULL DEFAULT clock_timestamp(), -- for people
    PRIMARY KEY (id, beats)                           -- whose end leads to the latest, past all dead ones that are kept
);

CREATE TABLE balansity.slot (
    job text NOT NULL REFERENCES balansity.job (name) ON UPDATE CASCADE ON DELETE CASCADE,
    slot timestamptz NOT NULL,                        -- the time it was planned for
    id bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    state text NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'started', 'succeeded', 'failed', 'skipped')),
    enqueued_at timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,              -- also the fence: only the latest attempt may say how it ended
    message_id uuid,                                  -- the message that runs it
    outcome text,                                     -- what the run did, why it failed, or why it was skipped
    PRIMARY KEY (job, slot) INCLUDE (started_at, finished_at, state) -- what counts runs and finds the last reads no other
);
CREATE INDEX slot_by_time ON balansity.slot (slot);
CREATE INDEX slot_open ON balansity.slot (job, slot) WHERE state IN ('planned', 'started');
CREATE INDEX slot_failed_or_skipped ON balansity.slot (state, slot, job) WHERE state IN ('failed', 'skipped');
CREATE INDEX slot_long ON balansity.slot (slot) WHERE finished_at - started_at > interval '30 seconds'; -- desk.jobs.LONG
CREATE INDEX slot_by_start ON balansity.slot ((coalesce(started_at, slot))); -- as job_run_details has it

-- A reminder that was sent, or is about to be; written in the transaction that sends it, so each exists once.
CREATE TABLE balansity.reminder (
    appointment_id uuid NOT NULL,                     -- no foreign key: the service's tables carry nothing of ours
    kind text NOT NULL CHECK (kind IN ('24h', '1h')),
    scheduled_at timestamptz NOT NULL,
    planned_at timestamptz NOT NULL,
    PRIMARY KEY (appointment_id, kind, scheduled_at)
);

CREATE VIEW balansity.cron_job AS
SELECT id AS jobid,
       schedule,
       'balansity jobs run ' || name || ' --reason …' AS command,
       coalesce(host(inet_server_addr()), 'localhost') AS nodename,
       coalesce(inet_server_port(), current_setting('port')::integer) AS nodeport,
       current_database()::text AS database,
       current_user::text AS username,
       NOT (paused OR retired) AS active,
       name AS jobname
FROM balansity.job;

CREATE VIEW balansity.cron_job_run_details AS
SELECT j.jobid,
       s.id AS runid,
       NULL::integer AS job_pid,
       j.database,
       j.username,
       j.command,
       CASE s.state WHEN 'planned' THEN 'starting' WHEN 'started' THEN 'running' ELSE s.state END AS status,
       s.outcome AS return_message,
       coalesce(s.started_at, s.slot) AS start_time,
       s.finished_at AS end_time
FROM balansity.slot s
JOIN balansity.cron_job j ON j.jobname = s.job;

-- With pg_cron its tables stay its own; its three old jobs end when we take over.
DO $$
BEGIN
    IF to_regclass('cron.job') IS NULL THEN
        CREATE SCHEMA IF NOT EXISTS cron;
        CREATE VIEW cron.job AS SELECT * FROM balansity.cron_job;
        CREATE VIEW cron.job_run_details AS SELECT * FROM balansity.cron_job_run_details;
    END IF;
END $$;
