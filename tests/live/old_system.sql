-- The system being replaced, with its faults: queues that anybody fills and reads, triggers, reminders, statuses.

SELECT pgmq.create(queue)
FROM unnest(ARRAY['email_queue', 'report_generation_queue', 'payment_processing_queue', 'analytics_queue']) AS queue;
CREATE VIEW pgmq.email_queue AS SELECT * FROM pgmq.q_email_queue;

CREATE FUNCTION public.queue_email_task(
    p_to text, p_subject text, p_template text, p_variables jsonb DEFAULT '{}'::jsonb, p_priority integer DEFAULT 0
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    RETURN pgmq.send('email_queue', jsonb_build_object(
        'to', p_to, 'subject', p_subject, 'template', p_template, 'variables', p_variables,
        'priority', p_priority, 'created_at', now()));
END $$;

CREATE FUNCTION public.queue_report_generation(p_assessment_id uuid, p_user_id uuid, p_report_type text DEFAULT 'pdf')
RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$
    SELECT pgmq.send('report_generation_queue', jsonb_build_object(
        'assessment_id', p_assessment_id, 'user_id', p_user_id, 'report_type', p_report_type, 'created_at', now()))
$$;

CREATE FUNCTION public.queue_payment_processing(p_payment_id uuid, p_action text)
RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$
    SELECT pgmq.send('payment_processing_queue', jsonb_build_object(
        'payment_id', p_payment_id, 'action', p_action, 'created_at', now()))
$$;

CREATE FUNCTION public.pgmq_read(queue text, visibility integer DEFAULT 5)
RETURNS TABLE (msg_id bigint, read_ct integer, msg jsonb) LANGUAGE sql SECURITY DEFINER AS $$
    SELECT r.msg_id, r.read_ct::integer, r.message FROM pgmq.read(queue, visibility, 1) AS r
$$;

CREATE FUNCTION public.pgmq_archive(queue_name text, msg_id bigint) RETURNS boolean
LANGUAGE sql SECURITY DEFINER AS $$ SELECT pgmq.archive($1, $2) $$;

CREATE FUNCTION public.handle_checkup_completed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    owner record;
BEGIN
    IF NEW.status = 'completed' AND OLD.status <> 'completed' THEN
        SELECT u.id, u.email, p.first_name INTO owner
        FROM public.profiles p JOIN public.users u ON u.id = p.user_id WHERE p.id = NEW.profile_id;
        PERFORM public.queue_report_generation(NEW.id, owner.id);
        PERFORM public.queue_email_task(owner.email, 'Ваш чекап завершен', 'checkup_completed', jsonb_build_object(
            'assessment_id', NEW.id, 'profile_name', owner.first_name, 'completed_at', NEW.completed_at));
        PERFORM pgmq.send('analytics_queue', jsonb_build_object(
            'type', 'assessment_completed', 'assessment_id', NEW.id, 'assessment_type', NEW.assessment_type,
            'user_id', owner.id, 'completed_at', NEW.completed_at));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER on_checkup_completed AFTER UPDATE ON public.assessments
    FOR EACH ROW EXECUTE FUNCTION public.handle_checkup_completed();

CREATE FUNCTION public.handle_new_appointment() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM public.queue_email_task(
        (SELECT email FROM public.users WHERE id = NEW.user_id), 'Подтверждение записи на консультацию',
        'appointment_confirmation', jsonb_build_object(
            'appointment_id', NEW.id, 'scheduled_at', NEW.scheduled_at, 'status', NEW.status,
            'appointment_type', (SELECT name FROM public.appointment_types WHERE id = NEW.appointment_type_id)));
    RETURN NEW;
END $$;
CREATE TRIGGER on_new_appointment AFTER INSERT ON public.appointments
    FOR EACH ROW EXECUTE FUNCTION public.handle_new_appointment();

-- 'confirmed' and 'pending' are statuses that the CHECK does not allow: this changes nothing, ever.
CREATE FUNCTION public.handle_payment_status_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    address text := (SELECT email FROM public.users WHERE id = NEW.user_id);
BEGIN
    IF NEW.status = 'completed' AND OLD.status <> 'completed' THEN
        UPDATE public.appointments SET status = 'confirmed' WHERE payment_id = NEW.id AND status = 'pending';
        PERFORM public.queue_email_task(address, 'Подтверждение оплаты', 'payment_confirmation', jsonb_build_object(
            'payment_id', NEW.id, 'amount', NEW.amount, 'currency', NEW.currency, 'payment_method', NEW.payment_method));
    ELSIF NEW.status = 'failed' AND OLD.status <> 'failed' THEN
        PERFORM public.queue_email_task(address, 'Ошибка оплаты', 'payment_failed', jsonb_build_object(
            'payment_id', NEW.id, 'amount', NEW.amount));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER on_payment_status_change AFTER UPDATE ON public.payments
    FOR EACH ROW EXECUTE FUNCTION public.handle_payment_status_change();

-- 23 to 25 hours ahead: an appointment is told two or three times; 55 to 65 minutes: one at half past is never told.
CREATE FUNCTION public.send_appointment_reminders() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    due record;
BEGIN
    FOR due IN
        SELECT a.id, a.scheduled_at, u.email, ahead.template
        FROM public.appointments a
        JOIN public.users u ON u.id = a.user_id
        JOIN (VALUES ('appointment_reminder_24h', interval '23 hours', interval '25 hours'),
                     ('appointment_reminder_1h', interval '55 minutes', interval '65 minutes'))
            AS ahead (template, earliest, latest)
          ON a.scheduled_at BETWEEN now() + ahead.earliest AND now() + ahead.latest
        WHERE a.status = 'scheduled'
    LOOP
        PERFORM public.queue_email_task(due.email, 'Напоминание о консультации', due.template,
            jsonb_build_object('appointment_id', due.id, 'scheduled_at', due.scheduled_at));
    END LOOP;
END $$;

CREATE FUNCTION public.update_appointment_statuses() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE public.appointments SET status = 'in_progress' WHERE status = 'scheduled' AND scheduled_at <= now();
    UPDATE public.appointments a SET status = 'completed' FROM public.appointment_types t
    WHERE t.id = a.appointment_type_id AND a.status = 'in_progress'
      AND a.scheduled_at + t.duration_minutes * interval '1 minute' <= now();
END $$;
