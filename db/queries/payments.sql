-- name: find_payment(payment_id)^
SELECT p.id::text, p.status, p.amount, coalesce(p.currency, 'RUB') AS currency, p.payment_method,
       p.external_payment_id AS external_id, c.refund_id, balansity.is_anothers(p) AS is_anothers,
       CASE jsonb_typeof(p.metadata) WHEN 'object' THEN p.metadata ELSE '{}' END
           || jsonb_build_object('user_id', p.user_id, 'appointment_id', balansity.appointment_of(p)) AS made_for
FROM public.payments p
LEFT JOIN balansity.payment_check c ON c.payment_id = p.id
WHERE p.id = :payment_id;

-- name: yield_to_others()$
-- The site locks a payment and its consultation in either order. Where it and we wait for each other, the server would
-- end the site's transaction, which waited first, after a second (deadlock_timeout): ours gives up sooner.
SELECT set_config('lock_timeout', '200ms', true);

-- name: lock_payment(payment_id)^
SELECT status, external_payment_id AS external_id FROM public.payments WHERE id = :payment_id FOR NO KEY UPDATE;

-- name: change_status(payment_id, status, now)$
-- One of changed, unchanged, refused.
SELECT balansity.change_payment_status(:payment_id, :status, :now);

-- name: doubt(payment_id, status, happened_at)!
-- After a change that the provider reported: where it came about before a restore, so may its mails have left, those about
-- the consultation that it books or cancels, too. They are due once this transaction commits.
SELECT balansity.doubt_mail(told.key, coalesce(:happened_at, p.created_at))
FROM public.payments p, LATERAL (
    SELECT balansity.payment_key(p, :status)
    UNION ALL
    SELECT concat('appointment:', a.id, CASE :status WHEN 'completed' THEN ':booked' ELSE ':cancelled:' END)
    FROM public.appointments a WHERE a.payment_id = p.id AND :status IN ('completed', 'refunded')
) AS told (key)
WHERE p.id = :payment_id;

-- name: flag(payment_id, reason, now)$
SELECT balansity.flag_payment(:payment_id, :reason, :now);

-- name: flag_anothers(payment_id, now)$
SELECT balansity.flag_anothers(:payment_id, :now);

-- name: halt(payment_id, reason, now)$
-- A finding that keeps everything from taking effect until a person has decided.
SELECT balansity.flag_finding(:payment_id, :reason, :now, true);

-- name: flag_finding(payment_id, reason, now)$
SELECT balansity.flag_finding(:payment_id, :reason, :now);

-- name: follow_refund(payment_id, refund_id, now)$
SELECT balansity.follow_refund(:payment_id, :refund_id, :now);

-- name: forget_refund(payment_id)$
SELECT balansity.forget_refund(:payment_id);

-- name: leave_unknown(payment_id, external_id, now)$
SELECT balansity.leave_unknown(:payment_id, :external_id, :now);

-- name: settle(payment_id, now)$
SELECT balansity.settle_payment(:payment_id, :now);

-- name: waiting(after, rows)
-- A page of the payments that wait for the provider.
SELECT payment_id::text AS key, 0 AS bytes FROM balansity.waiting_payments()
WHERE :after::uuid IS NULL OR payment_id > :after::uuid
ORDER BY payment_id
LIMIT :rows;

-- name: claim_checks(keys, now)
SELECT payment_id::text FROM balansity.claim_payment_checks(:now, :keys::uuid[]) AS due (payment_id);

-- name: flag_stuck(keys, now, can_ask)$
SELECT balansity.flag_stuck_payments(:now, :keys::uuid[], :can_ask);

-- name: unconfirmed(after, rows)
-- A page of the completed payments whose consultation still waits for one.
SELECT DISTINCT p.id::text AS key, 0 AS bytes, p.id
FROM public.payments p JOIN public.appointments a ON a.payment_id = p.id
WHERE p.status = 'completed' AND a.status = 'pending' AND (:after::uuid IS NULL OR p.id > :after::uuid)
ORDER BY p.id
LIMIT :rows;

