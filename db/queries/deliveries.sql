-- The ledger of e-mails: balansity.delivery and its attempts.

-- name: open(key, message_id, template, recipient, subject, user_id, stale_seconds, at)$
-- Find or plan the delivery of a business key, as JSON; locked until the transaction ends.
SELECT to_jsonb(balansity.open_delivery(
    :key, :message_id, :template, :recipient, :subject, :user_id::uuid, make_interval(secs => :stale_seconds), :at
));

-- name: begin_attempt(delivery_id, message_id, provider, at)$
-- Note that the provider is about to be called; gives the attempt's number.
SELECT balansity.begin_attempt(:delivery_id::uuid, :message_id, :provider, :at);

-- name: finish_attempt(delivery_id, number, outcome, answer, provider_message_id, at)$
-- Note what the provider answered.
SELECT balansity.finish_attempt(:delivery_id::uuid, :number, :outcome, :answer, :provider_message_id, :at);

-- name: settle(delivery_id, state, reason, at)!
-- End a delivery that never left.
UPDATE balansity.delivery
SET state = :state, reason = :reason, changed_at = :at
WHERE id = :delivery_id::uuid AND state IN ('planned', 'unknown');
