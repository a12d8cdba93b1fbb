-- Lets the clinic remove what we hold about one person, when they ask for it.

CREATE FUNCTION balansity.ids_of(p_user_id uuid) RETURNS SETOF text
LANGUAGE sql STABLE
SET search_path = ''
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
        substring(lower(d.key) FROM '^(?:checkup|appointment|payment|report_ready|reminder:..?h):([0-9a-f-]{36})')
            AS named (id)
    WHERE d.user_id = p_user_id AND named.id IS NOT NULL
$$;
COMMENT ON FUNCTION balansity.ids_of IS
'Their ids, in text: of the person, of their rows, and of rows that the site has removed and our reports and ledger name.';

CREATE FUNCTION balansity.address_in(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN substring(lower(p_text) FROM '[^\s<>"]+@[^\s<>"]+');
COMMENT ON FUNCTION balansity.address_in IS
'The bare address of "Anna <anna@example.com>", in lower case; NULL where there is none.';

CREATE FUNCTION balansity.addresses_of(p_user_id uuid) RETURNS SETOF text
LANGUAGE sql STABLE
SET search_path = ''
AS $$
    SELECT theirs.address
    FROM (
        SELECT balansity.address_in(email) FROM public.users WHERE id = p_user_id
        UNION SELECT balansity.address_in(recipient) FROM balansity.delivery WHERE user_id = p_user_id
    ) AS theirs (address)
    WHERE theirs.address IS NOT NULL
      AND NOT EXISTS (
          SELECT FROM public.users u WHERE u.id <> p_user_id AND balansity.address_in(u.email) = theirs.address
      )
$$;
COMMENT ON FUNCTION balansity.addresses_of IS
'The addresses that are or were theirs, in lower case, without those that are another user''s now.';

CREATE FUNCTION balansity.signs_of(p_user_id uuid, OUT ids text, OUT addresses text)
LANGUAGE sql STABLE
SET search_path = ''
AS $$
    SELECT
        (SELECT string_agg(id, '|') FROM balansity.ids_of(p_user_id) AS theirs (id)),
        (
            -- Not within a longer address: joanna@example.com is somebody else.
            SELECT '(?<![[:alnum:]._+-])('
                || string_agg(regexp_replace(address, '([^[:alnum:]])', '\\\1', 'g'), '|')
                || ')(?![[:alnum:]-]|\.[[:alnum:]])'
            FROM balansity.addresses_of(p_user_id) AS theirs (address)
        )
$$;
COMMENT ON FUNCTION balansity.signs_of IS
'What gives a person away in a text in lower case, as regular expressions; NULL matches nothing.';

CREATE FUNCTION balansity.speaks_of(p_text text, p_named_user text, p_user_id uuid, p_ids text, p_addresses text)
RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN coalesce(
    lower(p_text) ~ p_ids
    OR lower(coalesce(p_named_user, p_user_id::text)) = p_user_id::text AND lower(p_text) ~ p_addresses, false
);
COMMENT ON FUNCTION balansity.speaks_of IS
'Whether a text is about this person. One that names its user is another''s if that is another, whatever address it has:
addresses change hands.';

CREATE FUNCTION balansity.message_speaks_of(p_text text, p_arguments jsonb, p_person jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN balansity.speaks_of(
    p_text, p_arguments ->> 'user_id', (p_person ->> 'user_id')::uuid, p_person ->> 'ids', p_person ->> 'addresses'
);
COMMENT ON FUNCTION balansity.message_speaks_of IS
'Whether a message is about the person of these signs; asked by dramatiq.forget.';

CREATE FUNCTION balansity.deliveries_of(p_user_id uuid) RETURNS SETOF uuid
LANGUAGE sql STABLE
SET search_path = ''
AS $$
    SELECT d.id
    FROM balansity.delivery d, balansity.signs_of(p_user_id) sign
    WHERE balansity.speaks_of(concat_ws(' ', d.user_id, d.key, d.recipient), d.user_id::text, p_user_id,
                              sign.ids, sign.addresses)
$$;
COMMENT ON FUNCTION balansity.deliveries_of IS
'The mails to a person, to whichever of their addresses.';

CREATE FUNCTION balansity.forget_person(p_user_id uuid) RETURNS TABLE (what text, removed bigint, remaining bigint)
LANGUAGE plpgsql
SET search_path = ''
AS $$
DECLARE
    sign record;
    deliveries uuid[];
BEGIN
    SELECT * INTO sign FROM balansity.signs_of(p_user_id);

    FOR what, removed, remaining IN
        SELECT CASE place WHEN 'pgmq' THEN 'messages of pgmq, archived ones too' ELSE 'messages of the broker' END,
               f.removed, f.remaining
        FROM dramatiq.forget(
            'balansity.message_speaks_of'::regproc, to_jsonb(sign) || jsonb_build_object('user_id', p_user_id),
            ARRAY['process_payment']
        ) AS f
    LOOP
        RETURN NEXT;
    END LOOP;
    remaining := 0;

    what := 'links in analytics events';
    UPDATE balansity.analytics_event e SET user_id = NULL, facts = '{}'
    WHERE e.user_id = p_user_id
       OR balansity.speaks_of(e.facts::text, e.facts ->> 'user_id', p_user_id, sign.ids, sign.addresses);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN NEXT;

    what := 'addresses in the list of suppressed ones';
    DELETE FROM balansity.suppression s
    WHERE balansity.speaks_of(
        s.address, (SELECT d.user_id::text FROM balansity.delivery d WHERE d.id = s.delivery_id), p_user_id,
        sign.ids, sign.addresses
    );
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN NEXT;

    what := 'addresses in the mail ledger';
    deliveries := ARRAY(SELECT balansity.deliveries_of(p_user_id));
    UPDATE balansity.delivery
    SET key = 'forgotten:' || id, recipient = NULL, subject = NULL, reason = NULL, user_id = NULL, appointment_id = NULL,
        scheduled_at = NULL,
        state = CASE
            WHEN state <> 'planned' THEN state WHEN balansity.may_have_left(id) THEN 'unknown' ELSE 'superseded'
        END
    WHERE id = ANY (deliveries);
    GET DIAGNOSTICS removed = ROW_COUNT;
    UPDATE balansity.delivery_attempt SET answer = NULL WHERE delivery_id = ANY (deliveries);
    UPDATE balansity.delivery_event SET detail = NULL WHERE delivery_id = ANY (deliveries);
    RETURN NEXT;

    what := 'notes about deleted appointments and payments';
    removed := balansity.forget_deleted();
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION balansity.forget_person IS
'Removes a person''s addresses from the ledger, their links from the analytics (the counts stay), and the messages that
speak of them; says how many of each, and how many remain: what a worker holds right now is left to it, and what moves
money must not be lost. Works before and after the site has removed the person''s own rows, and twice. The notes that
keep a payment or a reminder from happening twice go once the site has removed the row that they are about.';
