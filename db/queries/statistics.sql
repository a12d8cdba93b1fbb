-- What the clinic asks about a period, by day. Everything is counted for the moment it began (a check-up started, a
-- consultation was booked, a payment was made, a mail was planned), with what has become of it by now. The day is that of the
-- last of the `midnights` by then, of which the first is that of the day `first`: what clocks show would be worked out for each.

-- name: checkups(start, end, first, midnights)
SELECT :first::date + width_bucket(started_at, :midnights::timestamptz[]) - 1 AS day,
       assessment_type AS type,
       count(*) AS started,
       count(*) FILTER (WHERE status = 'completed') AS completed,
       count(*) FILTER (WHERE status = 'abandoned') AS abandoned,
       count(*) FILTER (WHERE status = 'in_progress') AS in_progress
FROM public.assessments
WHERE started_at >= :start AND started_at < :end
GROUP BY 1, 2
ORDER BY 2, 1;

-- name: consultations(start, end, first, midnights)
SELECT :first::date + width_bucket(a.created_at, :midnights::timestamptz[]) - 1 AS day,
       coalesce(t.name, 'other') AS type,
       count(*) AS booked,
       count(*) FILTER (WHERE a.status = 'completed') AS completed,
       count(*) FILTER (WHERE a.status = 'cancelled') AS cancelled,
       count(*) FILTER (WHERE a.status = 'no_show') AS no_show,
       count(*) FILTER (WHERE a.status IN ('pending', 'scheduled', 'confirmed', 'in_progress')) AS open
FROM public.appointments a
LEFT JOIN public.appointment_types t ON t.id = a.appointment_type_id
WHERE a.created_at >= :start AND a.created_at < :end
GROUP BY 1, 2
ORDER BY 2, 1;

-- name: revenue(start, end, first, midnights)
-- By consultation type: of the appointment that was paid for, else the type or the package that the payment names.
-- What was refunded later was revenue once, so it stands in both columns.
SELECT :first::date + width_bucket(y.created_at, :midnights::timestamptz[]) - 1 AS day,
       coalesce(t.name, 'other') AS type,
       -- Anybody's input: what is no code of a currency, or no number, is no money.
       CASE WHEN y.currency IS NULL THEN 'RUB' WHEN y.currency::text ~ '^[A-Z]{3}$' THEN y.currency::text ELSE 'other' END AS currency,
       count(*) AS payments,
       sum(y.amount) AS revenue,
       coalesce(sum(y.amount) FILTER (WHERE y.status = 'refunded'), 0.00) AS refunds,
       coalesce(sum(y.amount) FILTER (WHERE y.status = 'completed'), 0.00) AS kept
FROM public.payments y
LEFT JOIN LATERAL ( -- one by one, for all consultations together are many more; as balansity.appointment_of, but in line
    SELECT coalesce(
        (SELECT o.appointment_type_id FROM public.appointments o WHERE o.payment_id = y.id),
        (SELECT o.appointment_type_id FROM public.appointments o WHERE o.id = balansity.uuid_in(y.metadata, 'appointment_id'))
    ) AS appointment_type_id OFFSET 0
) AS a ON true
LEFT JOIN public.packages k ON k.id = balansity.uuid_in(y.metadata, 'package_id')
LEFT JOIN public.appointment_types t ON t.id = coalesce(
    a.appointment_type_id, balansity.uuid_in(y.metadata, 'appointment_type_id'), k.appointment_type_id
)
WHERE y.created_at >= :start AND y.created_at < :end AND y.status IN ('completed', 'refunded')
  AND abs(y.amount) < 10000000000
GROUP BY 1, 2, 3
ORDER BY 2, 3, 1;

-- name: mails(start, end, first, midnights)
-- Each mail is in one of the states, so these add up to what was planned. Many mails make few sums, which are sorted out then.
SELECT day,
       template,
       sum(mails)::bigint AS planned,
       coalesce(sum(mails) FILTER (WHERE state IN ('planned', 'sending')), 0)::bigint AS waiting,
       coalesce(sum(mails) FILTER (WHERE state = 'sent'), 0)::bigint AS sent,
       coalesce(sum(mails) FILTER (WHERE state = 'delivered'), 0)::bigint AS delivered,
       coalesce(sum(mails) FILTER (WHERE state = 'bounced'), 0)::bigint AS bounced,
       coalesce(sum(mails) FILTER (WHERE state = 'complained'), 0)::bigint AS complained,
       coalesce(sum(mails) FILTER (WHERE state = 'dropped'), 0)::bigint AS dropped,
       coalesce(sum(mails) FILTER (WHERE state = 'unknown'), 0)::bigint AS unknown,
       coalesce(sum(mails) FILTER (WHERE state = 'failed'), 0)::bigint AS failed,
       coalesce(sum(mails) FILTER (WHERE state = 'superseded'), 0)::bigint AS superseded,
       coalesce(sum(mails) FILTER (WHERE state = 'suppressed'), 0)::bigint AS suppressed
FROM (
    SELECT :first::date + width_bucket(planned_at, :midnights::timestamptz[]) - 1 AS day, template, state, count(*) AS mails
    FROM balansity.delivery
    WHERE planned_at >= :start AND planned_at < :end
    GROUP BY 1, 2, 3
) AS counted
GROUP BY 1, 2
ORDER BY 2, 1;

-- name: events(first, last)
SELECT day, type, events
FROM balansity.analytics_daily
WHERE day BETWEEN :first AND :last
ORDER BY type, day;
