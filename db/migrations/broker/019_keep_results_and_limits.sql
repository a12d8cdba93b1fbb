-- Keeps what Dramatiq's results, rate limiters and barriers share between processes.

CREATE TABLE dramatiq.result (
    message_id uuid PRIMARY KEY,
    result bytea NOT NULL,                   -- as Dramatiq's encoder wrote it
    expires_at timestamptz NOT NULL
);
CREATE INDEX result_expires ON dramatiq.result (expires_at);

CREATE TABLE dramatiq.counter (
    key text COLLATE "C" PRIMARY KEY,        -- a window's counters, key@second, are looked up in order
    value bigint NOT NULL,
    expires_at timestamptz NOT NULL          -- from then on it counts as absent
) WITH (fillfactor = 50);                    -- counters change often: leave room to do so in place
CREATE INDEX counter_expires ON dramatiq.counter (expires_at);

CREATE FUNCTION dramatiq.counted(p_value bigint, p_expires_at timestamptz) RETURNS bigint
LANGUAGE sql
RETURN CASE WHEN p_expires_at > clock_timestamp() THEN p_value ELSE 0 END;
COMMENT ON FUNCTION dramatiq.counted IS
'The value of a counter, 0 where it is absent.';

CREATE FUNCTION dramatiq.add_counter(p_key text, p_value bigint, p_ttl interval) RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    WITH added AS (
        INSERT INTO dramatiq.counter AS c (key, value, expires_at) VALUES (p_key, p_value, clock_timestamp() + p_ttl)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
        WHERE c.expires_at <= clock_timestamp()
        RETURNING 1
    )
    SELECT count(*) = 1 FROM added;
$$;
COMMENT ON FUNCTION dramatiq.add_counter IS
'Creates a counter; false where it exists.';

CREATE FUNCTION dramatiq.count(p_key text, p_amount bigint, p_low bigint, p_high bigint, p_ttl interval)
RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    WITH counted AS (
        INSERT INTO dramatiq.counter AS c (key, value, expires_at)
        SELECT p_key, p_amount, clock_timestamp() + p_ttl
        WHERE EXISTS (SELECT FROM dramatiq.counter WHERE key = p_key)
           OR p_amount BETWEEN coalesce(p_low, p_amount) AND coalesce(p_high, p_amount)
        ON CONFLICT (key) DO UPDATE
        SET value = dramatiq.counted(c.value, c.expires_at) + p_amount, expires_at = excluded.expires_at
        WHERE coalesce(dramatiq.counted(c.value, c.expires_at) + p_amount >= p_low, true)
          AND coalesce(dramatiq.counted(c.value, c.expires_at) + p_amount <= p_high, true)
        RETURNING 1
    )
    SELECT count(*) = 1 FROM counted;
$$;
COMMENT ON FUNCTION dramatiq.count IS
'Adds to a counter, or takes from it; false, and no change, where it would leave its bounds (NULL: unbounded).';

-- What is done one after another. No advisory lock: whoever may log in can hold any of those, and all of us would wait.
CREATE TABLE dramatiq.turn (
    number integer PRIMARY KEY -- of what has this hash
);

CREATE FUNCTION dramatiq.take_turn(p_what text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    mine constant integer := hashtextextended(p_what, 0) & 4095;
BEGIN
    PERFORM FROM dramatiq.turn WHERE number = mine FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO dramatiq.turn VALUES (mine) ON CONFLICT DO NOTHING;
        PERFORM FROM dramatiq.turn WHERE number = mine FOR UPDATE;
    END IF;
END $$;
COMMENT ON FUNCTION dramatiq.take_turn IS
'Waits for whoever does the same, and lets others wait until the end of the transaction. One of 4,096 rows: now and then
two who do different things wait for each other, too.';

CREATE FUNCTION dramatiq.count_and_sum(p_key text, p_keys text[], p_amount bigint, p_high bigint, p_ttl interval)
RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM dramatiq.take_turn('dramatiq.counter ' || regexp_replace(p_key, '@[0-9]+$', ''));
    RETURN coalesce((SELECT sum(dramatiq.counted(value, expires_at)) FROM dramatiq.counter
                     WHERE key = ANY (p_keys) OR key BETWEEN p_key AND regexp_replace(p_key, '@[0-9]+$', '@A')), 0)
               + p_amount <= p_high
       AND dramatiq.count(p_key, p_amount, NULL, p_high, p_ttl);
END $$;
COMMENT ON FUNCTION dramatiq.count_and_sum IS
'Adds to a counter unless the sum of p_keys would exceed p_high. Dramatiq''s windows name their counters key@second:
who counts for one key waits for who does already, whichever second they stand at, and counts what stands at later
seconds, too: the clock may have gone on while it waited, or be late on its machine.';