-- name: unfinished(after, rows)
-- A page of the payments of which something is to be tried again.
SELECT DISTINCT payment_id::text AS key, 0 AS bytes, payment_id
FROM balansity.payment_flag
WHERE is_retried AND resolved_at IS NULL AND (:after::uuid IS NULL OR payment_id > :after::uuid)
ORDER BY payment_id
LIMIT :rows;

-- name: finish_payments(keys, now)$
SELECT balansity.finish_payments(:now, :keys::uuid[]);

-- name: confirm_paid_appointments(keys, now)$
SELECT balansity.confirm_paid_appointments(:now, :keys::uuid[]);

-- name: flagged(until, last, count)
-- A page of the payments that a person has to decide about, the oldest first, behind the payment `last` that is flagged
-- since `until`: how much, since when, and for what.
SELECT p.id::text, coalesce(p.status, 'of no status') AS status, p.amount, coalesce(p.currency, 'RUB') AS currency,
       f.since, f.reasons
FROM (
    SELECT payment_id, min(flagged_at) AS since, array_agg(reason ORDER BY flagged_at, reason) AS reasons
    FROM balansity.payment_flag WHERE resolved_at IS NULL
    GROUP BY payment_id
) AS f
JOIN public.payments p ON p.id = f.payment_id
WHERE :last::uuid IS NULL OR (f.since, p.id) > (:until, :last::uuid)
ORDER BY f.since, p.id
LIMIT :count;

-- name: count_flagged()$
SELECT count(DISTINCT f.payment_id) FROM balansity.payment_flag f JOIN public.payments p ON p.id = f.payment_id
WHERE f.resolved_at IS NULL;

-- name: list_flags()
-- What a person has to decide, oldest first.
SELECT f.payment_id::text AS payment, p.status, p.amount, coalesce(p.currency, 'RUB') AS currency, f.reason,
       f.flagged_at AS since
FROM balansity.payment_flag f
JOIN public.payments p ON p.id = f.payment_id
WHERE f.resolved_at IS NULL
ORDER BY f.flagged_at, f.reason;

-- name: find(payment_id)^
-- One payment, and what it waits for. What it was for is the site's word.
SELECT p.id::text, p.user_id::text, coalesce(p.status, 'of no status') AS status, p.amount,
       coalesce(p.currency, 'RUB') AS currency, p.payment_method, p.external_payment_id AS external_id,
       balansity.of_our_time(p.created_at) AS created_at, balansity.of_our_time(p.updated_at) AS updated_at,
       balansity.appointment_of(p)::text AS appointment_id, coalesce(c.since, p.created_at) AS since,
       c.next_at, coalesce(c.checks, 0) AS checks, c.answer, c.refund_id, coalesce(c.claimed, false) AS claimed,
       balansity.is_anothers(p) AS is_anothers, balansity.is_known_to_provider(p) AS is_known,
       balansity.is_stuck(coalesce(c.since, p.created_at), balansity.now()) AS is_stuck,
       (SELECT string_agg(f.reason, '; ' ORDER BY f.flagged_at) FROM balansity.payment_flag f
        WHERE f.payment_id = p.id AND f.resolved_at IS NULL AND f.halts) AS halted,
       EXISTS (SELECT FROM balansity.provider_state s
               WHERE s.provider = 'yookassa' AND s.state <> 'available') AS is_away
FROM public.payments p
LEFT JOIN balansity.payment_check c ON c.payment_id = p.id
WHERE p.id = :payment_id::uuid;

