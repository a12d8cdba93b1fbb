-- The broker's calls; what each does is told at the functions, in db/migrations/broker/.

-- name: exchange(worker, queue, done, attempts, limit, pgmq_queue, actor, after)
-- Ack what is finished, claim what is due: the hot path.
SELECT message_id::text, attempt, priority, message::text
FROM dramatiq.exchange(:worker, :queue, :done::uuid[], :attempts::integer[], :limit, :pgmq_queue, :actor, :after::uuid);

-- name: exchange_lines(worker, queue, done, attempts, limit)
-- As `exchange`, but claim only what has a line: all else is carried elsewhere.
SELECT message_id::text, attempt, priority, message::text
FROM dramatiq.exchange(:worker, :queue, :done::uuid[], :attempts::integer[], :limit, p_lines_only => true);

-- name: carried_queues()
-- The queues of published actors; of one that pgmq feeds, from which queue and for which actor.
SELECT queue_name, max(pgmq_queue) AS pgmq_queue, max(name) FILTER (WHERE pgmq_queue IS NOT NULL) AS actor_name
FROM dramatiq.actor GROUP BY queue_name ORDER BY queue_name;

-- name: carry(queue, limit)
-- Take out what is due, for the transaction in which it arrives elsewhere.
SELECT priority, message FROM dramatiq.carry(:queue, :limit);

-- name: carry_from_pgmq(queue, limit)
-- The same for what waits in the pgmq queue that feeds a queue; what has a line, or is no message, is moved to the queue.
SELECT moved.priority, moved.message::text
FROM dramatiq.actor AS fed,
     LATERAL dramatiq.bridge(NULL, fed.queue_name, fed.pgmq_queue, fed.name, :limit, NULL) AS moved
WHERE fed.queue_name = :queue AND fed.pgmq_queue IS NOT NULL;

-- name: relay_lives()$
-- Say that a relay lives.
SELECT dramatiq.relay_lives();

-- name: give_back(messages, priority, delay, dead, error, waits_for)!
-- Take back a message that was carried elsewhere and does not end there.
SELECT dramatiq.give_back(:messages::jsonb, :priority, :delay, :dead, :error, :waits_for);

-- name: others_signature(actor, signature)$
-- What else an actor is called with, as it is published or as another worker has it.
SELECT dramatiq.others_signature(:actor, :signature);

-- name: bridge_singly(queue, pgmq_queue, actor, limit, patience_seconds)^
-- Move pgmq messages one by one that cannot be moved together; how many were moved, and how many refused.
SELECT moved, refused
FROM dramatiq.bridge_singly(:queue, :pgmq_queue, :actor, :limit, :patience_seconds * interval '1 second');

-- name: note_change(lines, ended)!
-- Leave word that messages came to these lines, or left them.
SELECT dramatiq.note_change(:lines::text[], :ended);

-- name: visible(worker, queue, pgmq_queue, actor, limit, claimed, whole)
-- What a worker that claims `limit` and got `claimed` should move from pgmq, for it to encrypt.
SELECT msg_id, content::text, kind, urgency, sent_at, due_at, headers::text, line
FROM dramatiq.visible(
    :pgmq_queue, dramatiq.most_moved(:worker, :queue, :pgmq_queue, :actor, :limit, :claimed, :whole));

-- name: visible_next(pgmq_queue, limit)
-- The next messages of pgmq, for whoever carries them elsewhere to encrypt.
SELECT msg_id, content::text, kind, urgency, sent_at, due_at, headers::text, line FROM dramatiq.visible(:pgmq_queue, :limit);

-- name: visible_one(pgmq_queue, msg_id)
-- One message of pgmq, for a worker to encrypt; nothing where somebody else has it.
SELECT msg_id, content::text, kind, urgency, sent_at, due_at, headers::text, line FROM dramatiq.visible(:pgmq_queue, 1, :msg_id);

-- name: visible_ids(pgmq_queue, limit)$
-- The next messages of pgmq.
SELECT ARRAY(SELECT msg_id FROM dramatiq.visible(:pgmq_queue, :limit) ORDER BY msg_id LIMIT :limit);

-- name: take_in(worker, queue, pgmq_queue, actor, room, msg_ids, contents, kinds, urgencies, times, due, headers, lines)
-- Move what is visible, encrypted by now, and claim `room` of it.
SELECT message_id::text, attempt, priority, message::text
FROM dramatiq.take_in(
    :worker, :queue, :pgmq_queue, :actor, :room, true, :msg_ids::bigint[], :contents::jsonb[], :kinds::text[],
    :urgencies::integer[], :times::timestamptz[], :due::timestamptz[], :headers::jsonb[], :lines::text[]);

-- name: refuse_bridged(queue, pgmq_queue, msg_id, why, sealed)$
-- Make a dead letter of a pgmq message that cannot be moved.
SELECT dramatiq.refuse_bridged(:queue, :pgmq_queue, :msg_id, :why, :sealed::jsonb);

