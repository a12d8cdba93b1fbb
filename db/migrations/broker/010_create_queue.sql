-- Creates the broker's tables: dramatiq-pg's with order, delays and the claim's fence, its workers and its actors.

CREATE SCHEMA IF NOT EXISTS dramatiq;

CREATE TYPE dramatiq.state AS ENUM ('queued', 'consumed', 'rejected', 'done', 'cancelled');
COMMENT ON TYPE dramatiq.state IS
'queued   → consumed  claim
consumed → done      ack
consumed → rejected  nack: a dead letter, kept until a person decides
consumed → queued    retry, requeue at shutdown, rescue from a dead worker
queued   → cancelled a person''s word, kept until a person decides
consumed → cancelled the same, heeded when its run ends
rejected, cancelled → queued  redrive';

CREATE SEQUENCE dramatiq.queue_position_seq;

-- dramatiq-pg's columns are message_id, queue_name, state, mtime and message: as its command asks for them. What is long
-- stands last: of a row that changes on its page, only what lies between the first and the last change is written ahead.
CREATE TABLE dramatiq.queue (
    message_id uuid NOT NULL,
    position bigint NOT NULL DEFAULT nextval('dramatiq.queue_position_seq'),
    available_at timestamptz NOT NULL DEFAULT now(),     -- when it fell or falls due
    mtime timestamptz DEFAULT now(),                     -- when it changed last
    claimed_by bigint,                                   -- the worker that runs it
    pgmq_msg_id bigint,                                  -- where the bridge took it from, with pgmq_queue
    attempt integer NOT NULL DEFAULT 0,                  -- one more with each claim: the fence of acks
    state dramatiq.state,
    hastened integer,                                    -- the attempt that waits for nothing if it is put back
    priority integer NOT NULL DEFAULT 0,                 -- higher first
    rescues integer NOT NULL DEFAULT 0,                  -- how many workers died with it
    delayed boolean NOT NULL DEFAULT false,              -- not due yet; kept out of the index that claims walk
    queue_name text NOT NULL DEFAULT 'default',
    pgmq_queue text,
    unique_key text,                                     -- its SHA-256
    waits_for text,                                      -- `its turn`, or set aside for who has this actor or signature
    line text COLLATE "C",                               -- that its key puts it into, where it has one
    error text,                                          -- the last failure
    message jsonb
) PARTITION BY LIST (state);
COMMENT ON TABLE dramatiq.queue IS
'All messages that are kept. Each stands in one place only: in dramatiq.live until it is done, then in dramatiq.done.';

CREATE TABLE dramatiq.live PARTITION OF dramatiq.queue (PRIMARY KEY (message_id)) DEFAULT;
COMMENT ON TABLE dramatiq.live IS
'What waits, runs, or was given up: small, whatever was done before, and all that the hot path walks.';

-- Each index holds the rows of one state only, so that a claim never walks future ones, or what was given up.
CREATE INDEX queue_due ON dramatiq.live (queue_name, priority DESC, available_at, position)
    WHERE state = 'queued' AND NOT delayed AND waits_for IS NULL;
CREATE INDEX queue_aside ON dramatiq.live (queue_name, waits_for, priority DESC, available_at, position)
    WHERE state = 'queued' AND waits_for IS NOT NULL;
CREATE INDEX queue_in_line ON dramatiq.live (line, priority DESC, available_at, position)
    WHERE state = 'queued' AND waits_for = 'its turn' AND NOT delayed;
CREATE INDEX queue_has_turn ON dramatiq.live (line)
    WHERE line IS NOT NULL AND state IN ('queued', 'consumed') AND waits_for IS DISTINCT FROM 'its turn';
CREATE INDEX queue_delayed ON dramatiq.live (queue_name, available_at, position) WHERE state = 'queued' AND delayed;
CREATE INDEX queue_claimed ON dramatiq.live (claimed_by) WHERE state = 'consumed';
CREATE INDEX queue_dead ON dramatiq.live (mtime, message_id) WHERE state = 'rejected';
CREATE INDEX queue_dead_by_queue ON dramatiq.live (queue_name) WHERE state = 'rejected';
CREATE INDEX queue_cancelled ON dramatiq.live (mtime, message_id) WHERE state = 'cancelled';

-- It lives from updates: leave room for a claim on its page, vacuum early, and never let a claim's index fill with dead
-- entries for long.
ALTER TABLE dramatiq.live SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);

CREATE TABLE dramatiq.done PARTITION OF dramatiq.queue FOR VALUES IN ('done') PARTITION BY RANGE (mtime);
COMMENT ON TABLE dramatiq.done IS
'What is done, by the day (UTC) on which it ended: a day is dropped whole, and nothing is deleted row by row.';
CREATE INDEX queue_finished ON dramatiq.done (mtime); -- and no id, else it might be walked for one while a day is small
CREATE INDEX queue_finished_by_id ON dramatiq.done (message_id);

CREATE TABLE dramatiq.done_other PARTITION OF dramatiq.done DEFAULT;
COMMENT ON TABLE dramatiq.done_other IS
'What was done on a day that has no table: none should be missing, and no ack may fail for it.';

CREATE INDEX queue_by_trace ON dramatiq.queue USING hash ((message #>> '{options,trace}'))
    WHERE pgmq_msg_id IS NULL AND message #>> '{options,trace}' IS NOT NULL; -- the others are found by their time

CREATE TABLE dramatiq.worker (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    host text NOT NULL,
    pid integer NOT NULL,
    abilities text[] NOT NULL DEFAULT '{}',              -- its actors' names and their signatures
    hears boolean NOT NULL DEFAULT true,                 -- the doorbell, which it tries out
    started_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE dramatiq.actor (
    name text PRIMARY KEY,
    queue_name text NOT NULL,
    priority integer NOT NULL DEFAULT 0,
    required text[] NOT NULL DEFAULT '{}',   -- arguments that must be given
    accepted text[],                         -- arguments that may be given; NULL: any
    signature text NOT NULL,                 -- both and the name as one, to tell versions apart
    pgmq_queue text UNIQUE,                  -- its route: the pgmq queue that the bridge feeds it from
    key text,                                -- which argument is its messages' key, where they carry no other
    key_limit integer NOT NULL DEFAULT 1     -- how many messages of one key run at once
);
COMMENT ON TABLE dramatiq.actor IS
'The contract: the actors that exist, so that SQL can refuse a message that nobody could run. The last `migrate` wrote it,
of whatever version; a process that starts adds only what no `migrate` has published or retired.';

CREATE TABLE dramatiq.retired_actor (name text PRIMARY KEY);
COMMENT ON TABLE dramatiq.retired_actor IS
'Actors that the last `migrate` knew no more: an older process that starts does not bring them back.';
