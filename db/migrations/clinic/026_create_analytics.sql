-- Keeps every analytics event once, and counts them per day and type in the same statement, so that the two agree.

CREATE TABLE balansity.analytics_event (
    key bytea PRIMARY KEY,                  -- SHA-256 of its sender's key: known again, even when its person is forgotten
    type text NOT NULL,
    occurred_at timestamptz NOT NULL,
    day date NOT NULL,                      -- of occurred_at in the product's time zone
    user_id uuid,
    facts jsonb NOT NULL,                   -- the whole message; emptied when its person is forgotten
    received_at timestamptz NOT NULL
);
CREATE INDEX analytics_event_by_user ON balansity.analytics_event (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX analytics_event_by_age ON balansity.analytics_event (received_at);

CREATE TABLE balansity.analytics_daily (
    day date NOT NULL,
    type text NOT NULL,
    events bigint NOT NULL,
    PRIMARY KEY (day, type)
);

CREATE FUNCTION balansity.record_events(p_events jsonb, p_zone text, p_at timestamptz) RETURNS bigint
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    WITH sent AS (
        SELECT e.*, sha256(convert_to(e.key, 'UTF8')) AS digest
        FROM jsonb_to_recordset(p_events)
            AS e (key text, type text, occurred_at timestamptz, user_id uuid, facts jsonb)
    ), added AS (
        INSERT INTO balansity.analytics_event (key, type, occurred_at, day, user_id, facts, received_at)
        SELECT DISTINCT ON (digest)
            digest, type, occurred_at, (occurred_at AT TIME ZONE p_zone)::date, user_id, facts, p_at
        FROM sent
        ORDER BY digest
        ON CONFLICT (key) DO NOTHING
        RETURNING day, type
    ), counted AS (
        INSERT INTO balansity.analytics_daily AS daily (day, type, events)
        SELECT day, type, count(*) FROM added GROUP BY day, type ORDER BY day, type
        ON CONFLICT (day, type) DO UPDATE SET events = daily.events + excluded.events
    )
    SELECT count(*) FROM added
$$;
COMMENT ON FUNCTION balansity.record_events IS
'Keeps those of p_events (an array of key, type, occurred_at, user_id, facts) that are new; returns how many were.
Both inserts go in the order of their keys: two batches that overlap wait for each other and never deadlock.';

CREATE FUNCTION balansity.misplaced_events(p_zone text) RETURNS bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT count(*) FROM balansity.analytics_event WHERE day <> (occurred_at AT TIME ZONE p_zone)::date
$$;
COMMENT ON FUNCTION balansity.misplaced_events IS
'How many kept events stand on another day than theirs in this time zone: TIME_ZONE has changed since.';

CREATE FUNCTION balansity.recount_events(p_keys bytea[], p_zone text) RETURNS bigint
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    -- Under their locks: a second call at the same time finds them on their day, and does not move their counts twice.
    WITH misplaced AS (
        SELECT key, type, day, (occurred_at AT TIME ZONE p_zone)::date AS right_day
        FROM balansity.analytics_event
        WHERE key = ANY (p_keys) AND day <> (occurred_at AT TIME ZONE p_zone)::date
        ORDER BY key
        FOR UPDATE
    ), moved AS (
        UPDATE balansity.analytics_event e SET day = m.right_day FROM misplaced m WHERE m.key = e.key
    ), counted AS (
        INSERT INTO balansity.analytics_daily AS daily (day, type, events)
        SELECT day, type, sum(change)
        FROM (SELECT day, type, -1 FROM misplaced UNION ALL SELECT right_day, type, 1 FROM misplaced)
            AS c (day, type, change)
        GROUP BY day, type
        ORDER BY day, type
        ON CONFLICT (day, type) DO UPDATE SET events = daily.events + excluded.events
    )
    SELECT count(*) FROM misplaced
$$;
COMMENT ON FUNCTION balansity.recount_events IS
'Moves those of these events that stand on another day than theirs to it, and their counts with them; returns how many.
What was counted of events that are no longer kept stays.';
