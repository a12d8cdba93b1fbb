-- Keeps what providers report after a mail has left, and the addresses that want or take no more mail.

CREATE TABLE balansity.delivery_event (
    id text NOT NULL,                       -- the provider's: events come repeatedly and count once
    delivery_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('processed', 'deferred', 'delivered', 'dropped', 'bounced', 'blocked', 'complained')),
    detail text,                            -- the provider's words
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (delivery_id, id, received_at)
) PARTITION BY RANGE (received_at);
CREATE TABLE balansity.delivery_event_other PARTITION OF balansity.delivery_event DEFAULT;

CREATE TABLE balansity.suppression (
    address text PRIMARY KEY CHECK (address = lower(address)),
    reason text NOT NULL CHECK (reason IN ('unsubscribed', 'bounced', 'complained')), -- each stops more
    delivery_id uuid,                       -- the mail that tells, as long as it is kept
    since timestamptz NOT NULL,
    unsubscribed boolean NOT NULL DEFAULT false -- a family's wish, which outlives a bounce that somebody lifts
);

CREATE FUNCTION balansity.suppression_reach(p_reason text) RETURNS integer
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_position('{unsubscribed,bounced,complained}', p_reason);
$$;
COMMENT ON FUNCTION balansity.suppression_reach IS
'How much a suppression stops, beside others: an address has one, that which stops most.';

CREATE FUNCTION balansity.unsubscribe(p_delivery_id uuid) RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    WITH noted AS (
        INSERT INTO balansity.suppression AS s (address, reason, delivery_id, since, unsubscribed)
        SELECT lower(d.recipient), 'unsubscribed', d.id, balansity.now(), true
        FROM balansity.delivery d
        WHERE d.id = p_delivery_id AND d.planned_at = balansity.when_planned(p_delivery_id) AND d.recipient IS NOT NULL
        ON CONFLICT (address) DO UPDATE SET unsubscribed = true -- the reason that it has stops no less
        WHERE NOT s.unsubscribed
        RETURNING 1
    )
    SELECT EXISTS (SELECT FROM noted);
$$;
COMMENT ON FUNCTION balansity.unsubscribe IS
'Whoever got this mail wants none of those that can be done without. Returns whether that was news: false where it was
known, or the person has been forgotten.';

CREATE FUNCTION balansity.delivery_progress(p_state text) RETURNS integer
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE p_state
        WHEN 'sent' THEN 1
        WHEN 'delivered' THEN 2
        WHEN 'dropped' THEN 3
        WHEN 'bounced' THEN 4
        WHEN 'complained' THEN 5
        ELSE 0                              -- not out, as far as we know
    END;
$$;
COMMENT ON FUNCTION balansity.delivery_progress IS
'How far along a delivery is; events arrive in any order and only ever move it forward.';

CREATE FUNCTION balansity.record_event(
    p_id text, p_delivery_id uuid, p_kind text, p_detail text, p_occurred_at timestamptz
) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    next_state text := CASE p_kind
        WHEN 'processed' THEN 'sent' WHEN 'deferred' THEN 'sent' WHEN 'blocked' THEN 'bounced' ELSE p_kind
    END;
    known balansity.delivery;
BEGIN
    SELECT * INTO known FROM balansity.delivery
    WHERE id = p_delivery_id AND planned_at = balansity.when_planned(p_delivery_id)
    FOR NO KEY UPDATE; -- so that of the same event twice the second sees the first
    IF NOT FOUND OR EXISTS (
        SELECT FROM balansity.delivery_event e
        WHERE e.delivery_id = p_delivery_id AND e.id = p_id AND e.received_at >= balansity.earliest(known.planned_at)
    ) THEN
        RETURN false;
    END IF;
    INSERT INTO balansity.delivery_event (id, delivery_id, kind, detail, occurred_at, received_at)
    VALUES (p_id, p_delivery_id, p_kind, CASE WHEN known.recipient IS NOT NULL THEN p_detail END, p_occurred_at,
        balansity.now() + (clock_timestamp() - now())); -- a batch is one transaction: its events keep their order

    UPDATE balansity.delivery d
    SET state = next_state,
        reason = CASE WHEN next_state IN ('dropped', 'bounced') AND d.recipient IS NOT NULL THEN p_detail END,
        sent_at = coalesce(d.sent_at, p_occurred_at),
        changed_at = balansity.now()
    WHERE (d.id, d.planned_at) = (known.id, known.planned_at)
      AND (d.attempts > 0 OR d.held_at IS NOT NULL) -- else it never left, whatever anyone reports
      AND balansity.delivery_progress(next_state) > balansity.delivery_progress(d.state);

    -- A refusal for good, or a complaint. `blocked` is a refusal for today, `dropped` a refusal by the provider's own list.
    INSERT INTO balansity.suppression (address, reason, delivery_id, since)
    SELECT lower(known.recipient), p_kind, known.id, balansity.now()
    WHERE known.recipient IS NOT NULL AND p_kind IN ('bounced', 'complained')
    ON CONFLICT (address) DO UPDATE SET reason = excluded.reason, delivery_id = excluded.delivery_id, since = excluded.since
    WHERE balansity.suppression_reach(suppression.reason) < balansity.suppression_reach(excluded.reason);
    RETURN true;
END $$;
COMMENT ON FUNCTION balansity.record_event IS
'Takes in one event. Returns whether it was news: false for a repetition or a delivery that nobody knows. The provider''s
words may quote an address: they are dropped where the person has been forgotten.';
