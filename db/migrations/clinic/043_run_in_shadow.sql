-- The shadow: what ours would do is noted beside the old system and compared with what that does; nothing is sent.

CREATE TABLE balansity.shadow_look (
    looked_at timestamptz PRIMARY KEY
);

CREATE TABLE balansity.shadow (
    act text NOT NULL,                                -- a mail's template, or the status that a consultation gets
    about uuid NOT NULL,                              -- the consultation, check-up or payment
    at timestamptz NOT NULL DEFAULT '-infinity',      -- of a reminder: the time that it names
    theirs text,                                      -- of a status: the one that the old system had given it by then
    stood boolean NOT NULL,                           -- so before the first look: neither's doing meanwhile
    looked_at timestamptz NOT NULL,
    PRIMARY KEY (act, about, at)
);
COMMENT ON TABLE balansity.shadow IS
'What ours would have done, had it been in charge.';

CREATE FUNCTION balansity.look_in_shadow() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    late constant interval := '10 minutes';           -- two runs of the old job
    present timestamptz := balansity.now();
    since timestamptz := (SELECT min(looked_at) FROM balansity.shadow_look);
    noted bigint;
BEGIN
    INSERT INTO balansity.shadow_look VALUES (present) ON CONFLICT DO NOTHING;
    INSERT INTO balansity.shadow (act, about, at, theirs, stood, looked_at)
    SELECT 'appointment_reminder_' || r.kind, r.appointment_id, r.scheduled_at, NULL, since IS NULL, present
    FROM balansity.reminders_between(present, present + interval '1 second') r
    UNION ALL
    SELECT 'appointment_confirmation', a.id::uuid, '-infinity', NULL, false, present
    FROM public.appointments a
    WHERE a.created_at > since AND a.status IN ('pending', 'scheduled', 'confirmed')
    UNION ALL
    SELECT 'checkup_completed', c.id::uuid, '-infinity', NULL, false, present
    FROM public.assessments c
    WHERE c.completed_at > since AND c.status = 'completed'
    UNION ALL
    SELECT CASE p.status WHEN 'completed' THEN 'payment_confirmation' ELSE 'payment_failed' END,
           p.id::uuid, '-infinity', NULL, since IS NULL, present
    FROM public.payments p
    WHERE p.status IN ('completed', 'failed')
    UNION ALL
    SELECT CASE WHEN balansity.over_at(a) <= present - late THEN 'completed' ELSE 'in_progress' END,
           a.id::uuid, '-infinity', a.status, false, present
    FROM public.appointments a
    WHERE a.status IN ('scheduled', 'confirmed', 'in_progress', 'completed')
      AND a.scheduled_at > since AND a.scheduled_at <= present - late
      AND balansity.over_at(a) NOT BETWEEN present - late AND present  -- either may be right for now
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS noted = ROW_COUNT;
    RETURN noted;
END $$;
COMMENT ON FUNCTION balansity.look_in_shadow IS
'Notes what ours would have done since the last look; returns how much. The first look notes what stands already.';

CREATE FUNCTION balansity.old_mails(p_since timestamptz)
RETURNS TABLE (act text, about uuid, at timestamptz, mails bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE
        'WITH mail AS (
             SELECT o.message ->> ''template'' AS act,
                    CASE jsonb_typeof(o.message -> ''variables'') WHEN ''object'' THEN o.message -> ''variables'' ELSE ''{}'' END
                        AS facts
             FROM (SELECT message, enqueued_at FROM pgmq.q_email_queue
                   UNION ALL SELECT message, enqueued_at FROM pgmq.a_email_queue) AS o
             WHERE o.enqueued_at > $1
         ), told AS (
             SELECT m.act, lower(coalesce(facts ->> ''assessment_id'', facts ->> ''payment_id'', facts ->> ''appointment_id''))
                        AS about,
                    CASE WHEN m.act LIKE ''appointment\_reminder\_%'' THEN balansity.as_time(facts ->> ''scheduled_at'') END AS at
             FROM mail m
         )
         SELECT t.act, t.about::uuid, coalesce(t.at, ''-infinity''), count(*) FROM told t
         WHERE t.about ~ ''^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$''
         GROUP BY 1, 2, 3'
    USING p_since;
END $$;
COMMENT ON FUNCTION balansity.old_mails IS
'The mails that the old system ordered since then, waiting or archived, and how often each.';

CREATE FUNCTION balansity.compare_shadow()
RETURNS TABLE (act text, about uuid, at timestamptz, verdict text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.act, s.about, s.at, CASE WHEN s.theirs = s.act THEN 'same' ELSE 'theirs is ' || s.theirs END
    FROM balansity.shadow s WHERE s.theirs IS NOT NULL
    UNION ALL
    SELECT coalesce(o.act, t.act), coalesce(o.about, t.about), coalesce(o.at, t.at),
           CASE WHEN t.act IS NULL THEN 'ours only' WHEN o.act IS NULL THEN 'theirs only'
                WHEN t.mails > 1 THEN 'theirs repeated' ELSE 'same' END
    FROM (SELECT * FROM balansity.shadow WHERE theirs IS NULL) AS o
    FULL JOIN (
        SELECT m.* FROM (SELECT min(looked_at) AS since FROM balansity.shadow_look) AS l, balansity.old_mails(l.since) AS m
        WHERE m.act IN ('appointment_reminder_24h', 'appointment_reminder_1h', 'appointment_confirmation',
                        'checkup_completed', 'payment_confirmation', 'payment_failed')
    ) AS t ON (t.act, t.about) = (o.act, o.about)
          AND (t.at = o.at OR t.at BETWEEN o.at - interval '1 second' AND o.at + interval '1 second')
    WHERE o.stood IS NOT TRUE
$$;
COMMENT ON FUNCTION balansity.compare_shadow IS
'Each act of ours and of the old system''s since the first look, and how they compare.';
