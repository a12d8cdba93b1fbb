-- Tells the family, and their calendar, when a booked consultation is moved or cancelled.

CREATE TABLE balansity.ordered_move (
    appointment_id uuid PRIMARY KEY, -- no foreign key: the service's tables carry nothing of ours
    scheduled_at timestamptz -- NULL for one that no row of a clinic can mean
);
COMMENT ON TABLE balansity.ordered_move IS
'The time that a consultation was moved to when a mail about a move of it was last ordered. Of a move to any other time,
while the old system was in charge, no mail tells: whatever mail names the time next must name that.';

CREATE FUNCTION balansity.handle_appointment_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    was_booked boolean := OLD.status IN ('pending', 'scheduled', 'confirmed');
    cancelled boolean := NEW.status = 'cancelled';
    moved boolean := NEW.status IN ('pending', 'scheduled', 'confirmed')
        AND NEW.scheduled_at IS DISTINCT FROM OLD.scheduled_at;
    change text := CASE WHEN cancelled THEN 'cancelled' ELSE 'moved' END;
BEGIN
    IF NOT balansity.in_charge() OR (was_booked AND (cancelled OR moved)) IS NOT TRUE THEN
        RETURN NULL;
    END IF;
    IF NEW.scheduled_at <= balansity.now() THEN
        RETURN NULL;  -- what has begun or is over is history: a change of it is no news
    END IF;
    IF moved THEN
        INSERT INTO balansity.ordered_move AS m (appointment_id, scheduled_at)
        VALUES (NEW.id, balansity.of_our_time(NEW.scheduled_at))
        ON CONFLICT (appointment_id) DO UPDATE SET scheduled_at = excluded.scheduled_at;
    END IF;
    PERFORM balansity.send_mail(
        NEW.user_id,
        -- The transaction's time tells a second move to the same hour from a replay of the first.
        concat_ws(':', 'appointment', NEW.id, change, balansity.iso_utc(NEW.scheduled_at), balansity.iso_utc(balansity.now())),
        'appointment_' || change,
        CASE WHEN cancelled THEN 'Консультация отменена' ELSE 'Консультация перенесена' END,
        jsonb_build_object(
            'appointment_id', NEW.id,
            'scheduled_at', balansity.iso_utc(NEW.scheduled_at),
            'previous_scheduled_at', balansity.iso_utc(OLD.scheduled_at),
            'status', NEW.status
        ),
        'appointment:' || NEW.id
    );
    RETURN NULL;
END $$;
COMMENT ON FUNCTION balansity.handle_appointment_change IS
'Consultation moved or cancelled → mail, each move its own: the calendar of the family follows.';
