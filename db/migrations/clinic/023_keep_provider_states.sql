-- Lets all workers share what one of them found out: that a provider is away. Nothing is spent on it until it is back.

CREATE TABLE balansity.provider_state (
    provider text PRIMARY KEY,              -- no row: it has answered whatever it was asked
    state text NOT NULL CHECK (state IN ('available', 'away', 'probing', 'unheard')),
    since timestamptz NOT NULL,             -- when it went away or came back; of one unheard of, the first such mail
    reason text,                            -- the last refusal, or what is odd about it, for a person
    noticed_by text NOT NULL,               -- the worker that noticed the change,
    begun_by uuid,                          -- and the message that it had then
    silences integer NOT NULL DEFAULT 0,    -- while available: calls in a row that got no answer
    probes integer NOT NULL DEFAULT 0,      -- that failed since it went away, or that left while it is unheard of
    probe uuid,                             -- the message that is the latest of them
    next_probe_at timestamptz NOT NULL      -- while probing: when the probe counts as lost
);

CREATE TABLE balansity.outage (             -- those that are over
    provider text NOT NULL,
    began_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    begun_by uuid
);
CREATE INDEX outage_by_end ON balansity.outage (provider, ended_at);

CREATE TABLE balansity.held_message (
    message_id uuid,                        -- the broker's
    provider text,                          -- where a message has two ways out, it is in the line of both
    deadline timestamptz NOT NULL,          -- after which it is of no use; or infinity
    probes integer NOT NULL DEFAULT 0,      -- that it has made in vain
    PRIMARY KEY (message_id, provider)
);
CREATE INDEX held_message_in_line ON balansity.held_message (provider, probes, deadline, message_id);
CREATE INDEX held_message_by_deadline ON balansity.held_message (provider, deadline, message_id);

CREATE FUNCTION balansity.ask_for_provider(p_provider text, p_message_id uuid, p_deadline timestamptz) RETURNS interval
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present constant timestamptz := balansity.now();
    lost constant interval := '3 minutes';  -- more than any call takes
    apart constant interval := '0.5 seconds';
    last_moment constant interval := '30 minutes'; -- before its deadline, a mail goes even to a provider that is unheard of
    known balansity.provider_state;
    leave_by timestamptz;
    mine balansity.held_message;
    ahead bigint;
    pause interval;
BEGIN
    SELECT * INTO known FROM balansity.provider_state WHERE provider = p_provider FOR UPDATE;
    IF NOT FOUND OR known.state = 'available' THEN
        DELETE FROM balansity.held_message WHERE message_id = p_message_id;
        RETURN NULL;
    END IF;
    leave_by := p_deadline + CASE known.state WHEN 'unheard' THEN -last_moment ELSE interval '1 second' END;
    IF known.state = 'unheard' AND (known.next_probe_at <= present OR leave_by <= present) THEN
        PERFORM balansity.put_at_stake(p_provider, p_message_id);
        RETURN NULL;
    END IF;
    DELETE FROM balansity.held_message WHERE provider = p_provider AND deadline < present; -- nobody waits for those
    INSERT INTO balansity.held_message AS held (message_id, provider, deadline)
    VALUES (p_message_id, p_provider, coalesce(p_deadline, 'infinity'))
    ON CONFLICT (message_id, provider) DO UPDATE SET deadline = excluded.deadline
    RETURNING * INTO mine;
    IF known.next_probe_at <= present OR known.state = 'probing' AND known.probe = p_message_id THEN
        UPDATE balansity.provider_state SET state = 'probing', probe = p_message_id, next_probe_at = present + lost
        WHERE provider = p_provider;
        UPDATE balansity.held_message SET probes = probes + 1 WHERE message_id = p_message_id AND provider = p_provider;
        RETURN NULL;
    END IF;
    SELECT count(*) INTO ahead FROM (
        SELECT FROM balansity.held_message held
        WHERE held.provider = p_provider
          AND (held.probes, held.deadline, held.message_id) < (mine.probes, mine.deadline, mine.message_id)
        LIMIT 1200
    ) AS others;
    pause := CASE known.state WHEN 'probing' THEN interval '5 seconds' ELSE known.next_probe_at - present END
        + ahead * apart;
    RETURN least(pause, leave_by - present);
