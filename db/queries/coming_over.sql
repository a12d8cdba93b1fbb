-- How a queue that was one plain table comes over to a table a day.

-- name: is_older()$
-- Whether the queue is such a table, of ours: dramatiq-pg's own has no places.
SELECT count(*) = 1 FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'position'
WHERE c.oid = to_regclass('dramatiq.queue') AND c.relkind = 'r';

-- name: is_unfinished()$
-- Whether some of what was done is still to come.
SELECT to_regclass('dramatiq_former.queue') IS NOT NULL;

-- name: let_callers_follow()!
-- Let calls that are under way when the table changes its kind be repeated by the new function: of what they do, only this
-- needs a table that is one. To be committed before.
DO $$
DECLARE
    called constant regprocedure := 'dramatiq.enqueue(text, integer[], bigint, bigint, text[])';
BEGIN
    IF (SELECT prosrc FROM pg_proc WHERE oid = called) NOT LIKE '%invalid_column_reference%' THEN
        EXECUTE regexp_replace(
            pg_get_functiondef(called), 'END\s*(\$function\$)\s*$',
            'EXCEPTION WHEN invalid_column_reference THEN
                 PERFORM dramatiq.enqueue(p_messages, p_priorities, p_delay, p_tried, p_lines, 0); END \1');
    END IF;
END $$;

-- name: viewed_queues()$
-- The pgmq queues whose views read the table.
SELECT coalesce(array_agg(DISTINCT c.relname::text), '{}')
FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class c ON c.oid = r.ev_class JOIN pgmq.meta m ON m.queue_name = c.relname
WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid = 'dramatiq.queue'::regclass;

-- name: furnish(queues)$
-- Give these their views again.
SELECT count(dramatiq.furnish_queue(queue)) FROM unnest(:queues::text[]) AS queue;

-- name: make_way()!
-- Put the table aside, in a schema that only its owner may enter; views of it go, and functions that take its rows.
LOCK TABLE dramatiq.queue IN ACCESS EXCLUSIVE MODE;
CREATE SCHEMA dramatiq_former;
ALTER TABLE dramatiq.queue SET SCHEMA dramatiq_former;
DO $$
DECLARE
    seen regclass;
    taker regprocedure;
BEGIN
    FOR seen IN
        SELECT DISTINCT r.ev_class FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid = 'dramatiq_former.queue'::regclass
    LOOP
        EXECUTE concat('DROP VIEW ', seen);
    END LOOP;
    FOR taker IN
        SELECT objid FROM pg_depend WHERE classid = 'pg_proc'::regclass AND refobjid = 'dramatiq_former.queue'::regtype
    LOOP
        EXECUTE concat('DROP ROUTINE ', taker);
    END LOOP;
END $$;
-- What changes often is found by its key: its newest version first.
ALTER TABLE dramatiq.worker DROP COLUMN beats, DROP COLUMN heartbeat_at;
ALTER TABLE dramatiq.counter DROP CONSTRAINT counter_pkey, ADD change bigint DEFAULT 0, ADD PRIMARY KEY (key, change),
    RESET (fillfactor);
ALTER TABLE dramatiq.group_member DROP CONSTRAINT group_member_group_id_fkey;
ALTER TABLE dramatiq.open_group DROP CONSTRAINT open_group_pkey, ADD PRIMARY KEY (id, missing);

-- name: functions(name)
-- The functions of this name, and what tells whether one was replaced.
SELECT oid::regprocedure::text AS signature, xmin::text AS version FROM pg_proc
WHERE concat(pronamespace::regnamespace, '.', proname) = :name;

-- name: take_along()!
-- Move what is not done, and note whose the unique keys are. Each state has a small index of its own.
SELECT setval('dramatiq.queue_position_seq', last_value) FROM dramatiq_former.queue_position_seq;
INSERT INTO dramatiq.taken_key (unique_key, message_id)
SELECT unique_key, message_id FROM dramatiq_former.queue WHERE unique_key IS NOT NULL;
WITH moved AS (
    DELETE FROM dramatiq_former.queue WHERE message_id IN (
        SELECT message_id FROM dramatiq_former.queue WHERE state = 'queued' AND NOT delayed AND waits_for IS NULL
        UNION ALL SELECT message_id FROM dramatiq_former.queue WHERE state = 'queued' AND waits_for IS NOT NULL
        UNION ALL SELECT message_id FROM dramatiq_former.queue WHERE state = 'queued' AND delayed
        UNION ALL SELECT message_id FROM dramatiq_former.queue WHERE state = 'consumed'
        UNION ALL SELECT message_id FROM dramatiq_former.queue WHERE state = 'rejected'
        UNION ALL SELECT message_id FROM dramatiq_former.queue WHERE state = 'cancelled')
    RETURNING *
)
INSERT INTO dramatiq.live
    (message_id, queue_name, state, mtime, message, position, priority, available_at, delayed, attempt, claimed_by, rescues,
     pgmq_queue, pgmq_msg_id, unique_key, error, hastened, waits_for, line)
SELECT message_id, queue_name, state, mtime, message, position, priority, available_at, delayed, attempt, claimed_by, rescues,
       pgmq_queue, pgmq_msg_id, unique_key, error, hastened, waits_for, line
FROM moved;

-- name: make_past_days(days)$
-- Make the tables of so many days before today.
SELECT count(dramatiq.make_day((now() AT TIME ZONE 'UTC')::date - number)) FROM generate_series(1, :days) AS number;

-- name: former(after, rows)
-- A page of what is still to come.
SELECT message_id::text AS key, coalesce(pg_column_size(message), 0) AS bytes FROM dramatiq_former.queue
WHERE :after::uuid IS NULL OR message_id > :after::uuid
ORDER BY message_id
LIMIT :rows;

-- name: move(keys)$
-- Move these to their days; one that was sent anew meanwhile is live already. How many were moved.
WITH moved AS (
    DELETE FROM dramatiq_former.queue WHERE message_id = ANY (:keys::uuid[]) RETURNING *
), kept AS (
    INSERT INTO dramatiq.queue
        (message_id, queue_name, state, mtime, message, position, priority, available_at, attempt, rescues, pgmq_queue,
         pgmq_msg_id, unique_key, line)
    SELECT message_id, queue_name, state, mtime, message, position, priority, available_at, attempt, rescues, pgmq_queue,
           pgmq_msg_id, unique_key, line
    FROM moved WHERE NOT EXISTS (SELECT FROM dramatiq.live l WHERE l.message_id = moved.message_id)
    RETURNING 1
)
SELECT count(*) FROM kept;

-- name: drop_other_indexes()!
-- Drop what has other columns now; small, and made anew with the functions.
DROP INDEX dramatiq.queue_delayed;

-- name: clear_away()!
-- Drop the emptied table.
DROP SCHEMA dramatiq_former CASCADE;
