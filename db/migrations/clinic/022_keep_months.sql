-- Makes the tables of months ahead and drops those whose time is over: the ledger comes and goes by the month, in UTC.

CREATE FUNCTION balansity.month_table(p_ledger text, p_month date) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('balansity.%I', p_ledger || to_char(p_month, '_YYYYMM'));
$$;
COMMENT ON FUNCTION balansity.month_table IS
'The table of what was planned (deliveries), begun (attempts) or received (events) in a month.';

CREATE FUNCTION balansity.next_month(p_month date) RETURNS date
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (date_trunc('month', p_month::timestamp) + interval '1 month')::date;
$$;
COMMENT ON FUNCTION balansity.next_month IS
'The first day of the month after.';

CREATE FUNCTION balansity.ledgers() RETURNS TABLE (ledger text, time_column text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.relname::text, a.attname::text
    FROM pg_partitioned_table p
    JOIN pg_class c ON c.oid = p.partrelid AND c.relnamespace = 'balansity'::regnamespace
    JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
    ORDER BY 1;
$$;
COMMENT ON FUNCTION balansity.ledgers IS
'The tables that are parted by the month, and the time that decides.';

CREATE FUNCTION balansity.missing_months(p_ahead integer DEFAULT 2) RETURNS TABLE (ledger text, month date)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT l.ledger, months.month
    FROM balansity.ledgers() AS l, LATERAL (
        SELECT (date_trunc('month', balansity.now() AT TIME ZONE 'UTC') + number * interval '1 month')::date
        FROM generate_series(0, p_ahead) AS number
    ) AS months (month)
    WHERE to_regclass(balansity.month_table(l.ledger, months.month)) IS NULL
    ORDER BY 2, 1;
$$;
COMMENT ON FUNCTION balansity.missing_months IS
'The tables that are missing, from this month''s to those of p_ahead months ahead.';

CREATE FUNCTION balansity.make_month(p_ledger text, p_month date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms'
AS $$
DECLARE
    month_table text := balansity.month_table(p_ledger, p_month);
    ends timestamptz := dramatiq.day_begins(balansity.next_month(p_month));
    begins timestamptz;
    time_column text;
BEGIN
    SELECT l.time_column INTO STRICT time_column FROM balansity.ledgers() AS l WHERE l.ledger = p_ledger;
    EXECUTE format('LOCK TABLE balansity.%I IN ACCESS EXCLUSIVE MODE', p_ledger || '_other'); -- as attaching does
    IF to_regclass(month_table) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('SELECT coalesce(max(%1$I) + interval ''1 microsecond'', $1) FROM balansity.%2$I WHERE %1$I >= $1 AND %1$I < $2',
                   time_column, p_ledger || '_other')
    INTO begins USING dramatiq.day_begins(p_month), ends;
    IF begins = ends THEN
        RETURN false; -- something stands in the month's last moment: nothing is left of it
    END IF;
    EXECUTE format('CREATE TABLE %s (LIKE balansity.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', month_table, p_ledger);
    EXECUTE format('ALTER TABLE balansity.%I ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)',
                   p_ledger, month_table, begins, ends);
    PERFORM dramatiq.shut('TABLE ' || month_table);
    RETURN true;
END $$;
COMMENT ON FUNCTION balansity.make_month IS
'Makes the table of a month; false where there is one. What came in that month before stays in the _other table, and the
month begins behind it, so that nothing is moved while others wait. An owner''s work, which workers ask for.';

CREATE FUNCTION balansity.old_months(p_ledger text, p_before timestamptz) RETURNS SETOF date
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT month
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid, LATERAL to_date(right(c.relname, 6), 'YYYYMM') AS month
    WHERE i.inhparent = format('balansity.%I', p_ledger)::regclass AND c.relname ~ '_\d{6}$'
      AND dramatiq.day_begins(balansity.next_month(month)) <= p_before
    ORDER BY month;
$$;
COMMENT ON FUNCTION balansity.old_months IS
'The months that were over by p_before and have a table.';

CREATE FUNCTION balansity.kept_in_any_case() RETURNS interval
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN interval '90 days';
COMMENT ON FUNCTION balansity.kept_in_any_case IS
'How long the ledger is kept whatever anyone asks for: who was told what is evidence, and workers cannot remove it.';

CREATE FUNCTION balansity.release_keys(p_ids uuid[]) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    WITH released AS (
        DELETE FROM balansity.delivery_key
        WHERE id = ANY (p_ids) AND planned_at < clock_timestamp() - balansity.kept_in_any_case()
        RETURNING 1
    )
    SELECT count(*) FROM released;
$$;
COMMENT ON FUNCTION balansity.release_keys IS
'Gives the keys of old deliveries back, before their month is dropped; how many. An owner''s work.';

CREATE FUNCTION balansity.drop_month(p_ledger text, p_month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms'
AS $$
BEGIN
    IF p_month NOT IN (
        SELECT balansity.old_months(p_ledger, clock_timestamp() - balansity.kept_in_any_case())
    ) THEN
        RAISE EXCEPTION '% of % is kept: there is no such table, or it ended less than % ago',
            to_char(p_month, 'YYYY-MM'), p_ledger, balansity.kept_in_any_case();
    END IF;
    EXECUTE 'DROP TABLE ' || balansity.month_table(p_ledger, p_month);
END $$;
COMMENT ON FUNCTION balansity.drop_month IS
'Drops the table of a month that ended long ago. It waits half a second at most for those who read the ledger, and whoever
wants to waits behind it. An owner''s work, which workers ask for.';

CREATE FUNCTION balansity.purge_strays(p_ledger text, p_before timestamptz, p_most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    time_column text;
    purged bigint;
BEGIN
    SELECT l.time_column INTO STRICT time_column FROM balansity.ledgers() AS l WHERE l.ledger = p_ledger;
    EXECUTE format('DELETE FROM balansity.%1$I WHERE ctid = ANY (ARRAY(SELECT ctid FROM balansity.%1$I WHERE %2$I < $1 LIMIT $2))',
                   p_ledger || '_other', time_column)
    USING least(p_before, clock_timestamp() - balansity.kept_in_any_case()), p_most;
    GET DIAGNOSTICS purged = ROW_COUNT;
    RETURN purged;
END $$;
COMMENT ON FUNCTION balansity.purge_strays IS
'Deletes what came in months that had no table, p_most rows at most; how many. An owner''s work, which workers ask for.';

CREATE FUNCTION balansity.stray_rows() RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT count(*) FROM (
        (SELECT FROM balansity.delivery_other LIMIT 10000)
        UNION ALL (SELECT FROM balansity.delivery_attempt_other LIMIT 10000)
        UNION ALL (SELECT FROM balansity.delivery_event_other LIMIT 10000)
    ) AS first;
$$;
COMMENT ON FUNCTION balansity.stray_rows IS
'How many rows of the ledger came in months that had no table, counted up to 10,000 of each kind. They leave after their
time, row by row.';
