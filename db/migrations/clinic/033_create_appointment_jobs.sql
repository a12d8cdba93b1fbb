-- What the jobs do to appointments and check-ups: each a function of the present, so that plan and tests can move time.

CREATE FUNCTION balansity.believable_minutes(p_minutes text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN p_minutes ~ '^[0-9]{1,4}([.][0-9]{1,9})?$' THEN
    CASE WHEN p_minutes::numeric BETWEEN 1 AND 1440 THEN round(p_minutes::numeric)::integer END END;
COMMENT ON FUNCTION balansity.believable_minutes IS
'The duration of a consultation, NULL for one that none has: nothing, less than nothing, more than a day.';

CREATE FUNCTION balansity.minutes_of(p_own text, p_of_its_type text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(balansity.believable_minutes(p_own), balansity.believable_minutes(p_of_its_type), 45);
COMMENT ON FUNCTION balansity.minutes_of(text, text) IS
'How long an appointment takes: its own duration where that can be meant, else its type''s.';

CREATE FUNCTION balansity.minutes_of(p_appointment public.appointments) RETURNS integer
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT balansity.minutes_of(
        to_jsonb(p_appointment) ->> 'duration_minutes',
        (SELECT t.duration_minutes::text FROM public.appointment_types t WHERE t.id = p_appointment.appointment_type_id)
    );
$$;
COMMENT ON FUNCTION balansity.minutes_of(public.appointments) IS
'The same of a row, whether or not the deployment has that column.';

CREATE FUNCTION balansity.over_at(p_scheduled_at timestamptz, p_minutes integer) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN p_scheduled_at < '9999-01-01 00:00:00+00' THEN p_scheduled_at + interval '1 minute' * (p_minutes + 15)
       ELSE 'infinity' END;
COMMENT ON FUNCTION balansity.over_at(timestamptz, integer) IS
'When an appointment counts as over: after its duration and 15 minutes of grace.';

CREATE FUNCTION balansity.over_at(p_appointment public.appointments) RETURNS timestamptz
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT balansity.over_at(p_appointment.scheduled_at, balansity.minutes_of(p_appointment));
$$;
COMMENT ON FUNCTION balansity.over_at(public.appointments) IS
'The same of a row.';

CREATE FUNCTION balansity.odd_appointments() RETURNS SETOF uuid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT a.id FROM public.appointments a
    WHERE a.status IN ('pending', 'scheduled', 'confirmed', 'in_progress')
      AND (balansity.of_our_time(a.scheduled_at) IS NULL
           OR to_jsonb(a) ->> 'duration_minutes' IS NOT NULL
              AND balansity.believable_minutes(to_jsonb(a) ->> 'duration_minutes') IS NULL)
    ORDER BY a.id
$$;
COMMENT ON FUNCTION balansity.odd_appointments IS
'The open appointments whose time or duration nobody can mean: jobs and mails do what they can without, a person looks.';

CREATE FUNCTION balansity.update_appointment_statuses(
    p_now timestamptz, p_ids uuid[] DEFAULT NULL, OUT started bigint, OUT completed bigint
)
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    WITH due AS (
        SELECT a.id, a.payment_id, CASE WHEN balansity.over_at(a) <= p_now THEN 'completed' ELSE 'in_progress' END AS status
        FROM public.appointments a
        WHERE (p_ids IS NULL OR a.id = ANY (p_ids))
          AND (a.status IN ('scheduled', 'confirmed') AND a.scheduled_at <= p_now
               OR a.status = 'in_progress' AND balansity.over_at(a) <= p_now)
        FOR NO KEY UPDATE
    )
    SELECT count(*) FILTER (WHERE due.status = 'in_progress'), count(*) FILTER (WHERE due.status = 'completed')
    FROM due, LATERAL balansity.change_appointment(due.id, due.status, due.payment_id, p_now)
$$;
COMMENT ON FUNCTION balansity.update_appointment_statuses IS
'Of these appointments, of all where p_ids is null, begins those whose time has come and completes those that are over.
Under a lock: an appointment cancelled or moved meanwhile is looked at again as it is now.';

CREATE FUNCTION balansity.status_changes_until(p_until timestamptz)
RETURNS TABLE (appointment_id uuid, status text, due_at timestamptz)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.id, 'in_progress', a.scheduled_at
    FROM public.appointments a
    WHERE a.status IN ('scheduled', 'confirmed') AND a.scheduled_at <= p_until
    UNION ALL
    SELECT a.id, 'completed', o.over_at
    FROM public.appointments a
    LEFT JOIN public.appointment_types t ON t.id = a.appointment_type_id
    CROSS JOIN LATERAL ( -- once for each, and in line
        SELECT balansity.over_at(
            a.scheduled_at, balansity.minutes_of(to_jsonb(a) ->> 'duration_minutes', t.duration_minutes::text)) OFFSET 0
    ) AS o (over_at)
    WHERE a.status IN ('scheduled', 'confirmed', 'in_progress') AND a.scheduled_at <= p_until AND o.over_at <= p_until
$$;
COMMENT ON FUNCTION balansity.status_changes_until IS
'What update_appointment_statuses is going to do by a given time, each change from the moment it is due.';

CREATE FUNCTION balansity.abandon_old_assessments(p_now timestamptz, p_ids uuid[] DEFAULT NULL) RETURNS bigint
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    WITH due AS (
        SELECT id FROM public.assessments
        WHERE (p_ids IS NULL OR id = ANY (p_ids))
          AND status = 'in_progress' AND coalesce(started_at, created_at) < p_now - interval '30 days'
        FOR NO KEY UPDATE
    )
    SELECT count(*) FROM due, LATERAL balansity.change_assessment(due.id, 'abandoned', p_now)
$$;
COMMENT ON FUNCTION balansity.abandon_old_assessments IS
'Abandons those of these check-ups, of all where p_ids is null, that nobody finished in 30 days; returns how many.';

CREATE FUNCTION balansity.abandonments_until(p_until timestamptz)
RETURNS TABLE (assessment_id uuid, due_at timestamptz)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT id, coalesce(started_at, created_at) + interval '30 days'
    FROM public.assessments
    WHERE status = 'in_progress' AND coalesce(started_at, created_at) < p_until - interval '30 days'
$$;
COMMENT ON FUNCTION balansity.abandonments_until IS
'What abandon_old_assessments is going to do by a given time.';

CREATE FUNCTION balansity.reminders_between(p_from timestamptz, p_until timestamptz)
RETURNS TABLE (appointment_id uuid, kind text, scheduled_at timestamptz, due_at timestamptz, user_id uuid, email text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.id, r.kind, a.scheduled_at, greatest(a.scheduled_at - r.before, p_from), a.user_id, u.email
    FROM public.appointments a
    JOIN public.users u ON u.id = a.user_id
    CROSS JOIN (VALUES ('24h', interval '24 hours', interval '1 hour'), ('1h', interval '1 hour', interval '0'))
        AS r (kind, before, until)
    WHERE a.status IN ('scheduled', 'confirmed')
      AND a.scheduled_at > p_from AND a.scheduled_at < p_until + interval '24 hours'
      -- Arithmetic on our own times alone: a row's may be at the end of all.
      AND a.scheduled_at < p_until + r.before AND a.scheduled_at > p_from + r.until
      AND NOT EXISTS (
          SELECT FROM balansity.reminder sent
          WHERE (sent.appointment_id, sent.kind, sent.scheduled_at) = (a.id, r.kind, a.scheduled_at)
      )
$$;
COMMENT ON FUNCTION balansity.reminders_between IS
'The reminders due in a window of time and not sent yet. One is due from its moment until the next one''s, so an
appointment booked or moved late is reminded at once, and an outage is made up for.';

CREATE FUNCTION balansity.claim_reminders(p_now timestamptz, p_until timestamptz, p_ids uuid[] DEFAULT NULL)
RETURNS TABLE (appointment_id uuid, kind text, scheduled_at timestamptz, due_at timestamptz, user_id uuid, email text)
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    WITH claimed AS (
        INSERT INTO balansity.reminder (appointment_id, kind, scheduled_at, planned_at)
        SELECT due.appointment_id, due.kind, due.scheduled_at, p_now
        FROM balansity.reminders_between(p_now, p_until) due
        WHERE p_ids IS NULL OR due.appointment_id = ANY (p_ids)
        ON CONFLICT DO NOTHING
        RETURNING reminder.appointment_id, reminder.kind, reminder.scheduled_at
    )
    SELECT due.*
    FROM balansity.reminders_between(p_now, p_until) due
    JOIN claimed USING (appointment_id, kind, scheduled_at)
    ORDER BY due.due_at, due.appointment_id
$$;
COMMENT ON FUNCTION balansity.claim_reminders IS
'Claims what is due before p_until, for these appointments, for all where p_ids is null: who inserts the row sends the
mail.';

CREATE FUNCTION balansity.release_reminder(p_key text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF p_key ~* '^reminder:(24h|1h):[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:' THEN
        DELETE FROM balansity.reminder
        WHERE appointment_id = split_part(p_key, ':', 3)::uuid
          AND p_key = concat_ws(':', 'reminder', kind, appointment_id, balansity.iso_utc(scheduled_at));
    END IF;
END $$;
COMMENT ON FUNCTION balansity.release_reminder IS
'The claim of a reminder that was superseded is given up: if it becomes true again, it is due again.';

-- What the dashboard, or an old job that somebody schedules again, calls by name: it does what our own jobs do.
CREATE FUNCTION balansity.site_update_appointment_statuses() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT balansity.update_appointment_statuses(balansity.now());
$$;
COMMENT ON FUNCTION balansity.site_update_appointment_statuses IS
'Begins and completes consultations by the rules of our job, for the dashboard; a caller can change nothing that the job
would not.';

CREATE FUNCTION balansity.site_send_appointment_reminders() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pgmq.send('email_queue', jsonb_build_object(
        'to', due.email, 'subject', 'Напоминание о консультации', 'template', 'appointment_reminder_' || due.kind,
        'variables', jsonb_build_object(
            'appointment_id', due.appointment_id, 'scheduled_at', balansity.iso_utc(due.scheduled_at)),
        'priority', 10, 'created_at', now(), 'user_id', due.user_id,
        'key', concat_ws(':', 'reminder', due.kind, due.appointment_id, balansity.iso_utc(due.scheduled_at))))
    FROM balansity.claim_reminders(balansity.now(), balansity.now()) AS due;
$$;
COMMENT ON FUNCTION balansity.site_send_appointment_reminders IS
'Sends the reminders that are due and that nobody has sent, as our job does.';
