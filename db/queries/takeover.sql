-- The change of hands between the old system and ours.

-- name: in_charge()$
-- Whether ours is in charge of this database.
SELECT balansity.in_charge();

-- name: take_over_steps()
-- What is left to do, in order, and what is in the way.
SELECT what, name, statement, obstacle FROM balansity.take_over_steps();

-- name: hand_back_steps()
-- What gives the old system back, in order.
SELECT what, statement FROM balansity.hand_back_steps();

-- name: take_over()$
-- Do it, in this transaction; returns how many steps there were.
SELECT balansity.take_over();

-- name: note_told_reminders()$
-- Note what the old system sent until its end was seen everywhere.
SELECT balansity.note_told_reminders();

-- name: hand_back()!
-- Undo it, in this transaction.
SELECT balansity.hand_back();

-- name: never_begun(limit)
-- The first messages that the old system has to go on with.
SELECT id::text FROM balansity.never_begun_messages(:limit) AS id;

-- name: hand_back_messages(ids)$
-- Give them back, as the transaction's table of opened messages has them; returns how many.
SELECT dramatiq.hand_back(:ids::uuid[], 'pg_temp.opened');

-- name: hand_back_appointments()$
-- Give back a batch of consultations; returns how many.
SELECT balansity.hand_back_appointments();

-- name: count_told()
-- Who counts as reminded: by kind, how many consultations to come, and how many of them because it is unclear.
SELECT kind, count(*) AS reminders, count(*) FILTER (WHERE unclear) AS unclear
FROM (SELECT kind, appointment_id, bool_and(unclear) AS unclear FROM balansity.told_reminders() GROUP BY 1, 2) AS told
GROUP BY kind ORDER BY kind;

-- name: cron_is_hidden()$
-- Which jobs of pg_cron this role cannot see: all, others, or NULL.
SELECT balansity.cron_is_hidden();

-- name: other_readers()$
-- Routed pgmq queues that somebody else has read from in the last ten minutes.
SELECT string_agg(queue, ', ') FROM dramatiq.other_readers(interval '10 minutes') AS queue;
