-- Keeps every analytics event once, and counts them per day and type in the same statement, so that the two agree.

CREATE TABLE balansity.analytics_event (
    key text PRIMARY KEY,                   -- its sender's key, or the message that brought it
    type text NOT NULL,
    occurred_at timestamptz NOT NULL,
    day date NOT NULL,                      -- of occurred_at in the product's time zone
    user_id uuid,
    facts jsonb NOT NULL,                   -- the whole message; emptied when its person is forgotten
    received_at timestamptz NOT NULL
);
CREATE INDEX analytics_event_by_user ON balansity.analytics_event (user_id) WHERE user_id IS NOT NULL;

CREATE TABLE balansity.analytics_daily (
    day date NOT NULL,
    type text NOT NULL,
    events bigint NOT NULL,
    PRIMARY KEY (day, type)
);

-- Keeps those of p_events (an array of key, type, occurred_at, user_id, facts) that are new; returns how many were.
-- Both inserts go in the order of their keys: two batches that overlap wait for each other and never deadlock.
CREATE FUNCTION balansity.record_events(p_events jsonb, p_zone text, p_at timestamptz) RETURNS bigint
LANGUAGE sql
SET search_path = ''
AS $$
    WITH added AS (
        INSERT INTO balansity.analytics_event (key, type, occurred_at, day, user_id, facts, received_at)
        SELECT DISTINCT ON (e.key)
            e.key, e.type, e.occurred_at, (e.occurred_at AT TIME ZONE p_zone)::date, e.user_id, e.facts, p_at
        FROM jsonb_to_recordset(p_events)
            AS e (key text, type text, occurred_at timestamptz, user_id uuid, facts jsonb)
        ORDER BY e.key
        ON CONFLICT (key) DO NOTHING
        RETURNING day, type
    ), counted AS (
        INSERT INTO balansity.analytics_daily AS daily (day, type, events)
        SELECT day, type, count(*) FROM added GROUP BY day, type ORDER BY day, type
        ON CONFLICT (day, type) DO UPDATE SET events = daily.events + excluded.events
    )
    SELECT count(*) FROM added
$$;

-- Counts every day anew from the kept events: needed after TIME_ZONE has changed.
CREATE FUNCTION balansity.recount_events(p_zone text) RETURNS void
LANGUAGE sql
SET search_path = ''
AS $$
    LOCK TABLE balansity.analytics_daily IN ACCESS EXCLUSIVE MODE;
    UPDATE balansity.analytics_event SET day = (occurred_at AT TIME ZONE p_zone)::date
    WHERE day <> (occurred_at AT TIME ZONE p_zone)::date;
    DELETE FROM balansity.analytics_daily;
    INSERT INTO balansity.analytics_daily (day, type, events)
    SELECT day, type, count(*) FROM balansity.analytics_event GROUP BY day, type
$$;

REVOKE ALL ON balansity.analytics_event, balansity.analytics_daily FROM PUBLIC;
REVOKE ALL ON FUNCTION
    balansity.record_events(jsonb, text, timestamptz), balansity.recount_events(text)
FROM PUBLIC;
