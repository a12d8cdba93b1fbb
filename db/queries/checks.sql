-- What the checks look at that is cheap at any size; the slow ones stand in doctor.sql.

-- name: applied()
-- The migrations that are applied.
SELECT migration_id FROM dramatiq.migration UNION ALL SELECT migration_id FROM balansity.migration;

-- name: is_read_only()$
-- Whether this database takes no writes.
SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean;

-- name: count_heard(seconds)^
-- How many workers and schedulers have said within so many seconds that they live, and when each kind was heard last.
SELECT heard.workers, heard.latest AS worker_at, schedulers.heard AS schedulers, schedulers.latest AS scheduler_at
FROM dramatiq.heard_within(:seconds * interval '1 second') AS heard, (
    SELECT count(*) FILTER (WHERE looked_at > clock_timestamp() - :seconds * interval '1 second'), max(looked_at)
    FROM balansity.scheduler
) AS schedulers (heard, latest);

-- name: relay_heard(seconds)^
-- Whether a relay has said within so many seconds that it lives, and when one did last.
SELECT lives, latest FROM dramatiq.relay_heard_within(:seconds * interval '1 second');

-- name: oldest_due()
-- Since when the oldest message of each queue has been due.
SELECT queue_name AS queue, since FROM dramatiq.oldest_due();

-- name: stuck_lines(seconds)
-- Lines whose first message has waited for so long though nothing before it has its turn.
SELECT queue_name AS queue, line, since FROM dramatiq.stuck_lines(:seconds * interval '1 second');

-- name: failing(most)
-- The kinds of failure that have dead letters, by actor, and since when.
SELECT actor, kind, first_at FROM dramatiq.failing(:most);

-- name: flagged(most)
-- Payments that wait for a person, the last flagged first.
SELECT payment_id::text AS id, min(flagged_at) AS since FROM balansity.payment_flag WHERE resolved_at IS NULL
GROUP BY payment_id ORDER BY since DESC LIMIT :most;

-- name: late_slots(before, since)
-- The jobs whose runs of the last day have not ended, though they were to begin before then; the first of each.
SELECT s.job, j.actor, min(s.slot) AS slot FROM balansity.slot s JOIN balansity.job j ON j.name = s.job
WHERE s.slot >= :since AND s.slot < :before AND s.state IN ('planned', 'started')
GROUP BY s.job, j.actor ORDER BY slot;

-- name: held_since()^
-- How many mails a restore holds back, and since when the first.
SELECT count(*) AS held, min(held_at) AS since FROM balansity.delivery WHERE state = 'unknown' AND held_at IS NOT NULL;

-- name: days()^
-- How many of today and tomorrow have no table of finished messages, and how many messages found none.
SELECT (SELECT count(*) FROM dramatiq.missing_days(1)) AS missing, dramatiq.stray_messages() AS strays;

-- name: months()^
-- How many tables of this month and the next the ledger lacks, and how many rows found none.
SELECT (SELECT count(*) FROM balansity.missing_months(1)) AS missing, balansity.stray_rows() AS strays;