-- name: seal(ids, contents, worker)$
-- Put what was encrypted in the place of what plain messages say.
SELECT dramatiq.seal(:ids::uuid[], :contents::jsonb[], :worker);

-- name: lock_messages(ids)
-- What these messages say, locked.
SELECT message_id::text, message::text, error FROM dramatiq.queue
WHERE message_id = ANY (:ids::uuid[]) ORDER BY message_id FOR UPDATE;

-- name: next_due(queue, pgmq_queue)$
-- In how many seconds the next message of a queue falls due that is delayed, here or in the pgmq queue that feeds it.
SELECT dramatiq.next_due(:queue, :pgmq_queue);

-- name: news(worker, queues)
-- Which of these queues are to be looked at, and in how many seconds.
SELECT queue_name, seconds FROM dramatiq.news(:worker, :queues);

-- name: enqueue(messages, priorities, delay, tried, lines, built)!
-- Enqueue messages; `tried`: how many milliseconds ago a first try began whose answer was lost, null for a first try.
SELECT dramatiq.enqueue(:messages, :priorities::integer[], :delay, :tried, :lines::text[], :built);

-- name: places(count, delay)^
-- When messages fall due that are enqueued now, in microseconds as COPY takes them, and their places in the order.
SELECT (extract(epoch FROM now() + :delay * interval '1 millisecond' - timestamptz '2000-01-01 00:00Z') * 1000000)::bigint
           AS due,
       ARRAY(SELECT nextval('dramatiq.queue_position_seq') FROM generate_series(1, :count)) AS positions;

-- name: ring(queues)$
-- Wake the workers that sleep on these queues.
SELECT dramatiq.ring(:queues);

-- name: fall_asleep(queues)
-- Hold the bells of these queues, so that senders ring; those of the queues for which that can be.
SELECT queue_name, bells FROM dramatiq.fall_asleep(:queues);

-- name: wake_up(bells)!
-- Let go of bells.
SELECT dramatiq.wake_up(:bells::bigint[]);

-- name: pass_on(queues)!
-- Let who stands by look into these queues.
SELECT dramatiq.pass_on(:queues);

-- name: last_begun()$
-- A number after those of all transactions that have written anything by now.
SELECT dramatiq.last_begun();

-- name: have_ended(last_begun)$
-- Whether all that had begun to write by then have ended.
SELECT dramatiq.have_ended(:last_begun);

-- name: start_over(ids, built)$
-- Let those of these messages, just copied in, that were done before begin under a new fence; `built`: when the first was.
SELECT dramatiq.start_over(:ids::uuid[], :built);

-- name: finish(id, attempt)$
-- Ack one message, with what is written beside it; false where its claim was taken over.
SELECT dramatiq.finish(:id::uuid, :attempt);

-- name: retry(id, attempt, options, delay, error)$
-- Put a claimed message back, due in `delay` milliseconds.
SELECT dramatiq.retry(:id::uuid, :attempt, :options::jsonb, :delay, :error);

-- name: reject(id, attempt, options, error)$
-- Make a claimed message a dead letter.
SELECT dramatiq.reject(:id::uuid, :attempt, :options::jsonb, :error);

-- name: requeue(ids, attempts)$
-- Hand claimed but unstarted messages back.
SELECT dramatiq.requeue(:ids::uuid[], :attempts::integer[]);

-- name: free_unknown(worker, queue, ids, attempts)$
-- Hand back what a worker holds of a queue besides these claims.
SELECT dramatiq.free_unknown(:worker, :queue, :ids::uuid[], :attempts::integer[]);

-- name: set_aside(queue, ids, attempts, actors, signatures, known)$
-- Hand back claims that this process cannot run, for one that can; the ids of those that somebody else may.
SELECT ARRAY(SELECT * FROM dramatiq.set_aside(
    :queue, :ids::uuid[], :attempts::integer[], :actors::text[], :signatures::text[], :known::text[]));

-- name: register(host, pid, abilities)$
-- Announce a worker process and what it can run; its id marks its claims.
INSERT INTO dramatiq.worker (host, pid, abilities) VALUES (:host, :pid, :abilities::text[]) RETURNING id;

-- name: unregister(worker)!
-- Say that a worker process has ended in good order.
DELETE FROM dramatiq.worker WHERE id = :worker;

-- name: list_beats()
-- How often each worker's heart has beaten.
SELECT id, beats FROM dramatiq.alive;

-- name: heartbeat(worker, host, pid, beats, abilities, hears)$
-- Say that a worker lives; false where it had been given up.
SELECT dramatiq.heartbeat(:worker, :host, :pid, :beats, :abilities::text[], :hears);

-- name: try_bell(channel, number)$
-- Ring a worker's own bell, to see whether it hears.
SELECT pg_notify(:channel, :number::text);

-- name: rescue(dead, beats, most_rescues)$
-- Take over the claims of workers that stood still at these counts.
SELECT dramatiq.rescue(:dead::bigint[], :beats::bigint[], :most_rescues);

