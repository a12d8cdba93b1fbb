-- Keeps mails single: no table of a month knows what stands in the others.

CREATE TABLE balansity.delivery_key (
    id uuid PRIMARY KEY,
    key text COLLATE "C" NOT NULL UNIQUE,   -- in "C" found by its beginning
    planned_at timestamptz NOT NULL         -- in the table of which month the delivery stands
);
COMMENT ON TABLE balansity.delivery_key IS
'Whose an id and a business reason are, of all deliveries that are kept: small, and the way to the right month.';

CREATE FUNCTION balansity.when_planned(p_id uuid) RETURNS timestamptz
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT planned_at FROM balansity.delivery_key WHERE id = p_id);
END $$;
COMMENT ON FUNCTION balansity.when_planned IS
'When a delivery was planned, so that it is looked for in one month; NULL where there is none.';

CREATE FUNCTION balansity.earliest(p_planned_at timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE
RETURN p_planned_at - interval '24 hours';
COMMENT ON FUNCTION balansity.earliest IS
'Since when a mail that was planned then may have attempts and events, however the clocks of two servers differ: no month
before is looked through.';

CREATE FUNCTION balansity.keep_delivery_key() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    CASE TG_OP
        WHEN 'INSERT' THEN
            INSERT INTO balansity.delivery_key (id, key, planned_at) VALUES (NEW.id, NEW.key, NEW.planned_at)
            ON CONFLICT DO NOTHING;
            RETURN CASE WHEN FOUND THEN NEW END;
        WHEN 'UPDATE' THEN
            UPDATE balansity.delivery_key SET id = NEW.id, key = NEW.key, planned_at = NEW.planned_at WHERE id = OLD.id;
            RETURN NEW;
        WHEN 'DELETE' THEN
            DELETE FROM balansity.delivery_key WHERE id = OLD.id;
            RETURN OLD;
        ELSE
            DELETE FROM balansity.delivery_key; -- with a mail go its attempts and events
            DELETE FROM balansity.delivery_attempt;
            DELETE FROM balansity.delivery_event;
            RETURN NULL;
    END CASE;
END $$;
COMMENT ON FUNCTION balansity.keep_delivery_key IS
'Has every delivery in balansity.delivery_key. Where its id or key is another''s, no row is inserted and none returned, as
with ON CONFLICT DO NOTHING, which no table of months can.';
