-- Removes what we noted about appointments and payments that the site has deleted since: no foreign key does it for us,
-- for one would make the site's TRUNCATE fail.

CREATE VIEW balansity.noted AS
SELECT appointment_id AS id FROM balansity.reminder
UNION ALL SELECT appointment_id FROM balansity.ordered_move
UNION ALL SELECT payment_id FROM balansity.payment_settlement
UNION ALL SELECT payment_id FROM balansity.payment_flag
UNION ALL SELECT payment_id FROM balansity.payment_check;
COMMENT ON VIEW balansity.noted IS
'The appointments and payments that we noted something about.';

CREATE FUNCTION balansity.forget_deleted(p_ids uuid[]) RETURNS bigint
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
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
COMMENT ON FUNCTION balansity.forget_deleted IS
'Removes the notes about those of these appointments and payments that are gone; returns how many notes.';
