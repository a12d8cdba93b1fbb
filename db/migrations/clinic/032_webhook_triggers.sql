-- What the three triggers do that turn the site's changes into messages, in the transaction that makes the change.
-- Odd mail data never fails that transaction: what cannot be done is flagged for a person instead.

CREATE FUNCTION balansity.handle_checkup_completed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    owner_id uuid;
    profile_name text;
    completed_at text;
BEGIN
    IF NOT balansity.in_charge() OR NEW.status IS DISTINCT FROM 'completed' OR OLD.status = 'completed' THEN
        RETURN NULL;
    END IF;
    completed_at := balansity.iso_utc(coalesce(NEW.completed_at, balansity.now()));
    SELECT p.user_id, concat_ws(' ', p.first_name, p.last_name) INTO owner_id, profile_name
    FROM public.profiles p
    WHERE p.id = NEW.profile_id;

    PERFORM pgmq.send('report_generation_queue', jsonb_build_object(
        'assessment_id', NEW.id,
        'user_id', owner_id,
        'report_type', 'pdf',
        'created_at', balansity.iso_utc(balansity.now())
    ));
    PERFORM balansity.send_mail(
        owner_id, 'checkup:' || NEW.id || ':completed', 'checkup_completed', 'Ваш чекап завершен',
        jsonb_build_object('assessment_id', NEW.id, 'profile_name', profile_name, 'completed_at', completed_at)
    );
    PERFORM pgmq.send('analytics_queue', jsonb_build_object(
        'type', 'assessment_completed',
        'assessment_id', NEW.id,
        'assessment_type', NEW.assessment_type,
        'user_id', owner_id,
        'completed_at', completed_at,
        'created_at', balansity.iso_utc(balansity.now()),
        'key', 'checkup:' || NEW.id || ':completed'
    ));
    RETURN NULL;
END $$;
COMMENT ON FUNCTION balansity.handle_checkup_completed IS
'Check-up completed → report, mail, analytics. A check-up without a profile has no user: its report is made all the same,
and its mail, having no address, ends in the ledger.';

CREATE FUNCTION balansity.handle_new_appointment() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT balansity.in_charge() OR NEW.status IS NULL OR NEW.status NOT IN ('pending', 'scheduled', 'confirmed') THEN
        RETURN NULL;
    END IF;
    PERFORM balansity.send_mail(
        NEW.user_id, 'appointment:' || NEW.id || ':booked', 'appointment_confirmation',
        'Подтверждение записи на консультацию',
        jsonb_build_object(
            'appointment_id', NEW.id,
            'appointment_type',
            (SELECT t.name FROM public.appointment_types t WHERE t.id = NEW.appointment_type_id),
            'scheduled_at', balansity.iso_utc(NEW.scheduled_at),
            'status', NEW.status
        ),
        'appointment:' || NEW.id
    );
    RETURN NULL;
END $$;
COMMENT ON FUNCTION balansity.handle_new_appointment IS
'Consultation booked → confirmation. Rows that arrive as history (completed, cancelled, …) are not news.';

CREATE FUNCTION balansity.doubt_completion(p_payment public.payments, p_now timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF balansity.is_known_to_provider(p_payment) THEN
        INSERT INTO balansity.payment_check AS c (payment_id, checks, next_at, since, claimed)
        VALUES (p_payment.id, 0, p_now, p_now, true)
        ON CONFLICT (payment_id) DO UPDATE
        SET checks = 0, next_at = excluded.next_at, since = excluded.since, claimed = true;
    ELSE
        PERFORM balansity.flag_payment(
            p_payment.id, 'completed as a visitor wrote it, and no provider can be asked', p_now, p_halts => true
        );
    END IF;
END $$;
COMMENT ON FUNCTION balansity.doubt_completion IS
'A completion that the service did not write, or of a row that it did not write so, has no effect until the provider says
the same, or a person does.';

CREATE FUNCTION balansity.note_external_id(p_payment public.payments, p_now timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF balansity.is_service() THEN
        PERFORM balansity.vouch_for(p_payment);
    END IF;
    IF balansity.in_charge() AND balansity.is_anothers(p_payment) THEN
        PERFORM balansity.flag_anothers(p_payment.id, p_now);
    END IF;
END $$;
COMMENT ON FUNCTION balansity.note_external_id IS
'The service''s word for what a payment at the provider is for; a visitor''s is none.';

CREATE FUNCTION balansity.handle_new_payment() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM balansity.note_external_id(NEW, balansity.now()); -- also while an old system is in charge: it may be paid later
    IF NOT balansity.in_charge() THEN
        RETURN NULL;
    END IF;
    IF NOT balansity.is_service() AND NEW.status IN ('completed', 'refunded') THEN
        PERFORM balansity.doubt_completion(NEW, balansity.now());
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION balansity.handle_new_payment IS
'New payment → whose the provider''s id is. One that arrives completed is no news; a visitor''s is doubted.';

CREATE FUNCTION balansity.handle_payment_status_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    was_open boolean := OLD.status IN ('pending', 'processing');
    is_open boolean := NEW.status IN ('pending', 'processing');
BEGIN
    IF NOT balansity.in_charge() THEN
        RETURN NULL;
    END IF;
    IF NEW.external_payment_id IS DISTINCT FROM OLD.external_payment_id THEN
        PERFORM balansity.note_external_id(NEW, balansity.now());
    ELSIF balansity.is_service() AND balansity.is_vouched_for(OLD) THEN
        PERFORM balansity.vouch_for(NEW) WHERE balansity.terms_of(NEW) <> balansity.terms_of(OLD);
    END IF;
    IF OLD.status IS NOT DISTINCT FROM NEW.status THEN
        RETURN NULL;
    END IF;
    UPDATE balansity.payment_check SET claimed = false
    WHERE payment_id = NEW.id AND claimed AND NEW.status IS DISTINCT FROM 'completed';
    IF NEW.status = 'completed' AND NOT (balansity.is_service() AND balansity.is_vouched_for(NEW)) THEN
        PERFORM balansity.doubt_completion(NEW, balansity.now());
    END IF;
    IF is_open AND NOT was_open THEN -- another attempt, with three days of its own
        INSERT INTO balansity.payment_check AS c (payment_id, checks, next_at, since)
        VALUES (NEW.id, 0, balansity.now() + interval '5 minutes', balansity.now())
        ON CONFLICT (payment_id) DO UPDATE SET checks = 0, next_at = excluded.next_at, since = excluded.since;
    ELSIF NOT is_open THEN -- decided
        DELETE FROM balansity.payment_flag
        WHERE payment_id = NEW.id AND reason IN ('open for 3 days', 'refund pending for 3 days');
    END IF;
    IF EXISTS (
        SELECT FROM balansity.payment_transition
        WHERE (old_status, new_status) = (OLD.status, NEW.status)
    ) THEN
        PERFORM balansity.settle_payment(NEW.id, balansity.now());
    ELSE
        PERFORM balansity.flag_payment(
            NEW.id, format('unexpected change: %s → %s', OLD.status, NEW.status), balansity.now(), p_halts => true
        );
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION balansity.handle_payment_status_change IS
'Payment status changed → what that status requires, each once; a change that may not be is flagged for a person.';
