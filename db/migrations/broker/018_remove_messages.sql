-- Removes messages: by age, and by whom they speak of.

CREATE FUNCTION dramatiq.purge(p_ids uuid[], p_state dramatiq.state, p_before timestamptz) RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    -- What somebody is just sending back to work is locked, and stays.
    WITH old AS (
        SELECT message_id FROM dramatiq.queue
        WHERE message_id = ANY (p_ids) AND state = p_state AND mtime < p_before
        FOR UPDATE SKIP LOCKED
    ), purged AS (
        DELETE FROM dramatiq.queue WHERE message_id IN (TABLE old) RETURNING 1
    )
    SELECT count(*) FROM purged;
$$;
COMMENT ON FUNCTION dramatiq.purge IS
'Deletes those of these messages that are still in this state, since before p_before; returns how many.';

CREATE FUNCTION dramatiq.archived(p_pgmq_queue text, p_before timestamptz, p_after bigint, p_rows integer)
RETURNS TABLE (msg_id bigint, bytes integer)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT msg_id, coalesce(pg_column_size(message), 0) FROM pgmq.%I
         WHERE archived_at < $1 AND msg_id > $2 ORDER BY msg_id LIMIT $3', 'a_' || p_pgmq_queue)
    USING p_before, coalesce(p_after, 0), p_rows;
END $$;
COMMENT ON FUNCTION dramatiq.archived IS
'A page of what pgmq archived before p_before, after the message p_after: at most p_rows. In the order of their numbers:
pgmq''s index of times has no second column, and very many may have been archived in one moment.';

CREATE FUNCTION dramatiq.purge_archive(p_pgmq_queue text, p_msg_ids bigint[], p_before timestamptz) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    purged bigint;
BEGIN
    EXECUTE format('DELETE FROM pgmq.%I WHERE msg_id = ANY ($1) AND archived_at < $2', 'a_' || p_pgmq_queue)
    USING p_msg_ids, p_before;
    GET DIAGNOSTICS purged = ROW_COUNT;
    RETURN purged;
END $$;
COMMENT ON FUNCTION dramatiq.purge_archive IS
'Deletes those of these messages that a pgmq queue''s archive has from before p_before; returns how many.';

CREATE FUNCTION dramatiq.routed_tables() RETURNS TABLE (table_name text, actor_name text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- In the order in which messages move on: what another transaction has moved meanwhile is met again further down.
    SELECT kind || m.queue_name, CASE kind WHEN 'q_' THEN a.name END
    FROM dramatiq.actor a JOIN pgmq.meta m ON m.queue_name = a.pgmq_queue, (VALUES ('q_'), ('a_')) AS k (kind)
    ORDER BY m.queue_name, kind DESC;
$$;
COMMENT ON FUNCTION dramatiq.routed_tables IS
'The tables of pgmq that hold what was sent to actors: each route''s queue, with its actor, and then its archive.';

CREATE FUNCTION dramatiq.pgmq_messages(p_table text, p_after bigint, p_rows integer)
RETURNS TABLE (msg_id bigint, bytes integer)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT msg_id, coalesce(pg_column_size(message), 0) FROM pgmq.%I WHERE msg_id > $1 ORDER BY msg_id LIMIT $2',
        p_table)
    USING coalesce(p_after, 0), p_rows;
END $$;
COMMENT ON FUNCTION dramatiq.pgmq_messages IS
'A page of a queue''s or an archive''s messages, after p_after: at most p_rows.';

CREATE FUNCTION dramatiq.forget_pgmq(
    p_table text, p_msg_ids bigint[], p_speaks_of regproc, p_subject jsonb, p_keep boolean,
    OUT removed bigint, OUT kept bigint[]
)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format('SELECT coalesce(array_agg(msg_id), ''{}'') FROM pgmq.%I
                    WHERE msg_id = ANY ($2) AND %s(message::text, message, $1)', p_table, p_speaks_of)
    INTO kept USING p_subject, p_msg_ids;
    removed := 0;
    IF NOT p_keep AND kept <> '{}' THEN
        EXECUTE format('DELETE FROM pgmq.%I WHERE msg_id = ANY ($1)', p_table) USING kept;
        GET DIAGNOSTICS removed = ROW_COUNT;
        kept := '{}';
    END IF;
END $$;
COMMENT ON FUNCTION dramatiq.forget_pgmq IS
'Of these messages of a queue or an archive, removes those that speak of a subject, or keeps them; says how many are gone
and which are kept. p_speaks_of: the function (text of the message, its arguments, p_subject) that knows.';

CREATE FUNCTION dramatiq.forget(
    p_ids uuid[], p_opened regclass, p_speaks_of regproc, p_subject jsonb, p_kept_actors text[],
    OUT removed bigint, OUT kept uuid[]
)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lines text[];
BEGIN
    EXECUTE format(
        'WITH theirs AS (
             SELECT message_id,
                    state = ''consumed'' OR state NOT IN (''done'', ''cancelled'') AND q.message ->> ''actor_name'' = ANY ($2) AS stays
             FROM dramatiq.queue q LEFT JOIN %s AS opened USING (message_id)
             WHERE message_id = ANY ($3)
               AND %s(concat_ws('' '', q.message, opened.message, error),
                      coalesce(opened.message, q.message) -> ''kwargs'', $1)
             FOR UPDATE OF q
         ), deleted AS (
             DELETE FROM dramatiq.queue q USING theirs t WHERE q.message_id = t.message_id AND t.stays IS NOT TRUE
             RETURNING q.line
         )
         SELECT (SELECT count(*) FROM deleted), (SELECT array_agg(line) FROM deleted),
                coalesce((SELECT array_agg(message_id) FROM theirs WHERE stays), ''{}'')', p_opened, p_speaks_of)
    INTO removed, lines, kept USING p_subject, p_kept_actors, p_ids;
    PERFORM dramatiq.leave_lines(lines);
END $$;
COMMENT ON FUNCTION dramatiq.forget IS
'Of these messages, removes those that speak of a subject, as dramatiq.forget_pgmq does; kept are what a worker holds
right now and what waits for one of p_kept_actors. p_opened: a table (message_id, message) of what the encrypted ones say.';
