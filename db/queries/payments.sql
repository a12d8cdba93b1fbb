-- name: find_payment(payment_id)^
SELECT id::text, status, amount, coalesce(currency, 'RUB'), payment_method, external_payment_id
FROM public.payments
WHERE id = :payment_id;

-- name: change_status(payment_id, status, now)$
-- One of changed, unchanged, refused.
SELECT balansity.change_payment_status(:payment_id, :status, :now);

-- name: flag(payment_id, reason, now)$
SELECT balansity.flag_payment(:payment_id, :reason, :now);

-- name: settle(payment_id, now)$
SELECT balansity.settle_payment(:payment_id, :now);

-- name: claim_checks(now)
SELECT payment_id::text FROM balansity.claim_payment_checks(:now) AS due (payment_id);

-- name: flag_stuck(now)$
SELECT balansity.flag_stuck_payments(:now);

-- name: confirm_paid_appointments(now)$
SELECT balansity.confirm_paid_appointments(:now);

-- name: list_flags()
-- What a person has to decide, oldest first.
SELECT f.payment_id::text, p.status, p.amount, coalesce(p.currency, 'RUB'), f.reason, f.flagged_at
FROM balansity.payment_flag f
JOIN public.payments p ON p.id = f.payment_id
WHERE f.resolved_at IS NULL
ORDER BY f.flagged_at, f.reason;

-- name: resolve_flags(now, payment_id)!
UPDATE balansity.payment_flag SET resolved_at = :now WHERE payment_id = :payment_id AND resolved_at IS NULL;

-- name: find_by_external_id(external_id)
SELECT id::text FROM public.payments WHERE external_payment_id = :external_id;