-- name: rescue_lost(ids, attempts, most_rescues)$
-- Put back claims of one's own that no thread runs any more.
SELECT dramatiq.rescue_lost(:ids::uuid[], :attempts::integer[], :most_rescues);

-- name: hold_contract()!
-- Nobody else publishes or introduces an actor until the transaction, if there is one, ends: it might take a route that was
-- just freed.
DO $$ BEGIN LOCK TABLE dramatiq.actor IN SHARE ROW EXCLUSIVE MODE; END $$;

-- name: free_route(name, pgmq_queue)!
-- Take a pgmq queue from the actor that had it before.
UPDATE dramatiq.actor SET pgmq_queue = NULL WHERE pgmq_queue = :pgmq_queue AND name <> :name;

-- name: publish_actor(name, queue_name, priority, required, accepted, signature, pgmq_queue, key, key_limit)!
-- Tell SQL that an actor exists, and what it is from now on.
INSERT INTO dramatiq.actor (name, queue_name, priority, required, accepted, signature, pgmq_queue, key, key_limit)
VALUES (:name, :queue_name, :priority, :required, :accepted, :signature, :pgmq_queue, :key, :key_limit)
ON CONFLICT (name) DO UPDATE
SET queue_name = excluded.queue_name, priority = excluded.priority, required = excluded.required,
    accepted = excluded.accepted, signature = excluded.signature, pgmq_queue = excluded.pgmq_queue,
    key = excluded.key, key_limit = excluded.key_limit;

-- name: introduce_actor(name, queue_name, priority, required, accepted, signature, pgmq_queue, key, key_limit)!
-- Tell SQL that an actor exists, where it was never told anything of it; a route that another has stays the other's.
INSERT INTO dramatiq.actor (name, queue_name, priority, required, accepted, signature, pgmq_queue, key, key_limit)
SELECT :name, :queue_name, :priority, :required, :accepted, :signature,
       nullif(:pgmq_queue, (SELECT pgmq_queue FROM dramatiq.actor WHERE pgmq_queue = :pgmq_queue)),
       :key, :key_limit
WHERE NOT EXISTS (SELECT FROM dramatiq.retired_actor WHERE name = :name)
ON CONFLICT DO NOTHING;

-- name: retire_actors(names)!
-- Forget the actors that the code no longer declares, and remember that they were known; the others are here again.
WITH retired AS (
    DELETE FROM dramatiq.actor WHERE name <> ALL (:names) RETURNING name
), returned AS (
    DELETE FROM dramatiq.retired_actor WHERE name = ANY (:names)
)
INSERT INTO dramatiq.retired_actor SELECT name FROM retired ON CONFLICT DO NOTHING;

-- name: relabel_aside(limit)$
-- Let a batch of what was set aside for an earlier signature wait for the one that is published, where that fits.
SELECT dramatiq.relabel_aside(:limit);

-- name: routed_queues()
-- The pgmq queues that feed actors, by the table alone: functions may be broken.
SELECT pgmq_queue FROM dramatiq.actor WHERE pgmq_queue IS NOT NULL;

-- name: furnish_routes()$
-- Create the routes' pgmq queues where they are missing, and give them what they lack.
SELECT dramatiq.furnish_routes();

-- name: one_snapshot()!
-- This transaction sees one moment: a message that moves, or is sent by one that ends, stands on one side or the other.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;

-- name: count_in_pgmq(pgmq_queue)$
-- How many messages lie in a pgmq queue.
SELECT coalesce((
    SELECT m.queue_length
    FROM dramatiq.readable_queues() AS readable (name), LATERAL pgmq.metrics(readable.name) AS m
    WHERE readable.name = :pgmq_queue), 0);

-- name: unfinished(queue)$
-- How many messages of a queue are due, delayed or running here.
SELECT count(*) FROM dramatiq.live WHERE queue_name = :queue AND state IN ('queued', 'consumed');

-- name: unclaimed(queue, after, rows)
-- A page of the messages of a queue that nobody has claimed, dead letters too.
SELECT message_id::text AS key, coalesce(pg_column_size(message), 0) AS bytes FROM dramatiq.live
WHERE queue_name = :queue AND state IN ('queued', 'rejected') AND (:after::uuid IS NULL OR message_id > :after::uuid)
ORDER BY message_id
LIMIT :rows;

-- name: flush(keys)$
-- Drop those of these messages that nobody has claimed; how many.
WITH dropped AS (
    DELETE FROM dramatiq.live WHERE message_id = ANY (:keys::uuid[]) AND state IN ('queued', 'rejected') RETURNING line
), told AS MATERIALIZED (
    SELECT dramatiq.leave_lines(array_agg(line)) FROM dropped
)
SELECT (SELECT count(*) FROM dropped) FROM told;

-- name: first_dead(queue)^
-- The oldest dead letter of a queue.
SELECT message_id::text AS id, message ->> 'actor_name' AS actor, error
FROM dramatiq.live WHERE queue_name = :queue AND state = 'rejected' ORDER BY position LIMIT 1;
