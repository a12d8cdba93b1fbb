-- Remembers every e-mail from its plan to the provider's last word, so that none goes out twice and each can be explained.

-- planned ─► sending ─► sent ─► delivered | bounced | dropped | complained
--    │          ├─► planned   the provider asked to come back later
--    │          ├─► failed    the provider refused it for good
--    │          └─► unknown   the request went out, the answer never came ─► sending again, if the template's policy says so
--    └─► failed | superseded | suppressed   it never left: wrong or out of tries, no longer true (─► sending, once true
--                                           again), or not wanted
-- A person may put failed and unknown ones back to planned, and sent ones that were never heard of again.
CREATE TABLE balansity.delivery (
    id uuid NOT NULL DEFAULT gen_random_uuid(), -- plan_delivery derives it from the key
    key text COLLATE "C" NOT NULL,          -- the business reason: one reason, one mail (balansity.delivery_key)
    template text NOT NULL,
    recipient text,
    subject text,
    user_id uuid,                           -- whose mail it is; no foreign key: the record outlives the account
    appointment_id uuid,                    -- the consultation that it is about,
    scheduled_at timestamptz,               -- and the time that it names for it
    state text NOT NULL DEFAULT 'planned' CHECK (state IN (
        'planned', 'sending', 'sent', 'unknown', 'delivered', 'bounced', 'dropped', 'complained',
        'failed', 'superseded', 'suppressed'
    )),
    reason text,                            -- why it is in this state, for a person
    attempts integer NOT NULL DEFAULT 0,
    resends integer NOT NULL DEFAULT 0,     -- by a person: each is a mail of its own to the reader's mailbox
    message_id text NOT NULL,               -- the broker's message that works on it
    trace text,                             -- that it is part of, with all that its cause brought about
    provider text,                          -- which took it
    provider_message_id text,
    planned_at timestamptz NOT NULL,
    postponed_until timestamptz,                 -- the end of the night that it has waited for
    sent_at timestamptz,
    changed_at timestamptz NOT NULL,
    vouched_at timestamptz NOT NULL DEFAULT clock_timestamp(), -- it had not left by then; a restore noticed later doubts it
    held_at timestamptz,                    -- when a restore made it unknown; such a one waits for a person
    again_of uuid,                          -- the mail that a person had sent once more, kept or not,
    decided_by text,                        -- who,
    decided_because text,                   -- and why
    PRIMARY KEY (id, planned_at)
) PARTITION BY RANGE (planned_at);          -- a table a month: they are dropped whole (022_keep_months.sql)
CREATE TABLE balansity.delivery_other PARTITION OF balansity.delivery DEFAULT;

CREATE TRIGGER keep_delivery_key BEFORE INSERT OR DELETE OR UPDATE OF id, key, planned_at ON balansity.delivery
FOR EACH ROW EXECUTE FUNCTION balansity.keep_delivery_key();
CREATE TRIGGER keep_no_delivery_key BEFORE TRUNCATE ON balansity.delivery
FOR EACH STATEMENT EXECUTE FUNCTION balansity.keep_delivery_key();

