-- Finds messages for a person: by where they are, what they are for, how they failed and what they were given.

CREATE FUNCTION dramatiq.saying_of(p_error text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT line FROM regexp_split_to_table(
        CASE WHEN p_error LIKE E'%\n  File "%' THEN regexp_replace(p_error, E'^.*\n  File "', '  ') ELSE p_error END,
        E'\n') WITH ORDINALITY AS lines (line, number)
    WHERE line ~ '^\S' ORDER BY number LIMIT 1;
$$;
COMMENT ON FUNCTION dramatiq.saying_of IS
'Of an error the line that says what was wrong: the first after a traceback''s frames, which are indented.';

CREATE FUNCTION dramatiq.kind_of(p_error text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT left(regexp_replace(coalesce(dramatiq.saying_of(p_error), 'No reason was given.'),
        '[^\s<>"'']+@[^\s<>"'']+|''[^'']*''|"[^"]*"|«[^»]*»'
        || '|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|\m[0-9a-f]{16,}\M|[0-9]+([.,:-][0-9]+)*', '…', 'g'), 200);
$$;
COMMENT ON FUNCTION dramatiq.kind_of IS
'What kind of failure an error is: the line that says what was wrong, without what differs from one to the next (ids,
numbers, addresses, what is quoted).';

CREATE INDEX queue_dead_by_kind ON dramatiq.live (dramatiq.kind_of(error), coalesce(message ->> 'actor_name', ''), mtime)
    WHERE state = 'rejected';

CREATE FUNCTION dramatiq.state_of(p_message dramatiq.queue) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE p_message.state
        WHEN 'consumed' THEN 'running' WHEN 'rejected' THEN 'dead' WHEN 'done' THEN 'done' WHEN 'cancelled' THEN 'cancelled'
        ELSE CASE WHEN p_message.waits_for <> 'its turn' THEN 'set aside' WHEN p_message.delayed THEN 'delayed'
             WHEN p_message.waits_for = 'its turn' THEN 'in line' ELSE 'waiting' END
    END;
$$;
COMMENT ON FUNCTION dramatiq.state_of IS
'A message''s state as people call it: waiting, in line, delayed, set aside, running, dead, cancelled or done.';

CREATE FUNCTION dramatiq.condition(p_filter jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT concat_ws(' AND ', 'true',
        CASE p_filter ->> 'state'
            WHEN 'waiting' THEN 'state = ''queued'' AND NOT delayed AND waits_for IS NULL'
            WHEN 'in line' THEN 'state = ''queued'' AND waits_for = ''its turn'' AND NOT delayed'
            WHEN 'delayed' THEN 'state = ''queued'' AND delayed'
            WHEN 'set aside' THEN 'state = ''queued'' AND waits_for IS NOT NULL AND waits_for <> ''its turn'''
            WHEN 'running' THEN 'state = ''consumed'''
            WHEN 'dead' THEN 'state = ''rejected'''
            WHEN 'cancelled' THEN 'state = ''cancelled'''
            WHEN 'done' THEN 'state = ''done''' END,
        CASE WHEN p_filter ? 'queue' THEN 'queue_name = $1 ->> ''queue''' END,
        CASE WHEN p_filter ? 'actor' THEN 'coalesce(message ->> ''actor_name'', '''') = $1 ->> ''actor''' END,
        CASE WHEN p_filter ? 'kind' THEN
            -- Of what fails alone: to tell the kind of each that ended otherwise would take long.
            CASE WHEN p_filter ->> 'state' IN ('done', 'cancelled') THEN 'false' ELSE
                'dramatiq.kind_of(error) = $1 ->> ''kind'' AND (state = ''rejected'' OR error IS NOT NULL)' END END,
        CASE WHEN p_filter ? 'since' THEN 'mtime >= ($1 ->> ''since'')::timestamptz' END,
        CASE WHEN p_filter ? 'before' THEN 'mtime < ($1 ->> ''before'')::timestamptz' END,
        CASE WHEN p_filter ? 'trace' AND p_filter ->> 'state' = 'done' THEN
            'message_id IN (SELECT ($1 ->> ''trace'')::uuid UNION ALL SELECT dramatiq.traced($1 ->> ''trace''))'
        WHEN p_filter ? 'trace' THEN
            '(message_id = ($1 ->> ''trace'')::uuid'
            || ' OR pgmq_msg_id IS NULL AND message #>> ''{options,trace}'' = $1 ->> ''trace'''
            -- What the bridge moved has changed since then, and its states'' indexes are by that.
            || coalesce(format(' OR mtime >= %L AND message #>> ''{options,trace}'' = $1 ->> ''trace''',
                               dramatiq.trace_began(p_filter ->> 'trace') - interval '1 minute'), '') || ')' END,
        CASE WHEN p_filter ? 'arguments' THEN 'message -> ''kwargs'' @> ($1 -> ''arguments'')' END,
        CASE WHEN p_filter ? 'low' THEN 'message_id BETWEEN ($1 ->> ''low'')::uuid AND ($1 ->> ''high'')::uuid' END);
$$;
COMMENT ON FUNCTION dramatiq.condition IS
'A filter as a condition on dramatiq.queue in which the filter itself is $1, so that no value of it stands in SQL.
p_filter may have: state (as dramatiq.state_of calls them), queue, actor, kind (of failure), since and before (of the last
change), trace, arguments (which are among its own; of an encrypted one only the readable are seen), low and high (ids).';

CREATE FUNCTION dramatiq.conditions(p_filter jsonb) RETURNS TABLE (condition text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT dramatiq.condition(p_filter || jsonb_build_object('state', each.state))
    FROM unnest('{waiting, in line, delayed, set aside, running, dead, cancelled, done}'::text[]) AS each (state)
    WHERE each.state = coalesce(p_filter ->> 'state', each.state);
$$;
COMMENT ON FUNCTION dramatiq.conditions IS
'A filter in each state that it leaves open, for each state has an index of its own.';

CREATE FUNCTION dramatiq.horizon(
    p_filter jsonb, p_until timestamptz, p_last uuid, p_look integer, OUT changed_at timestamptz, OUT message_id uuid
)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT q.mtime, q.message_id FROM dramatiq.done q
    WHERE (p_until IS NULL OR (q.mtime, q.message_id) < (p_until, p_last))
      AND (NOT p_filter ? 'since' OR q.mtime >= (p_filter ->> 'since')::timestamptz)
      AND (NOT p_filter ? 'before' OR q.mtime < (p_filter ->> 'before')::timestamptz)
      AND p_filter ?| '{queue, actor, arguments}' AND NOT p_filter ?| '{kind, trace, low}'
      AND coalesce(p_filter ->> 'state', 'done') = 'done'
    ORDER BY q.mtime DESC, q.message_id DESC OFFSET p_look - 1 LIMIT 1;
$$;
COMMENT ON FUNCTION dramatiq.horizon IS
'How far back a page of what a filter finds is looked for, after the one that changed at p_until, p_last: to the p_look-th
message that is done, where the filter asks for what no index tells of those. NULL: to the end.';

CREATE FUNCTION dramatiq.count_found(
    p_filter jsonb, p_most bigint DEFAULT NULL, p_until timestamptz DEFAULT NULL, p_last uuid DEFAULT NULL,
    p_from timestamptz DEFAULT NULL, p_first uuid DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found bigint;
BEGIN
    EXECUTE (
        SELECT format('SELECT count(*) FROM (%s LIMIT $2) AS counted', string_agg(format(
            'SELECT 1 FROM dramatiq.queue WHERE %s AND ($3 IS NULL OR (mtime, message_id) < ($3, $4))
               AND ($5 IS NULL OR (mtime, message_id) >= ($5, $6))', each.condition), ' UNION ALL '))
        FROM dramatiq.conditions(p_filter) AS each)
    INTO found USING p_filter, p_most, p_until, p_last, p_from, p_first;
    RETURN found;
END $$;
COMMENT ON FUNCTION dramatiq.count_found IS
'How many messages a filter finds, counted up to p_most: of those that changed before p_until, p_last and not before p_from,
p_first.';

CREATE FUNCTION dramatiq.find(
    p_filter jsonb, p_until timestamptz, p_last uuid, p_rows integer, p_from timestamptz DEFAULT NULL, p_first uuid DEFAULT NULL
)
RETURNS TABLE (message_id uuid, queue text, actor text, state text, changed_at timestamptz, due_at timestamptz,
               attempt integer, priority integer, kind text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE (
        SELECT format(
            'SELECT q.message_id, q.queue_name, q.message ->> ''actor_name'', dramatiq.state_of(q), q.mtime, q.available_at,
                    q.attempt, q.priority, CASE WHEN q.error IS NOT NULL THEN dramatiq.kind_of(q.error) END
             FROM (%s) AS q ORDER BY q.mtime DESC, q.message_id DESC LIMIT $4',
            string_agg(format(
                '(SELECT q.* FROM dramatiq.queue q WHERE %s AND ($2 IS NULL OR (q.mtime, q.message_id) < ($2, $3))
                    AND ($5 IS NULL OR (q.mtime, q.message_id) >= ($5, $6))
                  ORDER BY q.mtime DESC, q.message_id DESC LIMIT $4)',
                each.condition), ' UNION ALL '))
        FROM dramatiq.conditions(p_filter) AS each)
    USING p_filter, p_until, p_last, p_rows, p_from, p_first;
END $$;
COMMENT ON FUNCTION dramatiq.find IS
'A page of the messages that a filter finds, the last changed first, after the one that changed at p_until, p_last and not
before the one at p_from, p_first.';

CREATE FUNCTION dramatiq.failing(p_most integer DEFAULT NULL) RETURNS TABLE (actor text, kind text, first_at timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE kinds (kind, actor, place) AS (
        (SELECT dramatiq.kind_of(q.error), coalesce(q.message ->> 'actor_name', ''), 1 FROM dramatiq.live q
         WHERE q.state = 'rejected'
         ORDER BY 1, 2 LIMIT 1)
        UNION ALL
        SELECT following.kind, following.actor, k.place + 1
        FROM kinds k, LATERAL (
            SELECT dramatiq.kind_of(q.error) AS kind, coalesce(q.message ->> 'actor_name', '') AS actor FROM dramatiq.live q
            WHERE q.state = 'rejected'
              AND (dramatiq.kind_of(q.error), coalesce(q.message ->> 'actor_name', '')) > (k.kind, k.actor)
            ORDER BY 1, 2 LIMIT 1
        ) AS following
        WHERE p_most IS NULL OR k.place < p_most
    )
    SELECT nullif(k.actor, ''), k.kind, first.mtime
    FROM kinds k, LATERAL (
        SELECT q.mtime FROM dramatiq.live q
        WHERE q.state = 'rejected' AND dramatiq.kind_of(q.error) = k.kind
          AND coalesce(q.message ->> 'actor_name', '') = k.actor
        ORDER BY q.mtime LIMIT 1
    ) AS first;
$$;
COMMENT ON FUNCTION dramatiq.failing IS
'The kinds of failure that have dead letters, by actor, p_most of them at most: since when the first that is kept is dead.
It goes from one to the next, however many there are of each.';

CREATE FUNCTION dramatiq.failures(p_filter jsonb)
RETURNS TABLE (actor text, kind text, state text, messages bigint, first_at timestamptz, last_at timestamptz, sample uuid)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT k.actor, k.kind, ''dead'', found.messages, found.first_at, last.mtime, last.message_id
         FROM dramatiq.failing() AS k, LATERAL (
             SELECT q.mtime, q.message_id FROM dramatiq.live q
             WHERE q.state = ''rejected'' AND dramatiq.kind_of(q.error) = k.kind
               AND coalesce(q.message ->> ''actor_name'', '''') = coalesce(k.actor, '''') AND %1$s
             ORDER BY q.mtime DESC LIMIT 1
         ) AS last, LATERAL (
             SELECT count(*) AS messages, min(q.mtime) AS first_at FROM dramatiq.live q
             WHERE q.state = ''rejected'' AND dramatiq.kind_of(q.error) = k.kind
               AND coalesce(q.message ->> ''actor_name'', '''') = coalesce(k.actor, '''') AND %1$s
         ) AS found
         UNION ALL
         SELECT f.actor, f.kind, ''to be tried again'', count(*), min(f.mtime), max(f.mtime),
                (array_agg(f.message_id ORDER BY f.mtime DESC))[1]
         FROM (
             SELECT q.message_id, q.mtime, q.message ->> ''actor_name'' AS actor, dramatiq.kind_of(q.error) AS kind
             FROM dramatiq.live q WHERE q.state = ''queued'' AND q.delayed AND q.error IS NOT NULL AND %1$s
         ) AS f
         GROUP BY f.actor, f.kind
         ORDER BY 6 DESC', dramatiq.condition(p_filter - 'state'))
    USING p_filter;
END $$;
COMMENT ON FUNCTION dramatiq.failures IS
'What fails and why: dead letters and what waits to be tried again, by actor and kind of failure, the latest first, each
with the id of its latest message.';

CREATE FUNCTION dramatiq.page_found(p_filter jsonb, p_at timestamptz, p_after uuid, p_rows integer)
RETURNS TABLE (message_id uuid, changed_at timestamptz, bytes integer)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT q.message_id, q.mtime, coalesce(pg_column_size(q.message), 0) FROM dramatiq.queue q
         WHERE %s AND ($2 IS NULL OR (q.mtime, q.message_id) > ($2, $3))
         ORDER BY q.mtime, q.message_id LIMIT $4', dramatiq.condition(p_filter))
    USING p_filter, p_at, p_after, p_rows;
END $$;
COMMENT ON FUNCTION dramatiq.page_found IS
'A page of the messages that a filter finds, from the one that changed first, to work through in batches.';
