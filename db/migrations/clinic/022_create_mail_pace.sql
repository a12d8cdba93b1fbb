-- Spaces mails out over all workers together, so that a burst never earns a provider's "too many requests".

-- Unlogged: after a crash everyone starts afresh, and handing out a place never waits for the disk.
CREATE UNLOGGED TABLE balansity.mail_pace (
    provider text,
    free_at timestamptz,                    -- when the next mail may leave: from the index's end the newest is found at
    PRIMARY KEY (provider, free_at)         -- once, however many dead ones are kept while somebody holds an old snapshot
);

CREATE FUNCTION balansity.hold_pace(p_provider text) RETURNS timestamptz
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off -- the plan is made when there is little, and kept
AS $$
DECLARE
    held timestamptz;
BEGIN
    LOOP
        SELECT free_at INTO held FROM balansity.mail_pace WHERE provider = p_provider ORDER BY free_at DESC LIMIT 1 FOR UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO balansity.mail_pace (provider, free_at) VALUES (p_provider, '-infinity') ON CONFLICT DO NOTHING;
    END LOOP;
    RETURN held;
END $$;
COMMENT ON FUNCTION balansity.hold_pace IS
'When a provider''s next mail may leave; nobody else changes it until the transaction ends.';

CREATE FUNCTION balansity.take_places(
    p_provider text, p_places integer, p_spacing interval, p_patience interval
) RETURNS interval LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off -- the plan is made when there is little, and kept
AS $$
DECLARE
    held constant timestamptz := balansity.hold_pace(p_provider);
    present constant timestamptz := balansity.now();
    place constant timestamptz := greatest(held, present);
BEGIN
    IF place <= present + p_patience THEN
        UPDATE balansity.mail_pace SET free_at = place + p_places * p_spacing WHERE provider = p_provider AND free_at = held;
    END IF;
    RETURN place - present;
END $$;
COMMENT ON FUNCTION balansity.take_places IS
'Takes the next p_places places in the provider''s line; returns how long it is until the first of them. A place that
is further away than p_patience is not taken: the caller comes back later.';

CREATE FUNCTION balansity.hold_mail(p_provider text, p_pause interval) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off -- the plan is made when there is little, and kept
AS $$
DECLARE
    held constant timestamptz := balansity.hold_pace(p_provider);
BEGIN
    UPDATE balansity.mail_pace SET free_at = greatest(held, balansity.now() + p_pause)
    WHERE provider = p_provider AND free_at = held;
END $$;
COMMENT ON FUNCTION balansity.hold_mail IS
'Nobody sends for so long: the provider said so.';
