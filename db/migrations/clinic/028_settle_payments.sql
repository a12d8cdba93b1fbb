-- Settles payments: what each status of a payment requires, once, and a flag for a person where that cannot be.

CREATE FUNCTION balansity.iso_utc(p_at timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN replace(to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '.000000', '') || 'Z';
COMMENT ON FUNCTION balansity.iso_utc IS
'ISO 8601 in UTC, exact to the microsecond, whatever the session''s time zone.
(A body after RETURN is bound when the function is made: no search_path can mislead it, and it can be inlined.)';

CREATE FUNCTION balansity.email_of(p_user_id uuid) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT u.email::text FROM public.users u WHERE u.id = p_user_id
$$;
COMMENT ON FUNCTION balansity.email_of IS
'The address that mail for this user goes to: null where there is none, and the delivery then says so.';

CREATE FUNCTION balansity.send_mail(
    p_user_id uuid, p_key text, p_template text, p_subject text, p_variables jsonb, p_line text DEFAULT NULL
) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
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
COMMENT ON FUNCTION balansity.send_mail IS
'A mail by way of email_queue; p_key is its business key, so that a replay of its cause is not a second mail. Mails of one
p_line leave one after another, in the order of their causes.';

-- Which status may follow which. Any other change is flagged for a person and has no effect of ours.
CREATE TABLE balansity.payment_transition (
    old_status text,
    new_status text,
    PRIMARY KEY (old_status, new_status)
);
INSERT INTO balansity.payment_transition VALUES
    ('pending', 'processing'), ('pending', 'completed'), ('pending', 'failed'), ('pending', 'cancelled'),
    ('processing', 'completed'), ('processing', 'failed'), ('processing', 'cancelled'), ('processing', 'pending'),
    ('failed', 'pending'), ('failed', 'processing'), ('failed', 'completed'),  -- paid at another try
    ('completed', 'refunded');

-- The statuses whose effects a payment has had: a replay finds its row and sends nothing again.
CREATE TABLE balansity.payment_settlement (
    payment_id uuid NOT NULL, -- no foreign key: the service's tables carry nothing of ours
    status text NOT NULL,
    settled_at timestamptz NOT NULL,
    attempt text NOT NULL, -- of a failure, the provider's id of the attempt: only a failure may come again
    appointment_id uuid,   -- that it confirmed or booked: a payment pays for one
    PRIMARY KEY (payment_id, status, attempt)
);

-- What a person has to decide about a payment.
CREATE TABLE balansity.payment_flag (
    payment_id uuid NOT NULL, -- no foreign key: the service's tables carry nothing of ours
    reason text NOT NULL,
    flagged_at timestamptz NOT NULL,
    resolved_at timestamptz,
    halts boolean NOT NULL DEFAULT false, -- until it is resolved, nothing more takes effect
    is_retried boolean NOT NULL DEFAULT false, -- what it speaks of is tried again, and ends it once it is done
    decided_by text,      -- who resolved it last,
    decided_because text, -- and why
    PRIMARY KEY (payment_id, reason)
);
CREATE INDEX payment_flag_open ON balansity.payment_flag (flagged_at) WHERE resolved_at IS NULL;

CREATE FUNCTION balansity.flag_payment(
    p_payment_id uuid, p_reason text, p_now timestamptz, p_halts boolean DEFAULT false
) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO balansity.payment_flag AS f (payment_id, reason, flagged_at, halts)
    VALUES (p_payment_id, p_reason, p_now, p_halts)
    ON CONFLICT (payment_id, reason) DO UPDATE SET flagged_at = p_now, resolved_at = NULL
    WHERE f.resolved_at IS NOT NULL
$$;
COMMENT ON FUNCTION balansity.flag_payment IS
'Flags what happened: should it happen again after a person has resolved it, it is flagged anew.';

CREATE FUNCTION balansity.flag_finding(
    p_payment_id uuid, p_reason text, p_now timestamptz, p_halts boolean DEFAULT false
) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO balansity.payment_flag (payment_id, reason, flagged_at, halts)
    VALUES (p_payment_id, p_reason, p_now, p_halts)
    ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION balansity.flag_finding IS
'Flags what is the case: whoever looks again finds it again, so once a person has resolved it, it stays resolved.';

CREATE FUNCTION balansity.flag_unfinished(p_payment_id uuid, p_sqlstate text, p_now timestamptz) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO balansity.payment_flag AS f (payment_id, reason, flagged_at, is_retried)
    VALUES (p_payment_id, format('the site''s own rules refused what follows (%s): tried again', p_sqlstate), p_now, true)
    ON CONFLICT (payment_id, reason) DO UPDATE SET flagged_at = p_now, resolved_at = NULL
    WHERE f.resolved_at IS NOT NULL
$$;
COMMENT ON FUNCTION balansity.flag_unfinished IS
'Flags that what a payment''s status brings about could not be written now.';

CREATE FUNCTION balansity.is_unfinished(p_payment_id uuid) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM balansity.payment_flag f
        WHERE f.payment_id = p_payment_id AND f.is_retried AND f.resolved_at IS NULL
    )
