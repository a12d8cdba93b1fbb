-- What the clinic asks about a period. Everything is counted for the moment it began (a check-up started, a consultation
-- was booked, a payment was made, a mail was planned), with what has become of it by now.

-- name: checkups(start, end)
SELECT assessment_type,
       count(*) AS started,
       count(*) FILTER (WHERE status = 'completed') AS completed,
       count(*) FILTER (WHERE status = 'abandoned') AS abandoned,
       count(*) FILTER (WHERE status = 'in_progress') AS in_progress
FROM public.assessments
WHERE started_at >= :start AND started_at < :end
GROUP BY assessment_type
ORDER BY assessment_type;

-- name: consultations(start, end)
SELECT t.name,
       count(*) AS booked,
       count(*) FILTER (WHERE a.status = 'completed') AS completed,
       count(*) FILTER (WHERE a.status = 'cancelled') AS cancelled,
       count(*) FILTER (WHERE a.status = 'no_show') AS no_show,
       count(*) FILTER (WHERE a.status IN ('pending', 'scheduled', 'confirmed', 'in_progress')) AS open
FROM public.appointments a
JOIN public.appointment_types t ON t.id = a.appointment_type_id
WHERE a.created_at >= :start AND a.created_at < :end
GROUP BY t.name
ORDER BY t.name;

-- name: revenue(start, end)
-- By consultation type: of the appointment that was paid for, else the type or the package that the payment names.
-- What was refunded later was revenue once, so it stands in both columns.
SELECT coalesce(t.name, 'other') AS name,
       y.currency,
       count(*) AS payments,
       sum(y.amount) AS revenue,
       coalesce(sum(y.amount) FILTER (WHERE y.status = 'refunded'), 0.00) AS refunds,
       coalesce(sum(y.amount) FILTER (WHERE y.status = 'completed'), 0.00) AS kept
FROM public.payments y
LEFT JOIN public.appointments a ON a.id = balansity.appointment_of(y)
LEFT JOIN public.packages k ON k.id = balansity.uuid_in(y.metadata, 'package_id')
LEFT JOIN public.appointment_types t ON t.id = coalesce(
    a.appointment_type_id, balansity.uuid_in(y.metadata, 'appointment_type_id'), k.appointment_type_id
)
WHERE y.created_at >= :start AND y.created_at < :end AND y.status IN ('completed', 'refunded')
GROUP BY 1, y.currency
ORDER BY 1, y.currency;

-- name: mails(start, end)
SELECT template,
       count(*) AS planned,
       count(*) FILTER (WHERE state IN ('sent', 'delivered', 'bounced', 'dropped', 'complained')) AS sent,
       count(*) FILTER (WHERE state IN ('delivered', 'complained')) AS delivered,
       count(*) FILTER (WHERE state IN ('bounced', 'dropped')) AS bounced,
       count(*) FILTER (WHERE state IN ('failed', 'unknown')) AS failed
FROM balansity.delivery
WHERE planned_at >= :start AND planned_at < :end
GROUP BY template
ORDER BY template;

-- name: events(first, last)
SELECT type, sum(events)::bigint AS events
FROM balansity.analytics_daily
WHERE day BETWEEN :first AND :last
GROUP BY type
ORDER BY type;

-- name: events_by_day(first, last, type)
-- Every day of the period, those without an event too.
SELECT d::date AS day, coalesce(sum(a.events), 0)::bigint AS events
FROM generate_series(:first::date, :last::date, interval '1 day') AS d
LEFT JOIN balansity.analytics_daily a ON a.day = d::date AND (:type::text IS NULL OR a.type = :type)
GROUP BY d
ORDER BY d;
