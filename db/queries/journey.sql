-- What became of a person's things, from the rows of the site to the answers of providers.
-- The site's rows are read as they are: a time that no clinic can mean is null here.

-- name: named(words, low, high)
-- Whose are the things that these words name: an address, a surname, a provider's id of a payment, or the beginning of an
-- id (then between low and high, else null). An address may have had mail without being any user's.
SELECT kind, id, user_id::text
FROM (
    SELECT 'user' AS kind, u.id::text AS id, u.id AS user_id FROM public.users u
    WHERE lower(u.email::text) = lower(:words) AND balansity.address_in(u.email::text) = balansity.address_in(:words)
       OR u.id BETWEEN :low::uuid AND :high::uuid
    UNION
    SELECT 'user', p.user_id::text, p.user_id FROM public.profiles p
    WHERE lower(p.last_name::text) = ANY (ARRAY( -- the words to each space and from each, which the index finds
              SELECT array_to_string(part, ' ')
              FROM string_to_array(lower(:words), ' ') AS word, generate_series(1, cardinality(word)) AS place,
                   LATERAL (VALUES (word[1 : place]), (word[place:])) AS parts (part)))
          AND lower(:words) IN (lower(p.last_name::text), lower(concat(p.first_name, ' ', p.last_name)),
                                lower(concat(p.last_name, ' ', p.first_name)))
       OR p.id BETWEEN :low::uuid AND :high::uuid
    UNION
    SELECT CASE WHEN d.user_id IS NULL THEN 'address' ELSE 'user' END, d.user_id::text, d.user_id
    FROM balansity.delivery d WHERE lower(d.recipient) = lower(:words)
    UNION
    SELECT 'appointment', a.id::text, a.user_id FROM public.appointments a WHERE a.id BETWEEN :low::uuid AND :high::uuid
    UNION
    SELECT 'payment', y.id::text, y.user_id FROM public.payments y
    WHERE y.id BETWEEN :low::uuid AND :high::uuid OR y.external_payment_id::text = :words
    UNION
    SELECT 'check-up', s.id::text, p.user_id
    FROM public.assessments s LEFT JOIN public.profiles p ON p.id = s.profile_id
    WHERE s.id BETWEEN :low::uuid AND :high::uuid
    UNION
    SELECT 'mail', d.id::text, d.user_id FROM balansity.delivery_key k JOIN balansity.delivery d USING (id, planned_at)
    WHERE k.id BETWEEN :low::uuid AND :high::uuid OR k.key = :words
    UNION
    SELECT 'mail', d.id::text, d.user_id FROM balansity.delivery d WHERE d.trace = lower(:words)
    UNION
    SELECT 'report', r.id::text, r.user_id FROM balansity.report r WHERE r.id BETWEEN :low::uuid AND :high::uuid
    UNION
    SELECT 'message', m.message_id::text, d.user_id
    FROM dramatiq.messages_between(:low::uuid, :high::uuid) AS m (message_id)
    LEFT JOIN balansity.delivery d ON d.message_id = m.message_id::text
    UNION
    SELECT 'message', m.message_id::text, d.user_id
    FROM dramatiq.traced(lower(:words)) AS m (message_id) LEFT JOIN balansity.delivery d ON d.message_id = m.message_id::text
) AS found (kind, id, user_id)
ORDER BY kind, id
LIMIT 50;

