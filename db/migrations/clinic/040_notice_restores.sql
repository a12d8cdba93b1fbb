-- Notices that the data stands elsewhere than it stood: restored from a dump or copied. What was due by then may have left
-- before, from where it stood, so a person decides.

CREATE TABLE balansity.home (
    system_identifier bigint,               -- NULL where the server does not tell it
    database_oid oid NOT NULL,
    table_oid oid NOT NULL,                 -- this table's: another after pg_restore into the same database, too
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    left_at timestamptz
);
COMMENT ON TABLE balansity.home IS
'Where this data has stood. A dump carries the rows along, and nothing tells of the journey but that they are of elsewhere.';

CREATE TABLE balansity.restore (
    noticed_at timestamptz PRIMARY KEY,     -- what was due by then may have left before
    restored_to timestamptz,                -- of a point-in-time restore, by a person's word
    released_at timestamptz                 -- when a person let go out what it held
);

CREATE TABLE balansity.doubtful_mail (
    key text PRIMARY KEY                    -- or its beginning, of a mail whose cause was due before a restore, and whose
                                            -- message comes after it
);

CREATE FUNCTION balansity.system_identifier() RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') THEN
        RETURN (SELECT s.system_identifier FROM pg_catalog.pg_control_system() s);
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION balansity.system_identifier IS
'What initdb called this server: its standbys and physical copies share it. NULL where this role may not ask.';

CREATE FUNCTION balansity.is_here(p_home balansity.home) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT p_home.database_oid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
       AND p_home.table_oid = 'balansity.home'::regclass
       AND p_home.system_identifier = balansity.system_identifier() IS NOT FALSE;
$$;
COMMENT ON FUNCTION balansity.is_here IS
'Whether the data stands where it stood then; a standby that took over is the same place.';

CREATE FUNCTION balansity.notice_restore() RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    here boolean;
    elsewhere boolean;
BEGIN
    FOR look IN 1..2 LOOP
        SELECT coalesce(bool_or(balansity.is_here(h)), false), coalesce(bool_or(NOT balansity.is_here(h)), false)
        INTO here, elsewhere
        FROM balansity.home h WHERE left_at IS NULL;
        IF here AND NOT elsewhere THEN
            RETURN false;
        END IF;
        LOCK TABLE balansity.home IN EXCLUSIVE MODE; -- the first to notice settles it, the others wait and look again
    END LOOP;

    UPDATE balansity.home h SET left_at = clock_timestamp() WHERE left_at IS NULL AND NOT balansity.is_here(h);
    IF NOT here THEN
        INSERT INTO balansity.home (system_identifier, database_oid, table_oid)
        SELECT balansity.system_identifier(), oid, 'balansity.home'::regclass
        FROM pg_catalog.pg_database WHERE datname = current_database();
    END IF;
    IF elsewhere THEN
        PERFORM balansity.note_restore(NULL);
    END IF;
    RETURN elsewhere;
END $$;
COMMENT ON FUNCTION balansity.notice_restore IS
'Notes a restore where this data has come from elsewhere, and returns whether that was news. Where it never stood
anywhere before, its place is noted silently. Cheap enough for every mail.';

CREATE FUNCTION balansity.note_restore(p_restored_to timestamptz) RETURNS timestamptz
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO balansity.doubtful_mail (key)
    SELECT concat_ws(':', 'reminder', due.kind, due.appointment_id, balansity.iso_utc(due.scheduled_at))
    FROM balansity.reminders_between(balansity.now(), balansity.now()) due
    ON CONFLICT DO NOTHING;
    INSERT INTO balansity.restore (noticed_at, restored_to) VALUES (clock_timestamp(), p_restored_to) RETURNING noticed_at;
$$;
COMMENT ON FUNCTION balansity.note_restore IS
'From now on, every mail is held that was due by now and has not left as far as this data knows: a delivery when its
message comes, a reminder that is due but has no message yet by its key.';

CREATE FUNCTION balansity.latest_restore() RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT max(noticed_at) FROM balansity.restore WHERE released_at IS NULL;
$$;
COMMENT ON FUNCTION balansity.latest_restore IS
'When the last restore was noticed that still holds mails; NULL where none does.';

