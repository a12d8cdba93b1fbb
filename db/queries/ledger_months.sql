-- How a ledger of mails that was plain tables comes over to tables of months: they become the first month's, as they are.

-- name: is_older()$
-- Whether the ledger is such tables.
SELECT count(*) = 1 FROM pg_class WHERE oid = to_regclass('balansity.delivery') AND relkind = 'r';

-- name: month()^
-- The month that they are to end with, when it does, and in how many seconds.
SELECT to_char(month, 'YYYYMM') AS name, month + interval '1 month' AS ends,
       extract(epoch FROM month + interval '1 month' - now())::integer AS seconds_left
FROM (SELECT date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS month) AS present;

-- name: follow_keys()!
-- Have balansity.delivery_key follow the deliveries that change from now on.
CREATE SCHEMA IF NOT EXISTS balansity_former;
CREATE OR REPLACE FUNCTION balansity_former.follow_key() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM balansity.delivery_key WHERE id = OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO balansity.delivery_key (id, key, planned_at) VALUES (NEW.id, NEW.key, NEW.planned_at)
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER follow_key AFTER INSERT OR DELETE OR UPDATE OF key ON balansity.delivery
FOR EACH ROW EXECUTE FUNCTION balansity_former.follow_key();

-- name: deliveries(after, rows)
-- A page of them.
SELECT id::text AS key, 0 AS bytes FROM balansity.delivery
WHERE :after::uuid IS NULL OR id > :after::uuid ORDER BY id LIMIT :rows;

-- name: note_keys(keys)$
-- Note the keys of these, which nobody changes meanwhile; how many were not noted.
WITH held AS (
    SELECT id, key, planned_at FROM balansity.delivery WHERE id = ANY (:keys::uuid[]) FOR SHARE
), noted AS (
    INSERT INTO balansity.delivery_key (id, key, planned_at) SELECT id, key, planned_at FROM held
    ON CONFLICT DO NOTHING
    RETURNING 1
)
SELECT count(*) FROM noted;

-- name: is_half_built(name)$
-- Whether building an index was broken off.
SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass(:name) AND NOT indisvalid);

-- name: make_way(month)!
-- Give the tables, and what belongs to them, the names of that month; what refers to them as a whole goes.
LOCK TABLE balansity.delivery, balansity.delivery_attempt, balansity.delivery_event IN ACCESS EXCLUSIVE MODE;
DROP SCHEMA balansity_former CASCADE;
SELECT set_config('balansity.first_month', :month, true);
DO $$
DECLARE
    month constant text := '_' || current_setting('balansity.first_month');
    ledger name;
    gone record;
    own regclass;
BEGIN
    FOR gone IN
        SELECT conrelid::regclass AS place, conname FROM pg_constraint
        WHERE contype = 'f' AND confrelid = 'balansity.delivery'::regclass
    LOOP
        EXECUTE format('ALTER TABLE %%s DROP CONSTRAINT %%I', gone.place, gone.conname);
    END LOOP;
    FOR gone IN
        SELECT objid::regprocedure AS routine FROM pg_depend
        WHERE classid = 'pg_proc'::regclass AND refobjid = 'balansity.delivery'::regtype
    LOOP
        EXECUTE concat('DROP ROUTINE ', gone.routine);
    END LOOP;
    ALTER TABLE balansity.delivery DROP CONSTRAINT delivery_key_key;
    FOREACH ledger IN ARRAY ARRAY['delivery', 'delivery_attempt', 'delivery_event'] LOOP
        EXECUTE format('ALTER TABLE balansity.%%1$I DROP CONSTRAINT %%2$I, ADD CONSTRAINT %%2$I PRIMARY KEY USING INDEX %%3$I',
                       ledger, ledger || '_pkey', ledger || '_by_month');
        FOR own IN SELECT indexrelid FROM pg_index WHERE indrelid = format('balansity.%%I', ledger)::regclass LOOP
            EXECUTE format('ALTER INDEX %%s RENAME TO %%I', own, (SELECT relname FROM pg_class WHERE oid = own) || month);
        END LOOP;
        FOR gone IN
            SELECT conname FROM pg_constraint
            WHERE conrelid = format('balansity.%%I', ledger)::regclass AND contype = 'c' AND conname <> 'before_next_month'
        LOOP -- the new table's is to have the name
            EXECUTE format('ALTER TABLE balansity.%%I RENAME CONSTRAINT %%I TO %%I', ledger, gone.conname, gone.conname || month);
        END LOOP;
        EXECUTE format('ALTER TABLE balansity.%%I RENAME TO %%I', ledger, ledger || month);
    END LOOP;
END $$;

-- name: attach(month, ends)!
-- Let them be the first month's tables, with all that was before.
SELECT set_config('balansity.first_month', :month, true), set_config('balansity.first_month_ends', :ends::text, true);
DO $$
DECLARE
    ledger name;
    month_table text;
    month constant text := '_' || current_setting('balansity.first_month');
    own regclass;
    check_name name;
BEGIN
    FOREACH ledger IN ARRAY ARRAY['delivery', 'delivery_attempt', 'delivery_event'] LOOP
        month_table := format('balansity.%%I', ledger || month);
        FOR check_name IN
            SELECT conname FROM pg_constraint WHERE conrelid = month_table::regclass AND conname ~ ('_check' || month || '$')
        LOOP
            EXECUTE format('ALTER TABLE %%s RENAME CONSTRAINT %%I TO %%I', month_table, check_name, replace(check_name, month, ''));
        END LOOP;
        EXECUTE format('ALTER TABLE balansity.%%I ATTACH PARTITION %%s FOR VALUES FROM (MINVALUE) TO (%%L)',
                       ledger, month_table, current_setting('balansity.first_month_ends'));
        EXECUTE format('ALTER TABLE %%s DROP CONSTRAINT before_next_month', month_table);
        FOR own IN
            SELECT indexrelid FROM pg_index
            WHERE indrelid = month_table::regclass AND indexrelid NOT IN (SELECT inhrelid FROM pg_inherits)
        LOOP
            EXECUTE concat('DROP INDEX ', own); -- the key's, of which another table takes care
        END LOOP;
    END LOOP;
END $$;