END $$;
COMMENT ON FUNCTION balansity.ask_for_provider IS
'Whether a message may call a provider: NULL if so, as its probe where the provider is away and it is time for one. Else
the message is held, and this is how long: the first in the line of deadlines comes for the next probe, the others a
little later each, in case it is lost; each in time to be superseded. Who has probed in vain stands behind all who have
not: one message that the provider will never have must not be the only one to ask for all. One that is the probe already and
asks again was rescued from a worker that died with it, and is the probe anew. Where a provider is unheard of
(024), what has little time left goes all the same: it may be that only its events are lost.';

CREATE FUNCTION balansity.put_at_stake(p_provider text, p_message_id uuid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    first_pause constant interval := '5 minutes';
    longest_pause constant interval := '1 hour';
BEGIN
    UPDATE balansity.provider_state
    SET probes = probes + 1,
        next_probe_at = balansity.now() + least(first_pause * 2 ^ least(probes, 10), longest_pause)
    WHERE provider = p_provider;
    DELETE FROM balansity.held_message WHERE message_id = p_message_id;
END $$;
COMMENT ON FUNCTION balansity.put_at_stake IS
'Lets a mail go to a provider that is unheard of, which may drop it; the next probe is the later for it.';

CREATE FUNCTION balansity.take_probe(p_provider text, p_message_id uuid) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present constant timestamptz := balansity.now();
BEGIN
    UPDATE balansity.provider_state
    SET state = 'probing', probe = p_message_id, next_probe_at = present + interval '3 minutes'
    WHERE provider = p_provider AND state IN ('away', 'probing')
      AND (next_probe_at <= present OR state = 'probing' AND probe = p_message_id)
      AND NOT EXISTS (
          SELECT FROM balansity.held_message
          WHERE provider = p_provider AND message_id <> p_message_id AND deadline > present
      );
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION balansity.take_probe IS
'Whether a message that has another way out is to probe a provider that is away: it is time for a probe, and nobody waits
who could be it. Never of one that is unheard of, which may drop the mail.';

CREATE FUNCTION balansity.provider_failed(p_provider text, p_reason text, p_worker text, p_message_id uuid)
RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present constant timestamptz := balansity.now();
    first_pause constant interval := '5 seconds';
    longest_pause constant interval := '1 minute';
    known balansity.provider_state;
BEGIN
    INSERT INTO balansity.provider_state (provider, state, since, noticed_by, next_probe_at)
    VALUES (p_provider, 'available', present, p_worker, present)
    ON CONFLICT (provider) DO NOTHING;
    SELECT * INTO known FROM balansity.provider_state WHERE provider = p_provider FOR UPDATE;
    IF known.state = 'probing' THEN
        UPDATE balansity.provider_state
        SET state = 'away', reason = p_reason, probes = known.probes + 1,
            next_probe_at = present + least(first_pause * 2 ^ least(known.probes + 1, 10), longest_pause)
        WHERE provider = p_provider;
    END IF;
    IF known.state <> 'available' THEN
        RETURN 0;
    END IF;
    UPDATE balansity.provider_state
    SET state = 'away', since = present, reason = p_reason, noticed_by = p_worker, begun_by = p_message_id, silences = 0,
        probes = 0, next_probe_at = present + first_pause
    WHERE provider = p_provider;
    RETURN 1 + (SELECT count(*) FROM balansity.outage WHERE provider = p_provider AND begun_by = p_message_id);
END $$;
COMMENT ON FUNCTION balansity.provider_failed IS
'A provider took nothing: it is away, and is asked once after each pause, which grow. Returns 0 where that was known; else
how many times it is now that this message has seemed to begin an outage.';

CREATE FUNCTION balansity.provider_silent(p_provider text, p_reason text, p_worker text, p_message_id uuid)
RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present constant timestamptz := balansity.now();
    most constant integer := 3;
    known balansity.provider_state;
BEGIN
    INSERT INTO balansity.provider_state AS s (provider, state, since, noticed_by, silences, next_probe_at)
    VALUES (p_provider, 'available', present, p_worker, 1, present)
    ON CONFLICT (provider) DO UPDATE SET silences = s.silences + 1
    RETURNING * INTO known;
    DELETE FROM balansity.held_message WHERE message_id = p_message_id;
    IF known.state = 'available' AND known.silences < most THEN
        RETURN 0;
    END IF;
    RETURN balansity.provider_failed(p_provider, p_reason, p_worker, p_message_id);
END $$;
COMMENT ON FUNCTION balansity.provider_silent IS
'A call got no answer. One may be bad luck; where three in a row do, or the one that was to probe, the provider is away.
Returns what provider_failed does, 0 where it still counts as available.';

CREATE FUNCTION balansity.let_go(p_provider text, p_limit integer) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids uuid[];
    pressing bigint;
BEGIN
    PERFORM FROM balansity.provider_state WHERE provider = p_provider AND state = 'available' FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    WITH gone AS (
        DELETE FROM balansity.held_message WHERE message_id IN (
            SELECT message_id FROM balansity.held_message WHERE provider = p_provider
            ORDER BY deadline, message_id LIMIT p_limit)
        RETURNING message_id, provider, deadline
    )
    SELECT array_agg(message_id ORDER BY deadline, message_id), count(*) FILTER (WHERE deadline < 'infinity')
    INTO ids, pressing FROM gone WHERE provider = p_provider;
    PERFORM dramatiq.hasten(ids, pressing) WHERE ids IS NOT NULL;
    RETURN coalesce(cardinality(ids), 0);
END $$;
COMMENT ON FUNCTION balansity.let_go IS
'Makes some of what was held for a provider due, by deadline, and before all else what has one; returns how many. Nothing
while the provider is away. A batch at a time, so that a million end no statement.';

CREATE FUNCTION balansity.provider_worked(p_provider text, p_worker text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present constant timestamptz := balansity.now();
    remembered constant interval := '90 days';
    known balansity.provider_state;
BEGIN
    SELECT * INTO known FROM balansity.provider_state WHERE provider = p_provider FOR UPDATE;
    IF known.state IN ('available', 'unheard') THEN
        UPDATE balansity.provider_state SET silences = 0 WHERE provider = p_provider;
    END IF;
    IF known IS NULL OR known.state IN ('available', 'unheard') THEN
        RETURN false;
    END IF;
    UPDATE balansity.provider_state
    SET state = 'available', since = present, reason = NULL, noticed_by = p_worker, begun_by = NULL, probes = 0
    WHERE provider = p_provider;
    INSERT INTO balansity.outage (provider, began_at, ended_at, begun_by)
    VALUES (p_provider, known.since, present, known.begun_by);
    DELETE FROM balansity.outage WHERE provider = p_provider AND ended_at < present - remembered;
    PERFORM balansity.let_go(p_provider, 1000);
    RETURN true;
END $$;
COMMENT ON FUNCTION balansity.provider_worked IS
'A provider answers: what was held for it is due, in the order of its deadlines, the first thousand at once. Whether it
was away. One that is unheard of answers, too: only its events end that.';

CREATE FUNCTION balansity.provider_unasked(p_provider text, p_message_id uuid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE balansity.provider_state SET state = 'away', next_probe_at = balansity.now()
    WHERE provider = p_provider AND state = 'probing' AND probe = p_message_id;
    DELETE FROM balansity.held_message WHERE message_id = p_message_id;
END $$;
COMMENT ON FUNCTION balansity.provider_unasked IS
'The message had nothing to ask of the provider after all: if it was to probe, the next one is.';

CREATE FUNCTION balansity.time_away(p_provider text, p_from timestamptz, p_to timestamptz) RETURNS interval
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(sum(least(ended_at, p_to) - greatest(began_at, p_from)), interval '0')
    FROM (
        SELECT began_at, ended_at FROM balansity.outage WHERE provider = p_provider AND ended_at > p_from
        UNION ALL
        SELECT since, p_to FROM balansity.provider_state WHERE provider = p_provider AND state <> 'available'
    ) AS outages
    WHERE began_at < p_to;
$$;
COMMENT ON FUNCTION balansity.time_away IS
'For how long a provider was away between two times: that is no time in which it could have answered.';

CREATE FUNCTION balansity.is_awaited(p_provider text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM balansity.provider_state WHERE provider = p_provider AND state <> 'available') AND EXISTS (
        SELECT FROM balansity.held_message WHERE provider = p_provider AND dramatiq.is_pending(message_id));
$$;
COMMENT ON FUNCTION balansity.is_awaited IS
'Whether a provider is away and a message waits that is going to notice when it is back: nothing else need ask meanwhile.';