-- name: steps(user_id, address, id)
-- Everything that happened, and is going to happen, to what is a user's; or to an address, or to the one thing `id` where
-- it is nobody's. `about` is the consultation or payment that a step belongs to.
WITH signs AS (
    SELECT balansity.signs_of(:user_id::uuid) AS person WHERE :user_id::uuid IS NOT NULL
), names AS (
    SELECT string_agg(name, ' ') AS words
    FROM (SELECT balansity.ids_of(:user_id::uuid) UNION ALL SELECT balansity.addresses_of(:user_id::uuid)) AS theirs (name)
    WHERE :user_id::uuid IS NOT NULL
), families AS (
    SELECT p.id FROM public.profiles p WHERE p.user_id = :user_id::uuid
), booked AS (
    SELECT a.* FROM public.appointments a WHERE a.user_id = :user_id::uuid OR a.id = :id::uuid
), paid AS (
    SELECT y.* FROM public.payments y WHERE y.user_id = :user_id::uuid OR y.id = :id::uuid
), filled AS (
    SELECT s.* FROM public.assessments s WHERE s.id IN (
        SELECT o.id FROM public.assessments o JOIN families f ON f.id = o.profile_id UNION SELECT :id::uuid)
), mails AS (
    SELECT d.* FROM balansity.delivery d -- in one look, for each of many months is planned for
    WHERE d.user_id = :user_id::uuid OR d.appointment_id = ANY (ARRAY(SELECT id FROM booked))
       OR d.id = :id::uuid OR d.message_id = :id
    UNION SELECT nobodys.* FROM (
        SELECT lower(:address) UNION SELECT theirs.address
        FROM balansity.addresses_of(:user_id::uuid) AS theirs (address) WHERE :user_id::uuid IS NOT NULL
    ) AS theirs (address), LATERAL ( -- address by address, or all that belong to nobody would be read
        SELECT d.* FROM balansity.delivery d WHERE lower(d.recipient) = theirs.address AND d.user_id IS NULL OFFSET 0
    ) AS nobodys
)
SELECT balansity.of_our_time(step.at) AS at, step.kind, step.event, step.id, step.about, step.words, step.detail
FROM (
    SELECT coalesce(started_at, created_at) AS at, 'check-up' AS kind, 'begun' AS event, id::text AS id,
           NULL::text AS about, assessment_type::text AS words, NULL::text AS detail
    FROM filled
    UNION ALL
    SELECT coalesce(completed_at, updated_at), 'check-up', status::text, id::text, NULL, assessment_type::text, NULL FROM filled
    WHERE status <> 'in_progress'
    UNION ALL
    SELECT r.created_at, 'report', 'kept', r.id::text, r.assessment_id::text, r.format, NULL FROM balansity.report r
    WHERE r.id IN (
        SELECT o.id FROM balansity.report o WHERE o.user_id = :user_id::uuid
        UNION SELECT o.id FROM balansity.report o JOIN filled f ON f.id = o.assessment_id UNION SELECT :id::uuid)
    UNION ALL
    SELECT created_at, 'consultation', 'booked', id::text, id::text, balansity.iso_utc(balansity.of_our_time(scheduled_at)),
           NULL
    FROM booked
    UNION ALL
    SELECT scheduled_at, 'consultation', coalesce(status::text, 'of no status'), id::text, id::text, NULL, NULL FROM booked
    UNION ALL
    SELECT created_at, 'payment', 'made', id::text, id::text, concat_ws(' ', amount, currency, payment_method),
           NULL
    FROM paid
    UNION ALL
    SELECT updated_at, 'payment', coalesce(status::text, 'of no status'), id::text, id::text, NULL, NULL FROM paid
    WHERE updated_at > created_at
    UNION ALL
    SELECT s.settled_at, 'payment', 'settled', s.payment_id::text, s.payment_id::text, s.status, NULL
    FROM balansity.payment_settlement s WHERE s.payment_id IN (SELECT id FROM paid)
    UNION ALL
    SELECT c.next_at, 'payment', 'to be asked about', c.payment_id::text, c.payment_id::text, NULL, NULL
    FROM balansity.payment_check c WHERE c.payment_id IN (SELECT id FROM paid WHERE status = 'pending')
    UNION ALL
    SELECT f.flagged_at, 'payment', 'flagged', f.payment_id::text, f.payment_id::text, NULL, f.reason
    FROM balansity.payment_flag f WHERE f.payment_id IN (SELECT id FROM paid)
    UNION ALL
    SELECT f.resolved_at, 'payment', concat_ws(' by ', 'decided', f.decided_by), f.payment_id::text, f.payment_id::text, NULL,
           concat_ws(': ', f.reason, f.decided_because)
    FROM balansity.payment_flag f WHERE f.payment_id IN (SELECT id FROM paid) AND f.resolved_at IS NOT NULL
    UNION ALL
    SELECT m.sent_at, 'message', 'waits in pgmq', m.pgmq_queue || ' ' || m.msg_id, NULL, m.actor, NULL
    FROM signs, dramatiq.pgmq_messages_about('balansity.message_speaks_of', signs.person) AS m
    UNION ALL
    SELECT CASE WHEN m.state = 'queued' THEN m.due_at ELSE m.changed_at END, 'message',
           CASE m.state WHEN 'queued' THEN concat_ws(' for ', 'waits', CASE m.waits_for WHEN 'its turn' THEN 'its turn' END) WHEN 'consumed' THEN 'runs' WHEN 'rejected' THEN 'is dead'
                        WHEN 'cancelled' THEN 'is cancelled' ELSE 'done' END,
           m.message_id::text, NULL, m.actor, m.failure
    FROM dramatiq.messages_about(
        ARRAY(SELECT message_id::uuid FROM mails WHERE message_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
              UNION SELECT :id::uuid),
        'balansity.message_speaks_of', (SELECT person FROM signs), (SELECT words FROM names)) AS m
    UNION ALL
    SELECT d.planned_at, 'mail', CASE WHEN d.again_of IS NULL THEN 'planned' ELSE 'sent again by ' || d.decided_by END,
           d.id::text, d.appointment_id::text, d.template, d.decided_because
    FROM mails d
    UNION ALL
    SELECT a.started_at, 'mail', concat_ws(' ', 'tried by', a.provider), d.id::text, d.appointment_id::text,
           d.template, concat_ws(': ', a.outcome, a.answer)
    FROM mails d, LATERAL ( -- mail by mail, or whole months would be read
        SELECT * FROM balansity.delivery_attempt WHERE delivery_id = d.id OFFSET 0) AS a
    UNION ALL
    SELECT e.occurred_at, 'mail', e.kind, d.id::text, d.appointment_id::text, d.template, e.detail
    FROM mails d, LATERAL (SELECT * FROM balansity.delivery_event WHERE delivery_id = d.id OFFSET 0) AS e
    UNION ALL
    SELECT CASE WHEN d.postponed_until > balansity.now() AND d.state = 'planned' THEN d.postponed_until ELSE d.changed_at END,
           'mail', d.state, d.id::text, d.appointment_id::text, d.template, d.reason
    FROM mails d
) AS step
-- What begins and ends in one moment is told in that order.
ORDER BY at, kind, id, CASE WHEN event IN ('planned', 'made', 'booked', 'begun') THEN 0 WHEN event ~ '^tried' THEN 1 ELSE 2 END;

