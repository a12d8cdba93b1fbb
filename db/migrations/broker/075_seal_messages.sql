-- Keeps what messages say encrypted: the keys are the processes' own, so SQL only puts what they encrypted in place.

CREATE FUNCTION dramatiq.seal(p_ids uuid[], p_sealed jsonb[], p_worker bigint DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    sealed bigint;
BEGIN
    UPDATE dramatiq.queue AS q
    SET error = CASE WHEN s.content ? 'error' THEN s.content ->> 'error' ELSE q.error END,
        message = s.content - 'error' || (
            SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(q.message)
            WHERE key IN ('queue_name', 'actor_name', 'message_id', 'message_timestamp'))
    FROM unnest(p_ids, p_sealed) AS s (message_id, content)
    WHERE q.message_id = ANY (ARRAY[s.message_id])
        AND (p_worker IS NULL OR q.claimed_by = p_worker AND q.state::text = 'consumed');
    GET DIAGNOSTICS sealed = ROW_COUNT;
    RETURN sealed;
END $$;
COMMENT ON FUNCTION dramatiq.seal IS
'Puts what was encrypted in the place of what messages say; their envelope, by which SQL works on them, stays. The
caller has locked them, or holds them as p_worker: what is claimed changes under no other hand. Returns how many.';

CREATE FUNCTION dramatiq.sealed_messages() RETURNS TABLE (key text, messages bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT split_part(message ->> 'sealed', '.', 1) AS key, count(*) FROM dramatiq.queue
    GROUP BY key ORDER BY key NULLS FIRST;
$$;
COMMENT ON FUNCTION dramatiq.sealed_messages IS
'How many messages each key has encrypted, and how many are plain (NULL).';

CREATE TABLE dramatiq.revelation (
    id uuid NOT NULL,                                    -- a message's, or what the application shows by this way
    revealed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    revealed_by text NOT NULL,                           -- the person, as their process knows them
    role text NOT NULL DEFAULT session_user,
    reason text NOT NULL CHECK (reason <> '')
);
CREATE INDEX revelation_by_id ON dramatiq.revelation (id);
COMMENT ON TABLE dramatiq.revelation IS
'Who was shown what a message says, when and why. It outlives the message.';
