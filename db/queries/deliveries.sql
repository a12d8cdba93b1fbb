-- The ledger of e-mails: balansity.delivery and its attempts.

-- name: plan(entry)!
-- See to it that the delivery is in the ledger.
SELECT balansity.plan_delivery(:entry::balansity.mail_entry);

-- name: is_untaken(entry, provider)$
-- Whether none but this provider may have the mail without our knowing.
SELECT balansity.is_untaken(:entry::balansity.mail_entry, :provider);

-- name: postpone(entry, until, reason)!
-- Note that a planned delivery waits for a time, and why.
SELECT balansity.postpone_delivery(:entry::balansity.mail_entry, :until, :reason);

-- name: begin(entry, refusal, reason, despite, hourly, resend_after, provider, token)^
-- Decide whether the mail may leave now, and note the attempt if so: delivery_id, state, number, wait, edition.
SELECT delivery_id::text, state, number, wait, edition
FROM balansity.begin_delivery(
    :entry::balansity.mail_entry, :refusal, :reason, :despite::text[], :hourly, :resend_after, :provider, :token::uuid
);

-- name: withdraw(token)!
-- Take back an attempt that was begun without its caller's hearing of it.
SELECT balansity.withdraw_attempt(:token::uuid);

-- name: finish_attempt(delivery_id, number, outcome, answer, provider_message_id)!
-- Note what the provider answered.
SELECT balansity.finish_attempt(:delivery_id::uuid, :number, :outcome, :answer, :provider_message_id);

-- name: told_time(appointment_id, key)$
-- The time of a consultation that the last mail about it named, but for the delivery `key`.
SELECT balansity.told_time(:appointment_id::uuid, :key);

-- name: doubt(key, cause)!
-- Before a mail is ordered by work that another message, its cause, asked for.
SELECT balansity.doubt_mail(:key, dramatiq.due_since(:cause));

-- name: notice_restore()$
-- Note a restore where this data has come from elsewhere; whether that was news.
SELECT balansity.notice_restore();

-- name: note_restore(restored_to)$
-- Note a point-in-time restore, which nothing tells of itself; gives when that was.
SELECT balansity.note_restore(:restored_to);

-- name: restores()
-- The restores of the last week that hold mails, the last first.
SELECT noticed_at, restored_to FROM balansity.restore
WHERE released_at IS NULL AND noticed_at > now() - interval '7 days'
ORDER BY noticed_at DESC;

-- name: count_held()$
-- How many deliveries are held.
SELECT count(*) FROM balansity.delivery WHERE state = 'unknown' AND held_at IS NOT NULL;

-- name: held(count)
-- The deliveries that restores hold, the oldest first.
SELECT id::text, key, template, planned_at, held_at FROM balansity.delivery
WHERE state = 'unknown' AND held_at IS NOT NULL
ORDER BY planned_at LIMIT :count;

-- name: release_held(count)
-- Send what restores hold, so many at most; gives each delivery and why it cannot be sent.
SELECT id::text, refusal FROM balansity.release_held(:count);

-- name: close_held(ids, count, reason)$
-- Note that what restores hold had been sent before (ids NULL: any of it), so many at most; gives how many.
SELECT balansity.close_held(:ids::uuid[], :count, :reason);

-- name: give_up(entry, reason)!
-- Close the delivery of a message that is out of tries.
SELECT balansity.give_up_delivery(:entry::balansity.mail_entry, :reason);

-- name: open(state, before, at, after, rows)
-- A page of the deliveries that are in this state since before then.
SELECT id::text AS key, changed_at AS at, pg_column_size(d) AS bytes FROM balansity.delivery d
WHERE state = :state AND changed_at < :before
  AND (:after::uuid IS NULL OR (changed_at, id) > (:at, :after::uuid))
ORDER BY changed_at, id
LIMIT :rows;

-- name: give_up_lost(keys, before)$
-- Close those of these deliveries whose message is dead or gone; gives how many.
SELECT balansity.give_up_lost_deliveries(:keys::uuid[], :before);

-- name: close_cancelled(ids)$
-- Say of the mails that these cancelled messages were to send that a person wanted it so; gives how many.
SELECT balansity.close_cancelled_deliveries(:ids::text[]);

-- name: resend(id, reporting)$
-- Enqueue the message of a failed, unknown or unheard delivery again; gives why not, NULL if it was done.
SELECT balansity.resend_delivery(:id::uuid, :reporting);

-- name: lock(id)^
-- A delivery under its lock, with the key of the mail that it was first, and its person's present address.
WITH RECURSIVE origin (id, key, again_of) AS (
    SELECT id, key, again_of FROM balansity.delivery WHERE id = :id::uuid
    UNION ALL
    SELECT d.id, d.key, d.again_of
    FROM origin o JOIN balansity.delivery_key k ON k.id = o.again_of
    JOIN balansity.delivery d ON (d.id, d.planned_at) = (k.id, k.planned_at)
)
SELECT d.id::text, d.key, d.template, d.subject, d.state, d.message_id, d.user_id::text,
       CASE WHEN d.user_id IS NULL THEN d.recipient ELSE balansity.email_of(d.user_id) END AS address,
       (SELECT o.key FROM origin o WHERE NOT EXISTS (SELECT FROM origin b WHERE b.id = o.again_of)) AS first_key
FROM balansity.delivery d WHERE d.id = :id::uuid AND d.planned_at = balansity.when_planned(:id::uuid)
FOR UPDATE OF d;

