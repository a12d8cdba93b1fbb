-- Payments that a provider answers for: status changes by its word, and checks on those that stay open too long.

-- Takes on the status that the provider reports. `unchanged`: it is so already, or ours says the same and more;
-- `refused`: no such change can be, a person must look. What the change brings about is the trigger's work.
CREATE FUNCTION balansity.change_payment_status(p_payment_id uuid, p_status text, p_now timestamptz) RETURNS text
LANGUAGE plpgsql
SET search_path = ''
AS $$
DECLARE
    old text;
BEGIN
    -- The site writes a consultation before its payment: whoever takes both in this order never waits in a circle.
    PERFORM FROM public.appointments
    WHERE id = (SELECT balansity.appointment_of(p) FROM public.payments p WHERE p.id = p_payment_id)
    FOR NO KEY UPDATE;
    SELECT status INTO old FROM public.payments WHERE id = p_payment_id FOR NO KEY UPDATE;
    IF old = p_status OR (old, p_status) IN (('cancelled', 'failed'), ('refunded', 'completed')) THEN
        RETURN 'unchanged';
    END IF;
    IF NOT EXISTS (SELECT FROM balansity.payment_transition WHERE (old_status, new_status) = (old, p_status)) THEN
        PERFORM balansity.flag_payment(p_payment_id, format('the provider says %s, we have %s', p_status, old), p_now);
        RETURN 'refused';
    END IF;
    UPDATE public.payments SET status = p_status, updated_at = p_now WHERE id = p_payment_id;
    RETURN 'changed';
END $$;

CREATE TABLE balansity.payment_check (
    payment_id uuid PRIMARY KEY, -- no foreign key: the service's tables carry nothing of ours
    checks integer NOT NULL,
    next_at timestamptz NOT NULL
);

-- Open payments that the provider knows, at an age when it should have settled them but not older than 3 days.
CREATE FUNCTION balansity.open_payments(p_now timestamptz) RETURNS SETOF uuid
LANGUAGE sql STABLE
SET search_path = ''
AS $$
    SELECT id
    FROM public.payments
    WHERE status IN ('pending', 'processing')
      AND external_payment_id <> '' AND coalesce(payment_method, 'yookassa') = 'yookassa'
      AND created_at <= p_now - interval '5 minutes' AND created_at > p_now - interval '3 days'
$$;

-- Claims the checks that are due; the next one comes 5, 10, 20, 40, … minutes later.
CREATE FUNCTION balansity.claim_payment_checks(p_now timestamptz) RETURNS SETOF uuid
LANGUAGE sql
SET search_path = ''
AS $$
    INSERT INTO balansity.payment_check AS c (payment_id, checks, next_at)
    SELECT id, 1, p_now + interval '5 minutes'
    FROM balansity.open_payments(p_now) AS open (id)
    ON CONFLICT (payment_id) DO UPDATE
    SET checks = c.checks + 1, next_at = p_now + interval '5 minutes' * 2 ^ c.checks
    WHERE c.next_at <= p_now
    RETURNING payment_id
$$;

-- Flags what stayed open for 3 days although the provider was asked; returns how many, each counted once.
CREATE FUNCTION balansity.flag_stuck_payments(p_now timestamptz) RETURNS bigint
LANGUAGE sql
SET search_path = ''
AS $$
    WITH flagged AS (
        INSERT INTO balansity.payment_flag (payment_id, reason, flagged_at)
        SELECT p.id, 'open for 3 days', p_now
        FROM public.payments p
        JOIN balansity.payment_check c ON c.payment_id = p.id
        WHERE p.status IN ('pending', 'processing') AND p.created_at <= p_now - interval '3 days'
        ON CONFLICT DO NOTHING
        RETURNING 1
    )
    SELECT count(*) FROM flagged
$$;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA balansity FROM PUBLIC;

INSERT INTO balansity.job (name, schedule, time_zone) VALUES ('verify-open-payments', '*/5 * * * *', 'Europe/Moscow');
