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
        RETURN 'unchanged';
    END IF;
    IF NOT EXISTS (SELECT FROM balansity.payment_transition WHERE (old_status, new_status) = (old, p_status)) THEN
        PERFORM balansity.flag_finding(p_payment_id, format('the provider says %s, we have %s', p_status, old), p_now);
        RETURN 'refused';
    END IF;
    PERFORM balansity.change_payment(p_payment_id, p_status, p_now);
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

CREATE FUNCTION balansity.waiting_payments()
RETURNS TABLE (payment_id uuid, status text, since timestamptz, known_to_provider boolean)
LANGUAGE sql STABLE
AS $$
    SELECT p.id, p.status, coalesce(c.since, p.created_at),
           p.external_payment_id <> '' AND coalesce(p.payment_method, 'yookassa') = 'yookassa'
    FROM public.payments p
    LEFT JOIN balansity.payment_check c ON c.payment_id = p.id
    WHERE p.status IN ('pending', 'processing') OR (p.status = 'completed' AND c.refund_id IS NOT NULL)
$$;
COMMENT ON FUNCTION balansity.waiting_payments IS
'What waits for the provider, and since when: open payments, and completed ones whose refund is undecided. No view, which
would keep the site from altering its columns; and without a pinned path, which would keep it from being inlined: a page of
it would read all of it. Its callers'' paths are safe.';

CREATE FUNCTION balansity.is_stuck(p_since timestamptz, p_now timestamptz) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p_since <= p_now - interval '3 days'
       AND p_since <= p_now - interval '3 days' - balansity.time_away('yookassa', p_since, p_now)
$$;
COMMENT ON FUNCTION balansity.is_stuck IS
'Whether what waits for the provider since then is left to a person: after 3 days in which it could have answered.';

CREATE FUNCTION balansity.claim_payment_checks(p_now timestamptz, p_ids uuid[] DEFAULT NULL) RETURNS SETOF uuid
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO balansity.payment_check AS c (payment_id, checks, next_at)
    SELECT payment_id, 1, p_now + interval '5 minutes'
    FROM balansity.waiting_payments()
    WHERE known_to_provider AND since <= p_now - interval '5 minutes' AND NOT balansity.is_stuck(since, p_now)
      AND NOT balansity.is_awaited('yookassa') AND (p_ids IS NULL OR payment_id = ANY (p_ids))
    ON CONFLICT (payment_id) DO UPDATE
    SET checks = c.checks + 1, next_at = p_now + interval '5 minutes' * 2 ^ c.checks
    WHERE c.next_at <= p_now
    RETURNING payment_id
$$;
COMMENT ON FUNCTION balansity.claim_payment_checks IS
'Claims the checks of these payments that are due, of all where p_ids is null; the next one comes 5, 10, 20, 40, … minutes later. None while the provider is away and
one that was claimed before waits for it.';

CREATE FUNCTION balansity.flag_stuck_payments(p_now timestamptz, p_ids uuid[] DEFAULT NULL) RETURNS bigint
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    WITH flagged AS (
        INSERT INTO balansity.payment_flag (payment_id, reason, flagged_at)
        SELECT payment_id, CASE status WHEN 'completed' THEN 'refund pending for 3 days' ELSE 'open for 3 days' END, p_now
        FROM balansity.waiting_payments()
        WHERE balansity.is_stuck(since, p_now) AND (p_ids IS NULL OR payment_id = ANY (p_ids))
        ON CONFLICT DO NOTHING
        RETURNING 1
    )
    SELECT count(*) FROM flagged
$$;
COMMENT ON FUNCTION balansity.flag_stuck_payments IS
'Flags what of these payments, of all where p_ids is null, has waited for 3 days, outages aside; returns how many, each counted once.';

INSERT INTO balansity.job (name, schedule, time_zone) VALUES ('verify-open-payments', '*/5 * * * *', 'Europe/Moscow');
