-- Who is in charge, the old system or ours; triggers of ours that wait for it; what makes way, and is kept.

-- A switch in the catalogue, not a row: whatever its isolation level, a call sees who is in charge at that moment. One
-- statement must not depend on two looks, for the hand-over may come between them.
CREATE FUNCTION balansity.in_charge() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS 'SELECT false';
COMMENT ON FUNCTION balansity.in_charge IS
'Whether the old system has handed over: before, our triggers, jobs and bridge do nothing.';

CREATE TABLE balansity.replaced (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('function', 'view', 'job')),
    name text NOT NULL,                               -- a signature, a view's name, a job's number
    definition text NOT NULL,                         -- the statement that makes it again
    in_place boolean NOT NULL,                        -- ours has the same signature and stands where it stood
    owner name NOT NULL,
    grantees name[] NOT NULL DEFAULT '{}',            -- that might use it; never visitors, who stay out
    replaced_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (kind, name)
);
COMMENT ON TABLE balansity.replaced IS
'What the old system had where ours stands now, as hand_back gives it back.';

CREATE VIEW balansity.site_event AS
SELECT * FROM (VALUES
    ('assessments', 'UPDATE', 'on_checkup_completed', 'handle_checkup_completed'),
    ('appointments', 'INSERT', 'on_new_appointment', 'handle_new_appointment'),
    ('appointments', 'UPDATE', 'on_appointment_change', 'handle_appointment_change'),
    ('payments', 'INSERT', 'on_new_payment', 'handle_new_payment'),
    ('payments', 'UPDATE', 'on_payment_status_change', 'handle_payment_status_change')
) AS event (table_name, event, trigger_name, handler);
COMMENT ON VIEW balansity.site_event IS
'The site''s changes that ours has to hear of, with the trigger and the function that the request names for each.';

CREATE VIEW balansity.site_function AS
SELECT p.oid, substr(p.proname, 6) AS name
FROM pg_catalog.pg_proc p
WHERE p.pronamespace = 'balansity'::regnamespace AND p.proname LIKE 'site\_%';
COMMENT ON VIEW balansity.site_function IS
'Functions of ours that the site calls: balansity.site_<name> gets its twin public.<name> when ours takes over.';

CREATE FUNCTION balansity.in_public(p_function oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT replace(
        regexp_replace(pg_get_functiondef(p_function), '^(CREATE OR REPLACE FUNCTION )balansity\.(site_)?', '\1public.'),
        'balansity.in_charge()', 'true');
$$;
COMMENT ON FUNCTION balansity.in_public IS
'The statement that makes the twin of a function of ours in public. It does not ask who is in charge: that it stands there is
the answer, and by a second look the hand-over may have come, and nobody would tell the family.';

CREATE FUNCTION balansity.hears_all(p_trigger oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    source regclass;
    narrows text;
    hears boolean;
BEGIN
    SELECT tgrelid, substring(pg_get_triggerdef(oid) FROM 'FOR EACH ROW WHEN \((.*)\) EXECUTE (?:FUNCTION|PROCEDURE) ')
    INTO source, narrows FROM pg_trigger WHERE oid = p_trigger;
    IF narrows IS NULL THEN
        RETURN true;
    END IF;
    -- The condition is asked about rows that hold nothing but a status: what looks at more is not ours to judge.
    EXECUTE format(
        'WITH status (value) AS (
             SELECT unnest(ARRAY[''pending'', ''processing'', ''scheduled'', ''confirmed'', ''in_progress'', ''completed'',
                                 ''failed'', ''cancelled'', ''refunded'', ''abandoned'', NULL]))
         SELECT bool_and(coalesce((%1$s), false))
         FROM status AS before, status AS after,
              LATERAL jsonb_populate_record(NULL::%2$s, jsonb_build_object(''status'', before.value)) AS old,
              LATERAL jsonb_populate_record(NULL::%2$s, jsonb_build_object(''status'', after.value)) AS new
         WHERE after.value IS DISTINCT FROM before.value AND (%3$L <> ''assessments'' OR after.value = ''completed'')
           AND (%4$L OR before.value IS NOT NULL AND after.value IS NOT NULL)',
        narrows, source, (SELECT relname FROM pg_class WHERE oid = source),
        NOT (SELECT attnotnull FROM pg_attribute WHERE attrelid = source AND attname = 'status'))
    INTO hears;
    RETURN hears;
EXCEPTION WHEN OTHERS THEN -- an expression of somebody else's, which may do anything
    RETURN false;
END $$;
COMMENT ON FUNCTION balansity.hears_all IS
'Whether a trigger''s WHEN lets through every change of a status that ours acts upon.';

CREATE FUNCTION balansity.serves(p_handler text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT count(*) = 1 AND bool_and(
        t.tgrelid = to_regclass(format('public.%I', e.table_name)) AND t.tgenabled IN ('O', 'A')
        AND t.tgtype::integer = 1 + CASE e.event WHEN 'INSERT' THEN 4 ELSE 16 END -- after, each row, this event alone
        AND t.tgattr = '' AND p.proowner = to_regrole(current_user) AND balansity.hears_all(t.oid)
        AND p.prosecdef) -- as ours: a statement under way may run the new body with the old one's rights
    FROM balansity.site_event e
    JOIN pg_proc p ON p.oid = to_regprocedure(format('public.%I()', e.handler))
    JOIN pg_trigger t ON t.tgfoid = p.oid
    WHERE e.handler = p_handler;
$$;
COMMENT ON FUNCTION balansity.serves IS
'Whether the site''s trigger may stay, because whatever ours has to hear of makes it call public.<handler> once, and what it
calls may become ours between two rows of a statement.';

CREATE FUNCTION balansity.watch_table(p_table text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    source regclass := format('public.%I', p_table);
    event record;
    ours record;
BEGIN
    FOR event IN SELECT * FROM balansity.site_event e WHERE e.table_name = p_table LOOP
        SELECT tgname, tgenabled INTO ours FROM pg_trigger
        WHERE tgrelid = source AND tgfoid = to_regprocedure(format('balansity.%I()', event.handler));
        IF ours.tgenabled NOT IN ('O', 'A') THEN
            EXECUTE format('ALTER TABLE %s ENABLE TRIGGER %I', source, ours.tgname);
        ELSIF ours IS NULL AND NOT balansity.serves(event.handler) THEN
            EXECUTE format(
                'CREATE TRIGGER %I AFTER %s ON %s FOR EACH ROW EXECUTE FUNCTION balansity.%I()',
                event.trigger_name || CASE WHEN EXISTS (
                    SELECT FROM pg_trigger WHERE tgrelid = source AND tgname = event.trigger_name
                ) THEN '_balansity' ELSE '' END, -- it fires after its namesake
                event.event, source, event.handler);
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION balansity.watch_table IS
'Gives a table of the site''s the triggers of ours that it needs: none where the site''s own serves. Writers wait for it.';
