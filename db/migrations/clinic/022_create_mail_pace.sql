-- Spaces mails out over all workers together, so that a burst never earns a provider's "too many requests".

-- Unlogged: after a crash everyone starts afresh, and handing out a place never waits for the disk.
CREATE UNLOGGED TABLE balansity.mail_pace (
    provider text PRIMARY KEY,
    free_at timestamptz NOT NULL            -- when the next mail may leave
);

CREATE FUNCTION balansity.take_places(
    p_provider text, p_places integer, p_spacing interval, p_patience interval
) RETURNS interval LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present constant timestamptz := balansity.now();
    place timestamptz;
BEGIN
    SELECT greatest(free_at, present) INTO place FROM balansity.mail_pace WHERE provider = p_provider FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO balansity.mail_pace (provider, free_at) VALUES (p_provider, present) ON CONFLICT DO NOTHING;
        RETURN balansity.take_places(p_provider, p_places, p_spacing, p_patience);
    END IF;
    IF place <= present + p_patience THEN
        UPDATE balansity.mail_pace SET free_at = place + p_places * p_spacing WHERE provider = p_provider;
    END IF;
    RETURN place - present;
END $$;
COMMENT ON FUNCTION balansity.take_places IS
'Takes the next p_places places in the provider''s line; returns how long it is until the first of them. A place that
is further away than p_patience is not taken: the caller comes back later.';

CREATE FUNCTION balansity.hold_mail(p_provider text, p_pause interval) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO balansity.mail_pace AS pace (provider, free_at) VALUES (p_provider, balansity.now() + p_pause)
    ON CONFLICT (provider) DO UPDATE SET free_at = greatest(pace.free_at, excluded.free_at);
$$;
COMMENT ON FUNCTION balansity.hold_mail IS
'Nobody sends for so long: the provider said so.';
