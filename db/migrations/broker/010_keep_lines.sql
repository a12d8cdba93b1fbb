-- Keeps lines: messages of one key run one at a time, or as many at once as their actor allows, in their order.

CREATE TABLE dramatiq.changed_line (
    queue_name text NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    line text NOT NULL,
    ended boolean NOT NULL,                              -- a message that had its turn has none any more
    at timestamptz NOT NULL DEFAULT now(),               -- when to look, or since when nobody has
    PRIMARY KEY (queue_name, id)
);
COMMENT ON TABLE dramatiq.changed_line IS
'Words that a message came to a line, or left it: a row each, so that nobody who leaves one waits for another. Where a
message waits whose turn could be now, there is one.';

CREATE TABLE dramatiq.caller (
    number integer PRIMARY KEY -- of the queues that have this hash
);
INSERT INTO dramatiq.caller SELECT generate_series(0, 63);
COMMENT ON TABLE dramatiq.caller IS
'Who calls up in a queue locks its row: what one counts, no other changes meanwhile. A row and no advisory lock, which
whoever may log in can hold.';

CREATE FUNCTION dramatiq.line_of(p_queue text, p_key text) RETURNS text
LANGUAGE sql STABLE
RETURN p_queue || ' ' || encode(sha256(convert_to(p_key, 'UTF8')), 'hex');
COMMENT ON FUNCTION dramatiq.line_of IS
'The line of a key in a queue, NULL without a key. Of the key only the digest: keys often say whose they are.';

