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
COMMENT ON FUNCTION balansity.confirm_paid_appointments IS
'Confirms consultations that were linked to one of these payments only after it had completed: its trigger came too early.';

CREATE FUNCTION balansity.finish_payments(p_now timestamptz, p_ids uuid[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
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
COMMENT ON FUNCTION balansity.finish_payments IS
'Carries out what these payments brought about and the site refused to write; returns of how many nothing is left.';