-- name: open(known, until, last, count)
-- A page of those that are not decided yet, the oldest first, behind the payment `last` that waits since `until`: those
-- that the provider knows, or those that it does not.
WITH waiting AS MATERIALIZED ( -- found before anything is asked about one
    SELECT p.id, balansity.is_known_to_provider(p) AS is_known,
           coalesce((SELECT c.since FROM balansity.payment_check c WHERE c.payment_id = p.id), p.created_at) AS since
    FROM public.payments p WHERE p.status IN ('pending', 'processing') AND p.external_payment_id IS NOT NULL
    UNION ALL
    SELECT p.id, CASE WHEN c.refund_id IS NOT NULL OR c.claimed THEN balansity.is_known_to_provider(p) END,
           coalesce(c.since, p.created_at)
    FROM balansity.payment_check c JOIN public.payments p ON p.id = c.payment_id
    WHERE (c.refund_id IS NOT NULL OR c.claimed) AND p.status = 'completed'
), unnamed AS ( -- what the checkout gave no id may be many: as many as are wanted, the oldest first
    SELECT p.id, p.created_at FROM public.payments p
    WHERE NOT :known AND p.status IN ('pending', 'processing') AND p.external_payment_id IS NULL
      AND (:last::uuid IS NULL OR (p.created_at, p.id) > (:until, :last::uuid))
    ORDER BY p.created_at, p.id
    LIMIT :count
), open AS (
    SELECT w.id, w.since FROM waiting w
    WHERE w.is_known = :known AND (:last::uuid IS NULL OR (w.since, w.id) > (:until, :last::uuid))
    UNION ALL
    TABLE unnamed
    ORDER BY since, id
    LIMIT :count
)
SELECT p.id::text, p.user_id::text, coalesce(p.status, 'of no status') AS status, p.amount,
       coalesce(p.currency, 'RUB') AS currency, p.payment_method, p.external_payment_id AS external_id,
       balansity.of_our_time(p.created_at) AS created_at, balansity.of_our_time(p.updated_at) AS updated_at,
       balansity.appointment_of(p)::text AS appointment_id, o.since,
       c.next_at, coalesce(c.checks, 0) AS checks, c.answer, c.refund_id, coalesce(c.claimed, false) AS claimed,
       balansity.is_anothers(p) AS is_anothers, balansity.is_known_to_provider(p) AS is_known,
       balansity.is_stuck(coalesce(c.since, p.created_at), balansity.now()) AS is_stuck,
       (SELECT string_agg(f.reason, '; ' ORDER BY f.flagged_at) FROM balansity.payment_flag f
        WHERE f.payment_id = p.id AND f.resolved_at IS NULL AND f.halts) AS halted,
       EXISTS (SELECT FROM balansity.provider_state s
               WHERE s.provider = 'yookassa' AND s.state <> 'available') AS is_away
FROM open o
JOIN public.payments p ON p.id = o.id
LEFT JOIN balansity.payment_check c ON c.payment_id = p.id
ORDER BY o.since, p.id;

-- name: count_open(most)^
-- How many of those the provider can be asked about, and how many it cannot, counted up to `most`; as `open` has them.
SELECT count(*) FILTER (WHERE is_known) AS known, count(*) FILTER (WHERE NOT is_known) + (
           SELECT count(*) FROM (
               SELECT FROM public.payments p
               WHERE p.status IN ('pending', 'processing') AND p.external_payment_id IS NULL LIMIT :most
           ) AS unnamed) AS unknown
FROM (
    SELECT balansity.is_known_to_provider(p) AS is_known
    FROM public.payments p WHERE p.status IN ('pending', 'processing') AND p.external_payment_id IS NOT NULL
    UNION ALL
    SELECT CASE WHEN c.refund_id IS NOT NULL OR c.claimed THEN balansity.is_known_to_provider(p) END
    FROM balansity.payment_check c JOIN public.payments p ON p.id = c.payment_id
    WHERE (c.refund_id IS NOT NULL OR c.claimed) AND p.status = 'completed'
) AS asked;

