-- Who was reminded before ours began is read from evidence, the old system's messages, and never assumed.

CREATE FUNCTION balansity.as_time(p_text text) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN p_text ~ '[0-9]([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)$' THEN p_text::timestamptz END;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION balansity.as_time IS
'A time with its zone; null for what is none, or says no zone.';

CREATE FUNCTION balansity.told_reminders()
RETURNS TABLE (appointment_id uuid, kind text, scheduled_at timestamptz, unclear boolean, archived boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    messages regclass;
BEGIN
    FOREACH messages IN ARRAY ARRAY[to_regclass('pgmq.q_email_queue'), to_regclass('pgmq.a_email_queue')] LOOP
        CONTINUE WHEN messages IS NULL;
        RETURN QUERY EXECUTE format(
            'SELECT a.id::uuid, r.kind, a.scheduled_at, bool_and(m.at IS NULL), $1
             FROM (SELECT o.enqueued_at, o.message ->> ''template'' AS template,
                          lower(coalesce(o.message #>> ''{variables,appointment_id}'', o.message ->> ''appointment_id'')) AS id,
                          balansity.as_time(
                              coalesce(o.message #>> ''{variables,scheduled_at}'', o.message ->> ''scheduled_at'')) AS at
                   FROM %s o WHERE o.message ->> ''template'' LIKE ''appointment\_reminder\_%%'') AS m
             JOIN (VALUES (''24h'', interval ''26 hours''), (''1h'', interval ''2 hours'')) AS r (kind, ahead)
               ON m.template = ''appointment_reminder_'' || r.kind
             JOIN public.appointments a ON a.id::text = m.id
             WHERE a.scheduled_at > balansity.now()
               AND (m.at BETWEEN a.scheduled_at - interval ''1 second'' AND a.scheduled_at + interval ''1 second''
                    -- which consultation''s time it was is not said: it may be this one, had it been due by then
                    OR m.at IS NULL AND m.enqueued_at > a.scheduled_at - r.ahead)
             GROUP BY 1, 2, 3', messages)
        USING messages = to_regclass('pgmq.a_email_queue');
    END LOOP;
END $$;
COMMENT ON FUNCTION balansity.told_reminders IS
'Who has been reminded of a consultation to come, by the evidence: reminders of the old system, waiting or archived, for
this appointment and this time. Unclear: one that names no time. A reminder may be named twice.';

CREATE FUNCTION balansity.note_told_reminders() RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    WITH told AS MATERIALIZED (
        SELECT t.appointment_id, t.kind, t.scheduled_at, bool_or(t.archived) AS archived
        FROM balansity.told_reminders() AS t GROUP BY 1, 2, 3
    ), noted AS (
        INSERT INTO balansity.reminder (appointment_id, kind, scheduled_at, planned_at)
        SELECT appointment_id, kind, scheduled_at, balansity.now() FROM told
        ON CONFLICT DO NOTHING
        RETURNING 1
    ), sent AS ( -- the old system repeats itself: what waits beside one that left stays unsent
        INSERT INTO balansity.delivery (id, key, message_id, template, user_id, appointment_id, scheduled_at, state, reason,
                                        planned_at, changed_at)
        SELECT balansity.delivery_id(k.key), k.key, 'the old system', 'appointment_reminder_' || t.kind, a.user_id::uuid,
               t.appointment_id, t.scheduled_at, 'sent', 'by the old system', balansity.now(), balansity.now()
        FROM told t
        JOIN public.appointments a ON a.id::text = t.appointment_id::text
        CROSS JOIN LATERAL (SELECT concat_ws(
            ':', 'reminder', t.kind, t.appointment_id, balansity.iso_utc(t.scheduled_at))) AS k (key)
        WHERE t.archived
        ON CONFLICT DO NOTHING
    )
    SELECT count(*) FROM noted;
$$;
COMMENT ON FUNCTION balansity.note_told_reminders IS
'Notes who has been told, so that ours does not tell them again: not by its job, and, where the reminder has left, not by
another that waits either. Returns how many reminders are new.';