CREATE FUNCTION dramatiq.key_in(p_arguments jsonb, p_key text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE jsonb_typeof(p_arguments #> string_to_array(p_key, '.'))
           WHEN 'string' THEN p_arguments #>> string_to_array(p_key, '.')
           WHEN 'number' THEN substring(p_arguments #>> string_to_array(p_key, '.') FROM '^-?[0-9]+$') END;
COMMENT ON FUNCTION dramatiq.key_in IS
'The key that arguments hold where an actor has it (`payment_id`, `variables.appointment_id`): a text or a whole number;
NULL for anything else. (A body after RETURN can be inlined, and no search_path misleads it.)';

CREATE FUNCTION dramatiq.note_change(p_lines text[], p_ended boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF array_remove(p_lines, NULL) <> '{}' THEN
        INSERT INTO dramatiq.changed_line (queue_name, line, ended)
        SELECT DISTINCT split_part(line, ' ', 1), line, p_ended FROM unnest(p_lines) AS line WHERE line IS NOT NULL;
    END IF;
END $$;
COMMENT ON FUNCTION dramatiq.note_change IS
'Leaves word that messages came to these lines or, where p_ended, left them, in the transaction in which they do; the next
exchange of the queue calls up. NULL stands for a message without a line.';

CREATE FUNCTION dramatiq.leave_lines(p_lines text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF array_remove(p_lines, NULL) <> '{}' THEN
        PERFORM dramatiq.note_change(p_lines, true);
        PERFORM dramatiq.ring(ARRAY(SELECT DISTINCT split_part(line, ' ', 1) FROM unnest(p_lines) AS line
                                    WHERE line IS NOT NULL));
    END IF;
END $$;
COMMENT ON FUNCTION dramatiq.leave_lines IS
'Says that messages of these lines are done, given up, cancelled or gone, and rings. Whatever ends a message outside an
exchange, or takes it away, calls this in the same transaction.';

CREATE FUNCTION dramatiq.call_up(p_queue text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan -- to plan for one line takes longer than to call up in it
AS $$
DECLARE
    most_words constant integer := 10000;
    most_lines constant integer := 256; -- however many words one cause has left
    heard constant bigint := dramatiq.heard_up_to(p_queue);
    lines text[];
    ends boolean[];
    words bigint;
    last bigint;
    called bigint;
BEGIN
    PERFORM FROM dramatiq.caller WHERE number = hashtextextended(p_queue, 0) & 63 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    -- In statements of their own: each sees what was committed before it began, so what a word speaks of, too.
    WITH taken AS (
        DELETE FROM dramatiq.changed_line
        WHERE queue_name = p_queue AND id > heard AND id IN (
            SELECT ranked.id FROM (
                SELECT w.id, dense_rank() OVER (ORDER BY w.first) AS rank FROM (
                    SELECT c.id, min(c.id) OVER (PARTITION BY c.line) AS first FROM (
                        SELECT id, line FROM dramatiq.changed_line
                        WHERE queue_name = p_queue AND id > heard AND at <= clock_timestamp() ORDER BY id LIMIT most_words
                    ) AS c
                ) AS w
            ) AS ranked
            WHERE ranked.rank <= most_lines)
        RETURNING line, ended, id
    )
    SELECT array_agg(h.line), array_agg(h.ended), sum(h.words), max(h.last) INTO lines, ends, words, last
    FROM (SELECT line, bool_or(ended) AS ended, count(*) AS words, max(id) AS last FROM taken GROUP BY line) AS h;
    IF words < most_words AND cardinality(lines) < most_lines THEN
        PERFORM dramatiq.note_heard(p_queue, last);
    END IF;

    WITH first AS MATERIALIZED (
        SELECT changed.line, changed.ended, waiting.message_id
        FROM unnest(lines, ends) AS changed (line, ended), LATERAL (
            SELECT count(*) AS taken FROM dramatiq.live q
            WHERE q.line = changed.line AND q.state IN ('queued', 'consumed') AND q.waits_for IS DISTINCT FROM 'its turn'
        ) AS turns, LATERAL (
            SELECT f.message_id, bool_and(turns.taken + f.place <= f.most) OVER (ORDER BY f.place) AS may_run
            FROM (
                SELECT q.message_id, coalesce(a.key_limit, 1) AS most,
                       row_number() OVER (ORDER BY q.priority DESC, q.available_at, q.position) AS place
                FROM dramatiq.live q LEFT JOIN dramatiq.actor a ON a.name = q.message ->> 'actor_name'
                WHERE q.line = changed.line AND q.state = 'queued' AND q.waits_for = 'its turn' AND NOT q.delayed
                ORDER BY q.priority DESC, q.available_at, q.position
                LIMIT (SELECT coalesce(max(key_limit), 1) FROM dramatiq.actor)
            ) AS f
        ) AS waiting
        WHERE waiting.may_run
    ), locked AS MATERIALIZED (
        SELECT q.message_id FROM dramatiq.live q
        WHERE q.message_id = ANY (ARRAY(SELECT f.message_id FROM first AS f))
            AND q.state::text = 'queued' AND q.waits_for = 'its turn' AND NOT q.delayed
        FOR UPDATE SKIP LOCKED
    ), held_up AS MATERIALIZED (
        -- Somebody changes one of them just now: none of its line goes before it.
        SELECT DISTINCT f.line FROM first AS f LEFT JOIN locked USING (message_id) WHERE locked.message_id IS NULL
    ), again AS (
        INSERT INTO dramatiq.changed_line (queue_name, line, ended, at)
        SELECT p_queue, line, true, clock_timestamp() + interval '250 milliseconds' FROM held_up
    ), up AS (
        UPDATE dramatiq.live AS q
        SET waits_for = NULL, available_at = CASE WHEN f.ended THEN now() ELSE q.available_at END
        FROM first AS f
        WHERE q.message_id = ANY (ARRAY[f.message_id]) AND f.line NOT IN (TABLE held_up)
        RETURNING 1
    )
    SELECT count(*) INTO called FROM up;
    RETURN called;
END $$;
COMMENT ON FUNCTION dramatiq.call_up IS
'Makes messages due whose turn has come in lines of a queue that somebody left word of; how many, or NULL while another
does it. A line''s first, by priority, due time and order, has its turn while fewer messages than its actor''s key_limit
have theirs, from here until they are done, dead, cancelled or gone: so a retry keeps it. What another''s end called up
falls due now: it stands behind what other causes sent meanwhile. Only an exchange does this, a single statement that the
server ends by itself, and it waits for no lock: a sender''s transaction may stay open for hours, and no ack waits for it.';