-- name: effects(payment_id)
-- What came of a payment, in the order of time: what it gave, what it was flagged for, what a person decided, its mails.
SELECT at, what, id, words
FROM (
    SELECT s.settled_at AS at, 'settled as ' || s.status AS what, s.appointment_id::text AS id,
           CASE WHEN s.appointment_id IS NOT NULL THEN 'a consultation is paid for' END AS words
    FROM balansity.payment_settlement s WHERE s.payment_id = :payment_id::uuid
    UNION ALL
    SELECT b.created_at, 'gave a package', b.id::text, b.sessions_remaining || ' sessions left'
    FROM public.package_purchases b WHERE b.payment_id = :payment_id::uuid
    UNION ALL
    SELECT f.flagged_at, 'flagged', NULL, f.reason FROM balansity.payment_flag f WHERE f.payment_id = :payment_id::uuid
    UNION ALL
    SELECT f.resolved_at, concat_ws(' ', 'decided by', coalesce(f.decided_by, 'the system')), NULL,
           concat_ws(': ', f.reason, f.decided_because)
    FROM balansity.payment_flag f WHERE f.payment_id = :payment_id::uuid AND f.resolved_at IS NOT NULL
    UNION ALL
    SELECT c.answered_at, 'the provider said', c.refund_id, c.answer
    FROM balansity.payment_check c WHERE c.payment_id = :payment_id::uuid AND c.answered_at IS NOT NULL
    UNION ALL
    SELECT c.heard_at, 'a notice had it asked about', NULL, NULL
    FROM balansity.payment_check c WHERE c.payment_id = :payment_id::uuid AND c.heard_at IS NOT NULL
    UNION ALL
    SELECT d.changed_at, 'mail ' || d.state, d.id::text, concat_ws(': ', d.template, d.reason)
    FROM balansity.delivery d, public.payments p
    WHERE p.id = :payment_id::uuid AND d.user_id = p.user_id AND (starts_with(d.key, 'payment:' || p.id) OR EXISTS (
        SELECT FROM balansity.delivery_key o WHERE o.id = d.again_of AND starts_with(o.key, 'payment:' || p.id)))
) AS effect
ORDER BY at, what;

-- name: called(external_id)
-- The payments that the provider calls so.
SELECT id::text FROM public.payments WHERE external_payment_id = :external_id;

-- name: note_answer(payment_id, answer, now)!
-- What the provider said last, for whoever looks.
INSERT INTO balansity.payment_check AS c (payment_id, checks, next_at, answer, answered_at)
VALUES (:payment_id::uuid, 0, :now, :answer, :now)
ON CONFLICT (payment_id) DO UPDATE SET answer = excluded.answer, answered_at = excluded.answered_at;

-- name: ids(first, last, count)
-- The ids of payments from one to another.
SELECT id::text FROM public.payments WHERE id BETWEEN :first::uuid AND :last::uuid ORDER BY id LIMIT :count;

-- name: flags_of(payment_id)
-- What a person has to decide about one payment, whether that holds everything up, and whether it is tried again.
SELECT f.reason, f.halts, f.is_retried, p.status
FROM balansity.payment_flag f JOIN public.payments p ON p.id = f.payment_id
WHERE f.payment_id = :payment_id AND f.resolved_at IS NULL
ORDER BY f.flagged_at, f.reason;

-- name: resolve_flags(now, who, reason, payment_id)!
UPDATE balansity.payment_flag SET resolved_at = :now, decided_by = :who, decided_because = :reason
WHERE payment_id = :payment_id AND resolved_at IS NULL;

-- name: hear_notice(external_id, now)
-- The payments that a notice is about, and when to ask about each; null: a check that is waiting covers it.
SELECT p.id::text AS payment_id, balansity.hear_notice(p.id, :now) AS due_at
FROM public.payments p
WHERE p.external_payment_id = :external_id AND NOT balansity.is_anothers(p) AND NOT balansity.is_unknown(p);
