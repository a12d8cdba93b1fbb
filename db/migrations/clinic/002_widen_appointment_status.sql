-- The request needs a consultation that waits for its payment (pending) and one that is paid (confirmed): whatever the
-- CHECK that lists the statuses is called, one that allows both takes its place. What is there is looked at in a
-- transaction of its own (003): this one holds the table for a moment only.

DO $$
DECLARE
    old name;
    kind regtype;
    narrow name[];
    wide boolean;
BEGIN
    SELECT t.oid INTO kind
    FROM pg_attribute a
    JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = 'public.appointments'::regclass AND a.attname = 'status' AND t.typtype = 'e';
    IF FOUND THEN
        RAISE EXCEPTION 'appointments.status is of the enum type %, but has to be text: run '
            '"ALTER TABLE public.appointments ALTER COLUMN status DROP DEFAULT, ALTER COLUMN status TYPE text, '
            'ALTER COLUMN status SET DEFAULT ''scheduled''" and migrate again.', kind;
    END IF;
    SELECT coalesce(array_agg(c.conname) FILTER (WHERE NOT allows), '{}'), coalesce(bool_or(allows), false)
    INTO narrow, wide
    FROM pg_constraint c
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey),
         pg_get_constraintdef(c.oid) AS definition,
         LATERAL (SELECT definition LIKE '%''pending''%' AND definition LIKE '%''confirmed''%') AS d (allows)
    WHERE c.conrelid = 'public.appointments'::regclass AND c.contype = 'c'
      AND a.attname = 'status' AND cardinality(c.conkey) = 1 AND definition LIKE '%''scheduled''%';
    FOREACH old IN ARRAY narrow LOOP
        EXECUTE format('ALTER TABLE public.appointments DROP CONSTRAINT %I', old);
    END LOOP;
    IF NOT wide THEN
        ALTER TABLE public.appointments ADD CONSTRAINT appointments_status_check CHECK (
            status IN ('pending', 'scheduled', 'confirmed', 'in_progress', 'completed', 'cancelled', 'no_show')
        ) NOT VALID;
    END IF;
END $$;
