-- Makes the tables of days ahead and drops those whose time is over: finished messages come and go by the day, in UTC.

CREATE FUNCTION dramatiq.day_table(p_day date) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'dramatiq.done_' || to_char(p_day, 'YYYYMMDD');
$$;
COMMENT ON FUNCTION dramatiq.day_table IS
'The table of what was done on a day.';

CREATE FUNCTION dramatiq.day_begins(p_day date) RETURNS timestamptz
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p_day::timestamp AT TIME ZONE 'UTC';
$$;
COMMENT ON FUNCTION dramatiq.day_begins IS
'When a day begins.';

CREATE FUNCTION dramatiq.missing_days(p_ahead integer DEFAULT 3) RETURNS SETOF date
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT day FROM (
        SELECT (now() AT TIME ZONE 'UTC')::date + number FROM generate_series(0, p_ahead) AS number
    ) AS days (day)
    WHERE to_regclass(dramatiq.day_table(day)) IS NULL AND NOT EXISTS (
        SELECT FROM dramatiq.done_other WHERE mtime = dramatiq.day_begins(day + 1) - interval '1 microsecond')
    ORDER BY day;
$$;
COMMENT ON FUNCTION dramatiq.missing_days IS
'The days from today to p_ahead days ahead that have no table and could have one.';

CREATE FUNCTION dramatiq.make_day(p_day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms'
AS $$
DECLARE
    day_table text := dramatiq.day_table(p_day);
    begins timestamptz;
BEGIN
    LOCK TABLE dramatiq.done_other IN ACCESS EXCLUSIVE MODE; -- as attaching does; nothing comes in meanwhile
    IF to_regclass(day_table) IS NOT NULL THEN
        RETURN false;
    END IF;
    SELECT coalesce(max(mtime) + interval '1 microsecond', dramatiq.day_begins(p_day)) INTO begins FROM dramatiq.done_other
    WHERE mtime >= dramatiq.day_begins(p_day) AND mtime < dramatiq.day_begins(p_day + 1);
    -- Nothing is updated in it and it is dropped whole, so vacuum need not look at it.
    EXECUTE format('CREATE TABLE %s (LIKE dramatiq.done INCLUDING DEFAULTS) WITH (autovacuum_vacuum_insert_threshold = -1)',
                   day_table);
    EXECUTE format('ALTER TABLE dramatiq.done ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)',
                   day_table, begins, dramatiq.day_begins(p_day + 1));
    PERFORM dramatiq.shut('TABLE ' || day_table);
    RETURN true;
END $$;
COMMENT ON FUNCTION dramatiq.make_day IS
'Makes the table of a day; false where there is one. What was done on that day before stays in dramatiq.done_other, and the
table begins behind it, so that nothing is moved while others wait. An owner''s work, which workers ask for.';

CREATE FUNCTION dramatiq.old_days(p_before timestamptz) RETURNS SETOF date
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT day
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid, LATERAL to_date(substr(c.relname, 6), 'YYYYMMDD') AS day
    WHERE i.inhparent = 'dramatiq.done'::regclass AND c.relname <> 'done_other' AND dramatiq.day_begins(day + 1) <= p_before
    ORDER BY day;
$$;
COMMENT ON FUNCTION dramatiq.old_days IS
'The days that were over by p_before and have a table.';

CREATE FUNCTION dramatiq.drop_day(p_day date) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms'
AS $$
DECLARE
    messages bigint;
BEGIN
    EXECUTE format(
        'WITH released AS (
             DELETE FROM dramatiq.taken_key k USING %1$s AS d WHERE (k.unique_key, k.message_id) = (d.unique_key, d.message_id)
         )
         SELECT count(*) FROM %1$s', dramatiq.day_table(p_day))
    INTO messages;
    EXECUTE 'DROP TABLE ' || dramatiq.day_table(p_day);
    RETURN messages;
END $$;
COMMENT ON FUNCTION dramatiq.drop_day IS
'Drops the table of a day, and gives its messages'' unique keys back; returns how many messages it had. It waits half a second
at most for those who read finished messages, and whoever wants to waits behind it. Not detached first: as long as
dramatiq.done_other is there, that takes the same locks.';

CREATE FUNCTION dramatiq.stray_messages() RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT count(*) FROM (SELECT FROM dramatiq.done_other LIMIT 10000) AS first;
$$;
COMMENT ON FUNCTION dramatiq.stray_messages IS
'How many messages were done on days that had no table, counted up to 10,000. They leave after their time, row by row.';
