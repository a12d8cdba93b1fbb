-- Confirms consultations that the trigger of their payment missed, and carries out what it could not.

CREATE FUNCTION balansity.confirm_paid_appointments(p_now timestamptz, p_ids uuid[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    payment public.payments;
    confirmed bigint := 0;
BEGIN
    FOR payment IN
        SELECT p.*
        FROM public.payments p
        WHERE p.id = ANY (p_ids) AND NOT balansity.is_halted(p.id) AND (
            balansity.is_unfinished(p.id) OR p.status = 'completed' AND EXISTS (
                SELECT FROM public.appointments a WHERE a.payment_id = p.id AND a.status = 'pending'))
        FOR NO KEY UPDATE SKIP LOCKED -- whoever is changing one goes first; the next run sees what came of it
    LOOP
        PERFORM balansity.carry_out(payment, NOT balansity.is_unfinished(payment.id), p_now);
        confirmed := confirmed + (
            SELECT count(*) FROM public.appointments a WHERE a.payment_id = payment.id AND a.status = 'confirmed'
        );
    END LOOP;
    RETURN confirmed;
END $$;
COMMENT ON FUNCTION balansity.confirm_paid_appointments IS
'Confirms consultations that were linked to one of these payments only after it had completed: its trigger came too early.
Of those that are flagged as unfinished, carries out what is left.';
