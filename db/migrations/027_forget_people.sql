-- Lets the clinic remove what we hold about one person, when they ask for it.

-- Whether a message speaks of this person.
CREATE FUNCTION balansity.speaks_of(p_message jsonb, p_user_id uuid, p_addresses text[], p_assessments text[])
RETURNS boolean
LANGUAGE sql IMMUTABLE
SET search_path = ''
RETURN coalesce(
    p_message ->> 'user_id' = p_user_id::text
    OR lower(p_message ->> 'to') = ANY (p_addresses)
    OR p_message ->> 'assessment_id' = ANY (p_assessments), false
);

-- The addresses, in lower case, that are or were a person's.
CREATE FUNCTION balansity.addresses_of(p_user_id uuid) RETURNS text[]
LANGUAGE sql STABLE
SET search_path = ''
RETURN ARRAY(
    SELECT lower(u.email) FROM public.users u WHERE u.id = p_user_id AND u.email IS NOT NULL
    UNION
    SELECT lower(d.recipient) FROM balansity.delivery d WHERE d.user_id = p_user_id AND d.recipient IS NOT NULL
);

-- The mails to a person, to whichever of their addresses; those are looked up once, in a subquery of their own.
CREATE FUNCTION balansity.deliveries_of(p_user_id uuid) RETURNS SETOF uuid
LANGUAGE sql STABLE
SET search_path = ''
AS $$
    SELECT d.id FROM balansity.delivery d
    WHERE d.user_id = p_user_id OR lower(d.recipient) = ANY ((SELECT balansity.addresses_of(p_user_id))::text[])
$$;

-- Removes a person's addresses from the ledger, their links from the analytics (the counts stay), and the messages that
-- speak of them; says how many of each. Works before and after the site has removed the person's own rows, and twice.
-- A message that a worker holds right now is left to it: its mail is in the ledger when the next call comes.
CREATE FUNCTION balansity.forget_person(p_user_id uuid) RETURNS TABLE (what text, removed bigint)
LANGUAGE plpgsql
SET search_path = ''
AS $$
DECLARE
    addresses text[] := balansity.addresses_of(p_user_id);
    assessments text[] := ARRAY(
        SELECT s.id::text FROM public.assessments s JOIN public.profiles p ON p.id = s.profile_id
        WHERE p.user_id = p_user_id
    );
    queue text;
    count_live bigint;
    count_archived bigint;
BEGIN
    UPDATE balansity.delivery_attempt SET answer = NULL
    WHERE delivery_id IN (SELECT balansity.deliveries_of(p_user_id));
    UPDATE balansity.delivery_event SET detail = NULL
    WHERE delivery_id IN (SELECT balansity.deliveries_of(p_user_id));
    UPDATE balansity.delivery SET recipient = NULL, subject = NULL, reason = NULL, user_id = NULL
    WHERE id IN (SELECT balansity.deliveries_of(p_user_id));
    GET DIAGNOSTICS removed = ROW_COUNT;
    what := 'addresses in the mail ledger';
    RETURN NEXT;

    DELETE FROM balansity.suppression WHERE address = ANY (addresses);
    GET DIAGNOSTICS removed = ROW_COUNT;
    what := 'addresses in the list of suppressed ones';
    RETURN NEXT;

    UPDATE balansity.analytics_event
    SET key = 'forgotten:' || gen_random_uuid(), user_id = NULL, facts = '{}'
    WHERE user_id = p_user_id OR facts ->> 'assessment_id' = ANY (assessments);
    GET DIAGNOSTICS removed = ROW_COUNT;
    what := 'links in analytics events';
    RETURN NEXT;

    DELETE FROM dramatiq.queue q
    WHERE q.state <> 'consumed'
      AND balansity.speaks_of(q.message -> 'kwargs', p_user_id, addresses, assessments);
    GET DIAGNOSTICS removed = ROW_COUNT;
    what := 'messages of the broker';
    RETURN NEXT;

    removed := 0;
    FOREACH queue IN ARRAY ARRAY['email_queue', 'report_generation_queue', 'analytics_queue'] LOOP
        EXECUTE format('DELETE FROM pgmq.%I WHERE balansity.speaks_of(message, $1, $2, $3)', 'q_' || queue)
        USING p_user_id, addresses, assessments;
        GET DIAGNOSTICS count_live = ROW_COUNT;
        EXECUTE format('DELETE FROM pgmq.%I WHERE balansity.speaks_of(message, $1, $2, $3)', 'a_' || queue)
        USING p_user_id, addresses, assessments;
        GET DIAGNOSTICS count_archived = ROW_COUNT;
        removed := removed + count_live + count_archived;
    END LOOP;
    what := 'messages of pgmq, archived ones too';
    RETURN NEXT;
END $$;

REVOKE ALL ON FUNCTION
    balansity.speaks_of(jsonb, uuid, text[], text[]), balansity.addresses_of(uuid), balansity.deliveries_of(uuid),
    balansity.forget_person(uuid)
FROM PUBLIC;
