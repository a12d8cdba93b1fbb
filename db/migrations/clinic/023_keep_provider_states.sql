-- Lets all workers share what one of them found out: that a provider is away. Nothing is spent on it until it is back.

CREATE TABLE balansity.provider_state (
    provider text PRIMARY KEY,              -- no row: nobody has found it away yet
    state text NOT NULL CHECK (state IN ('available', 'away', 'probing', 'silent')),
    since timestamptz NOT NULL,             -- when it went away or came back; the first mail that it kept silent about
    reason text,                            -- the last refusal, or what is odd about it, for a person
    noticed_by text NOT NULL,               -- the worker that noticed the change
    probes integer NOT NULL DEFAULT 0,      -- that failed since it went away, or that left since it fell silent
    next_probe_at timestamptz NOT NULL      -- while probing: when the probe counts as lost
);

CREATE TABLE balansity.held_message (
    message_id uuid,                        -- the broker's
    provider text,                          -- where a message has two ways out, it is in the line of both
    deadline timestamptz,                   -- after which it is of no use
    PRIMARY KEY (message_id, provider)
);
CREATE INDEX held_message_in_line ON balansity.held_message (provider, deadline, message_id);

CREATE FUNCTION balansity.ask_for_provider(p_provider text, p_message_id uuid, p_deadline timestamptz) RETURNS interval
LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    present constant timestamptz := balansity.now();
    lost constant interval := '3 minutes';  -- more than any call takes
    last_moment constant interval := '30 minutes'; -- before its deadline, a mail goes even to a silent provider
    first_silence constant interval := '5 minutes'; -- that a probe may be kept silent about: it is at stake, so they are few
    longest_silence constant interval := '1 hour';
    known balansity.provider_state;
    leave_by timestamptz;
    ahead bigint;
    pause interval;
BEGIN
    SELECT * INTO known FROM balansity.provider_state WHERE provider = p_provider FOR UPDATE;
    IF NOT FOUND OR known.state = 'available' THEN
        DELETE FROM balansity.held_message WHERE message_id = p_message_id;
        RETURN NULL;
    END IF;
    leave_by := CASE known.state WHEN 'silent' THEN p_deadline - last_moment ELSE p_deadline + interval '1 second' END;
    IF known.next_probe_at <= present OR known.state = 'silent' AND leave_by <= present THEN
        UPDATE balansity.provider_state
        SET state = CASE known.state WHEN 'silent' THEN 'silent' ELSE 'probing' END,
            probes = known.probes + CASE known.state WHEN 'silent' THEN 1 ELSE 0 END,
            next_probe_at = present + CASE known.state
                WHEN 'silent' THEN least(first_silence * 2 ^ least(known.probes, 10), longest_silence) ELSE lost
            END
        WHERE provider = p_provider;
        DELETE FROM balansity.held_message WHERE message_id = p_message_id;
        RETURN NULL;
    END IF;
    INSERT INTO balansity.held_message AS held (message_id, provider, deadline)
    VALUES (p_message_id, p_provider, p_deadline)
    ON CONFLICT (message_id, provider) DO UPDATE SET deadline = excluded.deadline;
    SELECT count(*) INTO ahead FROM balansity.held_message held
    WHERE held.provider = p_provider
      AND (coalesce(held.deadline, 'infinity'), held.message_id) < (coalesce(p_deadline, 'infinity'), p_message_id);
    pause := CASE known.state WHEN 'probing' THEN interval '5 seconds' ELSE known.next_probe_at - present END
        + least(ahead * interval '0.5 seconds', '10 minutes');
    RETURN least(pause, leave_by - present);
END $$;
COMMENT ON FUNCTION balansity.ask_for_provider IS
'Whether a message may call a provider: NULL if so, as its probe where the provider is away and it is time for one. Else
the message is held, and this is how long: the first in the line of deadlines comes for the next probe, the others a
little later each, in case it is lost; each in time to be superseded. A silent provider (024) is probed by a mail that it
may drop, so seldom, and what has little time left goes to it all the same: it may be that only its events are lost.';

