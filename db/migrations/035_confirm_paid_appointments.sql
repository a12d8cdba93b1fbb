-- Confirms consultations that were linked to their payment only after it had completed: the payment's trigger came
-- too early for them.

CREATE FUNCTION balansity.confirm_paid_appointments(p_now timestamptz) RETURNS bigint
LANGUAGE sql
SET search_path = ''
AS $$
    WITH confirmed AS (
        UPDATE public.appointments a
        SET status = 'confirmed', updated_at = p_now
        FROM public.payments p
        WHERE p.id = a.payment_id AND p.user_id = a.user_id AND p.status = 'completed' AND a.status = 'pending'
        RETURNING 1
    )
    SELECT count(*) FROM confirmed
$$;

REVOKE EXECUTE ON FUNCTION balansity.confirm_paid_appointments(timestamptz) FROM PUBLIC;
