-- Rings for workers that sleep; while none does, senders commit side by side, for NOTIFY lets one commit at a time.

CREATE FUNCTION dramatiq.bell_of(p_table text) RETURNS bigint
LANGUAGE sql IMMUTABLE
RETURN ('x' || left(md5('bell of ' || p_table), 16))::bit(64)::bigint;
COMMENT ON FUNCTION dramatiq.bell_of IS
'The bell of a queue (dramatiq.<name>) or of a pgmq queue (pgmq.<name>): an advisory lock, which one of those who sleep holds.';

CREATE FUNCTION dramatiq.bells_of(p_queue text) RETURNS SETOF bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT dramatiq.bell_of('dramatiq.' || p_queue)
    UNION ALL
    SELECT dramatiq.bell_of('pgmq.' || pgmq_queue) FROM dramatiq.actor
    WHERE queue_name = p_queue AND pgmq_queue IS NOT NULL;
$$;
COMMENT ON FUNCTION dramatiq.bells_of IS
'The bells of a queue: its own, and those of the pgmq queues that feed it.';

CREATE FUNCTION dramatiq.fall_asleep(p_queues text[]) RETURNS TABLE (queue_name text, bells bigint[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    bell bigint;
BEGIN
    FOREACH queue_name IN ARRAY p_queues LOOP
        bells := '{}';
        FOR bell IN SELECT * FROM dramatiq.bells_of(queue_name) LOOP
            IF NOT pg_try_advisory_lock(bell) THEN
                PERFORM dramatiq.wake_up(bells);
                bells := NULL;
                EXIT;
            END IF;
            bells := bells || bell;
        END LOOP;
        IF bells IS NOT NULL THEN
            RETURN NEXT;
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION dramatiq.fall_asleep IS
'Holds the bells of these queues until this session wakes up or ends: whoever sends from now on rings. Returns the queues
whose bells it got, all of a queue''s or none: where another sleeps already, a message need not wake both. A sender''s
shared lock is in the way only while it tries the bell.';

CREATE FUNCTION dramatiq.wake_up(p_bells bigint[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pg_advisory_unlock(bell) FROM unnest(p_bells) AS bell;
$$;
COMMENT ON FUNCTION dramatiq.wake_up IS
'Lets go of bells that this session holds.';

CREATE FUNCTION dramatiq.notify(p_queue text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF pg_notification_queue_usage() < 0.5 THEN
        PERFORM pg_notify('dramatiq.' || p_queue || '.enqueue', '');
    END IF;
END $$;
COMMENT ON FUNCTION dramatiq.notify IS
'Wakes the workers that wait on a queue. The channel is dramatiq-pg''s, the payload stays empty: PostgreSQL folds equal
notifications of one transaction into one. Where somebody''s open transaction fills the server''s queue of notifications it
is not done: a full one fails the sender''s COMMIT, and workers look now and then.';

CREATE FUNCTION dramatiq.ring(queue_names text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    queue_name text;
    bell bigint;
BEGIN
    FOREACH queue_name IN ARRAY coalesce(queue_names, '{}') LOOP
        bell := dramatiq.bell_of('dramatiq.' || queue_name);
        -- In one expression, which nothing can interrupt: a lock of the session's would outlive an error.
        IF (CASE WHEN pg_try_advisory_lock_shared(bell) THEN NOT pg_advisory_unlock_shared(bell) ELSE true END) THEN
            PERFORM dramatiq.notify(queue_name);
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION dramatiq.ring IS
'Rings for new messages of these queues, where somebody sleeps: then the bell''s lock cannot be shared. To be called
after the messages are written: who falls asleep then waits for this transaction''s end, and looks once more. It waits for
nobody, is in no other sender''s way, and finds no sleeper in its own session.';

CREATE FUNCTION dramatiq.pass_on(p_queues text[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pg_notify('dramatiq.bells', queue_name) FROM unnest(p_queues) AS queue_name
    WHERE pg_notification_queue_usage() < 0.5;
$$;
COMMENT ON FUNCTION dramatiq.pass_on IS
'Tells the workers that stand by that these queues have work and too few threads where it was heard of: let them look, and
one of them take the bells.';

CREATE FUNCTION dramatiq.last_begun() RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pg_current_xact_id()::text::bigint;
$$;
COMMENT ON FUNCTION dramatiq.last_begun IS
'A transaction''s number, after those of all that have written anything by now.';

CREATE FUNCTION dramatiq.have_ended(p_last_begun bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint > p_last_begun;
$$;
COMMENT ON FUNCTION dramatiq.have_ended IS
'Whether every transaction has ended that had begun to write by then: what they sent can be seen now. One that found nobody
asleep did not ring, and its messages were to be seen by nobody until it ended.';
