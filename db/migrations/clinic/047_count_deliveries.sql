-- Counts what becomes of deliveries as it happens, so that nobody who looks counts a million of them.

CREATE TABLE balansity.delivery_total (
    state text PRIMARY KEY,
    deliveries bigint NOT NULL
);
COMMENT ON TABLE balansity.delivery_total IS
'How many deliveries were found in a state at the end of a minute in which they changed: what only grows, as Prometheus
wants it.';

CREATE TABLE balansity.deliveries_counted_until (at timestamptz NOT NULL);
INSERT INTO balansity.deliveries_counted_until VALUES (date_trunc('minute', now()));
COMMENT ON TABLE balansity.deliveries_counted_until IS
'Up to when deliveries are counted: one row.';

CREATE FUNCTION balansity.count_deliveries(p_most interval) RETURNS timestamptz
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    begins timestamptz;
    ends timestamptz;
BEGIN
    SELECT at INTO begins FROM balansity.deliveries_counted_until FOR UPDATE;
    -- What changes just before a minute's end commits a little later.
    ends := least(date_trunc('minute', balansity.now() - interval '5 seconds'), begins + p_most);
    IF ends <= begins THEN
        RETURN begins;
    END IF;
    INSERT INTO balansity.delivery_total AS t (state, deliveries)
    SELECT state, count(*) FROM balansity.delivery WHERE changed_at >= begins AND changed_at < ends GROUP BY state
    ON CONFLICT (state) DO UPDATE SET deliveries = t.deliveries + excluded.deliveries;
    UPDATE balansity.deliveries_counted_until SET at = ends;
    RETURN ends;
END $$;
COMMENT ON FUNCTION balansity.count_deliveries IS
'Counts what has become of deliveries since the last call, p_most of it at most; gives up to when they are counted now.';

CREATE FUNCTION balansity.open_deliveries(p_most bigint) RETURNS TABLE (state text, deliveries bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
-- The index of states, and no other, whatever the statistics say of how many there are.
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
AS $$
    SELECT wanted.state, counted.deliveries
    FROM unnest(ARRAY['planned', 'sending', 'unknown', 'failed']) AS wanted (state), LATERAL (
        SELECT count(*) AS deliveries FROM (
            SELECT FROM balansity.delivery d
            WHERE d.state BETWEEN wanted.state AND wanted.state
            ORDER BY d.state, d.changed_at DESC LIMIT p_most) AS first
    ) AS counted;
$$;
COMMENT ON FUNCTION balansity.open_deliveries IS
'How many deliveries are in each state that is not an end, or that a person may want to end, counted up to p_most.';
