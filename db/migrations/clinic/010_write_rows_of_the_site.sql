-- Writes the site's rows, where its own triggers fire: those may name their tables without a schema, as its sessions let
-- them. So these search public, after pg_catalog, and have nothing to find in it: tables and operators are named in full.

CREATE FUNCTION balansity.change_appointment(p_id uuid, p_status text, p_payment_id uuid, p_now timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, extensions, pg_temp
AS $$
BEGIN
    UPDATE public.appointments SET status = p_status, payment_id = p_payment_id, updated_at = p_now
    WHERE id OPERATOR(pg_catalog.=) p_id;
END $$;
COMMENT ON FUNCTION balansity.change_appointment IS
'Gives a consultation its status and its payment; the caller has locked it and knows both.';

CREATE FUNCTION balansity.add_appointment(
    p_user_id uuid, p_profile_id uuid, p_type_id uuid, p_scheduled_at timestamptz, p_payment_id uuid
) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, public, extensions, pg_temp
AS $$
BEGIN
    INSERT INTO public.appointments (user_id, profile_id, appointment_type_id, scheduled_at, status, payment_id)
    VALUES (p_user_id, p_profile_id, p_type_id, p_scheduled_at, 'scheduled', p_payment_id)
    ON CONFLICT DO NOTHING;
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION balansity.add_appointment IS
'Books a paid consultation; false where something is in its way.';

CREATE FUNCTION balansity.change_payment(p_id uuid, p_status text, p_now timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, extensions, pg_temp
AS $$
BEGIN
    UPDATE public.payments SET status = p_status, updated_at = p_now WHERE id OPERATOR(pg_catalog.=) p_id;
END $$;
COMMENT ON FUNCTION balansity.change_payment IS
'Gives a payment its status; the caller has locked it.';

CREATE FUNCTION balansity.change_assessment(p_id uuid, p_status text, p_now timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, extensions, pg_temp
AS $$
BEGIN
    UPDATE public.assessments SET status = p_status, updated_at = p_now WHERE id OPERATOR(pg_catalog.=) p_id;
END $$;
COMMENT ON FUNCTION balansity.change_assessment IS
'Gives a check-up its status; the caller has locked it.';

CREATE FUNCTION balansity.add_purchase(p_user_id uuid, p_package_id uuid, p_sessions bigint, p_payment_id uuid)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, extensions, pg_temp
AS $$
BEGIN
    INSERT INTO public.package_purchases (user_id, package_id, sessions_remaining, payment_id)
    VALUES (p_user_id, p_package_id, p_sessions, p_payment_id);
END $$;
COMMENT ON FUNCTION balansity.add_purchase IS
'Gives a user the sessions of a paid package.';

CREATE FUNCTION balansity.empty_purchase(p_id uuid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, extensions, pg_temp
AS $$
BEGIN
    UPDATE public.package_purchases SET sessions_remaining = 0 WHERE id OPERATOR(pg_catalog.=) p_id;
END $$;
COMMENT ON FUNCTION balansity.empty_purchase IS
'Takes back the unused sessions of a package.';