CREATE INDEX delivery_by_change ON balansity.delivery (changed_at DESC);
CREATE INDEX delivery_by_plan ON balansity.delivery (planned_at);
CREATE INDEX delivery_by_user ON balansity.delivery (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX delivery_by_recipient ON balansity.delivery (lower(recipient), changed_at) WHERE recipient IS NOT NULL;
CREATE INDEX delivery_by_trace ON balansity.delivery (trace) WHERE trace IS NOT NULL;
CREATE INDEX delivery_by_message ON balansity.delivery (message_id);
CREATE INDEX delivery_by_origin ON balansity.delivery (again_of) WHERE again_of IS NOT NULL;
CREATE INDEX delivery_by_appointment ON balansity.delivery (appointment_id) WHERE appointment_id IS NOT NULL;
CREATE INDEX delivery_postponed ON balansity.delivery (postponed_until) WHERE state = 'planned' AND postponed_until IS NOT NULL;
CREATE INDEX delivery_by_state ON balansity.delivery (state, changed_at DESC, id DESC);

CREATE TABLE balansity.delivery_attempt (
    delivery_id uuid NOT NULL,
    number integer NOT NULL,                -- one after the other, under the delivery's lock
    provider text NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,                -- null: still running, or its worker died
    outcome text CHECK (outcome IN ('sent', 'planned', 'unknown', 'failed')),
    answer text,                            -- the provider's words
    provider_message_id text,               -- its name for the mail, where it took it
    token uuid NOT NULL DEFAULT gen_random_uuid(), -- the name that its caller gave it, who may never hear of its number
    PRIMARY KEY (delivery_id, number, started_at)
) PARTITION BY RANGE (started_at);
CREATE TABLE balansity.delivery_attempt_other PARTITION OF balansity.delivery_attempt DEFAULT;

CREATE INDEX delivery_attempt_running ON balansity.delivery_attempt (token) WHERE finished_at IS NULL;

-- What a worker tells the ledger of a mail; mail/ledger.py has its twin.
CREATE TYPE balansity.mail_entry AS (
    key text,
    numbered boolean,                       -- the key is nothing but the number that pgmq gave the message
    message_id text,
    template text,
    recipient text,
    subject text,
    user_id uuid,
    appointment_id uuid,                    -- these two are known once the letter is written
    scheduled_at timestamptz
);

CREATE FUNCTION balansity.delivery_id(p_identity text) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
    -- RFC 9562's version 8, like a version 5 by SHA-256, which every server has.
    SELECT overlay(overlay(
        left(encode(sha256(convert_to('balansity.delivery:' || p_identity, 'UTF8')), 'hex'), 32)
        PLACING '8' FROM 13) PLACING 'a' FROM 17)::uuid;
$$;
COMMENT ON FUNCTION balansity.delivery_id IS
'The id that follows from what a mail is: made again after a restore, it is the same to providers and mailboxes.';

CREATE FUNCTION balansity.plan_delivery(p_entry balansity.mail_entry) RETURNS balansity.delivery
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    opened balansity.delivery;
    known balansity.delivery_key;
    same_id uuid;
BEGIN
    -- pgmq counts from 1 again in a queue that was dropped and created anew: another message's number is another mail.
    IF p_entry.numbered AND EXISTS (
        SELECT FROM balansity.delivery_key k JOIN balansity.delivery d USING (id, planned_at)
        WHERE k.key = p_entry.key AND d.message_id <> p_entry.message_id
    ) THEN
        p_entry.key := p_entry.key || ':' || p_entry.message_id;
    END IF;
    -- After a restore it counts on from an old number, too: only with its time a number says which mail it is.
    same_id := balansity.delivery_id(p_entry.key || CASE WHEN p_entry.numbered
        THEN concat('@', extract(epoch FROM dramatiq.sent_at(p_entry.message_id))) ELSE '' END);

    INSERT INTO balansity.delivery (
        id, key, message_id, trace, template, recipient, subject, user_id, planned_at, changed_at, vouched_at
    )
    VALUES (
        same_id, p_entry.key, p_entry.message_id, dramatiq.trace_of(p_entry.message_id), p_entry.template,
        p_entry.recipient, p_entry.subject, p_entry.user_id, balansity.now(), balansity.now(),
        CASE WHEN balansity.was_due_before_restore(p_entry.key, p_entry.message_id) THEN '-infinity'
             ELSE clock_timestamp() END
    )
    RETURNING * INTO opened;
    IF NOT FOUND THEN -- the key is another where the person has been forgotten since: the mail is the same
        SELECT * INTO STRICT known FROM balansity.delivery_key k
        WHERE k.key = p_entry.key OR k.id = same_id
        ORDER BY k.key = p_entry.key DESC LIMIT 1;
        SELECT * INTO STRICT opened FROM balansity.delivery d
        WHERE (d.id, d.planned_at) = (known.id, known.planned_at)
        FOR UPDATE;
    END IF;
    RETURN opened;
END $$;
COMMENT ON FUNCTION balansity.plan_delivery IS
'Opens the delivery of a business reason under its lock; a new one is planned.';

CREATE FUNCTION balansity.postpone_delivery(p_entry balansity.mail_entry, p_until timestamptz, p_reason text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    opened balansity.delivery := balansity.plan_delivery(p_entry);
BEGIN
    UPDATE balansity.delivery d SET postponed_until = p_until, reason = p_reason, changed_at = balansity.now()
    WHERE (d.id, d.planned_at) = (opened.id, opened.planned_at) AND d.state = 'planned';
END $$;
COMMENT ON FUNCTION balansity.postpone_delivery IS
'Notes until when a planned delivery waits, and why.';

CREATE FUNCTION balansity.may_have_left(p_delivery_id uuid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM balansity.delivery_attempt
        WHERE delivery_id = p_delivery_id AND coalesce(outcome, 'unknown') = 'unknown'
    ) OR EXISTS (
        SELECT FROM balansity.delivery
        WHERE id = p_delivery_id AND planned_at = balansity.when_planned(p_delivery_id)
          AND vouched_at <= balansity.latest_restore()
    );
END $$;
COMMENT ON FUNCTION balansity.may_have_left IS
'Whether it may have gone out without our knowing: no answer came to an attempt, none was recorded, or a restore has
undone what was.';

CREATE FUNCTION balansity.is_untaken(p_entry balansity.mail_entry, p_provider text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    opened balansity.delivery := balansity.plan_delivery(p_entry);
BEGIN
    RETURN NOT EXISTS (
        SELECT FROM balansity.delivery_attempt
        WHERE delivery_id = opened.id AND started_at >= balansity.earliest(opened.planned_at) AND provider <> p_provider AND coalesce(outcome, 'unknown') = 'unknown'
    );
END $$;
COMMENT ON FUNCTION balansity.is_untaken IS
'Whether it is certain that no other provider than p_provider has the mail without our knowing: each of them answered.';

CREATE FUNCTION balansity.has_had_enough(p_recipient text, p_hourly integer) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    since constant timestamptz := balansity.now() - interval '1 hour';
BEGIN
    -- Until the attempt that may follow is committed: the next one to this address counts it.
    PERFORM dramatiq.take_turn('balansity.recipient:' || lower(p_recipient));
    RETURN p_hourly <= (
        SELECT count(*) FROM (
            SELECT FROM balansity.delivery d, LATERAL ( -- mail by mail: no month is read whole
                SELECT FROM balansity.delivery_attempt a
                WHERE a.delivery_id = d.id AND a.started_at > since AND coalesce(a.outcome, 'unknown') IN ('sent', 'unknown')
                OFFSET 0
            ) AS attempt
            WHERE lower(d.recipient) = lower(p_recipient) AND d.changed_at > since
              AND d.planned_at > since - interval '31 days' -- in the tables of the last months
            LIMIT p_hourly
        ) AS had
    );
END $$;
COMMENT ON FUNCTION balansity.has_had_enough IS
'Whether p_hourly mails left for this address within the last hour, or may have. Others who ask about it wait for the
end of the transaction.';

CREATE FUNCTION balansity.begin_delivery(
    p_entry balansity.mail_entry, p_refusal text, p_reason text, p_despite text[], p_hourly integer,
    p_resend_after interval, p_provider text, p_token uuid,
    OUT delivery_id uuid, OUT state text, OUT number integer, OUT wait interval, OUT edition integer
) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    present constant timestamptz := balansity.now();
    stale constant interval := '5 minutes'; -- an attempt that another message began so long ago has lost its worker
    busy constant interval := '30 seconds'; -- how soon to look again at what another message is sending
    opened balansity.delivery;
    doubted boolean;
BEGIN
    PERFORM balansity.notice_restore(); -- no mail leaves a database that nobody has looked at
    IF p_refusal IS NULL THEN
        SELECT 'suppressed', format('the address has %s: `balansity suppressions --lift` lets mail through again', s.reason)
        INTO p_refusal, p_reason
        FROM balansity.suppression s WHERE s.address = lower(p_entry.recipient) AND s.reason <> ALL (p_despite);
    END IF;

    opened := balansity.plan_delivery(p_entry);
    -- Such a key passes what lets a mail go once: only a person's decision, which has planned it, makes one.
    IF starts_with(p_entry.key, 'again:') AND opened.decided_by IS NULL THEN
        p_refusal := 'failed';
        p_reason := 'nobody has decided to send it again, as its key says';
    END IF;
    doubted := p_refusal IS NULL AND balansity.is_doubted(opened, p_entry.message_id);
    -- Still `sending`, although its own message is back: its worker was lost between the call and the answer, or was
    -- taken for dead. Nobody else knows whether the mail went out; if that worker lives, it tells.
    IF opened.state = 'sending' AND (opened.message_id = p_entry.message_id OR opened.changed_at < present - stale) THEN
        UPDATE balansity.delivery d
        SET state = 'unknown', reason = 'its worker was lost before it told the provider''s answer', changed_at = present
        WHERE (d.id, d.planned_at) = (opened.id, opened.planned_at)
        RETURNING * INTO opened;
    END IF;

    -- Failed without a final answer, and its own message is back: it had been given up, and a person redrove it.
    IF opened.state = 'failed' AND opened.message_id = p_entry.message_id AND NOT EXISTS (
        SELECT FROM balansity.delivery_attempt a
        WHERE a.delivery_id = opened.id AND a.number = opened.attempts AND a.outcome = 'failed'
    ) THEN
        opened.state := 'planned';
    END IF;

    IF doubted AND opened.state IN ('planned', 'unknown', 'superseded') AND opened.held_at IS NULL THEN
        opened := balansity.hold_delivery(opened.id, p_entry);
    END IF;

    delivery_id := opened.id;
    state := opened.state;
    edition := opened.resends;
    IF opened.state = 'unknown' AND opened.held_at IS NOT NULL THEN
        RETURN;
    END IF;
    wait := CASE opened.state WHEN 'sending' THEN busy WHEN 'unknown' THEN opened.changed_at + p_resend_after - present END;
    -- Whoever asks again for what was superseded has a reason again: the consultation was reinstated, or moved back.
    IF opened.state NOT IN ('planned', 'unknown', 'superseded')
        OR opened.state = 'unknown' AND (wait > '0') IS NOT FALSE THEN
        RETURN;
    END IF;
    wait := NULL;

    IF p_refusal IS NULL AND balansity.has_had_enough(p_entry.recipient, p_hourly) THEN
        p_refusal := 'failed';
        p_reason := format('the address has had %s mails within an hour, which is EMAIL_HOURLY_LIMIT', p_hourly);
    END IF;

    -- No refusal hides that an earlier attempt may have gone out.
    IF p_refusal IS NOT NULL AND balansity.may_have_left(opened.id) THEN
        p_refusal := 'unknown';
        p_reason := concat_ws('; not sent again: ', opened.reason, p_reason);
    END IF;
    state := coalesce(p_refusal, 'sending');
    UPDATE balansity.delivery d
    SET state = begin_delivery.state, reason = p_reason, message_id = p_entry.message_id, changed_at = present,
        appointment_id = coalesce(p_entry.appointment_id, d.appointment_id),
        scheduled_at = coalesce(p_entry.scheduled_at, d.scheduled_at),
        attempts = d.attempts + CASE WHEN p_refusal IS NULL THEN 1 ELSE 0 END,
        vouched_at = CASE WHEN p_refusal IS NULL THEN clock_timestamp() ELSE d.vouched_at END
    WHERE (d.id, d.planned_at) = (opened.id, opened.planned_at);
    IF p_refusal IS NULL THEN
        number := opened.attempts + 1;
        INSERT INTO balansity.delivery_attempt (delivery_id, number, token, provider, started_at)
        VALUES (opened.id, begin_delivery.number, p_token, p_provider, present);
    ELSIF p_refusal = 'superseded' THEN
        PERFORM balansity.release_reminder(opened.key);
    END IF;
END $$;
COMMENT ON FUNCTION balansity.begin_delivery IS
'Decides, under the delivery''s lock, whether its mail may leave now, and notes the attempt if so. One statement: it is
committed before the provider is called. p_refusal and p_reason say why it must not leave (failed, superseded);
p_despite names the suppressions that it ignores, p_hourly is how many mails an hour an address gets; p_resend_after is how
long to wait for news of one whose answer never came, NULL if a person decides; p_token is the attempt''s name.
Gives the delivery''s state after that; with `sending`, the number of the attempt that the caller now owns; else how
long to wait before asking again, NULL if there is nothing left to do. The edition counts a person''s resends.';

CREATE FUNCTION balansity.finish_attempt(
    p_delivery_id uuid, p_number integer, p_outcome text, p_answer text, p_provider_message_id text
) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    opened balansity.delivery;
    called text;
BEGIN
    SELECT * INTO opened FROM balansity.delivery
    WHERE id = p_delivery_id AND planned_at = balansity.when_planned(p_delivery_id)
    FOR NO KEY UPDATE;
    IF opened.recipient IS NULL THEN
        p_answer := NULL;
    END IF;

    UPDATE balansity.delivery_attempt
    SET outcome = p_outcome, answer = nullif(p_answer, ''), provider_message_id = nullif(p_provider_message_id, ''),
        finished_at = balansity.now()
    WHERE delivery_id = p_delivery_id AND number = p_number AND started_at >= balansity.earliest(opened.planned_at)
    RETURNING provider INTO called;

    UPDATE balansity.delivery d
    SET state = p_outcome,
        reason = CASE WHEN p_outcome <> 'sent' THEN p_answer END,
        provider = CASE WHEN p_outcome = 'sent' THEN called ELSE d.provider END,
        provider_message_id = coalesce(nullif(p_provider_message_id, ''), d.provider_message_id),
        sent_at = CASE WHEN p_outcome = 'sent' THEN balansity.now() ELSE d.sent_at END,
        changed_at = balansity.now()
    WHERE (d.id, d.planned_at) = (opened.id, opened.planned_at) AND CASE p_outcome
        WHEN 'sent' THEN balansity.delivery_progress(d.state) = 0
        ELSE d.attempts = p_number AND d.state IN ('sending', 'unknown')
    END;

    IF p_outcome = 'planned' AND opened.state = 'unknown' AND opened.attempts = p_number THEN
        PERFORM dramatiq.send_again(opened.message_id::uuid);
    END IF;
END $$;
COMMENT ON FUNCTION balansity.finish_attempt IS
'Notes what the provider answered, with the time when that could be noted. Accepted is accepted, whichever attempt it
was, unless an event already told more. Any other answer counts for the last attempt alone, also where its worker was
given up meanwhile and the delivery is `unknown`: what is to be tried again then has its message enqueued anew.
The provider''s words may quote an address: they are dropped where the person has been forgotten, which the lock tells
for sure.';

CREATE FUNCTION balansity.withdraw_attempt(p_token uuid) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT balansity.finish_attempt(delivery_id, number, 'planned', 'not made: the database was lost as it began', NULL)
    FROM balansity.delivery_attempt
    WHERE token = p_token AND finished_at IS NULL;
$$;
COMMENT ON FUNCTION balansity.withdraw_attempt IS
'Takes back an attempt that was committed as its caller lost the connection, and that was never made.';

CREATE FUNCTION balansity.told_time(p_appointment_id uuid, p_key text) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN (
        SELECT d.scheduled_at
        FROM balansity.delivery d, LATERAL ( -- mail by mail: no month is read whole
            SELECT a.started_at FROM balansity.delivery_attempt a
            WHERE a.delivery_id = d.id AND a.started_at >= balansity.earliest(d.planned_at)
              AND coalesce(a.outcome, 'unknown') IN ('sent', 'unknown')
            OFFSET 0
        ) AS attempt
        WHERE d.appointment_id = p_appointment_id AND d.key IS DISTINCT FROM p_key
        ORDER BY attempt.started_at DESC
        LIMIT 1
    );
END $$;
COMMENT ON FUNCTION balansity.told_time IS
'The time of a consultation that the last mail about it named, of those that went out or may have; but for the delivery
p_key, which is in the making. NULL where no mail has named one.';

CREATE FUNCTION balansity.give_up_delivery(p_entry balansity.mail_entry, p_reason text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    opened balansity.delivery := balansity.plan_delivery(p_entry);
BEGIN
    UPDATE balansity.delivery d
    SET state = CASE WHEN balansity.may_have_left(d.id) THEN 'unknown' ELSE 'failed' END,
        reason = 'given up: ' || coalesce(d.reason, p_reason), message_id = p_entry.message_id,
        changed_at = balansity.now()
    WHERE (d.id, d.planned_at) = (opened.id, opened.planned_at) AND d.state = 'planned';
END $$;
COMMENT ON FUNCTION balansity.give_up_delivery IS
'Closes a delivery whose message is out of tries and becomes a dead letter.';

CREATE FUNCTION balansity.give_up_lost_deliveries(p_ids uuid[], p_before timestamptz) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off -- mail by mail: no month is read whole
AS $$
DECLARE
    given_up bigint;
    lost text[] := ARRAY(
        SELECT k.key FROM balansity.delivery_key k JOIN balansity.delivery d USING (id, planned_at)
        WHERE k.id = ANY (p_ids) AND d.state IN ('planned', 'sending') AND d.changed_at < p_before
          AND NOT dramatiq.is_pending(d.message_id::uuid)
    );
BEGIN
    IF lost = '{}' THEN  -- as most often: then nobody needs to know all that is ordered
        RETURN 0;
    END IF;
    -- EXCEPT sorts or hashes whatever the planner believes of these numbers.
    lost := ARRAY(SELECT unnest(lost) EXCEPT SELECT dramatiq.pending_arguments('emails', 'key'));
    UPDATE balansity.delivery d
    SET state = CASE WHEN balansity.may_have_left(d.id) THEN 'unknown'
                     WHEN dramatiq.is_cancelled(d.message_id::uuid) THEN 'superseded' ELSE 'failed' END,
        reason = concat_ws(': ', CASE WHEN dramatiq.is_cancelled(d.message_id::uuid) THEN 'cancelled by a person'
                                      ELSE 'given up, its message is dead or gone' END, d.reason),
        changed_at = balansity.now()
    FROM balansity.delivery_key k
    WHERE k.key = ANY (lost) AND (d.id, d.planned_at) = (k.id, k.planned_at)
      AND d.state IN ('planned', 'sending') AND d.changed_at < p_before;
    GET DIAGNOSTICS given_up = ROW_COUNT;
    RETURN given_up;
END $$;
COMMENT ON FUNCTION balansity.give_up_lost_deliveries IS
'Closes those of these deliveries that are open since before p_before and whose message is dead or gone, where no other
asks for the same mail: nobody else is going to. Returns how many.';

CREATE FUNCTION balansity.close_cancelled_deliveries(p_message_ids text[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    closed bigint;
BEGIN
    UPDATE balansity.delivery d
    SET state = CASE WHEN balansity.may_have_left(d.id) THEN 'unknown' ELSE 'superseded' END,
        reason = concat_ws(': ', 'cancelled by a person', d.reason), changed_at = balansity.now()
    WHERE d.message_id = ANY (p_message_ids) AND d.state = 'planned' AND dramatiq.is_cancelled(d.message_id::uuid);
    GET DIAGNOSTICS closed = ROW_COUNT;
    RETURN closed;
END $$;
COMMENT ON FUNCTION balansity.close_cancelled_deliveries IS
'Says of the mails that these messages were to send, and that are cancelled, that a person wanted it so: sent after all
where a person sends the message back to work. Returns how many.';

CREATE FUNCTION balansity.resend_delivery(p_id uuid, p_reporting text[]) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    opened balansity.delivery;
BEGIN
    SELECT * INTO STRICT opened FROM balansity.delivery
    WHERE id = p_id AND planned_at = balansity.when_planned(p_id)
    FOR UPDATE;
    IF opened.state NOT IN ('failed', 'unknown') AND NOT EXISTS (
        SELECT FROM balansity.unheard(p_reporting) AS u WHERE u.id = opened.id
    ) THEN
        RETURN format(
            'It is %s: only what is failed or unknown, or was accepted and never heard of, can be sent again.', opened.state
        );
    END IF;
    IF dramatiq.send_again(opened.message_id::uuid) IS NOT TRUE THEN
        RETURN 'Its message is no longer kept: order the mail anew, under another key.';
    END IF;
    UPDATE balansity.delivery d
    SET state = 'planned', reason = concat_ws(': ', 'to be sent again', d.reason), changed_at = balansity.now(),
        resends = d.resends + 1, held_at = NULL, vouched_at = clock_timestamp()
    WHERE (d.id, d.planned_at) = (opened.id, opened.planned_at);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION balansity.resend_delivery IS
'A person''s decision to send what failed, what nobody can vouch for, or what one of the providers that report on their
mails (p_reporting) has accepted and said no more of: its message is enqueued again, and the mail shows beside an earlier
copy. Returns why that cannot be, NULL where it was done.';

CREATE FUNCTION balansity.plan_again(p_entry balansity.mail_entry, p_again_of uuid, p_who text, p_reason text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    opened balansity.delivery := balansity.plan_delivery(p_entry);
BEGIN
    UPDATE balansity.delivery d SET again_of = p_again_of, decided_by = p_who, decided_because = p_reason
    WHERE (d.id, d.planned_at) = (opened.id, opened.planned_at) AND d.message_id = p_entry.message_id;
    RETURN opened.id;
END $$;
COMMENT ON FUNCTION balansity.plan_again IS
'Plans the delivery by which a person has a mail sent once more, the one exception from sending it once; gives its id.';

CREATE FUNCTION balansity.reader_name(p_user_id uuid) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT left(first_name, 200) FROM public.profiles -- more than a name may have
    WHERE user_id = p_user_id AND type = 'parent'
    ORDER BY to_jsonb(profiles) ->> 'created_at', id -- a column that older deployments lack
    LIMIT 1;
$$;
COMMENT ON FUNCTION balansity.reader_name IS
'How a mail greets this user: the first name of their own profile, NULL if they have none.';
