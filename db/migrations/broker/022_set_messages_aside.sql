-- Keeps what a worker cannot run for one that can: while versions change, two of them work side by side.

CREATE FUNCTION dramatiq.others_signature(p_actor text, p_signature text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT signature FROM (
        SELECT 1 AS place, a.signature FROM dramatiq.actor a WHERE a.name = p_actor
        UNION ALL
        SELECT 2, able.signature
        FROM dramatiq.worker w, unnest(w.abilities) AS able (signature) WHERE starts_with(able.signature, p_actor || '(')
    ) AS known
    WHERE signature <> p_signature
    ORDER BY place, signature DESC LIMIT 1;
$$;
COMMENT ON FUNCTION dramatiq.others_signature IS
'What else an actor is called with: as it is published, or as another worker has it; NULL where all agree.';

CREATE FUNCTION dramatiq.set_aside(
    p_queue text, p_ids uuid[], p_attempts integer[], p_actors text[], p_signatures text[], p_known text[]
) RETURNS SETOF text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    moved integer;
BEGIN
    RETURN QUERY
    UPDATE dramatiq.live AS q
    SET state = 'queued', claimed_by = NULL, mtime = now(), waits_for = strange.ability
    FROM (
        SELECT message_id, attempt,
               CASE WHEN signature IS NULL THEN actor ELSE dramatiq.others_signature(actor, signature) END AS ability
        FROM unnest(p_ids, p_attempts, p_actors, p_signatures) AS s (message_id, attempt, actor, signature)
    ) AS strange
    WHERE q.message_id = ANY (ARRAY[strange.message_id]) AND q.attempt = strange.attempt AND q.state::text = 'consumed'
        AND strange.ability IS NOT NULL
    RETURNING q.message_id::text;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved = 0 THEN
        RETURN;
    END IF;

    -- Where one is, many may be: no claim should meet them one by one. The states are asked again of what is locked.
    UPDATE dramatiq.live AS q SET waits_for = q.message ->> 'actor_name'
    WHERE q.message_id = ANY (ARRAY(
        SELECT message_id FROM dramatiq.live
        WHERE state::text = 'queued' AND NOT delayed AND waits_for IS NULL AND message_id = ANY (ARRAY(
            SELECT message_id FROM (
                SELECT message_id, message ->> 'actor_name' AS actor FROM dramatiq.live
                WHERE queue_name = p_queue AND state = 'queued' AND NOT delayed AND waits_for IS NULL
                ORDER BY priority DESC, available_at, position LIMIT 10000
            ) AS head
            WHERE actor <> ALL (p_known)))
        FOR UPDATE SKIP LOCKED));
    PERFORM dramatiq.ring(ARRAY[p_queue]);
END $$;
COMMENT ON FUNCTION dramatiq.set_aside IS
'Hands back claims that a worker cannot run, for one that can: an actor that it has not (its signature is NULL), or
arguments that do not fit its signature while somebody else''s differs. Returns what it took; what is left would fail
anywhere. Messages for unknown actors among the first 10,000 of the queue go the same way, so that what stands behind
them is met at once; with the doorbell, because those who can run them may have looked while they were claimed here.';

CREATE FUNCTION dramatiq.take_up(p_worker bigint, p_queue text, p_limit integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (SELECT FROM dramatiq.live -- in two parts, past all that wait for their turn
                   WHERE queue_name = p_queue AND state = 'queued' AND waits_for < 'its turn')
       AND NOT EXISTS (SELECT FROM dramatiq.live
                       WHERE queue_name = p_queue AND state = 'queued' AND waits_for > 'its turn') THEN
        RETURN;
    END IF;
    UPDATE dramatiq.live AS q SET waits_for = NULL
    WHERE q.message_id = ANY (ARRAY(
        SELECT mine.message_id
        FROM (SELECT unnest(abilities) FROM dramatiq.worker WHERE id = p_worker) AS able (ability), LATERAL (
            SELECT message_id FROM dramatiq.live
            WHERE queue_name = p_queue AND state = 'queued' AND waits_for = able.ability
            ORDER BY priority DESC, available_at, position LIMIT p_limit
            FOR UPDATE SKIP LOCKED
        ) AS mine));
END $$;
COMMENT ON FUNCTION dramatiq.take_up IS
'Makes what was set aside and this worker can run due again, in its old place: p_limit messages of each actor at most.';

CREATE FUNCTION dramatiq.fits(p_message jsonb, p_required text[], p_accepted text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN (
    SELECT p_required <@ given AND (p_accepted IS NULL OR given <@ p_accepted)
    FROM (SELECT p_accepted[1:jsonb_array_length(p_message -> 'args')]
                 || ARRAY(SELECT jsonb_object_keys(p_message -> 'kwargs'))) AS a (given)
);
COMMENT ON FUNCTION dramatiq.fits IS
'Whether an actor that must and may be given these arguments, in this order, can be called with a message''s.';

CREATE FUNCTION dramatiq.relabel_aside(p_limit integer) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    relabelled bigint;
BEGIN
    UPDATE dramatiq.live AS q SET waits_for = fitting.signature
    FROM (
        SELECT w.message_id, a.signature FROM dramatiq.live AS w JOIN dramatiq.actor AS a
            ON starts_with(w.waits_for, a.name || '(') AND w.waits_for <> a.signature
        WHERE w.state = 'queued' AND w.waits_for IS NOT NULL AND dramatiq.fits(w.message, a.required, a.accepted)
        LIMIT p_limit FOR UPDATE OF w SKIP LOCKED
    ) AS fitting
    WHERE q.message_id = ANY (ARRAY[fitting.message_id]);
    GET DIAGNOSTICS relabelled = ROW_COUNT;
    RETURN relabelled;
END $$;
COMMENT ON FUNCTION dramatiq.relabel_aside IS
'Lets messages whose arguments an earlier signature of their actor took wait for the one that is published now, where it
takes them too; returns how many, p_limit at most.';

CREATE FUNCTION dramatiq.give_up_waiting(p_actor text, p_limit integer) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lines text[];
    given_up bigint;
BEGIN
    WITH given_up AS (
        UPDATE dramatiq.live AS q
        SET state = 'rejected', mtime = now(), waits_for = NULL,
            error = format('Given up: no worker has %s.', coalesce(nullif(q.waits_for, 'its turn'), p_actor))
        WHERE q.message_id = ANY (ARRAY(
            SELECT message_id FROM dramatiq.live AS w
            WHERE state = 'queued' AND waits_for IS NOT NULL AND NOT delayed
                AND p_actor IN (message ->> 'actor_name', waits_for)
                AND (waits_for <> 'its turn' OR EXISTS (
                    SELECT FROM dramatiq.live first
                    WHERE first.line = w.line AND first.state = 'queued' AND first.waits_for <> 'its turn'))
            ORDER BY waits_for <> 'its turn' -- the first of a line last, so that no next one is called up between
            LIMIT p_limit FOR UPDATE SKIP LOCKED))
        RETURNING line
    )
    SELECT count(*), array_agg(line) INTO given_up, lines FROM given_up;
    PERFORM dramatiq.leave_lines(lines);
    RETURN given_up;
END $$;
COMMENT ON FUNCTION dramatiq.give_up_waiting IS
'Makes dead letters of what was set aside for an actor, or for a key, when a person decides that none will come, and of what
waits in line behind that; returns how many, p_limit at most.';

CREATE FUNCTION dramatiq.missing_abilities() RETURNS TABLE (ability text, messages bigint, since timestamptz, published boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT waits_for, count(*), min(available_at),
           EXISTS (SELECT FROM dramatiq.actor a WHERE q.waits_for IN (a.name, a.signature))
    FROM dramatiq.live q
    WHERE state = 'queued' AND waits_for IS NOT NULL AND waits_for <> 'its turn'
    GROUP BY waits_for
    HAVING min(available_at) < now() - interval '1 minute'
        OR NOT EXISTS (SELECT FROM dramatiq.worker w WHERE q.waits_for = ANY (w.abilities))
    ORDER BY waits_for;
$$;
COMMENT ON FUNCTION dramatiq.missing_abilities IS
'Actors, or signatures of theirs, that messages wait for and no worker has, or none that takes their queue: how many
messages, since when the first was due, and whether the published contract knows it.';
