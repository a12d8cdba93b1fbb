-- Remembers every e-mail from its plan to the provider's last word, so that none goes out twice and each can be explained.

-- planned ─► sending ─► sent ─► delivered | bounced | dropped | complained
--    │          ├─► planned   the provider asked to come back later
--    │          └─► unknown   the request went out, the answer never came ─► sending again, if the template's policy says so
--    └─► failed | superseded | suppressed   it never left: wrong, no longer true (─► sending, once true again), or not wanted
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

-- Decides, under the delivery's lock, whether its mail may leave now, and notes the attempt if so. One statement: it is
-- committed before the provider is called. p_refusal and p_reason say why it must not leave (failed, superseded).
-- Gives the delivery's state after that; with `sending`, the number of the attempt that the caller now owns; else how
-- long to wait before asking again, NULL if there is nothing left to do.
CREATE FUNCTION balansity.begin_delivery(
    p_key text, p_message_id text, p_template text, p_recipient text, p_subject text, p_user_id uuid,
    p_refusal text, p_reason text, p_essential boolean, p_patience interval, p_provider text, p_at timestamptz,
    OUT delivery_id uuid, OUT state text, OUT number integer, OUT wait interval
) LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    stale constant interval := '5 minutes'; -- an attempt that another message began so long ago has lost its worker
    busy constant interval := '30 seconds'; -- how soon to look again at what another message is sending
    opened balansity.delivery;
BEGIN
    -- pgmq counts from 1 again in a queue that was dropped and created anew: another message's number is another mail.
    IF p_key LIKE 'pgmq:%' AND EXISTS (
        SELECT FROM balansity.delivery d WHERE d.key = p_key AND d.message_id <> p_message_id
    ) THEN
        p_key := p_key || ':' || p_message_id;
    END IF;

    INSERT INTO balansity.delivery (key, message_id, template, recipient, subject, user_id, planned_at, changed_at)
    VALUES (p_key, p_message_id, p_template, p_recipient, p_subject, p_user_id, p_at, p_at)
    ON CONFLICT (key) DO NOTHING
    RETURNING * INTO opened;
    IF NOT FOUND THEN
        SELECT * INTO STRICT opened FROM balansity.delivery d WHERE d.key = p_key FOR UPDATE;
    END IF;

    -- Still `sending`, although its own message is back: its worker was lost between the call and the answer, and
    -- nobody knows whether the mail went out.
    IF opened.state = 'sending' AND (opened.message_id = p_message_id OR opened.changed_at < p_at - stale) THEN
        UPDATE balansity.delivery d
        SET state = 'unknown', reason = 'the worker stopped before the provider answered', changed_at = p_at
        WHERE d.id = opened.id
        RETURNING * INTO opened;
    END IF;

    delivery_id := opened.id;
    state := opened.state;
    wait := CASE opened.state WHEN 'sending' THEN busy WHEN 'unknown' THEN opened.changed_at + p_patience - p_at END;
    -- Whoever asks again for what was superseded has a reason again: the consultation was reinstated, or moved back.
    IF opened.state NOT IN ('planned', 'unknown', 'superseded')
        OR opened.state = 'unknown' AND (wait > '0') IS NOT FALSE THEN
        RETURN;
    END IF;
    wait := NULL;

    IF p_refusal IS NULL AND NOT p_essential THEN
        SELECT 'suppressed', format('the address has %s: `balansity suppressions --lift` lets mail through again', s.reason)
        INTO p_refusal, p_reason
        FROM balansity.suppression s WHERE s.address = lower(p_recipient);
    END IF;
    state := coalesce(p_refusal, 'sending');
    UPDATE balansity.delivery d
    SET state = begin_delivery.state, reason = p_reason, message_id = p_message_id, changed_at = p_at,
        attempts = d.attempts + CASE WHEN p_refusal IS NULL THEN 1 ELSE 0 END
    WHERE d.id = opened.id;
    IF p_refusal IS NULL THEN
        number := opened.attempts + 1;
        INSERT INTO balansity.delivery_attempt (delivery_id, number, provider, started_at)
        VALUES (opened.id, begin_delivery.number, p_provider, p_at);
    ELSIF p_refusal = 'superseded' THEN
        PERFORM balansity.release_reminder(p_key);
    END IF;
END $$;

-- Notes what the provider answered. A late answer to an earlier attempt is kept with that attempt and moves nothing,
-- and an event that was faster than the answer is not undone. The provider's words may quote an address: they are dropped
-- where the person has been forgotten, which the lock tells for sure.
CREATE FUNCTION balansity.finish_attempt(
    p_delivery_id uuid, p_number integer, p_outcome text, p_answer text, p_provider_message_id text, p_at timestamptz
) RETURNS void LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    SELECT CASE WHEN recipient IS NOT NULL THEN p_answer END INTO p_answer
    FROM balansity.delivery WHERE id = p_delivery_id FOR NO KEY UPDATE;

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
    balansity.begin_delivery(
        text, text, text, text, text, uuid, text, text, boolean, interval, text, timestamptz
    ),
    balansity.finish_attempt(uuid, integer, text, text, text, timestamptz)
FROM PUBLIC;

-- How a mail greets this user: the first name of their own profile, NULL if they have none.
CREATE FUNCTION balansity.reader_name(p_user_id uuid) RETURNS text LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT first_name FROM public.profiles
    WHERE user_id = p_user_id AND type = 'parent'
    ORDER BY to_jsonb(profiles) ->> 'created_at', id -- a column that older deployments lack
    LIMIT 1;
$$;

REVOKE ALL ON FUNCTION balansity.reader_name(uuid) FROM PUBLIC;
