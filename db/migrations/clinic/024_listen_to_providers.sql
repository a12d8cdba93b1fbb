-- Notices a provider that accepts mails and reports nothing of them: a suspended account answers 202 and drops them all.

CREATE INDEX delivery_attempt_accepted ON balansity.delivery_attempt (provider, finished_at) WHERE outcome = 'sent';
CREATE INDEX delivery_event_by_receipt ON balansity.delivery_event (received_at);

CREATE FUNCTION balansity.unheard_since(p_provider text) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off -- mail by mail: no month is read whole
AS $$
DECLARE
    patience constant interval := '15 minutes'; -- an event of a mail's acceptance comes within seconds
    pattern constant integer := 3;              -- one lost event is none, nor are two of one family's mails
    first_unheard timestamptz;
BEGIN
    SELECT min(latest.started_at) INTO first_unheard
    FROM (
        SELECT a.started_at,
            ( -- mail by mail, or all events would be hashed
                SELECT true FROM balansity.delivery_event e WHERE e.delivery_id = a.delivery_id LIMIT 1
            ) IS NOT NULL AS heard
        FROM balansity.delivery_attempt a
        WHERE a.provider = p_provider AND a.outcome = 'sent' AND a.finished_at <= balansity.now() - patience
        ORDER BY a.finished_at DESC
        LIMIT pattern
    ) AS latest
    HAVING count(*) = pattern AND NOT bool_or(latest.heard);

    -- News of a mail that left later tells of them all; of one that left before, however late it comes, of none.
    IF EXISTS (
        SELECT FROM balansity.delivery_event e
        JOIN balansity.delivery_attempt a ON a.delivery_id = e.delivery_id
        WHERE e.received_at >= first_unheard AND a.provider = p_provider AND a.started_at >= first_unheard
    ) THEN
        RETURN NULL;
    END IF;
    RETURN first_unheard;
END $$;
COMMENT ON FUNCTION balansity.unheard_since IS
'When the first of the last three mails left that the provider has had for 15 minutes, if it has reported nothing of
them nor of any later one; else NULL.';

CREATE FUNCTION balansity.unheard(p_reporting text[]) RETURNS TABLE (id uuid, changed_at timestamptz)
LANGUAGE sql STABLE AS $$
    SELECT d.id, d.changed_at FROM balansity.delivery d
    WHERE d.state = 'sent'
      -- Mail by mail, from the month on in which it was planned: no month is read whole.
      AND (
          SELECT true FROM balansity.delivery_attempt a
          WHERE a.delivery_id = d.id AND a.started_at >= balansity.earliest(d.planned_at)
            AND a.outcome = 'sent' AND a.provider = ANY (p_reporting)
            AND a.finished_at <= balansity.now() - interval '15 minutes'
          LIMIT 1
      )
      AND (
          SELECT true FROM balansity.delivery_event e
          WHERE e.delivery_id = d.id AND e.received_at >= balansity.earliest(d.planned_at) LIMIT 1
      ) IS NULL;
$$;
COMMENT ON FUNCTION balansity.unheard IS
'The deliveries that one of the providers that report on their mails has accepted and said nothing more of. Without a pinned
path, which would keep it from being inlined: who wants one, or the latest, would have all found. Its callers'' paths are
safe.';

CREATE FUNCTION balansity.heard_again(p_provider text, p_worker text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present constant timestamptz := balansity.now();
    known balansity.provider_state;
BEGIN
    SELECT * INTO known FROM balansity.provider_state WHERE provider = p_provider FOR UPDATE;
    IF known.state = 'unheard' THEN
        INSERT INTO balansity.outage (provider, began_at, ended_at) VALUES (p_provider, known.since, present);
    ELSIF known.state IS DISTINCT FROM 'available' OR known.reason IS NULL THEN
        RETURN false;
    END IF;
    UPDATE balansity.provider_state
    SET state = 'available', since = present, reason = NULL, noticed_by = p_worker, silences = 0, probes = 0
    WHERE provider = p_provider;
    PERFORM balansity.let_go(p_provider, 1000);
    RETURN true;
END $$;
COMMENT ON FUNCTION balansity.heard_again IS
'A provider reports on its mails again, or is no longer expected to: what was held goes. Whether that was news.';

CREATE FUNCTION balansity.hear_providers(p_worker text) RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*) FILTER (WHERE balansity.heard_again(s.provider, p_worker))
    FROM balansity.provider_state s
    WHERE s.state = 'unheard' AND balansity.unheard_since(s.provider) IS NULL;
$$;
COMMENT ON FUNCTION balansity.hear_providers IS
'Events have come: what was held goes at once where they end a silence; of how many providers. The last thing in a batch''s
transaction, which by then has locked its deliveries: so that two batches never wait for each other.';

CREATE FUNCTION balansity.listen_to_provider(
    p_provider text, p_reports boolean, p_worker text, OUT verdict text, OUT news boolean
) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off -- mail by mail: no month is read whole
AS $$
DECLARE
    present constant timestamptz := balansity.now();
    since_when constant timestamptz := CASE WHEN p_reports THEN balansity.unheard_since(p_provider) END;
    words text;
BEGIN
    IF since_when IS NULL THEN
        verdict := 'heard';
        news := balansity.heard_again(p_provider, p_worker);
        RETURN;
    END IF;
    verdict := CASE WHEN EXISTS (
        SELECT FROM balansity.delivery_event e
        JOIN balansity.delivery_attempt a ON a.delivery_id = e.delivery_id AND a.provider = p_provider
    ) THEN 'unheard' ELSE 'never heard' END;
    words := CASE verdict
        WHEN 'unheard' THEN 'it accepts mails and reports nothing of them any more: its account may be suspended, or its '
            'events do not reach us'
        ELSE 'it accepts mails and has never reported on any: its events are not switched on, or its account is suspended'
    END;
    INSERT INTO balansity.provider_state AS known (provider, state, since, reason, noticed_by, next_probe_at)
    VALUES (
        p_provider, CASE verdict WHEN 'unheard' THEN 'unheard' ELSE 'available' END, since_when, words, p_worker, present
    )
    ON CONFLICT (provider) DO UPDATE
    SET state = excluded.state, since = since_when, reason = words, noticed_by = p_worker, probes = 0,
        next_probe_at = present
    WHERE known.state = 'available' AND (known.state, known.reason) IS DISTINCT FROM (excluded.state, words);
    news := FOUND;
END $$;
COMMENT ON FUNCTION balansity.listen_to_provider IS
'Looks whether a provider reports on the mails that it accepts; p_reports tells whether it is expected to. `heard`;
`unheard`, once it did and has stopped: mails are held, but for a probe now and then; `never heard`: events may just not be
switched on there, and mails go on. And whether that was news.';
