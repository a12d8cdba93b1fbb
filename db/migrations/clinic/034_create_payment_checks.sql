-- Payments that a provider answers for: status changes by its word, and checks on those that stay open too long.

CREATE FUNCTION balansity.change_payment_status(p_payment_id uuid, p_status text, p_now timestamptz) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
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
COMMENT ON FUNCTION balansity.change_payment_status IS
'Takes on the status that the provider reports. `unchanged`: it is so already, or ours says the same and more;
`refused`: no such change can be, or a trigger of the site''s does not let it be; a person must look. What the change brings about is the trigger''s work.';

CREATE FUNCTION balansity.follow_refund(p_payment_id uuid, p_refund_id text, p_now timestamptz) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO balansity.payment_check AS c (payment_id, checks, next_at, since, refund_id)
    VALUES (p_payment_id, 0, p_now + interval '5 minutes', p_now, p_refund_id)
    ON CONFLICT (payment_id) DO UPDATE
    SET checks = 0, next_at = excluded.next_at, since = excluded.since, refund_id = excluded.refund_id
    WHERE c.refund_id IS DISTINCT FROM excluded.refund_id
$$;
COMMENT ON FUNCTION balansity.follow_refund IS
'A refund that the provider has not decided yet is asked about from now on.';

CREATE FUNCTION balansity.forget_refund(p_payment_id uuid) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE balansity.payment_check SET refund_id = NULL WHERE payment_id = p_payment_id;
    DELETE FROM balansity.payment_flag WHERE payment_id = p_payment_id AND reason = 'refund pending for 3 days'
$$;
COMMENT ON FUNCTION balansity.forget_refund IS
'A refund that the provider has canceled is no longer asked about.';

CREATE FUNCTION balansity.is_unknown(p_payment public.payments) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM balansity.payment_check c
        WHERE c.payment_id = p_payment.id AND c.unknown_id = balansity.external_id(p_payment)
    )
$$;
COMMENT ON FUNCTION balansity.is_unknown IS
'Whether the provider has said that it knows nothing of this payment.';

CREATE FUNCTION balansity.leave_unknown(p_payment_id uuid, p_external_id text, p_now timestamptz) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
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
COMMENT ON FUNCTION balansity.leave_unknown IS
'The provider knows nothing of an id: false where the service wrote it, which a person must look into. Of what a visitor
wrote it is asked once: nobody can decide anything about it, and whoever writes many would use up its patience with us.';

CREATE FUNCTION balansity.is_known_to_provider(p_payment public.payments) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT balansity.external_id(p_payment) IS NOT NULL AND coalesce(p_payment.payment_method::text, 'yookassa') = 'yookassa'
       AND NOT balansity.is_anothers(p_payment) AND NOT balansity.is_unknown(p_payment)
$$;
COMMENT ON FUNCTION balansity.is_known_to_provider IS
'Whether there is a provider to ask about this payment: one that it did not make for another row,
and of which it has not said that it knows nothing.';

CREATE FUNCTION balansity.prove_payment(p_payment_id uuid, p_now timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE balansity.payment_check SET claimed = false WHERE payment_id = p_payment_id AND claimed;
    IF FOUND THEN
        PERFORM balansity.settle_payment(p_payment_id, p_now);
    END IF;
END $$;
COMMENT ON FUNCTION balansity.prove_payment IS
'The provider says that it is completed: what a visitor only claimed takes effect.';

CREATE FUNCTION balansity.waiting_payments()
RETURNS TABLE (payment_id uuid, status text, since timestamptz, claimed boolean)
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
COMMENT ON FUNCTION balansity.waiting_payments IS
'What waits for the provider, and since when: open payments, completed ones whose refund is undecided or which only a visitor
calls so, each found by an index. Of what it does not know, nobody can decide anything: such rows of a checkout stay open for
ever. No view, which would keep the site from altering its columns; and without a pinned path, which would keep it from being
inlined: a page of it would read all of it. Its callers'' paths are safe.';

CREATE FUNCTION balansity.is_stuck(p_since timestamptz, p_now timestamptz) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p_since <= p_now - interval '3 days'
       AND p_since <= p_now - interval '3 days' - balansity.time_away('yookassa', p_since, p_now)
$$;
COMMENT ON FUNCTION balansity.is_stuck IS
'Whether what waits for the provider since then is left to a person: after 3 days in which it could have answered.';

CREATE FUNCTION balansity.next_check(p_since timestamptz, p_now timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p_now + CASE WHEN p_since > p_now - interval '1 hour' THEN interval '3 minutes'
                        ELSE (p_now - greatest(p_since, p_now - interval '3 days')) / 2 END
$$;
COMMENT ON FUNCTION balansity.next_check IS
'In the first hour, in which most people pay, whoever pays is booked within 5 minutes without a webhook; later, the longer
it has waited, the longer it may.';

CREATE FUNCTION balansity.is_unheard_of(p_payment_id uuid, p_now timestamptz) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT NOT EXISTS (SELECT FROM balansity.provider_payment o WHERE o.payment_id = p_payment_id AND o.terms IS NOT NULL)
       AND NOT EXISTS (
           SELECT FROM balansity.payment_check c
           WHERE c.payment_id = p_payment_id AND (c.checks > 1 OR c.checks = 1 AND c.next_at <= p_now)
       )
$$;
COMMENT ON FUNCTION balansity.is_unheard_of IS
'Whether only a visitor has said that there is such a payment, who also wrote since when: the provider has not been asked,
or has only just been.';

CREATE FUNCTION balansity.claim_payment_checks(p_now timestamptz, p_ids uuid[] DEFAULT NULL) RETURNS SETOF uuid
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
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
COMMENT ON FUNCTION balansity.claim_payment_checks IS
'Claims the checks of these payments that are due, of all where p_ids is null. None while the provider is away and one that
was claimed before waits for it.';

CREATE FUNCTION balansity.hear_notice(p_payment_id uuid, p_now timestamptz) RETURNS timestamptz
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
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
COMMENT ON FUNCTION balansity.hear_notice IS
'When the check that a notice asks for is due: at once, but 30 seconds after the last one, for anybody can send notices;
null: one is waiting already, and is going to ask late enough.';

CREATE FUNCTION balansity.flag_stuck_payments(
    p_now timestamptz, p_ids uuid[] DEFAULT NULL, p_can_ask boolean DEFAULT true
) RETURNS bigint
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
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
COMMENT ON FUNCTION balansity.flag_stuck_payments IS
'Flags what of these payments, of all where p_ids is null, has waited for 3 days, outages aside; returns how many, each counted once.
What was only claimed is then halted instead, until a person resolves it; at once where nobody can be asked. What a visitor
wrote is flagged once the provider was asked and does know it: or old rows, made up by the hundred, would bury the desk.';

INSERT INTO balansity.job (name, schedule, time_zone) VALUES ('verify-open-payments', '* * * * *', 'Europe/Moscow');