$$;
COMMENT ON FUNCTION balansity.is_unfinished IS
'Whether what a payment''s status brings about could not be written yet.';

-- What we wait for the provider to decide: open payments, and refunds.
CREATE TABLE balansity.payment_check (
    payment_id uuid PRIMARY KEY, -- no foreign key: the service's tables carry nothing of ours
    checks integer NOT NULL,     -- how often it was asked
    next_at timestamptz NOT NULL,
    since timestamptz,           -- null: since the payment was created
    refund_id text,              -- the provider's, while it is undecided
    claimed boolean NOT NULL DEFAULT false, -- completed as a visitor wrote it: nothing follows until the provider says so
    heard_at timestamptz,        -- when the last check that a notice asked for is due
    unknown_id text,             -- that a visitor wrote, and of which the provider knows nothing
    answer text,                 -- what the provider said last, for a person,
    answered_at timestamptz      -- and when
);
CREATE INDEX payment_check_undecided ON balansity.payment_check (payment_id) WHERE refund_id IS NOT NULL OR claimed;

-- Which row a payment at the provider pays for: the first that the service wrote its id into, else the first that it
-- settled. It outlives the row, or a deleted one could be written and paid for again.
CREATE TABLE balansity.provider_payment (
    external_id text PRIMARY KEY,
    payment_id uuid NOT NULL, -- no foreign key: the service's tables carry nothing of ours
    terms bytea               -- of the row as the service wrote it last; null: the service has never written it
);

CREATE FUNCTION balansity.external_id(p_payment public.payments) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT nullif(left(p_payment.external_payment_id::text, 200), '')
$$;
COMMENT ON FUNCTION balansity.external_id IS
'The provider''s id of a payment; null where there is none. No provider''s is longer than an index can take.';

CREATE FUNCTION balansity.is_anothers(p_payment public.payments) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM balansity.provider_payment o
        WHERE o.external_id = balansity.external_id(p_payment) AND o.payment_id <> p_payment.id
    )
$$;
COMMENT ON FUNCTION balansity.is_anothers IS
'Whether the payment at the provider pays for another row than this.';

CREATE FUNCTION balansity.terms_of(p_payment public.payments) RETURNS bytea
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT sha256(convert_to(jsonb_build_array(
        p_payment.user_id, trim_scale(p_payment.amount::numeric), p_payment.currency, p_payment.payment_method,
        p_payment.metadata
    )::text, 'UTF8'))
$$;
COMMENT ON FUNCTION balansity.terms_of IS
'A digest of whose a payment is, how much, and what for: a visitor may change any of it after the checkout.';

CREATE FUNCTION balansity.is_vouched_for(p_payment public.payments) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT balansity.external_id(p_payment) IS NULL OR balansity.is_anothers(p_payment) OR EXISTS (
        SELECT FROM balansity.provider_payment o
        WHERE o.external_id = balansity.external_id(p_payment) AND o.terms = balansity.terms_of(p_payment)
    )
$$;
COMMENT ON FUNCTION balansity.is_vouched_for IS
'Whether the service''s completion says more than that somebody has paid: its webhook finds a row by the provider''s id alone,
whoever wrote the rest of it. What pays for another row gives nothing anyway.';

CREATE FUNCTION balansity.vouch_for(p_payment public.payments) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO balansity.provider_payment AS o (external_id, payment_id, terms)
    SELECT balansity.external_id(p_payment), p_payment.id, balansity.terms_of(p_payment)
    WHERE balansity.external_id(p_payment) IS NOT NULL
    ON CONFLICT (external_id) DO UPDATE SET terms = excluded.terms WHERE o.payment_id = excluded.payment_id