-- name: reminders(user_id, id)
-- What became, or will become, of the reminders of each consultation.
SELECT a.id::text AS appointment_id, coalesce(a.status, 'of no status') AS status, r.kind,
       balansity.of_our_time(a.scheduled_at) AS scheduled_at, balansity.now() AS read_at,
       balansity.of_our_time(a.scheduled_at) - r.before AS due_at, balansity.of_our_time(a.scheduled_at) - r.until AS useless_at,
       d.id::text AS delivery_id, d.state, d.reason,
       EXISTS (SELECT FROM balansity.reminder c
               WHERE (c.appointment_id, c.kind, c.scheduled_at) = (a.id, r.kind, a.scheduled_at)) AS claimed,
       nullif(u.email::text, '') IS NOT NULL AS has_address,
       EXISTS (SELECT FROM balansity.suppression s WHERE s.address = balansity.address_in(u.email::text)) AS suppressed,
       balansity.in_charge() AS in_charge, j.paused
FROM public.appointments a
LEFT JOIN public.users u ON u.id = a.user_id
CROSS JOIN (VALUES ('24h', interval '24 hours', interval '1 hour'), ('1h', interval '1 hour', interval '0'))
    AS r (kind, before, until)
LEFT JOIN balansity.delivery_key k
    ON k.key = concat_ws(':', 'reminder', r.kind, a.id, balansity.iso_utc(a.scheduled_at))
LEFT JOIN LATERAL (
    SELECT * FROM balansity.delivery WHERE (id, planned_at) = (k.id, k.planned_at) OFFSET 0
) AS d ON true
LEFT JOIN balansity.job j ON j.name = 'send-appointment-reminders'
WHERE a.user_id = :user_id::uuid OR a.id = :id::uuid
ORDER BY a.scheduled_at, r.before DESC;
