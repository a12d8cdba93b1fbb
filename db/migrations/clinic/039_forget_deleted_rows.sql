-- Removes what we noted about appointments and payments that the site has deleted since: no foreign key does it for us,
-- for one would make the site's TRUNCATE fail.

CREATE FUNCTION balansity.forget_deleted() RETURNS bigint
LANGUAGE sql
SET search_path = ''
AS $$
    WITH reminder AS (
        DELETE FROM balansity.reminder r
        WHERE NOT EXISTS (SELECT FROM public.appointments a WHERE a.id = r.appointment_id)
        RETURNING 1
    ), settlement AS (
        DELETE FROM balansity.payment_settlement s
        WHERE NOT EXISTS (SELECT FROM public.payments p WHERE p.id = s.payment_id)
        RETURNING 1
    ), flag AS (
        DELETE FROM balansity.payment_flag f
        WHERE NOT EXISTS (SELECT FROM public.payments p WHERE p.id = f.payment_id)
        RETURNING 1
    ), payment_check AS (
        DELETE FROM balansity.payment_check c
        WHERE NOT EXISTS (SELECT FROM public.payments p WHERE p.id = c.payment_id)
        RETURNING 1
    )
    SELECT count(*)
    FROM (TABLE reminder UNION ALL TABLE settlement UNION ALL TABLE flag UNION ALL TABLE payment_check) removed
$$;
COMMENT ON FUNCTION balansity.forget_deleted IS
'Returns how many notes were removed.';