CREATE FUNCTION balansity.take_probe(p_provider text) RETURNS boolean
LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    UPDATE balansity.provider_state
    SET state = 'probing', next_probe_at = balansity.now() + interval '3 minutes'
    WHERE provider = p_provider AND state IN ('away', 'probing') AND next_probe_at <= balansity.now()
      AND NOT EXISTS (SELECT FROM balansity.held_message WHERE provider = p_provider);
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION balansity.take_probe IS
'Whether a message that has another way out is to probe a provider that is away: it is time for a probe, and nobody waits
who could be it. Never of a silent one, which may drop the mail.';

CREATE FUNCTION balansity.provider_failed(p_provider text, p_reason text, p_worker text) RETURNS boolean
LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    present constant timestamptz := balansity.now();
    first_pause constant interval := '5 seconds';
    longest_pause constant interval := '1 minute';
    known balansity.provider_state;
BEGIN
    INSERT INTO balansity.provider_state (provider, state, since, reason, noticed_by, next_probe_at)
    VALUES (p_provider, 'away', present, p_reason, p_worker, present + first_pause)
    ON CONFLICT (provider) DO NOTHING;
    IF FOUND THEN
        RETURN true;
    END IF;
    SELECT * INTO known FROM balansity.provider_state WHERE provider = p_provider FOR UPDATE;
    IF known.state = 'available' THEN
        UPDATE balansity.provider_state
        SET state = 'away', since = present, reason = p_reason, noticed_by = p_worker, probes = 0,
            next_probe_at = present + first_pause
        WHERE provider = p_provider;
    ELSIF known.state = 'probing' THEN
        UPDATE balansity.provider_state
        SET state = 'away', reason = p_reason, probes = known.probes + 1,
            next_probe_at = present + least(first_pause * 2 ^ least(known.probes + 1, 10), longest_pause)
        WHERE provider = p_provider;
    END IF;
    RETURN known.state = 'available';
END $$;
COMMENT ON FUNCTION balansity.provider_failed IS
'A provider took nothing: it is away, and is asked once after each pause, which grow. Whether that was news.';

CREATE FUNCTION balansity.release_held(p_provider text) RETURNS void
LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    PERFORM dramatiq.hasten(ARRAY(
        SELECT message_id FROM balansity.held_message WHERE provider = p_provider ORDER BY deadline, message_id
    ));
    DELETE FROM balansity.held_message
    WHERE message_id IN (SELECT message_id FROM balansity.held_message WHERE provider = p_provider);
END $$;
COMMENT ON FUNCTION balansity.release_held IS
'What was held for a provider is due, in the order of its deadlines.';

CREATE FUNCTION balansity.provider_worked(p_provider text, p_worker text) RETURNS boolean
LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    is_back boolean;
BEGIN
    UPDATE balansity.provider_state
    SET state = 'available', since = balansity.now(), reason = NULL, noticed_by = p_worker, probes = 0
    WHERE provider = p_provider AND state IN ('away', 'probing');
    is_back := FOUND;
    IF is_back THEN
        PERFORM balansity.release_held(p_provider);
    END IF;
    RETURN is_back;
END $$;
COMMENT ON FUNCTION balansity.provider_worked IS
'A provider answered: if it was away it is back, and what was held for it goes. One that is silent answers, too: only its
events end that. Whether it was news.';

CREATE FUNCTION balansity.provider_unasked(p_provider text) RETURNS void
LANGUAGE sql SET search_path = '' AS $$
    UPDATE balansity.provider_state SET state = 'away', next_probe_at = balansity.now()
    WHERE provider = p_provider AND state = 'probing';
$$;
COMMENT ON FUNCTION balansity.provider_unasked IS
'The message that was to probe the provider had nothing to ask of it after all: the next one is.';
