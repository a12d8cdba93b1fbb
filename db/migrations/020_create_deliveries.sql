-- Remembers every e-mail from its plan to the provider's last word, so that none goes out twice and each can be explained.

-- planned ─► sending ─► sent ─► delivered | bounced | dropped | complained
--    │          ├─► planned   the provider asked to come back later
--    │          └─► unknown   the request went out, the answer never came ─► sending again, if the template's policy says so
--    └─► failed | superseded | suppressed   it never left: wrong, no longer true, or not wanted
CREATE TABLE balansity.delivery (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    key text NOT NULL UNIQUE,               -- the business reason: one reason, one mail
    template text NOT NULL,
    recipient text,
    subject text,
    user_id uuid,                           -- whose mail it is; no foreign key: the record outlives the account
    state text NOT NULL DEFAULT 'planned' CHECK (state IN (
        'planned', 'sending', 'sent', 'unknown', 'delivered', 'bounced', 'dropped', 'complained',
        'failed', 'superseded', 'suppressed'
    )),
    reason text,                            -- why it is in this state, for a person
    attempts integer NOT NULL DEFAULT 0,
    message_id text NOT NULL,               -- the broker's message that works on it
    provider_message_id text,
    planned_at timestamptz NOT NULL,
    sent_at timestamptz,
    changed_at timestamptz NOT NULL
);

CREATE INDEX delivery_by_change ON balansity.delivery (changed_at DESC);
CREATE INDEX delivery_by_user ON balansity.delivery (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX delivery_not_out ON balansity.delivery (state, changed_at DESC)
    WHERE state IN ('planned', 'sending', 'unknown', 'failed');

CREATE TABLE balansity.delivery_attempt (
    delivery_id uuid NOT NULL REFERENCES balansity.delivery (id) ON DELETE CASCADE,
    number integer NOT NULL,
    provider text NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,                -- null: still running, or its worker died
    outcome text CHECK (outcome IN ('sent', 'planned', 'unknown', 'failed')),
    answer text,                            -- the provider's words
    PRIMARY KEY (delivery_id, number)
);

-- Finds the delivery of this business key, or plans it; the row stays locked until the transaction ends.
-- A delivery that is still `sending` although its own message is back, or its attempt is stale, lost its worker
-- between the call and the answer: nobody knows whether the mail went out.
CREATE FUNCTION balansity.open_delivery(
    p_key text, p_message_id text, p_template text, p_recipient text, p_subject text, p_user_id uuid,
    p_stale interval, p_at timestamptz
) RETURNS balansity.delivery LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    opened balansity.delivery;
BEGIN
    INSERT INTO balansity.delivery (key, message_id, template, recipient, subject, user_id, planned_at, changed_at)
    VALUES (p_key, p_message_id, p_template, p_recipient, p_subject, p_user_id, p_at, p_at)
    ON CONFLICT (key) DO NOTHING
    RETURNING * INTO opened;
    IF FOUND THEN
        RETURN opened;
    END IF;

    UPDATE balansity.delivery d
    SET state = 'unknown', reason = 'the worker stopped before the provider answered', changed_at = p_at
    WHERE d.key = p_key AND d.state = 'sending'
      AND (d.message_id = p_message_id OR d.changed_at < p_at - p_stale);

    SELECT * INTO STRICT opened FROM balansity.delivery d WHERE d.key = p_key FOR UPDATE;
    RETURN opened;
END $$;

-- Notes that the provider is about to be called; commit this before calling. Returns the attempt's number.
CREATE FUNCTION balansity.begin_attempt(
    p_delivery_id uuid, p_message_id text, p_provider text, p_at timestamptz
) RETURNS integer LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    new_number integer;
BEGIN
    UPDATE balansity.delivery
    SET state = 'sending', reason = NULL, attempts = attempts + 1, message_id = p_message_id, changed_at = p_at
    WHERE id = p_delivery_id
    RETURNING attempts INTO STRICT new_number;

    INSERT INTO balansity.delivery_attempt (delivery_id, number, provider, started_at)
    VALUES (p_delivery_id, new_number, p_provider, p_at);
    RETURN new_number;
END $$;

-- Notes what the provider answered. A late answer to an earlier attempt is kept with that attempt and moves nothing,
-- and an event that was faster than the answer is not undone.
CREATE FUNCTION balansity.finish_attempt(
    p_delivery_id uuid, p_number integer, p_outcome text, p_answer text, p_provider_message_id text, p_at timestamptz
) RETURNS void LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    UPDATE balansity.delivery_attempt
    SET outcome = p_outcome, answer = p_answer, finished_at = p_at
    WHERE delivery_id = p_delivery_id AND number = p_number;

    UPDATE balansity.delivery
    SET state = p_outcome,
        reason = CASE WHEN p_outcome <> 'sent' THEN p_answer END,
        provider_message_id = coalesce(p_provider_message_id, provider_message_id),
        sent_at = CASE WHEN p_outcome = 'sent' THEN p_at ELSE sent_at END,
        changed_at = p_at
    WHERE id = p_delivery_id AND attempts = p_number AND state IN ('sending', 'unknown');
END $$;

REVOKE ALL ON balansity.delivery, balansity.delivery_attempt FROM PUBLIC;
REVOKE ALL ON FUNCTION
    balansity.open_delivery(text, text, text, text, text, uuid, interval, timestamptz),
    balansity.begin_attempt(uuid, text, text, timestamptz),
    balansity.finish_attempt(uuid, integer, text, text, text, timestamptz)
FROM PUBLIC;

-- How a mail greets this user: the first name of their own profile, NULL if they have none.
CREATE FUNCTION balansity.reader_name(p_user_id uuid) RETURNS text LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT first_name FROM public.profiles
    WHERE user_id = p_user_id AND type = 'parent'
    ORDER BY created_at, id
    LIMIT 1;
$$;

REVOKE ALL ON FUNCTION balansity.reader_name(uuid) FROM PUBLIC;