$$;
COMMENT ON FUNCTION balansity.vouch_for IS
'The service wrote this row: the payment at the provider is the row''s where it was nobody''s, and is for what stands there.';

CREATE FUNCTION balansity.pays_for(p_payment public.payments) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO balansity.provider_payment (external_id, payment_id)
    SELECT balansity.external_id(p_payment), p_payment.id WHERE balansity.external_id(p_payment) IS NOT NULL
    ON CONFLICT DO NOTHING;
    RETURN NOT balansity.is_anothers(p_payment);
END $$;
COMMENT ON FUNCTION balansity.pays_for IS
'Whether the payment at the provider is this row''s, which it becomes where it was nobody''s.';

CREATE FUNCTION balansity.note_paid() RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp
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
COMMENT ON FUNCTION balansity.note_paid IS
'Notes what was paid before ours began, so that it pays for nothing more, and what is open and stands in one row alone, as
the service''s: nobody noted who wrote it. Returns how many are new.';

CREATE FUNCTION balansity.is_service() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM pg_roles r, pg_class c
        WHERE r.rolname = coalesce(nullif(current_setting('role'), 'none'), session_user)
          AND c.oid = to_regclass('public.payments')
          AND (r.rolsuper OR r.rolbypassrls OR pg_has_role(r.oid, c.relowner, 'USAGE'))
    )
$$;
COMMENT ON FUNCTION balansity.is_service IS
'Whether the service itself runs the present statement: a role that row-level security does not hold back. It is read from
SET ROLE, else from who logged in: a SECURITY DEFINER function changes current_user, and neither of these; and a token''s
claims are settings, which whoever runs SQL may write.';

CREATE FUNCTION balansity.uuid_in(p_metadata jsonb, p_key text) RETURNS uuid
LANGUAGE sql IMMUTABLE
RETURN CASE
    WHEN p_metadata ->> p_key ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN (p_metadata ->> p_key)::uuid
END;
COMMENT ON FUNCTION balansity.uuid_in IS
'Metadata is whatever the site wrote: what is no uuid, or no time with a zone, reads as null.';

CREATE FUNCTION balansity.time_in(p_metadata jsonb, p_key text) RETURNS timestamptz
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF p_metadata ->> p_key ~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)$' THEN
        RETURN balansity.of_our_time((p_metadata ->> p_key)::timestamptz);
    END IF;
    RETURN NULL;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$;

CREATE FUNCTION balansity.appointment_of(p_payment public.payments) RETURNS uuid
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(
        (SELECT a.id FROM public.appointments a WHERE a.payment_id = p_payment.id),
        balansity.uuid_in(p_payment.metadata, 'appointment_id')
    )
$$;
COMMENT ON FUNCTION balansity.appointment_of IS
'The consultation that a payment pays for: the linked one, else the one its metadata names.';

CREATE FUNCTION balansity.is_unpaid(p_linked_payment_id uuid) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p_linked_payment_id IS NULL OR EXISTS (
        SELECT FROM public.payments p WHERE p.id = p_linked_payment_id AND p.status IN ('failed', 'cancelled')
    )
$$;
COMMENT ON FUNCTION balansity.is_unpaid IS
'Whether a consultation linked so is still to be paid for: a link to a payment that came to nothing is no link.';

CREATE FUNCTION balansity.check_amount(p_payment public.payments, p_price numeric) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF p_payment.currency <> 'RUB' THEN
        RAISE EXCEPTION 'paid in %, but prices are in RUB', p_payment.currency;
    ELSIF p_payment.amount < p_price THEN
        RAISE EXCEPTION 'paid %, but what metadata names costs %', p_payment.amount, p_price;
    END IF;
END $$;
COMMENT ON FUNCTION balansity.check_amount IS
'A person has to look at a payment below the price, which is in roubles; one above it is nobody''s loss.
A price of null is whatever the site asked for.';

CREATE FUNCTION balansity.is_for_another(p_payment public.payments, p_appointment public.appointments) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p_payment.metadata ->> 'package_id' IS NOT NULL
        OR p_payment.metadata ->> 'appointment_id' <> p_appointment.id::text
        OR p_payment.metadata ->> 'appointment_type_id' <> p_appointment.appointment_type_id::text
