-- What the clinic asks about a period, by day. Everything is counted for the moment it began (a check-up started, a
-- consultation was booked, a payment was made, a mail was planned), with what has become of it by now.

-- name: checkups(start, end, zone)
SELECT (started_at AT TIME ZONE :zone)::date AS day,
       assessment_type AS type,
       count(*) AS started,
       count(*) FILTER (WHERE status = 'completed') AS completed,
       count(*) FILTER (WHERE status = 'abandoned') AS abandoned,
       count(*) FILTER (WHERE status = 'in_progress') AS in_progress
FROM public.assessments
WHERE started_at >= :start AND started_at < :end
GROUP BY 1, 2
ORDER BY 2, 1;

-- name: consultations(start, end, zone)
SELECT (a.created_at AT TIME ZONE :zone)::date AS day,
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

-- name: revenue(start, end, zone)
-- By consultation type: of the appointment that was paid for, else the type or the package that the payment names.
-- What was refunded later was revenue once, so it stands in both columns.
SELECT (y.created_at AT TIME ZONE :zone)::date AS day,
       coalesce(t.name, 'other') AS type,
       -- Anybody's input: what is no code of a currency, or no number, is no money.
       CASE WHEN y.currency IS NULL THEN 'RUB' WHEN y.currency::text ~ '^[A-Z]{3}$' THEN y.currency::text ELSE 'other' END AS currency,
       count(*) AS payments,
       sum(y.amount) AS revenue,
       coalesce(sum(y.amount) FILTER (WHERE y.status = 'refunded'), 0.00) AS refunds,
       coalesce(sum(y.amount) FILTER (WHERE y.status = 'completed'), 0.00) AS kept
FROM public.payments y
LEFT JOIN LATERAL ( -- one by one: all consultations together are many more
    SELECT o.appointment_type_id FROM public.appointments o WHERE o.id = balansity.appointment_of(y) LIMIT 1
) AS a ON true
LEFT JOIN public.packages k ON k.id = balansity.uuid_in(y.metadata, 'package_id')
LEFT JOIN public.appointment_types t ON t.id = coalesce(
    a.appointment_type_id, balansity.uuid_in(y.metadata, 'appointment_type_id'), k.appointment_type_id
)
WHERE y.created_at >= :start AND y.created_at < :end AND y.status IN ('completed', 'refunded')
  AND abs(y.amount) < 10000000000
GROUP BY 1, 2, 3
ORDER BY 2, 3, 1;

-- name: mails(start, end, zone)
-- Each mail is in one of the states, so these add up to what was planned.
SELECT (planned_at AT TIME ZONE :zone)::date AS day,
       template,
       count(*) AS planned,
       count(*) FILTER (WHERE state IN ('planned', 'sending')) AS waiting,
       count(*) FILTER (WHERE state = 'sent') AS sent,
       count(*) FILTER (WHERE state = 'delivered') AS delivered,
       count(*) FILTER (WHERE state = 'bounced') AS bounced,
       count(*) FILTER (WHERE state = 'complained') AS complained,
       count(*) FILTER (WHERE state = 'dropped') AS dropped,
       count(*) FILTER (WHERE state = 'unknown') AS unknown,
       count(*) FILTER (WHERE state = 'failed') AS failed,
       count(*) FILTER (WHERE state = 'superseded') AS superseded,
       count(*) FILTER (WHERE state = 'suppressed') AS suppressed
FROM balansity.delivery
WHERE planned_at >= :start AND planned_at < :end
GROUP BY 1, 2
ORDER BY 2, 1;

-- name: events(first, last)
SELECT day, type, events
FROM balansity.analytics_daily
WHERE day BETWEEN :first AND :last
ORDER BY type, day;