-- name: sent_again(id)
-- The deliveries by which a person had this one sent once more, in their order.
SELECT id::text, key, state, planned_at, decided_by FROM balansity.delivery
WHERE again_of = :id::uuid ORDER BY planned_at, id;

-- name: plan_again(entry, id, who, reason)$
-- Plan the delivery by which somebody has the delivery `id` sent once more; gives its id.
SELECT balansity.plan_again(:entry::balansity.mail_entry, :id::uuid, :who, :reason);

-- name: unsubscribe(delivery_id)$
SELECT balansity.unsubscribe(:delivery_id::uuid);

-- name: suppressed(address, despite)$
-- Why no mail goes to this address; NULL where it does.
SELECT reason FROM balansity.suppression WHERE address = lower(:address) AND reason <> ALL (:despite::text[]);

-- name: suppressions()
-- Every suppressed address, the newest first.
SELECT * FROM balansity.suppression ORDER BY since DESC;

-- name: lift(address)$
-- Let mail go to this address again: what bounced and was complained of first, a family's own wish when asked once more.
WITH wished AS (
    UPDATE balansity.suppression SET reason = 'unsubscribed'
    WHERE address = lower(:address) AND reason <> 'unsubscribed' AND unsubscribed
    RETURNING 1
), lifted AS (
    DELETE FROM balansity.suppression
    WHERE address = lower(:address) AND (reason = 'unsubscribed' OR NOT unsubscribed)
    RETURNING 1
)
SELECT (SELECT count(*) FROM wished) + (SELECT count(*) FROM lifted);

-- name: record_event(id, delivery_id, kind, detail, occurred_at)$
-- Take in what a provider reports; gives whether it was news.
SELECT balansity.record_event(:id, :delivery_id::uuid, :kind, :detail, :occurred_at);

-- name: latest(states, since, until, last, count)
-- A page of the deliveries in these states (NULL: in any) that changed since then (NULL: ever), the last changed first,
-- behind the delivery `last` that changed at `until`.
SELECT * FROM balansity.delivery
WHERE (:states::text[] IS NULL OR state = ANY (:states)) AND (:since::timestamptz IS NULL OR changed_at >= :since)
  AND (:last::uuid IS NULL OR (changed_at, id) < (:until, :last::uuid))
ORDER BY changed_at DESC, id DESC
LIMIT :count;

-- name: count_latest(states, since, most)$
-- How many there are of these, counted up to `most` (NULL: to the last).
SELECT count(*) FROM (
    SELECT FROM balansity.delivery
    WHERE (:states::text[] IS NULL OR state = ANY (:states)) AND (:since::timestamptz IS NULL OR changed_at >= :since)
    LIMIT :most
) AS counted;

-- name: unheard(reporting, since, count)
-- The deliveries that one of these providers accepted and said no more of, the last changed first.
SELECT d.*
FROM (
    SELECT u.id FROM balansity.unheard(:reporting) AS u
    WHERE :since::timestamptz IS NULL OR u.changed_at >= :since
    ORDER BY u.changed_at DESC, u.id DESC
    LIMIT :count
) AS first JOIN balansity.delivery d USING (id)
ORDER BY d.changed_at DESC, d.id DESC;

-- name: count_unheard(reporting, since, most)$
-- How many there are of these, counted up to `most`.
SELECT count(*) FROM (
    SELECT FROM balansity.unheard(:reporting) AS u WHERE :since::timestamptz IS NULL OR u.changed_at >= :since LIMIT :most
) AS counted;

-- name: find(id)^
-- One delivery.
SELECT * FROM balansity.delivery WHERE id = :id::uuid AND planned_at = balansity.when_planned(:id::uuid);

-- name: of_message(message_id)
-- The mail that a message is to send, or has sent.
SELECT id::text FROM balansity.delivery WHERE message_id = :message_id ORDER BY planned_at LIMIT 5;

-- name: matching(name, first, last, count)
-- The deliveries whose key begins with `name` or whose id is from one to another, the last changed first; what is called
-- exactly so stands alone.
WITH named AS (
    SELECT id, planned_at, id::text = :name OR key = :name AS exact FROM balansity.delivery_key
    WHERE id BETWEEN :first::uuid AND :last::uuid OR starts_with(key, :name)
)
SELECT d.* FROM balansity.delivery d JOIN named USING (id, planned_at)
WHERE named.exact OR NOT EXISTS (SELECT FROM named WHERE exact)
ORDER BY d.changed_at DESC, d.id
LIMIT :count;

-- name: count_matching(name, first, last)$
-- How many deliveries' keys begin with `name`, or have ids from one to another.
SELECT count(*) FROM balansity.delivery_key WHERE id BETWEEN :first::uuid AND :last::uuid OR starts_with(key, :name);

-- name: ids(first, last, count)
-- The ids of deliveries from one to another.
SELECT id::text FROM balansity.delivery_key WHERE id BETWEEN :first::uuid AND :last::uuid ORDER BY id LIMIT :count;

-- name: attempts(delivery_id)
SELECT * FROM balansity.delivery_attempt WHERE delivery_id = :delivery_id::uuid ORDER BY number;

-- name: events(delivery_id)
SELECT * FROM balansity.delivery_event WHERE delivery_id = :delivery_id::uuid ORDER BY occurred_at, received_at;

-- name: count_sleeping()$
-- How many mails wait for the morning.
SELECT count(*) FROM balansity.delivery WHERE state = 'planned' AND postponed_until > balansity.now();

-- name: count_changed(most)$
-- Count what has become of deliveries in the minutes that have passed, so many at most; gives up to when.
SELECT balansity.count_deliveries(:most);