$$;
COMMENT ON FUNCTION balansity.is_for_another IS
'Whether a payment''s metadata names something else than the consultation that is linked to it, which a visitor may have
done; null where it names nothing.';

CREATE FUNCTION balansity.confirm_appointment(p_payment public.payments, p_appointment_id uuid, p_now timestamptz)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
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
COMMENT ON FUNCTION balansity.confirm_appointment IS
'Links a paid consultation: pending → confirmed; scheduled stays scheduled, for the site lists only those.';

CREATE FUNCTION balansity.book_appointment(p_payment public.payments, p_now timestamptz) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
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
COMMENT ON FUNCTION balansity.book_appointment IS
'Books the consultation that the metadata describes. It is scheduled, not confirmed: the site lists only those.';

CREATE FUNCTION balansity.grant_package(p_payment public.payments) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
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

CREATE FUNCTION balansity.fulfil_payment(p_payment public.payments, p_replay boolean, p_now timestamptz) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
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
COMMENT ON FUNCTION balansity.fulfil_payment IS
'Gives the payer what was paid for; raises why it cannot be given.
A replay books and grants nothing: what is missing by then, staff deleted.';

CREATE FUNCTION balansity.revoke_payment(p_payment public.payments, p_now timestamptz) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
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
COMMENT ON FUNCTION balansity.revoke_payment IS
'Takes back what a payment gave: its consultation if that is still to come, its unused sessions.';

CREATE FUNCTION balansity.release_appointment(p_payment public.payments, p_now timestamptz) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
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
COMMENT ON FUNCTION balansity.release_appointment IS
'A cancelled payment frees the consultation that waited for it. A failed one does not: the payer may try again.';

CREATE FUNCTION balansity.payment_attempt(p_payment public.payments, p_status text) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE p_status WHEN 'failed' THEN coalesce(p_payment.external_payment_id::text, '') ELSE '' END
$$;
COMMENT ON FUNCTION balansity.payment_attempt IS
'Which try at paying a status speaks of: after a failure the payer may try again, and hears of each at the provider.';

CREATE FUNCTION balansity.payment_key(p_payment public.payments, p_status text) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT concat_ws(':', 'payment', p_payment.id, p_status, nullif(balansity.payment_attempt(p_payment, p_status), ''))
$$;
COMMENT ON FUNCTION balansity.payment_key IS
'The business key of what is told about a payment''s status.';

CREATE FUNCTION balansity.announce_payment(p_payment public.payments, p_now timestamptz) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
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
COMMENT ON FUNCTION balansity.announce_payment IS
'The mail and the analytics event of a status.';

CREATE FUNCTION balansity.is_halted(p_payment_id uuid) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM balansity.payment_flag f WHERE f.payment_id = p_payment_id AND f.halts AND f.resolved_at IS NULL
    )
$$;
COMMENT ON FUNCTION balansity.is_halted IS
'Whether a person has to decide before anything more takes effect.';

CREATE FUNCTION balansity.is_claimed(p_payment_id uuid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM balansity.payment_check c WHERE c.payment_id = p_payment_id AND c.claimed)
$$;
COMMENT ON FUNCTION balansity.is_claimed IS
'Whether it is completed only as a visitor wrote it, and the provider has not said so yet.';

CREATE FUNCTION balansity.flag_anothers(p_payment_id uuid, p_now timestamptz) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT balansity.flag_finding(p_payment_id, 'its external_payment_id pays for another row', p_now)
$$;
COMMENT ON FUNCTION balansity.flag_anothers IS
'Flags a row that names a payment which the provider made for another: it gives nothing.';

CREATE FUNCTION balansity.carry_out(p_payment public.payments, p_replay boolean, p_now timestamptz) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
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
COMMENT ON FUNCTION balansity.carry_out IS
'Writes what a payment''s status brings about; whatever comes of that, the payment itself stands. What we refuse is flagged
with its reason, for a person. What a trigger of the site''s refuses, in words that may be a person''s, is flagged by its
SQLSTATE, tried again every minute, and no longer flagged once it is done.';

CREATE FUNCTION balansity.settle_payment(p_payment_id uuid, p_now timestamptz) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
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
COMMENT ON FUNCTION balansity.settle_payment IS
'What the payment''s present status requires. Safe to repeat: mail and event go out once.';
