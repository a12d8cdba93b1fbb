-- Spaces mails out over all workers together, so that a burst never earns a provider's "too many requests".

-- Unlogged: after a crash everyone starts afresh, and handing out a place never waits for the disk.
CREATE UNLOGGED TABLE balansity.mail_pace (
    provider text PRIMARY KEY,
    free_at timestamptz NOT NULL            -- when the next mail may leave
);

-- Takes the next p_places places in the provider's line; returns how long it is until the first of them. A place that
-- is further away than p_patience is not taken: the caller comes back later.
CREATE FUNCTION balansity.take_places(
    p_provider text, p_places integer, p_spacing interval, p_patience interval, p_at timestamptz
) RETURNS interval LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    place timestamptz;
BEGIN
    SELECT greatest(free_at, p_at) INTO place FROM balansity.mail_pace WHERE provider = p_provider FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO balansity.mail_pace (provider, free_at) VALUES (p_provider, p_at) ON CONFLICT DO NOTHING;
        RETURN balansity.take_places(p_provider, p_places, p_spacing, p_patience, p_at);
    END IF;
    IF place <= p_at + p_patience THEN
        UPDATE balansity.mail_pace SET free_at = place + p_places * p_spacing WHERE provider = p_provider;
    END IF;
    RETURN place - p_at;
END $$;

-- Nobody sends before p_until: the provider said so.
CREATE FUNCTION balansity.hold_mail(p_provider text, p_until timestamptz) RETURNS void
LANGUAGE sql SET search_path = '' AS $$
    INSERT INTO balansity.mail_pace AS pace (provider, free_at) VALUES (p_provider, p_until)
    ON CONFLICT (provider) DO UPDATE SET free_at = greatest(pace.free_at, p_until);
$$;

REVOKE ALL ON balansity.mail_pace FROM PUBLIC;
REVOKE ALL ON FUNCTION
    balansity.take_places(text, integer, interval, interval, timestamptz), balansity.hold_mail(text, timestamptz)
FROM PUBLIC;
