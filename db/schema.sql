CREATE SCHEMA balansity;

CREATE SCHEMA cron;

CREATE SCHEMA dramatiq;

CREATE SCHEMA public;

COMMENT ON SCHEMA public IS 'standard public schema';

CREATE TYPE balansity.mail_entry AS (
	key text,
	numbered boolean,
	message_id text,
	template text,
	recipient text,
	subject text,
	user_id uuid,
	appointment_id uuid,
	scheduled_at timestamp with time zone
);

CREATE TYPE dramatiq.hearing AS (
	behind bigint,
	whole_at timestamp with time zone
);

COMMENT ON TYPE dramatiq.hearing IS 'What a session remembers of its looks for words of a queue, in the setting dramatiq.hearing_<md5 of its name>.';

CREATE TYPE dramatiq.horizon AS (
	available_at timestamp with time zone,
	"position" bigint,
	whole_at timestamp with time zone
);

COMMENT ON TYPE dramatiq.horizon IS 'What a session remembers of its looks for delayed messages of a queue, in the setting dramatiq.horizon_<md5 of its name>,
while a look at all of them is dear.';

CREATE TYPE dramatiq.place AS (
	priority integer,
	available_at timestamp with time zone,
	"position" bigint,
	whole_at timestamp with time zone,
	put_off integer
);

COMMENT ON TYPE dramatiq.place IS 'What a session remembers of its looks for what is due in a queue, in the setting dramatiq.place_<md5 of its name>.';

CREATE TYPE dramatiq.sight AS (
	since timestamp with time zone,
	has_left boolean,
	whole_at timestamp with time zone,
	put_off integer
);

COMMENT ON TYPE dramatiq.sight IS 'What a session remembers of its looks into a pgmq queue, in the setting dramatiq.sight_<oid of its table>.';

CREATE TYPE dramatiq.state AS ENUM (
    'queued',
    'consumed',
    'rejected',
    'done',
    'cancelled'
);

COMMENT ON TYPE dramatiq.state IS 'queued   → consumed  claim
consumed → done      ack
consumed → rejected  nack: a dead letter, kept until a person decides
consumed → queued    retry, requeue at shutdown, rescue from a dead worker
queued   → cancelled a person''s word, kept until a person decides
consumed → cancelled the same, heeded when its run ends
rejected, cancelled → queued  redrive';

CREATE FUNCTION balansity.abandon_old_assessments(p_now timestamp with time zone, p_ids uuid[] DEFAULT NULL::uuid[]) RETURNS bigint
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    WITH due AS (
        SELECT id FROM public.assessments
        WHERE (p_ids IS NULL OR id = ANY (p_ids))
          AND status = 'in_progress' AND coalesce(started_at, created_at) < p_now - interval '30 days'
        FOR NO KEY UPDATE
    )
    SELECT count(*) FROM due, LATERAL balansity.change_assessment(due.id, 'abandoned', p_now)
$$;

COMMENT ON FUNCTION balansity.abandon_old_assessments(p_now timestamp with time zone, p_ids uuid[]) IS 'Abandons those of these check-ups, of all where p_ids is null, that nobody finished in 30 days; returns how many.';

CREATE FUNCTION balansity.abandonments_until(p_until timestamp with time zone) RETURNS TABLE(assessment_id uuid, due_at timestamp with time zone)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT id, coalesce(started_at, created_at) + interval '30 days'
    FROM public.assessments
    WHERE status = 'in_progress' AND coalesce(started_at, created_at) < p_until - interval '30 days'
$$;

COMMENT ON FUNCTION balansity.abandonments_until(p_until timestamp with time zone) IS 'What abandon_old_assessments is going to do by a given time.';

CREATE FUNCTION balansity.add_appointment(p_user_id uuid, p_profile_id uuid, p_type_id uuid, p_scheduled_at timestamp with time zone, p_payment_id uuid) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'extensions', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO public.appointments (user_id, profile_id, appointment_type_id, scheduled_at, status, payment_id)
    VALUES (p_user_id, p_profile_id, p_type_id, p_scheduled_at, 'scheduled', p_payment_id)
    ON CONFLICT DO NOTHING;
    RETURN FOUND;
END $$;

COMMENT ON FUNCTION balansity.add_appointment(p_user_id uuid, p_profile_id uuid, p_type_id uuid, p_scheduled_at timestamp with time zone, p_payment_id uuid) IS 'Books a paid consultation; false where something is in its way.';

CREATE FUNCTION balansity.add_purchase(p_user_id uuid, p_package_id uuid, p_sessions bigint, p_payment_id uuid) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'extensions', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO public.package_purchases (user_id, package_id, sessions_remaining, payment_id)
    VALUES (p_user_id, p_package_id, p_sessions, p_payment_id);
END $$;

COMMENT ON FUNCTION balansity.add_purchase(p_user_id uuid, p_package_id uuid, p_sessions bigint, p_payment_id uuid) IS 'Gives a user the sessions of a paid package.';

CREATE FUNCTION balansity.address_in(p_text text) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN "substring"(lower(p_text), '[^\s<>"]+@[^\s<>"]+'::text);

COMMENT ON FUNCTION balansity.address_in(p_text text) IS 'The bare address of "Vera <vera@clinic.example>", in lower case; NULL where there is none.';

CREATE FUNCTION balansity.addresses_of(p_user_id uuid) RETURNS SETOF text
    LANGUAGE sql STABLE ROWS 5
    SET search_path TO 'pg_catalog', 'pg_temp'
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

COMMENT ON FUNCTION balansity.addresses_of(p_user_id uuid) IS 'The addresses that are or were theirs, in lower case, without those that are another user''s now.';

CREATE TABLE public.payments (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    amount numeric(10,2) NOT NULL,
    currency text DEFAULT 'RUB'::text NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    payment_method text,
    external_payment_id text,
    metadata jsonb,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT payments_amount_check CHECK ((amount > (0)::numeric)),
    CONSTRAINT payments_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'processing'::text, 'completed'::text, 'failed'::text, 'cancelled'::text, 'refunded'::text])))
);

CREATE FUNCTION balansity.announce_payment(p_payment public.payments, p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    key text := balansity.payment_key(p_payment, p_payment.status);
    facts jsonb := jsonb_build_object(
        'payment_id', p_payment.id, 'amount', p_payment.amount, 'currency', p_payment.currency
    );
BEGIN
    PERFORM balansity.send_mail(p_payment.user_id, key, mail.template, mail.subject,
        facts || jsonb_build_object('payment_method', p_payment.payment_method))
    FROM (VALUES
        ('completed', 'payment_confirmation', 'Подтверждение оплаты'),
        ('failed', 'payment_failed', 'Ошибка оплаты'),
        ('refunded', 'payment_refunded', 'Возврат оплаты')
    ) AS mail (status, template, subject)
    WHERE mail.status = p_payment.status;

    PERFORM pgmq.send('analytics_queue', facts || jsonb_build_object(
        'type', 'payment_' || p_payment.status,
        'user_id', p_payment.user_id,
        'appointment_type', (
            SELECT t.name FROM public.appointments a JOIN public.appointment_types t ON t.id = a.appointment_type_id
            WHERE a.payment_id = p_payment.id
        ),
        'created_at', balansity.iso_utc(p_now),
        'key', key
    ));
END $$;

COMMENT ON FUNCTION balansity.announce_payment(p_payment public.payments, p_now timestamp with time zone) IS 'The mail and the analytics event of a status.';

CREATE FUNCTION balansity.appointment_of(p_payment public.payments) RETURNS uuid
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT coalesce(
        (SELECT a.id FROM public.appointments a WHERE a.payment_id = p_payment.id),
        balansity.uuid_in(p_payment.metadata, 'appointment_id')
    )
$$;

COMMENT ON FUNCTION balansity.appointment_of(p_payment public.payments) IS 'The consultation that a payment pays for: the linked one, else the one its metadata names.';

CREATE FUNCTION balansity.as_time(p_text text) RETURNS timestamp with time zone
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
    RETURN CASE WHEN p_text ~ '[0-9]([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)$' THEN p_text::timestamptz END;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $_$;

COMMENT ON FUNCTION balansity.as_time(p_text text) IS 'A time with its zone; null for what is none, or says no zone.';

CREATE FUNCTION balansity.ask_for_provider(p_provider text, p_message_id uuid, p_deadline timestamp with time zone) RETURNS interval
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    present constant timestamptz := balansity.now();
    lost constant interval := '3 minutes';  -- more than any call takes
    apart constant interval := '0.5 seconds';
    last_moment constant interval := '30 minutes'; -- before its deadline, a mail goes even to a provider that is unheard of
    known balansity.provider_state;
    leave_by timestamptz;
    mine balansity.held_message;
    ahead bigint;
    pause interval;
BEGIN
    SELECT * INTO known FROM balansity.provider_state WHERE provider = p_provider FOR UPDATE;
    IF NOT FOUND OR known.state = 'available' THEN
        DELETE FROM balansity.held_message WHERE message_id = p_message_id;
        RETURN NULL;
    END IF;
    leave_by := p_deadline + CASE known.state WHEN 'unheard' THEN -last_moment ELSE interval '1 second' END;
    IF known.state = 'unheard' AND (known.next_probe_at <= present OR leave_by <= present) THEN
        PERFORM balansity.put_at_stake(p_provider, p_message_id);
        RETURN NULL;
    END IF;
    DELETE FROM balansity.held_message WHERE provider = p_provider AND deadline < present; -- nobody waits for those
    INSERT INTO balansity.held_message AS held (message_id, provider, deadline)
    VALUES (p_message_id, p_provider, coalesce(p_deadline, 'infinity'))
    ON CONFLICT (message_id, provider) DO UPDATE SET deadline = excluded.deadline
    RETURNING * INTO mine;
    IF known.next_probe_at <= present OR known.state = 'probing' AND known.probe = p_message_id THEN
        UPDATE balansity.provider_state SET state = 'probing', probe = p_message_id, next_probe_at = present + lost
        WHERE provider = p_provider;
        UPDATE balansity.held_message SET probes = probes + 1 WHERE message_id = p_message_id AND provider = p_provider;
        RETURN NULL;
    END IF;
    SELECT count(*) INTO ahead FROM (
        SELECT FROM balansity.held_message held
        WHERE held.provider = p_provider
          AND (held.probes, held.deadline, held.message_id) < (mine.probes, mine.deadline, mine.message_id)
        LIMIT 1200
    ) AS others;
    pause := CASE known.state WHEN 'probing' THEN interval '5 seconds' ELSE known.next_probe_at - present END
        + ahead * apart;
    RETURN least(pause, leave_by - present);
END $$;

COMMENT ON FUNCTION balansity.ask_for_provider(p_provider text, p_message_id uuid, p_deadline timestamp with time zone) IS 'Whether a message may call a provider: NULL if so, as its probe where the provider is away and it is time for one. Else
the message is held, and this is how long: the first in the line of deadlines comes for the next probe, the others a
little later each, in case it is lost; each in time to be superseded. Who has probed in vain stands behind all who have
not: one message that the provider will never have must not be the only one to ask for all. One that is the probe already and
asks again was rescued from a worker that died with it, and is the probe anew. Where a provider is unheard of
(024), what has little time left goes all the same: it may be that only its events are lost.';

CREATE FUNCTION balansity.begin_delivery(p_entry balansity.mail_entry, p_refusal text, p_reason text, p_despite text[], p_hourly integer, p_resend_after interval, p_provider text, p_token uuid, OUT delivery_id uuid, OUT state text, OUT number integer, OUT wait interval, OUT edition integer) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
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

COMMENT ON FUNCTION balansity.begin_delivery(p_entry balansity.mail_entry, p_refusal text, p_reason text, p_despite text[], p_hourly integer, p_resend_after interval, p_provider text, p_token uuid, OUT delivery_id uuid, OUT state text, OUT number integer, OUT wait interval, OUT edition integer) IS 'Decides, under the delivery''s lock, whether its mail may leave now, and notes the attempt if so. One statement: it is
committed before the provider is called. p_refusal and p_reason say why it must not leave (failed, superseded);
p_despite names the suppressions that it ignores, p_hourly is how many mails an hour an address gets; p_resend_after is how
long to wait for news of one whose answer never came, NULL if a person decides; p_token is the attempt''s name.
Gives the delivery''s state after that; with `sending`, the number of the attempt that the caller now owns; else how
long to wait before asking again, NULL if there is nothing left to do. The edition counts a person''s resends.';

CREATE FUNCTION balansity.begin_in_charge() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF balansity.in_charge() OR NOT EXISTS (
        SELECT FROM balansity.take_over_steps() s WHERE s.kind IN ('job', 'function', 'view') AND s.name <> ''
    ) THEN
        PERFORM balansity.take_over();
    ELSE
        PERFORM balansity.hold_routes();
    END IF;
END $$;

COMMENT ON FUNCTION balansity.begin_in_charge() IS 'At the end of a migration: ours takes over where no old system lives, or mends what it has; else it waits for a person.';

CREATE FUNCTION balansity.believable_minutes(p_minutes text) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (p_minutes ~ '^[0-9]{1,4}([.][0-9]{1,9})?$'::text) THEN CASE WHEN (((p_minutes)::numeric >= (1)::numeric) AND ((p_minutes)::numeric <= (1440)::numeric)) THEN (round((p_minutes)::numeric))::integer ELSE NULL::integer END ELSE NULL::integer END;

COMMENT ON FUNCTION balansity.believable_minutes(p_minutes text) IS 'The duration of a consultation, NULL for one that none has: nothing, less than nothing, more than a day.';

CREATE FUNCTION balansity.book_appointment(p_payment public.payments, p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    planned_at timestamptz := balansity.time_in(p_payment.metadata, 'scheduled_at');
    type_id uuid := balansity.uuid_in(p_payment.metadata, 'appointment_type_id');
    patient_id uuid := balansity.uuid_in(p_payment.metadata, 'profile_id');
BEGIN
    IF planned_at IS NULL OR type_id IS NULL THEN
        RAISE EXCEPTION 'metadata describes no appointment: '
            'appointment_type_id must be a uuid and scheduled_at a time with its zone';
    END IF;
    IF planned_at <= p_now THEN
        RAISE EXCEPTION 'metadata.scheduled_at had passed when the payment completed';
    END IF;
    IF patient_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM public.profiles WHERE id = patient_id AND user_id = p_payment.user_id) THEN
        RAISE EXCEPTION 'metadata.profile_id is no profile of the payer';
    END IF;
    PERFORM balansity.check_amount(p_payment, t.price) FROM public.appointment_types t WHERE t.id = type_id;
    -- The site may have booked it at the same moment; anything else that is in the way is for a person to sort out.
    IF NOT balansity.add_appointment(p_payment.user_id, patient_id, type_id, planned_at, p_payment.id) THEN
        -- A statement of its own: it sees what the site has booked while the last one waited for it.
        IF NOT EXISTS (SELECT FROM public.appointments WHERE payment_id = p_payment.id) THEN
            RAISE EXCEPTION 'the time that metadata describes is taken';
        END IF;
    END IF;
END $$;

COMMENT ON FUNCTION balansity.book_appointment(p_payment public.payments, p_now timestamp with time zone) IS 'Books the consultation that the metadata describes. It is scheduled, not confirmed: the site lists only those.';

CREATE FUNCTION balansity.carry_out(p_payment public.payments, p_replay boolean, p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    place text;
BEGIN
    BEGIN
        CASE p_payment.status
            WHEN 'completed' THEN PERFORM balansity.fulfil_payment(p_payment, p_replay, p_now);
            WHEN 'refunded' THEN PERFORM balansity.revoke_payment(p_payment, p_now);
            WHEN 'cancelled' THEN PERFORM balansity.release_appointment(p_payment, p_now);
            ELSE NULL; -- only told
        END CASE;
    EXCEPTION
        WHEN integrity_constraint_violation THEN
            PERFORM balansity.flag_finding(p_payment.id, SQLERRM, p_now);
        WHEN data_exception THEN -- its message would quote the value, which may be a person's
            PERFORM balansity.flag_finding(p_payment.id, 'a value does not fit: ' || SQLSTATE, p_now);
        WHEN OTHERS THEN
            IF SQLSTATE ~ '^(08|40|53|55|57|58)' THEN
                RAISE; -- it passes: the whole transaction is tried again
            END IF;
            GET STACKED DIAGNOSTICS place = PG_EXCEPTION_CONTEXT;
            IF SQLSTATE <> 'P0001' OR NOT starts_with(place, 'PL/pgSQL function balansity.') THEN
                PERFORM balansity.flag_unfinished(p_payment.id, SQLSTATE, p_now);
                RETURN;
            END IF;
            PERFORM balansity.flag_finding(p_payment.id, SQLERRM, p_now);
    END;
    UPDATE balansity.payment_flag SET resolved_at = p_now
    WHERE payment_id = p_payment.id AND is_retried AND resolved_at IS NULL;
END $$;

COMMENT ON FUNCTION balansity.carry_out(p_payment public.payments, p_replay boolean, p_now timestamp with time zone) IS 'Writes what a payment''s status brings about; whatever comes of that, the payment itself stands. What we refuse is flagged
with its reason, for a person. What a trigger of the site''s refuses, in words that may be a person''s, is flagged by its
SQLSTATE, tried again every minute, and no longer flagged once it is done.';

CREATE FUNCTION balansity.change_appointment(p_id uuid, p_status text, p_payment_id uuid, p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'extensions', 'pg_temp'
    AS $$
BEGIN
    UPDATE public.appointments SET status = p_status, payment_id = p_payment_id, updated_at = p_now
    WHERE id OPERATOR(pg_catalog.=) p_id;
END $$;

COMMENT ON FUNCTION balansity.change_appointment(p_id uuid, p_status text, p_payment_id uuid, p_now timestamp with time zone) IS 'Gives a consultation its status and its payment; the caller has locked it and knows both.';

CREATE FUNCTION balansity.change_assessment(p_id uuid, p_status text, p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'extensions', 'pg_temp'
    AS $$
BEGIN
    UPDATE public.assessments SET status = p_status, updated_at = p_now WHERE id OPERATOR(pg_catalog.=) p_id;
END $$;

COMMENT ON FUNCTION balansity.change_assessment(p_id uuid, p_status text, p_now timestamp with time zone) IS 'Gives a check-up its status; the caller has locked it.';

CREATE FUNCTION balansity.change_payment(p_id uuid, p_status text, p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'extensions', 'pg_temp'
    AS $$
BEGIN
    UPDATE public.payments SET status = p_status, updated_at = p_now WHERE id OPERATOR(pg_catalog.=) p_id;
END $$;

COMMENT ON FUNCTION balansity.change_payment(p_id uuid, p_status text, p_now timestamp with time zone) IS 'Gives a payment its status; the caller has locked it.';

CREATE FUNCTION balansity.change_payment_status(p_payment_id uuid, p_status text, p_now timestamp with time zone) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    old text;
BEGIN
    SELECT status INTO old FROM public.payments WHERE id = p_payment_id FOR NO KEY UPDATE;
    IF old = p_status OR (old, p_status) IN (('cancelled', 'failed'), ('refunded', 'completed')) THEN
        PERFORM balansity.prove_payment(p_payment_id, p_now) WHERE p_status = 'completed';
        RETURN 'unchanged';
    END IF;
    IF NOT EXISTS (SELECT FROM balansity.payment_transition WHERE (old_status, new_status) = (old, p_status)) THEN
        PERFORM balansity.flag_finding(p_payment_id, format('the provider says %s, we have %s', p_status, old), p_now);
        RETURN 'refused';
    END IF;
    PERFORM balansity.change_payment(p_payment_id, p_status, p_now);
    PERFORM balansity.prove_payment(p_payment_id, p_now) WHERE p_status = 'completed';
    RETURN 'changed';
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE ~ '^(08|40|53|55|57|58)' THEN
        RAISE; -- it passes: the whole transaction is tried again
    END IF;
    PERFORM balansity.flag_finding(
        p_payment_id, format('the site''s own rules refused %s, which the provider says (%s)', p_status, SQLSTATE), p_now
    );
    RETURN 'refused';
END $$;

COMMENT ON FUNCTION balansity.change_payment_status(p_payment_id uuid, p_status text, p_now timestamp with time zone) IS 'Takes on the status that the provider reports. `unchanged`: it is so already, or ours says the same and more;
`refused`: no such change can be, or a trigger of the site''s does not let it be; a person must look. What the change brings about is the trigger''s work.';

CREATE FUNCTION balansity.check_amount(p_payment public.payments, p_price numeric) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF p_payment.currency <> 'RUB' THEN
        RAISE EXCEPTION 'paid in %, but prices are in RUB', p_payment.currency;
    ELSIF p_payment.amount < p_price THEN
        RAISE EXCEPTION 'paid %, but what metadata names costs %', p_payment.amount, p_price;
    END IF;
END $$;

COMMENT ON FUNCTION balansity.check_amount(p_payment public.payments, p_price numeric) IS 'A person has to look at a payment below the price, which is in roubles; one above it is nobody''s loss.
A price of null is whatever the site asked for.';

CREATE FUNCTION balansity.claim_payment_checks(p_now timestamp with time zone, p_ids uuid[] DEFAULT NULL::uuid[]) RETURNS SETOF uuid
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    INSERT INTO balansity.payment_check AS c (payment_id, checks, next_at)
    SELECT payment_id, 1, balansity.next_check(since, p_now)
    FROM balansity.waiting_payments()
    WHERE (claimed OR since <= p_now - interval '3 minutes')
      AND (NOT balansity.is_stuck(since, p_now) OR balansity.is_unheard_of(payment_id, p_now))
      AND NOT balansity.is_awaited('yookassa') AND (p_ids IS NULL OR payment_id = ANY (p_ids))
    ON CONFLICT (payment_id) DO UPDATE
    SET checks = c.checks + 1, next_at = excluded.next_at
    WHERE c.next_at <= p_now
    RETURNING payment_id
$$;

COMMENT ON FUNCTION balansity.claim_payment_checks(p_now timestamp with time zone, p_ids uuid[]) IS 'Claims the checks of these payments that are due, of all where p_ids is null. None while the provider is away and one that
was claimed before waits for it.';

CREATE FUNCTION balansity.claim_reminders(p_now timestamp with time zone, p_until timestamp with time zone, p_ids uuid[] DEFAULT NULL::uuid[]) RETURNS TABLE(appointment_id uuid, kind text, scheduled_at timestamp with time zone, due_at timestamp with time zone, user_id uuid, email text)
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    WITH claimed AS (
        INSERT INTO balansity.reminder (appointment_id, kind, scheduled_at, planned_at)
        SELECT due.appointment_id, due.kind, due.scheduled_at, p_now
        FROM balansity.reminders_between(p_now, p_until) due
        WHERE p_ids IS NULL OR due.appointment_id = ANY (p_ids)
        ON CONFLICT DO NOTHING
        RETURNING reminder.appointment_id, reminder.kind, reminder.scheduled_at
    )
    SELECT due.*
    FROM balansity.reminders_between(p_now, p_until) due
    JOIN claimed USING (appointment_id, kind, scheduled_at)
    ORDER BY due.due_at, due.appointment_id
$$;

COMMENT ON FUNCTION balansity.claim_reminders(p_now timestamp with time zone, p_until timestamp with time zone, p_ids uuid[]) IS 'Claims what is due before p_until, for these appointments, for all where p_ids is null: who inserts the row sends the
mail.';

CREATE FUNCTION balansity.close_alarms(p_ways text[]) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    UPDATE balansity.alarm a SET closed_at = clock_timestamp()
    WHERE a.closed_at IS NULL AND a.over_at IS NOT NULL AND (
        a.over_at < clock_timestamp() - interval '7 days' -- no longer news, if some way never could tell it
        OR NOT EXISTS (
            SELECT FROM unnest(p_ways) AS way WHERE NOT EXISTS (
                SELECT FROM balansity.alarm_telling t
                WHERE t.alarm_id = a.id AND t.way = way AND t.over_at IS NOT NULL)));
    DELETE FROM balansity.alarm WHERE closed_at < clock_timestamp() - interval '90 days';
$$;

COMMENT ON FUNCTION balansity.close_alarms(p_ways text[]) IS 'Closes what is over and told by every way; what was closed 90 days ago is forgotten.';

CREATE FUNCTION balansity.close_cancelled_deliveries(p_message_ids text[]) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

COMMENT ON FUNCTION balansity.close_cancelled_deliveries(p_message_ids text[]) IS 'Says of the mails that these messages were to send, and that are cancelled, that a person wanted it so: sent after all
where a person sends the message back to work. Returns how many.';

CREATE FUNCTION balansity.close_held(p_ids uuid[], p_limit integer, p_reason text) RETURNS bigint
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_material TO 'off'
    AS $$
    WITH closed AS (
        UPDATE balansity.delivery d
        SET state = 'sent', reason = p_reason, changed_at = balansity.now()
        WHERE (d.id, d.planned_at) IN (
            SELECT id, planned_at FROM balansity.delivery
            WHERE state = 'unknown' AND held_at IS NOT NULL AND (p_ids IS NULL OR id = ANY (p_ids))
            ORDER BY planned_at LIMIT p_limit FOR UPDATE SKIP LOCKED
        )
        RETURNING d.id
    )
    SELECT count(*) FROM closed
$$;

COMMENT ON FUNCTION balansity.close_held(p_ids uuid[], p_limit integer, p_reason text) IS 'Notes that mails which a restore holds had been sent before it: of these, or where p_ids is NULL of all, p_limit at most.';

CREATE FUNCTION balansity.close_site_functions() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    PERFORM dramatiq.close(
        'public',
        p_functions => ARRAY(SELECT handler FROM balansity.site_event),
        p_service => ARRAY(SELECT DISTINCT f.name FROM balansity.site_function f));
    IF to_regrole('authenticated') IS NOT NULL AND EXISTS (
        SELECT FROM pg_proc p
        WHERE p.oid = to_regprocedure('public.update_appointment_statuses()') AND pg_has_role(p.proowner, 'USAGE')
    ) THEN
        GRANT EXECUTE ON FUNCTION public.update_appointment_statuses() TO authenticated;
    END IF;
END $$;

COMMENT ON FUNCTION balansity.close_site_functions() IS 'What the site''s server calls in public is closed to the site''s visitors, whoever wrote it; but for the statuses, which the
dashboard of signed-in staff brings up to date.';

CREATE FUNCTION balansity.compare_shadow() RETURNS TABLE(act text, about uuid, at timestamp with time zone, verdict text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT s.act, s.about, s.at, CASE WHEN s.theirs = s.act THEN 'same' ELSE 'theirs is ' || s.theirs END
    FROM balansity.shadow s WHERE s.theirs IS NOT NULL
    UNION ALL
    SELECT coalesce(o.act, t.act), coalesce(o.about, t.about), coalesce(o.at, t.at),
           CASE WHEN t.act IS NULL THEN 'ours only' WHEN o.act IS NULL THEN 'theirs only'
                WHEN t.mails > 1 THEN 'theirs repeated' ELSE 'same' END
    FROM (SELECT * FROM balansity.shadow WHERE theirs IS NULL) AS o
    FULL JOIN (
        SELECT m.* FROM (SELECT min(looked_at) AS since FROM balansity.shadow_look) AS l, balansity.old_mails(l.since) AS m
        WHERE m.act IN ('appointment_reminder_24h', 'appointment_reminder_1h', 'appointment_confirmation',
                        'checkup_completed', 'payment_confirmation', 'payment_failed')
    ) AS t ON (t.act, t.about) = (o.act, o.about)
          AND (t.at = o.at OR t.at BETWEEN o.at - interval '1 second' AND o.at + interval '1 second')
    WHERE o.stood IS NOT TRUE
$$;

COMMENT ON FUNCTION balansity.compare_shadow() IS 'Each act of ours and of the old system''s since the first look, and how they compare.';

CREATE FUNCTION balansity.confirm_appointment(p_payment public.payments, p_appointment_id uuid, p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    paid public.appointments;
BEGIN
    SELECT * INTO paid FROM public.appointments WHERE id = p_appointment_id FOR NO KEY UPDATE;
    -- Looked at under the lock, in a statement of its own: it sees what another try at paying has just committed.
    IF paid.id IS NULL OR paid.user_id IS DISTINCT FROM p_payment.user_id
        OR NOT (coalesce(paid.payment_id = p_payment.id, false) OR balansity.is_unpaid(paid.payment_id)) THEN
        RAISE EXCEPTION 'appointment % is missing, belongs to another user or was paid otherwise', p_appointment_id;
    END IF;
    PERFORM balansity.check_amount(
        p_payment, CASE WHEN paid.payment_id IS DISTINCT FROM p_payment.id OR balansity.is_for_another(p_payment, paid)
                        THEN t.price END -- else the site linked it
    )
    FROM public.appointment_types t
    WHERE t.id = paid.appointment_type_id;
    IF paid.payment_id IS DISTINCT FROM p_payment.id OR paid.status = 'pending' THEN
        PERFORM balansity.change_appointment(
            paid.id, CASE paid.status WHEN 'pending' THEN 'confirmed' ELSE paid.status END, p_payment.id, p_now
        );
    END IF;
    IF paid.status IN ('cancelled', 'no_show') THEN
        PERFORM balansity.flag_finding(
            p_payment.id, format('paid, but appointment %s is %s', p_appointment_id, paid.status), p_now
        );
    END IF;
END $$;

COMMENT ON FUNCTION balansity.confirm_appointment(p_payment public.payments, p_appointment_id uuid, p_now timestamp with time zone) IS 'Links a paid consultation: pending → confirmed; scheduled stays scheduled, for the site lists only those.';

CREATE FUNCTION balansity.confirm_paid_appointments(p_now timestamp with time zone, p_ids uuid[]) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    payment public.payments;
    confirmed bigint := 0;
BEGIN
    FOR payment IN
        SELECT p.*
        FROM public.payments p
        JOIN public.appointments a ON a.payment_id = p.id
        WHERE p.id = ANY (p_ids) AND p.status = 'completed' AND a.status = 'pending' AND NOT balansity.is_halted(p.id)
          AND NOT balansity.is_claimed(p.id) AND balansity.pays_for(p)
        FOR NO KEY UPDATE SKIP LOCKED -- whoever is changing one goes first; the next run sees what came of it
    LOOP
        PERFORM balansity.carry_out(payment, true, p_now);
        confirmed := confirmed + (
            SELECT count(*) FROM public.appointments a WHERE a.payment_id = payment.id AND a.status = 'confirmed'
        );
    END LOOP;
    RETURN confirmed;
END $$;

COMMENT ON FUNCTION balansity.confirm_paid_appointments(p_now timestamp with time zone, p_ids uuid[]) IS 'Confirms consultations that were linked to one of these payments only after it had completed: its trigger came too early.';

CREATE FUNCTION balansity.count_deliveries(p_most interval) RETURNS timestamp with time zone
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    begins timestamptz;
    ends timestamptz;
BEGIN
    SELECT at INTO begins FROM balansity.deliveries_counted_until FOR UPDATE;
    -- What changes just before a minute's end commits a little later.
    ends := least(date_trunc('minute', balansity.now() - interval '5 seconds'), begins + p_most);
    IF ends <= begins THEN
        RETURN begins;
    END IF;
    INSERT INTO balansity.delivery_total AS t (state, deliveries)
    SELECT state, count(*) FROM balansity.delivery WHERE changed_at >= begins AND changed_at < ends GROUP BY state
    ON CONFLICT (state) DO UPDATE SET deliveries = t.deliveries + excluded.deliveries;
    UPDATE balansity.deliveries_counted_until SET at = ends;
    RETURN ends;
END $$;

COMMENT ON FUNCTION balansity.count_deliveries(p_most interval) IS 'Counts what has become of deliveries since the last call, p_most of it at most; gives up to when they are counted now.';

CREATE FUNCTION balansity.cron_is_hidden() RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT CASE WHEN NOT (has_schema_privilege('cron', 'USAGE') AND has_table_privilege('cron.job', 'SELECT')
                          AND has_table_privilege('cron.job_run_details', 'SELECT')) THEN 'all'
                WHEN row_security_active('cron.job') THEN 'others' END
    FROM pg_extension WHERE extname = 'pg_cron';
$$;

COMMENT ON FUNCTION balansity.cron_is_hidden() IS 'Which jobs of pg_cron this role cannot see: all, or those of others; null where it sees them all, or there is none.';

CREATE FUNCTION balansity.deliveries_to(p_ids uuid[], p_person jsonb) RETURNS TABLE(id uuid, is_named boolean)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT d.id, d.user_id IS NOT DISTINCT FROM (p_person ->> 'user_id')::uuid
    FROM balansity.delivery_key k, LATERAL ( -- mail by mail: no month is read whole
        SELECT * FROM balansity.delivery WHERE (id, planned_at) = (k.id, k.planned_at) OFFSET 0
    ) AS d
    WHERE k.id = ANY (p_ids)
      AND balansity.speaks_of(concat_ws(' ', d.user_id, d.key, d.recipient), d.user_id::text, p_person)
$$;

COMMENT ON FUNCTION balansity.deliveries_to(p_ids uuid[], p_person jsonb) IS 'Those of these mails that went to the person, to whichever of their addresses, each with whether it names them.';

CREATE FUNCTION balansity.delivery_id(p_identity text) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    -- RFC 9562's version 8, like a version 5 by SHA-256, which every server has.
    SELECT overlay(overlay(
        left(encode(sha256(convert_to('balansity.delivery:' || p_identity, 'UTF8')), 'hex'), 32)
        PLACING '8' FROM 13) PLACING 'a' FROM 17)::uuid;
$$;

COMMENT ON FUNCTION balansity.delivery_id(p_identity text) IS 'The id that follows from what a mail is: made again after a restore, it is the same to providers and mailboxes.';

CREATE FUNCTION balansity.delivery_progress(p_state text) RETURNS integer
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT CASE p_state
        WHEN 'sent' THEN 1
        WHEN 'delivered' THEN 2
        WHEN 'dropped' THEN 3
        WHEN 'bounced' THEN 4
        WHEN 'complained' THEN 5
        ELSE 0                              -- not out, as far as we know
    END;
$$;

COMMENT ON FUNCTION balansity.delivery_progress(p_state text) IS 'How far along a delivery is; events arrive in any order and only ever move it forward.';

CREATE FUNCTION balansity.doubt_completion(p_payment public.payments, p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF balansity.is_known_to_provider(p_payment) THEN
        INSERT INTO balansity.payment_check AS c (payment_id, checks, next_at, since, claimed)
        VALUES (p_payment.id, 0, p_now, p_now, true)
        ON CONFLICT (payment_id) DO UPDATE
        SET checks = 0, next_at = excluded.next_at, since = excluded.since, claimed = true;
    ELSE
        PERFORM balansity.flag_payment(
            p_payment.id, 'completed as a visitor wrote it, and no provider can be asked', p_now, p_halts => true
        );
    END IF;
END $$;

COMMENT ON FUNCTION balansity.doubt_completion(p_payment public.payments, p_now timestamp with time zone) IS 'A completion that the service did not write, or of a row that it did not write so, has no effect until the provider says
the same, or a person does.';

CREATE FUNCTION balansity.doubt_mail(p_key text, p_cause_since timestamp with time zone) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    INSERT INTO balansity.doubtful_mail (key)
    SELECT p_key WHERE p_cause_since <= balansity.latest_restore()
    ON CONFLICT DO NOTHING;
$$;

COMMENT ON FUNCTION balansity.doubt_mail(p_key text, p_cause_since timestamp with time zone) IS 'Work that was under way before a restore is done again, and only its mail would come twice: where its cause was there
before, so may the mail have been.';

CREATE FUNCTION balansity.drop_month(p_ledger text, p_month date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '500ms'
    AS $$
BEGIN
    IF p_month NOT IN (
        SELECT balansity.old_months(p_ledger, clock_timestamp() - balansity.kept_in_any_case())
    ) THEN
        RAISE EXCEPTION '% of % is kept: there is no such table, or it ended less than % ago',
            to_char(p_month, 'YYYY-MM'), p_ledger, balansity.kept_in_any_case();
    END IF;
    EXECUTE 'DROP TABLE ' || balansity.month_table(p_ledger, p_month);
END $$;

COMMENT ON FUNCTION balansity.drop_month(p_ledger text, p_month date) IS 'Drops the table of a month that ended long ago. It waits half a second at most for those who read the ledger, and whoever
wants to waits behind it. An owner''s work, which workers ask for.';

CREATE FUNCTION balansity.earliest(p_planned_at timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql STABLE
    RETURN (p_planned_at - '24:00:00'::interval);

COMMENT ON FUNCTION balansity.earliest(p_planned_at timestamp with time zone) IS 'Since when a mail that was planned then may have attempts and events, however the clocks of two servers differ: no month
before is looked through.';

CREATE FUNCTION balansity.email_of(p_user_id uuid) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT u.email::text FROM public.users u WHERE u.id = p_user_id
$$;

COMMENT ON FUNCTION balansity.email_of(p_user_id uuid) IS 'The address that mail for this user goes to: null where there is none, and the delivery then says so.';

CREATE FUNCTION balansity.empty_purchase(p_id uuid) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'extensions', 'pg_temp'
    AS $$
BEGIN
    UPDATE public.package_purchases SET sessions_remaining = 0 WHERE id OPERATOR(pg_catalog.=) p_id;
END $$;

COMMENT ON FUNCTION balansity.empty_purchase(p_id uuid) IS 'Takes back the unused sessions of a package.';

CREATE FUNCTION balansity.external_id(p_payment public.payments) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT nullif(left(p_payment.external_payment_id::text, 200), '')
$$;

COMMENT ON FUNCTION balansity.external_id(p_payment public.payments) IS 'The provider''s id of a payment; null where there is none. No provider''s is longer than an index can take.';

CREATE FUNCTION balansity.finish_attempt(p_delivery_id uuid, p_number integer, p_outcome text, p_answer text, p_provider_message_id text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
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

COMMENT ON FUNCTION balansity.finish_attempt(p_delivery_id uuid, p_number integer, p_outcome text, p_answer text, p_provider_message_id text) IS 'Notes what the provider answered, with the time when that could be noted. Accepted is accepted, whichever attempt it
was, unless an event already told more. Any other answer counts for the last attempt alone, also where its worker was
given up meanwhile and the delivery is `unknown`: what is to be tried again then has its message enqueued anew.
The provider''s words may quote an address: they are dropped where the person has been forgotten, which the lock tells
for sure.';

CREATE FUNCTION balansity.finish_payments(p_now timestamp with time zone, p_ids uuid[]) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    payment public.payments;
    finished bigint := 0;
BEGIN
    FOR payment IN
        SELECT p.*
        FROM public.payments p
        WHERE p.id = ANY (p_ids) AND balansity.is_unfinished(p.id) AND NOT balansity.is_halted(p.id)
          AND NOT balansity.is_claimed(p.id) AND NOT balansity.is_anothers(p)
        FOR NO KEY UPDATE SKIP LOCKED
    LOOP
        PERFORM balansity.carry_out(payment, false, p_now);
        finished := finished + (NOT balansity.is_unfinished(payment.id))::integer;
    END LOOP;
    RETURN finished;
END $$;

COMMENT ON FUNCTION balansity.finish_payments(p_now timestamp with time zone, p_ids uuid[]) IS 'Carries out what these payments brought about and the site refused to write; returns of how many nothing is left.';

CREATE FUNCTION balansity.flag_anothers(p_payment_id uuid, p_now timestamp with time zone) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT balansity.flag_finding(p_payment_id, 'its external_payment_id pays for another row', p_now)
$$;

COMMENT ON FUNCTION balansity.flag_anothers(p_payment_id uuid, p_now timestamp with time zone) IS 'Flags a row that names a payment which the provider made for another: it gives nothing.';

CREATE FUNCTION balansity.flag_finding(p_payment_id uuid, p_reason text, p_now timestamp with time zone, p_halts boolean DEFAULT false) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    INSERT INTO balansity.payment_flag (payment_id, reason, flagged_at, halts)
    VALUES (p_payment_id, p_reason, p_now, p_halts)
    ON CONFLICT DO NOTHING
$$;

COMMENT ON FUNCTION balansity.flag_finding(p_payment_id uuid, p_reason text, p_now timestamp with time zone, p_halts boolean) IS 'Flags what is the case: whoever looks again finds it again, so once a person has resolved it, it stays resolved.';

CREATE FUNCTION balansity.flag_payment(p_payment_id uuid, p_reason text, p_now timestamp with time zone, p_halts boolean DEFAULT false) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    INSERT INTO balansity.payment_flag AS f (payment_id, reason, flagged_at, halts)
    VALUES (p_payment_id, p_reason, p_now, p_halts)
    ON CONFLICT (payment_id, reason) DO UPDATE SET flagged_at = p_now, resolved_at = NULL
    WHERE f.resolved_at IS NOT NULL
$$;

COMMENT ON FUNCTION balansity.flag_payment(p_payment_id uuid, p_reason text, p_now timestamp with time zone, p_halts boolean) IS 'Flags what happened: should it happen again after a person has resolved it, it is flagged anew.';

CREATE FUNCTION balansity.flag_stuck_payments(p_now timestamp with time zone, p_ids uuid[] DEFAULT NULL::uuid[], p_can_ask boolean DEFAULT true) RETURNS bigint
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    WITH stuck AS (
        SELECT payment_id, status, claimed
        FROM balansity.waiting_payments()
        WHERE (balansity.is_stuck(since, p_now) AND NOT balansity.is_unheard_of(payment_id, p_now)
               OR claimed AND NOT p_can_ask)
          AND (p_ids IS NULL OR payment_id = ANY (p_ids))
    ), left_to_a_person AS (
        UPDATE balansity.payment_check c SET claimed = false FROM stuck s WHERE c.payment_id = s.payment_id AND s.claimed
    ), flagged AS (
        INSERT INTO balansity.payment_flag AS f (payment_id, reason, flagged_at, halts)
        SELECT payment_id, CASE WHEN claimed THEN 'completed as a visitor wrote it, and no provider has said so'
                                WHEN status = 'completed' THEN 'refund pending for 3 days'
                                ELSE 'open for 3 days' END, p_now, claimed
        FROM stuck
        ON CONFLICT (payment_id, reason) DO UPDATE SET flagged_at = p_now, resolved_at = NULL
        WHERE f.resolved_at IS NOT NULL AND excluded.halts
        RETURNING 1
    )
    SELECT count(*) FROM flagged
$$;

COMMENT ON FUNCTION balansity.flag_stuck_payments(p_now timestamp with time zone, p_ids uuid[], p_can_ask boolean) IS 'Flags what of these payments, of all where p_ids is null, has waited for 3 days, outages aside; returns how many, each counted once.
What was only claimed is then halted instead, until a person resolves it; at once where nobody can be asked. What a visitor
wrote is flagged once the provider was asked and does know it: or old rows, made up by the hundred, would bury the desk.';

CREATE FUNCTION balansity.flag_unfinished(p_payment_id uuid, p_sqlstate text, p_now timestamp with time zone) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    INSERT INTO balansity.payment_flag AS f (payment_id, reason, flagged_at, is_retried)
    VALUES (p_payment_id, format('the site''s own rules refused what follows (%s): tried again', p_sqlstate), p_now, true)
    ON CONFLICT (payment_id, reason) DO UPDATE SET flagged_at = p_now, resolved_at = NULL
    WHERE f.resolved_at IS NOT NULL
$$;

COMMENT ON FUNCTION balansity.flag_unfinished(p_payment_id uuid, p_sqlstate text, p_now timestamp with time zone) IS 'Flags that what a payment''s status brings about could not be written now.';

CREATE FUNCTION balansity.follow_refund(p_payment_id uuid, p_refund_id text, p_now timestamp with time zone) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    INSERT INTO balansity.payment_check AS c (payment_id, checks, next_at, since, refund_id)
    VALUES (p_payment_id, 0, p_now + interval '5 minutes', p_now, p_refund_id)
    ON CONFLICT (payment_id) DO UPDATE
    SET checks = 0, next_at = excluded.next_at, since = excluded.since, refund_id = excluded.refund_id
    WHERE c.refund_id IS DISTINCT FROM excluded.refund_id
$$;

COMMENT ON FUNCTION balansity.follow_refund(p_payment_id uuid, p_refund_id text, p_now timestamp with time zone) IS 'A refund that the provider has not decided yet is asked about from now on.';

CREATE FUNCTION balansity.forget_deleted(p_ids uuid[]) RETURNS bigint
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    WITH reminder AS (
        DELETE FROM balansity.reminder r
        WHERE r.appointment_id = ANY (p_ids)
          AND NOT EXISTS (SELECT FROM public.appointments a WHERE a.id = r.appointment_id)
        RETURNING 1
    ), move AS (
        DELETE FROM balansity.ordered_move m
        WHERE m.appointment_id = ANY (p_ids)
          AND NOT EXISTS (SELECT FROM public.appointments a WHERE a.id = m.appointment_id)
        RETURNING 1
    ), settlement AS (
        DELETE FROM balansity.payment_settlement s
        WHERE s.payment_id = ANY (p_ids)
          AND NOT EXISTS (SELECT FROM public.payments p WHERE p.id = s.payment_id)
        RETURNING 1
    ), flag AS (
        DELETE FROM balansity.payment_flag f
        WHERE f.payment_id = ANY (p_ids)
          AND NOT EXISTS (SELECT FROM public.payments p WHERE p.id = f.payment_id)
        RETURNING 1
    ), payment_check AS (
        DELETE FROM balansity.payment_check c
        WHERE c.payment_id = ANY (p_ids)
          AND NOT EXISTS (SELECT FROM public.payments p WHERE p.id = c.payment_id)
        RETURNING 1
    )
    SELECT count(*)
    FROM (
        TABLE reminder UNION ALL TABLE move UNION ALL TABLE settlement UNION ALL TABLE flag UNION ALL TABLE payment_check
    ) removed
$$;

COMMENT ON FUNCTION balansity.forget_deleted(p_ids uuid[]) IS 'Removes the notes about those of these appointments and payments that are gone; returns how many notes.';

CREATE FUNCTION balansity.forget_deliveries(p_ids uuid[]) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_material TO 'off'
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

COMMENT ON FUNCTION balansity.forget_deliveries(p_ids uuid[]) IS 'Takes whoever they went to out of these mails; returns how many. What was planned is closed as what is known of it.';

CREATE FUNCTION balansity.forget_events(p_keys bytea[], p_person jsonb) RETURNS bigint
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
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

COMMENT ON FUNCTION balansity.forget_events(p_keys bytea[], p_person jsonb) IS 'Of these events, takes the person out of theirs; the counts stay. Returns how many.';

CREATE FUNCTION balansity.forget_refund(p_payment_id uuid) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    UPDATE balansity.payment_check SET refund_id = NULL WHERE payment_id = p_payment_id;
    DELETE FROM balansity.payment_flag WHERE payment_id = p_payment_id AND reason = 'refund pending for 3 days'
$$;

COMMENT ON FUNCTION balansity.forget_refund(p_payment_id uuid) IS 'A refund that the provider has canceled is no longer asked about.';

CREATE FUNCTION balansity.forget_suppressions(p_digests text[], p_person jsonb) RETURNS bigint
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
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

COMMENT ON FUNCTION balansity.forget_suppressions(p_digests text[], p_person jsonb) IS 'Of the suppressed addresses with these SHA-256, deletes the person''s; returns how many. An address would stand in the
statement, and so in the server''s log.';

CREATE FUNCTION balansity.fulfil_payment(p_payment public.payments, p_replay boolean, p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    wanted uuid := balansity.appointment_of(p_payment);
BEGIN
    IF wanted IS NOT NULL THEN
        IF EXISTS (SELECT FROM public.package_purchases o WHERE o.payment_id = p_payment.id) OR EXISTS (
            SELECT FROM balansity.payment_settlement s JOIN public.appointments a ON a.id = s.appointment_id
            WHERE s.payment_id = p_payment.id AND a.id <> wanted AND a.status NOT IN ('cancelled', 'no_show')
        ) THEN
            RAISE EXCEPTION 'appointment % is not what was paid for', wanted;
        END IF;
        PERFORM balansity.confirm_appointment(p_payment, wanted, p_now);
    ELSIF p_replay THEN
        RETURN;
    ELSIF p_payment.metadata ->> 'appointment_id' IS NOT NULL THEN
        RAISE EXCEPTION 'metadata.appointment_id is no uuid';
    ELSIF p_payment.metadata ->> 'package_id' IS NOT NULL THEN
        PERFORM balansity.grant_package(p_payment);
    ELSIF p_payment.metadata ->> 'appointment_type_id' IS NOT NULL THEN
        PERFORM balansity.book_appointment(p_payment, p_now);
    END IF;
    UPDATE balansity.payment_settlement s
    SET appointment_id = balansity.appointment_of(p_payment)
    WHERE s.payment_id = p_payment.id AND s.status = 'completed' AND s.appointment_id IS NULL;
END $$;

COMMENT ON FUNCTION balansity.fulfil_payment(p_payment public.payments, p_replay boolean, p_now timestamp with time zone) IS 'Gives the payer what was paid for; raises why it cannot be given.
A replay books and grants nothing: what is missing by then, staff deleted.';

CREATE FUNCTION balansity.give_up_delivery(p_entry balansity.mail_entry, p_reason text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    opened balansity.delivery := balansity.plan_delivery(p_entry);
BEGIN
    UPDATE balansity.delivery d
    SET state = CASE WHEN balansity.may_have_left(d.id) THEN 'unknown' ELSE 'failed' END,
        reason = 'given up: ' || coalesce(d.reason, p_reason), message_id = p_entry.message_id,
        changed_at = balansity.now()
    WHERE (d.id, d.planned_at) = (opened.id, opened.planned_at) AND d.state = 'planned';
END $$;

COMMENT ON FUNCTION balansity.give_up_delivery(p_entry balansity.mail_entry, p_reason text) IS 'Closes a delivery whose message is out of tries and becomes a dead letter.';

CREATE FUNCTION balansity.give_up_lost_deliveries(p_ids uuid[], p_before timestamp with time zone) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_material TO 'off'
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

COMMENT ON FUNCTION balansity.give_up_lost_deliveries(p_ids uuid[], p_before timestamp with time zone) IS 'Closes those of these deliveries that are open since before p_before and whose message is dead or gone, where no other
asks for the same mail: nobody else is going to. Returns how many.';

CREATE FUNCTION balansity.grant_package(p_payment public.payments) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    bought uuid := balansity.uuid_in(p_payment.metadata, 'package_id');
BEGIN
    IF EXISTS (SELECT FROM public.package_purchases WHERE payment_id = p_payment.id) THEN
        RETURN;
    END IF;
    PERFORM balansity.check_amount(p_payment, p.price) FROM public.packages p WHERE p.id = bought;
    PERFORM balansity.add_purchase(p_payment.user_id, p.id, p.session_count, p_payment.id)
    FROM public.packages p
    WHERE p.id = bought;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'metadata.package_id is no package';
    END IF;
END $$;

CREATE FUNCTION balansity.grant_rights() RETURNS SETOF text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    statement text;
BEGIN
    FOR statement IN SELECT * FROM balansity.missing_grants() LOOP
        BEGIN
            EXECUTE statement;
            RETURN NEXT statement;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL; -- a migration of another database made the role meanwhile
            WHEN insufficient_privilege OR undefined_object THEN NULL; -- for somebody who may: doctor shows what is left
        END;
    END LOOP;
END $$;

COMMENT ON FUNCTION balansity.grant_rights() IS 'Makes the two roles where they are missing, and gives them what they need, as far as this role may; returns the statements
that did.';

CREATE FUNCTION balansity.hand_back() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    step record;
BEGIN
    PERFORM dramatiq.take_turn('balansity.take_over');
    IF balansity.in_charge() THEN
        IF NOT EXISTS (SELECT FROM balansity.replaced) THEN
            RAISE EXCEPTION 'There is no old system to hand back to: nothing was replaced here.';
        END IF;
        FOR step IN SELECT * FROM balansity.hand_back_steps() LOOP
            EXECUTE step.statement;
        END LOOP;
    END IF;
END $$;

COMMENT ON FUNCTION balansity.hand_back() IS 'Puts the old system in charge again, in the caller''s transaction: its functions, views and jobs as they were.';

CREATE FUNCTION balansity.hand_back_appointments() RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    returned bigint;
BEGIN
    UPDATE public.appointments a SET status = 'scheduled', updated_at = balansity.now()
    WHERE a.id IN (
        SELECT id FROM public.appointments
        WHERE status = 'confirmed' AND scheduled_at > balansity.now()
        LIMIT 500 FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS returned = ROW_COUNT;
    RETURN returned;
END $$;

COMMENT ON FUNCTION balansity.hand_back_appointments() IS 'Gives back a batch of paid consultations to come, which the old system knows as scheduled; again, until there are none.';

CREATE FUNCTION balansity.hand_back_steps() RETURNS TABLE(what text, statement text)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
    RETURN QUERY VALUES
    ('our triggers and jobs end',
     replace(pg_get_functiondef('balansity.in_charge()'::regprocedure), 'SELECT true', 'SELECT false')),
    ('our workers leave pgmq alone', 'SELECT balansity.hold_routes()');

    RETURN QUERY
    SELECT format('%s goes', o.oid::regprocedure), format('DROP FUNCTION %s', o.oid::regprocedure)
    FROM balansity.site_function f
    JOIN pg_proc o ON o.pronamespace = 'public'::regnamespace AND balansity.is_twin(f.oid, o.oid)
    WHERE NOT EXISTS (SELECT FROM balansity.replaced r
                      WHERE r.kind = 'function' AND r.in_place AND to_regprocedure(r.name) = o.oid);

    RETURN QUERY
    SELECT format('%s %s comes back', r.kind, r.name), concat_ws('; ',
        rtrim(balansity.lock_sources(h.oid), '; '),
        CASE r.kind WHEN 'view' THEN format('DROP VIEW IF EXISTS %s', r.name) END,
        rtrim(r.definition, E'; \n'),
        CASE WHEN r.kind <> 'job' AND NOT r.in_place THEN
            format('REVOKE ALL ON %1$s %2$s FROM PUBLIC; ALTER %3$s %2$s OWNER TO %4$I', o.grants, r.name, o.alters, r.owner)
        END,
        (SELECT string_agg(format('GRANT %s ON %s %s TO %I', o.use, o.grants, r.name, grantee), '; ')
         FROM unnest(r.grantees) AS grantee WHERE EXISTS (SELECT FROM pg_roles WHERE rolname = grantee)))
    FROM balansity.replaced r
    LEFT JOIN (VALUES ('function', 'ROUTINE', 'ROUTINE', 'EXECUTE'), ('view', 'TABLE', 'VIEW', 'SELECT'))
        AS o (kind, grants, alters, use) USING (kind)
    LEFT JOIN balansity.old_handlers() AS h
        ON h.handler IS NULL AND h.oid = to_regprocedure(CASE r.kind WHEN 'function' THEN r.name END)
    ORDER BY r.id;

    RETURN QUERY VALUES
    ('what was kept is given back', 'DELETE FROM balansity.replaced'),
    ('visitors stay out', 'SELECT balansity.close_site_functions()');
END $_$;

COMMENT ON FUNCTION balansity.hand_back_steps() IS 'What it takes to put the old system in charge again, in order.';

CREATE FUNCTION balansity.handle_appointment_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    was_booked boolean := OLD.status IN ('pending', 'scheduled', 'confirmed');
    cancelled boolean := NEW.status = 'cancelled';
    moved boolean := NEW.status IN ('pending', 'scheduled', 'confirmed')
        AND NEW.scheduled_at IS DISTINCT FROM OLD.scheduled_at;
    change text := CASE WHEN cancelled THEN 'cancelled' ELSE 'moved' END;
BEGIN
    IF NOT balansity.in_charge() OR (was_booked AND (cancelled OR moved)) IS NOT TRUE THEN
        RETURN NULL;
    END IF;
    IF NEW.scheduled_at <= balansity.now() THEN
        RETURN NULL;  -- what has begun or is over is history: a change of it is no news
    END IF;
    IF moved THEN
        INSERT INTO balansity.ordered_move AS m (appointment_id, scheduled_at)
        VALUES (NEW.id, balansity.of_our_time(NEW.scheduled_at))
        ON CONFLICT (appointment_id) DO UPDATE SET scheduled_at = excluded.scheduled_at;
    END IF;
    PERFORM balansity.send_mail(
        NEW.user_id,
        -- The transaction's time tells a second move to the same hour from a replay of the first.
        concat_ws(':', 'appointment', NEW.id, change, balansity.iso_utc(NEW.scheduled_at), balansity.iso_utc(balansity.now())),
        'appointment_' || change,
        CASE WHEN cancelled THEN 'Консультация отменена' ELSE 'Консультация перенесена' END,
        jsonb_build_object(
            'appointment_id', NEW.id,
            'scheduled_at', balansity.iso_utc(NEW.scheduled_at),
            'previous_scheduled_at', balansity.iso_utc(OLD.scheduled_at),
            'status', NEW.status
        ),
        'appointment:' || NEW.id
    );
    RETURN NULL;
END $$;

COMMENT ON FUNCTION balansity.handle_appointment_change() IS 'Consultation moved or cancelled → mail, each move its own: the calendar of the family follows.';

CREATE FUNCTION balansity.handle_checkup_completed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    owner_id uuid;
    profile_name text;
    completed_at text;
BEGIN
    IF NOT balansity.in_charge() OR NEW.status IS DISTINCT FROM 'completed' OR OLD.status = 'completed' THEN
        RETURN NULL;
    END IF;
    completed_at := balansity.iso_utc(coalesce(NEW.completed_at, balansity.now()));
    SELECT p.user_id, concat_ws(' ', p.first_name, p.last_name) INTO owner_id, profile_name
    FROM public.profiles p
    WHERE p.id = NEW.profile_id;

    PERFORM pgmq.send('report_generation_queue', jsonb_build_object(
        'assessment_id', NEW.id,
        'user_id', owner_id,
        'report_type', 'pdf',
        'created_at', balansity.iso_utc(balansity.now())
    ));
    PERFORM balansity.send_mail(
        owner_id, 'checkup:' || NEW.id || ':completed', 'checkup_completed', 'Ваш чекап завершен',
        jsonb_build_object('assessment_id', NEW.id, 'profile_name', profile_name, 'completed_at', completed_at)
    );
    PERFORM pgmq.send('analytics_queue', jsonb_build_object(
        'type', 'assessment_completed',
        'assessment_id', NEW.id,
        'assessment_type', NEW.assessment_type,
        'user_id', owner_id,
        'completed_at', completed_at,
        'created_at', balansity.iso_utc(balansity.now()),
        'key', 'checkup:' || NEW.id || ':completed'
    ));
    RETURN NULL;
END $$;

COMMENT ON FUNCTION balansity.handle_checkup_completed() IS 'Check-up completed → report, mail, analytics. A check-up without a profile has no user: its report is made all the same,
and its mail, having no address, ends in the ledger.';

CREATE FUNCTION balansity.handle_new_appointment() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF NOT balansity.in_charge() OR NEW.status IS NULL OR NEW.status NOT IN ('pending', 'scheduled', 'confirmed') THEN
        RETURN NULL;
    END IF;
    PERFORM balansity.send_mail(
        NEW.user_id, 'appointment:' || NEW.id || ':booked', 'appointment_confirmation',
        'Подтверждение записи на консультацию',
        jsonb_build_object(
            'appointment_id', NEW.id,
            'appointment_type',
            (SELECT t.name FROM public.appointment_types t WHERE t.id = NEW.appointment_type_id),
            'scheduled_at', balansity.iso_utc(NEW.scheduled_at),
            'status', NEW.status
        ),
        'appointment:' || NEW.id
    );
    RETURN NULL;
END $$;

COMMENT ON FUNCTION balansity.handle_new_appointment() IS 'Consultation booked → confirmation. Rows that arrive as history (completed, cancelled, …) are not news.';

CREATE FUNCTION balansity.handle_new_payment() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    PERFORM balansity.note_external_id(NEW, balansity.now()); -- also while an old system is in charge: it may be paid later
    IF NOT balansity.in_charge() THEN
        RETURN NULL;
    END IF;
    IF NOT balansity.is_service() AND NEW.status IN ('completed', 'refunded') THEN
        PERFORM balansity.doubt_completion(NEW, balansity.now());
    END IF;
    RETURN NULL;
END $$;

COMMENT ON FUNCTION balansity.handle_new_payment() IS 'New payment → whose the provider''s id is. One that arrives completed is no news; a visitor''s is doubted.';

CREATE FUNCTION balansity.handle_payment_status_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    was_open boolean := OLD.status IN ('pending', 'processing');
    is_open boolean := NEW.status IN ('pending', 'processing');
BEGIN
    IF NOT balansity.in_charge() THEN
        RETURN NULL;
    END IF;
    IF NEW.external_payment_id IS DISTINCT FROM OLD.external_payment_id THEN
        PERFORM balansity.note_external_id(NEW, balansity.now());
    ELSIF balansity.is_service() AND balansity.is_vouched_for(OLD) THEN
        PERFORM balansity.vouch_for(NEW) WHERE balansity.terms_of(NEW) <> balansity.terms_of(OLD);
    END IF;
    IF OLD.status IS NOT DISTINCT FROM NEW.status THEN
        RETURN NULL;
    END IF;
    UPDATE balansity.payment_check SET claimed = false
    WHERE payment_id = NEW.id AND claimed AND NEW.status IS DISTINCT FROM 'completed';
    IF NEW.status = 'completed' AND NOT (balansity.is_service() AND balansity.is_vouched_for(NEW)) THEN
        PERFORM balansity.doubt_completion(NEW, balansity.now());
    END IF;
    IF is_open AND NOT was_open THEN -- another attempt, with three days of its own
        INSERT INTO balansity.payment_check AS c (payment_id, checks, next_at, since)
        VALUES (NEW.id, 0, balansity.now() + interval '5 minutes', balansity.now())
        ON CONFLICT (payment_id) DO UPDATE SET checks = 0, next_at = excluded.next_at, since = excluded.since;
    ELSIF NOT is_open THEN -- decided
        DELETE FROM balansity.payment_flag
        WHERE payment_id = NEW.id AND reason IN ('open for 3 days', 'refund pending for 3 days');
    END IF;
    IF EXISTS (
        SELECT FROM balansity.payment_transition
        WHERE (old_status, new_status) = (OLD.status, NEW.status)
    ) THEN
        PERFORM balansity.settle_payment(NEW.id, balansity.now());
    ELSE
        PERFORM balansity.flag_payment(
            NEW.id, format('unexpected change: %s → %s', OLD.status, NEW.status), balansity.now(), p_halts => true
        );
    END IF;
    RETURN NULL;
END $$;

COMMENT ON FUNCTION balansity.handle_payment_status_change() IS 'Payment status changed → what that status requires, each once; a change that may not be is flagged for a person.';

CREATE FUNCTION balansity.has_had_enough(p_recipient text, p_hourly integer) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
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

COMMENT ON FUNCTION balansity.has_had_enough(p_recipient text, p_hourly integer) IS 'Whether p_hourly mails left for this address within the last hour, or may have. Others who ask about it wait for the
end of the transaction.';

CREATE FUNCTION balansity.hear_notice(p_payment_id uuid, p_now timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    planned timestamptz;
    due timestamptz;
BEGIN
    INSERT INTO balansity.payment_check (payment_id, checks, next_at) VALUES (p_payment_id, 0, p_now)
    ON CONFLICT DO NOTHING;
    SELECT heard_at INTO planned FROM balansity.payment_check WHERE payment_id = p_payment_id FOR NO KEY UPDATE;
    -- Looked at under the lock, in a statement of its own: it sees the check that another notice has just asked for.
    IF (planned > p_now) IS NOT TRUE
        AND NOT dramatiq.is_waiting('payments', jsonb_build_object('payment_id', p_payment_id, 'action', 'verify')) THEN
        UPDATE balansity.payment_check SET heard_at = greatest(p_now, planned + interval '30 seconds')
        WHERE payment_id = p_payment_id
        RETURNING heard_at INTO due;
    END IF;
    RETURN due;
END $$;

COMMENT ON FUNCTION balansity.hear_notice(p_payment_id uuid, p_now timestamp with time zone) IS 'When the check that a notice asks for is due: at once, but 30 seconds after the last one, for anybody can send notices;
null: one is waiting already, and is going to ask late enough.';

CREATE FUNCTION balansity.hear_providers(p_worker text) RETURNS bigint
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT count(*) FILTER (WHERE balansity.heard_again(s.provider, p_worker))
    FROM balansity.provider_state s
    WHERE s.state = 'unheard' AND balansity.unheard_since(s.provider) IS NULL;
$$;

COMMENT ON FUNCTION balansity.hear_providers(p_worker text) IS 'Events have come: what was held goes at once where they end a silence; of how many providers. The last thing in a batch''s
transaction, which by then has locked its deliveries: so that two batches never wait for each other.';

CREATE FUNCTION balansity.heard_again(p_provider text, p_worker text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    present constant timestamptz := balansity.now();
    known balansity.provider_state;
BEGIN
    SELECT * INTO known FROM balansity.provider_state WHERE provider = p_provider FOR UPDATE;
    IF known.state = 'unheard' THEN
        INSERT INTO balansity.outage (provider, began_at, ended_at) VALUES (p_provider, known.since, present);
    ELSIF known.state IS DISTINCT FROM 'available' OR known.reason IS NULL THEN
        RETURN false;
    END IF;
    UPDATE balansity.provider_state
    SET state = 'available', since = present, reason = NULL, noticed_by = p_worker, silences = 0, probes = 0
    WHERE provider = p_provider;
    PERFORM balansity.let_go(p_provider, 1000);
    RETURN true;
END $$;

COMMENT ON FUNCTION balansity.heard_again(p_provider text, p_worker text) IS 'A provider reports on its mails again, or is no longer expected to: what was held goes. Whether that was news.';

CREATE FUNCTION balansity.hears_all(p_trigger oid) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
    source regclass;
    narrows text;
    hears boolean;
BEGIN
    SELECT tgrelid, substring(pg_get_triggerdef(oid) FROM 'FOR EACH ROW WHEN \((.*)\) EXECUTE (?:FUNCTION|PROCEDURE) ')
    INTO source, narrows FROM pg_trigger WHERE oid = p_trigger;
    IF narrows IS NULL THEN
        RETURN true;
    END IF;
    -- The condition is asked about rows that hold nothing but a status: what looks at more is not ours to judge.
    EXECUTE format(
        'WITH status (value) AS (
             SELECT unnest(ARRAY[''pending'', ''processing'', ''scheduled'', ''confirmed'', ''in_progress'', ''completed'',
                                 ''failed'', ''cancelled'', ''refunded'', ''abandoned'', NULL]))
         SELECT bool_and(coalesce((%1$s), false))
         FROM status AS before, status AS after,
              LATERAL jsonb_populate_record(NULL::%2$s, jsonb_build_object(''status'', before.value)) AS old,
              LATERAL jsonb_populate_record(NULL::%2$s, jsonb_build_object(''status'', after.value)) AS new
         WHERE after.value IS DISTINCT FROM before.value AND (%3$L <> ''assessments'' OR after.value = ''completed'')
           AND (%4$L OR before.value IS NOT NULL AND after.value IS NOT NULL)',
        narrows, source, (SELECT relname FROM pg_class WHERE oid = source),
        NOT (SELECT attnotnull FROM pg_attribute WHERE attrelid = source AND attname = 'status'))
    INTO hears;
    RETURN hears;
EXCEPTION WHEN OTHERS THEN -- an expression of somebody else's, which may do anything
    RETURN false;
END $_$;

COMMENT ON FUNCTION balansity.hears_all(p_trigger oid) IS 'Whether a trigger''s WHEN lets through every change of a status that ours acts upon.';

CREATE TABLE balansity.delivery (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    template text NOT NULL,
    recipient text,
    subject text,
    user_id uuid,
    appointment_id uuid,
    scheduled_at timestamp with time zone,
    state text DEFAULT 'planned'::text NOT NULL,
    reason text,
    attempts integer DEFAULT 0 NOT NULL,
    resends integer DEFAULT 0 NOT NULL,
    message_id text NOT NULL,
    trace text,
    provider text,
    provider_message_id text,
    planned_at timestamp with time zone NOT NULL,
    postponed_until timestamp with time zone,
    sent_at timestamp with time zone,
    changed_at timestamp with time zone NOT NULL,
    vouched_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    held_at timestamp with time zone,
    again_of uuid,
    decided_by text,
    decided_because text,
    CONSTRAINT delivery_state_check CHECK ((state = ANY (ARRAY['planned'::text, 'sending'::text, 'sent'::text, 'unknown'::text, 'delivered'::text, 'bounced'::text, 'dropped'::text, 'complained'::text, 'failed'::text, 'superseded'::text, 'suppressed'::text])))
)
PARTITION BY RANGE (planned_at);

CREATE FUNCTION balansity.hold_delivery(p_id uuid, p_entry balansity.mail_entry) RETURNS balansity.delivery
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    UPDATE balansity.delivery
    SET state = 'unknown', message_id = p_entry.message_id, held_at = clock_timestamp(), changed_at = balansity.now(),
        appointment_id = coalesce(p_entry.appointment_id, appointment_id),
        scheduled_at = coalesce(p_entry.scheduled_at, scheduled_at),
        reason = format('it may have left before the restore that was noticed at %s: `balansity restored` decides',
                        balansity.iso_utc(date_trunc('second', balansity.latest_restore())))
    WHERE id = p_id AND planned_at = balansity.when_planned(p_id)
    RETURNING *;
$$;

COMMENT ON FUNCTION balansity.hold_delivery(p_id uuid, p_entry balansity.mail_entry) IS 'Leaves a delivery that a restore has made doubtful to a person.';

CREATE FUNCTION balansity.hold_mail(p_provider text, p_pause interval) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
DECLARE
    held constant timestamptz := balansity.hold_pace(p_provider);
BEGIN
    UPDATE balansity.mail_pace SET free_at = greatest(held, balansity.now() + p_pause)
    WHERE provider = p_provider AND free_at = held;
END $$;

COMMENT ON FUNCTION balansity.hold_mail(p_provider text, p_pause interval) IS 'Nobody sends for so long: the provider said so.';

CREATE FUNCTION balansity.hold_pace(p_provider text) RETURNS timestamp with time zone
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
DECLARE
    held timestamptz;
BEGIN
    LOOP
        SELECT free_at INTO held FROM balansity.mail_pace WHERE provider = p_provider ORDER BY free_at DESC LIMIT 1 FOR UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO balansity.mail_pace (provider, free_at) VALUES (p_provider, '-infinity') ON CONFLICT DO NOTHING;
    END LOOP;
    RETURN held;
END $$;

COMMENT ON FUNCTION balansity.hold_pace(p_provider text) IS 'When a provider''s next mail may leave; nobody else changes it until the transaction ends.';

CREATE FUNCTION balansity.hold_routes() RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT dramatiq.hold_routes('{email_queue, report_generation_queue, payment_processing_queue, analytics_queue}');
$$;

COMMENT ON FUNCTION balansity.hold_routes() IS 'The old system''s queues stay its own.';

CREATE FUNCTION balansity.ids_of(p_user_id uuid) RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
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

COMMENT ON FUNCTION balansity.ids_of(p_user_id uuid) IS 'Their ids, in text: of the person, of their rows, and of rows that the site has removed and our reports and ledger name.';

CREATE FUNCTION balansity.in_charge() RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$SELECT true$$;

COMMENT ON FUNCTION balansity.in_charge() IS 'Whether the old system has handed over: before, our triggers, jobs and bridge do nothing.';

CREATE FUNCTION balansity.in_public(p_function oid) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT replace(
        regexp_replace(pg_get_functiondef(p_function), '^(CREATE OR REPLACE FUNCTION )balansity\.(site_)?', '\1public.'),
        'balansity.in_charge()', 'true');
$$;

COMMENT ON FUNCTION balansity.in_public(p_function oid) IS 'The statement that makes the twin of a function of ours in public. It does not ask who is in charge: that it stands there is
the answer, and by a second look the hand-over may have come, and nobody would tell the family.';

CREATE FUNCTION balansity.is_anothers(p_payment public.payments) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT EXISTS (
        SELECT FROM balansity.provider_payment o
        WHERE o.external_id = balansity.external_id(p_payment) AND o.payment_id <> p_payment.id
    )
$$;

COMMENT ON FUNCTION balansity.is_anothers(p_payment public.payments) IS 'Whether the payment at the provider pays for another row than this.';

CREATE FUNCTION balansity.is_awaited(p_provider text) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT EXISTS (SELECT FROM balansity.provider_state WHERE provider = p_provider AND state <> 'available') AND EXISTS (
        SELECT FROM balansity.held_message WHERE provider = p_provider AND dramatiq.is_pending(message_id));
$$;

COMMENT ON FUNCTION balansity.is_awaited(p_provider text) IS 'Whether a provider is away and a message waits that is going to notice when it is back: nothing else need ask meanwhile.';

CREATE FUNCTION balansity.is_claimed(p_payment_id uuid) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT EXISTS (SELECT FROM balansity.payment_check c WHERE c.payment_id = p_payment_id AND c.claimed)
$$;

COMMENT ON FUNCTION balansity.is_claimed(p_payment_id uuid) IS 'Whether it is completed only as a visitor wrote it, and the provider has not said so yet.';

CREATE FUNCTION balansity.is_doubted(p_delivery balansity.delivery, p_message_id text) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    RETURN coalesce(p_delivery.vouched_at <= balansity.latest_restore(), false) AND (
        p_delivery.state IN ('planned', 'sending', 'unknown')
        OR balansity.was_due_before_restore(p_delivery.key, p_message_id)
    );
END $$;

COMMENT ON FUNCTION balansity.is_doubted(p_delivery balansity.delivery, p_message_id text) IS 'Whether a delivery that did not leave, as far as this data knows, may have left before the last restore. One that had
ended is asked for anew by its message: that one''s time counts.';

CREATE TABLE public.appointments (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    profile_id uuid,
    appointment_type_id uuid NOT NULL,
    scheduled_at timestamp with time zone NOT NULL,
    status text DEFAULT 'scheduled'::text NOT NULL,
    payment_id uuid,
    notes text,
    duration_minutes integer,
    timezone text DEFAULT 'Europe/Moscow'::text,
    video_room_url text,
    specialist_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT appointments_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'scheduled'::text, 'confirmed'::text, 'in_progress'::text, 'completed'::text, 'cancelled'::text, 'no_show'::text])))
);

CREATE FUNCTION balansity.is_for_another(p_payment public.payments, p_appointment public.appointments) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT p_payment.metadata ->> 'package_id' IS NOT NULL
        OR p_payment.metadata ->> 'appointment_id' <> p_appointment.id::text
        OR p_payment.metadata ->> 'appointment_type_id' <> p_appointment.appointment_type_id::text
$$;

COMMENT ON FUNCTION balansity.is_for_another(p_payment public.payments, p_appointment public.appointments) IS 'Whether a payment''s metadata names something else than the consultation that is linked to it, which a visitor may have
done; null where it names nothing.';

CREATE FUNCTION balansity.is_halted(p_payment_id uuid) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT EXISTS (
        SELECT FROM balansity.payment_flag f WHERE f.payment_id = p_payment_id AND f.halts AND f.resolved_at IS NULL
    )
$$;

COMMENT ON FUNCTION balansity.is_halted(p_payment_id uuid) IS 'Whether a person has to decide before anything more takes effect.';

CREATE TABLE balansity.home (
    system_identifier bigint,
    database_oid oid NOT NULL,
    table_oid oid NOT NULL,
    since timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    left_at timestamp with time zone
);

COMMENT ON TABLE balansity.home IS 'Where this data has stood. A dump carries the rows along, and nothing tells of the journey but that they are of elsewhere.';

CREATE FUNCTION balansity.is_here(p_home balansity.home) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT p_home.database_oid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
       AND p_home.table_oid = 'balansity.home'::regclass
       AND p_home.system_identifier = balansity.system_identifier() IS NOT FALSE;
$$;

COMMENT ON FUNCTION balansity.is_here(p_home balansity.home) IS 'Whether the data stands where it stood then; a standby that took over is the same place.';

CREATE FUNCTION balansity.is_known_to_provider(p_payment public.payments) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT balansity.external_id(p_payment) IS NOT NULL AND coalesce(p_payment.payment_method::text, 'yookassa') = 'yookassa'
       AND NOT balansity.is_anothers(p_payment) AND NOT balansity.is_unknown(p_payment)
$$;

COMMENT ON FUNCTION balansity.is_known_to_provider(p_payment public.payments) IS 'Whether there is a provider to ask about this payment: one that it did not make for another row,
and of which it has not said that it knows nothing.';

CREATE FUNCTION balansity.is_service() RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT EXISTS (
        SELECT FROM pg_roles r, pg_class c
        WHERE r.rolname = coalesce(nullif(current_setting('role'), 'none'), session_user)
          AND c.oid = to_regclass('public.payments')
          AND (r.rolsuper OR r.rolbypassrls OR pg_has_role(r.oid, c.relowner, 'USAGE'))
    )
$$;

COMMENT ON FUNCTION balansity.is_service() IS 'Whether the service itself runs the present statement: a role that row-level security does not hold back. It is read from
claims are settings, which whoever runs SQL may write.';

CREATE FUNCTION balansity.is_stuck(p_since timestamp with time zone, p_now timestamp with time zone) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT p_since <= p_now - interval '3 days'
       AND p_since <= p_now - interval '3 days' - balansity.time_away('yookassa', p_since, p_now)
$$;

COMMENT ON FUNCTION balansity.is_stuck(p_since timestamp with time zone, p_now timestamp with time zone) IS 'Whether what waits for the provider since then is left to a person: after 3 days in which it could have answered.';

CREATE FUNCTION balansity.is_twin(p_ours oid, p_theirs oid) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT o.proname = 'site_' || t.proname AND o.prokind = t.prokind AND t.proowner = to_regrole(current_user)
       AND pg_get_function_arguments(o.oid) = pg_get_function_arguments(t.oid)
       AND pg_get_function_result(o.oid) = pg_get_function_result(t.oid)
    FROM pg_proc o, pg_proc t
    WHERE o.oid = p_ours AND t.oid = p_theirs;
$$;

COMMENT ON FUNCTION balansity.is_twin(p_ours oid, p_theirs oid) IS 'Whether a function in public can become ours where it stands: the same call, the same result, this role''s own.';

CREATE FUNCTION balansity.is_unfinished(p_payment_id uuid) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT EXISTS (
        SELECT FROM balansity.payment_flag f
        WHERE f.payment_id = p_payment_id AND f.is_retried AND f.resolved_at IS NULL
    )
$$;

COMMENT ON FUNCTION balansity.is_unfinished(p_payment_id uuid) IS 'Whether what a payment''s status brings about could not be written yet.';

CREATE FUNCTION balansity.is_unheard_of(p_payment_id uuid, p_now timestamp with time zone) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT NOT EXISTS (SELECT FROM balansity.provider_payment o WHERE o.payment_id = p_payment_id AND o.terms IS NOT NULL)
       AND NOT EXISTS (
           SELECT FROM balansity.payment_check c
           WHERE c.payment_id = p_payment_id AND (c.checks > 1 OR c.checks = 1 AND c.next_at <= p_now)
       )
$$;

COMMENT ON FUNCTION balansity.is_unheard_of(p_payment_id uuid, p_now timestamp with time zone) IS 'Whether only a visitor has said that there is such a payment, who also wrote since when: the provider has not been asked,
or has only just been.';

CREATE FUNCTION balansity.is_unknown(p_payment public.payments) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT EXISTS (
        SELECT FROM balansity.payment_check c
        WHERE c.payment_id = p_payment.id AND c.unknown_id = balansity.external_id(p_payment)
    )
$$;

COMMENT ON FUNCTION balansity.is_unknown(p_payment public.payments) IS 'Whether the provider has said that it knows nothing of this payment.';

CREATE FUNCTION balansity.is_unpaid(p_linked_payment_id uuid) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT p_linked_payment_id IS NULL OR EXISTS (
        SELECT FROM public.payments p WHERE p.id = p_linked_payment_id AND p.status IN ('failed', 'cancelled')
    )
$$;

COMMENT ON FUNCTION balansity.is_unpaid(p_linked_payment_id uuid) IS 'Whether a consultation linked so is still to be paid for: a link to a payment that came to nothing is no link.';

CREATE FUNCTION balansity.is_untaken(p_entry balansity.mail_entry, p_provider text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
    opened balansity.delivery := balansity.plan_delivery(p_entry);
BEGIN
    RETURN NOT EXISTS (
        SELECT FROM balansity.delivery_attempt
        WHERE delivery_id = opened.id AND started_at >= balansity.earliest(opened.planned_at) AND provider <> p_provider AND coalesce(outcome, 'unknown') = 'unknown'
    );
END $$;

COMMENT ON FUNCTION balansity.is_untaken(p_entry balansity.mail_entry, p_provider text) IS 'Whether it is certain that no other provider than p_provider has the mail without our knowing: each of them answered.';

CREATE FUNCTION balansity.is_vouched_for(p_payment public.payments) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT balansity.external_id(p_payment) IS NULL OR balansity.is_anothers(p_payment) OR EXISTS (
        SELECT FROM balansity.provider_payment o
        WHERE o.external_id = balansity.external_id(p_payment) AND o.terms = balansity.terms_of(p_payment)
    )
$$;

COMMENT ON FUNCTION balansity.is_vouched_for(p_payment public.payments) IS 'Whether the service''s completion says more than that somebody has paid: its webhook finds a row by the provider''s id alone,
whoever wrote the rest of it. What pays for another row gives nothing anyway.';

CREATE FUNCTION balansity.iso_utc(p_at timestamp with time zone) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN (replace(to_char((p_at AT TIME ZONE 'UTC'::text), 'YYYY-MM-DD"T"HH24:MI:SS.US'::text), '.000000'::text, ''::text) || 'Z'::text);

COMMENT ON FUNCTION balansity.iso_utc(p_at timestamp with time zone) IS 'ISO 8601 in UTC, exact to the microsecond, whatever the session''s time zone.
(A body after RETURN is bound when the function is made: no search_path can mislead it, and it can be inlined.)';

CREATE FUNCTION balansity.keep(p_kind text, p_name text) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    INSERT INTO balansity.replaced (kind, name, definition, in_place, owner, grantees)
    SELECT 'function', p_name, pg_get_functiondef(p.oid),
           p.prorettype = 'trigger'::regtype
               OR EXISTS (SELECT FROM balansity.site_function f WHERE balansity.is_twin(f.oid, p.oid)),
           pg_get_userbyid(p.proowner), ARRAY(
               SELECT r.rolname FROM aclexplode(p.proacl) a JOIN pg_roles r ON r.oid = a.grantee
               WHERE a.grantee <> p.proowner AND r.rolname NOT IN ('anon', 'authenticated'))
    FROM pg_proc p WHERE p.oid = CASE p_kind WHEN 'function' THEN to_regprocedure(nullif(p_name, '')) END
    UNION ALL
    SELECT 'view', p_name, format('CREATE VIEW %s AS %s', p_name, pg_get_viewdef(c.oid)), false, pg_get_userbyid(c.relowner), ARRAY(
               SELECT r.rolname FROM aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
               WHERE a.grantee <> c.relowner AND a.privilege_type = 'SELECT' AND r.rolname NOT IN ('anon', 'authenticated'))
    FROM pg_class c WHERE c.oid = CASE p_kind WHEN 'view' THEN to_regclass(p_name) END
    UNION ALL
    SELECT 'job', p_name, CASE
               WHEN j.owner <> current_user THEN format('SELECT cron.schedule_in_database(%L, %L, %L, %L, %L, %L)',
                   j.name, j.schedule, j.command, current_database(), j.owner, j.active)
               WHEN j.active THEN format('SELECT cron.schedule(%L, %L, %L)', j.name, j.schedule, j.command)
               ELSE format('SELECT cron.alter_job(cron.schedule(%L, %L, %L), active := false)',
                   j.name, j.schedule, j.command) END,
           false, j.owner::name, '{}'
    FROM balansity.old_jobs() j WHERE p_kind = 'job' AND j.id::text = p_name
    ON CONFLICT DO NOTHING;
$$;

COMMENT ON FUNCTION balansity.keep(p_kind text, p_name text) IS 'Keeps what is about to be replaced; what was kept first stays.';

CREATE FUNCTION balansity.keep_delivery_key() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    CASE TG_OP
        WHEN 'INSERT' THEN
            INSERT INTO balansity.delivery_key (id, key, planned_at) VALUES (NEW.id, NEW.key, NEW.planned_at)
            ON CONFLICT DO NOTHING;
            RETURN CASE WHEN FOUND THEN NEW END;
        WHEN 'UPDATE' THEN
            UPDATE balansity.delivery_key SET id = NEW.id, key = NEW.key, planned_at = NEW.planned_at WHERE id = OLD.id;
            RETURN NEW;
        WHEN 'DELETE' THEN
            DELETE FROM balansity.delivery_key WHERE id = OLD.id;
            RETURN OLD;
        ELSE
            DELETE FROM balansity.delivery_key; -- with a mail go its attempts and events
            DELETE FROM balansity.delivery_attempt;
            DELETE FROM balansity.delivery_event;
            RETURN NULL;
    END CASE;
END $$;

COMMENT ON FUNCTION balansity.keep_delivery_key() IS 'Has every delivery in balansity.delivery_key. Where its id or key is another''s, no row is inserted and none returned, as
with ON CONFLICT DO NOTHING, which no table of months can.';

CREATE FUNCTION balansity.kept_in_any_case() RETURNS interval
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    RETURN '90 days'::interval;

COMMENT ON FUNCTION balansity.kept_in_any_case() IS 'How long the ledger is kept whatever anyone asks for: who was told what is evidence, and workers cannot remove it.';

CREATE FUNCTION balansity.latest_restore() RETURNS timestamp with time zone
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT max(noticed_at) FROM balansity.restore WHERE released_at IS NULL;
$$;

COMMENT ON FUNCTION balansity.latest_restore() IS 'When the last restore was noticed that still holds mails; NULL where none does.';

CREATE FUNCTION balansity.leave_unknown(p_payment_id uuid, p_external_id text, p_now timestamp with time zone) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF EXISTS (SELECT FROM balansity.provider_payment o WHERE o.external_id = p_external_id AND o.terms IS NOT NULL) THEN
        RETURN false;
    END IF;
    INSERT INTO balansity.payment_check (payment_id, checks, next_at, unknown_id)
    VALUES (p_payment_id, 0, p_now, left(p_external_id, 200))
    ON CONFLICT (payment_id) DO UPDATE SET unknown_id = excluded.unknown_id;
    UPDATE balansity.payment_check SET claimed = false WHERE payment_id = p_payment_id AND claimed;
    IF FOUND THEN
        PERFORM balansity.flag_payment(
            p_payment_id, 'completed as a visitor wrote it, and the provider knows no such payment', p_now, true
        );
    END IF;
    RETURN true;
END $$;

COMMENT ON FUNCTION balansity.leave_unknown(p_payment_id uuid, p_external_id text, p_now timestamp with time zone) IS 'The provider knows nothing of an id: false where the service wrote it, which a person must look into. Of what a visitor
wrote it is asked once: nobody can decide anything about it, and whoever writes many would use up its patience with us.';

CREATE FUNCTION balansity.ledgers() RETURNS TABLE(ledger text, time_column text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT c.relname::text, a.attname::text
    FROM pg_partitioned_table p
    JOIN pg_class c ON c.oid = p.partrelid AND c.relnamespace = 'balansity'::regnamespace
    JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
    ORDER BY 1;
$$;

COMMENT ON FUNCTION balansity.ledgers() IS 'The tables that are parted by the month, and the time that decides.';

CREATE FUNCTION balansity.let_go(p_provider text, p_limit integer) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    ids uuid[];
    pressing bigint;
BEGIN
    PERFORM FROM balansity.provider_state WHERE provider = p_provider AND state = 'available' FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    WITH gone AS (
        DELETE FROM balansity.held_message WHERE message_id IN (
            SELECT message_id FROM balansity.held_message WHERE provider = p_provider
            ORDER BY deadline, message_id LIMIT p_limit)
        RETURNING message_id, provider, deadline
    )
    SELECT array_agg(message_id ORDER BY deadline, message_id), count(*) FILTER (WHERE deadline < 'infinity')
    INTO ids, pressing FROM gone WHERE provider = p_provider;
    PERFORM dramatiq.hasten(ids, pressing) WHERE ids IS NOT NULL;
    RETURN coalesce(cardinality(ids), 0);
END $$;

COMMENT ON FUNCTION balansity.let_go(p_provider text, p_limit integer) IS 'Makes some of what was held for a provider due, by deadline, and before all else what has one; returns how many. Nothing
while the provider is away. A batch at a time, so that a million end no statement.';

CREATE FUNCTION balansity.listen_to_provider(p_provider text, p_reports boolean, p_worker text, OUT verdict text, OUT news boolean) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_material TO 'off'
    AS $$
DECLARE
    present constant timestamptz := balansity.now();
    since_when constant timestamptz := CASE WHEN p_reports THEN balansity.unheard_since(p_provider) END;
    words text;
BEGIN
    IF since_when IS NULL THEN
        verdict := 'heard';
        news := balansity.heard_again(p_provider, p_worker);
        RETURN;
    END IF;
    verdict := CASE WHEN EXISTS (
        SELECT FROM balansity.delivery_event e
        JOIN balansity.delivery_attempt a ON a.delivery_id = e.delivery_id AND a.provider = p_provider
    ) THEN 'unheard' ELSE 'never heard' END;
    words := CASE verdict
        WHEN 'unheard' THEN 'it accepts mails and reports nothing of them any more: its account may be suspended, or its '
            'events do not reach us'
        ELSE 'it accepts mails and has never reported on any: its events are not switched on, or its account is suspended'
    END;
    INSERT INTO balansity.provider_state AS known (provider, state, since, reason, noticed_by, next_probe_at)
    VALUES (
        p_provider, CASE verdict WHEN 'unheard' THEN 'unheard' ELSE 'available' END, since_when, words, p_worker, present
    )
    ON CONFLICT (provider) DO UPDATE
    SET state = excluded.state, since = since_when, reason = words, noticed_by = p_worker, probes = 0,
        next_probe_at = present
    WHERE known.state = 'available' AND (known.state, known.reason) IS DISTINCT FROM (excluded.state, words);
    news := FOUND;
END $$;

COMMENT ON FUNCTION balansity.listen_to_provider(p_provider text, p_reports boolean, p_worker text, OUT verdict text, OUT news boolean) IS 'Looks whether a provider reports on the mails that it accepts; p_reports tells whether it is expected to. `heard`;
`unheard`, once it did and has stopped: mails are held, but for a probe now and then; `never heard`: events may just not be
switched on there, and mails go on. And whether that was news.';

CREATE FUNCTION balansity.lock_sources(p_handler oid) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE; ', string_agg(DISTINCT tgrelid::regclass::text, ', '))
    FROM pg_trigger WHERE tgfoid = p_handler
    HAVING count(*) > 0;
$$;

COMMENT ON FUNCTION balansity.lock_sources(p_handler oid) IS 'The statement that lets the writers end whose rows an old trigger and one of ours hear of, and no other begin, until the
hand-over is there: each of the two looks by itself, so both could tell the family, or neither. NULL where nothing calls it.';

CREATE FUNCTION balansity.look_in_shadow() RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    late constant interval := '10 minutes';           -- two runs of the old job
    present timestamptz := balansity.now();
    since timestamptz := (SELECT min(looked_at) FROM balansity.shadow_look);
    noted bigint;
BEGIN
    INSERT INTO balansity.shadow_look VALUES (present) ON CONFLICT DO NOTHING;
    INSERT INTO balansity.shadow (act, about, at, theirs, stood, looked_at)
    SELECT 'appointment_reminder_' || r.kind, r.appointment_id, r.scheduled_at, NULL, since IS NULL, present
    FROM balansity.reminders_between(present, present + interval '1 second') r
    UNION ALL
    SELECT 'appointment_confirmation', a.id::uuid, '-infinity', NULL, false, present
    FROM public.appointments a
    WHERE a.created_at > since AND a.status IN ('pending', 'scheduled', 'confirmed')
    UNION ALL
    SELECT 'checkup_completed', c.id::uuid, '-infinity', NULL, false, present
    FROM public.assessments c
    WHERE c.completed_at > since AND c.status = 'completed'
    UNION ALL
    SELECT CASE p.status WHEN 'completed' THEN 'payment_confirmation' ELSE 'payment_failed' END,
           p.id::uuid, '-infinity', NULL, since IS NULL, present
    FROM public.payments p
    WHERE p.status IN ('completed', 'failed')
    UNION ALL
    SELECT CASE WHEN balansity.over_at(a) <= present - late THEN 'completed' ELSE 'in_progress' END,
           a.id::uuid, '-infinity', a.status, false, present
    FROM public.appointments a
    WHERE a.status IN ('scheduled', 'confirmed', 'in_progress', 'completed')
      AND a.scheduled_at > since AND a.scheduled_at <= present - late
      AND balansity.over_at(a) NOT BETWEEN present - late AND present  -- either may be right for now
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS noted = ROW_COUNT;
    RETURN noted;
END $$;

COMMENT ON FUNCTION balansity.look_in_shadow() IS 'Notes what ours would have done since the last look; returns how much. The first look notes what stands already.';

CREATE FUNCTION balansity.make_month(p_ledger text, p_month date) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '500ms'
    AS $_$
DECLARE
    month_table text := balansity.month_table(p_ledger, p_month);
    ends timestamptz := dramatiq.day_begins(balansity.next_month(p_month));
    begins timestamptz;
    time_column text;
BEGIN
    SELECT l.time_column INTO STRICT time_column FROM balansity.ledgers() AS l WHERE l.ledger = p_ledger;
    EXECUTE format('LOCK TABLE balansity.%I IN ACCESS EXCLUSIVE MODE', p_ledger || '_other'); -- as attaching does
    IF to_regclass(month_table) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('SELECT coalesce(max(%1$I) + interval ''1 microsecond'', $1) FROM balansity.%2$I WHERE %1$I >= $1 AND %1$I < $2',
                   time_column, p_ledger || '_other')
    INTO begins USING dramatiq.day_begins(p_month), ends;
    IF begins = ends THEN
        RETURN false; -- something stands in the month's last moment: nothing is left of it
    END IF;
    EXECUTE format('CREATE TABLE %s (LIKE balansity.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', month_table, p_ledger);
    EXECUTE format('ALTER TABLE balansity.%I ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)',
                   p_ledger, month_table, begins, ends);
    PERFORM dramatiq.shut('TABLE ' || month_table);
    RETURN true;
END $_$;

COMMENT ON FUNCTION balansity.make_month(p_ledger text, p_month date) IS 'Makes the table of a month; false where there is one. What came in that month before stays in the _other table, and the
month begins behind it, so that nothing is moved while others wait. An owner''s work, which workers ask for.';

CREATE FUNCTION balansity.may_have_left(p_delivery_id uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

COMMENT ON FUNCTION balansity.may_have_left(p_delivery_id uuid) IS 'Whether it may have gone out without our knowing: no answer came to an attempt, none was recorded, or a restore has
undone what was.';

CREATE FUNCTION balansity.speaks_of(p_text text, p_named_user text, p_person jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    RETURN COALESCE(((lower(p_text) ~~ ANY (string_to_array((('%'::text || replace((p_person ->> 'ids'::text), '|'::text, '%|%'::text)) || '%'::text), '|'::text))) OR ((lower(COALESCE(p_named_user, (p_person ->> 'user_id'::text))) = (p_person ->> 'user_id'::text)) AND (lower(p_text) ~ (p_person ->> 'addresses'::text)))), false);

COMMENT ON FUNCTION balansity.speaks_of(p_text text, p_named_user text, p_person jsonb) IS 'Whether a text is about the person of these signs. One that names its user is another''s if that is another, whatever
address it has: addresses change hands.';

CREATE FUNCTION balansity.message_speaks_of(p_text text, p_arguments jsonb, p_person jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    RETURN balansity.speaks_of(p_text, (p_arguments ->> 'user_id'::text), p_person);

COMMENT ON FUNCTION balansity.message_speaks_of(p_text text, p_arguments jsonb, p_person jsonb) IS 'Whether a message is about the person of these signs; asked by dramatiq.forget and dramatiq.forget_pgmq.';

CREATE FUNCTION balansity.minutes_of(p_appointment public.appointments) RETURNS integer
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT balansity.minutes_of(
        to_jsonb(p_appointment) ->> 'duration_minutes',
        (SELECT t.duration_minutes::text FROM public.appointment_types t WHERE t.id = p_appointment.appointment_type_id)
    );
$$;

COMMENT ON FUNCTION balansity.minutes_of(p_appointment public.appointments) IS 'The same of a row, whether or not the deployment has that column.';

CREATE FUNCTION balansity.minutes_of(p_own text, p_of_its_type text) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN COALESCE(balansity.believable_minutes(p_own), balansity.believable_minutes(p_of_its_type), 45);

COMMENT ON FUNCTION balansity.minutes_of(p_own text, p_of_its_type text) IS 'How long an appointment takes: its own duration where that can be meant, else its type''s.';

CREATE FUNCTION balansity.misplaced_events(p_zone text) RETURNS bigint
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT count(*) FROM balansity.analytics_event WHERE day <> (occurred_at AT TIME ZONE p_zone)::date
$$;

COMMENT ON FUNCTION balansity.misplaced_events(p_zone text) IS 'How many kept events stand on another day than theirs in this time zone: TIME_ZONE has changed since.';

CREATE FUNCTION balansity.missing_grants() RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT format('CREATE ROLE %I NOLOGIN', named.role)
    FROM (VALUES ('balansity_worker'), ('balansity_web')) AS named (role)
    WHERE to_regrole(named.role) IS NULL
    UNION ALL
    SELECT format('GRANT %s%s ON %s %s TO %I', w.privilege, ' (' || array_to_string(w.columns, ', ') || ')', w.kind,
                  string_agg(w.object, ', ' ORDER BY w.object), w.role)
    FROM balansity.wanted_rights() AS w
    WHERE CASE w.kind
        WHEN 'SCHEMA' THEN has_schema_privilege(to_regrole(w.role), w.object, w.privilege)
        WHEN 'FUNCTION' THEN has_function_privilege(to_regrole(w.role), w.object, w.privilege)
        WHEN 'SEQUENCE' THEN has_sequence_privilege(to_regrole(w.role), w.object, w.privilege)
        WHEN 'TABLE' THEN has_table_privilege(to_regrole(w.role), w.object, w.privilege) OR (
            SELECT bool_and(has_column_privilege(to_regrole(w.role), w.object, name, w.privilege))
            FROM unnest(w.columns) AS name)
        END IS NOT TRUE
    GROUP BY w.role, w.kind, w.privilege, w.columns, split_part(w.object, '.', 1);
$$;

COMMENT ON FUNCTION balansity.missing_grants() IS 'The statements that give the two roles what they need and do not have, the roles themselves first.';

CREATE FUNCTION balansity.missing_months(p_ahead integer DEFAULT 2) RETURNS TABLE(ledger text, month date)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT l.ledger, months.month
    FROM balansity.ledgers() AS l, LATERAL (
        SELECT (date_trunc('month', balansity.now() AT TIME ZONE 'UTC') + number * interval '1 month')::date
        FROM generate_series(0, p_ahead) AS number
    ) AS months (month)
    WHERE to_regclass(balansity.month_table(l.ledger, months.month)) IS NULL
    ORDER BY 2, 1;
$$;

COMMENT ON FUNCTION balansity.missing_months(p_ahead integer) IS 'The tables that are missing, from this month''s to those of p_ahead months ahead.';

CREATE FUNCTION balansity.month_table(p_ledger text, p_month date) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT format('balansity.%I', p_ledger || to_char(p_month, '_YYYYMM'));
$$;

COMMENT ON FUNCTION balansity.month_table(p_ledger text, p_month date) IS 'The table of what was planned (deliveries), begun (attempts) or received (events) in a month.';

CREATE FUNCTION balansity.never_begun_messages(p_limit integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT dramatiq.never_begun(ARRAY(
        SELECT d.message_id FROM balansity.delivery d
        WHERE d.state IN ('planned', 'sending', 'unknown', 'failed') AND d.attempts > 0), p_limit)
$$;

COMMENT ON FUNCTION balansity.never_begun_messages(p_limit integer) IS 'The first messages that the old system has to go on with: those that no mail of a try that may have left belongs to.';

CREATE FUNCTION balansity.next_check(p_since timestamp with time zone, p_now timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT p_now + CASE WHEN p_since > p_now - interval '1 hour' THEN interval '3 minutes'
                        ELSE (p_now - greatest(p_since, p_now - interval '3 days')) / 2 END
$$;

COMMENT ON FUNCTION balansity.next_check(p_since timestamp with time zone, p_now timestamp with time zone) IS 'In the first hour, in which most people pay, whoever pays is booked within 5 minutes without a webhook; later, the longer
it has waited, the longer it may.';

CREATE FUNCTION balansity.next_month(p_month date) RETURNS date
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT (date_trunc('month', p_month::timestamp) + interval '1 month')::date;
$$;

COMMENT ON FUNCTION balansity.next_month(p_month date) IS 'The first day of the month after.';

CREATE FUNCTION balansity.note_alarms(p_checks text[], p_subjects text[], p_sentences jsonb[], p_settled interval) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    present constant timestamptz := clock_timestamp();
BEGIN
    WITH seen AS (
        INSERT INTO balansity.alarm AS a (check_name, subject, sentence, began_at)
        SELECT f.check_name, f.subject, f.sentence, present
        FROM unnest(p_checks, p_subjects, p_sentences) AS f (check_name, subject, sentence)
        ON CONFLICT (check_name, subject) WHERE over_at IS NULL
        DO UPDATE SET sentence = excluded.sentence, gone_at = NULL
        RETURNING id
    )
    UPDATE balansity.alarm SET gone_at = present
    WHERE over_at IS NULL AND gone_at IS NULL AND id NOT IN (SELECT id FROM seen);

    DELETE FROM balansity.alarm WHERE stood_at IS NULL AND gone_at <= present - p_settled; -- it only flickered
    UPDATE balansity.alarm SET stood_at = present
    WHERE stood_at IS NULL AND gone_at IS NULL AND began_at <= present - p_settled;
    UPDATE balansity.alarm SET over_at = present WHERE over_at IS NULL AND gone_at <= present - p_settled;
END $$;

COMMENT ON FUNCTION balansity.note_alarms(p_checks text[], p_subjects text[], p_sentences jsonb[], p_settled interval) IS 'Notes what is found now. Something is to be told once it has been found, or gone, for p_settled; what was gone for less is
the same alarm still.';

CREATE FUNCTION balansity.note_external_id(p_payment public.payments, p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF balansity.is_service() THEN
        PERFORM balansity.vouch_for(p_payment);
    END IF;
    IF balansity.in_charge() AND balansity.is_anothers(p_payment) THEN
        PERFORM balansity.flag_anothers(p_payment.id, p_now);
    END IF;
END $$;

COMMENT ON FUNCTION balansity.note_external_id(p_payment public.payments, p_now timestamp with time zone) IS 'The service''s word for what a payment at the provider is for; a visitor''s is none.';

CREATE FUNCTION balansity.note_paid() RETURNS bigint
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    WITH noted AS (
        INSERT INTO balansity.provider_payment (external_id, payment_id, terms)
        SELECT DISTINCT ON (balansity.external_id(p)) balansity.external_id(p), p.id, balansity.terms_of(p)
        FROM public.payments p
        WHERE balansity.external_id(p) IS NOT NULL AND (p.status IN ('completed', 'refunded') OR NOT EXISTS (
            SELECT FROM public.payments o WHERE o.external_payment_id = p.external_payment_id AND o.id <> p.id
        ))
        ORDER BY balansity.external_id(p), p.status IN ('completed', 'refunded') DESC, p.created_at, p.id
        ON CONFLICT DO NOTHING
        RETURNING 1
    )
    SELECT count(*) FROM noted
$$;

COMMENT ON FUNCTION balansity.note_paid() IS 'Notes what was paid before ours began, so that it pays for nothing more, and what is open and stands in one row alone, as
the service''s: nobody noted who wrote it. Returns how many are new.';

CREATE FUNCTION balansity.note_restore(p_restored_to timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    INSERT INTO balansity.doubtful_mail (key)
    SELECT concat_ws(':', 'reminder', due.kind, due.appointment_id, balansity.iso_utc(due.scheduled_at))
    FROM balansity.reminders_between(balansity.now(), balansity.now()) due
    ON CONFLICT DO NOTHING;
    INSERT INTO balansity.restore (noticed_at, restored_to) VALUES (clock_timestamp(), p_restored_to) RETURNING noticed_at;
$$;

COMMENT ON FUNCTION balansity.note_restore(p_restored_to timestamp with time zone) IS 'From now on, every mail is held that was due by now and has not left as far as this data knows: a delivery when its
message comes, a reminder that is due but has no message yet by its key.';

CREATE FUNCTION balansity.note_told_reminders() RETURNS bigint
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    WITH told AS MATERIALIZED (
        SELECT t.appointment_id, t.kind, t.scheduled_at, bool_or(t.archived) AS archived
        FROM balansity.told_reminders() AS t GROUP BY 1, 2, 3
    ), noted AS (
        INSERT INTO balansity.reminder (appointment_id, kind, scheduled_at, planned_at)
        SELECT appointment_id, kind, scheduled_at, balansity.now() FROM told
        ON CONFLICT DO NOTHING
        RETURNING 1
    ), sent AS ( -- the old system repeats itself: what waits beside one that left stays unsent
        INSERT INTO balansity.delivery (id, key, message_id, template, user_id, appointment_id, scheduled_at, state, reason,
                                        planned_at, changed_at)
        SELECT balansity.delivery_id(k.key), k.key, 'the old system', 'appointment_reminder_' || t.kind, a.user_id::uuid,
               t.appointment_id, t.scheduled_at, 'sent', 'by the old system', balansity.now(), balansity.now()
        FROM told t
        JOIN public.appointments a ON a.id::text = t.appointment_id::text
        CROSS JOIN LATERAL (SELECT concat_ws(
            ':', 'reminder', t.kind, t.appointment_id, balansity.iso_utc(t.scheduled_at))) AS k (key)
        WHERE t.archived
        ON CONFLICT DO NOTHING
    )
    SELECT count(*) FROM noted;
$$;

COMMENT ON FUNCTION balansity.note_told_reminders() IS 'Notes who has been told, so that ours does not tell them again: not by its job, and, where the reminder has left, not by
another that waits either. Returns how many reminders are new.';

CREATE FUNCTION balansity.notice_restore() RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    here boolean;
    elsewhere boolean;
BEGIN
    FOR look IN 1..2 LOOP
        SELECT coalesce(bool_or(balansity.is_here(h)), false), coalesce(bool_or(NOT balansity.is_here(h)), false)
        INTO here, elsewhere
        FROM balansity.home h WHERE left_at IS NULL;
        IF here AND NOT elsewhere THEN
            RETURN false;
        END IF;
        LOCK TABLE balansity.home IN EXCLUSIVE MODE; -- the first to notice settles it, the others wait and look again
    END LOOP;

    UPDATE balansity.home h SET left_at = clock_timestamp() WHERE left_at IS NULL AND NOT balansity.is_here(h);
    IF NOT here THEN
        INSERT INTO balansity.home (system_identifier, database_oid, table_oid)
        SELECT balansity.system_identifier(), oid, 'balansity.home'::regclass
        FROM pg_catalog.pg_database WHERE datname = current_database();
    END IF;
    IF elsewhere THEN
        PERFORM balansity.note_restore(NULL);
    END IF;
    RETURN elsewhere;
END $$;

COMMENT ON FUNCTION balansity.notice_restore() IS 'Notes a restore where this data has come from elsewhere, and returns whether that was news. Where it never stood
anywhere before, its place is noted silently. Cheap enough for every mail.';

CREATE FUNCTION balansity.now() RETURNS timestamp with time zone
    LANGUAGE sql STABLE
    RETURN now();

COMMENT ON FUNCTION balansity.now() IS 'The one clock of what is due, late or over: the transaction''s time. A test replaces this function; nothing else can move it.';

CREATE FUNCTION balansity.odd_appointments() RETURNS SETOF uuid
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT a.id FROM public.appointments a
    WHERE a.status IN ('pending', 'scheduled', 'confirmed', 'in_progress')
      AND (balansity.of_our_time(a.scheduled_at) IS NULL
           OR to_jsonb(a) ->> 'duration_minutes' IS NOT NULL
              AND balansity.believable_minutes(to_jsonb(a) ->> 'duration_minutes') IS NULL)
    ORDER BY a.id
$$;

COMMENT ON FUNCTION balansity.odd_appointments() IS 'The open appointments whose time or duration nobody can mean: jobs and mails do what they can without, a person looks.';

CREATE FUNCTION balansity.of_our_time(p_at timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT p_at WHERE p_at >= '1900-01-01 00:00:00+00' AND p_at < '2200-01-01 00:00:00+00';
$$;

COMMENT ON FUNCTION balansity.of_our_time(p_at timestamp with time zone) IS 'The time, NULL for one that no row of a clinic can mean: PostgreSQL''s reach to the year 294276 and to infinity, no
calendar of a reader''s, nor Python''s, does. domain/payload.py has its twin.';

CREATE FUNCTION balansity.old_handlers() RETURNS TABLE(oid oid, handler text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT p.oid, CASE WHEN balansity.serves(e.handler) AND NOT EXISTS (
        SELECT FROM pg_trigger WHERE tgfoid = to_regprocedure(format('balansity.%I()', e.handler))) THEN e.handler END
    FROM balansity.site_event e
    JOIN pg_proc p ON p.oid = to_regprocedure(format('public.%I()', e.handler)) AND p.prorettype = 'trigger'::regtype
    UNION
    SELECT t.tgfoid, NULL -- of another name, but called by a trigger of the old system's name and by no other
    FROM pg_trigger t
    JOIN pg_proc p ON p.oid = t.tgfoid AND p.pronamespace <> 'balansity'::regnamespace
    WHERE p.oid NOT IN (SELECT f.oid FROM balansity.site_event e
                        CROSS JOIN to_regprocedure(format('public.%I()', e.handler)) AS f (oid) WHERE f.oid IS NOT NULL)
    GROUP BY t.tgfoid
    HAVING bool_and(EXISTS (
        SELECT FROM balansity.site_event e
        WHERE t.tgrelid = to_regclass(format('public.%I', e.table_name)) AND t.tgname = e.trigger_name));
$$;

COMMENT ON FUNCTION balansity.old_handlers() IS 'Functions of the old system''s triggers; with the handler of ours that each can become where it stands. Where it can become
none, a trigger of ours stands beside.';

CREATE FUNCTION balansity.old_jobs() RETURNS TABLE(id bigint, name text, schedule text, command text, owner text, active boolean, running boolean)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF balansity.cron_is_hidden() IS DISTINCT FROM 'all' AND EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
        RETURN QUERY EXECUTE
            'SELECT j.jobid, j.jobname::text, j.schedule, j.command, j.username::text, j.active, EXISTS (
                 SELECT FROM cron.job_run_details r
                 WHERE r.jobid = j.jobid AND r.status IN (''starting'', ''connecting'', ''sending'', ''running'')
                   AND coalesce(r.start_time, now()) > now() - interval ''1 hour'')
             FROM cron.job j
             WHERE j.database = current_database()
               -- one that is switched off stays so, where it could not be made again switched off
               AND (j.active OR has_function_privilege(
                   ''cron.alter_job(bigint, text, text, text, text, boolean)'', ''EXECUTE''))
               AND (j.jobname IN (''update-appointment-statuses'', ''cleanup-old-assessments'', ''send-appointment-reminders'')
                    OR j.command ~ ''\m(update_appointment_statuses|cleanup_old_assessments|send_appointment_reminders)\M'')
             ORDER BY j.jobid';
    END IF;
END $$;

COMMENT ON FUNCTION balansity.old_jobs() IS 'The old system''s jobs in pg_cron that this role can see.';

CREATE FUNCTION balansity.old_mails(p_since timestamp with time zone) RETURNS TABLE(act text, about uuid, at timestamp with time zone, mails bigint)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
    RETURN QUERY EXECUTE
        'WITH mail AS (
             SELECT o.message ->> ''template'' AS act,
                    CASE jsonb_typeof(o.message -> ''variables'') WHEN ''object'' THEN o.message -> ''variables'' ELSE ''{}'' END
                        AS facts
             FROM (SELECT message, enqueued_at FROM pgmq.q_email_queue
                   UNION ALL SELECT message, enqueued_at FROM pgmq.a_email_queue) AS o
             WHERE o.enqueued_at > $1
         ), told AS (
             SELECT m.act, lower(coalesce(facts ->> ''assessment_id'', facts ->> ''payment_id'', facts ->> ''appointment_id''))
                        AS about,
                    CASE WHEN m.act LIKE ''appointment\_reminder\_%'' THEN balansity.as_time(facts ->> ''scheduled_at'') END AS at
             FROM mail m
         )
         SELECT t.act, t.about::uuid, coalesce(t.at, ''-infinity''), count(*) FROM told t
         WHERE t.about ~ ''^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$''
         GROUP BY 1, 2, 3'
    USING p_since;
END $_$;

COMMENT ON FUNCTION balansity.old_mails(p_since timestamp with time zone) IS 'The mails that the old system ordered since then, waiting or archived, and how often each.';

CREATE FUNCTION balansity.old_months(p_ledger text, p_before timestamp with time zone) RETURNS SETOF date
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
    SELECT month
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid, LATERAL to_date(right(c.relname, 6), 'YYYYMM') AS month
    WHERE i.inhparent = format('balansity.%I', p_ledger)::regclass AND c.relname ~ '_\d{6}$'
      AND dramatiq.day_begins(balansity.next_month(month)) <= p_before
    ORDER BY month;
$_$;

COMMENT ON FUNCTION balansity.old_months(p_ledger text, p_before timestamp with time zone) IS 'The months that were over by p_before and have a table.';

CREATE FUNCTION balansity.open_deliveries(p_most bigint) RETURNS TABLE(state text, deliveries bigint)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_sort TO 'off'
    AS $$
    SELECT wanted.state, counted.deliveries
    FROM unnest(ARRAY['planned', 'sending', 'unknown', 'failed']) AS wanted (state), LATERAL (
        SELECT count(*) AS deliveries FROM (
            SELECT FROM balansity.delivery d
            WHERE d.state BETWEEN wanted.state AND wanted.state
            ORDER BY d.state, d.changed_at DESC LIMIT p_most) AS first
    ) AS counted;
$$;

COMMENT ON FUNCTION balansity.open_deliveries(p_most bigint) IS 'How many deliveries are in each state that is not an end, or that a person may want to end, counted up to p_most.';

CREATE FUNCTION balansity.opened_report(p_id uuid) RETURNS TABLE(filename text, media_type text, content bytea, path text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT r.filename, r.media_type, r.content, r.path FROM balansity.report r
    WHERE r.id = p_id AND EXISTS (
        SELECT FROM balansity.operator_action o
        WHERE o.acted_at >= now() AND o.action = 'open report' AND o.target = p_id::text
          AND o.xmin = pg_current_xact_id_if_assigned()::xid -- by this very transaction
    )
$$;

COMMENT ON FUNCTION balansity.opened_report(p_id uuid) IS 'A report for the web process, which may read none: only in a transaction that has noted in the operators'' log who opens it.';

CREATE FUNCTION balansity.over_at(p_appointment public.appointments) RETURNS timestamp with time zone
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT balansity.over_at(p_appointment.scheduled_at, balansity.minutes_of(p_appointment));
$$;

COMMENT ON FUNCTION balansity.over_at(p_appointment public.appointments) IS 'The same of a row.';

CREATE FUNCTION balansity.over_at(p_scheduled_at timestamp with time zone, p_minutes integer) RETURNS timestamp with time zone
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE WHEN (p_scheduled_at < '9999-01-01 00:00:00+00'::timestamp with time zone) THEN (p_scheduled_at + ('00:01:00'::interval * ((p_minutes + 15))::double precision)) ELSE 'infinity'::timestamp with time zone END;

COMMENT ON FUNCTION balansity.over_at(p_scheduled_at timestamp with time zone, p_minutes integer) IS 'When an appointment counts as over: after its duration and 15 minutes of grace.';

CREATE FUNCTION balansity.owner_obstacle(p_owner oid, p_what text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT format('%s belongs to role %s: take over as that role, or run "ALTER … OWNER TO %s"',
                  p_what, p_owner::regrole, current_user)
    WHERE NOT pg_has_role(p_owner, 'USAGE');
$$;

COMMENT ON FUNCTION balansity.owner_obstacle(p_owner oid, p_what text) IS 'Why this role cannot replace what belongs to another; null where it can.';

CREATE FUNCTION balansity.payment_attempt(p_payment public.payments, p_status text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT CASE p_status WHEN 'failed' THEN coalesce(p_payment.external_payment_id::text, '') ELSE '' END
$$;

COMMENT ON FUNCTION balansity.payment_attempt(p_payment public.payments, p_status text) IS 'Which try at paying a status speaks of: after a failure the payer may try again, and hears of each at the provider.';

CREATE FUNCTION balansity.payment_key(p_payment public.payments, p_status text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT concat_ws(':', 'payment', p_payment.id, p_status, nullif(balansity.payment_attempt(p_payment, p_status), ''))
$$;

COMMENT ON FUNCTION balansity.payment_key(p_payment public.payments, p_status text) IS 'The business key of what is told about a payment''s status.';

CREATE FUNCTION balansity.pays_for(p_payment public.payments) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO balansity.provider_payment (external_id, payment_id)
    SELECT balansity.external_id(p_payment), p_payment.id WHERE balansity.external_id(p_payment) IS NOT NULL
    ON CONFLICT DO NOTHING;
    RETURN NOT balansity.is_anothers(p_payment);
END $$;

COMMENT ON FUNCTION balansity.pays_for(p_payment public.payments) IS 'Whether the payment at the provider is this row''s, which it becomes where it was nobody''s.';

CREATE FUNCTION balansity.plan_again(p_entry balansity.mail_entry, p_again_of uuid, p_who text, p_reason text) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    opened balansity.delivery := balansity.plan_delivery(p_entry);
BEGIN
    UPDATE balansity.delivery d SET again_of = p_again_of, decided_by = p_who, decided_because = p_reason
    WHERE (d.id, d.planned_at) = (opened.id, opened.planned_at) AND d.message_id = p_entry.message_id;
    RETURN opened.id;
END $$;

COMMENT ON FUNCTION balansity.plan_again(p_entry balansity.mail_entry, p_again_of uuid, p_who text, p_reason text) IS 'Plans the delivery by which a person has a mail sent once more, the one exception from sending it once; gives its id.';

CREATE FUNCTION balansity.plan_delivery(p_entry balansity.mail_entry) RETURNS balansity.delivery
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

COMMENT ON FUNCTION balansity.plan_delivery(p_entry balansity.mail_entry) IS 'Opens the delivery of a business reason under its lock; a new one is planned.';

CREATE FUNCTION balansity.postpone_delivery(p_entry balansity.mail_entry, p_until timestamp with time zone, p_reason text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    opened balansity.delivery := balansity.plan_delivery(p_entry);
BEGIN
    UPDATE balansity.delivery d SET postponed_until = p_until, reason = p_reason, changed_at = balansity.now()
    WHERE (d.id, d.planned_at) = (opened.id, opened.planned_at) AND d.state = 'planned';
END $$;

COMMENT ON FUNCTION balansity.postpone_delivery(p_entry balansity.mail_entry, p_until timestamp with time zone, p_reason text) IS 'Notes until when a planned delivery waits, and why.';

CREATE FUNCTION balansity.prove_payment(p_payment_id uuid, p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    UPDATE balansity.payment_check SET claimed = false WHERE payment_id = p_payment_id AND claimed;
    IF FOUND THEN
        PERFORM balansity.settle_payment(p_payment_id, p_now);
    END IF;
END $$;

COMMENT ON FUNCTION balansity.prove_payment(p_payment_id uuid, p_now timestamp with time zone) IS 'The provider says that it is completed: what a visitor only claimed takes effect.';

CREATE FUNCTION balansity.provider_failed(p_provider text, p_reason text, p_worker text, p_message_id uuid) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    present constant timestamptz := balansity.now();
    first_pause constant interval := '5 seconds';
    longest_pause constant interval := '1 minute';
    known balansity.provider_state;
BEGIN
    INSERT INTO balansity.provider_state (provider, state, since, noticed_by, next_probe_at)
    VALUES (p_provider, 'available', present, p_worker, present)
    ON CONFLICT (provider) DO NOTHING;
    SELECT * INTO known FROM balansity.provider_state WHERE provider = p_provider FOR UPDATE;
    IF known.state = 'probing' THEN
        UPDATE balansity.provider_state
        SET state = 'away', reason = p_reason, probes = known.probes + 1,
            next_probe_at = present + least(first_pause * 2 ^ least(known.probes + 1, 10), longest_pause)
        WHERE provider = p_provider;
    END IF;
    IF known.state <> 'available' THEN
        RETURN 0;
    END IF;
    UPDATE balansity.provider_state
    SET state = 'away', since = present, reason = p_reason, noticed_by = p_worker, begun_by = p_message_id, silences = 0,
        probes = 0, next_probe_at = present + first_pause
    WHERE provider = p_provider;
    RETURN 1 + (SELECT count(*) FROM balansity.outage WHERE provider = p_provider AND begun_by = p_message_id);
END $$;

COMMENT ON FUNCTION balansity.provider_failed(p_provider text, p_reason text, p_worker text, p_message_id uuid) IS 'A provider took nothing: it is away, and is asked once after each pause, which grow. Returns 0 where that was known; else
how many times it is now that this message has seemed to begin an outage.';

CREATE FUNCTION balansity.provider_silent(p_provider text, p_reason text, p_worker text, p_message_id uuid) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    present constant timestamptz := balansity.now();
    most constant integer := 3;
    known balansity.provider_state;
BEGIN
    INSERT INTO balansity.provider_state AS s (provider, state, since, noticed_by, silences, next_probe_at)
    VALUES (p_provider, 'available', present, p_worker, 1, present)
    ON CONFLICT (provider) DO UPDATE SET silences = s.silences + 1
    RETURNING * INTO known;
    DELETE FROM balansity.held_message WHERE message_id = p_message_id;
    IF known.state = 'available' AND known.silences < most THEN
        RETURN 0;
    END IF;
    RETURN balansity.provider_failed(p_provider, p_reason, p_worker, p_message_id);
END $$;

COMMENT ON FUNCTION balansity.provider_silent(p_provider text, p_reason text, p_worker text, p_message_id uuid) IS 'A call got no answer. One may be bad luck; where three in a row do, or the one that was to probe, the provider is away.
Returns what provider_failed does, 0 where it still counts as available.';

CREATE FUNCTION balansity.provider_unasked(p_provider text, p_message_id uuid) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    UPDATE balansity.provider_state SET state = 'away', next_probe_at = balansity.now()
    WHERE provider = p_provider AND state = 'probing' AND probe = p_message_id;
    DELETE FROM balansity.held_message WHERE message_id = p_message_id;
END $$;

COMMENT ON FUNCTION balansity.provider_unasked(p_provider text, p_message_id uuid) IS 'The message had nothing to ask of the provider after all: if it was to probe, the next one is.';

CREATE FUNCTION balansity.provider_worked(p_provider text, p_worker text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    present constant timestamptz := balansity.now();
    remembered constant interval := '90 days';
    known balansity.provider_state;
BEGIN
    SELECT * INTO known FROM balansity.provider_state WHERE provider = p_provider FOR UPDATE;
    IF known.state IN ('available', 'unheard') THEN
        UPDATE balansity.provider_state SET silences = 0 WHERE provider = p_provider;
    END IF;
    IF known IS NULL OR known.state IN ('available', 'unheard') THEN
        RETURN false;
    END IF;
    UPDATE balansity.provider_state
    SET state = 'available', since = present, reason = NULL, noticed_by = p_worker, begun_by = NULL, probes = 0
    WHERE provider = p_provider;
    INSERT INTO balansity.outage (provider, began_at, ended_at, begun_by)
    VALUES (p_provider, known.since, present, known.begun_by);
    DELETE FROM balansity.outage WHERE provider = p_provider AND ended_at < present - remembered;
    PERFORM balansity.let_go(p_provider, 1000);
    RETURN true;
END $$;

COMMENT ON FUNCTION balansity.provider_worked(p_provider text, p_worker text) IS 'A provider answers: what was held for it is due, in the order of its deadlines, the first thousand at once. Whether it
was away. One that is unheard of answers, too: only its events end that.';

CREATE FUNCTION balansity.purge_strays(p_ledger text, p_before timestamp with time zone, p_most integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
    time_column text;
    purged bigint;
BEGIN
    SELECT l.time_column INTO STRICT time_column FROM balansity.ledgers() AS l WHERE l.ledger = p_ledger;
    EXECUTE format('DELETE FROM balansity.%1$I WHERE ctid = ANY (ARRAY(SELECT ctid FROM balansity.%1$I WHERE %2$I < $1 LIMIT $2))',
                   p_ledger || '_other', time_column)
    USING least(p_before, clock_timestamp() - balansity.kept_in_any_case()), p_most;
    GET DIAGNOSTICS purged = ROW_COUNT;
    RETURN purged;
END $_$;

COMMENT ON FUNCTION balansity.purge_strays(p_ledger text, p_before timestamp with time zone, p_most integer) IS 'Deletes what came in months that had no table, p_most rows at most; how many. An owner''s work, which workers ask for.';

CREATE FUNCTION balansity.put_at_stake(p_provider text, p_message_id uuid) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    first_pause constant interval := '5 minutes';
    longest_pause constant interval := '1 hour';
BEGIN
    UPDATE balansity.provider_state
    SET probes = probes + 1,
        next_probe_at = balansity.now() + least(first_pause * 2 ^ least(probes, 10), longest_pause)
    WHERE provider = p_provider;
    DELETE FROM balansity.held_message WHERE message_id = p_message_id;
END $$;

COMMENT ON FUNCTION balansity.put_at_stake(p_provider text, p_message_id uuid) IS 'Lets a mail go to a provider that is unheard of, which may drop it; the next probe is the later for it.';

CREATE FUNCTION balansity.reader_name(p_user_id uuid) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT left(first_name, 200) FROM public.profiles -- more than a name may have
    WHERE user_id = p_user_id AND type = 'parent'
    ORDER BY to_jsonb(profiles) ->> 'created_at', id -- a column that older deployments lack
    LIMIT 1;
$$;

COMMENT ON FUNCTION balansity.reader_name(p_user_id uuid) IS 'How a mail greets this user: the first name of their own profile, NULL if they have none.';

CREATE FUNCTION balansity.record_event(p_id text, p_delivery_id uuid, p_kind text, p_detail text, p_occurred_at timestamp with time zone) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
    next_state text := CASE p_kind
        WHEN 'processed' THEN 'sent' WHEN 'deferred' THEN 'sent' WHEN 'blocked' THEN 'bounced' ELSE p_kind
    END;
    known balansity.delivery;
BEGIN
    SELECT * INTO known FROM balansity.delivery
    WHERE id = p_delivery_id AND planned_at = balansity.when_planned(p_delivery_id)
    FOR NO KEY UPDATE; -- so that of the same event twice the second sees the first
    IF NOT FOUND OR EXISTS (
        SELECT FROM balansity.delivery_event e
        WHERE e.delivery_id = p_delivery_id AND e.id = p_id AND e.received_at >= balansity.earliest(known.planned_at)
    ) THEN
        RETURN false;
    END IF;
    INSERT INTO balansity.delivery_event (id, delivery_id, kind, detail, occurred_at, received_at)
    VALUES (p_id, p_delivery_id, p_kind, CASE WHEN known.recipient IS NOT NULL THEN p_detail END, p_occurred_at,
        balansity.now() + (clock_timestamp() - now())); -- a batch is one transaction: its events keep their order

    UPDATE balansity.delivery d
    SET state = next_state,
        reason = CASE WHEN next_state IN ('dropped', 'bounced') AND d.recipient IS NOT NULL THEN p_detail END,
        sent_at = coalesce(d.sent_at, p_occurred_at),
        changed_at = balansity.now()
    WHERE (d.id, d.planned_at) = (known.id, known.planned_at)
      AND (d.attempts > 0 OR d.held_at IS NOT NULL) -- else it never left, whatever anyone reports
      AND balansity.delivery_progress(next_state) > balansity.delivery_progress(d.state);

    -- A refusal for good, or a complaint. `blocked` is a refusal for today, `dropped` a refusal by the provider's own list.
    INSERT INTO balansity.suppression (address, reason, delivery_id, since)
    SELECT lower(known.recipient), p_kind, known.id, balansity.now()
    WHERE known.recipient IS NOT NULL AND p_kind IN ('bounced', 'complained')
    ON CONFLICT (address) DO UPDATE SET reason = excluded.reason, delivery_id = excluded.delivery_id, since = excluded.since
    WHERE balansity.suppression_reach(suppression.reason) < balansity.suppression_reach(excluded.reason);
    RETURN true;
END $$;

COMMENT ON FUNCTION balansity.record_event(p_id text, p_delivery_id uuid, p_kind text, p_detail text, p_occurred_at timestamp with time zone) IS 'Takes in one event. Returns whether it was news: false for a repetition or a delivery that nobody knows. The provider''s
words may quote an address: they are dropped where the person has been forgotten.';

CREATE FUNCTION balansity.record_events(p_events jsonb, p_zone text, p_at timestamp with time zone) RETURNS bigint
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    WITH sent AS (
        SELECT e.*, sha256(convert_to(e.key, 'UTF8')) AS digest
        FROM jsonb_to_recordset(p_events)
            AS e (key text, type text, occurred_at timestamptz, user_id uuid, facts jsonb)
    ), added AS (
        INSERT INTO balansity.analytics_event (key, type, occurred_at, day, user_id, facts, received_at)
        SELECT DISTINCT ON (digest)
            digest, type, occurred_at, (occurred_at AT TIME ZONE p_zone)::date, user_id, facts, p_at
        FROM sent
        ORDER BY digest
        ON CONFLICT (key) DO NOTHING
        RETURNING day, type
    ), counted AS (
        INSERT INTO balansity.analytics_daily AS daily (day, type, events)
        SELECT day, type, count(*) FROM added GROUP BY day, type ORDER BY day, type
        ON CONFLICT (day, type) DO UPDATE SET events = daily.events + excluded.events
    )
    SELECT count(*) FROM added
$$;

COMMENT ON FUNCTION balansity.record_events(p_events jsonb, p_zone text, p_at timestamp with time zone) IS 'Keeps those of p_events (an array of key, type, occurred_at, user_id, facts) that are new; returns how many were.
Both inserts go in the order of their keys: two batches that overlap wait for each other and never deadlock.';

CREATE FUNCTION balansity.recount_events(p_keys bytea[], p_zone text) RETURNS bigint
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    -- Under their locks: a second call at the same time finds them on their day, and does not move their counts twice.
    WITH misplaced AS (
        SELECT key, type, day, (occurred_at AT TIME ZONE p_zone)::date AS right_day
        FROM balansity.analytics_event
        WHERE key = ANY (p_keys) AND day <> (occurred_at AT TIME ZONE p_zone)::date
        ORDER BY key
        FOR UPDATE
    ), moved AS (
        UPDATE balansity.analytics_event e SET day = m.right_day FROM misplaced m WHERE m.key = e.key
    ), counted AS (
        INSERT INTO balansity.analytics_daily AS daily (day, type, events)
        SELECT day, type, sum(change)
        FROM (SELECT day, type, -1 FROM misplaced UNION ALL SELECT right_day, type, 1 FROM misplaced)
            AS c (day, type, change)
        GROUP BY day, type
        ORDER BY day, type
        ON CONFLICT (day, type) DO UPDATE SET events = daily.events + excluded.events
    )
    SELECT count(*) FROM misplaced
$$;

COMMENT ON FUNCTION balansity.recount_events(p_keys bytea[], p_zone text) IS 'Moves those of these events that stand on another day than theirs to it, and their counts with them; returns how many.
What was counted of events that are no longer kept stays.';

CREATE FUNCTION balansity.release_appointment(p_payment public.payments, p_now timestamp with time zone) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT balansity.change_appointment(a.id, 'cancelled', a.payment_id, p_now)
    FROM public.appointments a
    WHERE a.id = balansity.appointment_of(p_payment) AND a.user_id = p_payment.user_id AND a.status = 'pending'
      AND (a.payment_id = p_payment.id OR balansity.is_unpaid(a.payment_id))
      AND NOT EXISTS ( -- another try at paying for it
          SELECT FROM public.payments o
          WHERE o.user_id = p_payment.user_id AND o.id <> p_payment.id
            AND o.status IN ('pending', 'processing', 'completed')
            AND balansity.uuid_in(o.metadata, 'appointment_id') = a.id
      )
    FOR NO KEY UPDATE OF a
$$;

COMMENT ON FUNCTION balansity.release_appointment(p_payment public.payments, p_now timestamp with time zone) IS 'A cancelled payment frees the consultation that waited for it. A failed one does not: the payer may try again.';

CREATE FUNCTION balansity.release_held(p_limit integer) RETURNS TABLE(id uuid, refusal text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    held balansity.delivery;
BEGIN
    UPDATE balansity.restore SET released_at = clock_timestamp() WHERE released_at IS NULL;
    DELETE FROM balansity.doubtful_mail;
    FOR held IN
        SELECT * FROM balansity.delivery d WHERE d.state = 'unknown' AND d.held_at IS NOT NULL
        ORDER BY d.planned_at LIMIT p_limit FOR UPDATE SKIP LOCKED
    LOOP
        id := held.id;
        refusal := CASE WHEN dramatiq.send_again(held.message_id::uuid) IS NOT TRUE
                        THEN 'its message is no longer kept: order the mail anew, under another key' END;
        UPDATE balansity.delivery d
        SET state = CASE WHEN refusal IS NULL THEN 'planned' ELSE 'failed' END,
            reason = coalesce(refusal, 'let go after a restore'), held_at = NULL, vouched_at = clock_timestamp(),
            changed_at = balansity.now()
        WHERE (d.id, d.planned_at) = (held.id, held.planned_at);
        RETURN NEXT;
    END LOOP;
END $$;

COMMENT ON FUNCTION balansity.release_held(p_limit integer) IS 'A person''s decision that what a restore holds is to be sent, as far as it is still true: p_limit of them at most, and
whatever comes to be held later not at all. The mails keep their Message-IDs, so one that did arrive is no second one.';

CREATE FUNCTION balansity.release_keys(p_ids uuid[]) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    WITH released AS (
        DELETE FROM balansity.delivery_key
        WHERE id = ANY (p_ids) AND planned_at < clock_timestamp() - balansity.kept_in_any_case()
        RETURNING 1
    )
    SELECT count(*) FROM released;
$$;

COMMENT ON FUNCTION balansity.release_keys(p_ids uuid[]) IS 'Gives the keys of old deliveries back, before their month is dropped; how many. An owner''s work.';

CREATE FUNCTION balansity.release_reminder(p_key text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF p_key ~* '^reminder:(24h|1h):[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:' THEN
        DELETE FROM balansity.reminder
        WHERE appointment_id = split_part(p_key, ':', 3)::uuid
          AND p_key = concat_ws(':', 'reminder', kind, appointment_id, balansity.iso_utc(scheduled_at));
    END IF;
END $$;

COMMENT ON FUNCTION balansity.release_reminder(p_key text) IS 'The claim of a reminder that was superseded is given up: if it becomes true again, it is due again.';

CREATE FUNCTION balansity.reminders_between(p_from timestamp with time zone, p_until timestamp with time zone) RETURNS TABLE(appointment_id uuid, kind text, scheduled_at timestamp with time zone, due_at timestamp with time zone, user_id uuid, email text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT a.id, r.kind, a.scheduled_at, greatest(a.scheduled_at - r.before, p_from), a.user_id, u.email
    FROM public.appointments a
    JOIN public.users u ON u.id = a.user_id
    CROSS JOIN (VALUES ('24h', interval '24 hours', interval '1 hour'), ('1h', interval '1 hour', interval '0'))
        AS r (kind, before, until)
    WHERE a.status IN ('scheduled', 'confirmed')
      AND a.scheduled_at > p_from AND a.scheduled_at < p_until + interval '24 hours'
      -- Arithmetic on our own times alone: a row's may be at the end of all.
      AND a.scheduled_at < p_until + r.before AND a.scheduled_at > p_from + r.until
      AND NOT EXISTS (
          SELECT FROM balansity.reminder sent
          WHERE (sent.appointment_id, sent.kind, sent.scheduled_at) = (a.id, r.kind, a.scheduled_at)
      )
$$;

COMMENT ON FUNCTION balansity.reminders_between(p_from timestamp with time zone, p_until timestamp with time zone) IS 'The reminders due in a window of time and not sent yet. One is due from its moment until the next one''s, so an
appointment booked or moved late is reminded at once, and an outage is made up for.';

CREATE FUNCTION balansity.resend_delivery(p_id uuid, p_reporting text[]) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

COMMENT ON FUNCTION balansity.resend_delivery(p_id uuid, p_reporting text[]) IS 'A person''s decision to send what failed, what nobody can vouch for, or what one of the providers that report on their
mails (p_reporting) has accepted and said no more of: its message is enqueued again, and the mail shows beside an earlier
copy. Returns why that cannot be, NULL where it was done.';

CREATE FUNCTION balansity.revoke_payment(p_payment public.payments, p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    PERFORM balansity.change_appointment(a.id, 'cancelled', a.payment_id, p_now)
    FROM public.appointments a
    WHERE a.payment_id = p_payment.id AND a.status IN ('pending', 'scheduled', 'confirmed')
    FOR NO KEY UPDATE;
    PERFORM balansity.empty_purchase(u.id)
    FROM public.package_purchases u
    WHERE u.payment_id = p_payment.id AND u.sessions_remaining > 0
    FOR NO KEY UPDATE;
END $$;

COMMENT ON FUNCTION balansity.revoke_payment(p_payment public.payments, p_now timestamp with time zone) IS 'Takes back what a payment gave: its consultation if that is still to come, its unused sessions.';

CREATE FUNCTION balansity.scores_by_site(p_assessment_id uuid, p_assessment_type text) RETURNS jsonb
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'extensions', 'pg_temp'
    AS $_$
DECLARE
    function_name text := format('calculate_%s_scores', p_assessment_type);
    scores jsonb;
BEGIN
    IF p_assessment_type NOT IN ('checkup', 'parent', 'family') OR NOT EXISTS (
        SELECT FROM pg_proc p, pg_roles r, pg_class c
        WHERE p.oid = to_regprocedure(format('public.%I(uuid)', function_name))
          AND p.prorettype IN ('jsonb'::regtype, 'json'::regtype) AND NOT p.proretset
          AND r.oid = p.proowner AND c.oid = to_regclass('public.assessments')
          AND (r.rolsuper OR r.rolbypassrls OR pg_has_role(r.oid, c.relowner, 'USAGE'))
    ) THEN
        RETURN NULL;
    END IF;
    EXECUTE format('SELECT to_jsonb(public.%I($1))', function_name) INTO scores USING p_assessment_id;
    RETURN coalesce(scores, '{}');
END $_$;

COMMENT ON FUNCTION balansity.scores_by_site(p_assessment_id uuid, p_assessment_type text) IS 'What calculate_checkup_scores, calculate_parent_scores or calculate_family_scores of the site says; NULL where there is none,
or one that somebody else made: what the site decides counts more than any table of ours. It runs as whoever asks. Its
path has public, for the site''s functions look for their tables there; what it raises is raised.';

CREATE FUNCTION balansity.send_mail(p_user_id uuid, p_key text, p_template text, p_subject text, p_variables jsonb, p_line text DEFAULT NULL::text) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT pgmq.send('email_queue', jsonb_build_object(
        'to', balansity.email_of(p_user_id),
        'subject', p_subject,
        'template', p_template,
        'variables', p_variables,
        'priority', 0,
        'created_at', balansity.iso_utc(balansity.now()),
        'key', p_key,
        'user_id', p_user_id
    ) || CASE WHEN p_line IS NULL THEN '{}' ELSE jsonb_build_object('line', p_line) END)
$$;

COMMENT ON FUNCTION balansity.send_mail(p_user_id uuid, p_key text, p_template text, p_subject text, p_variables jsonb, p_line text) IS 'A mail by way of email_queue; p_key is its business key, so that a replay of its cause is not a second mail. Mails of one
p_line leave one after another, in the order of their causes.';

CREATE FUNCTION balansity.serves(p_handler text) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT count(*) = 1 AND bool_and(
        t.tgrelid = to_regclass(format('public.%I', e.table_name)) AND t.tgenabled IN ('O', 'A')
        AND t.tgtype::integer = 1 + CASE e.event WHEN 'INSERT' THEN 4 ELSE 16 END -- after, each row, this event alone
        AND t.tgattr = '' AND p.proowner = to_regrole(current_user) AND balansity.hears_all(t.oid)
        AND p.prosecdef) -- as ours: a statement under way may run the new body with the old one's rights
    FROM balansity.site_event e
    JOIN pg_proc p ON p.oid = to_regprocedure(format('public.%I()', e.handler))
    JOIN pg_trigger t ON t.tgfoid = p.oid
    WHERE e.handler = p_handler;
$$;

COMMENT ON FUNCTION balansity.serves(p_handler text) IS 'Whether the site''s trigger may stay, because whatever ours has to hear of makes it call public.<handler> once, and what it
calls may become ours between two rows of a statement.';

CREATE FUNCTION balansity.settle_payment(p_payment_id uuid, p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    payment public.payments;
    replay boolean;
BEGIN
    -- No stronger lock: the site, inserting what refers to this payment at the same moment, would end in a deadlock.
    SELECT * INTO payment FROM public.payments WHERE id = p_payment_id FOR NO KEY UPDATE;
    IF (payment.status IN ('completed', 'failed', 'cancelled', 'refunded')) IS NOT TRUE
        OR balansity.is_halted(payment.id) OR balansity.is_claimed(payment.id) THEN
        RETURN;
    END IF;
    -- Anybody can write that a payment failed: that takes it for no row.
    IF balansity.is_anothers(payment) OR payment.status = 'completed' AND NOT balansity.pays_for(payment) THEN
        PERFORM balansity.flag_anothers(payment.id, p_now);
        RETURN;
    END IF;
    INSERT INTO balansity.payment_settlement (payment_id, status, settled_at, attempt)
    VALUES (payment.id, payment.status, p_now, balansity.payment_attempt(payment, payment.status))
    ON CONFLICT DO NOTHING;
    replay := NOT FOUND;
    PERFORM balansity.carry_out(payment, replay, p_now);
    IF NOT replay THEN
        PERFORM balansity.flag_anothers(o.id, p_now)
        FROM public.payments o
        WHERE o.external_payment_id = payment.external_payment_id AND balansity.is_anothers(o);
        PERFORM balansity.announce_payment(payment, p_now);
    END IF;
END $$;

COMMENT ON FUNCTION balansity.settle_payment(p_payment_id uuid, p_now timestamp with time zone) IS 'What the payment''s present status requires. Safe to repeat: mail and event go out once.';

CREATE FUNCTION balansity.signs_of(p_user_id uuid) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
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

COMMENT ON FUNCTION balansity.signs_of(p_user_id uuid) IS 'A person, and what gives them away in a text in lower case: ids with | between them, and addresses as a regular expression;
null matches nothing.';

CREATE FUNCTION balansity.site_pgmq_archive(queue_name text, msg_id bigint) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$ SELECT dramatiq.archive_pgmq($1, $2); $_$;

COMMENT ON FUNCTION balansity.site_pgmq_archive(queue_name text, msg_id bigint) IS 'Says that a message which was read is done; whether it was there.';

CREATE FUNCTION balansity.site_pgmq_metrics(queue_name text, OUT queue text, OUT queue_length bigint, OUT newest_msg_age_sec integer, OUT oldest_msg_age_sec integer, OUT total_messages bigint, OUT waiting bigint, OUT delayed bigint, OUT in_flight bigint, OUT done bigint, OUT dead bigint) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
    PERFORM dramatiq.check_pgmq_queue($1);
    queue := $1;
    SELECT m.queue_length, m.newest_msg_age_sec, m.oldest_msg_age_sec, m.total_messages, b.*
    INTO queue_length, newest_msg_age_sec, oldest_msg_age_sec, total_messages, waiting, delayed, in_flight, done, dead
    FROM pgmq.metrics($1) AS m, dramatiq.count_bridged($1) AS b;
END $_$;

COMMENT ON FUNCTION balansity.site_pgmq_metrics(queue_name text, OUT queue text, OUT queue_length bigint, OUT newest_msg_age_sec integer, OUT oldest_msg_age_sec integer, OUT total_messages bigint, OUT waiting bigint, OUT delayed bigint, OUT in_flight bigint, OUT done bigint, OUT dead bigint) IS 'What waits in pgmq, and what became of the messages that the bridge moved to the broker: one row, so that an rpc gives one
object.';

CREATE FUNCTION balansity.site_pgmq_nack(queue_name text, msg_id bigint) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$ SELECT dramatiq.nack_pgmq($1, $2); $_$;

COMMENT ON FUNCTION balansity.site_pgmq_nack(queue_name text, msg_id bigint) IS 'Gives a message that was read back: it may be read again at once.';

CREATE FUNCTION balansity.site_pgmq_read(queue_name text, vt integer DEFAULT 30) RETURNS jsonb
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$ SELECT dramatiq.read_pgmq($1, $2); $_$;

COMMENT ON FUNCTION balansity.site_pgmq_read(queue_name text, vt integer) IS 'Takes the next message of a queue, for code of the old set-up: nobody else gets it for `vt` seconds. NULL where none waits.';

CREATE FUNCTION balansity.site_queue_email_task(p_to text, p_subject text, p_template text, p_variables jsonb DEFAULT '{}'::jsonb, p_priority integer DEFAULT 0) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT pgmq.send('email_queue', jsonb_build_object(
        'to', p_to, 'subject', p_subject, 'template', p_template, 'variables', coalesce(p_variables, '{}'),
        'priority', coalesce(p_priority, 0), 'created_at', now()));
$$;

COMMENT ON FUNCTION balansity.site_queue_email_task(p_to text, p_subject text, p_template text, p_variables jsonb, p_priority integer) IS 'Orders a mail, in the transaction of the caller: to whom, its subject, its template and what stands in that; a higher
priority leaves earlier. Gives the number of the message in pgmq.';

CREATE FUNCTION balansity.site_queue_payment_processing(p_payment_id uuid, p_action text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF p_action IS NULL OR p_action NOT IN ('verify', 'refund', 'update_status') THEN
        RAISE EXCEPTION 'No payment action is called %.', coalesce(quote_literal(p_action), 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'There are: verify, refund, update_status.';
    END IF;
    RETURN pgmq.send('payment_processing_queue', jsonb_build_object(
        'payment_id', p_payment_id, 'action', p_action, 'created_at', now()));
END $$;

COMMENT ON FUNCTION balansity.site_queue_payment_processing(p_payment_id uuid, p_action text) IS 'Orders that a payment be verified at the provider, refunded, or its status taken on. Gives the message''s number.';

CREATE FUNCTION balansity.site_queue_report_generation(p_assessment_id uuid, p_user_id uuid, p_report_type text DEFAULT 'pdf'::text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF p_report_type IS NULL OR p_report_type NOT IN ('pdf', 'csv', 'json') THEN
        RAISE EXCEPTION 'No report type is called %.', coalesce(quote_literal(p_report_type), 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'There are: pdf, csv, json.';
    END IF;
    RETURN pgmq.send('report_generation_queue', jsonb_build_object(
        'assessment_id', p_assessment_id, 'user_id', p_user_id, 'report_type', p_report_type, 'created_at', now()));
END $$;

COMMENT ON FUNCTION balansity.site_queue_report_generation(p_assessment_id uuid, p_user_id uuid, p_report_type text) IS 'Orders the report of a completed check-up (pdf, csv or json), which is mailed to its user. Gives the message''s number.';

CREATE FUNCTION balansity.site_send_appointment_reminders() RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT pgmq.send('email_queue', jsonb_build_object(
        'to', due.email, 'subject', 'Напоминание о консультации', 'template', 'appointment_reminder_' || due.kind,
        'variables', jsonb_build_object(
            'appointment_id', due.appointment_id, 'scheduled_at', balansity.iso_utc(due.scheduled_at)),
        'priority', 10, 'created_at', now(), 'user_id', due.user_id,
        'key', concat_ws(':', 'reminder', due.kind, due.appointment_id, balansity.iso_utc(due.scheduled_at))))
    FROM balansity.claim_reminders(balansity.now(), balansity.now()) AS due;
$$;

COMMENT ON FUNCTION balansity.site_send_appointment_reminders() IS 'Sends the reminders that are due and that nobody has sent, as our job does.';

CREATE FUNCTION balansity.site_update_appointment_statuses() RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT balansity.update_appointment_statuses(balansity.now());
$$;

COMMENT ON FUNCTION balansity.site_update_appointment_statuses() IS 'Begins and completes consultations by the rules of our job, for the dashboard; a caller can change nothing that the job
would not.';

CREATE FUNCTION balansity.status_changes_until(p_until timestamp with time zone) RETURNS TABLE(appointment_id uuid, status text, due_at timestamp with time zone)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT a.id, 'in_progress', a.scheduled_at
    FROM public.appointments a
    WHERE a.status IN ('scheduled', 'confirmed') AND a.scheduled_at <= p_until
    UNION ALL
    SELECT a.id, 'completed', o.over_at
    FROM public.appointments a
    LEFT JOIN public.appointment_types t ON t.id = a.appointment_type_id
    CROSS JOIN LATERAL ( -- once for each, and in line
        SELECT balansity.over_at(
            a.scheduled_at, balansity.minutes_of(to_jsonb(a) ->> 'duration_minutes', t.duration_minutes::text)) OFFSET 0
    ) AS o (over_at)
    WHERE a.status IN ('scheduled', 'confirmed', 'in_progress') AND a.scheduled_at <= p_until AND o.over_at <= p_until
$$;

COMMENT ON FUNCTION balansity.status_changes_until(p_until timestamp with time zone) IS 'What update_appointment_statuses is going to do by a given time, each change from the moment it is due.';

CREATE FUNCTION balansity.stray_rows() RETURNS bigint
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT count(*) FROM (
        (SELECT FROM balansity.delivery_other LIMIT 10000)
        UNION ALL (SELECT FROM balansity.delivery_attempt_other LIMIT 10000)
        UNION ALL (SELECT FROM balansity.delivery_event_other LIMIT 10000)
    ) AS first;
$$;

COMMENT ON FUNCTION balansity.stray_rows() IS 'How many rows of the ledger came in months that had no table, counted up to 10,000 of each kind. They leave after their
time, row by row.';

CREATE FUNCTION balansity.suppression_reach(p_reason text) RETURNS integer
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT array_position('{unsubscribed,bounced,complained}', p_reason);
$$;

COMMENT ON FUNCTION balansity.suppression_reach(p_reason text) IS 'How much a suppression stops, beside others: an address has one, that which stops most.';

CREATE FUNCTION balansity.system_identifier() RETURNS bigint
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') THEN
        RETURN (SELECT s.system_identifier FROM pg_catalog.pg_control_system() s);
    END IF;
    RETURN NULL;
END $$;

COMMENT ON FUNCTION balansity.system_identifier() IS 'What initdb called this server: its standbys and physical copies share it. NULL where this role may not ask.';

CREATE FUNCTION balansity.take_alarm_turn(p_lease interval) RETURNS boolean
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    WITH taken AS (
        UPDATE balansity.alarm_turn SET next_at = clock_timestamp() + p_lease
        -- One that lies further ahead than any lease was taken before the clock was set back.
        WHERE next_at <= clock_timestamp() OR next_at > clock_timestamp() + p_lease
        RETURNING 1
    )
    SELECT EXISTS (SELECT FROM taken);
$$;

COMMENT ON FUNCTION balansity.take_alarm_turn(p_lease interval) IS 'Whether it is the caller''s turn; nobody else has one until it is ended, or for p_lease where its holder dies.';

CREATE FUNCTION balansity.take_over() RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    obstacles text;
    running text;
    step record;
    steps bigint := 0;
    user_of_it text;
BEGIN
    PERFORM dramatiq.take_turn('balansity.take_over');
    SELECT string_agg(s.obstacle, '; ') INTO obstacles FROM balansity.take_over_steps() s;
    IF obstacles IS NOT NULL THEN
        RAISE EXCEPTION 'Nothing was changed: %.', obstacles;
    END IF;
    SELECT string_agg(j.name, ', ') INTO running FROM balansity.old_jobs() j WHERE j.running;
    IF running IS NOT NULL THEN -- what it sends meanwhile would be no evidence yet
        RAISE EXCEPTION 'Nothing was changed: an old job runs at this moment (%). Do this again when it has ended.', running;
    END IF;
    FOR step IN SELECT * FROM balansity.take_over_steps() LOOP
        PERFORM balansity.keep(step.kind, step.name);
        EXECUTE step.statement;
        steps := steps + 1;
    END LOOP;
    PERFORM balansity.close_site_functions();
    PERFORM balansity.grant_rights();
    RETURN steps;
EXCEPTION WHEN dependent_objects_still_exist THEN
    GET STACKED DIAGNOSTICS user_of_it = PG_EXCEPTION_DETAIL;
    RAISE EXCEPTION '% must make way for ours, but %: drop what depends on it and do this again.', step.name, user_of_it;
END $$;

COMMENT ON FUNCTION balansity.take_over() IS 'Puts ours in charge, in the caller''s transaction, without a lock on any table of the site''s but those whose old triggers
cannot become ours; returns how many steps that took. Again, it mends what has come back since.';

CREATE FUNCTION balansity.take_over_steps() RETURNS TABLE(kind text, name text, what text, statement text, obstacle text)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    idle constant text := 'BEGIN IF TG_OP = ''DELETE'' THEN RETURN OLD; END IF; RETURN NEW; END';
    queues constant text[] := '{email_queue, report_generation_queue, payment_processing_queue, analytics_queue}';
BEGIN
    RETURN QUERY
    SELECT 'job', j.id::text, format('ends the pg_cron job %s (%s, of role %s)', j.name, j.schedule, j.owner),
           format('SELECT cron.unschedule(%s::bigint)', j.id),
           CASE WHEN j.owner <> current_user AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
               format('pg_cron job %s (%s) belongs to role %s: as that role, or as a superuser, run '
                      '"SELECT cron.unschedule(%s)"', j.name, j.id, j.owner, j.id) END
    FROM balansity.old_jobs() AS j;

    RETURN QUERY
    SELECT 'function', h.oid::regprocedure::text,
           CASE WHEN d.ours IS NULL THEN 'does nothing any more: a trigger of ours stands beside' ELSE 'becomes ours' END,
           coalesce(d.ours, concat(balansity.lock_sources(h.oid), format(
               'CREATE OR REPLACE FUNCTION %s RETURNS trigger LANGUAGE plpgsql AS %L', h.oid::regprocedure, idle))),
           balansity.owner_obstacle(p.proowner, h.oid::regprocedure::text)
    FROM balansity.old_handlers() AS h
    JOIN pg_proc p ON p.oid = h.oid
    CROSS JOIN balansity.in_public(to_regprocedure('balansity.' || h.handler || '()')) AS d (ours)
    WHERE CASE WHEN d.ours IS NULL THEN p.prosrc <> idle ELSE pg_get_functiondef(p.oid) <> d.ours END;

    RETURN QUERY
    SELECT 'function', o.oid::regprocedure::text, 'makes way for ours', format('DROP ROUTINE %s', o.oid::regprocedure),
           balansity.owner_obstacle(o.proowner, o.oid::regprocedure::text)
    FROM pg_proc o
    WHERE o.pronamespace = 'public'::regnamespace AND o.proname IN (SELECT f.name FROM balansity.site_function f)
      AND NOT EXISTS (SELECT FROM balansity.site_function f WHERE balansity.is_twin(f.oid, o.oid));

    RETURN QUERY
    SELECT 'function', coalesce(o.oid::regprocedure::text, ''),
           CASE WHEN o.oid IS NULL THEN format('creates public.%s', f.name) ELSE 'becomes ours' END,
           balansity.in_public(f.oid) || coalesce(
               format('; COMMENT ON FUNCTION public.%I IS ', f.name) || quote_literal(obj_description(f.oid, 'pg_proc')), ''),
           NULL
    FROM balansity.site_function f
    LEFT JOIN pg_proc o ON o.pronamespace = 'public'::regnamespace AND o.proname = f.name
                       AND balansity.is_twin(f.oid, o.oid)
    WHERE o.oid IS NULL OR pg_get_functiondef(o.oid) <> balansity.in_public(f.oid);

    RETURN QUERY
    SELECT 'view', format('pgmq.%s', queue), 'makes way for ours',
           format('DROP VIEW pgmq.%I; SELECT dramatiq.furnish_queue(%L)', queue, queue),
           balansity.owner_obstacle(c.relowner, 'pgmq.' || queue)
    FROM unnest(queues) AS queue
    JOIN pg_class c ON c.oid = to_regclass(format('pgmq.%I', queue)) AND c.relkind = 'v'
    WHERE pg_get_viewdef(c.oid) NOT LIKE '%pgmq_msg_id%';

    IF NOT balansity.in_charge() THEN
        RETURN QUERY VALUES
        ('evidence', '', 'notes who has been reminded', 'SELECT balansity.note_told_reminders()', NULL),
        ('evidence', '', 'notes what was paid at the provider', 'SELECT balansity.note_paid()', NULL),
        ('jobs', '', 'our jobs begin with their next slots',
         'UPDATE balansity.job SET planned_until = balansity.now()', NULL),
        ('routes', '', 'our workers take what waits in pgmq', 'SELECT dramatiq.release_routes()', NULL),
        ('switch', '', 'our triggers begin',
         replace(pg_get_functiondef('balansity.in_charge()'::regprocedure), 'SELECT false', 'SELECT true'), NULL);
    END IF;
END $$;

COMMENT ON FUNCTION balansity.take_over_steps() IS 'What it takes to put ours in charge of this database, in order; nothing where it is so. With an obstacle, for a person to
clear away, nothing is done at all.';

CREATE FUNCTION balansity.take_places(p_provider text, p_places integer, p_spacing interval, p_patience interval) RETURNS interval
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
DECLARE
    held constant timestamptz := balansity.hold_pace(p_provider);
    present constant timestamptz := balansity.now();
    place constant timestamptz := greatest(held, present);
BEGIN
    IF place <= present + p_patience THEN
        UPDATE balansity.mail_pace SET free_at = place + p_places * p_spacing WHERE provider = p_provider AND free_at = held;
    END IF;
    RETURN place - present;
END $$;

COMMENT ON FUNCTION balansity.take_places(p_provider text, p_places integer, p_spacing interval, p_patience interval) IS 'Takes the next p_places places in the provider''s line; returns how long it is until the first of them. A place that
is further away than p_patience is not taken: the caller comes back later.';

CREATE FUNCTION balansity.take_probe(p_provider text, p_message_id uuid) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    present constant timestamptz := balansity.now();
BEGIN
    UPDATE balansity.provider_state
    SET state = 'probing', probe = p_message_id, next_probe_at = present + interval '3 minutes'
    WHERE provider = p_provider AND state IN ('away', 'probing')
      AND (next_probe_at <= present OR state = 'probing' AND probe = p_message_id)
      AND NOT EXISTS (
          SELECT FROM balansity.held_message
          WHERE provider = p_provider AND message_id <> p_message_id AND deadline > present
      );
    RETURN FOUND;
END $$;

COMMENT ON FUNCTION balansity.take_probe(p_provider text, p_message_id uuid) IS 'Whether a message that has another way out is to probe a provider that is away: it is time for a probe, and nobody waits
who could be it. Never of one that is unheard of, which may drop the mail.';

CREATE FUNCTION balansity.terms_of(p_payment public.payments) RETURNS bytea
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT sha256(convert_to(jsonb_build_array(
        p_payment.user_id, trim_scale(p_payment.amount::numeric), p_payment.currency, p_payment.payment_method,
        p_payment.metadata
    )::text, 'UTF8'))
$$;

COMMENT ON FUNCTION balansity.terms_of(p_payment public.payments) IS 'A digest of whose a payment is, how much, and what for: a visitor may change any of it after the checkout.';

CREATE FUNCTION balansity.time_away(p_provider text, p_from timestamp with time zone, p_to timestamp with time zone) RETURNS interval
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT coalesce(sum(least(ended_at, p_to) - greatest(began_at, p_from)), interval '0')
    FROM (
        SELECT began_at, ended_at FROM balansity.outage WHERE provider = p_provider AND ended_at > p_from
        UNION ALL
        SELECT since, p_to FROM balansity.provider_state WHERE provider = p_provider AND state <> 'available'
    ) AS outages
    WHERE began_at < p_to;
$$;

COMMENT ON FUNCTION balansity.time_away(p_provider text, p_from timestamp with time zone, p_to timestamp with time zone) IS 'For how long a provider was away between two times: that is no time in which it could have answered.';

CREATE FUNCTION balansity.time_in(p_metadata jsonb, p_key text) RETURNS timestamp with time zone
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
    IF p_metadata ->> p_key ~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)$' THEN
        RETURN balansity.of_our_time((p_metadata ->> p_key)::timestamptz);
    END IF;
    RETURN NULL;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $_$;

CREATE FUNCTION balansity.told_reminders() RETURNS TABLE(appointment_id uuid, kind text, scheduled_at timestamp with time zone, unclear boolean, archived boolean)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
    messages regclass;
BEGIN
    FOREACH messages IN ARRAY ARRAY[to_regclass('pgmq.q_email_queue'), to_regclass('pgmq.a_email_queue')] LOOP
        CONTINUE WHEN messages IS NULL;
        RETURN QUERY EXECUTE format(
            'SELECT a.id::uuid, r.kind, a.scheduled_at, bool_and(m.at IS NULL), $1
             FROM (SELECT o.enqueued_at, o.message ->> ''template'' AS template,
                          lower(coalesce(o.message #>> ''{variables,appointment_id}'', o.message ->> ''appointment_id'')) AS id,
                          balansity.as_time(
                              coalesce(o.message #>> ''{variables,scheduled_at}'', o.message ->> ''scheduled_at'')) AS at
                   FROM %s o WHERE o.message ->> ''template'' LIKE ''appointment\_reminder\_%%'') AS m
             JOIN (VALUES (''24h'', interval ''26 hours''), (''1h'', interval ''2 hours'')) AS r (kind, ahead)
               ON m.template = ''appointment_reminder_'' || r.kind
             JOIN public.appointments a ON a.id::text = m.id
             WHERE a.scheduled_at > balansity.now()
               AND (m.at BETWEEN a.scheduled_at - interval ''1 second'' AND a.scheduled_at + interval ''1 second''
                    -- which consultation''s time it was is not said: it may be this one, had it been due by then
                    OR m.at IS NULL AND m.enqueued_at > a.scheduled_at - r.ahead)
             GROUP BY 1, 2, 3', messages)
        USING messages = to_regclass('pgmq.a_email_queue');
    END LOOP;
END $_$;

COMMENT ON FUNCTION balansity.told_reminders() IS 'Who has been reminded of a consultation to come, by the evidence: reminders of the old system, waiting or archived, for
this appointment and this time. Unclear: one that names no time. A reminder may be named twice.';

CREATE FUNCTION balansity.told_time(p_appointment_id uuid, p_key text) RETURNS timestamp with time zone
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
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

COMMENT ON FUNCTION balansity.told_time(p_appointment_id uuid, p_key text) IS 'The time of a consultation that the last mail about it named, of those that went out or may have; but for the delivery
p_key, which is in the making. NULL where no mail has named one.';

CREATE FUNCTION balansity.unheard(p_reporting text[]) RETURNS TABLE(id uuid, changed_at timestamp with time zone)
    LANGUAGE sql STABLE
    AS $$
    SELECT d.id, d.changed_at FROM balansity.delivery d
    WHERE d.state = 'sent'
      -- Mail by mail, from the month on in which it was planned: no month is read whole.
      AND (
          SELECT true FROM balansity.delivery_attempt a
          WHERE a.delivery_id = d.id AND a.started_at >= balansity.earliest(d.planned_at)
            AND a.outcome = 'sent' AND a.provider = ANY (p_reporting)
            AND a.finished_at <= balansity.now() - interval '15 minutes'
          LIMIT 1
      )
      AND (
          SELECT true FROM balansity.delivery_event e
          WHERE e.delivery_id = d.id AND e.received_at >= balansity.earliest(d.planned_at) LIMIT 1
      ) IS NULL;
$$;

COMMENT ON FUNCTION balansity.unheard(p_reporting text[]) IS 'The deliveries that one of the providers that report on their mails has accepted and said nothing more of. Without a pinned
path, which would keep it from being inlined: who wants one, or the latest, would have all found. Its callers'' paths are
safe.';

CREATE FUNCTION balansity.unheard_since(p_provider text) RETURNS timestamp with time zone
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_material TO 'off'
    AS $$
DECLARE
    patience constant interval := '15 minutes'; -- an event of a mail's acceptance comes within seconds
    pattern constant integer := 3;              -- one lost event is none, nor are two of one family's mails
    first_unheard timestamptz;
BEGIN
    SELECT min(latest.started_at) INTO first_unheard
    FROM (
        SELECT a.started_at,
            ( -- mail by mail, or all events would be hashed
                SELECT true FROM balansity.delivery_event e WHERE e.delivery_id = a.delivery_id LIMIT 1
            ) IS NOT NULL AS heard
        FROM balansity.delivery_attempt a
        WHERE a.provider = p_provider AND a.outcome = 'sent' AND a.finished_at <= balansity.now() - patience
        ORDER BY a.finished_at DESC
        LIMIT pattern
    ) AS latest
    HAVING count(*) = pattern AND NOT bool_or(latest.heard);

    -- News of a mail that left later tells of them all; of one that left before, however late it comes, of none.
    IF EXISTS (
        SELECT FROM balansity.delivery_event e
        JOIN balansity.delivery_attempt a ON a.delivery_id = e.delivery_id
        WHERE e.received_at >= first_unheard AND a.provider = p_provider AND a.started_at >= first_unheard
    ) THEN
        RETURN NULL;
    END IF;
    RETURN first_unheard;
END $$;

COMMENT ON FUNCTION balansity.unheard_since(p_provider text) IS 'When the first of the last three mails left that the provider has had for 15 minutes, if it has reported nothing of
them nor of any later one; else NULL.';

CREATE FUNCTION balansity.unsubscribe(p_delivery_id uuid) RETURNS boolean
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    WITH noted AS (
        INSERT INTO balansity.suppression AS s (address, reason, delivery_id, since, unsubscribed)
        SELECT lower(d.recipient), 'unsubscribed', d.id, balansity.now(), true
        FROM balansity.delivery d
        WHERE d.id = p_delivery_id AND d.planned_at = balansity.when_planned(p_delivery_id) AND d.recipient IS NOT NULL
        ON CONFLICT (address) DO UPDATE SET unsubscribed = true -- the reason that it has stops no less
        WHERE NOT s.unsubscribed
        RETURNING 1
    )
    SELECT EXISTS (SELECT FROM noted);
$$;

COMMENT ON FUNCTION balansity.unsubscribe(p_delivery_id uuid) IS 'Whoever got this mail wants none of those that can be done without. Returns whether that was news: false where it was
known, or the person has been forgotten.';

CREATE FUNCTION balansity.untold_alarms(p_way text) RETURNS TABLE(id bigint, check_name text, subject text, sentence jsonb, began_at timestamp with time zone, gone_at timestamp with time zone, is_over boolean, is_known boolean)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT a.id, a.check_name, a.subject, a.sentence, a.began_at, a.gone_at, a.over_at IS NOT NULL, t.way IS NOT NULL
    FROM balansity.alarm a LEFT JOIN balansity.alarm_telling t ON t.alarm_id = a.id AND t.way = p_way
    WHERE a.closed_at IS NULL AND a.stood_at IS NOT NULL
      AND (t.way IS NULL OR a.over_at IS NOT NULL AND t.over_at IS NULL)
      AND NOT EXISTS (SELECT FROM balansity.alarm_way w WHERE w.way = p_way AND w.next_at > clock_timestamp())
    ORDER BY a.id;
$$;

COMMENT ON FUNCTION balansity.untold_alarms(p_way text) IS 'What is to be told by this way now: that it began, that it is over, or both at once where the way failed meanwhile.';

CREATE FUNCTION balansity.update_appointment_statuses(p_now timestamp with time zone, p_ids uuid[] DEFAULT NULL::uuid[], OUT started bigint, OUT completed bigint) RETURNS record
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    WITH due AS (
        SELECT a.id, a.payment_id, CASE WHEN balansity.over_at(a) <= p_now THEN 'completed' ELSE 'in_progress' END AS status
        FROM public.appointments a
        WHERE (p_ids IS NULL OR a.id = ANY (p_ids))
          AND (a.status IN ('scheduled', 'confirmed') AND a.scheduled_at <= p_now
               OR a.status = 'in_progress' AND balansity.over_at(a) <= p_now)
        FOR NO KEY UPDATE
    )
    SELECT count(*) FILTER (WHERE due.status = 'in_progress'), count(*) FILTER (WHERE due.status = 'completed')
    FROM due, LATERAL balansity.change_appointment(due.id, due.status, due.payment_id, p_now)
$$;

COMMENT ON FUNCTION balansity.update_appointment_statuses(p_now timestamp with time zone, p_ids uuid[], OUT started bigint, OUT completed bigint) IS 'Of these appointments, of all where p_ids is null, begins those whose time has come and completes those that are over.
Under a lock: an appointment cancelled or moved meanwhile is looked at again as it is now.';

CREATE FUNCTION balansity.uuid_in(p_metadata jsonb, p_key text) RETURNS uuid
    LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN ((p_metadata ->> p_key) ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'::text) THEN ((p_metadata ->> p_key))::uuid ELSE NULL::uuid END;

COMMENT ON FUNCTION balansity.uuid_in(p_metadata jsonb, p_key text) IS 'Metadata is whatever the site wrote: what is no uuid, or no time with a zone, reads as null.';

CREATE FUNCTION balansity.vouch_for(p_payment public.payments) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    INSERT INTO balansity.provider_payment AS o (external_id, payment_id, terms)
    SELECT balansity.external_id(p_payment), p_payment.id, balansity.terms_of(p_payment)
    WHERE balansity.external_id(p_payment) IS NOT NULL
    ON CONFLICT (external_id) DO UPDATE SET terms = excluded.terms WHERE o.payment_id = excluded.payment_id
$$;

COMMENT ON FUNCTION balansity.vouch_for(p_payment public.payments) IS 'The service wrote this row: the payment at the provider is the row''s where it was nobody''s, and is for what stands there.';

CREATE FUNCTION balansity.waiting_payments() RETURNS TABLE(payment_id uuid, status text, since timestamp with time zone, claimed boolean)
    LANGUAGE sql STABLE
    AS $$
    SELECT p.id, p.status, coalesce(c.since, p.created_at), coalesce(c.claimed, false)
    FROM public.payments p
    LEFT JOIN balansity.payment_check c ON c.payment_id = p.id
    WHERE p.status IN ('pending', 'processing') AND p.external_payment_id IS NOT NULL
      AND balansity.is_known_to_provider(p)
    UNION ALL -- a CASE, or every completed one is asked about before the join tells that nothing waits
    SELECT p.id, p.status, coalesce(c.since, p.created_at), c.claimed
    FROM balansity.payment_check c
    JOIN public.payments p ON p.id = c.payment_id
    WHERE (c.refund_id IS NOT NULL OR c.claimed) AND p.status = 'completed'
      AND CASE WHEN c.refund_id IS NOT NULL OR c.claimed THEN balansity.is_known_to_provider(p) ELSE false END
$$;

COMMENT ON FUNCTION balansity.waiting_payments() IS 'What waits for the provider, and since when: open payments, completed ones whose refund is undecided or which only a visitor
calls so, each found by an index. Of what it does not know, nobody can decide anything: such rows of a checkout stay open for
ever. No view, which would keep the site from altering its columns; and without a pinned path, which would keep it from being
inlined: a page of it would read all of it. Its callers'' paths are safe.';

CREATE FUNCTION balansity.wanted_rights() RETURNS TABLE(role text, privilege text, kind text, object text, columns text[])
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT 'balansity_worker', r.privilege, r.kind, r.object, NULL::text[] FROM dramatiq.rights_to('work') AS r
    UNION ALL
    SELECT 'balansity_web', r.privilege, r.kind, r.object, NULL FROM dramatiq.rights_to('send') AS r
    UNION ALL
    SELECT each.role, 'USAGE', 'SCHEMA', each.name, NULL
    FROM (VALUES ('balansity_worker', 'balansity'), ('balansity_worker', 'public'),
                 ('balansity_web', 'balansity'), ('balansity_web', 'public')) AS each (role, name)
    UNION ALL
    SELECT each.role, 'EXECUTE', 'FUNCTION', p.oid::regprocedure::text, NULL
    FROM pg_proc p, (VALUES ('balansity_worker'), ('balansity_web')) AS each (role)
    WHERE p.pronamespace = 'balansity'::regnamespace AND NOT p.prosecdef
    UNION ALL
    SELECT 'balansity_worker', 'EXECUTE', 'FUNCTION', p.oid::regprocedure::text, NULL -- an owner's work, as far as it may be asked for
    FROM pg_proc p
    WHERE p.pronamespace = 'balansity'::regnamespace AND p.proname IN ('make_month', 'drop_month', 'release_keys', 'purge_strays')
    UNION ALL
    SELECT 'balansity_worker', 'EXECUTE', 'FUNCTION', p.oid::regprocedure::text, NULL
    FROM pg_proc p
    WHERE p.pronamespace = 'public'::regnamespace AND p.proname IN (SELECT f.name FROM balansity.site_function f)
      AND balansity.in_charge() -- until then they are the old system's
    UNION ALL
    SELECT 'balansity_worker', 'EXECUTE', 'FUNCTION', p.oid::regprocedure::text, NULL
    FROM unnest('{checkup, parent, family}'::text[]) AS type, pg_proc p
    WHERE p.oid = to_regprocedure(format('public.calculate_%s_scores(uuid)', type)) -- the site's own; most give it to all
    UNION ALL
    SELECT each.role, may.privilege, 'TABLE', c.oid::regclass::text, NULL
    FROM pg_class c, (VALUES ('balansity_worker'), ('balansity_web')) AS each (role), unnest(CASE
        WHEN c.relkind = 'v' OR c.relispartition THEN '{SELECT}'
        WHEN each.role = 'balansity_worker' AND c.relname IN ('intended', 'replaced') THEN '{SELECT}' -- an owner runs these
        WHEN each.role = 'balansity_worker' AND c.relname = 'payment_transition' THEN '{SELECT}' -- a table of rules
        WHEN each.role = 'balansity_worker' AND c.relname IN (
            'delivery', 'delivery_key', 'delivery_attempt', 'delivery_event', 'provider_payment', 'home', 'restore', 'shadow', 'shadow_look',
            'operator_action', 'bulk_action')
            THEN '{SELECT, INSERT, UPDATE}' -- evidence: who was told, what was paid, what came back
        WHEN each.role = 'balansity_worker' THEN '{SELECT, INSERT, UPDATE, DELETE}'
        WHEN c.relname IN ('delivery', 'delivery_key', 'delivery_event', 'suppression', 'provider_state', 'outage', 'payment_check')
            THEN '{SELECT, INSERT, UPDATE}' -- what a provider reports
        WHEN c.relname = 'bulk_action' THEN '{SELECT, INSERT, UPDATE}' -- what a person decides on a page
        WHEN c.relname IN ('alarm', 'alarm_telling', 'alarm_way') THEN '{SELECT, INSERT, UPDATE, DELETE}' -- either may tell
        WHEN c.relname = 'alarm_turn' THEN '{SELECT, UPDATE}'
        WHEN c.relname = 'operator_action' THEN '{SELECT, INSERT}'
        WHEN c.relname IN ('report', 'replaced') THEN '{}'
        ELSE '{SELECT}' END::text[]) AS may (privilege)
    WHERE c.relnamespace = 'balansity'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND c.relname !~ '^_?yoyo|^migration'
      AND NOT (c.relispartition AND pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT') -- a month is asked through its ledger
    UNION ALL
    SELECT 'balansity_web', 'SELECT', 'TABLE', 'balansity.report',
           '{id, user_id, assessment_id, format, digest, size_bytes, path, created_at}'::text[] -- never what it says
    UNION ALL
    SELECT 'balansity_web', 'EXECUTE', 'FUNCTION', 'balansity.opened_report(uuid)', NULL -- unless it is noted who asks
    UNION ALL
    SELECT each.role, 'SELECT', 'TABLE', c.oid::regclass::text, NULL -- whether migrations are missing
    FROM pg_class c, (VALUES ('balansity_worker'), ('balansity_web')) AS each (role)
    WHERE c.relnamespace = 'balansity'::regnamespace AND c.relname = 'migration'
    UNION ALL
    SELECT 'balansity_web', 'UPDATE', 'TABLE', 'balansity.payment_flag',
           '{resolved_at, decided_by, decided_because}'::text[] -- a person decides about a payment on its page
    UNION ALL
    SELECT 'balansity_web', may.privilege, 'TABLE', may.name, may.columns -- a person runs, pauses and resumes a job
    FROM (VALUES ('UPDATE', 'balansity.job', '{paused, paused_by, paused_because, planned_until}'::text[]),
                 ('INSERT', 'balansity.slot', NULL),
                 ('DELETE', 'balansity.slot', NULL)) AS may (privilege, name, columns) -- that a clock ahead skipped
    UNION ALL
    SELECT 'balansity_worker', 'USAGE', 'SEQUENCE', c.oid::regclass::text, NULL
    FROM pg_class c
    WHERE c.relnamespace = 'balansity'::regnamespace AND c.relkind = 'S'
    UNION ALL
    SELECT each.role, each.privilege, 'TABLE', format('public.%I', each.name), each.columns
    FROM (VALUES
        ('balansity_worker', 'SELECT', 'users', NULL::text[]),
        ('balansity_worker', 'SELECT', 'profiles', NULL),
        ('balansity_worker', 'SELECT', 'assessments', NULL),
        ('balansity_worker', 'SELECT', 'answers', NULL),
        ('balansity_worker', 'SELECT', 'appointment_types', NULL),
        ('balansity_worker', 'SELECT', 'appointments', NULL),
        ('balansity_worker', 'SELECT', 'payments', NULL),
        ('balansity_worker', 'SELECT', 'packages', NULL),
        ('balansity_worker', 'SELECT', 'package_purchases', NULL),
        ('balansity_worker', 'UPDATE', 'assessments', '{status, updated_at}'),
        ('balansity_worker', 'UPDATE', 'payments', '{status, updated_at}'),
        ('balansity_worker', 'UPDATE', 'appointments', '{status, payment_id, updated_at}'),
        ('balansity_worker', 'UPDATE', 'package_purchases', '{sessions_remaining}'),
        ('balansity_worker', 'INSERT', 'appointments',
         '{user_id, profile_id, appointment_type_id, scheduled_at, status, payment_id}'),
        ('balansity_worker', 'INSERT', 'package_purchases', '{user_id, package_id, sessions_remaining, payment_id}'),
        ('balansity_web', 'SELECT', 'users', '{id, email}'),
        ('balansity_web', 'SELECT', 'profiles', '{id, user_id, first_name, last_name}'),
        ('balansity_web', 'SELECT', 'assessments', NULL),
        ('balansity_web', 'SELECT', 'appointment_types', NULL),
        ('balansity_web', 'SELECT', 'appointments', NULL),
        ('balansity_web', 'SELECT', 'payments', NULL),
        ('balansity_web', 'SELECT', 'packages', NULL),
        ('balansity_web', 'SELECT', 'package_purchases', '{id, payment_id, sessions_remaining, created_at}')
    ) AS each (role, privilege, name, columns)
    WHERE to_regclass(format('public.%I', each.name)) IS NOT NULL;
$$;

COMMENT ON FUNCTION balansity.wanted_rights() IS 'What the two roles need. Nothing of it passes row-level security: their logins have BYPASSRLS, or policies of their own.';

CREATE FUNCTION balansity.was_due_before_restore(p_key text, p_message_id text) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    noticed_at constant timestamptz := balansity.latest_restore();
BEGIN
    RETURN noticed_at IS NOT NULL AND (
        coalesce(dramatiq.due_since(p_message_id) <= noticed_at, false)
        OR EXISTS (SELECT FROM balansity.doubtful_mail d WHERE starts_with(p_key, d.key))
    );
END $$;

COMMENT ON FUNCTION balansity.was_due_before_restore(p_key text, p_message_id text) IS 'Whether a mail may have left before the last restore, by its message''s time or its cause''s.';

CREATE FUNCTION balansity.watch_table(p_table text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    source regclass := format('public.%I', p_table);
    event record;
    ours record;
BEGIN
    FOR event IN SELECT * FROM balansity.site_event e WHERE e.table_name = p_table LOOP
        SELECT tgname, tgenabled INTO ours FROM pg_trigger
        WHERE tgrelid = source AND tgfoid = to_regprocedure(format('balansity.%I()', event.handler));
        IF ours.tgenabled NOT IN ('O', 'A') THEN
            EXECUTE format('ALTER TABLE %s ENABLE TRIGGER %I', source, ours.tgname);
        ELSIF ours IS NULL AND NOT balansity.serves(event.handler) THEN
            EXECUTE format(
                'CREATE TRIGGER %I AFTER %s ON %s FOR EACH ROW EXECUTE FUNCTION balansity.%I()',
                event.trigger_name || CASE WHEN EXISTS (
                    SELECT FROM pg_trigger WHERE tgrelid = source AND tgname = event.trigger_name
                ) THEN '_balansity' ELSE '' END, -- it fires after its namesake
                event.event, source, event.handler);
        END IF;
    END LOOP;
END $$;

COMMENT ON FUNCTION balansity.watch_table(p_table text) IS 'Gives a table of the site''s the triggers of ours that it needs: none where the site''s own serves. Writers wait for it.';

CREATE FUNCTION balansity.when_planned(p_id uuid) RETURNS timestamp with time zone
    LANGUAGE plpgsql STABLE STRICT
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    RETURN (SELECT planned_at FROM balansity.delivery_key WHERE id = p_id);
END $$;

COMMENT ON FUNCTION balansity.when_planned(p_id uuid) IS 'When a delivery was planned, so that it is looked for in one month; NULL where there is none.';

CREATE FUNCTION balansity.withdraw_attempt(p_token uuid) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT balansity.finish_attempt(delivery_id, number, 'planned', 'not made: the database was lost as it began', NULL)
    FROM balansity.delivery_attempt
    WHERE token = p_token AND finished_at IS NULL;
$$;

COMMENT ON FUNCTION balansity.withdraw_attempt(p_token uuid) IS 'Takes back an attempt that was committed as its caller lost the connection, and that was never made.';

CREATE FUNCTION dramatiq.add_counter(p_key text, p_value bigint, p_ttl interval) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    held constant dramatiq.counter := dramatiq.hold_counter(p_key);
BEGIN
    IF held.expires_at > clock_timestamp() THEN
        RETURN false;
    END IF;
    PERFORM dramatiq.set_counter(held, p_key, p_value, p_ttl);
    RETURN true;
END $$;

COMMENT ON FUNCTION dramatiq.add_counter(p_key text, p_value bigint, p_ttl interval) IS 'Creates a counter; false where it exists.';

CREATE FUNCTION dramatiq.again_at(p_began timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql
    RETURN (clock_timestamp() + ((20)::double precision * (clock_timestamp() - p_began)));

COMMENT ON FUNCTION dramatiq.again_at(p_began timestamp with time zone) IS 'When to do again what began then and has ended now, if a twentieth of the time may go into it.';

CREATE FUNCTION dramatiq.archive_pgmq(queue_name text, msg_id bigint) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
    PERFORM dramatiq.check_pgmq_queue($1);
    RETURN coalesce(pgmq.archive($1, $2), false);
END $_$;

COMMENT ON FUNCTION dramatiq.archive_pgmq(queue_name text, msg_id bigint) IS 'Done with a message: true where it was there to archive.';

CREATE FUNCTION dramatiq.archived(p_pgmq_queue text, p_before timestamp with time zone, p_after bigint, p_rows integer) RETURNS TABLE(msg_id bigint, bytes integer)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT msg_id, coalesce(pg_column_size(message), 0) FROM pgmq.%I
         WHERE archived_at < $1 AND msg_id > $2 ORDER BY msg_id LIMIT $3', 'a_' || p_pgmq_queue)
    USING p_before, coalesce(p_after, 0), p_rows;
END $_$;

COMMENT ON FUNCTION dramatiq.archived(p_pgmq_queue text, p_before timestamp with time zone, p_after bigint, p_rows integer) IS 'A page of what pgmq archived before p_before, after the message p_after: at most p_rows. In the order of their numbers:
pgmq''s index of times has no second column, and very many may have been archived in one moment.';

CREATE FUNCTION dramatiq.asked_of(p_worker bigint) RETURNS TABLE(message_id uuid, attempt integer)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM dramatiq.cancellation) THEN
        RETURN;
    END IF;
    PERFORM dramatiq.heed_cancellations();
    RETURN QUERY
    SELECT q.message_id, q.attempt FROM dramatiq.cancellation c JOIN dramatiq.live q USING (message_id)
    WHERE q.state = 'consumed' AND q.claimed_by = p_worker;
END $$;

COMMENT ON FUNCTION dramatiq.asked_of(p_worker bigint) IS 'The claims of a worker that a person wants to end.';

CREATE FUNCTION dramatiq.backlog(p_most integer) RETURNS TABLE(pgmq_queue text, messages bigint, oldest_seconds double precision)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
    FOR pgmq_queue IN
        SELECT a.pgmq_queue FROM dramatiq.actor a JOIN dramatiq.readable_queues() AS r (name) ON r.name = a.pgmq_queue ORDER BY 1
    LOOP
        EXECUTE format(
            'SELECT (SELECT count(*) FROM (SELECT FROM pgmq.%1$I LIMIT $1) AS first),
                    coalesce((SELECT greatest(extract(epoch FROM now() - enqueued_at)::float8, 0)
                              FROM pgmq.%1$I ORDER BY msg_id LIMIT 1), 0)', 'q_' || pgmq_queue)
        INTO messages, oldest_seconds USING p_most;
        RETURN NEXT;
    END LOOP;
END $_$;

COMMENT ON FUNCTION dramatiq.backlog(p_most integer) IS 'What waits in each routed pgmq queue for the bridge, counted up to p_most, and how old the first of it is.';

CREATE FUNCTION dramatiq.begin_group(p_group text, p_members integer) RETURNS boolean
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
    WITH begun AS (
        INSERT INTO dramatiq.open_group (id, missing)
        SELECT p_group, p_members WHERE NOT EXISTS (SELECT FROM dramatiq.open_group WHERE id = p_group)
        ON CONFLICT DO NOTHING RETURNING 1
    )
    SELECT count(*) = 1 FROM begun;
$$;

COMMENT ON FUNCTION dramatiq.begin_group(p_group text, p_members integer) IS 'Says of how many members a group is; false where it exists.';

CREATE FUNCTION dramatiq.bell_of(p_table text) RETURNS bigint
    LANGUAGE sql IMMUTABLE
    RETURN ((('x'::text || "left"(md5(('bell of '::text || p_table)), 16)))::bit(64))::bigint;

COMMENT ON FUNCTION dramatiq.bell_of(p_table text) IS 'The bell of a queue (dramatiq.<name>) or of a pgmq queue (pgmq.<name>): an advisory lock, which one of those who sleep holds.';

CREATE FUNCTION dramatiq.bells_of(p_queue text) RETURNS SETOF bigint
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT dramatiq.bell_of('dramatiq.' || p_queue)
    UNION ALL
    SELECT dramatiq.bell_of('pgmq.' || pgmq_queue) FROM dramatiq.actor
    WHERE queue_name = p_queue AND pgmq_queue IS NOT NULL;
$$;

COMMENT ON FUNCTION dramatiq.bells_of(p_queue text) IS 'The bells of a queue: its own, and those of the pgmq queues that feed it.';

CREATE FUNCTION dramatiq.blocked_sessions() RETURNS TABLE(pid integer, application text, waits_for text, since timestamp with time zone, blocked_by integer[], blockers text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT a.pid, a.application_name, concat_ws(' ', a.wait_event, (
               SELECT l.relation::regclass FROM pg_locks l WHERE l.pid = a.pid AND NOT l.granted LIMIT 1)),
           a.query_start, waits.blockers,
           (SELECT string_agg(DISTINCT concat_ws(' ', b.application_name, b.state), ', ') FROM pg_stat_activity b
            WHERE b.pid = ANY (waits.blockers))
    FROM pg_stat_activity a, LATERAL (SELECT pg_blocking_pids(a.pid)) AS waits (blockers)
    WHERE a.datname = current_database() AND a.wait_event_type = 'Lock' AND waits.blockers <> '{}'
    ORDER BY a.query_start, a.pid;
$$;

COMMENT ON FUNCTION dramatiq.blocked_sessions() IS 'Sessions of this database that wait for others'' locks, and who holds those; as far as this role may see sessions of other
roles.';

CREATE FUNCTION dramatiq.bounds() RETURNS double precision[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT '{0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400}'::float8[];
$$;

COMMENT ON FUNCTION dramatiq.bounds() IS 'Seconds: bucket 0 has what took less than the first, bucket 1 what took less than the second, and so on.';

CREATE FUNCTION dramatiq.bridge(p_worker bigint, p_queue text, p_pgmq_queue text, p_actor text, p_limit integer, p_room integer, p_only bigint DEFAULT NULL::bigint) RETURNS TABLE(message_id uuid, attempt integer, priority integer, message jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    ids bigint[];
    contents jsonb[];
    kinds text[];
    urgencies integer[];
    times timestamptz[];
    due timestamptz[];
    headers jsonb[];
    lines text[];
BEGIN
    SELECT array_agg(v.msg_id), array_agg(v.content), array_agg(v.kind), array_agg(v.urgency), array_agg(v.sent_at),
           array_agg(v.due_at), array_agg(v.headers), array_agg(v.line)
    INTO ids, contents, kinds, urgencies, times, due, headers, lines
    FROM dramatiq.visible(p_pgmq_queue, p_limit, p_only) AS v;
    IF ids IS NOT NULL THEN
        RETURN QUERY
        SELECT * FROM dramatiq.take_in(
            p_worker, p_queue, p_pgmq_queue, p_actor, p_room, false, ids, contents, kinds, urgencies, times, due, headers,
            lines);
    END IF;
END $$;

COMMENT ON FUNCTION dramatiq.bridge(p_worker bigint, p_queue text, p_pgmq_queue text, p_actor text, p_limit integer, p_room integer, p_only bigint) IS 'Moves visible messages of a pgmq queue here, in the caller''s transaction: read, archived and inserted together or not
at all. A worker that encrypts does the same in two steps, dramatiq.visible and dramatiq.take_in.';

CREATE FUNCTION dramatiq.bridge_singly(p_queue text, p_pgmq_queue text, p_actor text, p_limit integer, p_patience interval, OUT moved bigint, OUT refused bigint) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
    source text := format('pgmq.%I', 'q_' || p_pgmq_queue);
    began timestamptz := clock_timestamp();
    id bigint;
BEGIN
    moved := 0;
    refused := 0;
    FOR id IN EXECUTE format('SELECT msg_id FROM %s WHERE vt <= clock_timestamp() ORDER BY msg_id LIMIT $1', source)
        USING p_limit
    LOOP
        BEGIN
            PERFORM dramatiq.bridge(NULL, p_queue, p_pgmq_queue, p_actor, 1, 0, id);
            moved := moved + 1;
        EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception
                       OR internal_error THEN
            PERFORM dramatiq.refuse_bridged(p_queue, p_pgmq_queue, id, SQLERRM);
            refused := refused + 1;
        END;
        EXIT WHEN clock_timestamp() > began + p_patience;
    END LOOP;
    PERFORM dramatiq.ring(ARRAY[p_queue]);
END $_$;

COMMENT ON FUNCTION dramatiq.bridge_singly(p_queue text, p_pgmq_queue text, p_actor text, p_limit integer, p_patience interval, OUT moved bigint, OUT refused bigint) IS 'Moves messages that cannot be moved together, one by one for p_patience: a batch that is too large, or has one among it
that the table refuses. That one is taken out of the way; an error that speaks of no message is raised.';

CREATE FUNCTION dramatiq.call_up(p_queue text) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
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

COMMENT ON FUNCTION dramatiq.call_up(p_queue text) IS 'Makes messages due whose turn has come in lines of a queue that somebody left word of; how many, or NULL while another
does it. A line''s first, by priority, due time and order, has its turn while fewer messages than its actor''s key_limit
have theirs, from here until they are done, dead, cancelled or gone: so a retry keeps it. What another''s end called up
falls due now: it stands behind what other causes sent meanwhile. Only an exchange does this, a single statement that the
server ends by itself, and it waits for no lock: a sender''s transaction may stay open for hours, and no ack waits for it.';

CREATE FUNCTION dramatiq.cancel(p_ids uuid[], p_who text, p_reason text, OUT cancelled bigint, OUT asked bigint) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    lines text[];
BEGIN
    -- In the order in which acks lock them.
    PERFORM FROM dramatiq.live WHERE message_id = ANY (p_ids) ORDER BY message_id FOR NO KEY UPDATE;
    WITH waiting AS (
        UPDATE dramatiq.live
        SET state = 'cancelled', mtime = now(), delayed = false, waits_for = NULL,
            error = dramatiq.cancelled_by(p_who, p_reason)
        WHERE message_id = ANY (p_ids) AND state = 'queued'
        RETURNING line
    )
    SELECT count(*), array_agg(line) INTO cancelled, lines FROM waiting;
    PERFORM dramatiq.leave_lines(lines);
    INSERT INTO dramatiq.cancellation (message_id, who, reason)
    SELECT message_id, p_who, p_reason FROM dramatiq.live WHERE message_id = ANY (p_ids) AND state = 'consumed'
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS asked = ROW_COUNT;
END $$;

COMMENT ON FUNCTION dramatiq.cancel(p_ids uuid[], p_who text, p_reason text, OUT cancelled bigint, OUT asked bigint) IS 'Cancels those of these messages that wait, are delayed or set aside, and asks the workers that run others to end them;
how many of each. A cancelled one stays, is no dead letter, and keeps its unique key: only a redrive runs it.';

CREATE FUNCTION dramatiq.cancelled_by(p_who text, p_reason text) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN format('Cancelled by %s: %s'::text, p_who, p_reason);

COMMENT ON FUNCTION dramatiq.cancelled_by(p_who text, p_reason text) IS 'What a cancelled message says of its end.';

CREATE FUNCTION dramatiq.carry(p_queue text, p_limit integer) RETURNS TABLE(priority integer, message text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
    leaving uuid[];
    kept uuid[];
BEGIN
    IF EXISTS (SELECT FROM dramatiq.changed_line WHERE queue_name = p_queue AND at <= clock_timestamp()) THEN
        PERFORM dramatiq.pass_on(ARRAY[p_queue]);
    END IF;
    IF EXISTS (SELECT FROM dramatiq.current_pause WHERE queue_name = p_queue) THEN
        RETURN;
    END IF;
    leaving := dramatiq.take_due(p_queue, p_limit, 'to carry') || dramatiq.fallen_due(p_queue, p_limit, false);
    RETURN QUERY
    WITH gone AS (
        DELETE FROM dramatiq.live AS q WHERE q.message_id = ANY (leaving) AND q.unique_key IS NULL
        RETURNING q.priority, q.available_at, q.position, q.message
    )
    SELECT carried.priority, carried.message::text
    FROM (
        TABLE gone
        UNION ALL
        SELECT q.priority, q.available_at, q.position, q.message FROM dramatiq.live AS q
        WHERE q.message_id = ANY (leaving) AND q.unique_key IS NOT NULL
    ) AS carried
    ORDER BY carried.priority DESC, carried.available_at, carried.position;
    kept := ARRAY(SELECT message_id FROM dramatiq.live WHERE message_id = ANY (leaving));
    IF kept <> '{}' THEN
        PERFORM dramatiq.finish_all(kept, array_fill(NULL::integer, ARRAY[cardinality(kept)]));
    END IF;
END $$;

COMMENT ON FUNCTION dramatiq.carry(p_queue text, p_limit integer) IS 'Takes what is due out of a queue, p_limit at most of what was delayed and as many others, for whoever carries it elsewhere
and commits when it has arrived there. What has a line stays, for a turn lasts until its end is written here; workers are told
of it. Where a unique key holds a message''s place, that stays, too, as done. Nothing of a paused queue.';

CREATE FUNCTION dramatiq.check_pgmq_queue(queue_name text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
    IF NOT EXISTS (SELECT FROM pgmq.meta m WHERE m.queue_name = $1) THEN
        RAISE EXCEPTION 'No pgmq queue is called %.', coalesce(quote_literal($1), 'NULL')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'There are: ' || (SELECT string_agg(m.queue_name, ', ' ORDER BY m.queue_name) FROM pgmq.meta m);
    END IF;
END $_$;

COMMENT ON FUNCTION dramatiq.check_pgmq_queue(queue_name text) IS 'Raises where pgmq has no such queue; pgmq itself would name a missing table.';

CREATE FUNCTION dramatiq.claim_in_turn(p_worker bigint, p_queue text, p_limit integer) RETURNS TABLE(message_id uuid, attempt integer, priority integer, message jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH taken AS (
        UPDATE dramatiq.live AS q
        SET state = 'consumed', claimed_by = p_worker, attempt = q.attempt + 1, mtime = now()
        WHERE q.message_id = ANY (ARRAY(
            SELECT message_id FROM dramatiq.live
            WHERE line >= p_queue || ' ' AND line < p_queue || '!' -- the character after the blank
                AND state IN ('queued', 'consumed') AND waits_for IS DISTINCT FROM 'its turn' -- as the index has it
                AND state = 'queued' AND NOT delayed AND waits_for IS NULL
            ORDER BY priority DESC, available_at, position
            LIMIT p_limit
            FOR UPDATE SKIP LOCKED))
        RETURNING q.message_id, q.attempt, q.priority, q.message, q.available_at, q.position
    )
    SELECT message_id, attempt, priority, message FROM taken ORDER BY priority DESC, available_at, position;
END $$;

COMMENT ON FUNCTION dramatiq.claim_in_turn(p_worker bigint, p_queue text, p_limit integer) IS 'Claims messages of a queue''s lines whose turn has come, and no others.';

CREATE FUNCTION dramatiq.class_of(p_error text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
    SELECT coalesce(substring(dramatiq.saying_of(p_error) FROM '^([A-Za-z_][\w.]{0,79})(?::|$)'), 'other');
$_$;

COMMENT ON FUNCTION dramatiq.class_of(p_error text) IS 'The class of an error without a word of what it says, which may quote somebody; `other` where it has none.';

CREATE FUNCTION dramatiq.close(p_schema text, p_functions text[] DEFAULT NULL::text[], p_service text[] DEFAULT '{}'::text[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    object text;
    for_service boolean;
    seen regclass;
BEGIN
    FOR object, for_service IN
        SELECT 'ROUTINE ' || oid::regprocedure, proname = ANY (p_service) FROM pg_proc
        WHERE pronamespace = p_schema::regnamespace AND (p_functions IS NULL OR proname = ANY (p_functions || p_service))
          AND pg_has_role(proowner, 'USAGE')
        UNION ALL
        SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || oid::regclass, false FROM pg_class
        WHERE relnamespace = p_schema::regnamespace AND p_functions IS NULL AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
          AND pg_has_role(relowner, 'USAGE')
        UNION ALL
        SELECT 'TYPE ' || oid::regtype, false FROM pg_type
        WHERE typnamespace = p_schema::regnamespace AND p_functions IS NULL AND typtype IN ('d', 'e')
          AND pg_has_role(typowner, 'USAGE')
        UNION ALL
        SELECT 'SCHEMA ' || oid::regnamespace, false FROM pg_namespace
        WHERE nspname = p_schema AND p_functions IS NULL AND pg_has_role(nspowner, 'USAGE')
    LOOP
        PERFORM dramatiq.shut(object);
        IF for_service AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'service_role') THEN
            EXECUTE format('GRANT EXECUTE ON %s TO service_role', object);
        END IF;
    END LOOP;
    FOR seen IN
        SELECT oid FROM pg_class
        WHERE relnamespace = p_schema::regnamespace AND p_functions IS NULL AND relkind = 'v'
          AND pg_has_role(relowner, 'USAGE')
    LOOP
        PERFORM dramatiq.show_as_reader(seen);
    END LOOP;
END $$;

COMMENT ON FUNCTION dramatiq.close(p_schema text, p_functions text[], p_service text[]) IS 'Takes a schema and what stands in it (p_functions: functions of these names only) from PUBLIC and from visitors, gives the
functions of p_service to Supabase''s service_role, and lets views show what their reader may see. Only what this role
owns. Every migration ends with it.';

CREATE FUNCTION dramatiq.close_queue(p_pgmq_queue text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    object regclass;
    kind text;
    privileges text;
    keeper text;
BEGIN
    FOR object, kind, privileges IN
        SELECT c.oid, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
               (SELECT string_agg(privilege_type, ', ') FROM aclexplode(c.relacl) WHERE grantee = 0)
        FROM pg_class c
        WHERE c.oid IN (
            to_regclass(format('pgmq.%I', 'q_' || p_pgmq_queue)), to_regclass(format('pgmq.%I', 'a_' || p_pgmq_queue)),
            to_regclass(format('pgmq.%I', p_pgmq_queue)), to_regclass(format('dramatiq.%I', p_pgmq_queue)),
            to_regclass(pg_get_serial_sequence(format('pgmq.%I', 'q_' || p_pgmq_queue), 'msg_id'))
        ) AND pg_has_role(c.relowner, 'USAGE')
    LOOP
        FOR keeper IN
            SELECT r.rolname FROM pg_roles r
            WHERE privileges IS NOT NULL AND NOT r.rolsuper AND NOT starts_with(r.rolname, 'pg_')
              AND has_schema_privilege(r.oid, 'pgmq', 'USAGE')
              AND NOT has_table_privilege(r.oid, 'dramatiq.queue', 'SELECT') -- such a one has been given what it needs
              AND NOT EXISTS (
                  SELECT FROM pg_roles v
                  WHERE v.rolname IN ('anon', 'authenticated') AND pg_has_role(v.oid, r.oid, 'MEMBER'))
        LOOP
            EXECUTE format('GRANT %s ON %s %s TO %I', privileges, kind, object, keeper);
        END LOOP;
        PERFORM dramatiq.shut(kind || ' ' || object);
    END LOOP;
END $$;

COMMENT ON FUNCTION dramatiq.close_queue(p_pgmq_queue text) IS 'Takes a pgmq queue and our view of it from visitors. Every other role that could use it can go on: what PUBLIC had, each
role that may enter schema pgmq gets by name.';

CREATE FUNCTION dramatiq.condition(p_filter jsonb) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
$_$;

COMMENT ON FUNCTION dramatiq.condition(p_filter jsonb) IS 'A filter as a condition on dramatiq.queue in which the filter itself is $1, so that no value of it stands in SQL.
p_filter may have: state (as dramatiq.state_of calls them), queue, actor, kind (of failure), since and before (of the last
change), trace, arguments (which are among its own; of an encrypted one only the readable are seen), low and high (ids).';

CREATE FUNCTION dramatiq.conditions(p_filter jsonb) RETURNS TABLE(condition text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT dramatiq.condition(p_filter || jsonb_build_object('state', each.state))
    FROM unnest('{waiting, in line, delayed, set aside, running, dead, cancelled, done}'::text[]) AS each (state)
    WHERE each.state = coalesce(p_filter ->> 'state', each.state);
$$;

COMMENT ON FUNCTION dramatiq.conditions(p_filter jsonb) IS 'A filter in each state that it leaves open, for each state has an index of its own.';

CREATE FUNCTION dramatiq.count(p_key text, p_amount bigint, p_low bigint, p_high bigint, p_ttl interval) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    held constant dramatiq.counter := dramatiq.hold_counter(p_key);
    sum constant bigint := coalesce(dramatiq.counted(held.value, held.expires_at), 0) + p_amount;
BEGIN
    IF sum < p_low OR sum > p_high THEN
        RETURN false;
    END IF;
    PERFORM dramatiq.set_counter(held, p_key, sum, p_ttl);
    RETURN true;
END $$;

COMMENT ON FUNCTION dramatiq.count(p_key text, p_amount bigint, p_low bigint, p_high bigint, p_ttl interval) IS 'Adds to a counter, or takes from it; false, and no change, where it would leave its bounds (NULL: unbounded).';

CREATE FUNCTION dramatiq.count_and_sum(p_key text, p_keys text[], p_amount bigint, p_high bigint, p_ttl interval) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
    PERFORM dramatiq.take_counters_turn(p_key);
    RETURN coalesce((SELECT sum(dramatiq.counted(value, expires_at)) FROM dramatiq.counter
                     WHERE key = ANY (p_keys) OR key BETWEEN p_key AND regexp_replace(p_key, '@[0-9]+$', '@A')), 0)
               + p_amount <= p_high
       AND dramatiq.count(p_key, p_amount, NULL, p_high, p_ttl);
END $_$;

COMMENT ON FUNCTION dramatiq.count_and_sum(p_key text, p_keys text[], p_amount bigint, p_high bigint, p_ttl interval) IS 'Adds to a counter unless the sum of p_keys would exceed p_high. Dramatiq''s windows name their counters key@second:
who counts for one key waits for who does already, whichever second they stand at, and counts what stands at later
seconds, too: the clock may have gone on while it waited, or be late on its machine.';

CREATE FUNCTION dramatiq.count_bridged(p_pgmq_queue text, OUT waiting bigint, OUT delayed bigint, OUT in_flight bigint, OUT done bigint, OUT dead bigint) RETURNS record
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
    SELECT count(*) FILTER (WHERE q.state = 'queued' AND NOT q.delayed),
           count(*) FILTER (WHERE q.state = 'queued' AND q.delayed),
           count(*) FILTER (WHERE q.state = 'consumed'),
           (SELECT coalesce(sum(m.messages), 0)::bigint
            FROM dramatiq.minute m WHERE m.pgmq_queue = p_pgmq_queue AND m.ending = 'done')
           + (SELECT count(*) FROM dramatiq.done l
              WHERE l.pgmq_queue = p_pgmq_queue AND l.mtime >= (SELECT k.at FROM dramatiq.kept_until k)),
           count(*) FILTER (WHERE q.state = 'rejected')
    FROM (
        SELECT * FROM dramatiq.live WHERE state = 'queued' AND NOT delayed AND waits_for IS NULL
        UNION ALL SELECT * FROM dramatiq.live WHERE state = 'queued' AND delayed AND waits_for IS NULL
        UNION ALL SELECT * FROM dramatiq.live WHERE state = 'queued' AND waits_for IS NOT NULL
        UNION ALL SELECT * FROM dramatiq.live WHERE state = 'consumed'
        UNION ALL SELECT * FROM dramatiq.live WHERE state = 'rejected'
    ) AS q WHERE q.pgmq_queue = p_pgmq_queue;
$$;

COMMENT ON FUNCTION dramatiq.count_bridged(p_pgmq_queue text, OUT waiting bigint, OUT delayed bigint, OUT in_flight bigint, OUT done bigint, OUT dead bigint) IS 'What became of the messages that the bridge moved here from a pgmq queue; done: in the minutes that are kept, and since.';

CREATE FUNCTION dramatiq.count_found(p_filter jsonb, p_most bigint DEFAULT NULL::bigint, p_until timestamp with time zone DEFAULT NULL::timestamp with time zone, p_last uuid DEFAULT NULL::uuid, p_from timestamp with time zone DEFAULT NULL::timestamp with time zone, p_first uuid DEFAULT NULL::uuid) RETURNS bigint
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
END $_$;

COMMENT ON FUNCTION dramatiq.count_found(p_filter jsonb, p_most bigint, p_until timestamp with time zone, p_last uuid, p_from timestamp with time zone, p_first uuid) IS 'How many messages a filter finds, counted up to p_most: of those that changed before p_until, p_last and not before p_from,
p_first.';

CREATE FUNCTION dramatiq.count_member(p_group text, p_member uuid) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
DECLARE
    open integer;
BEGIN
    SELECT missing INTO open FROM dramatiq.open_group WHERE id = p_group ORDER BY missing LIMIT 1 FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO dramatiq.group_member VALUES (p_group, p_member) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF open > 1 THEN
        UPDATE dramatiq.open_group SET missing = open - 1, touched_at = now() WHERE id = p_group AND missing = open;
        RETURN false;
    END IF;
    DELETE FROM dramatiq.open_group WHERE id = p_group AND missing = open;
    DELETE FROM dramatiq.group_member WHERE group_id = p_group;
    RETURN true;
END $$;

COMMENT ON FUNCTION dramatiq.count_member(p_group text, p_member uuid) IS 'Notes that a member of a group has ended, each but once; true for the last of them, with which the group is forgotten.
Asked in the transaction that acks the member.';

CREATE FUNCTION dramatiq.counted(p_value bigint, p_expires_at timestamp with time zone) RETURNS bigint
    LANGUAGE sql
    RETURN CASE WHEN (p_expires_at > clock_timestamp()) THEN p_value ELSE (0)::bigint END;

COMMENT ON FUNCTION dramatiq.counted(p_value bigint, p_expires_at timestamp with time zone) IS 'The value of a counter, 0 where it is absent.';

CREATE FUNCTION dramatiq.day_begins(p_day date) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT p_day::timestamp AT TIME ZONE 'UTC';
$$;

COMMENT ON FUNCTION dramatiq.day_begins(p_day date) IS 'When a day begins.';

CREATE FUNCTION dramatiq.day_table(p_day date) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT 'dramatiq.done_' || to_char(p_day, 'YYYYMMDD');
$$;

COMMENT ON FUNCTION dramatiq.day_table(p_day date) IS 'The table of what was done on a day.';

CREATE FUNCTION dramatiq.deaf_workers() RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT format('worker %s (%s, process %s)', id, host, pid) FROM dramatiq.worker WHERE NOT hears ORDER BY id;
$$;

COMMENT ON FUNCTION dramatiq.deaf_workers() IS 'Workers that did not hear their own bell: news reaches them when they look, up to a second later.';

CREATE FUNCTION dramatiq.discard(p_ids uuid[]) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    WITH discarded AS (
        DELETE FROM dramatiq.live WHERE message_id = ANY (p_ids) AND state IN ('rejected', 'cancelled') RETURNING 1
    )
    SELECT count(*) FROM discarded;
$$;

COMMENT ON FUNCTION dramatiq.discard(p_ids uuid[]) IS 'Deletes those of these messages that are dead or cancelled, for good; returns how many.';

CREATE FUNCTION dramatiq.doorless_routes() RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT pgmq_queue FROM dramatiq.actor
    WHERE pgmq_queue IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_trigger
        WHERE tgrelid = to_regclass(format('pgmq.%I', 'q_' || pgmq_queue)) AND tgname = 'ring')
    ORDER BY pgmq_queue;
$$;

COMMENT ON FUNCTION dramatiq.doorless_routes() IS 'Routed pgmq queues whose messages ring no bell, and those that do not exist.';

CREATE FUNCTION dramatiq.drop_day(p_day date) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '500ms'
    AS $_$
DECLARE
    messages bigint;
BEGIN
    EXECUTE format(
        'WITH released AS (
             DELETE FROM dramatiq.taken_key k USING %1$s AS d WHERE (k.unique_key, k.message_id) = (d.unique_key, d.message_id)
         )
         SELECT count(*) FROM %1$s', dramatiq.day_table(p_day))
    INTO messages;
    EXECUTE 'DROP TABLE ' || dramatiq.day_table(p_day);
    RETURN messages;
END $_$;

COMMENT ON FUNCTION dramatiq.drop_day(p_day date) IS 'Drops the table of a day, and gives its messages'' unique keys back; returns how many messages it had. It waits half a second
at most for those who read finished messages, and whoever wants to waits behind it. Not detached first: as long as
dramatiq.done_other is there, that takes the same locks.';

CREATE FUNCTION dramatiq.drop_to_archive(p_pgmq_queue text, p_msg_ids bigint[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
    EXECUTE format(
        'WITH taken AS (
             DELETE FROM pgmq.%I WHERE msg_id = ANY ($1) RETURNING msg_id, read_ct, enqueued_at, vt
         )
         INSERT INTO pgmq.%I (msg_id, read_ct, enqueued_at, vt, message)
         SELECT msg_id, read_ct, enqueued_at, vt, ''{}'' FROM taken', 'q_' || p_pgmq_queue, 'a_' || p_pgmq_queue)
    USING p_msg_ids;
END $_$;

COMMENT ON FUNCTION dramatiq.drop_to_archive(p_pgmq_queue text, p_msg_ids bigint[]) IS 'As pgmq.archive, but the archive learns only that and when there was a message: its headers and what it said are dropped.
Not archived first and emptied then, which would leave what it said in the dead row.';

CREATE FUNCTION dramatiq.due_since(p_id text) RETURNS timestamp with time zone
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    kept dramatiq.queue := dramatiq.kept(p_id::uuid);
BEGIN
    RETURN CASE WHEN kept.message #> '{options,retries}' IS NULL THEN kept.available_at
                ELSE least(kept.available_at, dramatiq.sent_at(p_id)) END;
END $$;

COMMENT ON FUNCTION dramatiq.due_since(p_id text) IS 'Since when a message has been due; of one that was tried before, only when it was sent is known. NULL where it is not
kept here.';

CREATE FUNCTION dramatiq.edit(p_id uuid, p_content jsonb, p_who text, p_reason text) RETURNS uuid
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    copied uuid;
BEGIN
    INSERT INTO dramatiq.live (message_id, queue_name, state, mtime, available_at, message, attempt, priority, error)
    SELECT gen_random_uuid(), queue_name, 'cancelled', now(), available_at, message, attempt, priority,
           format('Edited by %s as %s: %s', p_who, p_id, p_reason)
    FROM dramatiq.live WHERE message_id = p_id AND state IN ('rejected', 'cancelled') AND message ? 'actor_name'
    FOR UPDATE
    RETURNING message_id INTO copied;
    IF copied IS NOT NULL THEN
        UPDATE dramatiq.live SET message = (message - 'sealed' - 'args' - 'kwargs') || p_content WHERE message_id = p_id;
        PERFORM dramatiq.redrive(ARRAY[p_id]);
    END IF;
    RETURN copied;
END $$;

COMMENT ON FUNCTION dramatiq.edit(p_id uuid, p_content jsonb, p_who text, p_reason text) IS 'Sends a dead or cancelled message back to work with other arguments, under its own id. What it said before stays beside it
as a cancelled message, whose id is returned; NULL where there is none to edit.';

CREATE FUNCTION dramatiq.end_looks() RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    DELETE FROM dramatiq.look WHERE asked_at < clock_timestamp() - interval '1 minute';
$$;

COMMENT ON FUNCTION dramatiq.end_looks() IS 'Forgets what was seen more than a minute ago.';

CREATE FUNCTION dramatiq.enqueue(p_messages text, p_priorities integer[], p_delay bigint, p_tried bigint, p_lines text[] DEFAULT NULL::text[], p_built bigint DEFAULT 0) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    queues text[];
    lines text[];
    ids uuid[];
BEGIN
    WITH enqueued AS (
        INSERT INTO dramatiq.live AS q
            (message_id, queue_name, state, message, priority, available_at, delayed, position, line, waits_for)
        SELECT id, message ->> 'queue_name', 'queued', message, priority,
               now() + p_delay * interval '1 millisecond', p_delay > 0, place,
               line, CASE WHEN line IS NOT NULL THEN 'its turn' END
        FROM (
            SELECT (message ->> 'message_id')::uuid AS id, message, priority, line,
                   nextval('dramatiq.queue_position_seq') AS place
            FROM unnest(string_to_array(p_messages, E'\x1e')::jsonb[], p_priorities, p_lines) AS sent (message, priority, line)
        ) AS numbered
        ORDER BY id
        ON CONFLICT (message_id) DO UPDATE
        SET queue_name = excluded.queue_name, state = 'queued', message = excluded.message, mtime = now(),
            priority = excluded.priority, available_at = excluded.available_at, delayed = excluded.delayed,
            attempt = q.attempt + 1, claimed_by = NULL, line = coalesce(excluded.line, q.line),
            waits_for = CASE WHEN coalesce(excluded.line, q.line) IS NOT NULL THEN 'its turn' END
        WHERE p_tried IS NULL OR q.mtime < clock_timestamp() - p_tried * interval '1 millisecond'
        RETURNING q.queue_name, q.line, q.message_id
    )
    SELECT array_agg(DISTINCT queue_name), array_agg(line) FILTER (WHERE line IS NOT NULL),
           array_agg(message_id) FILTER (WHERE p_built IS NOT NULL)
    INTO queues, lines, ids FROM enqueued;
    IF ids IS NOT NULL THEN
        PERFORM dramatiq.start_over(ids, p_built, p_tried);
    END IF;
    IF lines IS NOT NULL THEN
        PERFORM dramatiq.note_change(lines, false);
    END IF;
    PERFORM dramatiq.ring(queues);
END $$;

COMMENT ON FUNCTION dramatiq.enqueue(p_messages text, p_priorities integer[], p_delay bigint, p_tried bigint, p_lines text[], p_built bigint) IS 'Enqueues messages, each due in p_delay milliseconds. p_messages: as Dramatiq encodes them, with U+001E (which JSON
escapes) between: splitting text is cheaper than taking a JSON array apart. p_priorities and p_lines (NULL: none): one for
each of them. p_built: when the first of them was built, in milliseconds since 1970; NULL: just now, so none was done before.
A message id that exists already starts over under a new fence, so an ack of its old claim changes nothing. Where the
answer to a first try, p_tried milliseconds ago, was lost, one that was written since then stays as it is: by that
try. They are written in the order of their ids, so that two senders of the same messages cannot deadlock, and keep the
order in which they were sent by their positions. In plpgsql, which keeps its plans: planning costs more than inserting
one message.';

CREATE FUNCTION dramatiq.entries_read(p_index text) RETURNS bigint
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ -- as text, so that the index may be made anew
    SELECT pg_stat_get_xact_tuples_returned(to_regclass('dramatiq.' || p_index));
$$;

COMMENT ON FUNCTION dramatiq.entries_read(p_index text) IS 'How many entries of an index this session has read of late.';

CREATE FUNCTION dramatiq.exchange(p_worker bigint, p_queue text, p_done uuid[], p_attempts integer[], p_limit integer, p_pgmq_queue text DEFAULT NULL::text, p_actor text DEFAULT NULL::text, p_after uuid DEFAULT NULL::uuid, p_lines_only boolean DEFAULT false) RETURNS TABLE(message_id uuid, attempt integer, priority integer, message jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
    claimed integer := 0;
    moving integer;
    lowest integer := -2147483648;
    highest integer := 2147483647;
    since timestamptz := '-infinity';
    behind bigint := 0;
    paused boolean;
    lines text[];
    called bigint := 0;
    place constant dramatiq.place := dramatiq.recall_place(p_queue, p_done);
    is_part boolean := p_after IS NULL AND place.priority IS NOT NULL
                       AND (place.put_off < 20 OR clock_timestamp() < place.whole_at);
    whole_began timestamptz;
    entries bigint;
BEGIN
    IF p_after IS NOT NULL THEN -- looked for where most are, before the acks that may move it
        SELECT q.priority, q.priority, available_at, position INTO lowest, highest, since, behind
        FROM dramatiq.live AS q WHERE q.message_id = p_after;
        IF NOT FOUND THEN
            SELECT q.priority, q.priority, available_at, position INTO lowest, highest, since, behind
            FROM dramatiq.done AS q WHERE q.message_id = p_after AND q.mtime > now() - interval '1 minute';
        END IF;
    END IF;
    IF p_done <> '{}' THEN
        SELECT f.lines INTO lines FROM dramatiq.finish_all(p_done, p_attempts) AS f;
    END IF;
    IF lines IS NOT NULL THEN
        PERFORM dramatiq.note_change(lines, true);
    END IF;

    -- A worker that was given up for dead must say that it lives before it claims again.
    IF p_limit <= 0 OR NOT EXISTS (SELECT FROM dramatiq.worker WHERE id = p_worker) THEN
        IF lines IS NOT NULL THEN
            PERFORM dramatiq.ring(ARRAY[p_queue]);
        END IF;
        RETURN;
    END IF;

    paused := EXISTS (SELECT FROM dramatiq.current_pause WHERE queue_name = p_queue);
    IF NOT paused THEN
        lines := dramatiq.make_due(p_queue, p_limit, p_lines_only);
        IF lines IS NOT NULL THEN
            PERFORM dramatiq.note_change(lines, false);
        END IF;
        IF dramatiq.is_called_for(p_queue) THEN
            called := dramatiq.call_up(p_queue);
        END IF;

        IF is_part THEN
            SELECT place.priority, place.priority, place.available_at, place.position INTO lowest, highest, since, behind;
        END IF;
        IF p_lines_only THEN
            RETURN QUERY SELECT * FROM dramatiq.claim_in_turn(p_worker, p_queue, p_limit);
            GET DIAGNOSTICS claimed = ROW_COUNT;
        ELSE
            LOOP
                IF p_after IS NULL AND NOT is_part THEN
                    whole_began := clock_timestamp();
                    entries := dramatiq.entries_read('queue_due');
                    PERFORM dramatiq.take_up(p_worker, p_queue, p_limit);
                END IF;
                RETURN QUERY
                WITH taken AS (
                    UPDATE dramatiq.live AS q
                    SET state = 'consumed', claimed_by = p_worker, attempt = q.attempt + 1, mtime = now()
                    WHERE q.message_id = ANY (ARRAY(
                        SELECT message_id FROM dramatiq.live
                        WHERE queue_name = p_queue AND state = 'queued' AND NOT delayed AND waits_for IS NULL
                            AND priority BETWEEN lowest AND highest AND (available_at, position) > (since, behind)
                        ORDER BY priority DESC, available_at, position
                        LIMIT p_limit
                        FOR UPDATE SKIP LOCKED))
                    RETURNING q.message_id, q.attempt, q.priority, q.message, q.available_at, q.position
                )
                SELECT message_id, attempt, priority, message FROM taken ORDER BY priority DESC, available_at, position;
                GET DIAGNOSTICS claimed = ROW_COUNT;
                EXIT WHEN NOT is_part OR claimed > 0 OR clock_timestamp() < place.whole_at;
                SELECT false, -2147483648, 2147483647, '-infinity', 0 INTO is_part, lowest, highest, since, behind;
            END LOOP;
            PERFORM dramatiq.note_place(p_queue, place, claimed, whole_began, dramatiq.entries_read('queue_due') - entries)
            WHERE p_after IS NULL;
        END IF;
        IF called > claimed OR called IS NULL THEN
            PERFORM dramatiq.ring(ARRAY[p_queue]); -- for whoever sleeps while there is more than this worker takes
        END IF;
    END IF;

    IF p_pgmq_queue IS NOT NULL THEN
        moving := dramatiq.most_moved(p_worker, p_queue, p_pgmq_queue, p_actor, p_limit, claimed, p_after IS NULL);
        IF moving > 0 THEN
            RETURN QUERY
            SELECT message_id, attempt, priority, message
            FROM dramatiq.bridge(p_worker, p_queue, p_pgmq_queue, p_actor, moving, p_limit - claimed);
        END IF;
    END IF;
END $$;

COMMENT ON FUNCTION dramatiq.exchange(p_worker bigint, p_queue text, p_done uuid[], p_attempts integer[], p_limit integer, p_pgmq_queue text, p_actor text, p_after uuid, p_lines_only boolean) IS 'The hot path, one round trip a batch: acks what is finished, claims what is due, and tops up from pgmq.
An ack counts only while the claim it belongs to (message and attempt) is the current one.
With p_after, a message that this worker claimed before, it looks only behind that one at the same priority. While
another session holds an old snapshot, the index entries of all that was claimed since stay; from the start of the
queue, every claim would walk them. The worker asks without p_after now and then, and whenever it gets too few. Where that is
dear, it begins behind what this session acked last, too, and at the start of the queue where that finds nothing, for a
twentieth of the time, or after twenty looks that find something.
Between acks and claims it calls up, in the queue''s lines, whose turn has come. p_lines_only: all else is carried elsewhere.
Of a paused queue nothing is claimed; what waits in pgmq comes over all the same, to where people find it.';

CREATE FUNCTION dramatiq.failing(p_most integer DEFAULT NULL::integer) RETURNS TABLE(actor text, kind text, first_at timestamp with time zone)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
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

COMMENT ON FUNCTION dramatiq.failing(p_most integer) IS 'The kinds of failure that have dead letters, by actor, p_most of them at most: since when the first that is kept is dead.
It goes from one to the next, however many there are of each.';

CREATE FUNCTION dramatiq.failures(p_filter jsonb) RETURNS TABLE(actor text, kind text, state text, messages bigint, first_at timestamp with time zone, last_at timestamp with time zone, sample uuid)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
END $_$;

COMMENT ON FUNCTION dramatiq.failures(p_filter jsonb) IS 'What fails and why: dead letters and what waits to be tried again, by actor and kind of failure, the latest first, each
with the id of its latest message.';

CREATE FUNCTION dramatiq.fall_asleep(p_queues text[]) RETURNS TABLE(queue_name text, bells bigint[])
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    bell bigint;
BEGIN
    FOREACH queue_name IN ARRAY p_queues LOOP
        bells := '{}';
        FOR bell IN SELECT * FROM dramatiq.bells_of(queue_name) LOOP
            IF NOT pg_try_advisory_lock(bell) THEN
                PERFORM dramatiq.wake_up(bells);
                bells := NULL;
                EXIT;
            END IF;
            bells := bells || bell;
        END LOOP;
        IF bells IS NOT NULL THEN
            RETURN NEXT;
        END IF;
    END LOOP;
END $$;

COMMENT ON FUNCTION dramatiq.fall_asleep(p_queues text[]) IS 'Holds the bells of these queues until this session wakes up or ends: whoever sends from now on rings. Returns the queues
whose bells it got, all of a queue''s or none: where another sleeps already, a message need not wake both. A sender''s
shared lock is in the way only while it tries the bell.';

CREATE FUNCTION dramatiq.fallen_due(p_queue text, p_limit integer, p_lines boolean) RETURNS uuid[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
DECLARE
    memory constant text := concat_ws(' ', p_queue, p_lines);
    began constant timestamptz := clock_timestamp();
    entries constant bigint := dramatiq.entries_read('queue_delayed');
    horizon dramatiq.horizon := dramatiq.recall_horizon(memory);
    found uuid[];
BEGIN
    found := ARRAY(
        SELECT message_id FROM dramatiq.live
        WHERE queue_name = p_queue AND state = 'queued' AND delayed AND available_at <= now()
            AND (available_at, position) > (horizon.available_at, horizon.position)
            AND CASE p_lines WHEN true THEN line IS NOT NULL WHEN false THEN line IS NULL AND waits_for IS NULL ELSE true END
        ORDER BY available_at, position LIMIT p_limit FOR UPDATE SKIP LOCKED);
    SELECT available_at, position INTO horizon.available_at, horizon.position
    FROM dramatiq.live WHERE cardinality(found) >= p_limit AND message_id = found[p_limit];
    PERFORM dramatiq.note_horizon(memory, horizon, began, dramatiq.entries_read('queue_delayed') - entries);
    RETURN found;
END $$;

COMMENT ON FUNCTION dramatiq.fallen_due(p_queue text, p_limit integer, p_lines boolean) IS 'Delayed messages whose time has come, p_limit at most, locked; p_lines: those that have a line, or those that wait for
nothing else. While somebody holds an old snapshot, the index entries of all that was made due since stay. Where a look at all
of them reads many, one begins where this session''s last one ended; what that passes over, because it committed late, is
found by a look at all, which takes a twentieth of the time at most.';

CREATE FUNCTION dramatiq.find(p_filter jsonb, p_until timestamp with time zone, p_last uuid, p_rows integer, p_from timestamp with time zone DEFAULT NULL::timestamp with time zone, p_first uuid DEFAULT NULL::uuid) RETURNS TABLE(message_id uuid, queue text, actor text, state text, changed_at timestamp with time zone, due_at timestamp with time zone, attempt integer, priority integer, kind text)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
END $_$;

COMMENT ON FUNCTION dramatiq.find(p_filter jsonb, p_until timestamp with time zone, p_last uuid, p_rows integer, p_from timestamp with time zone, p_first uuid) IS 'A page of the messages that a filter finds, the last changed first, after the one that changed at p_until, p_last and not
before the one at p_from, p_first.';

CREATE FUNCTION dramatiq.finish(p_id uuid, p_attempt integer) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    ended record;
BEGIN
    SELECT f.finished, f.lines INTO ended FROM dramatiq.finish_all(ARRAY[p_id], ARRAY[p_attempt]) AS f;
    PERFORM dramatiq.leave_lines(ended.lines);
    RETURN ended.finished = 1;
END $$;

COMMENT ON FUNCTION dramatiq.finish(p_id uuid, p_attempt integer) IS 'Acks one message whose run caused something that is written in the same transaction; false where the claim was taken
over, and nothing of it may be.';

CREATE FUNCTION dramatiq.finish_all(p_ids uuid[], p_attempts integer[], OUT finished bigint, OUT lines text[]) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
BEGIN
    -- The state is compared as text, and the id as the only one of an array, so that the primary key answers for each row
    -- of the batch, whatever the statistics say: with the index of claimed rows at hand, or the order of ids to merge by, the
    -- planner walks either from end to end where it believes the table empty.
    WITH ended AS (
        DELETE FROM dramatiq.live AS q USING unnest(p_ids, p_attempts) AS run (message_id, attempt)
        WHERE q.message_id = ANY (ARRAY[run.message_id])
            AND (q.attempt = run.attempt AND q.state::text = 'consumed' OR run.attempt IS NULL)
        RETURNING q.*, coalesce(run.attempt, q.attempt + 1) AS attempts
    ), kept AS (
        INSERT INTO dramatiq.done
            (message_id, queue_name, state, mtime, message, position, priority, available_at, attempt, rescues, pgmq_queue,
             pgmq_msg_id, unique_key, line)
        SELECT message_id, queue_name, 'done', now(), message, position, priority, available_at, attempts, rescues, pgmq_queue,
               pgmq_msg_id, unique_key, line
        FROM ended
        RETURNING line
    )
    SELECT count(*), array_agg(line) FILTER (WHERE line IS NOT NULL) INTO finished, lines FROM kept;
END $$;

COMMENT ON FUNCTION dramatiq.finish_all(p_ids uuid[], p_attempts integer[], OUT finished bigint, OUT lines text[]) IS 'Acks messages: each moves to the day on which it ends, if the claim that is named is the current one. An attempt of NULL:
nobody claimed it, and the caller has it locked. All that is done passes here; returns how many did, and their lines, which
the caller says they left.';

CREATE FUNCTION dramatiq.finish_along(p_pgmq_queue text, p_ids uuid[], p_msg_ids bigint[], p_drop boolean) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    lines text[];
BEGIN
    SELECT f.lines INTO lines FROM dramatiq.finish_all(p_ids, NULL) AS f;
    PERFORM dramatiq.leave_lines(lines);
    IF p_drop THEN
        PERFORM dramatiq.drop_to_archive(p_pgmq_queue, p_msg_ids);
    ELSIF p_msg_ids <> '{}' THEN
        PERFORM pgmq.archive(p_pgmq_queue, p_msg_ids);
    END IF;
    PERFORM dramatiq.note_moved(p_pgmq_queue, p_msg_ids[cardinality(p_msg_ids)]) WHERE p_msg_ids <> '{}';
END $$;

COMMENT ON FUNCTION dramatiq.finish_along(p_pgmq_queue text, p_ids uuid[], p_msg_ids bigint[], p_drop boolean) IS 'Marks done what this transaction took along and worked on; nobody held a claim on it. p_drop: pgmq''s
archive is not to keep what it said.';

CREATE FUNCTION dramatiq.fits(p_message jsonb, p_required text[], p_accepted text[]) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    RETURN (SELECT ((fits.p_required <@ a.given) AND ((fits.p_accepted IS NULL) OR (a.given <@ fits.p_accepted))) FROM (SELECT ((fits.p_accepted)[1:jsonb_array_length((fits.p_message -> 'args'::text))] || ARRAY(SELECT jsonb_object_keys((fits.p_message -> 'kwargs'::text)) AS jsonb_object_keys)) AS "?column?") a(given));

COMMENT ON FUNCTION dramatiq.fits(p_message jsonb, p_required text[], p_accepted text[]) IS 'Whether an actor that must and may be given these arguments, in this order, can be called with a message''s.';

CREATE FUNCTION dramatiq.forget(p_ids uuid[], p_opened regclass, p_speaks_of regproc, p_subject jsonb, p_kept_actors text[], OUT removed bigint, OUT kept uuid[]) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
END $_$;

COMMENT ON FUNCTION dramatiq.forget(p_ids uuid[], p_opened regclass, p_speaks_of regproc, p_subject jsonb, p_kept_actors text[], OUT removed bigint, OUT kept uuid[]) IS 'Of these messages, removes those that speak of a subject, as dramatiq.forget_pgmq does; kept are what a worker holds
right now and what waits for one of p_kept_actors. p_opened: a table (message_id, message) of what the encrypted ones say.';

CREATE FUNCTION dramatiq.forget_pgmq(p_table text, p_msg_ids bigint[], p_speaks_of regproc, p_subject jsonb, p_keep boolean, OUT removed bigint, OUT kept bigint[]) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
END $_$;

COMMENT ON FUNCTION dramatiq.forget_pgmq(p_table text, p_msg_ids bigint[], p_speaks_of regproc, p_subject jsonb, p_keep boolean, OUT removed bigint, OUT kept bigint[]) IS 'Of these messages of a queue or an archive, removes those that speak of a subject, or keeps them; says how many are gone
and which are kept. p_speaks_of: the function (text of the message, its arguments, p_subject) that knows.';

CREATE FUNCTION dramatiq.free_unknown(p_worker bigint, p_queue text, p_ids uuid[], p_attempts integer[]) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    freed bigint;
BEGIN
    UPDATE dramatiq.live AS q
    SET state = 'queued', claimed_by = NULL, mtime = now()
    WHERE q.claimed_by = p_worker AND q.queue_name = p_queue AND q.state = 'consumed'
        AND (q.message_id, q.attempt) NOT IN (SELECT * FROM unnest(p_ids, p_attempts));
    GET DIAGNOSTICS freed = ROW_COUNT;
    IF freed > 0 THEN
        PERFORM dramatiq.heed_cancellations();
        PERFORM dramatiq.ring(ARRAY[p_queue]);
    END IF;
    RETURN freed;
END $$;

COMMENT ON FUNCTION dramatiq.free_unknown(p_worker bigint, p_queue text, p_ids uuid[], p_attempts integer[]) IS 'Hands back what a worker holds of a queue besides the claims it names: an exchange committed, and its answer was lost.';

CREATE FUNCTION dramatiq.furnish_queue(p_pgmq_queue text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
    queue text := 'q_' || p_pgmq_queue;
    home text := CASE WHEN has_schema_privilege('pgmq', 'CREATE') THEN 'pgmq' ELSE 'dramatiq' END;
BEGIN
    PERFORM dramatiq.take_turn('dramatiq.furnish_queue');
    BEGIN
        IF to_regclass(format('pgmq.%I', queue)) IS NULL THEN
            PERFORM pgmq.create(p_pgmq_queue);
        END IF;
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE NOTICE 'No pgmq queue %: this role may not create it.', p_pgmq_queue;
        RETURN;
    END;
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_trigger
                       WHERE tgrelid = format('pgmq.%I', queue)::regclass AND tgname = 'ring') THEN
            -- As dramatiq.ring has it; whoever sends runs it, and may not call that.
            EXECUTE format('CREATE TRIGGER ring AFTER INSERT ON pgmq.%I FOR EACH STATEMENT
                            WHEN (CASE WHEN pg_try_advisory_lock_shared(%2$s)
                                       THEN NOT pg_advisory_unlock_shared(%2$s) ELSE true END)
                            EXECUTE FUNCTION dramatiq.ring_for_pgmq()', queue, dramatiq.bell_of('pgmq.' || p_pgmq_queue));
        END IF;
        IF to_regclass(format('pgmq.%I', p_pgmq_queue || '_urgent')) IS NULL THEN
            -- As priority_of has it, which is inlined where the bridge asks; whoever sends runs it, and may not call that.
            EXECUTE format(
                'CREATE INDEX %1$I ON pgmq.%2$I ((%3$s) DESC, msg_id) WHERE %3$s > 0', p_pgmq_queue || '_urgent', queue,
                'CASE WHEN jsonb_typeof(message -> ''priority'') = ''number''
                      THEN greatest(-1000, least(1000, (message ->> ''priority'')::numeric))::integer
                      ELSE 0 END');
        END IF;
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE NOTICE 'No trigger and index on pgmq.%: workers poll for its messages, in their order.', queue;
    END;
    IF to_regclass(format('%I.%I', home, p_pgmq_queue)) IS NULL THEN
        EXECUTE format(
            'CREATE VIEW %I.%I AS
             SELECT msg_id, read_ct, enqueued_at, vt, message FROM pgmq.%I
             UNION ALL -- three reads, for each has an index of its own: one would walk the finished messages too
             SELECT pgmq_msg_id, rescues, available_at, available_at, message -> ''kwargs'' FROM dramatiq.live
             WHERE pgmq_queue = %4$L AND state = ''queued'' AND NOT delayed AND waits_for IS NULL
             UNION ALL
             SELECT pgmq_msg_id, rescues, available_at, available_at, message -> ''kwargs'' FROM dramatiq.live
             WHERE pgmq_queue = %4$L AND state = ''queued'' AND delayed AND waits_for IS NULL
             UNION ALL
             SELECT pgmq_msg_id, rescues, available_at, available_at, message -> ''kwargs'' FROM dramatiq.live
             WHERE pgmq_queue = %4$L AND state = ''queued'' AND waits_for IS NOT NULL',
            home, p_pgmq_queue, queue, p_pgmq_queue);
        PERFORM dramatiq.show_as_reader(format('%I.%I', home, p_pgmq_queue));
    END IF;
    IF NOT EXISTS (SELECT FROM dramatiq.held_route h WHERE h.pgmq_queue = p_pgmq_queue) THEN
        PERFORM dramatiq.close_queue(p_pgmq_queue);
    END IF;
END $_$;

COMMENT ON FUNCTION dramatiq.furnish_queue(p_pgmq_queue text) IS 'Creates a pgmq queue where it is missing, and gives it what it lacks of comforts that need rights on pgmq''s own schema
and tables. Without the trigger, workers notice by polling (at most a second later); without the index, urgent messages
overtake others only once the bridge has moved them; without the right to create there, the view stands in schema
dramatiq. Visitors lose it, unless another system has it still. One at a time: two that create the same queue would fail.';

CREATE FUNCTION dramatiq.furnish_routes() RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT dramatiq.furnish_queue(pgmq_queue) FROM dramatiq.actor WHERE pgmq_queue IS NOT NULL ORDER BY pgmq_queue;
$$;

COMMENT ON FUNCTION dramatiq.furnish_routes() IS 'Furnishes the queue of every published route; asked for at each publication, for one that was dropped and made anew.';

CREATE FUNCTION dramatiq.give_back(p_message jsonb, p_priority integer, p_delay bigint, p_dead boolean, p_error text, p_waits_for text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO dramatiq.live AS q
        (message_id, queue_name, state, message, priority, available_at, delayed, error, waits_for)
    VALUES (
        (p_message ->> 'message_id')::uuid, p_message ->> 'queue_name',
        CASE WHEN p_dead THEN 'rejected' ELSE 'queued' END::dramatiq.state, p_message, p_priority,
        now() + p_delay * interval '1 millisecond', p_delay > 0, p_error, p_waits_for)
    ON CONFLICT (message_id) DO UPDATE
    SET state = excluded.state, message = excluded.message, mtime = now(), priority = excluded.priority,
        available_at = excluded.available_at, delayed = excluded.delayed, attempt = q.attempt + 1, claimed_by = NULL,
        error = excluded.error, waits_for = excluded.waits_for;
    PERFORM dramatiq.start_over(ARRAY[(p_message ->> 'message_id')::uuid], 0); -- what a unique key has kept as done
    IF p_delay = 0 AND NOT p_dead THEN
        PERFORM dramatiq.ring(ARRAY[p_message ->> 'queue_name']);
    END IF;
END $$;

COMMENT ON FUNCTION dramatiq.give_back(p_message jsonb, p_priority integer, p_delay bigint, p_dead boolean, p_error text, p_waits_for text) IS 'Takes back a message that was carried elsewhere: to be tried again in p_delay milliseconds, as a dead letter, or for a worker
that has what it waits for.';

CREATE FUNCTION dramatiq.give_up_waiting(p_actor text, p_limit integer) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    lines text[];
    given_up bigint;
BEGIN
    WITH given_up AS (
        UPDATE dramatiq.live AS q
        SET state = 'rejected', mtime = now(), waits_for = NULL,
            error = format('Given up: no worker has %s.', coalesce(nullif(q.waits_for, 'its turn'), p_actor))
        WHERE q.message_id = ANY (ARRAY(
            SELECT message_id FROM dramatiq.live AS w
            WHERE state = 'queued' AND waits_for IS NOT NULL AND NOT delayed
                AND p_actor IN (message ->> 'actor_name', waits_for)
                AND (waits_for <> 'its turn' OR EXISTS (
                    SELECT FROM dramatiq.live first
                    WHERE first.line = w.line AND first.state = 'queued' AND first.waits_for <> 'its turn'))
            ORDER BY waits_for <> 'its turn' -- the first of a line last, so that no next one is called up between
            LIMIT p_limit FOR UPDATE SKIP LOCKED))
        RETURNING line
    )
    SELECT count(*), array_agg(line) INTO given_up, lines FROM given_up;
    PERFORM dramatiq.leave_lines(lines);
    RETURN given_up;
END $$;

COMMENT ON FUNCTION dramatiq.give_up_waiting(p_actor text, p_limit integer) IS 'Makes dead letters of what was set aside for an actor, or for a key, when a person decides that none will come, and of what
waits in line behind that; returns how many, p_limit at most.';

CREATE FUNCTION dramatiq.hand_back(p_ids uuid[], p_opened regclass) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
    returned bigint;
    lines text[];
    sending constant text := CASE WHEN to_regprocedure('pgmq.send(text, jsonb, jsonb, integer)') IS NOT NULL
        THEN 'o.message -> ''kwargs'', o.message #> ''{options,headers}''' ELSE 'o.message -> ''kwargs''' END;
BEGIN
    EXECUTE format($query$
        WITH gone AS (
            DELETE FROM dramatiq.live q USING dramatiq.actor a
            WHERE q.message_id = ANY ($1) AND q.state = 'queued' AND a.name = q.message ->> 'actor_name'
            RETURNING q.message_id, q.position, q.line, a.pgmq_queue,
                      greatest(0, ceil(extract(epoch FROM q.available_at - clock_timestamp())))::integer AS delay
        )
        SELECT count(*), array_agg(gone.line)
        FROM (SELECT * FROM gone ORDER BY position) AS gone JOIN %s AS o USING (message_id),
            LATERAL pgmq.send(gone.pgmq_queue, %s, gone.delay)$query$, p_opened, sending)
    INTO returned, lines USING p_ids;
    PERFORM dramatiq.leave_lines(lines);
    RETURN returned;
END $_$;

COMMENT ON FUNCTION dramatiq.hand_back(p_ids uuid[], p_opened regclass) IS 'Moves those of these messages that still wait to the pgmq queues that feed their actors; returns how many. p_opened is a
table (message_id, message) of what each of them says, for here it may lie encrypted.';

CREATE FUNCTION dramatiq.hasten(p_ids uuid[], p_pressing bigint DEFAULT 0) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    queues text[];
    lines text[];
BEGIN
    -- In the order in which acks lock them.
    PERFORM FROM dramatiq.live WHERE message_id = ANY (p_ids) ORDER BY message_id FOR NO KEY UPDATE;
    WITH hastened AS (
        UPDATE dramatiq.live q
        SET delayed = false, available_at = now() + place * interval '1 microsecond' - interval '1 second',
            priority = CASE WHEN place <= p_pressing THEN 2147483647 ELSE priority END,
            hastened = CASE WHEN state = 'consumed' THEN attempt END
        FROM unnest(p_ids) WITH ORDINALITY AS wanted (id, place)
        WHERE q.message_id = ANY (ARRAY[wanted.id]) AND (q.state = 'queued' AND q.delayed OR q.state = 'consumed')
        RETURNING q.queue_name, q.line
    )
    SELECT array_agg(DISTINCT queue_name), array_agg(line) INTO queues, lines FROM hastened;
    PERFORM dramatiq.note_change(lines, false);
    PERFORM dramatiq.ring(queues);
END $$;

COMMENT ON FUNCTION dramatiq.hasten(p_ids uuid[], p_pressing bigint) IS 'Makes messages that wait for their time due at once, in this order; the first p_pressing of them before all others of
their queue, whatever its priorities. One that is running may be about to be put back for a time that somebody chose
before: if it is, it takes its place in this order all the same.';

CREATE FUNCTION dramatiq.have_ended(p_last_begun bigint) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint > p_last_begun;
$$;

COMMENT ON FUNCTION dramatiq.have_ended(p_last_begun bigint) IS 'Whether every transaction has ended that had begun to write by then: what they sent can be seen now. One that found nobody
asleep did not ring, and its messages were to be seen by nobody until it ended.';

CREATE FUNCTION dramatiq.heard_up_to(p_queue text) RETURNS bigint
    LANGUAGE sql STABLE
    RETURN COALESCE(((NULLIF(current_setting(('dramatiq.hearing_'::text || md5(p_queue)), true), ''::text))::dramatiq.hearing).behind, (0)::bigint);

COMMENT ON FUNCTION dramatiq.heard_up_to(p_queue text) IS 'Behind which id this session looks for words of a queue.';

CREATE FUNCTION dramatiq.heard_within(p_time interval, OUT workers bigint, OUT latest timestamp with time zone) RETURNS record
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT count(*) FILTER (WHERE heartbeat_at > clock_timestamp() - p_time), max(heartbeat_at) FROM dramatiq.alive;
$$;

COMMENT ON FUNCTION dramatiq.heard_within(p_time interval, OUT workers bigint, OUT latest timestamp with time zone) IS 'How many workers have said within that time that they live, by this server''s clock, and when the latest did. For people:
who takes over from the dead goes by their counts.';

CREATE FUNCTION dramatiq.heartbeat(p_worker bigint, p_host text, p_pid integer, p_beats bigint, p_abilities text[], p_hears boolean) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
DECLARE
    known dramatiq.worker;
BEGIN
    SELECT * INTO known FROM dramatiq.worker WHERE id = p_worker FOR KEY SHARE; -- who gives it up waits, or has
    IF known.id IS NULL THEN
        INSERT INTO dramatiq.worker (id, host, pid, abilities, hears) VALUES (p_worker, p_host, p_pid, p_abilities, p_hears);
    ELSIF (known.abilities, known.hears) IS DISTINCT FROM (p_abilities, p_hears) THEN
        UPDATE dramatiq.worker SET abilities = p_abilities, hears = p_hears WHERE id = p_worker;
    END IF;
    UPDATE dramatiq.beat SET number = p_beats, at = clock_timestamp()
    WHERE worker = p_worker AND number = (
        SELECT number FROM dramatiq.beat WHERE worker = p_worker ORDER BY number DESC LIMIT 1);
    IF NOT FOUND THEN
        INSERT INTO dramatiq.beat (worker, number) VALUES (p_worker, p_beats);
    END IF;
    RETURN known.id IS NOT NULL;
END $$;

COMMENT ON FUNCTION dramatiq.heartbeat(p_worker bigint, p_host text, p_pid integer, p_beats bigint, p_abilities text[], p_hears boolean) IS 'Says that a worker lives, by its own count of beats, which goes on where others had given it up: then false, for its
claims may be running elsewhere. Its own row changes only where the worker has.';

CREATE FUNCTION dramatiq.heed_cancellations() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    lines text[];
BEGIN
    IF NOT EXISTS (SELECT FROM dramatiq.cancellation) THEN
        RETURN;
    END IF;
    WITH over AS (
        SELECT c.message_id FROM dramatiq.cancellation c LEFT JOIN dramatiq.live q USING (message_id)
        WHERE q.state IS DISTINCT FROM 'consumed'
        FOR UPDATE OF c SKIP LOCKED
    ), heeded AS (
        DELETE FROM dramatiq.cancellation c USING over WHERE c.message_id = over.message_id RETURNING c.*
    ), cancelled AS (
        UPDATE dramatiq.live q
        SET state = 'cancelled', mtime = now(), delayed = false, waits_for = NULL,
            error = dramatiq.cancelled_by(heeded.who, heeded.reason)
        FROM heeded
        WHERE q.message_id = heeded.message_id AND q.state IN ('queued', 'rejected')
        RETURNING q.line
    )
    SELECT array_agg(line) INTO lines FROM cancelled;
    PERFORM dramatiq.leave_lines(lines);
END $$;

COMMENT ON FUNCTION dramatiq.heed_cancellations() IS 'Cancels what a person asked to end and no worker runs any more, and forgets what was asked of the others that have ended.
Whatever puts a claimed message back, or gives it up, calls this in its own transaction, so that none runs again.';

CREATE FUNCTION dramatiq.hidden(p_place integer) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT current_setting('dramatiq.hidden_' || p_place)
$$;

COMMENT ON FUNCTION dramatiq.hidden(p_place integer) IS 'A value that was copied into dramatiq.hidden_value in this transaction. No statement has it, and COPY''s data is logged
by no setting: so what an error or a time limit quotes is nobody''s address.';

CREATE FUNCTION dramatiq.hide_value() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    PERFORM set_config('dramatiq.hidden_' || NEW.place, NEW.value, true);
    RETURN NULL; -- no row
END $$;

COMMENT ON FUNCTION dramatiq.hide_value() IS 'Keeps a value that is copied into dramatiq.hidden_value.';

CREATE TABLE dramatiq.counter (
    key text NOT NULL COLLATE pg_catalog."C",
    value bigint NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    change bigint DEFAULT 0 NOT NULL
);

CREATE FUNCTION dramatiq.hold_counter(p_key text) RETURNS dramatiq.counter
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
DECLARE
    held dramatiq.counter;
BEGIN
    SELECT * INTO held FROM dramatiq.counter WHERE key = p_key ORDER BY change DESC LIMIT 1 FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM dramatiq.take_counters_turn(p_key); -- to create it
        SELECT * INTO held FROM dramatiq.counter WHERE key = p_key ORDER BY change DESC LIMIT 1 FOR UPDATE;
    END IF;
    RETURN held;
END $$;

COMMENT ON FUNCTION dramatiq.hold_counter(p_key text) IS 'A counter''s row, or an empty one where there is none; nobody else changes or creates it until the transaction ends.';

CREATE FUNCTION dramatiq.hold_routes(p_pgmq_queues text[]) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    INSERT INTO dramatiq.held_route SELECT unnest(p_pgmq_queues) ON CONFLICT DO NOTHING;
$$;

COMMENT ON FUNCTION dramatiq.hold_routes(p_pgmq_queues text[]) IS 'Leaves these pgmq queues to whoever reads them now, until release_routes.';

CREATE FUNCTION dramatiq.horizon(p_filter jsonb, p_until timestamp with time zone, p_last uuid, p_look integer, OUT changed_at timestamp with time zone, OUT message_id uuid) RETURNS record
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT q.mtime, q.message_id FROM dramatiq.done q
    WHERE (p_until IS NULL OR (q.mtime, q.message_id) < (p_until, p_last))
      AND (NOT p_filter ? 'since' OR q.mtime >= (p_filter ->> 'since')::timestamptz)
      AND (NOT p_filter ? 'before' OR q.mtime < (p_filter ->> 'before')::timestamptz)
      AND p_filter ?| '{queue, actor, arguments}' AND NOT p_filter ?| '{kind, trace, low}'
      AND coalesce(p_filter ->> 'state', 'done') = 'done'
    ORDER BY q.mtime DESC, q.message_id DESC OFFSET p_look - 1 LIMIT 1;
$$;

COMMENT ON FUNCTION dramatiq.horizon(p_filter jsonb, p_until timestamp with time zone, p_last uuid, p_look integer, OUT changed_at timestamp with time zone, OUT message_id uuid) IS 'How far back a page of what a filter finds is looked for, after the one that changed at p_until, p_last: to the p_look-th
message that is done, where the filter asks for what no index tells of those. NULL: to the end.';

CREATE FUNCTION dramatiq.is_any_due(p_queue text) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
DECLARE
    memory constant text := 'dramatiq.glance_' || md5(p_queue);
    place constant dramatiq.place := dramatiq.recall_place(p_queue, '{}');
    began constant timestamptz := clock_timestamp();
    any_due boolean;
BEGIN
    IF place.priority IS NOT NULL AND EXISTS (
        SELECT FROM dramatiq.live q
        WHERE q.queue_name = p_queue AND q.state = 'queued' AND NOT q.delayed AND q.waits_for IS NULL
            AND q.priority = place.priority AND (q.available_at, q.position) > (place.available_at, place.position))
    THEN
        RETURN true;
    END IF;
    IF began < nullif(current_setting(memory, true), '')::timestamptz THEN
        RETURN false;
    END IF;
    any_due := EXISTS (
        SELECT FROM dramatiq.live q
        WHERE q.queue_name = p_queue AND q.state = 'queued' AND NOT q.delayed AND q.waits_for IS NULL);
    PERFORM set_config(memory, dramatiq.again_at(began)::text, false);
    RETURN any_due;
END $$;

COMMENT ON FUNCTION dramatiq.is_any_due(p_queue text) IS 'Whether something of a queue is due, behind what this session acked last, or anywhere, which is asked where a twentieth of
the session''s time is enough for it.';

CREATE FUNCTION dramatiq.is_any_visible(p_pgmq_queue text) RETURNS boolean
    LANGUAGE plpgsql STABLE STRICT
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $_$
DECLARE
    recent constant interval := '3 seconds'; -- who asks, asks each second
    source constant regclass := to_regclass(format('pgmq.%I', 'q_' || p_pgmq_queue));
    memory constant text := 'dramatiq.glance_' || source::oid;
    present constant timestamptz := clock_timestamp();
    question constant text := format('SELECT EXISTS (SELECT FROM pgmq.%I WHERE vt BETWEEN $1 AND $2)', 'q_' || p_pgmq_queue);
    any_visible boolean;
BEGIN
    IF source IS NULL THEN
        RETURN false;
    END IF;
    EXECUTE question INTO any_visible USING present - recent, present;
    IF NOT any_visible AND coalesce(present >= nullif(current_setting(memory, true), '')::timestamptz, true) THEN
        EXECUTE question INTO any_visible USING timestamptz '-infinity', present;
        PERFORM set_config(memory, dramatiq.again_at(present)::text, false);
    END IF;
    RETURN any_visible;
END $_$;

COMMENT ON FUNCTION dramatiq.is_any_visible(p_pgmq_queue text) IS 'Whether a message of a pgmq queue can be read that has become so lately; or longer ago, which is asked where a twentieth of
this session''s time is enough for it. False where there is no such queue.';

CREATE FUNCTION dramatiq.is_called_for(p_queue text) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
DECLARE
    memory constant text := 'dramatiq.hearing_' || md5(p_queue);
    last constant bigint := pg_sequence_last_value('dramatiq.changed_line_id_seq');
    began constant timestamptz := clock_timestamp();
    heard dramatiq.hearing := nullif(current_setting(memory, true), '')::dramatiq.hearing;
    called boolean;
BEGIN
    called := EXISTS (SELECT FROM dramatiq.changed_line
                      WHERE queue_name = p_queue AND id > coalesce(heard.behind, 0) AND at <= began);
    IF NOT called AND heard.behind > 0 AND began >= coalesce(heard.whole_at, '-infinity') THEN
        called := EXISTS (SELECT FROM dramatiq.changed_line WHERE queue_name = p_queue AND id <= heard.behind AND at <= began);
        heard := ROW(CASE WHEN called THEN 0 ELSE heard.behind END, dramatiq.again_at(began));
    END IF;
    PERFORM set_config(memory, heard::text, false);
    PERFORM dramatiq.note_heard(p_queue, last) WHERE NOT called;
    RETURN called;
END $$;

COMMENT ON FUNCTION dramatiq.is_called_for(p_queue text) IS 'Whether somebody left word of a line of this queue, which this session has not heard. What committed late, a thousand words
behind, is looked for where a twentieth of the session''s time is enough for it.';

CREATE FUNCTION dramatiq.is_cancelled(p_id uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM dramatiq.live WHERE message_id = p_id AND state = 'cancelled');
END $$;

COMMENT ON FUNCTION dramatiq.is_cancelled(p_id uuid) IS 'Whether a person cancelled a message.';

CREATE FUNCTION dramatiq.is_dear(p_entries bigint) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    RETURN (p_entries > 5000);

COMMENT ON FUNCTION dramatiq.is_dear(p_entries bigint) IS 'Whether a look at a whole queue that reads so many entries, of the dead ones too, is not to be repeated each time.';

CREATE FUNCTION dramatiq.is_pending(p_id uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM dramatiq.live WHERE message_id = p_id AND state IN ('queued', 'consumed'));
END $$;

COMMENT ON FUNCTION dramatiq.is_pending(p_id uuid) IS 'Whether a message waits or runs; false where it is done, dead or gone. In plpgsql, which keeps its plan: it is asked
once for each of many rows.';

CREATE FUNCTION dramatiq.is_waiting(p_queue text, p_arguments jsonb) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT EXISTS (
        SELECT FROM dramatiq.live
        WHERE queue_name = p_queue AND state = 'queued' AND NOT delayed AND waits_for IS NULL
            AND message -> 'kwargs' @> p_arguments
        UNION ALL
        SELECT FROM dramatiq.live
        WHERE queue_name = p_queue AND state = 'queued' AND NOT delayed AND waits_for = 'its turn'
            AND message -> 'kwargs' @> p_arguments);
$$;

COMMENT ON FUNCTION dramatiq.is_waiting(p_queue text, p_arguments jsonb) IS 'Whether a message with these arguments is due, or waits for its turn, that no worker has claimed or set aside.';

CREATE FUNCTION dramatiq.keep_minutes(p_most interval) RETURNS timestamp with time zone
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    begins timestamptz;
    ends timestamptz;
BEGIN
    SELECT at INTO begins FROM dramatiq.kept_until FOR UPDATE;
    -- What ends just before a minute does commits a little later.
    ends := least(date_trunc('minute', clock_timestamp() - interval '5 seconds'), begins + p_most);
    IF ends <= begins THEN
        RETURN begins;
    END IF;
    INSERT INTO dramatiq.minute
        (minute, queue_name, actor, ending, failure, bucket, messages, attempts, seconds, pgmq_queue)
    SELECT date_trunc('minute', mtime), queue_name, coalesce(message ->> 'actor_name', ''),
           CASE state WHEN 'done' THEN 'done' ELSE 'dead' END,
           CASE state WHEN 'done' THEN '' ELSE dramatiq.class_of(error) END, width_bucket(took.seconds, dramatiq.bounds()),
           count(*), sum(attempt), sum(took.seconds), coalesce(pgmq_queue, '')
    FROM (
        SELECT * FROM dramatiq.done WHERE mtime >= begins AND mtime < ends
        UNION ALL
        SELECT * FROM dramatiq.live WHERE state = 'rejected' AND mtime >= begins AND mtime < ends
    ) AS ended, LATERAL (SELECT greatest(extract(epoch FROM mtime - available_at)::float8, 0)) AS took (seconds)
    GROUP BY 1, 2, 3, 4, 5, 6, 10;

    INSERT INTO dramatiq.total AS t (queue_name, actor, ending, failure, bucket, messages, attempts, seconds)
    SELECT queue_name, actor, ending, failure, bucket, sum(messages), sum(attempts), sum(seconds)
    FROM dramatiq.minute WHERE minute >= begins AND minute < ends
    GROUP BY queue_name, actor, ending, failure, bucket
    ON CONFLICT (queue_name, actor, ending, failure, bucket) DO UPDATE
    SET messages = t.messages + excluded.messages, attempts = t.attempts + excluded.attempts,
        seconds = t.seconds + excluded.seconds;

    DELETE FROM dramatiq.depth;
    INSERT INTO dramatiq.depth (queue_name, waiting, delayed, set_aside, dead)
    SELECT queue_name, sum(waiting), sum(delayed), sum(set_aside), sum(dead)
    FROM (
        SELECT queue_name, count(*), 0, 0, 0 FROM dramatiq.live
        WHERE state = 'queued' AND NOT delayed AND waits_for IS NULL GROUP BY queue_name
        UNION ALL
        SELECT queue_name, 0, count(*), 0, 0 FROM dramatiq.live WHERE state = 'queued' AND delayed GROUP BY queue_name
        UNION ALL
        SELECT queue_name, count(*) FILTER (WHERE waits_for = 'its turn' AND NOT delayed), 0,
               count(*) FILTER (WHERE waits_for <> 'its turn'), 0
        FROM dramatiq.live WHERE state = 'queued' AND waits_for IS NOT NULL GROUP BY queue_name
        UNION ALL
        SELECT queue_name, 0, 0, 0, count(*) FROM dramatiq.live WHERE state = 'rejected' GROUP BY queue_name
    ) AS counts (queue_name, waiting, delayed, set_aside, dead)
    GROUP BY queue_name;
    UPDATE dramatiq.kept_until SET at = ends;
    RETURN ends;
END $$;

COMMENT ON FUNCTION dramatiq.keep_minutes(p_most interval) IS 'Keeps the minutes that have passed since the last call, p_most of them at most; gives up to when they are kept now.';

CREATE SEQUENCE dramatiq.queue_position_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE dramatiq.queue (
    message_id uuid NOT NULL,
    "position" bigint DEFAULT nextval('dramatiq.queue_position_seq'::regclass) NOT NULL,
    available_at timestamp with time zone DEFAULT now() NOT NULL,
    mtime timestamp with time zone DEFAULT now(),
    claimed_by bigint,
    pgmq_msg_id bigint,
    attempt integer DEFAULT 0 NOT NULL,
    state dramatiq.state,
    hastened integer,
    priority integer DEFAULT 0 NOT NULL,
    rescues integer DEFAULT 0 NOT NULL,
    delayed boolean DEFAULT false NOT NULL,
    queue_name text DEFAULT 'default'::text NOT NULL,
    pgmq_queue text,
    unique_key text,
    waits_for text,
    line text COLLATE pg_catalog."C",
    error text,
    message jsonb
)
PARTITION BY LIST (state);

COMMENT ON TABLE dramatiq.queue IS 'All messages that are kept. Each stands in one place only: in dramatiq.live until it is done, then in dramatiq.done.';

CREATE FUNCTION dramatiq.kept(p_id uuid) RETURNS dramatiq.queue
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    found_one dramatiq.queue;
BEGIN
    SELECT * INTO found_one FROM dramatiq.live WHERE message_id = p_id;
    IF NOT FOUND THEN
        SELECT * INTO found_one FROM dramatiq.done WHERE message_id = p_id;
    END IF;
    RETURN found_one;
END $$;

COMMENT ON FUNCTION dramatiq.kept(p_id uuid) IS 'A message, of whatever state; NULLs where it is not kept. Asked first where most are that anybody asks for: of the days
each has an index of its own.';

CREATE FUNCTION dramatiq.key_in(p_arguments jsonb, p_key text) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN CASE jsonb_typeof((p_arguments #> string_to_array(p_key, '.'::text))) WHEN 'string'::text THEN (p_arguments #>> string_to_array(p_key, '.'::text)) WHEN 'number'::text THEN "substring"((p_arguments #>> string_to_array(p_key, '.'::text)), '^-?[0-9]+$'::text) ELSE NULL::text END;

COMMENT ON FUNCTION dramatiq.key_in(p_arguments jsonb, p_key text) IS 'The key that arguments hold where an actor has it (`payment_id`, `variables.appointment_id`): a text or a whole number;
NULL for anything else. (A body after RETURN can be inlined, and no search_path misleads it.)';

CREATE FUNCTION dramatiq.kind_of(p_error text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT left(regexp_replace(coalesce(dramatiq.saying_of(p_error), 'No reason was given.'),
        '[^\s<>"'']+@[^\s<>"'']+|''[^'']*''|"[^"]*"|«[^»]*»'
        || '|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|\m[0-9a-f]{16,}\M|[0-9]+([.,:-][0-9]+)*', '…', 'g'), 200);
$$;

COMMENT ON FUNCTION dramatiq.kind_of(p_error text) IS 'What kind of failure an error is: the line that says what was wrong, without what differs from one to the next (ids,
numbers, addresses, what is quoted).';

CREATE FUNCTION dramatiq.last_begun() RETURNS bigint
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT pg_current_xact_id()::text::bigint;
$$;

COMMENT ON FUNCTION dramatiq.last_begun() IS 'A transaction''s number, after those of all that have written anything by now.';

CREATE FUNCTION dramatiq.leave_lines(p_lines text[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF array_remove(p_lines, NULL) <> '{}' THEN
        PERFORM dramatiq.note_change(p_lines, true);
        PERFORM dramatiq.ring(ARRAY(SELECT DISTINCT split_part(line, ' ', 1) FROM unnest(p_lines) AS line
                                    WHERE line IS NOT NULL));
    END IF;
END $$;

COMMENT ON FUNCTION dramatiq.leave_lines(p_lines text[]) IS 'Says that messages of these lines are done, given up, cancelled or gone, and rings. Whatever ends a message outside an
exchange, or takes it away, calls this in the same transaction.';

CREATE FUNCTION dramatiq.line_of(p_queue text, p_key text) RETURNS text
    LANGUAGE sql STABLE
    RETURN ((p_queue || ' '::text) || encode(sha256(convert_to(p_key, 'UTF8'::name)), 'hex'::text));

COMMENT ON FUNCTION dramatiq.line_of(p_queue text, p_key text) IS 'The line of a key in a queue, NULL without a key. Of the key only the digest: keys often say whose they are.';

CREATE FUNCTION dramatiq.look_into(p_worker bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    PERFORM dramatiq.end_looks();
    INSERT INTO dramatiq.look (worker) VALUES (p_worker)
    ON CONFLICT (worker) DO UPDATE SET asked_at = clock_timestamp(), stacks = NULL;
END $$;

COMMENT ON FUNCTION dramatiq.look_into(p_worker bigint) IS 'Asks a worker where its threads stand; its pulse answers with its next beat, for a worker that hangs beats on.';

CREATE FUNCTION dramatiq.make_day(p_day date) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '500ms'
    AS $$
DECLARE
    day_table text := dramatiq.day_table(p_day);
    begins timestamptz;
BEGIN
    LOCK TABLE dramatiq.done_other IN ACCESS EXCLUSIVE MODE; -- as attaching does; nothing comes in meanwhile
    IF to_regclass(day_table) IS NOT NULL THEN
        RETURN false;
    END IF;
    SELECT coalesce(max(mtime) + interval '1 microsecond', dramatiq.day_begins(p_day)) INTO begins FROM dramatiq.done_other
    WHERE mtime >= dramatiq.day_begins(p_day) AND mtime < dramatiq.day_begins(p_day + 1);
    -- Nothing is updated in it and it is dropped whole, so vacuum need not look at it.
    EXECUTE format('CREATE TABLE %s (LIKE dramatiq.done INCLUDING DEFAULTS) WITH (autovacuum_vacuum_insert_threshold = -1)',
                   day_table);
    EXECUTE format('ALTER TABLE dramatiq.done ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)',
                   day_table, begins, dramatiq.day_begins(p_day + 1));
    PERFORM dramatiq.shut('TABLE ' || day_table);
    RETURN true;
END $$;

COMMENT ON FUNCTION dramatiq.make_day(p_day date) IS 'Makes the table of a day; false where there is one. What was done on that day before stays in dramatiq.done_other, and the
table begins behind it, so that nothing is moved while others wait. An owner''s work, which workers ask for.';

CREATE FUNCTION dramatiq.make_due(p_queue text, p_limit integer, p_lines_only boolean) RETURNS text[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    found constant uuid[] := dramatiq.fallen_due(p_queue, p_limit, nullif(p_lines_only, false));
    lines text[];
BEGIN
    IF found = '{}' THEN
        RETURN NULL;
    END IF;
    WITH due AS (
        UPDATE dramatiq.live AS q SET delayed = false WHERE q.message_id = ANY (found) RETURNING q.line, q.waits_for
    )
    SELECT array_agg(line) INTO lines FROM due WHERE waits_for = 'its turn';
    RETURN lines;
END $$;

COMMENT ON FUNCTION dramatiq.make_due(p_queue text, p_limit integer, p_lines_only boolean) IS 'Makes delayed messages due whose time has come, p_limit at most; returns the lines of those that wait for their turn.';

CREATE FUNCTION dramatiq.marks_in(p_text text) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT coalesce(array_agg(DISTINCT mark[1]), '{}')
    FROM regexp_matches(lower(p_text), '[0-9a-f]{8}-[0-9a-f]{4}-|[[:alnum:]]{0,40}@', 'g') AS mark;
$$;

COMMENT ON FUNCTION dramatiq.marks_in(p_text text) IS 'By what a text is found that names a uuid or an address: of each uuid how it begins, of each address the last word before
its @, 40 letters of it at most, for an index takes none of any length. No two of them can overlap, so none is missed,
whatever stands around them.';

CREATE FUNCTION dramatiq.marks_of(p_message jsonb, p_error text) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT dramatiq.marks_in(concat_ws(' ', p_message, p_error));
$$;

COMMENT ON FUNCTION dramatiq.marks_of(p_message jsonb, p_error text) IS 'The marks of what a message says, and its failure.';

CREATE FUNCTION dramatiq.messages_about(p_ids uuid[], p_speaks_of regproc, p_subject jsonb, p_names text) RETURNS TABLE(message_id uuid, actor text, state dramatiq.state, sent_at timestamp with time zone, due_at timestamp with time zone, changed_at timestamp with time zone, attempt integer, failure text, waits_for text)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT q.message_id, q.message ->> ''actor_name'', q.state,
                to_timestamp((q.message ->> ''message_timestamp'')::numeric / 1000), q.available_at, q.mtime, q.attempt, q.error,
                q.waits_for
         FROM (
             SELECT unnest($1)
             UNION
             SELECT said.message_id FROM (
                 SELECT u.message_id, concat_ws('' '', u.message, u.error) AS text, u.message -> ''kwargs'' AS arguments
                 FROM (
                     SELECT * FROM dramatiq.live WHERE state = ''queued'' AND NOT delayed AND waits_for IS NULL
                     UNION ALL SELECT * FROM dramatiq.live WHERE state = ''queued'' AND waits_for IS NOT NULL
                     UNION ALL SELECT * FROM dramatiq.live WHERE state = ''queued'' AND delayed
                     UNION ALL SELECT * FROM dramatiq.live WHERE state = ''consumed''
                     UNION ALL SELECT * FROM dramatiq.live WHERE state IN (''rejected'', ''cancelled'')
                         AND dramatiq.marks_of(message, error) && $3
                 ) AS u
                 OFFSET 0 -- columns as arguments let the function that knows be inlined
             ) AS said
             WHERE %s(said.text, said.arguments, $2)
         ) AS wanted (id), LATERAL dramatiq.kept(wanted.id) AS q
         WHERE q.message_id IS NOT NULL', p_speaks_of)
    USING p_ids, p_subject, dramatiq.marks_in(p_names);
END $_$;

COMMENT ON FUNCTION dramatiq.messages_about(p_ids uuid[], p_speaks_of regproc, p_subject jsonb, p_names text) IS 'These messages, and those that speak of a subject and are not done: p_speaks_of is the function (text of the message,
its arguments, p_subject) that knows, p_names the uuids and addresses of which a message that speaks of it names one. What
an encrypted one says, only its ids tell. Each state has a small index, and what they find is found by its id: an OR of the
two would walk what is done.';

CREATE FUNCTION dramatiq.messages_between(p_low uuid, p_high uuid) RETURNS SETOF uuid
    LANGUAGE sql STABLE ROWS 20
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT message_id FROM dramatiq.queue WHERE message_id BETWEEN p_low AND p_high ORDER BY message_id LIMIT 20;
$$;

COMMENT ON FUNCTION dramatiq.messages_between(p_low uuid, p_high uuid) IS 'The first messages whose ids are in this range: those that begin with some letters.';

CREATE FUNCTION dramatiq.missing_abilities() RETURNS TABLE(ability text, messages bigint, since timestamp with time zone, published boolean)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT waits_for, count(*), min(available_at),
           EXISTS (SELECT FROM dramatiq.actor a WHERE q.waits_for IN (a.name, a.signature))
    FROM dramatiq.live q
    WHERE state = 'queued' AND waits_for IS NOT NULL AND waits_for <> 'its turn'
    GROUP BY waits_for
    HAVING min(available_at) < now() - interval '1 minute'
        OR NOT EXISTS (SELECT FROM dramatiq.worker w WHERE q.waits_for = ANY (w.abilities))
    ORDER BY waits_for;
$$;

COMMENT ON FUNCTION dramatiq.missing_abilities() IS 'Actors, or signatures of theirs, that messages wait for and no worker has, or none that takes their queue: how many
messages, since when the first was due, and whether the published contract knows it.';

CREATE FUNCTION dramatiq.missing_days(p_ahead integer DEFAULT 3) RETURNS SETOF date
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT day FROM (
        SELECT (now() AT TIME ZONE 'UTC')::date + number FROM generate_series(0, p_ahead) AS number
    ) AS days (day)
    WHERE to_regclass(dramatiq.day_table(day)) IS NULL AND NOT EXISTS (
        SELECT FROM dramatiq.done_other WHERE mtime = dramatiq.day_begins(day + 1) - interval '1 microsecond')
    ORDER BY day;
$$;

COMMENT ON FUNCTION dramatiq.missing_days(p_ahead integer) IS 'The days from today to p_ahead days ahead that have no table and could have one.';

CREATE FUNCTION dramatiq.missing_route_rights() RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT CASE WHEN source IS NULL THEN 'the pgmq queue ' || pgmq_queue ELSE format('taking from pgmq.q_%s', pgmq_queue) END
    FROM dramatiq.actor, to_regclass(format('pgmq.%I', 'q_' || pgmq_queue)) AS source
    WHERE pgmq_queue IS NOT NULL AND (
        source IS NULL OR NOT (has_table_privilege(source, 'SELECT') AND has_table_privilege(source, 'UPDATE')
                               AND has_table_privilege(source, 'DELETE')))
    ORDER BY pgmq_queue;
$$;

COMMENT ON FUNCTION dramatiq.missing_route_rights() IS 'What this role lacks to bridge the published routes.';

CREATE FUNCTION dramatiq.most_moved(p_worker bigint, p_queue text, p_pgmq_queue text, p_actor text, p_limit integer, p_claimed integer, p_whole boolean) RETURNS integer
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    -- The published route counts: another version of the application may have given the queue to another actor.
    IF p_limit <= 0 OR NOT EXISTS (
        SELECT FROM dramatiq.actor WHERE pgmq_queue = p_pgmq_queue AND name = p_actor AND queue_name = p_queue
    ) OR NOT EXISTS (SELECT FROM dramatiq.worker WHERE id = p_worker) THEN
        RETURN 0;
    END IF;
    RETURN CASE WHEN p_limit < 32 THEN 128 WHEN p_whole THEN p_limit ELSE p_limit - p_claimed END;
END $$;

COMMENT ON FUNCTION dramatiq.most_moved(p_worker bigint, p_queue text, p_pgmq_queue text, p_actor text, p_limit integer, p_claimed integer, p_whole boolean) IS 'How many messages a worker that claims p_limit, and got p_claimed, should move from pgmq. A slow actor''s queue moves here
faster than it is worked off, for only here does priority count. A fast one''s messages are claimed as they are moved,
which saves each an update: only a look at the whole queue (p_whole) moves more than there is room for, so that what is
sent straight to the queue does not hold them up.';

CREATE FUNCTION dramatiq.nack_pgmq(queue_name text, msg_id bigint) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
    PERFORM dramatiq.check_pgmq_queue($1);
    RETURN EXISTS (SELECT FROM pgmq.set_vt($1, $2, 0));
END $_$;

COMMENT ON FUNCTION dramatiq.nack_pgmq(queue_name text, msg_id bigint) IS 'Not done with a message: it is visible again at once; true where it was there.';

CREATE FUNCTION dramatiq.never_begun(p_begun text[], p_limit integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT q.message_id
    FROM dramatiq.live q
    JOIN dramatiq.actor a ON a.name = q.message ->> 'actor_name'
    WHERE a.pgmq_queue IS NOT NULL AND q.state = 'queued' AND q.rescues = 0 AND q.error IS NULL
      AND coalesce((q.message #>> '{options,retries}')::integer, 0) = 0 AND q.message -> 'args' = '[]'
      AND q.message_id::text <> ALL (p_begun)
    ORDER BY q.position LIMIT p_limit
$$;

COMMENT ON FUNCTION dramatiq.never_begun(p_begun text[], p_limit integer) IS 'The first messages that wait for an actor which a pgmq queue feeds, and that nobody has tried to run. Who calls says which
of them (p_begun, message ids) may have done something outside all the same.';

CREATE FUNCTION dramatiq.news(p_worker bigint, p_queues text[]) RETURNS TABLE(queue_name text, seconds double precision)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
DECLARE
    route text;
BEGIN
    FOREACH queue_name IN ARRAY p_queues LOOP
        SELECT a.pgmq_queue INTO route FROM dramatiq.actor a
        WHERE a.queue_name = news.queue_name AND to_regclass('pgmq.' || quote_ident('q_' || a.pgmq_queue)) IS NOT NULL
            AND NOT EXISTS (SELECT FROM dramatiq.held_route h WHERE h.pgmq_queue = a.pgmq_queue);
        seconds := CASE
            WHEN dramatiq.is_any_visible(route) THEN 0
            WHEN EXISTS (SELECT FROM dramatiq.current_pause p WHERE p.queue_name = news.queue_name)
                THEN dramatiq.next_due(queue_name, route)
            WHEN dramatiq.is_any_due(queue_name) OR EXISTS (
                SELECT FROM dramatiq.worker w, unnest(w.abilities) AS able (ability)
                WHERE w.id = p_worker AND ( -- asked of each ability: a join would walk all that wait for their turn
                    SELECT true FROM dramatiq.live q
                    WHERE q.queue_name = news.queue_name AND q.state = 'queued' AND q.waits_for = able.ability LIMIT 1)
            ) OR dramatiq.is_called_for(queue_name) THEN 0
            ELSE dramatiq.next_due(queue_name, route) END;
        IF seconds IS NOT NULL THEN
            RETURN NEXT;
        END IF;
    END LOOP;
END $$;

COMMENT ON FUNCTION dramatiq.news(p_worker bigint, p_queues text[]) IS 'Which of these queues a worker should look at, and in how many seconds: 0 or less where something is due, here or in the
pgmq queue that feeds it, else as dramatiq.next_due has it. A process asks for all of its queues that sleep.';

CREATE FUNCTION dramatiq.next_due(p_queue text, p_pgmq_queue text) RETURNS double precision
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $_$
DECLARE
    soon constant interval := '2 seconds'; -- who asks looks again before
    began constant timestamptz := clock_timestamp();
    entries constant bigint := dramatiq.entries_read('queue_delayed');
    horizon dramatiq.horizon := dramatiq.recall_horizon(p_queue);
    delayed_until timestamptz;
    due timestamptz;
    visible timestamptz;
BEGIN
    SELECT until INTO due FROM dramatiq.current_pause WHERE queue_name = p_queue;
    IF FOUND THEN
        RETURN extract(epoch FROM due - clock_timestamp());
    END IF;
    SELECT available_at INTO delayed_until
    FROM dramatiq.live
    WHERE queue_name = p_queue AND state = 'queued' AND delayed AND available_at < began + soon
        AND (available_at, position) > (horizon.available_at, horizon.position)
    ORDER BY available_at, position LIMIT 1;
    IF coalesce(delayed_until > now(), true) THEN
        horizon.available_at := NULL;
        PERFORM dramatiq.note_horizon(p_queue, horizon, began, dramatiq.entries_read('queue_delayed') - entries);
    END IF;
    SELECT least(
        delayed_until,
        -- A word that another worker is about to take, or took and left again.
        (SELECT greatest(min(at), clock_timestamp() + interval '2 milliseconds') FROM dramatiq.changed_line
         WHERE queue_name = p_queue AND id > dramatiq.heard_up_to(p_queue) HAVING count(*) > 0)
    ) INTO due;
    IF p_pgmq_queue IS NOT NULL THEN
        EXECUTE format('SELECT min(vt) FROM pgmq.%I WHERE vt > $1 AND vt < $2', 'q_' || p_pgmq_queue)
        INTO visible USING clock_timestamp(), began + soon;
    END IF;
    RETURN extract(epoch FROM least(due, visible) - clock_timestamp());
END $_$;

COMMENT ON FUNCTION dramatiq.next_due(p_queue text, p_pgmq_queue text) IS 'In how many seconds the next delayed message of a queue falls due, or of the pgmq queue that feeds it; NULL where none does
soon; or in how many to look again for whose turn has come. Of a paused queue: in how many its pause ends. An idle worker
asks, so that it need not wait for its next look.';

CREATE FUNCTION dramatiq.note_change(p_lines text[], p_ended boolean) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF array_remove(p_lines, NULL) <> '{}' THEN
        INSERT INTO dramatiq.changed_line (queue_name, line, ended)
        SELECT DISTINCT split_part(line, ' ', 1), line, p_ended FROM unnest(p_lines) AS line WHERE line IS NOT NULL;
    END IF;
END $$;

COMMENT ON FUNCTION dramatiq.note_change(p_lines text[], p_ended boolean) IS 'Leaves word that messages came to these lines or, where p_ended, left them, in the transaction in which they do; the next
exchange of the queue calls up. NULL stands for a message without a line.';

CREATE FUNCTION dramatiq.note_heard(p_queue text, p_last bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    margin constant integer := 1000; -- words of others that commit meanwhile
    memory constant text := 'dramatiq.hearing_' || md5(p_queue);
    heard dramatiq.hearing := nullif(current_setting(memory, true), '')::dramatiq.hearing;
BEGIN
    heard.behind := greatest(heard.behind, p_last - margin);
    PERFORM set_config(memory, heard::text, false);
END $$;

COMMENT ON FUNCTION dramatiq.note_heard(p_queue text, p_last bigint) IS 'Remembers that this session has heard all words of a queue up to this one, but for those that commit late.';

CREATE FUNCTION dramatiq.note_horizon(p_queue text, p_horizon dramatiq.horizon, p_began timestamp with time zone, p_entries bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    margin constant interval := '0.5 seconds'; -- what commits later after it fell due is found by a look at all
    memory constant text := 'dramatiq.horizon_' || md5(p_queue);
    horizon dramatiq.horizon := p_horizon;
BEGIN
    IF horizon.available_at IS NULL THEN
        horizon := ROW(now() - margin, 0, horizon.whole_at);
    END IF;
    IF horizon.whole_at IS NULL AND dramatiq.is_dear(p_entries) THEN
        horizon.whole_at := dramatiq.again_at(p_began);
    END IF;
    IF horizon.whole_at IS NOT NULL THEN
        PERFORM set_config(memory, horizon::text, false);
    ELSIF current_setting(memory, true) <> '' THEN
        PERFORM set_config(memory, '', false);
    END IF;
END $$;

COMMENT ON FUNCTION dramatiq.note_horizon(p_queue text, p_horizon dramatiq.horizon, p_began timestamp with time zone, p_entries bigint) IS 'Remembers where a look for what is due ended, without a place where it left nothing; and where it was one at all that is
delayed, which has no time for the next, when it began and how many entries it read.';

CREATE FUNCTION dramatiq.note_moved(p_pgmq_queue text, p_last bigint) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT set_config('dramatiq.moved_' || format('pgmq.%I', 'q_' || p_pgmq_queue)::regclass::oid, p_last::text, false);
$$;

COMMENT ON FUNCTION dramatiq.note_moved(p_pgmq_queue text, p_last bigint) IS 'Remembers the last message that this session moved out of a pgmq queue: behind it dramatiq.visible finds the next.';

CREATE FUNCTION dramatiq.note_place(p_queue text, p_place dramatiq.place, p_claimed bigint, p_whole_began timestamp with time zone, p_entries bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    place dramatiq.place := p_place;
BEGIN
    IF p_whole_began IS NOT NULL THEN
        place.whole_at := CASE WHEN dramatiq.is_dear(p_entries) THEN dramatiq.again_at(p_whole_began) END;
        place.put_off := 0;
    ELSIF p_claimed > 0 AND clock_timestamp() >= place.whole_at THEN
        place.put_off := place.put_off + 1;
    END IF;
    IF place.whole_at IS NOT NULL OR p_place.whole_at IS NOT NULL THEN
        PERFORM set_config('dramatiq.place_' || md5(p_queue), place::text, false);
    END IF;
END $$;

COMMENT ON FUNCTION dramatiq.note_place(p_queue text, p_place dramatiq.place, p_claimed bigint, p_whole_began timestamp with time zone, p_entries bigint) IS 'Remembers a look that claimed so many, and, where it was one at the whole queue, when it began and how many entries it read.';

CREATE FUNCTION dramatiq.notify(p_queue text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF pg_notification_queue_usage() < 0.5 THEN
        PERFORM pg_notify('dramatiq.' || p_queue || '.enqueue', '');
    END IF;
END $$;

COMMENT ON FUNCTION dramatiq.notify(p_queue text) IS 'Wakes the workers that wait on a queue. The channel is dramatiq-pg''s, the payload stays empty: PostgreSQL folds equal
notifications of one transaction into one. Where somebody''s open transaction fills the server''s queue of notifications it
is not done: a full one fails the sender''s COMMIT, and workers look now and then.';

CREATE FUNCTION dramatiq.old_days(p_before timestamp with time zone) RETURNS SETOF date
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT day
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid, LATERAL to_date(substr(c.relname, 6), 'YYYYMMDD') AS day
    WHERE i.inhparent = 'dramatiq.done'::regclass AND c.relname <> 'done_other' AND dramatiq.day_begins(day + 1) <= p_before
    ORDER BY day;
$$;

COMMENT ON FUNCTION dramatiq.old_days(p_before timestamp with time zone) IS 'The days that were over by p_before and have a table.';

CREATE FUNCTION dramatiq.oldest_due() RETURNS TABLE(queue_name text, since timestamp with time zone)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    -- From one queue's first entry in the index to the next queue's, and of each from one priority to the next.
    WITH RECURSIVE waits (queue_name) AS (
        SELECT min(q.queue_name) FROM dramatiq.live q WHERE q.state = 'queued' AND NOT q.delayed AND q.waits_for IS NULL
        UNION ALL
        SELECT (SELECT min(q.queue_name) FROM dramatiq.live q
                WHERE q.state = 'queued' AND NOT q.delayed AND q.waits_for IS NULL AND q.queue_name > w.queue_name)
        FROM waits w WHERE w.queue_name IS NOT NULL
    ), priorities (queue_name, priority, place) AS (
        SELECT w.queue_name, (
            SELECT max(q.priority) FROM dramatiq.live q
            WHERE q.queue_name = w.queue_name AND q.state = 'queued' AND NOT q.delayed AND q.waits_for IS NULL), 1
        FROM waits w WHERE w.queue_name IS NOT NULL
        UNION ALL
        SELECT p.queue_name, (
            SELECT max(q.priority) FROM dramatiq.live q
            WHERE q.queue_name = p.queue_name AND q.state = 'queued' AND NOT q.delayed AND q.waits_for IS NULL
              AND q.priority < p.priority), p.place + 1
        FROM priorities p WHERE p.priority IS NOT NULL AND p.place < 100
    ), routes AS MATERIALIZED ( -- nothing is asked of a queue that cannot be read
        SELECT a.queue_name, a.pgmq_queue
        FROM dramatiq.actor a JOIN dramatiq.readable_queues() AS readable (name) ON readable.name = a.pgmq_queue
        WHERE a.pgmq_queue NOT IN (SELECT h.pgmq_queue FROM dramatiq.held_route h)
    ), oldest (queue_name, since) AS (
        SELECT p.queue_name, (
            SELECT q.available_at FROM dramatiq.live q
            WHERE q.queue_name = p.queue_name AND q.priority = p.priority
              AND q.state = 'queued' AND NOT q.delayed AND q.waits_for IS NULL
            ORDER BY q.available_at LIMIT 1)
        FROM priorities p WHERE p.priority IS NOT NULL
        UNION ALL
        SELECT a.queue_name, (
            SELECT q.available_at FROM dramatiq.live q
            WHERE q.queue_name = a.queue_name AND q.state = 'queued' AND q.delayed
            ORDER BY q.available_at LIMIT 1)
        FROM (SELECT DISTINCT queue_name FROM dramatiq.actor) AS a
        UNION ALL
        SELECT c.queue_name, min(c.at) FROM dramatiq.changed_line c GROUP BY c.queue_name -- nobody has called up since
        UNION ALL
        SELECT r.queue_name, dramatiq.oldest_visible(r.pgmq_queue) FROM routes r
    )
    SELECT o.queue_name, min(o.since) FROM oldest o WHERE o.since < clock_timestamp() GROUP BY o.queue_name
    ORDER BY o.queue_name;
$$;

COMMENT ON FUNCTION dramatiq.oldest_due() IS 'Since when the oldest message of each queue has been due, here or in the pgmq queue that feeds it; a queue where nothing is
due has no row.';

CREATE FUNCTION dramatiq.oldest_visible(p_pgmq_queue text) RETURNS timestamp with time zone
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    since timestamptz;
BEGIN
    EXECUTE format('SELECT vt FROM pgmq.%I WHERE vt <= clock_timestamp() ORDER BY vt LIMIT 1', 'q_' || p_pgmq_queue)
    INTO since;
    RETURN since;
END $$;

COMMENT ON FUNCTION dramatiq.oldest_visible(p_pgmq_queue text) IS 'Since when the oldest message of a pgmq queue can be read.';

CREATE FUNCTION dramatiq.other_readers(p_within interval) RETURNS SETOF text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
    route text;
    seen boolean;
BEGIN
    FOR route IN
        SELECT pgmq_queue FROM dramatiq.routed_queues() AS pgmq_queue
        WHERE to_regclass(format('pgmq.%I', 'q_' || pgmq_queue)) IS NOT NULL
        EXCEPT SELECT pgmq_queue FROM dramatiq.held_route ORDER BY 1
    LOOP
        -- The bridge counts no reads and takes no message that is hidden: whoever did either is another.
        EXECUTE format(
            'SELECT EXISTS (SELECT FROM pgmq.%I WHERE read_ct > 0 AND vt > clock_timestamp())
                 OR EXISTS (SELECT FROM pgmq.%I
                            WHERE archived_at > clock_timestamp() - $1 AND read_ct > 0 AND vt > archived_at)',
            'q_' || route, 'a_' || route)
        INTO seen USING p_within;
        IF seen THEN
            RETURN NEXT route;
        END IF;
    END LOOP;
END $_$;

COMMENT ON FUNCTION dramatiq.other_readers(p_within interval) IS 'Routed pgmq queues from which somebody beside the bridge takes messages: one is hidden now, or was archived while hidden,
within that time.';

CREATE FUNCTION dramatiq.others_signature(p_actor text, p_signature text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT signature FROM (
        SELECT 1 AS place, a.signature FROM dramatiq.actor a WHERE a.name = p_actor
        UNION ALL
        SELECT 2, able.signature
        FROM dramatiq.worker w, unnest(w.abilities) AS able (signature) WHERE starts_with(able.signature, p_actor || '(')
    ) AS known
    WHERE signature <> p_signature
    ORDER BY place, signature DESC LIMIT 1;
$$;

COMMENT ON FUNCTION dramatiq.others_signature(p_actor text, p_signature text) IS 'What else an actor is called with: as it is published, or as another worker has it; NULL where all agree.';

CREATE FUNCTION dramatiq.page_found(p_filter jsonb, p_at timestamp with time zone, p_after uuid, p_rows integer) RETURNS TABLE(message_id uuid, changed_at timestamp with time zone, bytes integer)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT q.message_id, q.mtime, coalesce(pg_column_size(q.message), 0) FROM dramatiq.queue q
         WHERE %s AND ($2 IS NULL OR (q.mtime, q.message_id) > ($2, $3))
         ORDER BY q.mtime, q.message_id LIMIT $4', dramatiq.condition(p_filter))
    USING p_filter, p_at, p_after, p_rows;
END $_$;

COMMENT ON FUNCTION dramatiq.page_found(p_filter jsonb, p_at timestamp with time zone, p_after uuid, p_rows integer) IS 'A page of the messages that a filter finds, from the one that changed first, to work through in batches.';

CREATE FUNCTION dramatiq.pass_on(p_queues text[]) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT pg_notify('dramatiq.bells', queue_name) FROM unnest(p_queues) AS queue_name
    WHERE pg_notification_queue_usage() < 0.5;
$$;

COMMENT ON FUNCTION dramatiq.pass_on(p_queues text[]) IS 'Tells the workers that stand by that these queues have work and too few threads where it was heard of: let them look, and
one of them take the bells.';

CREATE FUNCTION dramatiq.pause_queue(p_queue text, p_until timestamp with time zone, p_who text, p_reason text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF p_until <= clock_timestamp() THEN
        RAISE EXCEPTION 'A pause until % would be over already.', p_until
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Name a time that lies ahead, or none.';
    END IF;
    INSERT INTO dramatiq.pause AS p (queue_name, until, who, reason) VALUES (p_queue, p_until, p_who, p_reason)
    ON CONFLICT (queue_name) DO UPDATE
    SET since = CASE WHEN p.until <= clock_timestamp() THEN now() ELSE p.since END,
        until = excluded.until, who = excluded.who, reason = excluded.reason;
END $$;

COMMENT ON FUNCTION dramatiq.pause_queue(p_queue text, p_until timestamp with time zone, p_who text, p_reason text) IS 'From now on nothing of this queue is claimed, until p_until or, where that is NULL, until dramatiq.resume_queue. What a
worker holds goes on. pgmq''s messages are moved here all the while, where people find them. Said again, the pause ends
when the last one says.';

CREATE FUNCTION dramatiq.pending_arguments(p_queue text, p_argument text) RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT argument
    FROM (
        SELECT message FROM dramatiq.live
        WHERE queue_name = p_queue AND state = 'queued' AND NOT delayed AND waits_for IS NULL
        UNION ALL
        SELECT message FROM dramatiq.live WHERE queue_name = p_queue AND state = 'queued' AND waits_for IS NOT NULL
        UNION ALL
        SELECT message FROM dramatiq.live WHERE queue_name = p_queue AND state = 'queued' AND delayed
        UNION ALL
        SELECT message FROM dramatiq.live WHERE queue_name = p_queue AND state = 'consumed'
    ) AS pending, LATERAL (SELECT message #>> ARRAY['kwargs', p_argument]) AS given (argument)
    WHERE argument IS NOT NULL;
$$;

COMMENT ON FUNCTION dramatiq.pending_arguments(p_queue text, p_argument text) IS 'What the messages of a queue that wait or run were given for one argument. Four reads, because each has its own small
index: a single one would walk what was given up, too.';

CREATE FUNCTION dramatiq.pgmq_messages(p_table text, p_after bigint, p_rows integer) RETURNS TABLE(msg_id bigint, bytes integer)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT msg_id, coalesce(pg_column_size(message), 0) FROM pgmq.%I WHERE msg_id > $1 ORDER BY msg_id LIMIT $2',
        p_table)
    USING coalesce(p_after, 0), p_rows;
END $_$;

COMMENT ON FUNCTION dramatiq.pgmq_messages(p_table text, p_after bigint, p_rows integer) IS 'A page of a queue''s or an archive''s messages, after p_after: at most p_rows.';

CREATE FUNCTION dramatiq.pgmq_messages_about(p_speaks_of regproc, p_subject jsonb) RETURNS TABLE(pgmq_queue text, msg_id bigint, actor text, sent_at timestamp with time zone, visible_at timestamp with time zone)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
    waiting record;
BEGIN
    FOR waiting IN SELECT * FROM dramatiq.routed_tables() AS r WHERE r.actor_name IS NOT NULL LOOP
        RETURN QUERY EXECUTE format(
            'SELECT $1, msg_id, $2, enqueued_at, vt FROM pgmq.%I WHERE %s(message::text, message, $3)',
            waiting.table_name, p_speaks_of)
        USING substr(waiting.table_name, 3), waiting.actor_name, p_subject;
    END LOOP;
END $_$;

COMMENT ON FUNCTION dramatiq.pgmq_messages_about(p_speaks_of regproc, p_subject jsonb) IS 'The messages that wait in pgmq for the bridge and speak of a subject, as dramatiq.messages_about finds its own.';

CREATE FUNCTION dramatiq.present() RETURNS TABLE(queue_name text, waiting bigint, delayed bigint, set_aside bigint, running bigint, dead bigint, oldest_seconds double precision, done_an_hour bigint, dead_an_hour bigint, buckets bigint[])
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
    WITH RECURSIVE claimed AS (
        SELECT q.queue_name, count(*) AS messages FROM dramatiq.live q WHERE q.state = 'consumed' GROUP BY q.queue_name
    ), known AS (
        SELECT a.queue_name FROM dramatiq.actor a UNION SELECT d.queue_name FROM dramatiq.depth d
        UNION SELECT m.queue_name FROM dramatiq.minute m WHERE m.minute >= date_trunc('minute', now()) - interval '1 hour'
    ), waits (queue_name, next) AS (
        -- From each known queue to the next in the index's order, past their own entries, to others that nobody knows yet.
        SELECT k.queue_name, lead(k.queue_name) OVER (ORDER BY k.queue_name) FROM (TABLE known UNION SELECT '') AS k
        UNION ALL
        SELECT CASE WHEN w.next IS NULL
                    THEN (SELECT min(q.queue_name) FROM dramatiq.live q
                          WHERE q.state = 'queued' AND NOT q.delayed AND q.waits_for IS NULL AND q.queue_name > w.queue_name)
                    ELSE (SELECT min(q.queue_name) FROM dramatiq.live q
                          WHERE q.state = 'queued' AND NOT q.delayed AND q.waits_for IS NULL AND q.queue_name > w.queue_name
                            AND q.queue_name < w.next) END, w.next
        FROM waits w WHERE w.queue_name IS NOT NULL
    ), names AS (
        SELECT w.queue_name FROM waits w WHERE w.queue_name <> ''
    ), hour AS (
        SELECT m.queue_name, m.ending, m.bucket, sum(m.messages) AS messages FROM dramatiq.minute m
        WHERE m.minute >= date_trunc('minute', now()) - interval '1 hour' GROUP BY 1, 2, 3
    )
    SELECT n.queue_name,
           CASE WHEN waiting.messages > 1000 OR in_line.messages > 1000
                THEN greatest(d.waiting, waiting.messages + in_line.messages) ELSE waiting.messages + in_line.messages END,
           CASE WHEN delayed.messages > 1000 THEN greatest(d.delayed, delayed.messages) ELSE delayed.messages END,
           CASE WHEN aside.messages > 1000 THEN greatest(d.set_aside, aside.messages) ELSE aside.messages END,
           coalesce(claimed.messages, 0),
           CASE WHEN dead.messages > 1000 THEN greatest(d.dead, dead.messages) ELSE dead.messages END,
           coalesce(extract(epoch FROM now() - least(waiting.since, unheard.since))::float8, 0),
           coalesce(ended.done, 0), coalesce(ended.dead, 0), ended.buckets
    FROM names n
    LEFT JOIN dramatiq.depth d USING (queue_name)
    LEFT JOIN claimed USING (queue_name)
    CROSS JOIN LATERAL (
        SELECT count(*), min(available_at) FROM (
            SELECT q.available_at FROM dramatiq.live q
            WHERE q.queue_name = n.queue_name AND q.state = 'queued' AND NOT q.delayed AND q.waits_for IS NULL
            ORDER BY q.priority DESC, q.available_at, q.position LIMIT 1001) AS first
    ) AS waiting (messages, since)
    CROSS JOIN LATERAL (
        SELECT count(*) FROM (
            SELECT FROM dramatiq.live q
            WHERE q.line BETWEEN n.queue_name || ' ' AND n.queue_name || '!'
              AND q.state = 'queued' AND q.waits_for = 'its turn' AND NOT q.delayed LIMIT 1001) AS first
    ) AS in_line (messages)
    CROSS JOIN LATERAL (
        SELECT min(c.at) FROM dramatiq.changed_line c WHERE c.queue_name = n.queue_name AND c.at < now()
    ) AS unheard (since)
    CROSS JOIN LATERAL (
        SELECT count(*) FROM (
            SELECT FROM dramatiq.live q WHERE q.queue_name = n.queue_name AND q.state = 'queued' AND q.delayed LIMIT 1001
        ) AS first
    ) AS delayed (messages)
    CROSS JOIN LATERAL (
        SELECT count(*) FROM ( -- in two parts, past all that wait for their turn
            (SELECT FROM dramatiq.live q
             WHERE q.queue_name = n.queue_name AND q.state = 'queued' AND q.waits_for < 'its turn' LIMIT 1001)
            UNION ALL
            (SELECT FROM dramatiq.live q
             WHERE q.queue_name = n.queue_name AND q.state = 'queued' AND q.waits_for > 'its turn' LIMIT 1001)) AS first
    ) AS aside (messages)
    CROSS JOIN LATERAL (
        SELECT count(*) FROM (
            -- Said so that no other index gives the order: one by time would be walked through all queues' dead letters.
            SELECT FROM dramatiq.live q
            WHERE q.queue_name BETWEEN n.queue_name AND n.queue_name AND q.state = 'rejected'
            ORDER BY q.queue_name LIMIT 1001) AS first
    ) AS dead (messages)
    CROSS JOIN LATERAL (
        SELECT (sum(h.messages) FILTER (WHERE h.ending = 'done'))::bigint,
               (sum(h.messages) FILTER (WHERE h.ending = 'dead'))::bigint,
               ARRAY(SELECT coalesce(sum(b.messages), 0)::bigint
                     FROM generate_series(0, cardinality(dramatiq.bounds())) AS number
                     LEFT JOIN hour b ON (b.queue_name, b.ending, b.bucket::integer) = (n.queue_name, 'done', number)
                     GROUP BY number ORDER BY number)
        FROM hour h WHERE h.queue_name = n.queue_name
    ) AS ended (done, dead, buckets)
    ORDER BY n.queue_name;
$$;

COMMENT ON FUNCTION dramatiq.present() IS 'Each queue now and in the last hour, whatever its size. Up to 1,000 messages in one state are counted as they are now; where
there are more, the number is the last minute''s. oldest_seconds: of the first 1,000 in their order. buckets: how long what
was done took, by dramatiq.bounds().';

CREATE FUNCTION dramatiq.priority_of(message jsonb) RETURNS integer
    LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN (jsonb_typeof((message -> 'priority'::text)) = 'number'::text) THEN (GREATEST(('-1000'::integer)::numeric, LEAST((1000)::numeric, ((message ->> 'priority'::text))::numeric)))::integer ELSE 0 END;

COMMENT ON FUNCTION dramatiq.priority_of(message jsonb) IS 'The priority that a pgmq message carries, 0 where it carries none that is a number. (A body after RETURN is bound when the
function is made: no search_path can mislead it, and it can be inlined.)';

CREATE FUNCTION dramatiq.purge(p_ids uuid[], p_state dramatiq.state, p_before timestamp with time zone) RETURNS bigint
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
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

COMMENT ON FUNCTION dramatiq.purge(p_ids uuid[], p_state dramatiq.state, p_before timestamp with time zone) IS 'Deletes those of these messages that are still in this state, since before p_before; returns how many.';

CREATE FUNCTION dramatiq.purge_archive(p_pgmq_queue text, p_msg_ids bigint[], p_before timestamp with time zone) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
    purged bigint;
BEGIN
    EXECUTE format('DELETE FROM pgmq.%I WHERE msg_id = ANY ($1) AND archived_at < $2', 'a_' || p_pgmq_queue)
    USING p_msg_ids, p_before;
    GET DIAGNOSTICS purged = ROW_COUNT;
    RETURN purged;
END $_$;

COMMENT ON FUNCTION dramatiq.purge_archive(p_pgmq_queue text, p_msg_ids bigint[], p_before timestamp with time zone) IS 'Deletes those of these messages that a pgmq queue''s archive has from before p_before; returns how many.';

CREATE FUNCTION dramatiq.purge_minutes(p_before timestamp with time zone) RETURNS bigint
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    WITH purged AS (DELETE FROM dramatiq.minute WHERE minute < p_before RETURNING 1) SELECT count(*) FROM purged;
$$;

COMMENT ON FUNCTION dramatiq.purge_minutes(p_before timestamp with time zone) IS 'Deletes minutes before p_before; returns how many rows they had.';

CREATE FUNCTION dramatiq.purge_pauses() RETURNS bigint
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    WITH purged AS (DELETE FROM dramatiq.pause WHERE until <= clock_timestamp() RETURNING 1) SELECT count(*) FROM purged;
$$;

COMMENT ON FUNCTION dramatiq.purge_pauses() IS 'Deletes the pauses whose time has passed; returns how many.';

CREATE FUNCTION dramatiq.read_pgmq(queue_name text, vt integer) RETURNS jsonb
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
    PERFORM dramatiq.check_pgmq_queue($1);
    RETURN (SELECT jsonb_build_object(
                'msg_id', r.msg_id, 'read_ct', r.read_ct, 'enqueued_at', r.enqueued_at, 'vt', r.vt,
                'message', r.message, 'msg', r.message)
            FROM pgmq.read($1, $2, 1) AS r);
END $_$;

COMMENT ON FUNCTION dramatiq.read_pgmq(queue_name text, vt integer) IS 'One visible message as one object, hidden from other readers for vt seconds; NULL where there is none.';

CREATE FUNCTION dramatiq.readable_queues() RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT m.queue_name
    FROM pgmq.meta m, to_regclass(format('pgmq.%I', 'q_' || m.queue_name)) AS source
    WHERE has_table_privilege(source, 'SELECT')
      AND has_sequence_privilege(pg_get_serial_sequence(format('pgmq.%I', 'q_' || m.queue_name), 'msg_id'), 'SELECT')
    ORDER BY m.queue_name;
$$;

COMMENT ON FUNCTION dramatiq.readable_queues() IS 'The pgmq queues whose figures this role may see: pgmq.metrics_all fails where it may not see one of them.';

CREATE FUNCTION dramatiq.recall_horizon(p_queue text) RETURNS dramatiq.horizon
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    horizon dramatiq.horizon := nullif(current_setting('dramatiq.horizon_' || md5(p_queue), true), '')::dramatiq.horizon;
BEGIN
    IF clock_timestamp() BETWEEN horizon.available_at AND horizon.whole_at THEN
        RETURN horizon;
    END IF;
    RETURN ROW(timestamptz '-infinity', 0, NULL)::dramatiq.horizon;
END $$;

COMMENT ON FUNCTION dramatiq.recall_horizon(p_queue text) IS 'Behind which place this session looks for delayed messages of a queue: before all of them where that is cheap, or due again.';

CREATE FUNCTION dramatiq.recall_place(p_queue text, p_done uuid[]) RETURNS dramatiq.place
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    place dramatiq.place := nullif(current_setting('dramatiq.place_' || md5(p_queue), true), '')::dramatiq.place;
BEGIN
    IF place.whole_at IS NOT NULL AND p_done <> '{}' THEN
        SELECT q.priority, q.available_at, q.position INTO place.priority, place.available_at, place.position
        FROM dramatiq.live AS q WHERE q.message_id = p_done[cardinality(p_done)];
    END IF;
    RETURN place;
END $$;

COMMENT ON FUNCTION dramatiq.recall_place(p_queue text, p_done uuid[]) IS 'Where this session''s next look for what is due may begin, if one at the whole queue is dear: behind what it acks.';

CREATE FUNCTION dramatiq.redrive(p_ids uuid[]) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    queues text[];
    lines text[];
BEGIN
    WITH redriven AS (
        UPDATE dramatiq.live
        SET state = 'queued', mtime = now(), available_at = now(), delayed = false, rescues = 0,
            error = CASE state WHEN 'rejected' THEN error END,
            waits_for = CASE WHEN line IS NOT NULL THEN 'its turn' END,
            message = message #- '{options,retries}' #- '{options,traceback}' #- '{options,failure}'
        WHERE message_id = ANY (p_ids) AND state IN ('rejected', 'cancelled') AND message ? 'actor_name'
        RETURNING queue_name, line
    )
    SELECT coalesce(array_agg(queue_name), '{}'), array_agg(line) INTO queues, lines FROM redriven;
    PERFORM dramatiq.note_change(lines, false);
    PERFORM dramatiq.ring(queues);
    RETURN cardinality(queues);
END $$;

COMMENT ON FUNCTION dramatiq.redrive(p_ids uuid[]) IS 'Sends dead letters, and what was cancelled, back to work with a clean record, each behind those that wait in its line by
now; returns how many there were. What never was a message stays.';

CREATE FUNCTION dramatiq.refuse_bridged(p_queue text, p_pgmq_queue text, p_msg_id bigint, p_why text, p_sealed jsonb DEFAULT NULL::jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
    IF p_sealed IS NULL THEN
        PERFORM pgmq.archive(p_pgmq_queue, p_msg_id);
    ELSE
        PERFORM dramatiq.drop_to_archive(p_pgmq_queue, ARRAY[p_msg_id]);
    END IF;
    INSERT INTO dramatiq.live (message_id, queue_name, state, message, pgmq_queue, pgmq_msg_id, error)
    VALUES (gen_random_uuid(), p_queue, 'rejected', coalesce(p_sealed, '{}'), p_pgmq_queue, p_msg_id,
            format('Message %s of pgmq queue %s, which %s keeps, could not be moved: %s',
                   p_msg_id, p_pgmq_queue, CASE WHEN p_sealed IS NULL THEN 'its archive' ELSE 'this row' END, p_why));
EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception
               OR internal_error THEN
    EXECUTE format('UPDATE pgmq.%I SET vt = clock_timestamp() + interval ''1 hour'' WHERE msg_id = $1',
                   'q_' || p_pgmq_queue)
    USING p_msg_id;
END $_$;

COMMENT ON FUNCTION dramatiq.refuse_bridged(p_queue text, p_pgmq_queue text, p_msg_id bigint, p_why text, p_sealed jsonb) IS 'Makes a dead letter that names a pgmq message which the table refuses; where not even that can be written, the message
waits in pgmq for an hour. p_sealed: what it said, encrypted, is kept here and not in the archive.';

CREATE FUNCTION dramatiq.reject(p_id uuid, p_attempt integer, p_options jsonb, p_error text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    its_line text;
    ours boolean;
BEGIN
    UPDATE dramatiq.live
    SET state = 'rejected', message = coalesce(jsonb_set(message, '{options}', p_options), message), mtime = now(),
        claimed_by = NULL, error = p_error
    WHERE message_id = p_id AND attempt = p_attempt AND state::text = 'consumed'
    RETURNING line INTO its_line;
    ours := FOUND;
    PERFORM dramatiq.heed_cancellations();
    PERFORM dramatiq.leave_lines(ARRAY[its_line]);
    RETURN ours;
END $$;

COMMENT ON FUNCTION dramatiq.reject(p_id uuid, p_attempt integer, p_options jsonb, p_error text) IS 'Gives a claimed message up: it becomes a dead letter; false where the claim was taken over.';

CREATE FUNCTION dramatiq.relabel_aside(p_limit integer) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    relabelled bigint;
BEGIN
    UPDATE dramatiq.live AS q SET waits_for = fitting.signature
    FROM (
        SELECT w.message_id, a.signature FROM dramatiq.live AS w JOIN dramatiq.actor AS a
            ON starts_with(w.waits_for, a.name || '(') AND w.waits_for <> a.signature
        WHERE w.state = 'queued' AND w.waits_for IS NOT NULL AND dramatiq.fits(w.message, a.required, a.accepted)
        LIMIT p_limit FOR UPDATE OF w SKIP LOCKED
    ) AS fitting
    WHERE q.message_id = ANY (ARRAY[fitting.message_id]);
    GET DIAGNOSTICS relabelled = ROW_COUNT;
    RETURN relabelled;
END $$;

COMMENT ON FUNCTION dramatiq.relabel_aside(p_limit integer) IS 'Lets messages whose arguments an earlier signature of their actor took wait for the one that is published now, where it
takes them too; returns how many, p_limit at most.';

CREATE FUNCTION dramatiq.relay_heard_within(p_time interval, OUT lives boolean, OUT latest timestamp with time zone) RETURNS record
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT coalesce(max(heard_at) > clock_timestamp() - p_time, false), max(heard_at) FROM dramatiq.relay;
$$;

COMMENT ON FUNCTION dramatiq.relay_heard_within(p_time interval, OUT lives boolean, OUT latest timestamp with time zone) IS 'Whether somebody who carries messages elsewhere has said within that time that they live, by this server''s clock, and when
that was last.';

CREATE FUNCTION dramatiq.relay_lives() RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    INSERT INTO dramatiq.relay DEFAULT VALUES ON CONFLICT (single) DO UPDATE SET heard_at = excluded.heard_at;
$$;

COMMENT ON FUNCTION dramatiq.relay_lives() IS 'Says that somebody lives who carries messages elsewhere.';

CREATE FUNCTION dramatiq.release_key() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    DELETE FROM dramatiq.taken_key
    WHERE (unique_key, message_id) = (OLD.unique_key, OLD.message_id)
      AND NOT EXISTS (SELECT FROM dramatiq.queue WHERE message_id = OLD.message_id); -- it is done, or starts over
    RETURN NULL;
END $$;

COMMENT ON FUNCTION dramatiq.release_key() IS 'Gives a unique key back with the message that had it, however that is removed.';

CREATE FUNCTION dramatiq.release_routes() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    released text;
BEGIN
    FOR released IN DELETE FROM dramatiq.held_route RETURNING pgmq_queue LOOP
        PERFORM dramatiq.close_queue(released);
    END LOOP;
END $$;

COMMENT ON FUNCTION dramatiq.release_routes() IS 'Bridges every routed pgmq queue again; visitors lose those that were held.';

CREATE FUNCTION dramatiq.requeue(p_ids uuid[], p_attempts integer[]) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    queues text[];
BEGIN
    WITH requeued AS (
        UPDATE dramatiq.live AS q
        SET state = 'queued', claimed_by = NULL, mtime = now()
        FROM unnest(p_ids, p_attempts) AS unstarted (message_id, attempt)
        WHERE q.message_id = ANY (ARRAY[unstarted.message_id]) AND q.attempt = unstarted.attempt
            AND q.state::text = 'consumed'
        RETURNING q.queue_name
    )
    SELECT coalesce(array_agg(queue_name), '{}') INTO queues FROM requeued;
    PERFORM dramatiq.heed_cancellations();
    PERFORM dramatiq.ring(queues);
    RETURN cardinality(queues);
END $$;

COMMENT ON FUNCTION dramatiq.requeue(p_ids uuid[], p_attempts integer[]) IS 'Hands claimed but unstarted messages back; they keep their place in the order.';

CREATE FUNCTION dramatiq.rescue(p_dead bigint[], p_beats bigint[], p_most_rescues integer) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
DECLARE
    silent bigint[];
BEGIN
    silent := ARRAY(SELECT id FROM dramatiq.worker WHERE id = ANY (p_dead) FOR UPDATE SKIP LOCKED);
    -- In a statement of its own, which sees the beat of whoever had the lock before.
    DELETE FROM dramatiq.worker WHERE id IN (
        SELECT a.id FROM unnest(p_dead, p_beats) AS known (id, beats)
        JOIN dramatiq.alive AS a ON a.id = known.id AND a.beats = known.beats
        WHERE a.id = ANY (silent));
    RETURN (
        WITH stranded AS (
            SELECT message_id FROM dramatiq.live q
            WHERE state = 'consumed' AND NOT EXISTS (SELECT FROM dramatiq.worker w WHERE w.id = q.claimed_by)
            FOR UPDATE SKIP LOCKED
        )
        SELECT dramatiq.take_over(array_agg(message_id), 'Worker %s died while it held this message (death %s).',
                                  p_most_rescues)
        FROM stranded);
END $$;

COMMENT ON FUNCTION dramatiq.rescue(p_dead bigint[], p_beats bigint[], p_most_rescues integer) IS 'Takes over the claims of workers that the caller saw standing still, unless their count has moved since, and of those
that have no row; which are dead no time in a table can tell. A locked row waits for the next round: the worker that
rescues must not be kept from its own heartbeat.';

CREATE FUNCTION dramatiq.rescue_lost(p_ids uuid[], p_attempts integer[], p_most_rescues integer) RETURNS bigint
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    WITH lost AS (
        SELECT q.message_id FROM dramatiq.live AS q, unnest(p_ids, p_attempts) AS claim (message_id, attempt)
        WHERE q.message_id = ANY (ARRAY[claim.message_id]) AND q.attempt = claim.attempt AND q.state::text = 'consumed'
        ORDER BY claim.message_id FOR UPDATE OF q
    )
    SELECT dramatiq.take_over(array_agg(message_id), 'A thread of worker %s left this message without an end (%s so far).',
                              p_most_rescues)
    FROM lost;
$$;

COMMENT ON FUNCTION dramatiq.rescue_lost(p_ids uuid[], p_attempts integer[], p_most_rescues integer) IS 'Puts back the claims of a living worker that none of its threads runs any more.';

CREATE FUNCTION dramatiq.resume_queue(p_queue text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    ended timestamptz;
BEGIN
    DELETE FROM dramatiq.pause WHERE queue_name = p_queue RETURNING coalesce(until, 'infinity') INTO ended;
    PERFORM dramatiq.ring(ARRAY[p_queue]);
    RETURN coalesce(ended > clock_timestamp(), false);
END $$;

COMMENT ON FUNCTION dramatiq.resume_queue(p_queue text) IS 'Lets a queue go on at once; false where it was not paused.';

CREATE FUNCTION dramatiq.retry(p_id uuid, p_attempt integer, p_options jsonb, p_delay bigint, p_error text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    queue text;
    waits boolean;
BEGIN
    UPDATE dramatiq.live
    SET state = 'queued', message = coalesce(jsonb_set(message, '{options}', p_options), message), mtime = now(),
        claimed_by = NULL, error = p_error,
        available_at = CASE WHEN hastened = attempt THEN available_at ELSE now() + p_delay * interval '1 millisecond' END,
        delayed = p_delay > 0 AND hastened IS DISTINCT FROM attempt
    WHERE message_id = p_id AND attempt = p_attempt AND state::text = 'consumed'
    RETURNING queue_name, delayed INTO queue, waits;
    PERFORM dramatiq.heed_cancellations();
    IF NOT waits THEN
        PERFORM dramatiq.ring(ARRAY[queue]);
    END IF;
    RETURN queue IS NOT NULL;
END $$;

COMMENT ON FUNCTION dramatiq.retry(p_id uuid, p_attempt integer, p_options jsonb, p_delay bigint, p_error text) IS 'Puts a claimed message back to run again after p_delay milliseconds, or at once where it was hastened while it ran; false
where the claim was taken over. p_options (NULL: as they are) replace the message''s own.';

CREATE FUNCTION dramatiq.rights_to(p_duty text) RETURNS TABLE(privilege text, kind text, object text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT 'USAGE', 'SCHEMA', name FROM (VALUES ('dramatiq'), ('pgmq')) AS schemas (name)
    UNION ALL
    SELECT 'EXECUTE', 'FUNCTION', oid::regprocedure::text FROM pg_proc
    WHERE pronamespace = 'dramatiq'::regnamespace AND prorettype <> 'trigger'::regtype
      AND (p_duty = 'work' OR proname NOT IN ('make_day', 'drop_day')) -- they act as their owner
    UNION ALL
    SELECT may.privilege, 'TABLE', c.oid::regclass::text
    FROM pg_class c, unnest(CASE
        WHEN c.relkind = 'v' THEN '{SELECT}'
        WHEN c.relname = 'revelation' THEN CASE p_duty WHEN 'work' THEN '{SELECT, INSERT}' ELSE '{INSERT}' END -- who saw what stays
        WHEN p_duty = 'work' THEN '{SELECT, INSERT, UPDATE, DELETE}'
        WHEN c.relname IN ('queue', 'live') THEN '{SELECT, INSERT, UPDATE}'
        WHEN c.relname = 'cancellation' THEN '{SELECT, INSERT}' -- or ends a running one
        WHEN c.relname = 'changed_line' THEN '{SELECT, INSERT}' -- word of what is sent, cancelled or sent back to work
        WHEN c.relname = 'look' THEN '{SELECT, INSERT, UPDATE, DELETE}' -- or looks where it hangs
        WHEN c.relname = 'pause' THEN '{SELECT, INSERT, UPDATE, DELETE}' -- a person pauses a queue on a page
        WHEN c.relname = 'hidden_value' THEN '{INSERT}' -- the way of every message that is sent
        ELSE '{SELECT}' END::text[]) AS may (privilege)
    WHERE c.relnamespace = 'dramatiq'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND c.relname !~ '^_?yoyo|^migration'
      AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid AND i.inhparent = 'dramatiq.done'::regclass
                      AND c.relname <> 'done_other') -- a day is asked through dramatiq.done
    UNION ALL
    SELECT 'SELECT', 'TABLE', oid::regclass::text FROM pg_class -- whether migrations are missing
    WHERE relnamespace = 'dramatiq'::regnamespace AND relname = 'migration'
    UNION ALL
    SELECT 'USAGE', 'SEQUENCE', oid::regclass::text FROM pg_class
    WHERE relnamespace = 'dramatiq'::regnamespace AND relkind = 'S'
    UNION ALL
    SELECT 'SELECT', 'TABLE', 'pgmq.meta'
    UNION ALL
    SELECT may.privilege, 'TABLE', format('pgmq.%I', r.table_name)
    FROM dramatiq.routed_tables() AS r, unnest(CASE
        WHEN p_duty = 'work' THEN '{SELECT, INSERT, UPDATE, DELETE}' ELSE '{SELECT}' END::text[]) AS may (privilege)
    UNION ALL
    SELECT 'SELECT', 'SEQUENCE', pg_get_serial_sequence(format('pgmq.%I', r.table_name), 'msg_id')
    FROM dramatiq.routed_tables() AS r
    WHERE r.actor_name IS NOT NULL;
$$;

COMMENT ON FUNCTION dramatiq.rights_to(p_duty text) IS 'What a role needs here, and in pgmq for the published routes, to `work` or, without that, to `send` messages and to look.';

CREATE FUNCTION dramatiq.ring(queue_names text[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    queue_name text;
    bell bigint;
BEGIN
    FOREACH queue_name IN ARRAY coalesce(queue_names, '{}') LOOP
        bell := dramatiq.bell_of('dramatiq.' || queue_name);
        -- In one expression, which nothing can interrupt: a lock of the session's would outlive an error.
        IF (CASE WHEN pg_try_advisory_lock_shared(bell) THEN NOT pg_advisory_unlock_shared(bell) ELSE true END) THEN
            PERFORM dramatiq.notify(queue_name);
        END IF;
    END LOOP;
END $$;

COMMENT ON FUNCTION dramatiq.ring(queue_names text[]) IS 'Rings for new messages of these queues, where somebody sleeps: then the bell''s lock cannot be shared. To be called
after the messages are written: who falls asleep then waits for this transaction''s end, and looks once more. It waits for
nobody, is in no other sender''s way, and finds no sleeper in its own session.';

CREATE FUNCTION dramatiq.ring_for_pgmq() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    PERFORM dramatiq.notify(queue_name) FROM dramatiq.actor WHERE 'q_' || pgmq_queue = TG_TABLE_NAME;
    RETURN NULL;
END $$;

COMMENT ON FUNCTION dramatiq.ring_for_pgmq() IS 'A message that any pgmq function sends rings for the actor that its queue is routed to; the trigger''s condition sees
whether anybody sleeps.';

CREATE FUNCTION dramatiq.routed_queues() RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT pgmq_queue FROM dramatiq.actor WHERE pgmq_queue IS NOT NULL ORDER BY pgmq_queue;
$$;

COMMENT ON FUNCTION dramatiq.routed_queues() IS 'The pgmq queues that feed actors.';

CREATE FUNCTION dramatiq.routed_tables() RETURNS TABLE(table_name text, actor_name text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    -- In the order in which messages move on: what another transaction has moved meanwhile is met again further down.
    SELECT kind || m.queue_name, CASE kind WHEN 'q_' THEN a.name END
    FROM dramatiq.actor a JOIN pgmq.meta m ON m.queue_name = a.pgmq_queue, (VALUES ('q_'), ('a_')) AS k (kind)
    ORDER BY m.queue_name, kind DESC;
$$;

COMMENT ON FUNCTION dramatiq.routed_tables() IS 'The tables of pgmq that hold what was sent to actors: each route''s queue, with its actor, and then its archive.';

CREATE FUNCTION dramatiq.running() RETURNS TABLE(message_id uuid, queue text, actor text, worker bigint, host text, pid integer, since timestamp with time zone, attempt integer, time_limit bigint, is_cancelled boolean)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT q.message_id, q.queue_name, q.message ->> 'actor_name', q.claimed_by, w.host, w.pid, q.mtime, q.attempt,
           CASE jsonb_typeof(q.message #> '{options,time_limit}') WHEN 'number'
                THEN (q.message #>> '{options,time_limit}')::numeric::bigint END,
           EXISTS (SELECT FROM dramatiq.cancellation c WHERE c.message_id = q.message_id)
    FROM dramatiq.live q LEFT JOIN dramatiq.worker w ON w.id = q.claimed_by
    WHERE q.state = 'consumed'
    ORDER BY q.mtime, q.message_id;
$$;

COMMENT ON FUNCTION dramatiq.running() IS 'What workers hold, longest first: since when, at which attempt, whether somebody wants it to end, and the time limit in
milliseconds that the message itself has, where it has one. A few may not have begun.';

CREATE FUNCTION dramatiq.saying_of(p_error text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT line FROM regexp_split_to_table(
        CASE WHEN p_error LIKE E'%\n  File "%' THEN regexp_replace(p_error, E'^.*\n  File "', '  ') ELSE p_error END,
        E'\n') WITH ORDINALITY AS lines (line, number)
    WHERE line ~ '^\S' ORDER BY number LIMIT 1;
$$;

COMMENT ON FUNCTION dramatiq.saying_of(p_error text) IS 'Of an error the line that says what was wrong: the first after a traceback''s frames, which are indented.';

CREATE FUNCTION dramatiq.seal(p_ids uuid[], p_sealed jsonb[], p_worker bigint DEFAULT NULL::bigint) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
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

COMMENT ON FUNCTION dramatiq.seal(p_ids uuid[], p_sealed jsonb[], p_worker bigint) IS 'Puts what was encrypted in the place of what messages say; their envelope, by which SQL works on them, stays. The
caller has locked them, or holds them as p_worker: what is claimed changes under no other hand. Returns how many.';

CREATE FUNCTION dramatiq.sealed_messages() RETURNS TABLE(key text, messages bigint)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT split_part(message ->> 'sealed', '.', 1) AS key, count(*) FROM dramatiq.queue
    GROUP BY key ORDER BY key NULLS FIRST;
$$;

COMMENT ON FUNCTION dramatiq.sealed_messages() IS 'How many messages each key has encrypted, and how many are plain (NULL).';

CREATE FUNCTION dramatiq.send(actor text, kwargs jsonb DEFAULT '{}'::jsonb, delay interval DEFAULT '00:00:00'::interval, priority integer DEFAULT NULL::integer, unique_key text DEFAULT NULL::text, key text DEFAULT NULL::text) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_variable
DECLARE
    known dramatiq.actor;
    missing text[];
    unknown text[];
    id uuid := gen_random_uuid();
    due timestamptz := now() + greatest(delay, '0');
    body jsonb;
    written uuid;
    holder text;
    -- A key says what it is unique for, often a person's address; to compare keys their digests will do.
    digest text := encode(sha256(convert_to(unique_key, 'UTF8')), 'hex');
    its_line text;
    turn text;
BEGIN
    SELECT * INTO known FROM dramatiq.actor a WHERE a.name = actor;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'No actor is called %.', coalesce(quote_literal(actor), 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'There are: '
                || coalesce((SELECT string_agg(a.name, ', ' ORDER BY a.name) FROM dramatiq.actor a),
                            'none yet; publish them') || '.';
    END IF;
    IF jsonb_typeof(kwargs) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION 'The arguments of % must be a JSON object, not %.', actor,
            coalesce(jsonb_typeof(kwargs), 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'For example: {"name": "value"}.';
    END IF;
    IF octet_length(kwargs::text) > 1000000 THEN
        RAISE EXCEPTION 'The arguments of % have % bytes, more than 1000000.', actor, octet_length(kwargs::text)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Send an id instead of what it stands for.';
    END IF;
    SELECT array_agg(r) INTO missing FROM unnest(known.required) AS r WHERE NOT kwargs ? r;
    SELECT array_agg(k) INTO unknown FROM jsonb_object_keys(kwargs) AS k WHERE k <> ALL (known.accepted);
    IF missing IS NOT NULL OR unknown IS NOT NULL THEN
        -- Names only: the values may be a person's.
        RAISE EXCEPTION 'Actor % cannot be called with these arguments.', actor
            USING ERRCODE = 'invalid_parameter_value', HINT = concat_ws(' ',
                'Missing: ' || array_to_string(missing, ', ') || '.',
                'Unknown: ' || array_to_string(unknown, ', ') || '.',
                'It accepts: ' || coalesce(array_to_string(known.accepted, ', '),
                                           array_to_string(known.required, ', ') || ', and more') || '.');
    END IF;

    its_line := dramatiq.line_of(known.queue_name, coalesce(key, dramatiq.key_in(kwargs, known.key)));
    turn := CASE WHEN its_line IS NOT NULL THEN 'its turn' END;
    body := jsonb_build_object(
        'queue_name', known.queue_name, 'actor_name', actor, 'args', '[]'::jsonb, 'kwargs', kwargs,
        'options', '{}'::jsonb, 'message_timestamp', floor(extract(epoch FROM clock_timestamp()) * 1000));
    written := id;
    WHILE digest IS NOT NULL LOOP
        INSERT INTO dramatiq.taken_key (unique_key, message_id) VALUES (digest, id) ON CONFLICT DO NOTHING;
        EXIT WHEN FOUND;
        SELECT k.message_id INTO written FROM dramatiq.taken_key k WHERE k.unique_key = digest;
        CONTINUE WHEN NOT FOUND;  -- whoever held the key has just been purged
        UPDATE dramatiq.live AS q
        SET queue_name = known.queue_name, state = 'queued', mtime = now(), rescues = 0,
            message = body || jsonb_build_object('message_id', q.message_id),
            priority = coalesce(send.priority, known.priority), available_at = due,
            delayed = coalesce(delay > '0', false), line = its_line, waits_for = turn
        WHERE q.message_id = written AND q.state = 'rejected' AND q.message ->> 'actor_name' = actor;
        EXIT WHEN FOUND;
        SELECT q.message ->> 'actor_name' INTO holder FROM dramatiq.queue q WHERE q.message_id = written;
        IF NOT FOUND THEN  -- the whole table was emptied, say
            UPDATE dramatiq.taken_key AS k SET message_id = id WHERE (k.unique_key, k.message_id) = (digest, written);
            written := id;
            EXIT WHEN FOUND;
        ELSIF holder IS DISTINCT FROM actor THEN
            RAISE EXCEPTION 'The unique key % belongs to a message for %.', quote_literal(unique_key), holder
                USING ERRCODE = 'unique_violation', HINT = 'Give the actors keys of their own.';
        ELSE
            RETURN written;
        END IF;
    END LOOP;
    IF written = id THEN
        INSERT INTO dramatiq.live
            (message_id, queue_name, state, message, priority, available_at, delayed, unique_key, line, waits_for)
        VALUES (
            id, known.queue_name, 'queued', body || jsonb_build_object('message_id', id),
            coalesce(priority, known.priority), due, coalesce(delay > '0', false), digest, its_line, turn);
    END IF;
    PERFORM dramatiq.note_change(ARRAY[its_line], false);
    PERFORM dramatiq.ring(ARRAY[known.queue_name]);
    RETURN written;
END $$;

COMMENT ON FUNCTION dramatiq.send(actor text, kwargs jsonb, delay interval, priority integer, unique_key text, key text) IS 'Sends a message to an actor from SQL, in the caller''s transaction; returns its id. A unique key that is taken makes
it a no-op that returns the first message''s id, until that is purged. A dead letter that holds the key starts over as
this message, under its own id: nobody else would run it, and a redrive of it beside this one would do the work twice.
key: its line''s, instead of what the actor''s argument says.';

CREATE FUNCTION dramatiq.send_again(p_id uuid) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    kept dramatiq.queue := dramatiq.kept(p_id);
    body jsonb := kept.message #- '{options,retries}' #- '{options,traceback}' #- '{options,failure}' || jsonb_build_object(
        'message_timestamp', floor(extract(epoch FROM clock_timestamp()) * 1000));
BEGIN
    IF kept.message_id IS NULL THEN
        RETURN false;
    END IF;
    PERFORM dramatiq.enqueue(body::text, ARRAY[kept.priority], 0, NULL, ARRAY[kept.line]);
    RETURN true;
END $$;

COMMENT ON FUNCTION dramatiq.send_again(p_id uuid) IS 'Enqueues a message anew, whatever became of it, with a clean record of retries; false where it is no longer kept.';

CREATE FUNCTION dramatiq.sent_at(p_id text) RETURNS timestamp with time zone
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    RETURN to_timestamp(((dramatiq.kept(p_id::uuid)).message ->> 'message_timestamp')::bigint / 1000.0);
END $$;

COMMENT ON FUNCTION dramatiq.sent_at(p_id text) IS 'When a message was sent, to the millisecond, by its sender''s clock or that of the pgmq queue it came from; NULL where
it is not kept here.';

CREATE FUNCTION dramatiq.set_aside(p_queue text, p_ids uuid[], p_attempts integer[], p_actors text[], p_signatures text[], p_known text[]) RETURNS SETOF text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
    moved integer;
BEGIN
    RETURN QUERY
    UPDATE dramatiq.live AS q
    SET state = 'queued', claimed_by = NULL, mtime = now(), waits_for = strange.ability
    FROM (
        SELECT message_id, attempt,
               CASE WHEN signature IS NULL THEN actor ELSE dramatiq.others_signature(actor, signature) END AS ability
        FROM unnest(p_ids, p_attempts, p_actors, p_signatures) AS s (message_id, attempt, actor, signature)
    ) AS strange
    WHERE q.message_id = ANY (ARRAY[strange.message_id]) AND q.attempt = strange.attempt AND q.state::text = 'consumed'
        AND strange.ability IS NOT NULL
    RETURNING q.message_id::text;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved = 0 THEN
        RETURN;
    END IF;

    -- Where one is, many may be: no claim should meet them one by one. The states are asked again of what is locked.
    UPDATE dramatiq.live AS q SET waits_for = q.message ->> 'actor_name'
    WHERE q.message_id = ANY (ARRAY(
        SELECT message_id FROM dramatiq.live
        WHERE state::text = 'queued' AND NOT delayed AND waits_for IS NULL AND message_id = ANY (ARRAY(
            SELECT message_id FROM (
                SELECT message_id, message ->> 'actor_name' AS actor FROM dramatiq.live
                WHERE queue_name = p_queue AND state = 'queued' AND NOT delayed AND waits_for IS NULL
                ORDER BY priority DESC, available_at, position LIMIT 10000
            ) AS head
            WHERE actor <> ALL (p_known)))
        FOR UPDATE SKIP LOCKED));
    PERFORM dramatiq.ring(ARRAY[p_queue]);
END $$;

COMMENT ON FUNCTION dramatiq.set_aside(p_queue text, p_ids uuid[], p_attempts integer[], p_actors text[], p_signatures text[], p_known text[]) IS 'Hands back claims that a worker cannot run, for one that can: an actor that it has not (its signature is NULL), or
arguments that do not fit its signature while somebody else''s differs. Returns what it took; what is left would fail
anywhere. Messages for unknown actors among the first 10,000 of the queue go the same way, so that what stands behind
them is met at once; with the doorbell, because those who can run them may have looked while they were claimed here.';

CREATE FUNCTION dramatiq.set_counter(p_held dramatiq.counter, p_key text, p_value bigint, p_ttl interval) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
BEGIN
    IF p_held.key IS NULL THEN
        INSERT INTO dramatiq.counter (key, value, expires_at) VALUES (p_key, p_value, clock_timestamp() + p_ttl);
    ELSE
        UPDATE dramatiq.counter SET value = p_value, expires_at = clock_timestamp() + p_ttl, change = change + 1
        WHERE key = p_key AND change = p_held.change;
    END IF;
END $$;

COMMENT ON FUNCTION dramatiq.set_counter(p_held dramatiq.counter, p_key text, p_value bigint, p_ttl interval) IS 'Changes or creates a counter that dramatiq.hold_counter holds.';

CREATE FUNCTION dramatiq.show_as_reader(p_view regclass) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    -- Older servers have no such views: there, nobody but the owner may read them at all.
    IF current_setting('server_version_num')::integer >= 150000 AND NOT EXISTS (
        SELECT FROM pg_class WHERE oid = p_view AND 'security_invoker=true' = ANY (reloptions)
    ) THEN
        EXECUTE format('ALTER VIEW %s SET (security_invoker = true)', p_view);
    END IF;
END $$;

COMMENT ON FUNCTION dramatiq.show_as_reader(p_view regclass) IS 'Lets a view run with its reader''s rights: as its owner''s it would step over row-level security.';

CREATE FUNCTION dramatiq.shut(p_object text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    visitor text;
BEGIN
    EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', p_object);
    FOR visitor IN SELECT rolname FROM pg_roles WHERE rolname IN ('anon', 'authenticated') LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %I', p_object, visitor);
    END LOOP;
END $$;

COMMENT ON FUNCTION dramatiq.shut(p_object text) IS 'Takes an object (as REVOKE names it) from PUBLIC and from Supabase''s visitors, whom default privileges may give every
new one.';

CREATE FUNCTION dramatiq.start_over(p_ids uuid[], p_built bigint, p_tried bigint DEFAULT NULL::bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
    built timestamptz := to_timestamp(greatest(0, least(p_built, 1e13)) / 1000) - interval '1 day';
    known uuid[];
BEGIN
    SELECT array_agg(ended.message_id) INTO known
    FROM unnest(p_ids) AS sent (message_id), LATERAL (
        SELECT d.message_id FROM dramatiq.done AS d
        WHERE d.message_id = sent.message_id AND d.mtime >= built
        OFFSET 0 -- each id is looked up: a join, or a range that ends, makes the planner read all that was done today
    ) AS ended;
    IF known IS NULL THEN
        RETURN;
    END IF;
    DELETE FROM dramatiq.live AS q USING dramatiq.done AS d
    WHERE q.message_id = ANY (known) AND d.message_id = q.message_id
        AND d.mtime >= clock_timestamp() - p_tried * interval '1 millisecond';
    WITH ended AS (
        DELETE FROM dramatiq.done AS d USING dramatiq.live AS q
        WHERE d.message_id = ANY (known) AND q.message_id = d.message_id
        RETURNING d.message_id, d.attempt, d.unique_key
    )
    UPDATE dramatiq.live AS q
    SET attempt = q.attempt + ended.attempt + 1, unique_key = ended.unique_key
    FROM ended WHERE q.message_id = ended.message_id;
END $$;

COMMENT ON FUNCTION dramatiq.start_over(p_ids uuid[], p_built bigint, p_tried bigint) IS 'Lets those of these messages, which the caller has just put into dramatiq.live, that were done before begin under a new
fence, and forgets that end; as dramatiq.enqueue does it with what is live. No index spans both, so what was done is looked
for afterwards: whoever acks such a message meanwhile has committed by then. None was done before it was built (p_built:
when the first of them was, in milliseconds since 1970), so that few days are looked at; a day for clocks that differ.
p_tried as dramatiq.enqueue has it: one that was done since then stays so.';

CREATE FUNCTION dramatiq.state_of(p_message dramatiq.queue) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT CASE p_message.state
        WHEN 'consumed' THEN 'running' WHEN 'rejected' THEN 'dead' WHEN 'done' THEN 'done' WHEN 'cancelled' THEN 'cancelled'
        ELSE CASE WHEN p_message.waits_for <> 'its turn' THEN 'set aside' WHEN p_message.delayed THEN 'delayed'
             WHEN p_message.waits_for = 'its turn' THEN 'in line' ELSE 'waiting' END
    END;
$$;

COMMENT ON FUNCTION dramatiq.state_of(p_message dramatiq.queue) IS 'A message''s state as people call it: waiting, in line, delayed, set aside, running, dead, cancelled or done.';

CREATE FUNCTION dramatiq.stray_messages() RETURNS bigint
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT count(*) FROM (SELECT FROM dramatiq.done_other LIMIT 10000) AS first;
$$;

COMMENT ON FUNCTION dramatiq.stray_messages() IS 'How many messages were done on days that had no table, counted up to 10,000. They leave after their time, row by row.';

CREATE FUNCTION dramatiq.stuck_lines(p_since interval) RETURNS TABLE(queue_name text, line text, since timestamp with time zone)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    -- From one line's first entry in the index to the next line's.
    WITH RECURSIVE lines (line, number) AS (
        SELECT min(q.line), 1 FROM dramatiq.live q
        WHERE q.state = 'queued' AND q.waits_for = 'its turn' AND NOT q.delayed
        UNION ALL
        SELECT (SELECT min(q.line) FROM dramatiq.live q
                WHERE q.state = 'queued' AND q.waits_for = 'its turn' AND NOT q.delayed AND q.line > l.line), l.number + 1
        FROM lines l WHERE l.line IS NOT NULL AND l.number < 1000
    )
    SELECT split_part(l.line, ' ', 1), l.line, first.available_at
    FROM lines l, LATERAL (
        SELECT q.available_at FROM dramatiq.live q
        WHERE q.line = l.line AND q.state = 'queued' AND q.waits_for = 'its turn' AND NOT q.delayed
        ORDER BY q.priority DESC, q.available_at, q.position LIMIT 1
    ) AS first
    WHERE first.available_at < now() - p_since
        AND split_part(l.line, ' ', 1) NOT IN (SELECT p.queue_name FROM dramatiq.current_pause p)
        AND NOT EXISTS (
            SELECT FROM dramatiq.live q
            WHERE q.line = l.line AND q.state IN ('queued', 'consumed') AND q.waits_for IS DISTINCT FROM 'its turn')
        AND NOT EXISTS (
            SELECT FROM dramatiq.changed_line c WHERE c.queue_name = split_part(l.line, ' ', 1) AND c.line = l.line);
$$;

COMMENT ON FUNCTION dramatiq.stuck_lines(p_since interval) IS 'Lines, among the first 1,000, in which the first message has waited for that long though none has its turn and nobody
left word: rows were changed by hand. dramatiq.note_change for them lets them go on.';

CREATE FUNCTION dramatiq.take_along(p_queue text, p_actor text, p_pgmq_queue text, p_limit integer) RETURNS TABLE(message_id uuid, msg_id bigint, sent_at timestamp with time zone, arguments text, sealed text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
    due uuid[];
BEGIN
    IF EXISTS (SELECT FROM dramatiq.current_pause WHERE queue_name = p_queue) THEN
        RETURN;
    END IF;
    due := dramatiq.take_due(p_queue, p_limit, 'along', p_actor);
    RETURN QUERY
    SELECT q.message_id, NULL::bigint, to_timestamp((q.message ->> 'message_timestamp')::bigint / 1000.0),
           q.message ->> 'kwargs', q.message ->> 'sealed'
    FROM dramatiq.live q
    WHERE q.message_id = ANY (due)
    ORDER BY q.priority DESC, q.available_at, q.position;
    IF to_regclass(format('pgmq.%I', 'q_' || p_pgmq_queue)) IS NOT NULL THEN
        RETURN QUERY EXECUTE format(
            'SELECT NULL::uuid, msg_id, enqueued_at, message::text, NULL::text FROM pgmq.%I
             WHERE msg_id = ANY ($1) ORDER BY msg_id', 'q_' || p_pgmq_queue)
        USING ARRAY(SELECT v.msg_id FROM dramatiq.visible(p_pgmq_queue, p_limit) AS v ORDER BY v.msg_id LIMIT p_limit);
    END IF;
END $_$;

COMMENT ON FUNCTION dramatiq.take_along(p_queue text, p_actor text, p_pgmq_queue text, p_limit integer) IS 'Messages that an actor may work on beside its own: p_limit at most that are due here and that nobody has claimed, and
as many that wait in pgmq (those have a msg_id) and no other reader holds. They stay locked until the caller''s
transaction ends. None of a paused queue. Where `sealed` is given, what they say is in there.';

CREATE FUNCTION dramatiq.take_counters_turn(p_key text) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
    SELECT dramatiq.take_turn('dramatiq.counter ' || regexp_replace(p_key, '@[0-9]+$', ''));
$_$;

COMMENT ON FUNCTION dramatiq.take_counters_turn(p_key text) IS 'One at a time creates a counter, or counts in a window, whose counters are called key@second.';

CREATE FUNCTION dramatiq.take_due(p_queue text, p_limit integer, p_for text, p_actor text DEFAULT NULL::text) RETURNS uuid[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
DECLARE
    memory constant text := concat_ws(' ', p_queue, p_for);
    place constant dramatiq.place := dramatiq.recall_place(memory, '{}');
    is_part boolean := place.whole_at IS NOT NULL AND (place.put_off < 20 OR clock_timestamp() < place.whole_at);
    lowest integer := place.priority;
    highest integer := place.priority;
    since timestamptz := place.available_at;
    behind bigint := place.position;
    whole_began timestamptz;
    entries bigint;
    found uuid[];
BEGIN
    LOOP
        IF NOT is_part THEN
            SELECT -2147483648, 2147483647, '-infinity', 0, clock_timestamp(), dramatiq.entries_read('queue_due')
            INTO lowest, highest, since, behind, whole_began, entries;
        END IF;
        found := ARRAY(
            SELECT message_id FROM dramatiq.live
            WHERE queue_name = p_queue AND state = 'queued' AND NOT delayed AND waits_for IS NULL
                AND priority BETWEEN lowest AND highest AND (available_at, position) > (since, behind)
                AND CASE WHEN p_actor IS NULL THEN line IS NULL ELSE message ->> 'actor_name' = p_actor END
            ORDER BY priority DESC, available_at, position LIMIT p_limit FOR UPDATE SKIP LOCKED);
        EXIT WHEN NOT is_part OR found <> '{}' OR clock_timestamp() < place.whole_at;
        is_part := false;
    END LOOP;
    PERFORM dramatiq.note_place(memory, dramatiq.recall_place(memory, found), cardinality(found), whole_began,
                                dramatiq.entries_read('queue_due') - entries);
    RETURN found;
END $$;

COMMENT ON FUNCTION dramatiq.take_due(p_queue text, p_limit integer, p_for text, p_actor text) IS 'What is due of a queue, p_limit at most, locked, for whoever takes it out for p_for without a claim: what an actor may run, or
what has no line. Where a look at the whole queue is dear it begins behind what this session took so last, as
dramatiq.exchange does.';

CREATE FUNCTION dramatiq.take_in(p_worker bigint, p_queue text, p_pgmq_queue text, p_actor text, p_room integer, p_sealed boolean, p_msg_ids bigint[], p_contents jsonb[], p_kinds text[], p_urgencies integer[], p_times timestamp with time zone[], p_due timestamp with time zone[], p_headers jsonb[], p_lines text[]) RETURNS TABLE(message_id uuid, attempt integer, priority integer, message jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
DECLARE
    -- What all messages of a batch share; of their ids too the beginning, which keeps them together in the index, and all
    -- but what tells them apart: in the first eight letters, which people see, and in the last twelve.
    envelope jsonb := jsonb_build_object('queue_name', p_queue, 'actor_name', p_actor, 'args', '[]'::jsonb);
    batch text := left(gen_random_uuid()::text, 24);
    room integer := CASE WHEN EXISTS (SELECT FROM dramatiq.current_pause AS p WHERE p.queue_name = p_queue)
                         THEN 0 ELSE p_room END;
BEGIN
    IF p_sealed THEN
        PERFORM dramatiq.drop_to_archive(p_pgmq_queue, p_msg_ids);
    ELSE
        PERFORM pgmq.archive(p_pgmq_queue, p_msg_ids);
    END IF;
    PERFORM dramatiq.note_moved(p_pgmq_queue, p_msg_ids[cardinality(p_msg_ids)]);

    RETURN QUERY
    WITH identified AS (
        SELECT (left(batch, 4) || lpad(to_hex(a.msg_id % 65536), 4, '0') || substr(batch, 9)
                || lpad(to_hex(a.msg_id), 12, '0'))::uuid AS id, a.*, a.kind = 'object' AS sound,
               a.kind = 'object' AND a.line IS NULL AS free,
               row_number() OVER (ORDER BY (a.kind = 'object' AND a.line IS NULL) DESC, a.urgency DESC, a.msg_id) AS rank
        FROM unnest(p_msg_ids, p_contents, p_kinds, p_urgencies, p_times, p_due, p_headers, p_lines)
            AS a (msg_id, content, kind, urgency, sent_at, due_at, headers, line)
    ), arrived AS (
        SELECT a.*, a.free AND room IS NULL AS passing,
               CASE WHEN NOT a.sound THEN a.content ELSE envelope || a.content || jsonb_build_object(
                   'options', jsonb_build_object('pgmq', jsonb_build_object('queue', p_pgmq_queue, 'msg_id', a.msg_id),
                                                 'trace', dramatiq.trace_at(a.sent_at))
                       || CASE WHEN a.headers IS NULL THEN '{}' ELSE jsonb_build_object('headers', a.headers) END,
                   'message_id', a.id, 'message_timestamp', floor(extract(epoch FROM a.sent_at) * 1000)) END AS message
        FROM identified a
    ), moved AS (
        INSERT INTO dramatiq.live AS q
            (message_id, queue_name, state, message, priority, available_at, attempt, claimed_by,
             pgmq_queue, pgmq_msg_id, error, line, waits_for)
        SELECT a.id, p_queue,
               CASE WHEN NOT a.sound THEN 'rejected' WHEN a.free AND a.rank <= room THEN 'consumed' ELSE 'queued'
               END::dramatiq.state,
               a.message, a.urgency, a.due_at,
               CASE WHEN a.free AND a.rank <= room THEN 1 ELSE 0 END,
               CASE WHEN a.free AND a.rank <= room THEN p_worker END,
               p_pgmq_queue, a.msg_id,
               CASE WHEN NOT a.sound THEN
                   format('Message %s of pgmq queue %s is %s, not a JSON object: send an object of arguments.',
                          a.msg_id, p_pgmq_queue, a.kind)
               END,
               CASE WHEN a.sound THEN a.line END, CASE WHEN a.sound AND a.line IS NOT NULL THEN 'its turn' END
        FROM arrived a
        WHERE NOT a.passing
        ORDER BY a.rank
        RETURNING q.message_id, q.attempt, q.priority, q.message, q.state
    )
    SELECT message_id, attempt, priority, CASE WHEN p_sealed THEN message - '{sealed,kwargs}'::text[] ELSE message END
    FROM moved WHERE state = 'consumed'
    UNION ALL
    SELECT * FROM (SELECT a.id, 0, a.urgency, a.message FROM arrived a WHERE a.passing ORDER BY a.rank) AS passed;
    PERFORM dramatiq.note_change(p_lines, false);
END $$;

COMMENT ON FUNCTION dramatiq.take_in(p_worker bigint, p_queue text, p_pgmq_queue text, p_actor text, p_room integer, p_sealed boolean, p_msg_ids bigint[], p_contents jsonb[], p_kinds text[], p_urgencies integer[], p_times timestamp with time zone[], p_due timestamp with time zone[], p_headers jsonb[], p_lines text[]) IS 'Archives what dramatiq.visible found and enqueues it, in the caller''s transaction. The first p_room of all, by priority,
are claimed on the way, of a paused queue none, and none that has a line; the others wait here, where priority counts.
What cannot be a message becomes a dead letter with its reason. p_sealed: the contents have been encrypted meanwhile, so
the archive must not keep them either, and the caller, who knows what the messages say, gets their envelopes alone. Where
p_room is NULL the caller carries them elsewhere: what could be claimed is returned whole and not stored here.';

CREATE FUNCTION dramatiq.take_over(p_ids uuid[], p_why text, p_most_rescues integer) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    queues text[];
    lines text[];
BEGIN
    WITH rescued AS (
        UPDATE dramatiq.live AS q
        SET state = CASE WHEN rescues < p_most_rescues THEN 'queued' ELSE 'rejected' END::dramatiq.state,
            rescues = rescues + 1, claimed_by = NULL, mtime = now(),
            delayed = rescues > 0,
            available_at = CASE WHEN rescues > 0 THEN now() + random() * rescues * interval '10 seconds'
                                ELSE available_at END,
            error = format(p_why, q.claimed_by, rescues + 1)
        WHERE message_id = ANY (p_ids) AND state::text = 'consumed'
        RETURNING queue_name, line, state
    )
    SELECT coalesce(array_agg(queue_name), '{}'), array_agg(line) FILTER (WHERE state = 'rejected') INTO queues, lines
    FROM rescued;
    PERFORM dramatiq.heed_cancellations();
    PERFORM dramatiq.leave_lines(lines);
    PERFORM dramatiq.ring(queues);
    RETURN cardinality(queues);
END $$;

COMMENT ON FUNCTION dramatiq.take_over(p_ids uuid[], p_why text, p_most_rescues integer) IS 'Puts claimed messages back whose run has come to nothing. p_why is said with the worker and the count of such ends. A
message that outlived p_most_rescues workers is more likely their killer than their victim and becomes a dead letter. What
was rescued before is spread over time, so that a killer does not take the same neighbours with it again.';

CREATE FUNCTION dramatiq.take_turn(p_what text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    mine constant integer := hashtextextended(p_what, 0) & 4095;
BEGIN
    PERFORM FROM dramatiq.turn WHERE number = mine FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO dramatiq.turn VALUES (mine) ON CONFLICT DO NOTHING;
        PERFORM FROM dramatiq.turn WHERE number = mine FOR UPDATE;
    END IF;
END $$;

COMMENT ON FUNCTION dramatiq.take_turn(p_what text) IS 'Waits for whoever does the same, and lets others wait until the end of the transaction. One of 4,096 rows: now and then
two who do different things wait for each other, too.';

CREATE FUNCTION dramatiq.take_up(p_worker bigint, p_queue text, p_limit integer) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (SELECT FROM dramatiq.live -- in two parts, past all that wait for their turn
                   WHERE queue_name = p_queue AND state = 'queued' AND waits_for < 'its turn')
       AND NOT EXISTS (SELECT FROM dramatiq.live
                       WHERE queue_name = p_queue AND state = 'queued' AND waits_for > 'its turn') THEN
        RETURN;
    END IF;
    UPDATE dramatiq.live AS q SET waits_for = NULL
    WHERE q.message_id = ANY (ARRAY(
        SELECT mine.message_id
        FROM (SELECT unnest(abilities) FROM dramatiq.worker WHERE id = p_worker) AS able (ability), LATERAL (
            SELECT message_id FROM dramatiq.live
            WHERE queue_name = p_queue AND state = 'queued' AND waits_for = able.ability
            ORDER BY priority DESC, available_at, position LIMIT p_limit
            FOR UPDATE SKIP LOCKED
        ) AS mine));
END $$;

COMMENT ON FUNCTION dramatiq.take_up(p_worker bigint, p_queue text, p_limit integer) IS 'Makes what was set aside and this worker can run due again, in its old place: p_limit messages of each actor at most.';

CREATE FUNCTION dramatiq.trace_at(p_sent_at timestamp with time zone) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN (lpad(to_hex(((date_part('epoch'::text, p_sent_at) * (1000000)::double precision))::bigint), 16, '0'::text) || "left"(md5((((date_part('epoch'::text, p_sent_at) * (1000000)::double precision))::bigint)::text), 16));

COMMENT ON FUNCTION dramatiq.trace_at(p_sent_at timestamp with time zone) IS 'The trace of what pgmq was sent at a time: 16 hexadecimal letters of that, in microseconds, and 16 that check them. pgmq keeps
the time at which the sender''s transaction began: so all that one transaction sent, to whichever queues, has one trace, and
no message says more than it did. (A body after RETURN can be inlined, and no search_path misleads it.)';

CREATE FUNCTION dramatiq.trace_began(p_trace text) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
    SELECT began.at
    FROM (
        SELECT CASE WHEN p_trace ~ '^000[0-9a-f]{29}$'
                    THEN timestamptz 'epoch' + ('x' || left(p_trace, 16))::bit(64)::bigint * interval '1 microsecond' END AS at
    ) AS began
    WHERE p_trace = dramatiq.trace_at(began.at);
$_$;

COMMENT ON FUNCTION dramatiq.trace_began(p_trace text) IS 'When the transaction began that the bridge named this trace after; NULL where it is another''s: a message''s id.';

CREATE FUNCTION dramatiq.trace_of(p_message_id text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
    SELECT CASE WHEN p_message_id ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN coalesce(
        substring((dramatiq.kept(p_message_id::uuid)).message #>> '{options,trace}' FROM '^[0-9a-f]{32}$'),
        replace(lower(p_message_id), '-', '')) END;
$_$;

COMMENT ON FUNCTION dramatiq.trace_of(p_message_id text) IS 'The trace that a message is part of: what it carries, or else its own id without dashes. NULL for what is no message''s id.';

CREATE FUNCTION dramatiq.traced(p_trace text) RETURNS SETOF uuid
    LANGUAGE sql STABLE ROWS 20
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT q.message_id FROM dramatiq.queue q
    WHERE q.message #>> '{options,trace}' = p_trace AND q.pgmq_msg_id IS NULL
    UNION ALL
    SELECT since.message_id
    FROM (
        SELECT q.message_id, q.pgmq_msg_id, q.message FROM dramatiq.done q
        WHERE q.mtime >= dramatiq.trace_began(p_trace) - interval '1 minute'
        ORDER BY q.mtime, q.message_id LIMIT 30000
    ) AS since
    WHERE since.pgmq_msg_id IS NOT NULL AND since.message #>> '{options,trace}' = p_trace
    LIMIT 1000;
$$;

COMMENT ON FUNCTION dramatiq.traced(p_trace text) IS 'The messages that carry this trace, not the one whose id it is; of those that pgmq was sent only what is done, among the
first 30,000 that were done since the trace began.';

CREATE FUNCTION dramatiq.unserved_queues() RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT queue_name FROM dramatiq.live
    WHERE state = 'queued' AND NOT delayed AND waits_for IS NULL AND available_at < now() - interval '1 minute'
      AND queue_name NOT IN (SELECT p.queue_name FROM dramatiq.current_pause p)
    UNION
    SELECT queue_name FROM dramatiq.changed_line
    WHERE at < now() - interval '1 minute' AND queue_name NOT IN (SELECT p.queue_name FROM dramatiq.current_pause p)
    UNION
    SELECT m.queue_name FROM dramatiq.readable_queues() AS readable (name), LATERAL pgmq.metrics(readable.name) AS m
    WHERE m.queue_name IN (SELECT pgmq_queue FROM dramatiq.actor EXCEPT SELECT pgmq_queue FROM dramatiq.held_route) AND m.oldest_msg_age_sec > 60
      AND coalesce((to_jsonb(m) ->> 'queue_visible_length')::bigint, m.queue_length) > 0;
$$;

COMMENT ON FUNCTION dramatiq.unserved_queues() IS 'Queues, the broker''s and those of pgmq that feed it, with due messages older than a minute that no worker takes, though
nobody paused them. The figures of an older pgmq do not tell what is due from what is delayed.';

CREATE FUNCTION dramatiq.visible(p_pgmq_queue text, p_limit integer, p_only bigint DEFAULT NULL::bigint) RETURNS TABLE(msg_id bigint, content jsonb, kind text, urgency integer, sent_at timestamp with time zone, due_at timestamp with time zone, headers jsonb, line text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
    known_for constant interval := '10 seconds';
    margin constant interval := '0.5 seconds'; -- what commits later after it was sent is found by a whole look
    cheap constant interval := '1 millisecond';
    source constant regclass := to_regclass(format('pgmq.%I', 'q_' || p_pgmq_queue));
    memory constant text := 'dramatiq.sight_' || source::oid;
    present constant timestamptz := clock_timestamp();
    seen dramatiq.sight := nullif(current_setting(memory, true), '')::dramatiq.sight;
    moved constant bigint := nullif(current_setting('dramatiq.moved_' || source::oid, true), '');
    is_known constant boolean := coalesce(seen.since BETWEEN present - known_for AND present, false);
    is_due constant boolean := coalesce(present >= seen.whole_at, true);
    ways text[] := '{whole}';
    way text;
    began timestamptz;
    found bigint;
    fed dramatiq.actor;
    columns text;
BEGIN
    IF source IS NULL  -- a route to a queue that nobody has created yet
       OR EXISTS (SELECT FROM dramatiq.held_route h WHERE h.pgmq_queue = p_pgmq_queue)
    THEN
        RETURN;
    END IF;
    IF p_only IS NULL AND seen.whole_at IS NOT NULL AND NOT (is_due AND (seen.has_left OR seen.put_off >= 20)) THEN
        ways := array_remove(ARRAY[CASE WHEN seen.has_left THEN 'behind' END, CASE WHEN is_known THEN 'lately' END,
                                   CASE WHEN is_due OR NOT is_known THEN 'whole' END], NULL);
    END IF;
    SELECT * INTO fed FROM dramatiq.actor a WHERE a.pgmq_queue = p_pgmq_queue;
    -- By name, and no types of pgmq's: both differ between its versions.
    columns := 'msg_id, message, enqueued_at, CASE read_ct WHEN 0 THEN vt END AS due_at, '
        || CASE WHEN EXISTS (SELECT FROM pg_attribute WHERE attrelid = source AND attname = 'headers' AND NOT attisdropped)
                THEN 'nullif(headers, ''null'') AS headers' ELSE 'NULL::jsonb AS headers' END;
    FOREACH way IN ARRAY ways LOOP
        began := clock_timestamp();
        RETURN QUERY EXECUTE format(
            'SELECT msg_id,
                    CASE jsonb_typeof(message) WHEN ''object''
                         THEN jsonb_build_object(''kwargs'', message - ''self'')  -- that one no Python function takes
                         ELSE jsonb_build_object(''payload'', message) END,
                    coalesce(jsonb_typeof(message), ''NULL''), dramatiq.priority_of(message), enqueued_at,
                    greatest(due_at, enqueued_at), headers,
                    dramatiq.line_of($2, coalesce(headers ->> ''x-pgmq-group'', dramatiq.key_in(message, $3)))
             FROM (' || CASE way
            WHEN 'behind' THEN
                'SELECT %1$s FROM pgmq.%2$I WHERE msg_id > $4 AND vt <= clock_timestamp()
                 ORDER BY msg_id LIMIT $1 FOR UPDATE SKIP LOCKED'
            WHEN 'lately' THEN -- ordered so that only the index of times can answer
                'SELECT %1$s FROM pgmq.%2$I WHERE vt BETWEEN $5 AND $6
                 ORDER BY msg_id + 0 LIMIT $1 FOR UPDATE SKIP LOCKED'
            ELSE
                'WITH urgent AS (
                     SELECT %1$s FROM pgmq.%2$I
                     WHERE %3$L AND dramatiq.priority_of(message) > 0 AND vt <= clock_timestamp() %4$s
                     ORDER BY dramatiq.priority_of(message) DESC, msg_id LIMIT $1 FOR UPDATE SKIP LOCKED
                 ), others AS (
                     SELECT %1$s FROM pgmq.%2$I
                     WHERE NOT (%3$L AND dramatiq.priority_of(message) > 0) AND vt <= clock_timestamp() %4$s
                     ORDER BY msg_id LIMIT $1 FOR UPDATE SKIP LOCKED
                 )
                 TABLE urgent UNION ALL TABLE others'
            END || ') AS visible',
            columns, 'q_' || p_pgmq_queue, to_regclass(format('pgmq.%I', p_pgmq_queue || '_urgent')) IS NOT NULL,
            'AND msg_id = ' || p_only)
        USING p_limit, fed.queue_name, fed.key, moved, seen.since - margin, present;
        GET DIAGNOSTICS found = ROW_COUNT;
        IF way = 'whole' THEN
            seen.whole_at := CASE WHEN clock_timestamp() - began > cheap THEN dramatiq.again_at(began) END;
            seen.put_off := 0;
        ELSIF found > 0 AND is_due THEN
            seen.put_off := seen.put_off + 1;
        END IF;
        IF found < p_limit AND way <> 'behind' THEN
            seen.since := present;
        END IF;
        seen.has_left := found >= p_limit;
        EXIT WHEN found > 0;
    END LOOP;
    IF p_only IS NULL THEN
        PERFORM set_config(memory, seen::text, false);
    END IF;
END $_$;

COMMENT ON FUNCTION dramatiq.visible(p_pgmq_queue text, p_limit integer, p_only bigint) IS 'Messages of a pgmq queue that no other reader holds, locked for the caller''s transaction: p_limit at most of a raised
priority, wherever they stand in pgmq''s order, and as many others; p_only: that message and no other. Each with what a
message here says for it, the kind of JSON that it is, its headers (pgmq has them since 1.5), and the line of its key: the
header x-pgmq-group, by which pgmq''s own readers go, or the argument that the actor names. A message whose vt lies ahead
belongs to another reader, or is delayed.
While somebody holds an old snapshot, the index entries of all that was moved since stay, and a look at the whole queue walks
them. Where that takes long, a look begins behind what this session moved last, while there is a backlog, or else at what has
become readable since the last look that left nothing. What these pass over (it committed late, or another worker let go of it)
is found by a look at the whole queue, which takes a twentieth of the time at most and waits for one that finds nothing, but
for no more than twenty that find something.';

CREATE FUNCTION dramatiq.waiting_in_pgmq() RETURNS TABLE(queue text, waiting bigint)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
    few constant bigint := 10000;
BEGIN
    FOR queue IN SELECT readable.name FROM dramatiq.readable_queues() AS readable (name) LOOP
        EXECUTE format('SELECT count(*) FROM (SELECT FROM pgmq.%I LIMIT $1) AS first', 'q_' || queue)
        INTO waiting USING few;
        IF waiting = few THEN
            SELECT greatest(few, c.reltuples::bigint) INTO waiting
            FROM pg_class c WHERE c.oid = format('pgmq.%I', 'q_' || queue)::regclass;
        END IF;
        RETURN NEXT;
    END LOOP;
END $_$;

COMMENT ON FUNCTION dramatiq.waiting_in_pgmq() IS 'How many messages each pgmq queue holds: up to 10,000 as they are now; where there are more, about, as the server last
counted them.';

CREATE FUNCTION dramatiq.wake_up(p_bells bigint[]) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT pg_advisory_unlock(bell) FROM unnest(p_bells) AS bell;
$$;

COMMENT ON FUNCTION dramatiq.wake_up(p_bells bigint[]) IS 'Lets go of bells that this session holds.';

CREATE FUNCTION public.pgmq_archive(queue_name text, msg_id bigint) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$ SELECT dramatiq.archive_pgmq($1, $2); $_$;

COMMENT ON FUNCTION public.pgmq_archive(queue_name text, msg_id bigint) IS 'Says that a message which was read is done; whether it was there.';

CREATE FUNCTION public.pgmq_metrics(queue_name text, OUT queue text, OUT queue_length bigint, OUT newest_msg_age_sec integer, OUT oldest_msg_age_sec integer, OUT total_messages bigint, OUT waiting bigint, OUT delayed bigint, OUT in_flight bigint, OUT done bigint, OUT dead bigint) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
    PERFORM dramatiq.check_pgmq_queue($1);
    queue := $1;
    SELECT m.queue_length, m.newest_msg_age_sec, m.oldest_msg_age_sec, m.total_messages, b.*
    INTO queue_length, newest_msg_age_sec, oldest_msg_age_sec, total_messages, waiting, delayed, in_flight, done, dead
    FROM pgmq.metrics($1) AS m, dramatiq.count_bridged($1) AS b;
END $_$;

COMMENT ON FUNCTION public.pgmq_metrics(queue_name text, OUT queue text, OUT queue_length bigint, OUT newest_msg_age_sec integer, OUT oldest_msg_age_sec integer, OUT total_messages bigint, OUT waiting bigint, OUT delayed bigint, OUT in_flight bigint, OUT done bigint, OUT dead bigint) IS 'What waits in pgmq, and what became of the messages that the bridge moved to the broker: one row, so that an rpc gives one
object.';

CREATE FUNCTION public.pgmq_nack(queue_name text, msg_id bigint) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$ SELECT dramatiq.nack_pgmq($1, $2); $_$;

COMMENT ON FUNCTION public.pgmq_nack(queue_name text, msg_id bigint) IS 'Gives a message that was read back: it may be read again at once.';

CREATE FUNCTION public.pgmq_read(queue_name text, vt integer DEFAULT 30) RETURNS jsonb
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$ SELECT dramatiq.read_pgmq($1, $2); $_$;

COMMENT ON FUNCTION public.pgmq_read(queue_name text, vt integer) IS 'Takes the next message of a queue, for code of the old set-up: nobody else gets it for `vt` seconds. NULL where none waits.';

CREATE FUNCTION public.queue_email_task(p_to text, p_subject text, p_template text, p_variables jsonb DEFAULT '{}'::jsonb, p_priority integer DEFAULT 0) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT pgmq.send('email_queue', jsonb_build_object(
        'to', p_to, 'subject', p_subject, 'template', p_template, 'variables', coalesce(p_variables, '{}'),
        'priority', coalesce(p_priority, 0), 'created_at', now()));
$$;

COMMENT ON FUNCTION public.queue_email_task(p_to text, p_subject text, p_template text, p_variables jsonb, p_priority integer) IS 'Orders a mail, in the transaction of the caller: to whom, its subject, its template and what stands in that; a higher
priority leaves earlier. Gives the number of the message in pgmq.';

CREATE FUNCTION public.queue_payment_processing(p_payment_id uuid, p_action text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF p_action IS NULL OR p_action NOT IN ('verify', 'refund', 'update_status') THEN
        RAISE EXCEPTION 'No payment action is called %.', coalesce(quote_literal(p_action), 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'There are: verify, refund, update_status.';
    END IF;
    RETURN pgmq.send('payment_processing_queue', jsonb_build_object(
        'payment_id', p_payment_id, 'action', p_action, 'created_at', now()));
END $$;

COMMENT ON FUNCTION public.queue_payment_processing(p_payment_id uuid, p_action text) IS 'Orders that a payment be verified at the provider, refunded, or its status taken on. Gives the message''s number.';

CREATE FUNCTION public.queue_report_generation(p_assessment_id uuid, p_user_id uuid, p_report_type text DEFAULT 'pdf'::text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF p_report_type IS NULL OR p_report_type NOT IN ('pdf', 'csv', 'json') THEN
        RAISE EXCEPTION 'No report type is called %.', coalesce(quote_literal(p_report_type), 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'There are: pdf, csv, json.';
    END IF;
    RETURN pgmq.send('report_generation_queue', jsonb_build_object(
        'assessment_id', p_assessment_id, 'user_id', p_user_id, 'report_type', p_report_type, 'created_at', now()));
END $$;

COMMENT ON FUNCTION public.queue_report_generation(p_assessment_id uuid, p_user_id uuid, p_report_type text) IS 'Orders the report of a completed check-up (pdf, csv or json), which is mailed to its user. Gives the message''s number.';

CREATE FUNCTION public.send_appointment_reminders() RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT pgmq.send('email_queue', jsonb_build_object(
        'to', due.email, 'subject', 'Напоминание о консультации', 'template', 'appointment_reminder_' || due.kind,
        'variables', jsonb_build_object(
            'appointment_id', due.appointment_id, 'scheduled_at', balansity.iso_utc(due.scheduled_at)),
        'priority', 10, 'created_at', now(), 'user_id', due.user_id,
        'key', concat_ws(':', 'reminder', due.kind, due.appointment_id, balansity.iso_utc(due.scheduled_at))))
    FROM balansity.claim_reminders(balansity.now(), balansity.now()) AS due;
$$;

COMMENT ON FUNCTION public.send_appointment_reminders() IS 'Sends the reminders that are due and that nobody has sent, as our job does.';

CREATE FUNCTION public.update_appointment_statuses() RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT balansity.update_appointment_statuses(balansity.now());
$$;

COMMENT ON FUNCTION public.update_appointment_statuses() IS 'Begins and completes consultations by the rules of our job, for the dashboard; a caller can change nothing that the job
would not.';

CREATE TABLE balansity.alarm (
    id bigint NOT NULL,
    check_name text NOT NULL,
    subject text NOT NULL,
    sentence jsonb NOT NULL,
    began_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    stood_at timestamp with time zone,
    gone_at timestamp with time zone,
    over_at timestamp with time zone,
    closed_at timestamp with time zone
);

COMMENT ON TABLE balansity.alarm IS 'What the checks found that wants a person. `subject` is a queue, a job, a provider or an id; nothing of a person''s stands
here.';

ALTER TABLE balansity.alarm ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME balansity.alarm_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE balansity.alarm_telling (
    alarm_id bigint NOT NULL,
    way text NOT NULL,
    begun_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    over_at timestamp with time zone
);

COMMENT ON TABLE balansity.alarm_telling IS 'By which way somebody was told, and when.';

CREATE TABLE balansity.alarm_turn (
    next_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE balansity.alarm_turn IS 'When the next process may look and tell: one at a time takes the turn. One row.';

CREATE TABLE balansity.alarm_way (
    way text NOT NULL,
    since timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    failures integer NOT NULL,
    next_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE balansity.alarm_way IS 'The ways of telling that failed when they were tried last.';

CREATE TABLE balansity.analytics_daily (
    day date NOT NULL,
    type text NOT NULL,
    events bigint NOT NULL
);

CREATE TABLE balansity.analytics_event (
    key bytea NOT NULL,
    type text NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    day date NOT NULL,
    user_id uuid,
    facts jsonb NOT NULL,
    received_at timestamp with time zone NOT NULL
);

CREATE TABLE balansity.bulk_action (
    id uuid NOT NULL,
    action text NOT NULL,
    wanted jsonb NOT NULL,
    total integer NOT NULL,
    done integer DEFAULT 0 NOT NULL,
    skipped integer DEFAULT 0 NOT NULL,
    who text NOT NULL,
    reason text NOT NULL,
    begun_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    taken_until timestamp with time zone,
    state text,
    at timestamp with time zone,
    after uuid,
    stopped_by text,
    ended_at timestamp with time zone,
    CONSTRAINT bulk_action_action_check CHECK ((action = ANY (ARRAY['redrive'::text, 'cancel'::text, 'discard'::text]))),
    CONSTRAINT bulk_action_reason_check CHECK ((reason <> ''::text))
);

COMMENT ON TABLE balansity.bulk_action IS 'What a person decided about many messages at once, and how far it is. `wanted` has names and ids alone, `total` is what it
found when it was decided; until `taken_until` somebody is working on it. What is behind `after`, which changed `at`, in
`state`, has yet to be done: so one that cannot be done is tried once.';

CREATE TABLE balansity.job (
    name text NOT NULL,
    id bigint NOT NULL,
    schedule text NOT NULL,
    time_zone text NOT NULL,
    actor text,
    paused boolean DEFAULT false NOT NULL,
    paused_by text,
    paused_because text,
    retired boolean DEFAULT false NOT NULL,
    planned_until timestamp with time zone DEFAULT balansity.now() NOT NULL
);

CREATE VIEW balansity.cron_job WITH (security_invoker='true') AS
 SELECT id AS jobid,
    schedule,
    (('balansity jobs run '::text || name) || ' --reason …'::text) AS command,
    COALESCE(host(inet_server_addr()), 'localhost'::text) AS nodename,
    COALESCE(inet_server_port(), (current_setting('port'::text))::integer) AS nodeport,
    (current_database())::text AS database,
    (CURRENT_USER)::text AS username,
    (NOT (paused OR retired)) AS active,
    name AS jobname
   FROM balansity.job;

CREATE TABLE balansity.slot (
    job text NOT NULL,
    slot timestamp with time zone NOT NULL,
    id bigint NOT NULL,
    state text DEFAULT 'planned'::text NOT NULL,
    enqueued_at timestamp with time zone,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    attempts integer DEFAULT 0 NOT NULL,
    message_id uuid,
    outcome text,
    CONSTRAINT slot_state_check CHECK ((state = ANY (ARRAY['planned'::text, 'started'::text, 'succeeded'::text, 'failed'::text, 'skipped'::text])))
);

CREATE VIEW balansity.cron_job_run_details WITH (security_invoker='true') AS
 SELECT j.jobid,
    s.id AS runid,
    NULL::integer AS job_pid,
    j.database,
    j.username,
    j.command,
        CASE s.state
            WHEN 'planned'::text THEN 'starting'::text
            WHEN 'started'::text THEN 'running'::text
            ELSE s.state
        END AS status,
    s.outcome AS return_message,
    COALESCE(s.started_at, s.slot) AS start_time,
    s.finished_at AS end_time
   FROM (balansity.slot s
     JOIN balansity.cron_job j ON ((j.jobname = s.job)));

CREATE TABLE balansity.deliveries_counted_until (
    at timestamp with time zone NOT NULL
);

COMMENT ON TABLE balansity.deliveries_counted_until IS 'Up to when deliveries are counted: one row.';

CREATE TABLE balansity.delivery_attempt (
    delivery_id uuid NOT NULL,
    number integer NOT NULL,
    provider text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    outcome text,
    answer text,
    provider_message_id text,
    token uuid DEFAULT gen_random_uuid() NOT NULL,
    CONSTRAINT delivery_attempt_outcome_check CHECK ((outcome = ANY (ARRAY['sent'::text, 'planned'::text, 'unknown'::text, 'failed'::text])))
)
PARTITION BY RANGE (started_at);

CREATE TABLE balansity.delivery_attempt_other (
    delivery_id uuid CONSTRAINT delivery_attempt_delivery_id_not_null NOT NULL,
    number integer CONSTRAINT delivery_attempt_number_not_null NOT NULL,
    provider text CONSTRAINT delivery_attempt_provider_not_null NOT NULL,
    started_at timestamp with time zone CONSTRAINT delivery_attempt_started_at_not_null NOT NULL,
    finished_at timestamp with time zone,
    outcome text,
    answer text,
    provider_message_id text,
    token uuid DEFAULT gen_random_uuid() CONSTRAINT delivery_attempt_token_not_null NOT NULL,
    CONSTRAINT delivery_attempt_outcome_check CHECK ((outcome = ANY (ARRAY['sent'::text, 'planned'::text, 'unknown'::text, 'failed'::text])))
);

CREATE TABLE balansity.delivery_event (
    id text NOT NULL,
    delivery_id uuid NOT NULL,
    kind text NOT NULL,
    detail text,
    occurred_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    CONSTRAINT delivery_event_kind_check CHECK ((kind = ANY (ARRAY['processed'::text, 'deferred'::text, 'delivered'::text, 'dropped'::text, 'bounced'::text, 'blocked'::text, 'complained'::text])))
)
PARTITION BY RANGE (received_at);

CREATE TABLE balansity.delivery_event_other (
    id text CONSTRAINT delivery_event_id_not_null NOT NULL,
    delivery_id uuid CONSTRAINT delivery_event_delivery_id_not_null NOT NULL,
    kind text CONSTRAINT delivery_event_kind_not_null NOT NULL,
    detail text,
    occurred_at timestamp with time zone CONSTRAINT delivery_event_occurred_at_not_null NOT NULL,
    received_at timestamp with time zone CONSTRAINT delivery_event_received_at_not_null NOT NULL,
    CONSTRAINT delivery_event_kind_check CHECK ((kind = ANY (ARRAY['processed'::text, 'deferred'::text, 'delivered'::text, 'dropped'::text, 'bounced'::text, 'blocked'::text, 'complained'::text])))
);

CREATE TABLE balansity.delivery_key (
    id uuid NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    planned_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE balansity.delivery_key IS 'Whose an id and a business reason are, of all deliveries that are kept: small, and the way to the right month.';

CREATE TABLE balansity.delivery_other (
    id uuid DEFAULT gen_random_uuid() CONSTRAINT delivery_id_not_null NOT NULL,
    key text CONSTRAINT delivery_key_not_null NOT NULL COLLATE pg_catalog."C",
    template text CONSTRAINT delivery_template_not_null NOT NULL,
    recipient text,
    subject text,
    user_id uuid,
    appointment_id uuid,
    scheduled_at timestamp with time zone,
    state text DEFAULT 'planned'::text CONSTRAINT delivery_state_not_null NOT NULL,
    reason text,
    attempts integer DEFAULT 0 CONSTRAINT delivery_attempts_not_null NOT NULL,
    resends integer DEFAULT 0 CONSTRAINT delivery_resends_not_null NOT NULL,
    message_id text CONSTRAINT delivery_message_id_not_null NOT NULL,
    trace text,
    provider text,
    provider_message_id text,
    planned_at timestamp with time zone CONSTRAINT delivery_planned_at_not_null NOT NULL,
    postponed_until timestamp with time zone,
    sent_at timestamp with time zone,
    changed_at timestamp with time zone CONSTRAINT delivery_changed_at_not_null NOT NULL,
    vouched_at timestamp with time zone DEFAULT clock_timestamp() CONSTRAINT delivery_vouched_at_not_null NOT NULL,
    held_at timestamp with time zone,
    again_of uuid,
    decided_by text,
    decided_because text,
    CONSTRAINT delivery_state_check CHECK ((state = ANY (ARRAY['planned'::text, 'sending'::text, 'sent'::text, 'unknown'::text, 'delivered'::text, 'bounced'::text, 'dropped'::text, 'complained'::text, 'failed'::text, 'superseded'::text, 'suppressed'::text])))
);

CREATE TABLE balansity.delivery_total (
    state text NOT NULL,
    deliveries bigint NOT NULL
);

COMMENT ON TABLE balansity.delivery_total IS 'How many deliveries were found in a state at the end of a minute in which they changed: what only grows, as Prometheus
wants it.';

CREATE TABLE balansity.doubtful_mail (
    key text NOT NULL
);

CREATE TABLE balansity.held_message (
    message_id uuid NOT NULL,
    provider text NOT NULL,
    deadline timestamp with time zone NOT NULL,
    probes integer DEFAULT 0 NOT NULL
);

CREATE TABLE balansity.intended (
    kind text NOT NULL,
    name text NOT NULL,
    definition text NOT NULL,
    place text
);

COMMENT ON TABLE balansity.intended IS 'What is ours in this database, as the last migrate left it.';

ALTER TABLE balansity.job ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME balansity.job_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE UNLOGGED TABLE balansity.mail_pace (
    provider text NOT NULL,
    free_at timestamp with time zone NOT NULL
);

CREATE TABLE balansity.ordered_move (
    appointment_id uuid NOT NULL,
    scheduled_at timestamp with time zone
);

COMMENT ON TABLE balansity.ordered_move IS 'The time that a consultation was moved to when a mail about a move of it was last ordered. Of a move to any other time,
while the old system was in charge, no mail tells: whatever mail names the time next must name that.';

CREATE TABLE balansity.payment_check (
    payment_id uuid NOT NULL,
    checks integer NOT NULL,
    next_at timestamp with time zone NOT NULL,
    since timestamp with time zone,
    refund_id text,
    claimed boolean DEFAULT false NOT NULL,
    heard_at timestamp with time zone,
    unknown_id text,
    answer text,
    answered_at timestamp with time zone
);

CREATE TABLE balansity.payment_flag (
    payment_id uuid NOT NULL,
    reason text NOT NULL,
    flagged_at timestamp with time zone NOT NULL,
    resolved_at timestamp with time zone,
    halts boolean DEFAULT false NOT NULL,
    is_retried boolean DEFAULT false NOT NULL,
    decided_by text,
    decided_because text
);

CREATE TABLE balansity.payment_settlement (
    payment_id uuid NOT NULL,
    status text NOT NULL,
    settled_at timestamp with time zone NOT NULL,
    attempt text NOT NULL,
    appointment_id uuid
);

CREATE TABLE balansity.reminder (
    appointment_id uuid NOT NULL,
    kind text NOT NULL,
    scheduled_at timestamp with time zone NOT NULL,
    planned_at timestamp with time zone NOT NULL,
    CONSTRAINT reminder_kind_check CHECK ((kind = ANY (ARRAY['24h'::text, '1h'::text])))
);

CREATE VIEW balansity.noted WITH (security_invoker='true') AS
 SELECT reminder.appointment_id AS id
   FROM balansity.reminder
UNION ALL
 SELECT ordered_move.appointment_id AS id
   FROM balansity.ordered_move
UNION ALL
 SELECT payment_settlement.payment_id AS id
   FROM balansity.payment_settlement
UNION ALL
 SELECT payment_flag.payment_id AS id
   FROM balansity.payment_flag
UNION ALL
 SELECT payment_check.payment_id AS id
   FROM balansity.payment_check;

COMMENT ON VIEW balansity.noted IS 'The appointments and payments that we noted something about.';

CREATE TABLE balansity.operator_action (
    id bigint NOT NULL,
    acted_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    who text NOT NULL,
    via text NOT NULL,
    action text NOT NULL,
    target text DEFAULT ''::text NOT NULL,
    count integer,
    reason text NOT NULL,
    form uuid,
    CONSTRAINT operator_action_reason_check CHECK ((reason <> ''::text)),
    CONSTRAINT operator_action_via_check CHECK ((via = ANY (ARRAY['page'::text, 'shell'::text])))
);

COMMENT ON TABLE balansity.operator_action IS 'The operators'' log. `count`: how many things an action was about, where it was not one. `reason` is in a person''s words.';

ALTER TABLE balansity.operator_action ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME balansity.operator_action_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE balansity.outage (
    provider text NOT NULL,
    began_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    begun_by uuid
);

CREATE TABLE balansity.payment_transition (
    old_status text NOT NULL,
    new_status text NOT NULL
);

CREATE TABLE balansity.provider_payment (
    external_id text NOT NULL,
    payment_id uuid NOT NULL,
    terms bytea
);

CREATE TABLE balansity.provider_state (
    provider text NOT NULL,
    state text NOT NULL,
    since timestamp with time zone NOT NULL,
    reason text,
    noticed_by text NOT NULL,
    begun_by uuid,
    silences integer DEFAULT 0 NOT NULL,
    probes integer DEFAULT 0 NOT NULL,
    probe uuid,
    next_probe_at timestamp with time zone NOT NULL,
    CONSTRAINT provider_state_state_check CHECK ((state = ANY (ARRAY['available'::text, 'away'::text, 'probing'::text, 'unheard'::text])))
);

CREATE TABLE balansity.replaced (
    id bigint NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    definition text NOT NULL,
    in_place boolean NOT NULL,
    owner name NOT NULL,
    grantees name[] DEFAULT '{}'::name[] NOT NULL,
    replaced_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT replaced_kind_check CHECK ((kind = ANY (ARRAY['function'::text, 'view'::text, 'job'::text])))
);

COMMENT ON TABLE balansity.replaced IS 'What the old system had where ours stands now, as hand_back gives it back.';

ALTER TABLE balansity.replaced ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME balansity.replaced_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE balansity.report (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    assessment_id uuid NOT NULL,
    user_id uuid,
    format text NOT NULL,
    digest text NOT NULL,
    filename text NOT NULL,
    media_type text NOT NULL,
    size_bytes integer NOT NULL,
    content bytea,
    path text,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT report_check CHECK ((num_nonnulls(content, path) = 1)),
    CONSTRAINT report_format_check CHECK ((format = ANY (ARRAY['pdf'::text, 'csv'::text, 'json'::text])))
);
ALTER TABLE ONLY balansity.report ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE TABLE balansity.restore (
    noticed_at timestamp with time zone NOT NULL,
    restored_to timestamp with time zone,
    released_at timestamp with time zone
);

CREATE TABLE balansity.scheduler (
    id uuid NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    beats bigint NOT NULL,
    looked_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE balansity.shadow (
    act text NOT NULL,
    about uuid NOT NULL,
    at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    theirs text,
    stood boolean NOT NULL,
    looked_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE balansity.shadow IS 'What ours would have done, had it been in charge.';

CREATE TABLE balansity.shadow_look (
    looked_at timestamp with time zone NOT NULL
);

CREATE VIEW balansity.site_event WITH (security_invoker='true') AS
 SELECT table_name,
    event,
    trigger_name,
    handler
   FROM ( VALUES ('assessments'::text,'UPDATE'::text,'on_checkup_completed'::text,'handle_checkup_completed'::text), ('appointments'::text,'INSERT'::text,'on_new_appointment'::text,'handle_new_appointment'::text), ('appointments'::text,'UPDATE'::text,'on_appointment_change'::text,'handle_appointment_change'::text), ('payments'::text,'INSERT'::text,'on_new_payment'::text,'handle_new_payment'::text), ('payments'::text,'UPDATE'::text,'on_payment_status_change'::text,'handle_payment_status_change'::text)) event(table_name, event, trigger_name, handler);

COMMENT ON VIEW balansity.site_event IS 'The site''s changes that ours has to hear of, with the trigger and the function that the request names for each.';

CREATE VIEW balansity.site_function WITH (security_invoker='true') AS
 SELECT oid,
    substr((proname)::text, 6) AS name
   FROM pg_proc p
  WHERE ((pronamespace = ('balansity'::regnamespace)::oid) AND (proname ~~ 'site\_%'::text));

COMMENT ON VIEW balansity.site_function IS 'Functions of ours that the site calls: balansity.site_<name> gets its twin public.<name> when ours takes over.';

ALTER TABLE balansity.slot ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME balansity.slot_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE balansity.suppression (
    address text NOT NULL,
    reason text NOT NULL,
    delivery_id uuid,
    since timestamp with time zone NOT NULL,
    unsubscribed boolean DEFAULT false NOT NULL,
    CONSTRAINT suppression_address_check CHECK ((address = lower(address))),
    CONSTRAINT suppression_reason_check CHECK ((reason = ANY (ARRAY['unsubscribed'::text, 'bounced'::text, 'complained'::text])))
);

CREATE VIEW cron.job WITH (security_invoker='true') AS
 SELECT jobid,
    schedule,
    command,
    nodename,
    nodeport,
    database,
    username,
    active,
    jobname
   FROM balansity.cron_job;

CREATE VIEW cron.job_run_details WITH (security_invoker='true') AS
 SELECT jobid,
    runid,
    job_pid,
    database,
    username,
    command,
    status,
    return_message,
    start_time,
    end_time
   FROM balansity.cron_job_run_details;

CREATE TABLE dramatiq.actor (
    name text NOT NULL,
    queue_name text NOT NULL,
    priority integer DEFAULT 0 NOT NULL,
    required text[] DEFAULT '{}'::text[] NOT NULL,
    accepted text[],
    signature text NOT NULL,
    pgmq_queue text,
    key text,
    key_limit integer DEFAULT 1 NOT NULL
);

COMMENT ON TABLE dramatiq.actor IS 'The contract: the actors that exist, so that SQL can refuse a message that nobody could run. The last `migrate` wrote it,
of whatever version; a process that starts adds only what no `migrate` has published or retired.';

CREATE TABLE dramatiq.beat (
    worker bigint NOT NULL,
    number bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

COMMENT ON TABLE dramatiq.beat IS 'Each worker''s latest beat.';

CREATE TABLE dramatiq.worker (
    id bigint NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    abilities text[] DEFAULT '{}'::text[] NOT NULL,
    hears boolean DEFAULT true NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE VIEW dramatiq.alive WITH (security_invoker='true') AS
 SELECT w.id,
    w.host,
    w.pid,
    COALESCE(b.number, (0)::bigint) AS beats,
    COALESCE(b.at, w.started_at) AS heartbeat_at
   FROM (dramatiq.worker w
     LEFT JOIN LATERAL ( SELECT beat.number,
            beat.at
           FROM dramatiq.beat
          WHERE (beat.worker = w.id)
          ORDER BY beat.number DESC
         LIMIT 1) b ON (true));

COMMENT ON VIEW dramatiq.alive IS 'The workers that nobody has given up, how often their hearts have beaten and when they did last.';

CREATE TABLE dramatiq.caller (
    number integer NOT NULL
);

COMMENT ON TABLE dramatiq.caller IS 'Who calls up in a queue locks its row: what one counts, no other changes meanwhile. A row and no advisory lock, which
whoever may log in can hold.';

CREATE TABLE dramatiq.cancellation (
    message_id uuid NOT NULL,
    asked_at timestamp with time zone DEFAULT now() NOT NULL,
    who text NOT NULL,
    reason text NOT NULL
);

COMMENT ON TABLE dramatiq.cancellation IS 'Running messages that a person wants to end, for as long as they run: whoever puts one back cancels it instead.';

CREATE TABLE dramatiq.changed_line (
    queue_name text NOT NULL,
    id bigint NOT NULL,
    line text NOT NULL,
    ended boolean NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE dramatiq.changed_line IS 'Words that a message came to a line, or left it: a row each, so that nobody who leaves one waits for another. Where a
message waits whose turn could be now, there is one.';

ALTER TABLE dramatiq.changed_line ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME dramatiq.changed_line_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE dramatiq.pause (
    queue_name text NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    until timestamp with time zone,
    who text NOT NULL,
    reason text NOT NULL,
    CONSTRAINT pause_reason_check CHECK ((reason <> ''::text))
);

COMMENT ON TABLE dramatiq.pause IS 'Queues that a person has paused. One whose time has passed goes on by itself; its row is purged later.';

CREATE VIEW dramatiq.current_pause WITH (security_invoker='true') AS
 SELECT queue_name,
    since,
    until,
    who,
    reason
   FROM dramatiq.pause
  WHERE ((until IS NULL) OR (until > clock_timestamp()));

COMMENT ON VIEW dramatiq.current_pause IS 'The queues that are paused now. A view, so that a claim''s look at it is planned with the claim.';

CREATE TABLE dramatiq.live (
    message_id uuid NOT NULL,
    "position" bigint DEFAULT nextval('dramatiq.queue_position_seq'::regclass) CONSTRAINT queue_position_not_null NOT NULL,
    available_at timestamp with time zone DEFAULT now() CONSTRAINT queue_available_at_not_null NOT NULL,
    mtime timestamp with time zone DEFAULT now(),
    claimed_by bigint,
    pgmq_msg_id bigint,
    attempt integer DEFAULT 0 CONSTRAINT queue_attempt_not_null NOT NULL,
    state dramatiq.state,
    hastened integer,
    priority integer DEFAULT 0 CONSTRAINT queue_priority_not_null NOT NULL,
    rescues integer DEFAULT 0 CONSTRAINT queue_rescues_not_null NOT NULL,
    delayed boolean DEFAULT false CONSTRAINT queue_delayed_not_null NOT NULL,
    queue_name text DEFAULT 'default'::text CONSTRAINT queue_queue_name_not_null NOT NULL,
    pgmq_queue text,
    unique_key text,
    waits_for text,
    line text COLLATE pg_catalog."C",
    error text,
    message jsonb
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_cost_delay='0');

COMMENT ON TABLE dramatiq.live IS 'What waits, runs, or was given up: small, whatever was done before, and all that the hot path walks.';

CREATE VIEW dramatiq.dead_letter WITH (security_invoker='true') AS
 SELECT message_id,
    queue_name,
    (message ->> 'actor_name'::text) AS actor_name,
    error,
    mtime AS died_at,
    attempt,
    pgmq_queue,
    pgmq_msg_id,
    message
   FROM dramatiq.live
  WHERE (state = 'rejected'::dramatiq.state);

COMMENT ON VIEW dramatiq.dead_letter IS 'What went wrong and waits for a person.';

CREATE TABLE dramatiq.depth (
    queue_name text NOT NULL,
    waiting bigint NOT NULL,
    delayed bigint NOT NULL,
    set_aside bigint NOT NULL,
    dead bigint NOT NULL
);

COMMENT ON TABLE dramatiq.depth IS 'How many messages each queue held when minutes were kept last.';

CREATE TABLE dramatiq.done (
    message_id uuid CONSTRAINT queue_message_id_not_null NOT NULL,
    "position" bigint DEFAULT nextval('dramatiq.queue_position_seq'::regclass) CONSTRAINT queue_position_not_null NOT NULL,
    available_at timestamp with time zone DEFAULT now() CONSTRAINT queue_available_at_not_null NOT NULL,
    mtime timestamp with time zone DEFAULT now(),
    claimed_by bigint,
    pgmq_msg_id bigint,
    attempt integer DEFAULT 0 CONSTRAINT queue_attempt_not_null NOT NULL,
    state dramatiq.state,
    hastened integer,
    priority integer DEFAULT 0 CONSTRAINT queue_priority_not_null NOT NULL,
    rescues integer DEFAULT 0 CONSTRAINT queue_rescues_not_null NOT NULL,
    delayed boolean DEFAULT false CONSTRAINT queue_delayed_not_null NOT NULL,
    queue_name text DEFAULT 'default'::text CONSTRAINT queue_queue_name_not_null NOT NULL,
    pgmq_queue text,
    unique_key text,
    waits_for text,
    line text COLLATE pg_catalog."C",
    error text,
    message jsonb
)
PARTITION BY RANGE (mtime);

COMMENT ON TABLE dramatiq.done IS 'What is done, by the day (UTC) on which it ended: a day is dropped whole, and nothing is deleted row by row.';

CREATE TABLE dramatiq.done_other (
    message_id uuid CONSTRAINT queue_message_id_not_null NOT NULL,
    "position" bigint DEFAULT nextval('dramatiq.queue_position_seq'::regclass) CONSTRAINT queue_position_not_null NOT NULL,
    available_at timestamp with time zone DEFAULT now() CONSTRAINT queue_available_at_not_null NOT NULL,
    mtime timestamp with time zone DEFAULT now(),
    claimed_by bigint,
    pgmq_msg_id bigint,
    attempt integer DEFAULT 0 CONSTRAINT queue_attempt_not_null NOT NULL,
    state dramatiq.state,
    hastened integer,
    priority integer DEFAULT 0 CONSTRAINT queue_priority_not_null NOT NULL,
    rescues integer DEFAULT 0 CONSTRAINT queue_rescues_not_null NOT NULL,
    delayed boolean DEFAULT false CONSTRAINT queue_delayed_not_null NOT NULL,
    queue_name text DEFAULT 'default'::text CONSTRAINT queue_queue_name_not_null NOT NULL,
    pgmq_queue text,
    unique_key text,
    waits_for text,
    line text COLLATE pg_catalog."C",
    error text,
    message jsonb
);

COMMENT ON TABLE dramatiq.done_other IS 'What was done on a day that has no table: none should be missing, and no ack may fail for it.';

CREATE TABLE dramatiq.group_member (
    group_id text NOT NULL,
    message_id uuid NOT NULL
);

CREATE TABLE dramatiq.held_route (
    pgmq_queue text NOT NULL
);

COMMENT ON TABLE dramatiq.held_route IS 'The pgmq queues that another system reads still: nothing is bridged from them.';

CREATE TABLE dramatiq.hidden_value (
    place integer,
    value text
);

COMMENT ON TABLE dramatiq.hidden_value IS 'Stays empty: a value that is copied into it is in dramatiq.hidden(place) until the transaction ends.';

CREATE TABLE dramatiq.kept_until (
    at timestamp with time zone NOT NULL
);

COMMENT ON TABLE dramatiq.kept_until IS 'Up to when minutes are kept: one row.';

CREATE TABLE dramatiq.look (
    worker bigint NOT NULL,
    asked_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    stacks jsonb
);

COMMENT ON TABLE dramatiq.look IS 'Workers that somebody looks into. Stacks are places in the code, without a value; they end after a minute.';

CREATE TABLE dramatiq.minute (
    minute timestamp with time zone NOT NULL,
    queue_name text NOT NULL,
    actor text NOT NULL,
    ending text NOT NULL,
    failure text NOT NULL,
    bucket smallint NOT NULL,
    messages bigint NOT NULL,
    attempts bigint NOT NULL,
    seconds double precision NOT NULL,
    pgmq_queue text DEFAULT ''::text NOT NULL,
    CONSTRAINT minute_ending_check CHECK ((ending = ANY (ARRAY['done'::text, 'dead'::text])))
);

COMMENT ON TABLE dramatiq.minute IS 'What ended in each minute. A message that was sent back to work counts each time.';

CREATE TABLE dramatiq.open_group (
    id text NOT NULL,
    missing integer NOT NULL,
    touched_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE dramatiq.relay (
    single boolean DEFAULT true NOT NULL,
    heard_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT relay_single_check CHECK (single)
);

COMMENT ON TABLE dramatiq.relay IS 'When one of those who carry messages elsewhere has said last that it lives; for people.';

CREATE TABLE dramatiq.result (
    message_id uuid NOT NULL,
    result bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

CREATE TABLE dramatiq.retired_actor (
    name text NOT NULL
);

COMMENT ON TABLE dramatiq.retired_actor IS 'Actors that the last `migrate` knew no more: an older process that starts does not bring them back.';

CREATE TABLE dramatiq.revelation (
    id uuid NOT NULL,
    revealed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    revealed_by text NOT NULL,
    role text DEFAULT SESSION_USER NOT NULL,
    reason text NOT NULL,
    CONSTRAINT revelation_reason_check CHECK ((reason <> ''::text))
);

COMMENT ON TABLE dramatiq.revelation IS 'Who was shown what a message says, when and why. It outlives the message.';

CREATE TABLE dramatiq.taken_key (
    unique_key text NOT NULL,
    message_id uuid NOT NULL
);

COMMENT ON TABLE dramatiq.taken_key IS 'The unique keys of the messages that are kept, and whose they are: no table of dramatiq.queue knows those of all others.';

CREATE TABLE dramatiq.total (
    queue_name text CONSTRAINT minute_queue_name_not_null NOT NULL,
    actor text CONSTRAINT minute_actor_not_null NOT NULL,
    ending text CONSTRAINT minute_ending_not_null NOT NULL,
    failure text CONSTRAINT minute_failure_not_null NOT NULL,
    bucket smallint CONSTRAINT minute_bucket_not_null NOT NULL,
    messages bigint CONSTRAINT minute_messages_not_null NOT NULL,
    attempts bigint CONSTRAINT minute_attempts_not_null NOT NULL,
    seconds double precision CONSTRAINT minute_seconds_not_null NOT NULL,
    CONSTRAINT minute_ending_check CHECK ((ending = ANY (ARRAY['done'::text, 'dead'::text])))
);

COMMENT ON TABLE dramatiq.total IS 'The sum of all minutes that were ever kept: what only grows, as Prometheus wants it.';

CREATE TABLE dramatiq.turn (
    number integer NOT NULL
);

ALTER TABLE dramatiq.worker ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME dramatiq.worker_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.answers (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    assessment_id uuid NOT NULL,
    question_id integer NOT NULL,
    question_code text,
    category text,
    value integer NOT NULL,
    answer_type text DEFAULT 'default'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT answers_answer_type_check CHECK ((answer_type = ANY (ARRAY['default'::text, 'impact'::text, 'frequency'::text, 'wellbeing'::text, 'relationship'::text])))
);

CREATE TABLE public.appointment_types (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name text NOT NULL,
    duration_minutes integer NOT NULL,
    price numeric(10,2) DEFAULT 0 NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.assessments (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    profile_id uuid,
    assessment_type text NOT NULL,
    status text DEFAULT 'in_progress'::text NOT NULL,
    current_step integer DEFAULT 1 NOT NULL,
    total_steps integer,
    is_paid boolean DEFAULT false NOT NULL,
    payment_id text,
    results_summary jsonb,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    completed_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT assessments_assessment_type_check CHECK ((assessment_type = ANY (ARRAY['checkup'::text, 'parent'::text, 'family'::text]))),
    CONSTRAINT assessments_status_check CHECK ((status = ANY (ARRAY['in_progress'::text, 'completed'::text, 'abandoned'::text])))
);

CREATE TABLE public.package_purchases (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    package_id uuid NOT NULL,
    sessions_remaining integer NOT NULL,
    payment_id uuid,
    expires_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.packages (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name text NOT NULL,
    session_count integer NOT NULL,
    appointment_type_id uuid,
    price numeric(10,2) NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.profiles (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    type text NOT NULL,
    first_name text NOT NULL,
    last_name text,
    dob date,
    gender text,
    pronouns text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT profiles_gender_check CHECK ((gender = ANY (ARRAY['male'::text, 'female'::text, 'other'::text]))),
    CONSTRAINT profiles_type_check CHECK ((type = ANY (ARRAY['parent'::text, 'child'::text, 'partner'::text, 'sibling'::text, 'caregiver'::text, 'other'::text])))
);

CREATE TABLE public.users (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    email text,
    phone text,
    region text,
    marketing_consent boolean DEFAULT false NOT NULL,
    role text DEFAULT 'user'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY balansity.delivery_attempt ATTACH PARTITION balansity.delivery_attempt_other DEFAULT;

ALTER TABLE ONLY balansity.delivery_event ATTACH PARTITION balansity.delivery_event_other DEFAULT;

ALTER TABLE ONLY balansity.delivery ATTACH PARTITION balansity.delivery_other DEFAULT;

ALTER TABLE ONLY dramatiq.queue ATTACH PARTITION dramatiq.done FOR VALUES IN ('done');

ALTER TABLE ONLY dramatiq.done ATTACH PARTITION dramatiq.done_other DEFAULT;

ALTER TABLE ONLY dramatiq.queue ATTACH PARTITION dramatiq.live DEFAULT;

ALTER TABLE ONLY balansity.alarm
    ADD CONSTRAINT alarm_pkey PRIMARY KEY (id);

ALTER TABLE ONLY balansity.alarm_telling
    ADD CONSTRAINT alarm_telling_pkey PRIMARY KEY (alarm_id, way);

ALTER TABLE ONLY balansity.alarm_way
    ADD CONSTRAINT alarm_way_pkey PRIMARY KEY (way);

ALTER TABLE ONLY balansity.analytics_daily
    ADD CONSTRAINT analytics_daily_pkey PRIMARY KEY (day, type);

ALTER TABLE ONLY balansity.analytics_event
    ADD CONSTRAINT analytics_event_pkey PRIMARY KEY (key);

ALTER TABLE ONLY balansity.bulk_action
    ADD CONSTRAINT bulk_action_pkey PRIMARY KEY (id);

ALTER TABLE ONLY balansity.delivery_attempt
    ADD CONSTRAINT delivery_attempt_pkey PRIMARY KEY (delivery_id, number, started_at);

ALTER TABLE ONLY balansity.delivery_attempt_other
    ADD CONSTRAINT delivery_attempt_other_pkey PRIMARY KEY (delivery_id, number, started_at);

ALTER TABLE ONLY balansity.delivery_event
    ADD CONSTRAINT delivery_event_pkey PRIMARY KEY (delivery_id, id, received_at);

ALTER TABLE ONLY balansity.delivery_event_other
    ADD CONSTRAINT delivery_event_other_pkey PRIMARY KEY (delivery_id, id, received_at);

ALTER TABLE ONLY balansity.delivery_key
    ADD CONSTRAINT delivery_key_key_key UNIQUE (key);

ALTER TABLE ONLY balansity.delivery_key
    ADD CONSTRAINT delivery_key_pkey PRIMARY KEY (id);

ALTER TABLE ONLY balansity.delivery
    ADD CONSTRAINT delivery_pkey PRIMARY KEY (id, planned_at);

ALTER TABLE ONLY balansity.delivery_other
    ADD CONSTRAINT delivery_other_pkey PRIMARY KEY (id, planned_at);

ALTER TABLE ONLY balansity.delivery_total
    ADD CONSTRAINT delivery_total_pkey PRIMARY KEY (state);

ALTER TABLE ONLY balansity.doubtful_mail
    ADD CONSTRAINT doubtful_mail_pkey PRIMARY KEY (key);

ALTER TABLE ONLY balansity.held_message
    ADD CONSTRAINT held_message_pkey PRIMARY KEY (message_id, provider);

ALTER TABLE ONLY balansity.intended
    ADD CONSTRAINT intended_pkey PRIMARY KEY (kind, name);

ALTER TABLE ONLY balansity.job
    ADD CONSTRAINT job_id_key UNIQUE (id);

ALTER TABLE ONLY balansity.job
    ADD CONSTRAINT job_pkey PRIMARY KEY (name);

ALTER TABLE ONLY balansity.mail_pace
    ADD CONSTRAINT mail_pace_pkey PRIMARY KEY (provider, free_at);

ALTER TABLE ONLY balansity.operator_action
    ADD CONSTRAINT operator_action_form_key UNIQUE (form);

ALTER TABLE ONLY balansity.operator_action
    ADD CONSTRAINT operator_action_pkey PRIMARY KEY (id);

ALTER TABLE ONLY balansity.ordered_move
    ADD CONSTRAINT ordered_move_pkey PRIMARY KEY (appointment_id);

ALTER TABLE ONLY balansity.payment_check
    ADD CONSTRAINT payment_check_pkey PRIMARY KEY (payment_id);

ALTER TABLE ONLY balansity.payment_flag
    ADD CONSTRAINT payment_flag_pkey PRIMARY KEY (payment_id, reason);

ALTER TABLE ONLY balansity.payment_settlement
    ADD CONSTRAINT payment_settlement_pkey PRIMARY KEY (payment_id, status, attempt);

ALTER TABLE ONLY balansity.payment_transition
    ADD CONSTRAINT payment_transition_pkey PRIMARY KEY (old_status, new_status);

ALTER TABLE ONLY balansity.provider_payment
    ADD CONSTRAINT provider_payment_pkey PRIMARY KEY (external_id);

ALTER TABLE ONLY balansity.provider_state
    ADD CONSTRAINT provider_state_pkey PRIMARY KEY (provider);

ALTER TABLE ONLY balansity.reminder
    ADD CONSTRAINT reminder_pkey PRIMARY KEY (appointment_id, kind, scheduled_at);

ALTER TABLE ONLY balansity.replaced
    ADD CONSTRAINT replaced_kind_name_key UNIQUE (kind, name);

ALTER TABLE ONLY balansity.replaced
    ADD CONSTRAINT replaced_pkey PRIMARY KEY (id);

ALTER TABLE ONLY balansity.report
    ADD CONSTRAINT report_assessment_id_format_digest_key UNIQUE (assessment_id, format, digest);

ALTER TABLE ONLY balansity.report
    ADD CONSTRAINT report_pkey PRIMARY KEY (id);

ALTER TABLE ONLY balansity.restore
    ADD CONSTRAINT restore_pkey PRIMARY KEY (noticed_at);

ALTER TABLE ONLY balansity.scheduler
    ADD CONSTRAINT scheduler_pkey PRIMARY KEY (id, beats);

ALTER TABLE ONLY balansity.shadow_look
    ADD CONSTRAINT shadow_look_pkey PRIMARY KEY (looked_at);

ALTER TABLE ONLY balansity.shadow
    ADD CONSTRAINT shadow_pkey PRIMARY KEY (act, about, at);

ALTER TABLE ONLY balansity.slot
    ADD CONSTRAINT slot_id_key UNIQUE (id);

ALTER TABLE ONLY balansity.slot
    ADD CONSTRAINT slot_pkey PRIMARY KEY (job, slot) INCLUDE (started_at, finished_at, state);

ALTER TABLE ONLY balansity.suppression
    ADD CONSTRAINT suppression_pkey PRIMARY KEY (address);

ALTER TABLE ONLY dramatiq.actor
    ADD CONSTRAINT actor_pgmq_queue_key UNIQUE (pgmq_queue);

ALTER TABLE ONLY dramatiq.actor
    ADD CONSTRAINT actor_pkey PRIMARY KEY (name);

ALTER TABLE ONLY dramatiq.beat
    ADD CONSTRAINT beat_pkey PRIMARY KEY (worker, number);

ALTER TABLE ONLY dramatiq.caller
    ADD CONSTRAINT caller_pkey PRIMARY KEY (number);

ALTER TABLE ONLY dramatiq.cancellation
    ADD CONSTRAINT cancellation_pkey PRIMARY KEY (message_id);

ALTER TABLE ONLY dramatiq.changed_line
    ADD CONSTRAINT changed_line_pkey PRIMARY KEY (queue_name, id);

ALTER TABLE ONLY dramatiq.counter
    ADD CONSTRAINT counter_pkey PRIMARY KEY (key, change);

ALTER TABLE ONLY dramatiq.depth
    ADD CONSTRAINT depth_pkey PRIMARY KEY (queue_name);

ALTER TABLE ONLY dramatiq.group_member
    ADD CONSTRAINT group_member_pkey PRIMARY KEY (group_id, message_id);

ALTER TABLE ONLY dramatiq.held_route
    ADD CONSTRAINT held_route_pkey PRIMARY KEY (pgmq_queue);

ALTER TABLE ONLY dramatiq.live
    ADD CONSTRAINT live_pkey PRIMARY KEY (message_id);

ALTER TABLE ONLY dramatiq.look
    ADD CONSTRAINT look_pkey PRIMARY KEY (worker);

ALTER TABLE ONLY dramatiq.minute
    ADD CONSTRAINT minute_pkey PRIMARY KEY (minute, queue_name, actor, ending, failure, bucket, pgmq_queue);

ALTER TABLE ONLY dramatiq.open_group
    ADD CONSTRAINT open_group_pkey PRIMARY KEY (id, missing);

ALTER TABLE ONLY dramatiq.pause
    ADD CONSTRAINT pause_pkey PRIMARY KEY (queue_name);

ALTER TABLE ONLY dramatiq.relay
    ADD CONSTRAINT relay_pkey PRIMARY KEY (single);

ALTER TABLE ONLY dramatiq.result
    ADD CONSTRAINT result_pkey PRIMARY KEY (message_id);

ALTER TABLE ONLY dramatiq.retired_actor
    ADD CONSTRAINT retired_actor_pkey PRIMARY KEY (name);

ALTER TABLE ONLY dramatiq.taken_key
    ADD CONSTRAINT taken_key_pkey PRIMARY KEY (unique_key);

ALTER TABLE ONLY dramatiq.total
    ADD CONSTRAINT total_pkey PRIMARY KEY (queue_name, actor, ending, failure, bucket);

ALTER TABLE ONLY dramatiq.turn
    ADD CONSTRAINT turn_pkey PRIMARY KEY (number);

ALTER TABLE ONLY dramatiq.worker
    ADD CONSTRAINT worker_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.answers
    ADD CONSTRAINT answers_assessment_id_question_id_key UNIQUE (assessment_id, question_id);

ALTER TABLE ONLY public.answers
    ADD CONSTRAINT answers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.appointment_types
    ADD CONSTRAINT appointment_types_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.appointments
    ADD CONSTRAINT appointments_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.assessments
    ADD CONSTRAINT assessments_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.package_purchases
    ADD CONSTRAINT package_purchases_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.packages
    ADD CONSTRAINT packages_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.profiles
    ADD CONSTRAINT profiles_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

CREATE INDEX alarm_closed ON balansity.alarm USING btree (closed_at) WHERE (closed_at IS NOT NULL);

CREATE INDEX alarm_open ON balansity.alarm USING btree (id) WHERE (closed_at IS NULL);

CREATE UNIQUE INDEX alarm_standing ON balansity.alarm USING btree (check_name, subject) WHERE (over_at IS NULL);

CREATE INDEX analytics_event_by_age ON balansity.analytics_event USING btree (received_at);

CREATE INDEX analytics_event_by_user ON balansity.analytics_event USING btree (user_id) WHERE (user_id IS NOT NULL);

CREATE INDEX bulk_action_begun_at ON balansity.bulk_action USING btree (begun_at DESC);

CREATE INDEX delivery_attempt_accepted ON ONLY balansity.delivery_attempt USING btree (provider, finished_at) WHERE (outcome = 'sent'::text);

CREATE INDEX delivery_attempt_other_provider_finished_at_idx ON balansity.delivery_attempt_other USING btree (provider, finished_at) WHERE (outcome = 'sent'::text);

CREATE INDEX delivery_attempt_running ON ONLY balansity.delivery_attempt USING btree (token) WHERE (finished_at IS NULL);

CREATE INDEX delivery_attempt_other_token_idx ON balansity.delivery_attempt_other USING btree (token) WHERE (finished_at IS NULL);

CREATE INDEX delivery_by_appointment ON ONLY balansity.delivery USING btree (appointment_id) WHERE (appointment_id IS NOT NULL);

CREATE INDEX delivery_by_change ON ONLY balansity.delivery USING btree (changed_at DESC);

CREATE INDEX delivery_by_message ON ONLY balansity.delivery USING btree (message_id);

CREATE INDEX delivery_by_origin ON ONLY balansity.delivery USING btree (again_of) WHERE (again_of IS NOT NULL);

CREATE INDEX delivery_by_plan ON ONLY balansity.delivery USING btree (planned_at);

CREATE INDEX delivery_by_recipient ON ONLY balansity.delivery USING btree (lower(recipient), changed_at) WHERE (recipient IS NOT NULL);

CREATE INDEX delivery_by_state ON ONLY balansity.delivery USING btree (state, changed_at DESC, id DESC);

CREATE INDEX delivery_by_trace ON ONLY balansity.delivery USING btree (trace) WHERE (trace IS NOT NULL);

CREATE INDEX delivery_by_user ON ONLY balansity.delivery USING btree (user_id) WHERE (user_id IS NOT NULL);

CREATE INDEX delivery_event_by_receipt ON ONLY balansity.delivery_event USING btree (received_at);

CREATE INDEX delivery_event_other_received_at_idx ON balansity.delivery_event_other USING btree (received_at);

CREATE INDEX delivery_held ON ONLY balansity.delivery USING btree (planned_at) WHERE ((state = 'unknown'::text) AND (held_at IS NOT NULL));

CREATE INDEX delivery_other_again_of_idx ON balansity.delivery_other USING btree (again_of) WHERE (again_of IS NOT NULL);

CREATE INDEX delivery_other_appointment_id_idx ON balansity.delivery_other USING btree (appointment_id) WHERE (appointment_id IS NOT NULL);

CREATE INDEX delivery_other_changed_at_idx ON balansity.delivery_other USING btree (changed_at DESC);

CREATE INDEX delivery_other_lower_changed_at_idx ON balansity.delivery_other USING btree (lower(recipient), changed_at) WHERE (recipient IS NOT NULL);

CREATE INDEX delivery_other_message_id_idx ON balansity.delivery_other USING btree (message_id);

CREATE INDEX delivery_other_planned_at_idx ON balansity.delivery_other USING btree (planned_at);

CREATE INDEX delivery_other_planned_at_idx1 ON balansity.delivery_other USING btree (planned_at) WHERE ((state = 'unknown'::text) AND (held_at IS NOT NULL));

CREATE INDEX delivery_postponed ON ONLY balansity.delivery USING btree (postponed_until) WHERE ((state = 'planned'::text) AND (postponed_until IS NOT NULL));

CREATE INDEX delivery_other_postponed_until_idx ON balansity.delivery_other USING btree (postponed_until) WHERE ((state = 'planned'::text) AND (postponed_until IS NOT NULL));

CREATE INDEX delivery_other_state_changed_at_id_idx ON balansity.delivery_other USING btree (state, changed_at DESC, id DESC);

CREATE INDEX delivery_other_trace_idx ON balansity.delivery_other USING btree (trace) WHERE (trace IS NOT NULL);

CREATE INDEX delivery_other_user_id_idx ON balansity.delivery_other USING btree (user_id) WHERE (user_id IS NOT NULL);

CREATE INDEX held_message_by_deadline ON balansity.held_message USING btree (provider, deadline, message_id);

CREATE INDEX held_message_in_line ON balansity.held_message USING btree (provider, probes, deadline, message_id);

CREATE INDEX operator_action_acted_at ON balansity.operator_action USING btree (acted_at DESC);

CREATE INDEX outage_by_end ON balansity.outage USING btree (provider, ended_at);

CREATE INDEX payment_check_undecided ON balansity.payment_check USING btree (payment_id) WHERE ((refund_id IS NOT NULL) OR claimed);

CREATE INDEX payment_flag_open ON balansity.payment_flag USING btree (flagged_at) WHERE (resolved_at IS NULL);

CREATE INDEX report_by_age ON balansity.report USING btree (created_at);

CREATE INDEX report_by_user ON balansity.report USING btree (user_id) WHERE (user_id IS NOT NULL);

CREATE INDEX slot_by_start ON balansity.slot USING btree (COALESCE(started_at, slot));

CREATE INDEX slot_by_time ON balansity.slot USING btree (slot);

CREATE INDEX slot_failed_or_skipped ON balansity.slot USING btree (state, slot, job) WHERE (state = ANY (ARRAY['failed'::text, 'skipped'::text]));

CREATE INDEX slot_long ON balansity.slot USING btree (slot) WHERE ((finished_at - started_at) > '00:00:30'::interval);

CREATE INDEX slot_open ON balansity.slot USING btree (job, slot) WHERE (state = ANY (ARRAY['planned'::text, 'started'::text]));

CREATE INDEX counter_expires ON dramatiq.counter USING btree (expires_at);

CREATE INDEX queue_by_trace ON ONLY dramatiq.queue USING hash (((message #>> '{options,trace}'::text[]))) WHERE ((pgmq_msg_id IS NULL) AND ((message #>> '{options,trace}'::text[]) IS NOT NULL));

CREATE INDEX done_expr_idx ON ONLY dramatiq.done USING hash (((message #>> '{options,trace}'::text[]))) WHERE ((pgmq_msg_id IS NULL) AND ((message #>> '{options,trace}'::text[]) IS NOT NULL));

CREATE INDEX done_other_expr_idx ON dramatiq.done_other USING hash (((message #>> '{options,trace}'::text[]))) WHERE ((pgmq_msg_id IS NULL) AND ((message #>> '{options,trace}'::text[]) IS NOT NULL));

CREATE INDEX queue_finished_by_id ON ONLY dramatiq.done USING btree (message_id);

CREATE INDEX done_other_message_id_idx ON dramatiq.done_other USING btree (message_id);

CREATE INDEX queue_finished ON ONLY dramatiq.done USING btree (mtime);

CREATE INDEX done_other_mtime_idx ON dramatiq.done_other USING btree (mtime);

CREATE INDEX live_expr_idx ON dramatiq.live USING hash (((message #>> '{options,trace}'::text[]))) WHERE ((pgmq_msg_id IS NULL) AND ((message #>> '{options,trace}'::text[]) IS NOT NULL));

CREATE INDEX open_group_touched ON dramatiq.open_group USING btree (touched_at);

CREATE INDEX queue_aside ON dramatiq.live USING btree (queue_name, waits_for, priority DESC, available_at, "position") WHERE ((state = 'queued'::dramatiq.state) AND (waits_for IS NOT NULL));

CREATE INDEX queue_cancelled ON dramatiq.live USING btree (mtime, message_id) WHERE (state = 'cancelled'::dramatiq.state);

CREATE INDEX queue_claimed ON dramatiq.live USING btree (claimed_by) WHERE (state = 'consumed'::dramatiq.state);

CREATE INDEX queue_dead ON dramatiq.live USING btree (mtime, message_id) WHERE (state = 'rejected'::dramatiq.state);

CREATE INDEX queue_dead_by_kind ON dramatiq.live USING btree (dramatiq.kind_of(error), COALESCE((message ->> 'actor_name'::text), ''::text), mtime) WHERE (state = 'rejected'::dramatiq.state);

CREATE INDEX queue_dead_by_queue ON dramatiq.live USING btree (queue_name) WHERE (state = 'rejected'::dramatiq.state);

CREATE INDEX queue_delayed ON dramatiq.live USING btree (queue_name, available_at, "position") WHERE ((state = 'queued'::dramatiq.state) AND delayed);

CREATE INDEX queue_due ON dramatiq.live USING btree (queue_name, priority DESC, available_at, "position") WHERE ((state = 'queued'::dramatiq.state) AND (NOT delayed) AND (waits_for IS NULL));

CREATE INDEX queue_given_up_by_mark ON dramatiq.live USING gin (dramatiq.marks_of(message, error)) WITH (fastupdate=off) WHERE (state = ANY (ARRAY['rejected'::dramatiq.state, 'cancelled'::dramatiq.state]));

CREATE INDEX queue_has_turn ON dramatiq.live USING btree (line) WHERE ((line IS NOT NULL) AND (state = ANY (ARRAY['queued'::dramatiq.state, 'consumed'::dramatiq.state])) AND (waits_for IS DISTINCT FROM 'its turn'::text));

CREATE INDEX queue_in_line ON dramatiq.live USING btree (line, priority DESC, available_at, "position") WHERE ((state = 'queued'::dramatiq.state) AND (waits_for = 'its turn'::text) AND (NOT delayed));

CREATE INDEX result_expires ON dramatiq.result USING btree (expires_at);

CREATE INDEX revelation_by_id ON dramatiq.revelation USING btree (id);

CREATE INDEX appointments_created_at_idx ON public.appointments USING btree (created_at);

CREATE UNIQUE INDEX appointments_payment_id_unique ON public.appointments USING btree (payment_id) WHERE (payment_id IS NOT NULL);

CREATE INDEX appointments_status_scheduled_at_idx ON public.appointments USING btree (status, scheduled_at);

CREATE INDEX appointments_user_id_idx ON public.appointments USING btree (user_id);

CREATE INDEX assessments_profile_id_idx ON public.assessments USING btree (profile_id);

CREATE INDEX assessments_started_at_idx ON public.assessments USING btree (started_at);

CREATE INDEX assessments_status_idx ON public.assessments USING btree (status);

CREATE INDEX package_purchases_payment_id_idx ON public.package_purchases USING btree (payment_id);

CREATE INDEX payments_created_at_idx ON public.payments USING btree (created_at);

CREATE INDEX payments_external_payment_id_idx ON public.payments USING btree (external_payment_id);

CREATE INDEX payments_status_external_payment_id_idx ON public.payments USING btree (status, external_payment_id);

CREATE INDEX payments_user_id_idx ON public.payments USING btree (user_id);

CREATE INDEX profiles_last_name_idx ON public.profiles USING btree (lower(last_name));

CREATE INDEX profiles_user_id_idx ON public.profiles USING btree (user_id);

CREATE INDEX users_address_idx ON public.users USING btree ("substring"(lower(email), '[^\s<>"]+@[^\s<>"]+'::text));

ALTER INDEX balansity.delivery_attempt_pkey ATTACH PARTITION balansity.delivery_attempt_other_pkey;

ALTER INDEX balansity.delivery_attempt_accepted ATTACH PARTITION balansity.delivery_attempt_other_provider_finished_at_idx;

ALTER INDEX balansity.delivery_attempt_running ATTACH PARTITION balansity.delivery_attempt_other_token_idx;

ALTER INDEX balansity.delivery_event_pkey ATTACH PARTITION balansity.delivery_event_other_pkey;

ALTER INDEX balansity.delivery_event_by_receipt ATTACH PARTITION balansity.delivery_event_other_received_at_idx;

ALTER INDEX balansity.delivery_by_origin ATTACH PARTITION balansity.delivery_other_again_of_idx;

ALTER INDEX balansity.delivery_by_appointment ATTACH PARTITION balansity.delivery_other_appointment_id_idx;

ALTER INDEX balansity.delivery_by_change ATTACH PARTITION balansity.delivery_other_changed_at_idx;

ALTER INDEX balansity.delivery_by_recipient ATTACH PARTITION balansity.delivery_other_lower_changed_at_idx;

ALTER INDEX balansity.delivery_by_message ATTACH PARTITION balansity.delivery_other_message_id_idx;

ALTER INDEX balansity.delivery_pkey ATTACH PARTITION balansity.delivery_other_pkey;

ALTER INDEX balansity.delivery_by_plan ATTACH PARTITION balansity.delivery_other_planned_at_idx;

ALTER INDEX balansity.delivery_held ATTACH PARTITION balansity.delivery_other_planned_at_idx1;

ALTER INDEX balansity.delivery_postponed ATTACH PARTITION balansity.delivery_other_postponed_until_idx;

ALTER INDEX balansity.delivery_by_state ATTACH PARTITION balansity.delivery_other_state_changed_at_id_idx;

ALTER INDEX balansity.delivery_by_trace ATTACH PARTITION balansity.delivery_other_trace_idx;

ALTER INDEX balansity.delivery_by_user ATTACH PARTITION balansity.delivery_other_user_id_idx;

ALTER INDEX dramatiq.queue_by_trace ATTACH PARTITION dramatiq.done_expr_idx;

ALTER INDEX dramatiq.done_expr_idx ATTACH PARTITION dramatiq.done_other_expr_idx;

ALTER INDEX dramatiq.queue_finished_by_id ATTACH PARTITION dramatiq.done_other_message_id_idx;

ALTER INDEX dramatiq.queue_finished ATTACH PARTITION dramatiq.done_other_mtime_idx;

ALTER INDEX dramatiq.queue_by_trace ATTACH PARTITION dramatiq.live_expr_idx;

CREATE TRIGGER keep_delivery_key BEFORE INSERT OR DELETE OR UPDATE OF id, key, planned_at ON balansity.delivery FOR EACH ROW EXECUTE FUNCTION balansity.keep_delivery_key();

CREATE TRIGGER keep_no_delivery_key BEFORE TRUNCATE ON balansity.delivery FOR EACH STATEMENT EXECUTE FUNCTION balansity.keep_delivery_key();

CREATE TRIGGER hide_value BEFORE INSERT ON dramatiq.hidden_value FOR EACH ROW EXECUTE FUNCTION dramatiq.hide_value();

ALTER TABLE dramatiq.hidden_value ENABLE ALWAYS TRIGGER hide_value;

CREATE TRIGGER release_key AFTER DELETE ON dramatiq.queue FOR EACH ROW WHEN ((old.unique_key IS NOT NULL)) EXECUTE FUNCTION dramatiq.release_key();

CREATE TRIGGER on_appointment_change AFTER UPDATE ON public.appointments FOR EACH ROW EXECUTE FUNCTION balansity.handle_appointment_change();

CREATE TRIGGER on_checkup_completed AFTER UPDATE ON public.assessments FOR EACH ROW EXECUTE FUNCTION balansity.handle_checkup_completed();

CREATE TRIGGER on_new_appointment AFTER INSERT ON public.appointments FOR EACH ROW EXECUTE FUNCTION balansity.handle_new_appointment();

CREATE TRIGGER on_new_payment AFTER INSERT ON public.payments FOR EACH ROW EXECUTE FUNCTION balansity.handle_new_payment();

CREATE TRIGGER on_payment_status_change AFTER UPDATE ON public.payments FOR EACH ROW EXECUTE FUNCTION balansity.handle_payment_status_change();

ALTER TABLE ONLY balansity.alarm_telling
    ADD CONSTRAINT alarm_telling_alarm_id_fkey FOREIGN KEY (alarm_id) REFERENCES balansity.alarm(id) ON DELETE CASCADE;

ALTER TABLE ONLY balansity.slot
    ADD CONSTRAINT slot_job_fkey FOREIGN KEY (job) REFERENCES balansity.job(name) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE ONLY dramatiq.beat
    ADD CONSTRAINT beat_worker_fkey FOREIGN KEY (worker) REFERENCES dramatiq.worker(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.answers
    ADD CONSTRAINT answers_assessment_id_fkey FOREIGN KEY (assessment_id) REFERENCES public.assessments(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.appointments
    ADD CONSTRAINT appointments_appointment_type_id_fkey FOREIGN KEY (appointment_type_id) REFERENCES public.appointment_types(id);

ALTER TABLE ONLY public.appointments
    ADD CONSTRAINT appointments_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES public.payments(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.appointments
    ADD CONSTRAINT appointments_profile_id_fkey FOREIGN KEY (profile_id) REFERENCES public.profiles(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.appointments
    ADD CONSTRAINT appointments_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.assessments
    ADD CONSTRAINT assessments_profile_id_fkey FOREIGN KEY (profile_id) REFERENCES public.profiles(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.package_purchases
    ADD CONSTRAINT package_purchases_package_id_fkey FOREIGN KEY (package_id) REFERENCES public.packages(id);

ALTER TABLE ONLY public.package_purchases
    ADD CONSTRAINT package_purchases_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES public.payments(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.package_purchases
    ADD CONSTRAINT package_purchases_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.packages
    ADD CONSTRAINT packages_appointment_type_id_fkey FOREIGN KEY (appointment_type_id) REFERENCES public.appointment_types(id);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.profiles
    ADD CONSTRAINT profiles_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE public.answers ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.appointment_types ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.appointments ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.assessments ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.package_purchases ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.packages ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.payments ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.profiles ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.users ENABLE ROW LEVEL SECURITY;

GRANT USAGE ON SCHEMA balansity TO balansity_web;
GRANT USAGE ON SCHEMA balansity TO balansity_worker;

GRANT USAGE ON SCHEMA dramatiq TO balansity_web;
GRANT USAGE ON SCHEMA dramatiq TO balansity_worker;

GRANT USAGE ON SCHEMA public TO balansity_web;
GRANT USAGE ON SCHEMA public TO balansity_worker;

REVOKE ALL ON TYPE dramatiq.state FROM PUBLIC;

REVOKE ALL ON FUNCTION balansity.abandon_old_assessments(p_now timestamp with time zone, p_ids uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.abandon_old_assessments(p_now timestamp with time zone, p_ids uuid[]) TO balansity_web;
GRANT ALL ON FUNCTION balansity.abandon_old_assessments(p_now timestamp with time zone, p_ids uuid[]) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.abandonments_until(p_until timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.abandonments_until(p_until timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.abandonments_until(p_until timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.add_appointment(p_user_id uuid, p_profile_id uuid, p_type_id uuid, p_scheduled_at timestamp with time zone, p_payment_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.add_appointment(p_user_id uuid, p_profile_id uuid, p_type_id uuid, p_scheduled_at timestamp with time zone, p_payment_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.add_appointment(p_user_id uuid, p_profile_id uuid, p_type_id uuid, p_scheduled_at timestamp with time zone, p_payment_id uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.add_purchase(p_user_id uuid, p_package_id uuid, p_sessions bigint, p_payment_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.add_purchase(p_user_id uuid, p_package_id uuid, p_sessions bigint, p_payment_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.add_purchase(p_user_id uuid, p_package_id uuid, p_sessions bigint, p_payment_id uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.address_in(p_text text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.address_in(p_text text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.address_in(p_text text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.addresses_of(p_user_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.addresses_of(p_user_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.addresses_of(p_user_id uuid) TO balansity_worker;

GRANT SELECT ON TABLE public.payments TO balansity_web;
GRANT SELECT ON TABLE public.payments TO balansity_worker;

GRANT UPDATE(status) ON TABLE public.payments TO balansity_worker;

GRANT UPDATE(updated_at) ON TABLE public.payments TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.announce_payment(p_payment public.payments, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.announce_payment(p_payment public.payments, p_now timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.announce_payment(p_payment public.payments, p_now timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.appointment_of(p_payment public.payments) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.appointment_of(p_payment public.payments) TO balansity_web;
GRANT ALL ON FUNCTION balansity.appointment_of(p_payment public.payments) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.as_time(p_text text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.as_time(p_text text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.as_time(p_text text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.ask_for_provider(p_provider text, p_message_id uuid, p_deadline timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.ask_for_provider(p_provider text, p_message_id uuid, p_deadline timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.ask_for_provider(p_provider text, p_message_id uuid, p_deadline timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.begin_delivery(p_entry balansity.mail_entry, p_refusal text, p_reason text, p_despite text[], p_hourly integer, p_resend_after interval, p_provider text, p_token uuid, OUT delivery_id uuid, OUT state text, OUT number integer, OUT wait interval, OUT edition integer) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.begin_delivery(p_entry balansity.mail_entry, p_refusal text, p_reason text, p_despite text[], p_hourly integer, p_resend_after interval, p_provider text, p_token uuid, OUT delivery_id uuid, OUT state text, OUT number integer, OUT wait interval, OUT edition integer) TO balansity_web;
GRANT ALL ON FUNCTION balansity.begin_delivery(p_entry balansity.mail_entry, p_refusal text, p_reason text, p_despite text[], p_hourly integer, p_resend_after interval, p_provider text, p_token uuid, OUT delivery_id uuid, OUT state text, OUT number integer, OUT wait interval, OUT edition integer) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.begin_in_charge() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.begin_in_charge() TO balansity_web;
GRANT ALL ON FUNCTION balansity.begin_in_charge() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.believable_minutes(p_minutes text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.believable_minutes(p_minutes text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.believable_minutes(p_minutes text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.book_appointment(p_payment public.payments, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.book_appointment(p_payment public.payments, p_now timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.book_appointment(p_payment public.payments, p_now timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.carry_out(p_payment public.payments, p_replay boolean, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.carry_out(p_payment public.payments, p_replay boolean, p_now timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.carry_out(p_payment public.payments, p_replay boolean, p_now timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.change_appointment(p_id uuid, p_status text, p_payment_id uuid, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.change_appointment(p_id uuid, p_status text, p_payment_id uuid, p_now timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.change_appointment(p_id uuid, p_status text, p_payment_id uuid, p_now timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.change_assessment(p_id uuid, p_status text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.change_assessment(p_id uuid, p_status text, p_now timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.change_assessment(p_id uuid, p_status text, p_now timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.change_payment(p_id uuid, p_status text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.change_payment(p_id uuid, p_status text, p_now timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.change_payment(p_id uuid, p_status text, p_now timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.change_payment_status(p_payment_id uuid, p_status text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.change_payment_status(p_payment_id uuid, p_status text, p_now timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.change_payment_status(p_payment_id uuid, p_status text, p_now timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.check_amount(p_payment public.payments, p_price numeric) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.check_amount(p_payment public.payments, p_price numeric) TO balansity_web;
GRANT ALL ON FUNCTION balansity.check_amount(p_payment public.payments, p_price numeric) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.claim_payment_checks(p_now timestamp with time zone, p_ids uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.claim_payment_checks(p_now timestamp with time zone, p_ids uuid[]) TO balansity_web;
GRANT ALL ON FUNCTION balansity.claim_payment_checks(p_now timestamp with time zone, p_ids uuid[]) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.claim_reminders(p_now timestamp with time zone, p_until timestamp with time zone, p_ids uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.claim_reminders(p_now timestamp with time zone, p_until timestamp with time zone, p_ids uuid[]) TO balansity_web;
GRANT ALL ON FUNCTION balansity.claim_reminders(p_now timestamp with time zone, p_until timestamp with time zone, p_ids uuid[]) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.close_alarms(p_ways text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.close_alarms(p_ways text[]) TO balansity_web;
GRANT ALL ON FUNCTION balansity.close_alarms(p_ways text[]) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.close_cancelled_deliveries(p_message_ids text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.close_cancelled_deliveries(p_message_ids text[]) TO balansity_web;
GRANT ALL ON FUNCTION balansity.close_cancelled_deliveries(p_message_ids text[]) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.close_held(p_ids uuid[], p_limit integer, p_reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.close_held(p_ids uuid[], p_limit integer, p_reason text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.close_held(p_ids uuid[], p_limit integer, p_reason text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.close_site_functions() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.close_site_functions() TO balansity_web;
GRANT ALL ON FUNCTION balansity.close_site_functions() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.compare_shadow() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.compare_shadow() TO balansity_web;
GRANT ALL ON FUNCTION balansity.compare_shadow() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.confirm_appointment(p_payment public.payments, p_appointment_id uuid, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.confirm_appointment(p_payment public.payments, p_appointment_id uuid, p_now timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.confirm_appointment(p_payment public.payments, p_appointment_id uuid, p_now timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.confirm_paid_appointments(p_now timestamp with time zone, p_ids uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.confirm_paid_appointments(p_now timestamp with time zone, p_ids uuid[]) TO balansity_web;
GRANT ALL ON FUNCTION balansity.confirm_paid_appointments(p_now timestamp with time zone, p_ids uuid[]) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.count_deliveries(p_most interval) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.count_deliveries(p_most interval) TO balansity_web;
GRANT ALL ON FUNCTION balansity.count_deliveries(p_most interval) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.cron_is_hidden() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.cron_is_hidden() TO balansity_web;
GRANT ALL ON FUNCTION balansity.cron_is_hidden() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.deliveries_to(p_ids uuid[], p_person jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.deliveries_to(p_ids uuid[], p_person jsonb) TO balansity_web;
GRANT ALL ON FUNCTION balansity.deliveries_to(p_ids uuid[], p_person jsonb) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.delivery_id(p_identity text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.delivery_id(p_identity text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.delivery_id(p_identity text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.delivery_progress(p_state text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.delivery_progress(p_state text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.delivery_progress(p_state text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.doubt_completion(p_payment public.payments, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.doubt_completion(p_payment public.payments, p_now timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.doubt_completion(p_payment public.payments, p_now timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.doubt_mail(p_key text, p_cause_since timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.doubt_mail(p_key text, p_cause_since timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.doubt_mail(p_key text, p_cause_since timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.drop_month(p_ledger text, p_month date) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.drop_month(p_ledger text, p_month date) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.earliest(p_planned_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.earliest(p_planned_at timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.earliest(p_planned_at timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.email_of(p_user_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.email_of(p_user_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.email_of(p_user_id uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.empty_purchase(p_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.empty_purchase(p_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.empty_purchase(p_id uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.external_id(p_payment public.payments) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.external_id(p_payment public.payments) TO balansity_web;
GRANT ALL ON FUNCTION balansity.external_id(p_payment public.payments) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.finish_attempt(p_delivery_id uuid, p_number integer, p_outcome text, p_answer text, p_provider_message_id text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.finish_attempt(p_delivery_id uuid, p_number integer, p_outcome text, p_answer text, p_provider_message_id text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.finish_attempt(p_delivery_id uuid, p_number integer, p_outcome text, p_answer text, p_provider_message_id text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.finish_payments(p_now timestamp with time zone, p_ids uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.finish_payments(p_now timestamp with time zone, p_ids uuid[]) TO balansity_web;
GRANT ALL ON FUNCTION balansity.finish_payments(p_now timestamp with time zone, p_ids uuid[]) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.flag_anothers(p_payment_id uuid, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.flag_anothers(p_payment_id uuid, p_now timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.flag_anothers(p_payment_id uuid, p_now timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.flag_finding(p_payment_id uuid, p_reason text, p_now timestamp with time zone, p_halts boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.flag_finding(p_payment_id uuid, p_reason text, p_now timestamp with time zone, p_halts boolean) TO balansity_web;
GRANT ALL ON FUNCTION balansity.flag_finding(p_payment_id uuid, p_reason text, p_now timestamp with time zone, p_halts boolean) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.flag_payment(p_payment_id uuid, p_reason text, p_now timestamp with time zone, p_halts boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.flag_payment(p_payment_id uuid, p_reason text, p_now timestamp with time zone, p_halts boolean) TO balansity_web;
GRANT ALL ON FUNCTION balansity.flag_payment(p_payment_id uuid, p_reason text, p_now timestamp with time zone, p_halts boolean) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.flag_stuck_payments(p_now timestamp with time zone, p_ids uuid[], p_can_ask boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.flag_stuck_payments(p_now timestamp with time zone, p_ids uuid[], p_can_ask boolean) TO balansity_web;
GRANT ALL ON FUNCTION balansity.flag_stuck_payments(p_now timestamp with time zone, p_ids uuid[], p_can_ask boolean) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.flag_unfinished(p_payment_id uuid, p_sqlstate text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.flag_unfinished(p_payment_id uuid, p_sqlstate text, p_now timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.flag_unfinished(p_payment_id uuid, p_sqlstate text, p_now timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.follow_refund(p_payment_id uuid, p_refund_id text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.follow_refund(p_payment_id uuid, p_refund_id text, p_now timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.follow_refund(p_payment_id uuid, p_refund_id text, p_now timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.forget_deleted(p_ids uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.forget_deleted(p_ids uuid[]) TO balansity_web;
GRANT ALL ON FUNCTION balansity.forget_deleted(p_ids uuid[]) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.forget_deliveries(p_ids uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.forget_deliveries(p_ids uuid[]) TO balansity_web;
GRANT ALL ON FUNCTION balansity.forget_deliveries(p_ids uuid[]) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.forget_events(p_keys bytea[], p_person jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.forget_events(p_keys bytea[], p_person jsonb) TO balansity_web;
GRANT ALL ON FUNCTION balansity.forget_events(p_keys bytea[], p_person jsonb) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.forget_refund(p_payment_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.forget_refund(p_payment_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.forget_refund(p_payment_id uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.forget_suppressions(p_digests text[], p_person jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.forget_suppressions(p_digests text[], p_person jsonb) TO balansity_web;
GRANT ALL ON FUNCTION balansity.forget_suppressions(p_digests text[], p_person jsonb) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.fulfil_payment(p_payment public.payments, p_replay boolean, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.fulfil_payment(p_payment public.payments, p_replay boolean, p_now timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.fulfil_payment(p_payment public.payments, p_replay boolean, p_now timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.give_up_delivery(p_entry balansity.mail_entry, p_reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.give_up_delivery(p_entry balansity.mail_entry, p_reason text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.give_up_delivery(p_entry balansity.mail_entry, p_reason text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.give_up_lost_deliveries(p_ids uuid[], p_before timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.give_up_lost_deliveries(p_ids uuid[], p_before timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.give_up_lost_deliveries(p_ids uuid[], p_before timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.grant_package(p_payment public.payments) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.grant_package(p_payment public.payments) TO balansity_web;
GRANT ALL ON FUNCTION balansity.grant_package(p_payment public.payments) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.grant_rights() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.grant_rights() TO balansity_web;
GRANT ALL ON FUNCTION balansity.grant_rights() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.hand_back() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.hand_back() TO balansity_web;
GRANT ALL ON FUNCTION balansity.hand_back() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.hand_back_appointments() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.hand_back_appointments() TO balansity_web;
GRANT ALL ON FUNCTION balansity.hand_back_appointments() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.hand_back_steps() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.hand_back_steps() TO balansity_web;
GRANT ALL ON FUNCTION balansity.hand_back_steps() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.handle_appointment_change() FROM PUBLIC;

REVOKE ALL ON FUNCTION balansity.handle_checkup_completed() FROM PUBLIC;

REVOKE ALL ON FUNCTION balansity.handle_new_appointment() FROM PUBLIC;

REVOKE ALL ON FUNCTION balansity.handle_new_payment() FROM PUBLIC;

REVOKE ALL ON FUNCTION balansity.handle_payment_status_change() FROM PUBLIC;

REVOKE ALL ON FUNCTION balansity.has_had_enough(p_recipient text, p_hourly integer) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.has_had_enough(p_recipient text, p_hourly integer) TO balansity_web;
GRANT ALL ON FUNCTION balansity.has_had_enough(p_recipient text, p_hourly integer) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.hear_notice(p_payment_id uuid, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.hear_notice(p_payment_id uuid, p_now timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.hear_notice(p_payment_id uuid, p_now timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.hear_providers(p_worker text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.hear_providers(p_worker text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.hear_providers(p_worker text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.heard_again(p_provider text, p_worker text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.heard_again(p_provider text, p_worker text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.heard_again(p_provider text, p_worker text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.hears_all(p_trigger oid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.hears_all(p_trigger oid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.hears_all(p_trigger oid) TO balansity_worker;

GRANT SELECT,INSERT,UPDATE ON TABLE balansity.delivery TO balansity_web;
GRANT SELECT,INSERT,UPDATE ON TABLE balansity.delivery TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.hold_delivery(p_id uuid, p_entry balansity.mail_entry) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.hold_delivery(p_id uuid, p_entry balansity.mail_entry) TO balansity_web;
GRANT ALL ON FUNCTION balansity.hold_delivery(p_id uuid, p_entry balansity.mail_entry) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.hold_mail(p_provider text, p_pause interval) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.hold_mail(p_provider text, p_pause interval) TO balansity_web;
GRANT ALL ON FUNCTION balansity.hold_mail(p_provider text, p_pause interval) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.hold_pace(p_provider text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.hold_pace(p_provider text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.hold_pace(p_provider text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.hold_routes() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.hold_routes() TO balansity_web;
GRANT ALL ON FUNCTION balansity.hold_routes() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.ids_of(p_user_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.ids_of(p_user_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.ids_of(p_user_id uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.in_charge() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.in_charge() TO balansity_web;
GRANT ALL ON FUNCTION balansity.in_charge() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.in_public(p_function oid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.in_public(p_function oid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.in_public(p_function oid) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.is_anothers(p_payment public.payments) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.is_anothers(p_payment public.payments) TO balansity_web;
GRANT ALL ON FUNCTION balansity.is_anothers(p_payment public.payments) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.is_awaited(p_provider text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.is_awaited(p_provider text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.is_awaited(p_provider text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.is_claimed(p_payment_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.is_claimed(p_payment_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.is_claimed(p_payment_id uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.is_doubted(p_delivery balansity.delivery, p_message_id text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.is_doubted(p_delivery balansity.delivery, p_message_id text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.is_doubted(p_delivery balansity.delivery, p_message_id text) TO balansity_worker;

GRANT SELECT ON TABLE public.appointments TO balansity_web;
GRANT SELECT ON TABLE public.appointments TO balansity_worker;

GRANT INSERT(user_id) ON TABLE public.appointments TO balansity_worker;

GRANT INSERT(profile_id) ON TABLE public.appointments TO balansity_worker;

GRANT INSERT(appointment_type_id) ON TABLE public.appointments TO balansity_worker;

GRANT INSERT(scheduled_at) ON TABLE public.appointments TO balansity_worker;

GRANT INSERT(status),UPDATE(status) ON TABLE public.appointments TO balansity_worker;

GRANT INSERT(payment_id),UPDATE(payment_id) ON TABLE public.appointments TO balansity_worker;

GRANT UPDATE(updated_at) ON TABLE public.appointments TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.is_for_another(p_payment public.payments, p_appointment public.appointments) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.is_for_another(p_payment public.payments, p_appointment public.appointments) TO balansity_web;
GRANT ALL ON FUNCTION balansity.is_for_another(p_payment public.payments, p_appointment public.appointments) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.is_halted(p_payment_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.is_halted(p_payment_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.is_halted(p_payment_id uuid) TO balansity_worker;

GRANT SELECT ON TABLE balansity.home TO balansity_web;
GRANT SELECT,INSERT,UPDATE ON TABLE balansity.home TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.is_here(p_home balansity.home) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.is_here(p_home balansity.home) TO balansity_web;
GRANT ALL ON FUNCTION balansity.is_here(p_home balansity.home) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.is_known_to_provider(p_payment public.payments) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.is_known_to_provider(p_payment public.payments) TO balansity_web;
GRANT ALL ON FUNCTION balansity.is_known_to_provider(p_payment public.payments) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.is_service() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.is_service() TO balansity_web;
GRANT ALL ON FUNCTION balansity.is_service() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.is_stuck(p_since timestamp with time zone, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.is_stuck(p_since timestamp with time zone, p_now timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.is_stuck(p_since timestamp with time zone, p_now timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.is_twin(p_ours oid, p_theirs oid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.is_twin(p_ours oid, p_theirs oid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.is_twin(p_ours oid, p_theirs oid) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.is_unfinished(p_payment_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.is_unfinished(p_payment_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.is_unfinished(p_payment_id uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.is_unheard_of(p_payment_id uuid, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.is_unheard_of(p_payment_id uuid, p_now timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.is_unheard_of(p_payment_id uuid, p_now timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.is_unknown(p_payment public.payments) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.is_unknown(p_payment public.payments) TO balansity_web;
GRANT ALL ON FUNCTION balansity.is_unknown(p_payment public.payments) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.is_unpaid(p_linked_payment_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.is_unpaid(p_linked_payment_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.is_unpaid(p_linked_payment_id uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.is_untaken(p_entry balansity.mail_entry, p_provider text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.is_untaken(p_entry balansity.mail_entry, p_provider text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.is_untaken(p_entry balansity.mail_entry, p_provider text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.is_vouched_for(p_payment public.payments) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.is_vouched_for(p_payment public.payments) TO balansity_web;
GRANT ALL ON FUNCTION balansity.is_vouched_for(p_payment public.payments) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.iso_utc(p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.iso_utc(p_at timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.iso_utc(p_at timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.keep(p_kind text, p_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.keep(p_kind text, p_name text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.keep(p_kind text, p_name text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.keep_delivery_key() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.keep_delivery_key() TO balansity_web;
GRANT ALL ON FUNCTION balansity.keep_delivery_key() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.kept_in_any_case() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.kept_in_any_case() TO balansity_web;
GRANT ALL ON FUNCTION balansity.kept_in_any_case() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.latest_restore() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.latest_restore() TO balansity_web;
GRANT ALL ON FUNCTION balansity.latest_restore() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.leave_unknown(p_payment_id uuid, p_external_id text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.leave_unknown(p_payment_id uuid, p_external_id text, p_now timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.leave_unknown(p_payment_id uuid, p_external_id text, p_now timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.ledgers() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.ledgers() TO balansity_web;
GRANT ALL ON FUNCTION balansity.ledgers() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.let_go(p_provider text, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.let_go(p_provider text, p_limit integer) TO balansity_web;
GRANT ALL ON FUNCTION balansity.let_go(p_provider text, p_limit integer) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.listen_to_provider(p_provider text, p_reports boolean, p_worker text, OUT verdict text, OUT news boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.listen_to_provider(p_provider text, p_reports boolean, p_worker text, OUT verdict text, OUT news boolean) TO balansity_web;
GRANT ALL ON FUNCTION balansity.listen_to_provider(p_provider text, p_reports boolean, p_worker text, OUT verdict text, OUT news boolean) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.lock_sources(p_handler oid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.lock_sources(p_handler oid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.lock_sources(p_handler oid) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.look_in_shadow() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.look_in_shadow() TO balansity_web;
GRANT ALL ON FUNCTION balansity.look_in_shadow() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.make_month(p_ledger text, p_month date) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.make_month(p_ledger text, p_month date) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.may_have_left(p_delivery_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.may_have_left(p_delivery_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.may_have_left(p_delivery_id uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.speaks_of(p_text text, p_named_user text, p_person jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.speaks_of(p_text text, p_named_user text, p_person jsonb) TO balansity_web;
GRANT ALL ON FUNCTION balansity.speaks_of(p_text text, p_named_user text, p_person jsonb) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.message_speaks_of(p_text text, p_arguments jsonb, p_person jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.message_speaks_of(p_text text, p_arguments jsonb, p_person jsonb) TO balansity_web;
GRANT ALL ON FUNCTION balansity.message_speaks_of(p_text text, p_arguments jsonb, p_person jsonb) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.minutes_of(p_appointment public.appointments) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.minutes_of(p_appointment public.appointments) TO balansity_web;
GRANT ALL ON FUNCTION balansity.minutes_of(p_appointment public.appointments) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.minutes_of(p_own text, p_of_its_type text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.minutes_of(p_own text, p_of_its_type text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.minutes_of(p_own text, p_of_its_type text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.misplaced_events(p_zone text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.misplaced_events(p_zone text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.misplaced_events(p_zone text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.missing_grants() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.missing_grants() TO balansity_web;
GRANT ALL ON FUNCTION balansity.missing_grants() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.missing_months(p_ahead integer) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.missing_months(p_ahead integer) TO balansity_web;
GRANT ALL ON FUNCTION balansity.missing_months(p_ahead integer) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.month_table(p_ledger text, p_month date) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.month_table(p_ledger text, p_month date) TO balansity_web;
GRANT ALL ON FUNCTION balansity.month_table(p_ledger text, p_month date) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.never_begun_messages(p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.never_begun_messages(p_limit integer) TO balansity_web;
GRANT ALL ON FUNCTION balansity.never_begun_messages(p_limit integer) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.next_check(p_since timestamp with time zone, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.next_check(p_since timestamp with time zone, p_now timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.next_check(p_since timestamp with time zone, p_now timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.next_month(p_month date) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.next_month(p_month date) TO balansity_web;
GRANT ALL ON FUNCTION balansity.next_month(p_month date) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.note_alarms(p_checks text[], p_subjects text[], p_sentences jsonb[], p_settled interval) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.note_alarms(p_checks text[], p_subjects text[], p_sentences jsonb[], p_settled interval) TO balansity_web;
GRANT ALL ON FUNCTION balansity.note_alarms(p_checks text[], p_subjects text[], p_sentences jsonb[], p_settled interval) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.note_external_id(p_payment public.payments, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.note_external_id(p_payment public.payments, p_now timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.note_external_id(p_payment public.payments, p_now timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.note_paid() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.note_paid() TO balansity_web;
GRANT ALL ON FUNCTION balansity.note_paid() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.note_restore(p_restored_to timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.note_restore(p_restored_to timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.note_restore(p_restored_to timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.note_told_reminders() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.note_told_reminders() TO balansity_web;
GRANT ALL ON FUNCTION balansity.note_told_reminders() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.notice_restore() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.notice_restore() TO balansity_web;
GRANT ALL ON FUNCTION balansity.notice_restore() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.now() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.now() TO balansity_web;
GRANT ALL ON FUNCTION balansity.now() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.odd_appointments() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.odd_appointments() TO balansity_web;
GRANT ALL ON FUNCTION balansity.odd_appointments() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.of_our_time(p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.of_our_time(p_at timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.of_our_time(p_at timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.old_handlers() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.old_handlers() TO balansity_web;
GRANT ALL ON FUNCTION balansity.old_handlers() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.old_jobs() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.old_jobs() TO balansity_web;
GRANT ALL ON FUNCTION balansity.old_jobs() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.old_mails(p_since timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.old_mails(p_since timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.old_mails(p_since timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.old_months(p_ledger text, p_before timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.old_months(p_ledger text, p_before timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.old_months(p_ledger text, p_before timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.open_deliveries(p_most bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.open_deliveries(p_most bigint) TO balansity_web;
GRANT ALL ON FUNCTION balansity.open_deliveries(p_most bigint) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.opened_report(p_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.opened_report(p_id uuid) TO balansity_web;

REVOKE ALL ON FUNCTION balansity.over_at(p_appointment public.appointments) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.over_at(p_appointment public.appointments) TO balansity_web;
GRANT ALL ON FUNCTION balansity.over_at(p_appointment public.appointments) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.over_at(p_scheduled_at timestamp with time zone, p_minutes integer) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.over_at(p_scheduled_at timestamp with time zone, p_minutes integer) TO balansity_web;
GRANT ALL ON FUNCTION balansity.over_at(p_scheduled_at timestamp with time zone, p_minutes integer) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.owner_obstacle(p_owner oid, p_what text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.owner_obstacle(p_owner oid, p_what text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.owner_obstacle(p_owner oid, p_what text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.payment_attempt(p_payment public.payments, p_status text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.payment_attempt(p_payment public.payments, p_status text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.payment_attempt(p_payment public.payments, p_status text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.payment_key(p_payment public.payments, p_status text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.payment_key(p_payment public.payments, p_status text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.payment_key(p_payment public.payments, p_status text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.pays_for(p_payment public.payments) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.pays_for(p_payment public.payments) TO balansity_web;
GRANT ALL ON FUNCTION balansity.pays_for(p_payment public.payments) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.plan_again(p_entry balansity.mail_entry, p_again_of uuid, p_who text, p_reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.plan_again(p_entry balansity.mail_entry, p_again_of uuid, p_who text, p_reason text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.plan_again(p_entry balansity.mail_entry, p_again_of uuid, p_who text, p_reason text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.plan_delivery(p_entry balansity.mail_entry) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.plan_delivery(p_entry balansity.mail_entry) TO balansity_web;
GRANT ALL ON FUNCTION balansity.plan_delivery(p_entry balansity.mail_entry) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.postpone_delivery(p_entry balansity.mail_entry, p_until timestamp with time zone, p_reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.postpone_delivery(p_entry balansity.mail_entry, p_until timestamp with time zone, p_reason text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.postpone_delivery(p_entry balansity.mail_entry, p_until timestamp with time zone, p_reason text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.prove_payment(p_payment_id uuid, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.prove_payment(p_payment_id uuid, p_now timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.prove_payment(p_payment_id uuid, p_now timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.provider_failed(p_provider text, p_reason text, p_worker text, p_message_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.provider_failed(p_provider text, p_reason text, p_worker text, p_message_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.provider_failed(p_provider text, p_reason text, p_worker text, p_message_id uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.provider_silent(p_provider text, p_reason text, p_worker text, p_message_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.provider_silent(p_provider text, p_reason text, p_worker text, p_message_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.provider_silent(p_provider text, p_reason text, p_worker text, p_message_id uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.provider_unasked(p_provider text, p_message_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.provider_unasked(p_provider text, p_message_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.provider_unasked(p_provider text, p_message_id uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.provider_worked(p_provider text, p_worker text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.provider_worked(p_provider text, p_worker text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.provider_worked(p_provider text, p_worker text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.purge_strays(p_ledger text, p_before timestamp with time zone, p_most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.purge_strays(p_ledger text, p_before timestamp with time zone, p_most integer) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.put_at_stake(p_provider text, p_message_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.put_at_stake(p_provider text, p_message_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.put_at_stake(p_provider text, p_message_id uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.reader_name(p_user_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.reader_name(p_user_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.reader_name(p_user_id uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.record_event(p_id text, p_delivery_id uuid, p_kind text, p_detail text, p_occurred_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.record_event(p_id text, p_delivery_id uuid, p_kind text, p_detail text, p_occurred_at timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.record_event(p_id text, p_delivery_id uuid, p_kind text, p_detail text, p_occurred_at timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.record_events(p_events jsonb, p_zone text, p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.record_events(p_events jsonb, p_zone text, p_at timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.record_events(p_events jsonb, p_zone text, p_at timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.recount_events(p_keys bytea[], p_zone text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.recount_events(p_keys bytea[], p_zone text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.recount_events(p_keys bytea[], p_zone text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.release_appointment(p_payment public.payments, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.release_appointment(p_payment public.payments, p_now timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.release_appointment(p_payment public.payments, p_now timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.release_held(p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.release_held(p_limit integer) TO balansity_web;
GRANT ALL ON FUNCTION balansity.release_held(p_limit integer) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.release_keys(p_ids uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.release_keys(p_ids uuid[]) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.release_reminder(p_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.release_reminder(p_key text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.release_reminder(p_key text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.reminders_between(p_from timestamp with time zone, p_until timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.reminders_between(p_from timestamp with time zone, p_until timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.reminders_between(p_from timestamp with time zone, p_until timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.resend_delivery(p_id uuid, p_reporting text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.resend_delivery(p_id uuid, p_reporting text[]) TO balansity_web;
GRANT ALL ON FUNCTION balansity.resend_delivery(p_id uuid, p_reporting text[]) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.revoke_payment(p_payment public.payments, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.revoke_payment(p_payment public.payments, p_now timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.revoke_payment(p_payment public.payments, p_now timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.scores_by_site(p_assessment_id uuid, p_assessment_type text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.scores_by_site(p_assessment_id uuid, p_assessment_type text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.scores_by_site(p_assessment_id uuid, p_assessment_type text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.send_mail(p_user_id uuid, p_key text, p_template text, p_subject text, p_variables jsonb, p_line text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.send_mail(p_user_id uuid, p_key text, p_template text, p_subject text, p_variables jsonb, p_line text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.send_mail(p_user_id uuid, p_key text, p_template text, p_subject text, p_variables jsonb, p_line text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.serves(p_handler text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.serves(p_handler text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.serves(p_handler text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.settle_payment(p_payment_id uuid, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.settle_payment(p_payment_id uuid, p_now timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.settle_payment(p_payment_id uuid, p_now timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.signs_of(p_user_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.signs_of(p_user_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.signs_of(p_user_id uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.site_pgmq_archive(queue_name text, msg_id bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION balansity.site_pgmq_metrics(queue_name text, OUT queue text, OUT queue_length bigint, OUT newest_msg_age_sec integer, OUT oldest_msg_age_sec integer, OUT total_messages bigint, OUT waiting bigint, OUT delayed bigint, OUT in_flight bigint, OUT done bigint, OUT dead bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION balansity.site_pgmq_nack(queue_name text, msg_id bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION balansity.site_pgmq_read(queue_name text, vt integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION balansity.site_queue_email_task(p_to text, p_subject text, p_template text, p_variables jsonb, p_priority integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION balansity.site_queue_payment_processing(p_payment_id uuid, p_action text) FROM PUBLIC;

REVOKE ALL ON FUNCTION balansity.site_queue_report_generation(p_assessment_id uuid, p_user_id uuid, p_report_type text) FROM PUBLIC;

REVOKE ALL ON FUNCTION balansity.site_send_appointment_reminders() FROM PUBLIC;

REVOKE ALL ON FUNCTION balansity.site_update_appointment_statuses() FROM PUBLIC;

REVOKE ALL ON FUNCTION balansity.status_changes_until(p_until timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.status_changes_until(p_until timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.status_changes_until(p_until timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.stray_rows() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.stray_rows() TO balansity_web;
GRANT ALL ON FUNCTION balansity.stray_rows() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.suppression_reach(p_reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.suppression_reach(p_reason text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.suppression_reach(p_reason text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.system_identifier() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.system_identifier() TO balansity_web;
GRANT ALL ON FUNCTION balansity.system_identifier() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.take_alarm_turn(p_lease interval) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.take_alarm_turn(p_lease interval) TO balansity_web;
GRANT ALL ON FUNCTION balansity.take_alarm_turn(p_lease interval) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.take_over() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.take_over() TO balansity_web;
GRANT ALL ON FUNCTION balansity.take_over() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.take_over_steps() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.take_over_steps() TO balansity_web;
GRANT ALL ON FUNCTION balansity.take_over_steps() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.take_places(p_provider text, p_places integer, p_spacing interval, p_patience interval) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.take_places(p_provider text, p_places integer, p_spacing interval, p_patience interval) TO balansity_web;
GRANT ALL ON FUNCTION balansity.take_places(p_provider text, p_places integer, p_spacing interval, p_patience interval) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.take_probe(p_provider text, p_message_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.take_probe(p_provider text, p_message_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.take_probe(p_provider text, p_message_id uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.terms_of(p_payment public.payments) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.terms_of(p_payment public.payments) TO balansity_web;
GRANT ALL ON FUNCTION balansity.terms_of(p_payment public.payments) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.time_away(p_provider text, p_from timestamp with time zone, p_to timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.time_away(p_provider text, p_from timestamp with time zone, p_to timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION balansity.time_away(p_provider text, p_from timestamp with time zone, p_to timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.time_in(p_metadata jsonb, p_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.time_in(p_metadata jsonb, p_key text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.time_in(p_metadata jsonb, p_key text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.told_reminders() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.told_reminders() TO balansity_web;
GRANT ALL ON FUNCTION balansity.told_reminders() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.told_time(p_appointment_id uuid, p_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.told_time(p_appointment_id uuid, p_key text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.told_time(p_appointment_id uuid, p_key text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.unheard(p_reporting text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.unheard(p_reporting text[]) TO balansity_web;
GRANT ALL ON FUNCTION balansity.unheard(p_reporting text[]) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.unheard_since(p_provider text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.unheard_since(p_provider text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.unheard_since(p_provider text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.unsubscribe(p_delivery_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.unsubscribe(p_delivery_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.unsubscribe(p_delivery_id uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.untold_alarms(p_way text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.untold_alarms(p_way text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.untold_alarms(p_way text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.update_appointment_statuses(p_now timestamp with time zone, p_ids uuid[], OUT started bigint, OUT completed bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.update_appointment_statuses(p_now timestamp with time zone, p_ids uuid[], OUT started bigint, OUT completed bigint) TO balansity_web;
GRANT ALL ON FUNCTION balansity.update_appointment_statuses(p_now timestamp with time zone, p_ids uuid[], OUT started bigint, OUT completed bigint) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.uuid_in(p_metadata jsonb, p_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.uuid_in(p_metadata jsonb, p_key text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.uuid_in(p_metadata jsonb, p_key text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.vouch_for(p_payment public.payments) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.vouch_for(p_payment public.payments) TO balansity_web;
GRANT ALL ON FUNCTION balansity.vouch_for(p_payment public.payments) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.waiting_payments() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.waiting_payments() TO balansity_web;
GRANT ALL ON FUNCTION balansity.waiting_payments() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.wanted_rights() FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.wanted_rights() TO balansity_web;
GRANT ALL ON FUNCTION balansity.wanted_rights() TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.was_due_before_restore(p_key text, p_message_id text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.was_due_before_restore(p_key text, p_message_id text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.was_due_before_restore(p_key text, p_message_id text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.watch_table(p_table text) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.watch_table(p_table text) TO balansity_web;
GRANT ALL ON FUNCTION balansity.watch_table(p_table text) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.when_planned(p_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.when_planned(p_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.when_planned(p_id uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION balansity.withdraw_attempt(p_token uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION balansity.withdraw_attempt(p_token uuid) TO balansity_web;
GRANT ALL ON FUNCTION balansity.withdraw_attempt(p_token uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.add_counter(p_key text, p_value bigint, p_ttl interval) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.add_counter(p_key text, p_value bigint, p_ttl interval) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.add_counter(p_key text, p_value bigint, p_ttl interval) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.again_at(p_began timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.again_at(p_began timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.again_at(p_began timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.archive_pgmq(queue_name text, msg_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.archive_pgmq(queue_name text, msg_id bigint) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.archive_pgmq(queue_name text, msg_id bigint) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.archived(p_pgmq_queue text, p_before timestamp with time zone, p_after bigint, p_rows integer) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.archived(p_pgmq_queue text, p_before timestamp with time zone, p_after bigint, p_rows integer) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.archived(p_pgmq_queue text, p_before timestamp with time zone, p_after bigint, p_rows integer) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.asked_of(p_worker bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.asked_of(p_worker bigint) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.asked_of(p_worker bigint) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.backlog(p_most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.backlog(p_most integer) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.backlog(p_most integer) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.begin_group(p_group text, p_members integer) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.begin_group(p_group text, p_members integer) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.begin_group(p_group text, p_members integer) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.bell_of(p_table text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.bell_of(p_table text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.bell_of(p_table text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.bells_of(p_queue text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.bells_of(p_queue text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.bells_of(p_queue text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.blocked_sessions() FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.blocked_sessions() TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.blocked_sessions() TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.bounds() FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.bounds() TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.bounds() TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.bridge(p_worker bigint, p_queue text, p_pgmq_queue text, p_actor text, p_limit integer, p_room integer, p_only bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.bridge(p_worker bigint, p_queue text, p_pgmq_queue text, p_actor text, p_limit integer, p_room integer, p_only bigint) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.bridge(p_worker bigint, p_queue text, p_pgmq_queue text, p_actor text, p_limit integer, p_room integer, p_only bigint) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.bridge_singly(p_queue text, p_pgmq_queue text, p_actor text, p_limit integer, p_patience interval, OUT moved bigint, OUT refused bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.bridge_singly(p_queue text, p_pgmq_queue text, p_actor text, p_limit integer, p_patience interval, OUT moved bigint, OUT refused bigint) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.bridge_singly(p_queue text, p_pgmq_queue text, p_actor text, p_limit integer, p_patience interval, OUT moved bigint, OUT refused bigint) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.call_up(p_queue text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.call_up(p_queue text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.call_up(p_queue text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.cancel(p_ids uuid[], p_who text, p_reason text, OUT cancelled bigint, OUT asked bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.cancel(p_ids uuid[], p_who text, p_reason text, OUT cancelled bigint, OUT asked bigint) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.cancel(p_ids uuid[], p_who text, p_reason text, OUT cancelled bigint, OUT asked bigint) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.cancelled_by(p_who text, p_reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.cancelled_by(p_who text, p_reason text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.cancelled_by(p_who text, p_reason text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.carry(p_queue text, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.carry(p_queue text, p_limit integer) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.carry(p_queue text, p_limit integer) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.check_pgmq_queue(queue_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.check_pgmq_queue(queue_name text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.check_pgmq_queue(queue_name text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.claim_in_turn(p_worker bigint, p_queue text, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.claim_in_turn(p_worker bigint, p_queue text, p_limit integer) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.claim_in_turn(p_worker bigint, p_queue text, p_limit integer) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.class_of(p_error text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.class_of(p_error text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.class_of(p_error text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.close(p_schema text, p_functions text[], p_service text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.close(p_schema text, p_functions text[], p_service text[]) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.close(p_schema text, p_functions text[], p_service text[]) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.close_queue(p_pgmq_queue text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.close_queue(p_pgmq_queue text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.close_queue(p_pgmq_queue text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.condition(p_filter jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.condition(p_filter jsonb) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.condition(p_filter jsonb) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.conditions(p_filter jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.conditions(p_filter jsonb) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.conditions(p_filter jsonb) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.count(p_key text, p_amount bigint, p_low bigint, p_high bigint, p_ttl interval) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.count(p_key text, p_amount bigint, p_low bigint, p_high bigint, p_ttl interval) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.count(p_key text, p_amount bigint, p_low bigint, p_high bigint, p_ttl interval) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.count_and_sum(p_key text, p_keys text[], p_amount bigint, p_high bigint, p_ttl interval) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.count_and_sum(p_key text, p_keys text[], p_amount bigint, p_high bigint, p_ttl interval) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.count_and_sum(p_key text, p_keys text[], p_amount bigint, p_high bigint, p_ttl interval) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.count_bridged(p_pgmq_queue text, OUT waiting bigint, OUT delayed bigint, OUT in_flight bigint, OUT done bigint, OUT dead bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.count_bridged(p_pgmq_queue text, OUT waiting bigint, OUT delayed bigint, OUT in_flight bigint, OUT done bigint, OUT dead bigint) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.count_bridged(p_pgmq_queue text, OUT waiting bigint, OUT delayed bigint, OUT in_flight bigint, OUT done bigint, OUT dead bigint) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.count_found(p_filter jsonb, p_most bigint, p_until timestamp with time zone, p_last uuid, p_from timestamp with time zone, p_first uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.count_found(p_filter jsonb, p_most bigint, p_until timestamp with time zone, p_last uuid, p_from timestamp with time zone, p_first uuid) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.count_found(p_filter jsonb, p_most bigint, p_until timestamp with time zone, p_last uuid, p_from timestamp with time zone, p_first uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.count_member(p_group text, p_member uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.count_member(p_group text, p_member uuid) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.count_member(p_group text, p_member uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.counted(p_value bigint, p_expires_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.counted(p_value bigint, p_expires_at timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.counted(p_value bigint, p_expires_at timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.day_begins(p_day date) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.day_begins(p_day date) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.day_begins(p_day date) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.day_table(p_day date) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.day_table(p_day date) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.day_table(p_day date) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.deaf_workers() FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.deaf_workers() TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.deaf_workers() TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.discard(p_ids uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.discard(p_ids uuid[]) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.discard(p_ids uuid[]) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.doorless_routes() FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.doorless_routes() TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.doorless_routes() TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.drop_day(p_day date) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.drop_day(p_day date) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.drop_to_archive(p_pgmq_queue text, p_msg_ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.drop_to_archive(p_pgmq_queue text, p_msg_ids bigint[]) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.drop_to_archive(p_pgmq_queue text, p_msg_ids bigint[]) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.due_since(p_id text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.due_since(p_id text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.due_since(p_id text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.edit(p_id uuid, p_content jsonb, p_who text, p_reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.edit(p_id uuid, p_content jsonb, p_who text, p_reason text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.edit(p_id uuid, p_content jsonb, p_who text, p_reason text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.end_looks() FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.end_looks() TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.end_looks() TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.enqueue(p_messages text, p_priorities integer[], p_delay bigint, p_tried bigint, p_lines text[], p_built bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.enqueue(p_messages text, p_priorities integer[], p_delay bigint, p_tried bigint, p_lines text[], p_built bigint) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.enqueue(p_messages text, p_priorities integer[], p_delay bigint, p_tried bigint, p_lines text[], p_built bigint) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.entries_read(p_index text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.entries_read(p_index text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.entries_read(p_index text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.exchange(p_worker bigint, p_queue text, p_done uuid[], p_attempts integer[], p_limit integer, p_pgmq_queue text, p_actor text, p_after uuid, p_lines_only boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.exchange(p_worker bigint, p_queue text, p_done uuid[], p_attempts integer[], p_limit integer, p_pgmq_queue text, p_actor text, p_after uuid, p_lines_only boolean) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.exchange(p_worker bigint, p_queue text, p_done uuid[], p_attempts integer[], p_limit integer, p_pgmq_queue text, p_actor text, p_after uuid, p_lines_only boolean) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.failing(p_most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.failing(p_most integer) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.failing(p_most integer) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.failures(p_filter jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.failures(p_filter jsonb) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.failures(p_filter jsonb) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.fall_asleep(p_queues text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.fall_asleep(p_queues text[]) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.fall_asleep(p_queues text[]) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.fallen_due(p_queue text, p_limit integer, p_lines boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.fallen_due(p_queue text, p_limit integer, p_lines boolean) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.fallen_due(p_queue text, p_limit integer, p_lines boolean) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.find(p_filter jsonb, p_until timestamp with time zone, p_last uuid, p_rows integer, p_from timestamp with time zone, p_first uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.find(p_filter jsonb, p_until timestamp with time zone, p_last uuid, p_rows integer, p_from timestamp with time zone, p_first uuid) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.find(p_filter jsonb, p_until timestamp with time zone, p_last uuid, p_rows integer, p_from timestamp with time zone, p_first uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.finish(p_id uuid, p_attempt integer) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.finish(p_id uuid, p_attempt integer) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.finish(p_id uuid, p_attempt integer) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.finish_all(p_ids uuid[], p_attempts integer[], OUT finished bigint, OUT lines text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.finish_all(p_ids uuid[], p_attempts integer[], OUT finished bigint, OUT lines text[]) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.finish_all(p_ids uuid[], p_attempts integer[], OUT finished bigint, OUT lines text[]) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.finish_along(p_pgmq_queue text, p_ids uuid[], p_msg_ids bigint[], p_drop boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.finish_along(p_pgmq_queue text, p_ids uuid[], p_msg_ids bigint[], p_drop boolean) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.finish_along(p_pgmq_queue text, p_ids uuid[], p_msg_ids bigint[], p_drop boolean) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.fits(p_message jsonb, p_required text[], p_accepted text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.fits(p_message jsonb, p_required text[], p_accepted text[]) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.fits(p_message jsonb, p_required text[], p_accepted text[]) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.forget(p_ids uuid[], p_opened regclass, p_speaks_of regproc, p_subject jsonb, p_kept_actors text[], OUT removed bigint, OUT kept uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.forget(p_ids uuid[], p_opened regclass, p_speaks_of regproc, p_subject jsonb, p_kept_actors text[], OUT removed bigint, OUT kept uuid[]) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.forget(p_ids uuid[], p_opened regclass, p_speaks_of regproc, p_subject jsonb, p_kept_actors text[], OUT removed bigint, OUT kept uuid[]) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.forget_pgmq(p_table text, p_msg_ids bigint[], p_speaks_of regproc, p_subject jsonb, p_keep boolean, OUT removed bigint, OUT kept bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.forget_pgmq(p_table text, p_msg_ids bigint[], p_speaks_of regproc, p_subject jsonb, p_keep boolean, OUT removed bigint, OUT kept bigint[]) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.forget_pgmq(p_table text, p_msg_ids bigint[], p_speaks_of regproc, p_subject jsonb, p_keep boolean, OUT removed bigint, OUT kept bigint[]) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.free_unknown(p_worker bigint, p_queue text, p_ids uuid[], p_attempts integer[]) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.free_unknown(p_worker bigint, p_queue text, p_ids uuid[], p_attempts integer[]) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.free_unknown(p_worker bigint, p_queue text, p_ids uuid[], p_attempts integer[]) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.furnish_queue(p_pgmq_queue text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.furnish_queue(p_pgmq_queue text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.furnish_queue(p_pgmq_queue text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.furnish_routes() FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.furnish_routes() TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.furnish_routes() TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.give_back(p_message jsonb, p_priority integer, p_delay bigint, p_dead boolean, p_error text, p_waits_for text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.give_back(p_message jsonb, p_priority integer, p_delay bigint, p_dead boolean, p_error text, p_waits_for text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.give_back(p_message jsonb, p_priority integer, p_delay bigint, p_dead boolean, p_error text, p_waits_for text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.give_up_waiting(p_actor text, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.give_up_waiting(p_actor text, p_limit integer) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.give_up_waiting(p_actor text, p_limit integer) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.hand_back(p_ids uuid[], p_opened regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.hand_back(p_ids uuid[], p_opened regclass) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.hand_back(p_ids uuid[], p_opened regclass) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.hasten(p_ids uuid[], p_pressing bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.hasten(p_ids uuid[], p_pressing bigint) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.hasten(p_ids uuid[], p_pressing bigint) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.have_ended(p_last_begun bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.have_ended(p_last_begun bigint) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.have_ended(p_last_begun bigint) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.heard_up_to(p_queue text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.heard_up_to(p_queue text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.heard_up_to(p_queue text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.heard_within(p_time interval, OUT workers bigint, OUT latest timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.heard_within(p_time interval, OUT workers bigint, OUT latest timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.heard_within(p_time interval, OUT workers bigint, OUT latest timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.heartbeat(p_worker bigint, p_host text, p_pid integer, p_beats bigint, p_abilities text[], p_hears boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.heartbeat(p_worker bigint, p_host text, p_pid integer, p_beats bigint, p_abilities text[], p_hears boolean) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.heartbeat(p_worker bigint, p_host text, p_pid integer, p_beats bigint, p_abilities text[], p_hears boolean) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.heed_cancellations() FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.heed_cancellations() TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.heed_cancellations() TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.hidden(p_place integer) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.hidden(p_place integer) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.hidden(p_place integer) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.hide_value() FROM PUBLIC;

GRANT SELECT ON TABLE dramatiq.counter TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.counter TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.hold_counter(p_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.hold_counter(p_key text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.hold_counter(p_key text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.hold_routes(p_pgmq_queues text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.hold_routes(p_pgmq_queues text[]) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.hold_routes(p_pgmq_queues text[]) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.horizon(p_filter jsonb, p_until timestamp with time zone, p_last uuid, p_look integer, OUT changed_at timestamp with time zone, OUT message_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.horizon(p_filter jsonb, p_until timestamp with time zone, p_last uuid, p_look integer, OUT changed_at timestamp with time zone, OUT message_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.horizon(p_filter jsonb, p_until timestamp with time zone, p_last uuid, p_look integer, OUT changed_at timestamp with time zone, OUT message_id uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.is_any_due(p_queue text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.is_any_due(p_queue text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.is_any_due(p_queue text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.is_any_visible(p_pgmq_queue text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.is_any_visible(p_pgmq_queue text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.is_any_visible(p_pgmq_queue text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.is_called_for(p_queue text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.is_called_for(p_queue text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.is_called_for(p_queue text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.is_cancelled(p_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.is_cancelled(p_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.is_cancelled(p_id uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.is_dear(p_entries bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.is_dear(p_entries bigint) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.is_dear(p_entries bigint) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.is_pending(p_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.is_pending(p_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.is_pending(p_id uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.is_waiting(p_queue text, p_arguments jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.is_waiting(p_queue text, p_arguments jsonb) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.is_waiting(p_queue text, p_arguments jsonb) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.keep_minutes(p_most interval) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.keep_minutes(p_most interval) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.keep_minutes(p_most interval) TO balansity_worker;

GRANT USAGE ON SEQUENCE dramatiq.queue_position_seq TO balansity_web;
GRANT USAGE ON SEQUENCE dramatiq.queue_position_seq TO balansity_worker;

GRANT SELECT,INSERT,UPDATE ON TABLE dramatiq.queue TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.queue TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.kept(p_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.kept(p_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.kept(p_id uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.key_in(p_arguments jsonb, p_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.key_in(p_arguments jsonb, p_key text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.key_in(p_arguments jsonb, p_key text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.kind_of(p_error text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.kind_of(p_error text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.kind_of(p_error text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.last_begun() FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.last_begun() TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.last_begun() TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.leave_lines(p_lines text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.leave_lines(p_lines text[]) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.leave_lines(p_lines text[]) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.line_of(p_queue text, p_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.line_of(p_queue text, p_key text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.line_of(p_queue text, p_key text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.look_into(p_worker bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.look_into(p_worker bigint) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.look_into(p_worker bigint) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.make_day(p_day date) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.make_day(p_day date) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.make_due(p_queue text, p_limit integer, p_lines_only boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.make_due(p_queue text, p_limit integer, p_lines_only boolean) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.make_due(p_queue text, p_limit integer, p_lines_only boolean) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.marks_in(p_text text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.marks_in(p_text text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.marks_in(p_text text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.marks_of(p_message jsonb, p_error text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.marks_of(p_message jsonb, p_error text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.marks_of(p_message jsonb, p_error text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.messages_about(p_ids uuid[], p_speaks_of regproc, p_subject jsonb, p_names text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.messages_about(p_ids uuid[], p_speaks_of regproc, p_subject jsonb, p_names text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.messages_about(p_ids uuid[], p_speaks_of regproc, p_subject jsonb, p_names text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.messages_between(p_low uuid, p_high uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.messages_between(p_low uuid, p_high uuid) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.messages_between(p_low uuid, p_high uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.missing_abilities() FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.missing_abilities() TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.missing_abilities() TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.missing_days(p_ahead integer) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.missing_days(p_ahead integer) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.missing_days(p_ahead integer) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.missing_route_rights() FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.missing_route_rights() TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.missing_route_rights() TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.most_moved(p_worker bigint, p_queue text, p_pgmq_queue text, p_actor text, p_limit integer, p_claimed integer, p_whole boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.most_moved(p_worker bigint, p_queue text, p_pgmq_queue text, p_actor text, p_limit integer, p_claimed integer, p_whole boolean) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.most_moved(p_worker bigint, p_queue text, p_pgmq_queue text, p_actor text, p_limit integer, p_claimed integer, p_whole boolean) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.nack_pgmq(queue_name text, msg_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.nack_pgmq(queue_name text, msg_id bigint) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.nack_pgmq(queue_name text, msg_id bigint) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.never_begun(p_begun text[], p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.never_begun(p_begun text[], p_limit integer) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.never_begun(p_begun text[], p_limit integer) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.news(p_worker bigint, p_queues text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.news(p_worker bigint, p_queues text[]) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.news(p_worker bigint, p_queues text[]) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.next_due(p_queue text, p_pgmq_queue text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.next_due(p_queue text, p_pgmq_queue text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.next_due(p_queue text, p_pgmq_queue text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.note_change(p_lines text[], p_ended boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.note_change(p_lines text[], p_ended boolean) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.note_change(p_lines text[], p_ended boolean) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.note_heard(p_queue text, p_last bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.note_heard(p_queue text, p_last bigint) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.note_heard(p_queue text, p_last bigint) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.note_horizon(p_queue text, p_horizon dramatiq.horizon, p_began timestamp with time zone, p_entries bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.note_horizon(p_queue text, p_horizon dramatiq.horizon, p_began timestamp with time zone, p_entries bigint) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.note_horizon(p_queue text, p_horizon dramatiq.horizon, p_began timestamp with time zone, p_entries bigint) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.note_moved(p_pgmq_queue text, p_last bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.note_moved(p_pgmq_queue text, p_last bigint) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.note_moved(p_pgmq_queue text, p_last bigint) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.note_place(p_queue text, p_place dramatiq.place, p_claimed bigint, p_whole_began timestamp with time zone, p_entries bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.note_place(p_queue text, p_place dramatiq.place, p_claimed bigint, p_whole_began timestamp with time zone, p_entries bigint) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.note_place(p_queue text, p_place dramatiq.place, p_claimed bigint, p_whole_began timestamp with time zone, p_entries bigint) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.notify(p_queue text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.notify(p_queue text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.notify(p_queue text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.old_days(p_before timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.old_days(p_before timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.old_days(p_before timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.oldest_due() FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.oldest_due() TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.oldest_due() TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.oldest_visible(p_pgmq_queue text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.oldest_visible(p_pgmq_queue text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.oldest_visible(p_pgmq_queue text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.other_readers(p_within interval) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.other_readers(p_within interval) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.other_readers(p_within interval) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.others_signature(p_actor text, p_signature text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.others_signature(p_actor text, p_signature text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.others_signature(p_actor text, p_signature text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.page_found(p_filter jsonb, p_at timestamp with time zone, p_after uuid, p_rows integer) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.page_found(p_filter jsonb, p_at timestamp with time zone, p_after uuid, p_rows integer) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.page_found(p_filter jsonb, p_at timestamp with time zone, p_after uuid, p_rows integer) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.pass_on(p_queues text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.pass_on(p_queues text[]) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.pass_on(p_queues text[]) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.pause_queue(p_queue text, p_until timestamp with time zone, p_who text, p_reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.pause_queue(p_queue text, p_until timestamp with time zone, p_who text, p_reason text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.pause_queue(p_queue text, p_until timestamp with time zone, p_who text, p_reason text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.pending_arguments(p_queue text, p_argument text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.pending_arguments(p_queue text, p_argument text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.pending_arguments(p_queue text, p_argument text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.pgmq_messages(p_table text, p_after bigint, p_rows integer) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.pgmq_messages(p_table text, p_after bigint, p_rows integer) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.pgmq_messages(p_table text, p_after bigint, p_rows integer) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.pgmq_messages_about(p_speaks_of regproc, p_subject jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.pgmq_messages_about(p_speaks_of regproc, p_subject jsonb) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.pgmq_messages_about(p_speaks_of regproc, p_subject jsonb) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.present() FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.present() TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.present() TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.priority_of(message jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.priority_of(message jsonb) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.priority_of(message jsonb) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.purge(p_ids uuid[], p_state dramatiq.state, p_before timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.purge(p_ids uuid[], p_state dramatiq.state, p_before timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.purge(p_ids uuid[], p_state dramatiq.state, p_before timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.purge_archive(p_pgmq_queue text, p_msg_ids bigint[], p_before timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.purge_archive(p_pgmq_queue text, p_msg_ids bigint[], p_before timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.purge_archive(p_pgmq_queue text, p_msg_ids bigint[], p_before timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.purge_minutes(p_before timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.purge_minutes(p_before timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.purge_minutes(p_before timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.purge_pauses() FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.purge_pauses() TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.purge_pauses() TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.read_pgmq(queue_name text, vt integer) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.read_pgmq(queue_name text, vt integer) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.read_pgmq(queue_name text, vt integer) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.readable_queues() FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.readable_queues() TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.readable_queues() TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.recall_horizon(p_queue text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.recall_horizon(p_queue text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.recall_horizon(p_queue text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.recall_place(p_queue text, p_done uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.recall_place(p_queue text, p_done uuid[]) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.recall_place(p_queue text, p_done uuid[]) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.redrive(p_ids uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.redrive(p_ids uuid[]) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.redrive(p_ids uuid[]) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.refuse_bridged(p_queue text, p_pgmq_queue text, p_msg_id bigint, p_why text, p_sealed jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.refuse_bridged(p_queue text, p_pgmq_queue text, p_msg_id bigint, p_why text, p_sealed jsonb) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.refuse_bridged(p_queue text, p_pgmq_queue text, p_msg_id bigint, p_why text, p_sealed jsonb) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.reject(p_id uuid, p_attempt integer, p_options jsonb, p_error text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.reject(p_id uuid, p_attempt integer, p_options jsonb, p_error text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.reject(p_id uuid, p_attempt integer, p_options jsonb, p_error text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.relabel_aside(p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.relabel_aside(p_limit integer) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.relabel_aside(p_limit integer) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.relay_heard_within(p_time interval, OUT lives boolean, OUT latest timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.relay_heard_within(p_time interval, OUT lives boolean, OUT latest timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.relay_heard_within(p_time interval, OUT lives boolean, OUT latest timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.relay_lives() FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.relay_lives() TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.relay_lives() TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.release_key() FROM PUBLIC;

REVOKE ALL ON FUNCTION dramatiq.release_routes() FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.release_routes() TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.release_routes() TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.requeue(p_ids uuid[], p_attempts integer[]) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.requeue(p_ids uuid[], p_attempts integer[]) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.requeue(p_ids uuid[], p_attempts integer[]) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.rescue(p_dead bigint[], p_beats bigint[], p_most_rescues integer) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.rescue(p_dead bigint[], p_beats bigint[], p_most_rescues integer) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.rescue(p_dead bigint[], p_beats bigint[], p_most_rescues integer) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.rescue_lost(p_ids uuid[], p_attempts integer[], p_most_rescues integer) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.rescue_lost(p_ids uuid[], p_attempts integer[], p_most_rescues integer) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.rescue_lost(p_ids uuid[], p_attempts integer[], p_most_rescues integer) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.resume_queue(p_queue text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.resume_queue(p_queue text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.resume_queue(p_queue text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.retry(p_id uuid, p_attempt integer, p_options jsonb, p_delay bigint, p_error text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.retry(p_id uuid, p_attempt integer, p_options jsonb, p_delay bigint, p_error text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.retry(p_id uuid, p_attempt integer, p_options jsonb, p_delay bigint, p_error text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.rights_to(p_duty text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.rights_to(p_duty text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.rights_to(p_duty text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.ring(queue_names text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.ring(queue_names text[]) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.ring(queue_names text[]) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.ring_for_pgmq() FROM PUBLIC;

REVOKE ALL ON FUNCTION dramatiq.routed_queues() FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.routed_queues() TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.routed_queues() TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.routed_tables() FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.routed_tables() TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.routed_tables() TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.running() FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.running() TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.running() TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.saying_of(p_error text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.saying_of(p_error text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.saying_of(p_error text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.seal(p_ids uuid[], p_sealed jsonb[], p_worker bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.seal(p_ids uuid[], p_sealed jsonb[], p_worker bigint) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.seal(p_ids uuid[], p_sealed jsonb[], p_worker bigint) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.sealed_messages() FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.sealed_messages() TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.sealed_messages() TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.send(actor text, kwargs jsonb, delay interval, priority integer, unique_key text, key text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.send(actor text, kwargs jsonb, delay interval, priority integer, unique_key text, key text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.send(actor text, kwargs jsonb, delay interval, priority integer, unique_key text, key text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.send_again(p_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.send_again(p_id uuid) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.send_again(p_id uuid) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.sent_at(p_id text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.sent_at(p_id text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.sent_at(p_id text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.set_aside(p_queue text, p_ids uuid[], p_attempts integer[], p_actors text[], p_signatures text[], p_known text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.set_aside(p_queue text, p_ids uuid[], p_attempts integer[], p_actors text[], p_signatures text[], p_known text[]) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.set_aside(p_queue text, p_ids uuid[], p_attempts integer[], p_actors text[], p_signatures text[], p_known text[]) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.set_counter(p_held dramatiq.counter, p_key text, p_value bigint, p_ttl interval) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.set_counter(p_held dramatiq.counter, p_key text, p_value bigint, p_ttl interval) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.set_counter(p_held dramatiq.counter, p_key text, p_value bigint, p_ttl interval) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.show_as_reader(p_view regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.show_as_reader(p_view regclass) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.show_as_reader(p_view regclass) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.shut(p_object text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.shut(p_object text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.shut(p_object text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.start_over(p_ids uuid[], p_built bigint, p_tried bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.start_over(p_ids uuid[], p_built bigint, p_tried bigint) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.start_over(p_ids uuid[], p_built bigint, p_tried bigint) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.state_of(p_message dramatiq.queue) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.state_of(p_message dramatiq.queue) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.state_of(p_message dramatiq.queue) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.stray_messages() FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.stray_messages() TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.stray_messages() TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.stuck_lines(p_since interval) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.stuck_lines(p_since interval) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.stuck_lines(p_since interval) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.take_along(p_queue text, p_actor text, p_pgmq_queue text, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.take_along(p_queue text, p_actor text, p_pgmq_queue text, p_limit integer) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.take_along(p_queue text, p_actor text, p_pgmq_queue text, p_limit integer) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.take_counters_turn(p_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.take_counters_turn(p_key text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.take_counters_turn(p_key text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.take_due(p_queue text, p_limit integer, p_for text, p_actor text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.take_due(p_queue text, p_limit integer, p_for text, p_actor text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.take_due(p_queue text, p_limit integer, p_for text, p_actor text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.take_in(p_worker bigint, p_queue text, p_pgmq_queue text, p_actor text, p_room integer, p_sealed boolean, p_msg_ids bigint[], p_contents jsonb[], p_kinds text[], p_urgencies integer[], p_times timestamp with time zone[], p_due timestamp with time zone[], p_headers jsonb[], p_lines text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.take_in(p_worker bigint, p_queue text, p_pgmq_queue text, p_actor text, p_room integer, p_sealed boolean, p_msg_ids bigint[], p_contents jsonb[], p_kinds text[], p_urgencies integer[], p_times timestamp with time zone[], p_due timestamp with time zone[], p_headers jsonb[], p_lines text[]) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.take_in(p_worker bigint, p_queue text, p_pgmq_queue text, p_actor text, p_room integer, p_sealed boolean, p_msg_ids bigint[], p_contents jsonb[], p_kinds text[], p_urgencies integer[], p_times timestamp with time zone[], p_due timestamp with time zone[], p_headers jsonb[], p_lines text[]) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.take_over(p_ids uuid[], p_why text, p_most_rescues integer) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.take_over(p_ids uuid[], p_why text, p_most_rescues integer) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.take_over(p_ids uuid[], p_why text, p_most_rescues integer) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.take_turn(p_what text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.take_turn(p_what text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.take_turn(p_what text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.take_up(p_worker bigint, p_queue text, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.take_up(p_worker bigint, p_queue text, p_limit integer) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.take_up(p_worker bigint, p_queue text, p_limit integer) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.trace_at(p_sent_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.trace_at(p_sent_at timestamp with time zone) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.trace_at(p_sent_at timestamp with time zone) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.trace_began(p_trace text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.trace_began(p_trace text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.trace_began(p_trace text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.trace_of(p_message_id text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.trace_of(p_message_id text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.trace_of(p_message_id text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.traced(p_trace text) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.traced(p_trace text) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.traced(p_trace text) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.unserved_queues() FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.unserved_queues() TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.unserved_queues() TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.visible(p_pgmq_queue text, p_limit integer, p_only bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.visible(p_pgmq_queue text, p_limit integer, p_only bigint) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.visible(p_pgmq_queue text, p_limit integer, p_only bigint) TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.waiting_in_pgmq() FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.waiting_in_pgmq() TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.waiting_in_pgmq() TO balansity_worker;

REVOKE ALL ON FUNCTION dramatiq.wake_up(p_bells bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION dramatiq.wake_up(p_bells bigint[]) TO balansity_web;
GRANT ALL ON FUNCTION dramatiq.wake_up(p_bells bigint[]) TO balansity_worker;

REVOKE ALL ON FUNCTION public.pgmq_archive(queue_name text, msg_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.pgmq_archive(queue_name text, msg_id bigint) TO balansity_worker;

REVOKE ALL ON FUNCTION public.pgmq_metrics(queue_name text, OUT queue text, OUT queue_length bigint, OUT newest_msg_age_sec integer, OUT oldest_msg_age_sec integer, OUT total_messages bigint, OUT waiting bigint, OUT delayed bigint, OUT in_flight bigint, OUT done bigint, OUT dead bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.pgmq_metrics(queue_name text, OUT queue text, OUT queue_length bigint, OUT newest_msg_age_sec integer, OUT oldest_msg_age_sec integer, OUT total_messages bigint, OUT waiting bigint, OUT delayed bigint, OUT in_flight bigint, OUT done bigint, OUT dead bigint) TO balansity_worker;

REVOKE ALL ON FUNCTION public.pgmq_nack(queue_name text, msg_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.pgmq_nack(queue_name text, msg_id bigint) TO balansity_worker;

REVOKE ALL ON FUNCTION public.pgmq_read(queue_name text, vt integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.pgmq_read(queue_name text, vt integer) TO balansity_worker;

REVOKE ALL ON FUNCTION public.queue_email_task(p_to text, p_subject text, p_template text, p_variables jsonb, p_priority integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.queue_email_task(p_to text, p_subject text, p_template text, p_variables jsonb, p_priority integer) TO balansity_worker;

REVOKE ALL ON FUNCTION public.queue_payment_processing(p_payment_id uuid, p_action text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.queue_payment_processing(p_payment_id uuid, p_action text) TO balansity_worker;

REVOKE ALL ON FUNCTION public.queue_report_generation(p_assessment_id uuid, p_user_id uuid, p_report_type text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.queue_report_generation(p_assessment_id uuid, p_user_id uuid, p_report_type text) TO balansity_worker;

REVOKE ALL ON FUNCTION public.send_appointment_reminders() FROM PUBLIC;
GRANT ALL ON FUNCTION public.send_appointment_reminders() TO balansity_worker;

REVOKE ALL ON FUNCTION public.update_appointment_statuses() FROM PUBLIC;
GRANT ALL ON FUNCTION public.update_appointment_statuses() TO balansity_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.alarm TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.alarm TO balansity_worker;

GRANT USAGE ON SEQUENCE balansity.alarm_id_seq TO balansity_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.alarm_telling TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.alarm_telling TO balansity_worker;

GRANT SELECT,UPDATE ON TABLE balansity.alarm_turn TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.alarm_turn TO balansity_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.alarm_way TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.alarm_way TO balansity_worker;

GRANT SELECT ON TABLE balansity.analytics_daily TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.analytics_daily TO balansity_worker;

GRANT SELECT ON TABLE balansity.analytics_event TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.analytics_event TO balansity_worker;

GRANT SELECT,INSERT,UPDATE ON TABLE balansity.bulk_action TO balansity_web;
GRANT SELECT,INSERT,UPDATE ON TABLE balansity.bulk_action TO balansity_worker;

GRANT SELECT ON TABLE balansity.job TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.job TO balansity_worker;

GRANT UPDATE(paused) ON TABLE balansity.job TO balansity_web;

GRANT UPDATE(paused_by) ON TABLE balansity.job TO balansity_web;

GRANT UPDATE(paused_because) ON TABLE balansity.job TO balansity_web;

GRANT UPDATE(planned_until) ON TABLE balansity.job TO balansity_web;

GRANT SELECT ON TABLE balansity.cron_job TO balansity_web;
GRANT SELECT ON TABLE balansity.cron_job TO balansity_worker;

GRANT SELECT,INSERT,DELETE ON TABLE balansity.slot TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.slot TO balansity_worker;

GRANT SELECT ON TABLE balansity.cron_job_run_details TO balansity_web;
GRANT SELECT ON TABLE balansity.cron_job_run_details TO balansity_worker;

GRANT SELECT ON TABLE balansity.deliveries_counted_until TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.deliveries_counted_until TO balansity_worker;

GRANT SELECT ON TABLE balansity.delivery_attempt TO balansity_web;
GRANT SELECT,INSERT,UPDATE ON TABLE balansity.delivery_attempt TO balansity_worker;

GRANT SELECT ON TABLE balansity.delivery_attempt_other TO balansity_web;
GRANT SELECT ON TABLE balansity.delivery_attempt_other TO balansity_worker;

GRANT SELECT,INSERT,UPDATE ON TABLE balansity.delivery_event TO balansity_web;
GRANT SELECT,INSERT,UPDATE ON TABLE balansity.delivery_event TO balansity_worker;

GRANT SELECT ON TABLE balansity.delivery_event_other TO balansity_web;
GRANT SELECT ON TABLE balansity.delivery_event_other TO balansity_worker;

GRANT SELECT,INSERT,UPDATE ON TABLE balansity.delivery_key TO balansity_web;
GRANT SELECT,INSERT,UPDATE ON TABLE balansity.delivery_key TO balansity_worker;

GRANT SELECT ON TABLE balansity.delivery_other TO balansity_web;
GRANT SELECT ON TABLE balansity.delivery_other TO balansity_worker;

GRANT SELECT ON TABLE balansity.delivery_total TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.delivery_total TO balansity_worker;

GRANT SELECT ON TABLE balansity.doubtful_mail TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.doubtful_mail TO balansity_worker;

GRANT SELECT ON TABLE balansity.held_message TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.held_message TO balansity_worker;

GRANT SELECT ON TABLE balansity.intended TO balansity_web;
GRANT SELECT ON TABLE balansity.intended TO balansity_worker;

GRANT USAGE ON SEQUENCE balansity.job_id_seq TO balansity_worker;

GRANT SELECT ON TABLE balansity.mail_pace TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.mail_pace TO balansity_worker;

GRANT SELECT ON TABLE balansity.ordered_move TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.ordered_move TO balansity_worker;

GRANT SELECT,INSERT,UPDATE ON TABLE balansity.payment_check TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.payment_check TO balansity_worker;

GRANT SELECT ON TABLE balansity.payment_flag TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.payment_flag TO balansity_worker;

GRANT UPDATE(resolved_at) ON TABLE balansity.payment_flag TO balansity_web;

GRANT UPDATE(decided_by) ON TABLE balansity.payment_flag TO balansity_web;

GRANT UPDATE(decided_because) ON TABLE balansity.payment_flag TO balansity_web;

GRANT SELECT ON TABLE balansity.payment_settlement TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.payment_settlement TO balansity_worker;

GRANT SELECT ON TABLE balansity.reminder TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.reminder TO balansity_worker;

GRANT SELECT ON TABLE balansity.noted TO balansity_web;
GRANT SELECT ON TABLE balansity.noted TO balansity_worker;

GRANT SELECT,INSERT ON TABLE balansity.operator_action TO balansity_web;
GRANT SELECT,INSERT,UPDATE ON TABLE balansity.operator_action TO balansity_worker;

GRANT USAGE ON SEQUENCE balansity.operator_action_id_seq TO balansity_worker;

GRANT SELECT,INSERT,UPDATE ON TABLE balansity.outage TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.outage TO balansity_worker;

GRANT SELECT ON TABLE balansity.payment_transition TO balansity_web;
GRANT SELECT ON TABLE balansity.payment_transition TO balansity_worker;

GRANT SELECT ON TABLE balansity.provider_payment TO balansity_web;
GRANT SELECT,INSERT,UPDATE ON TABLE balansity.provider_payment TO balansity_worker;

GRANT SELECT,INSERT,UPDATE ON TABLE balansity.provider_state TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.provider_state TO balansity_worker;

GRANT SELECT ON TABLE balansity.replaced TO balansity_worker;

GRANT USAGE ON SEQUENCE balansity.replaced_id_seq TO balansity_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.report TO balansity_worker;

GRANT SELECT(id) ON TABLE balansity.report TO balansity_web;

GRANT SELECT(assessment_id) ON TABLE balansity.report TO balansity_web;

GRANT SELECT(user_id) ON TABLE balansity.report TO balansity_web;

GRANT SELECT(format) ON TABLE balansity.report TO balansity_web;

GRANT SELECT(digest) ON TABLE balansity.report TO balansity_web;

GRANT SELECT(size_bytes) ON TABLE balansity.report TO balansity_web;

GRANT SELECT(path) ON TABLE balansity.report TO balansity_web;

GRANT SELECT(created_at) ON TABLE balansity.report TO balansity_web;

GRANT SELECT ON TABLE balansity.restore TO balansity_web;
GRANT SELECT,INSERT,UPDATE ON TABLE balansity.restore TO balansity_worker;

GRANT SELECT ON TABLE balansity.scheduler TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.scheduler TO balansity_worker;

GRANT SELECT ON TABLE balansity.shadow TO balansity_web;
GRANT SELECT,INSERT,UPDATE ON TABLE balansity.shadow TO balansity_worker;

GRANT SELECT ON TABLE balansity.shadow_look TO balansity_web;
GRANT SELECT,INSERT,UPDATE ON TABLE balansity.shadow_look TO balansity_worker;

GRANT SELECT ON TABLE balansity.site_event TO balansity_web;
GRANT SELECT ON TABLE balansity.site_event TO balansity_worker;

GRANT SELECT ON TABLE balansity.site_function TO balansity_web;
GRANT SELECT ON TABLE balansity.site_function TO balansity_worker;

GRANT USAGE ON SEQUENCE balansity.slot_id_seq TO balansity_worker;

GRANT SELECT,INSERT,UPDATE ON TABLE balansity.suppression TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE balansity.suppression TO balansity_worker;

GRANT SELECT ON TABLE dramatiq.actor TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.actor TO balansity_worker;

GRANT SELECT ON TABLE dramatiq.beat TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.beat TO balansity_worker;

GRANT SELECT ON TABLE dramatiq.worker TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.worker TO balansity_worker;

GRANT SELECT ON TABLE dramatiq.alive TO balansity_web;
GRANT SELECT ON TABLE dramatiq.alive TO balansity_worker;

GRANT SELECT ON TABLE dramatiq.caller TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.caller TO balansity_worker;

GRANT SELECT,INSERT ON TABLE dramatiq.cancellation TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.cancellation TO balansity_worker;

GRANT SELECT,INSERT ON TABLE dramatiq.changed_line TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.changed_line TO balansity_worker;

GRANT USAGE ON SEQUENCE dramatiq.changed_line_id_seq TO balansity_web;
GRANT USAGE ON SEQUENCE dramatiq.changed_line_id_seq TO balansity_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.pause TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.pause TO balansity_worker;

GRANT SELECT ON TABLE dramatiq.current_pause TO balansity_web;
GRANT SELECT ON TABLE dramatiq.current_pause TO balansity_worker;

GRANT SELECT,INSERT,UPDATE ON TABLE dramatiq.live TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.live TO balansity_worker;

GRANT SELECT ON TABLE dramatiq.dead_letter TO balansity_web;
GRANT SELECT ON TABLE dramatiq.dead_letter TO balansity_worker;

GRANT SELECT ON TABLE dramatiq.depth TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.depth TO balansity_worker;

GRANT SELECT ON TABLE dramatiq.done TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.done TO balansity_worker;

GRANT SELECT ON TABLE dramatiq.done_other TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.done_other TO balansity_worker;

GRANT SELECT ON TABLE dramatiq.group_member TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.group_member TO balansity_worker;

GRANT SELECT ON TABLE dramatiq.held_route TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.held_route TO balansity_worker;

GRANT INSERT ON TABLE dramatiq.hidden_value TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.hidden_value TO balansity_worker;

GRANT SELECT ON TABLE dramatiq.kept_until TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.kept_until TO balansity_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.look TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.look TO balansity_worker;

GRANT SELECT ON TABLE dramatiq.minute TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.minute TO balansity_worker;

GRANT SELECT ON TABLE dramatiq.open_group TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.open_group TO balansity_worker;

GRANT SELECT ON TABLE dramatiq.relay TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.relay TO balansity_worker;

GRANT SELECT ON TABLE dramatiq.result TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.result TO balansity_worker;

GRANT SELECT ON TABLE dramatiq.retired_actor TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.retired_actor TO balansity_worker;

GRANT INSERT ON TABLE dramatiq.revelation TO balansity_web;
GRANT SELECT,INSERT ON TABLE dramatiq.revelation TO balansity_worker;

GRANT SELECT ON TABLE dramatiq.taken_key TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.taken_key TO balansity_worker;

GRANT SELECT ON TABLE dramatiq.total TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.total TO balansity_worker;

GRANT SELECT ON TABLE dramatiq.turn TO balansity_web;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE dramatiq.turn TO balansity_worker;

GRANT USAGE ON SEQUENCE dramatiq.worker_id_seq TO balansity_web;
GRANT USAGE ON SEQUENCE dramatiq.worker_id_seq TO balansity_worker;

GRANT SELECT ON TABLE public.answers TO balansity_worker;

GRANT SELECT ON TABLE public.appointment_types TO balansity_web;
GRANT SELECT ON TABLE public.appointment_types TO balansity_worker;

GRANT SELECT ON TABLE public.assessments TO balansity_web;
GRANT SELECT ON TABLE public.assessments TO balansity_worker;

GRANT UPDATE(status) ON TABLE public.assessments TO balansity_worker;

GRANT UPDATE(updated_at) ON TABLE public.assessments TO balansity_worker;

GRANT SELECT ON TABLE public.package_purchases TO balansity_worker;

GRANT SELECT(id) ON TABLE public.package_purchases TO balansity_web;

GRANT INSERT(user_id) ON TABLE public.package_purchases TO balansity_worker;

GRANT INSERT(package_id) ON TABLE public.package_purchases TO balansity_worker;

GRANT SELECT(sessions_remaining) ON TABLE public.package_purchases TO balansity_web;
GRANT INSERT(sessions_remaining),UPDATE(sessions_remaining) ON TABLE public.package_purchases TO balansity_worker;

GRANT SELECT(payment_id) ON TABLE public.package_purchases TO balansity_web;
GRANT INSERT(payment_id) ON TABLE public.package_purchases TO balansity_worker;

GRANT SELECT(created_at) ON TABLE public.package_purchases TO balansity_web;

GRANT SELECT ON TABLE public.packages TO balansity_web;
GRANT SELECT ON TABLE public.packages TO balansity_worker;

GRANT SELECT ON TABLE public.profiles TO balansity_worker;

GRANT SELECT(id) ON TABLE public.profiles TO balansity_web;

GRANT SELECT(user_id) ON TABLE public.profiles TO balansity_web;

GRANT SELECT(first_name) ON TABLE public.profiles TO balansity_web;

GRANT SELECT(last_name) ON TABLE public.profiles TO balansity_web;

GRANT SELECT ON TABLE public.users TO balansity_worker;

GRANT SELECT(id) ON TABLE public.users TO balansity_web;

GRANT SELECT(email) ON TABLE public.users TO balansity_web;

