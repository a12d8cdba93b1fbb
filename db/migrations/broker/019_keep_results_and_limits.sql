-- Keeps what Dramatiq's results, rate limiters and barriers share between processes.

CREATE TABLE dramatiq.result (
    message_id uuid PRIMARY KEY,
    result bytea NOT NULL,                   -- as Dramatiq's encoder wrote it
    expires_at timestamptz NOT NULL
);
CREATE INDEX result_expires ON dramatiq.result (expires_at);

CREATE TABLE dramatiq.counter (
    key text COLLATE "C",                    -- a window's counters, key@second, are looked up in order
    value bigint NOT NULL,
    expires_at timestamptz NOT NULL,         -- from then on it counts as absent
    change bigint DEFAULT 0,                 -- which it is: from the index's end the newest is found at once, however many
    PRIMARY KEY (key, change)                -- dead ones are kept while somebody holds an old snapshot
);
CREATE INDEX counter_expires ON dramatiq.counter (expires_at);

CREATE FUNCTION dramatiq.counted(p_value bigint, p_expires_at timestamptz) RETURNS bigint
LANGUAGE sql
RETURN CASE WHEN p_expires_at > clock_timestamp() THEN p_value ELSE 0 END;
COMMENT ON FUNCTION dramatiq.counted IS
'The value of a counter, 0 where it is absent.';

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

CREATE FUNCTION dramatiq.hold_counter(p_key text) RETURNS dramatiq.counter
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off -- the plan is made when there is little, and kept
AS $$
DECLARE
    held dramatiq.counter;
BEGIN
    SELECT * INTO held FROM dramatiq.counter WHERE key = p_key ORDER BY change DESC LIMIT 1 FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM dramatiq.take_counters_turn(p_key); -- to create it
        SELECT * INTO held FROM dramatiq.counter WHERE key = p_key ORDER BY change DESC LIMIT 1 FOR UPDATE;
    END IF;
    RETURN held;
END $$;
COMMENT ON FUNCTION dramatiq.hold_counter IS
'A counter''s row, or an empty one where there is none; nobody else changes or creates it until the transaction ends.';

CREATE FUNCTION dramatiq.set_counter(p_held dramatiq.counter, p_key text, p_value bigint, p_ttl interval) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off -- the plan is made when there is little, and kept
AS $$
BEGIN
    IF p_held.key IS NULL THEN
        INSERT INTO dramatiq.counter (key, value, expires_at) VALUES (p_key, p_value, clock_timestamp() + p_ttl);
    ELSE
        UPDATE dramatiq.counter SET value = p_value, expires_at = clock_timestamp() + p_ttl, change = change + 1
        WHERE key = p_key AND change = p_held.change;
    END IF;
END $$;
COMMENT ON FUNCTION dramatiq.set_counter IS
'Changes or creates a counter that dramatiq.hold_counter holds.';

CREATE FUNCTION dramatiq.add_counter(p_key text, p_value bigint, p_ttl interval) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held constant dramatiq.counter := dramatiq.hold_counter(p_key);
BEGIN
    IF held.expires_at > clock_timestamp() THEN
        RETURN false;
    END IF;
    PERFORM dramatiq.set_counter(held, p_key, p_value, p_ttl);
    RETURN true;
END $$;
COMMENT ON FUNCTION dramatiq.add_counter IS
'Creates a counter; false where it exists.';

CREATE FUNCTION dramatiq.count(p_key text, p_amount bigint, p_low bigint, p_high bigint, p_ttl interval)
RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held constant dramatiq.counter := dramatiq.hold_counter(p_key);
    sum constant bigint := coalesce(dramatiq.counted(held.value, held.expires_at), 0) + p_amount;
BEGIN
    IF sum < p_low OR sum > p_high THEN
        RETURN false;
    END IF;
    PERFORM dramatiq.set_counter(held, p_key, sum, p_ttl);
    RETURN true;
END $$;
COMMENT ON FUNCTION dramatiq.count IS
'Adds to a counter, or takes from it; false, and no change, where it would leave its bounds (NULL: unbounded).';

CREATE FUNCTION dramatiq.take_counters_turn(p_key text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT dramatiq.take_turn('dramatiq.counter ' || regexp_replace(p_key, '@[0-9]+$', ''));
$$;
COMMENT ON FUNCTION dramatiq.take_counters_turn IS
'One at a time creates a counter, or counts in a window, whose counters are called key@second.';

CREATE FUNCTION dramatiq.count_and_sum(p_key text, p_keys text[], p_amount bigint, p_high bigint, p_ttl interval)
RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM dramatiq.take_counters_turn(p_key);
    RETURN coalesce((SELECT sum(dramatiq.counted(value, expires_at)) FROM dramatiq.counter
                     WHERE key = ANY (p_keys) OR key BETWEEN p_key AND regexp_replace(p_key, '@[0-9]+$', '@A')), 0)
               + p_amount <= p_high
       AND dramatiq.count(p_key, p_amount, NULL, p_high, p_ttl);
END $$;
COMMENT ON FUNCTION dramatiq.count_and_sum IS
'Adds to a counter unless the sum of p_keys would exceed p_high. Dramatiq''s windows name their counters key@second:
who counts for one key waits for who does already, whichever second they stand at, and counts what stands at later
seconds, too: the clock may have gone on while it waited, or be late on its machine.';
