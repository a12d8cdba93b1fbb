-- Lets the clinic remove what we hold about one person, when they ask for it.

CREATE FUNCTION balansity.ids_of(p_user_id uuid) RETURNS SETOF text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH family AS (
        SELECT id FROM public.profiles WHERE user_id = p_user_id
    )
    SELECT p_user_id::text
    UNION SELECT id::text FROM family
    UNION SELECT id::text FROM public.assessments WHERE profile_id IN (TABLE family)
    UNION SELECT id::text FROM public.appointments WHERE user_id = p_user_id
    UNION SELECT id::text FROM public.payments WHERE user_id = p_user_id
    UNION SELECT unnest(ARRAY[id, assessment_id])::text FROM balansity.report WHERE user_id = p_user_id
    UNION SELECT named.id
    FROM balansity.delivery d,
        substring(lower(d.key) FROM '^(?:checkup|appointment|payment|report_ready|reminder:..?h):'
            '([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})') AS named (id)
    WHERE d.user_id = p_user_id AND named.id IS NOT NULL
$$;
COMMENT ON FUNCTION balansity.ids_of IS
'Their ids, in text: of the person, of their rows, and of rows that the site has removed and our reports and ledger name.';

CREATE FUNCTION balansity.address_in(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN substring(lower(p_text) FROM '[^\s<>"]+@[^\s<>"]+');
COMMENT ON FUNCTION balansity.address_in IS
'The bare address of "Vera <vera@clinic.example>", in lower case; NULL where there is none.';

CREATE FUNCTION balansity.addresses_of(p_user_id uuid) RETURNS SETOF text
LANGUAGE sql STABLE ROWS 5
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT theirs.address
    FROM (
        SELECT balansity.address_in(email) FROM public.users WHERE id = p_user_id
        UNION SELECT balansity.address_in(recipient) FROM balansity.delivery WHERE user_id = p_user_id
    ) AS theirs (address)
    WHERE theirs.address IS NOT NULL
      AND ( -- address by address, however many the planner expects
          SELECT true FROM public.users u WHERE u.id <> p_user_id AND balansity.address_in(u.email) = theirs.address LIMIT 1
      ) IS NULL
$$;
COMMENT ON FUNCTION balansity.addresses_of IS
'The addresses that are or were theirs, in lower case, without those that are another user''s now.';

CREATE FUNCTION balansity.signs_of(p_user_id uuid) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object(
        'user_id', p_user_id,
        'ids', (SELECT string_agg(id, '|') FROM balansity.ids_of(p_user_id) AS theirs (id)),
        'addresses', (
            -- Not within a longer address: vivera@clinic.example is not vera@clinic.example.
            SELECT '(?<![[:alnum:]._+-])('
                || string_agg(regexp_replace(address, '([^[:alnum:]])', '\\\1', 'g'), '|')
                || ')(?![[:alnum:]-]|\.[[:alnum:]])'
            FROM balansity.addresses_of(p_user_id) AS theirs (address)
        )
    )
$$;
COMMENT ON FUNCTION balansity.signs_of IS
'A person, and what gives them away in a text in lower case: ids with | between them, and addresses as a regular expression;
null matches nothing.';

CREATE FUNCTION balansity.speaks_of(p_text text, p_named_user text, p_person jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN coalesce(
    lower(p_text) LIKE ANY (string_to_array('%' || replace(p_person ->> 'ids', '|', '%|%') || '%', '|')) -- half of a ~
    OR lower(coalesce(p_named_user, p_person ->> 'user_id')) = p_person ->> 'user_id'
       AND lower(p_text) ~ (p_person ->> 'addresses'), false
);
COMMENT ON FUNCTION balansity.speaks_of IS
'Whether a text is about the person of these signs. One that names its user is another''s if that is another, whatever
address it has: addresses change hands.';

CREATE FUNCTION balansity.message_speaks_of(p_text text, p_arguments jsonb, p_person jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN balansity.speaks_of(p_text, p_arguments ->> 'user_id', p_person);
COMMENT ON FUNCTION balansity.message_speaks_of IS
'Whether a message is about the person of these signs; asked by dramatiq.forget and dramatiq.forget_pgmq.';

CREATE FUNCTION balansity.forget_events(p_keys bytea[], p_person jsonb) RETURNS bigint
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    WITH forgotten AS (
        UPDATE balansity.analytics_event e SET user_id = NULL, facts = '{}'
        WHERE e.key = ANY (p_keys)
          AND (e.user_id = (p_person ->> 'user_id')::uuid
               OR balansity.speaks_of(e.facts::text, e.facts ->> 'user_id', p_person))
        RETURNING 1
    )
    SELECT count(*) FROM forgotten
$$;
COMMENT ON FUNCTION balansity.forget_events IS
'Of these events, takes the person out of theirs; the counts stay. Returns how many.';

CREATE FUNCTION balansity.forget_suppressions(p_digests text[], p_person jsonb) RETURNS bigint
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    WITH forgotten AS (
        DELETE FROM balansity.suppression s
        WHERE encode(sha256(convert_to(s.address, 'UTF8')), 'hex') = ANY (p_digests) AND balansity.speaks_of(
            s.address, (SELECT d.user_id::text FROM balansity.delivery d WHERE d.id = s.delivery_id), p_person
        )
        RETURNING 1
    )
    SELECT count(*) FROM forgotten
$$;
COMMENT ON FUNCTION balansity.forget_suppressions IS
'Of the suppressed addresses with these SHA-256, deletes the person''s; returns how many. An address would stand in the
statement, and so in the server''s log.';

CREATE FUNCTION balansity.deliveries_to(p_ids uuid[], p_person jsonb)
RETURNS TABLE (id uuid, is_named boolean)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT d.id, d.user_id IS NOT DISTINCT FROM (p_person ->> 'user_id')::uuid
    FROM balansity.delivery_key k, LATERAL ( -- mail by mail: no month is read whole
        SELECT * FROM balansity.delivery WHERE (id, planned_at) = (k.id, k.planned_at) OFFSET 0
    ) AS d
    WHERE k.id = ANY (p_ids)
      AND balansity.speaks_of(concat_ws(' ', d.user_id, d.key, d.recipient), d.user_id::text, p_person)
$$;
COMMENT ON FUNCTION balansity.deliveries_to IS
'Those of these mails that went to the person, to whichever of their addresses, each with whether it names them.';

CREATE FUNCTION balansity.forget_deliveries(p_ids uuid[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off -- mail by mail: no month is read whole
AS $$
DECLARE
    forgotten bigint;
BEGIN
    UPDATE balansity.delivery d
    SET key = 'forgotten:' || d.id, recipient = NULL, subject = NULL, reason = NULL, user_id = NULL, appointment_id = NULL,
        scheduled_at = NULL, decided_because = NULL,
        state = CASE
            WHEN d.state <> 'planned' THEN d.state WHEN balansity.may_have_left(d.id) THEN 'unknown' ELSE 'superseded'
        END
    FROM balansity.delivery_key k
    WHERE k.id = ANY (p_ids) AND (d.id, d.planned_at) = (k.id, k.planned_at);
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    UPDATE balansity.delivery_attempt SET answer = NULL WHERE delivery_id = ANY (p_ids);
    UPDATE balansity.delivery_event SET detail = NULL WHERE delivery_id = ANY (p_ids);
    RETURN forgotten;
END $$;
COMMENT ON FUNCTION balansity.forget_deliveries IS
'Takes whoever they went to out of these mails; returns how many. What was planned is closed as what is known of it.';