CREATE FUNCTION balansity.was_due_before_restore(p_key text, p_message_id text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    noticed_at constant timestamptz := balansity.latest_restore();
BEGIN
    RETURN noticed_at IS NOT NULL AND (
        coalesce(dramatiq.due_since(p_message_id) <= noticed_at, false)
        OR EXISTS (SELECT FROM balansity.doubtful_mail d WHERE starts_with(p_key, d.key))
    );
END $$;
COMMENT ON FUNCTION balansity.was_due_before_restore IS
'Whether a mail may have left before the last restore, by its message''s time or its cause''s.';

CREATE FUNCTION balansity.is_doubted(p_delivery balansity.delivery, p_message_id text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN coalesce(p_delivery.vouched_at <= balansity.latest_restore(), false) AND (
        p_delivery.state IN ('planned', 'sending', 'unknown')
        OR balansity.was_due_before_restore(p_delivery.key, p_message_id)
    );
END $$;
COMMENT ON FUNCTION balansity.is_doubted IS
'Whether a delivery that did not leave, as far as this data knows, may have left before the last restore. One that had
ended is asked for anew by its message: that one''s time counts.';

CREATE FUNCTION balansity.hold_delivery(p_id uuid, p_entry balansity.mail_entry) RETURNS balansity.delivery
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    UPDATE balansity.delivery
    SET state = 'unknown', message_id = p_entry.message_id, held_at = clock_timestamp(), changed_at = balansity.now(),
        appointment_id = coalesce(p_entry.appointment_id, appointment_id),
        scheduled_at = coalesce(p_entry.scheduled_at, scheduled_at),
        reason = format('it may have left before the restore that was noticed at %s: `balansity restored` decides',
                        balansity.iso_utc(date_trunc('second', balansity.latest_restore())))
    WHERE id = p_id AND planned_at = balansity.when_planned(p_id)
    RETURNING *;
$$;
COMMENT ON FUNCTION balansity.hold_delivery IS
'Leaves a delivery that a restore has made doubtful to a person.';

CREATE FUNCTION balansity.doubt_mail(p_key text, p_cause_since timestamptz) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO balansity.doubtful_mail (key)
    SELECT p_key WHERE p_cause_since <= balansity.latest_restore()
    ON CONFLICT DO NOTHING;
$$;
COMMENT ON FUNCTION balansity.doubt_mail IS
'Work that was under way before a restore is done again, and only its mail would come twice: where its cause was there
before, so may the mail have been.';

CREATE FUNCTION balansity.release_held(p_limit integer) RETURNS TABLE (id uuid, refusal text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held balansity.delivery;
BEGIN
    UPDATE balansity.restore SET released_at = clock_timestamp() WHERE released_at IS NULL;
    DELETE FROM balansity.doubtful_mail;
    FOR held IN
        SELECT * FROM balansity.delivery d WHERE d.state = 'unknown' AND d.held_at IS NOT NULL
        ORDER BY d.planned_at LIMIT p_limit FOR UPDATE SKIP LOCKED
    LOOP
        id := held.id;
        refusal := CASE WHEN dramatiq.send_again(held.message_id::uuid) IS NOT TRUE
                        THEN 'its message is no longer kept: order the mail anew, under another key' END;
        UPDATE balansity.delivery d
        SET state = CASE WHEN refusal IS NULL THEN 'planned' ELSE 'failed' END,
            reason = coalesce(refusal, 'let go after a restore'), held_at = NULL, vouched_at = clock_timestamp(),
            changed_at = balansity.now()
        WHERE (d.id, d.planned_at) = (held.id, held.planned_at);
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION balansity.release_held IS
'A person''s decision that what a restore holds is to be sent, as far as it is still true: p_limit of them at most, and
whatever comes to be held later not at all. The mails keep their Message-IDs, so one that did arrive is no second one.';

CREATE FUNCTION balansity.close_held(p_ids uuid[], p_limit integer, p_reason text) RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off -- mail by mail: no month is read whole
AS $$
    WITH closed AS (
        UPDATE balansity.delivery d
        SET state = 'sent', reason = p_reason, changed_at = balansity.now()
        WHERE (d.id, d.planned_at) IN (
            SELECT id, planned_at FROM balansity.delivery
            WHERE state = 'unknown' AND held_at IS NOT NULL AND (p_ids IS NULL OR id = ANY (p_ids))
            ORDER BY planned_at LIMIT p_limit FOR UPDATE SKIP LOCKED
        )
        RETURNING d.id
    )
    SELECT count(*) FROM closed
$$;
COMMENT ON FUNCTION balansity.close_held IS
'Notes that mails which a restore holds had been sent before it: of these, or where p_ids is NULL of all, p_limit at most.';

CREATE INDEX delivery_held ON balansity.delivery (planned_at) WHERE state = 'unknown' AND held_at IS NOT NULL;

DO $$
BEGIN
    PERFORM balansity.notice_restore(); -- where this database stands to begin with
END $$;
