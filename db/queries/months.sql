-- The tables of months in which the ledger of mails is kept.

-- name: missing(ledger, after, rows)
-- A page of the months, from this one on, for which a ledger has no table.
SELECT month AS key, 0 AS bytes FROM balansity.missing_months()
WHERE ledger = :ledger AND (:after::date IS NULL OR month > :after::date) ORDER BY month LIMIT :rows;

-- name: make(ledger, keys)$
-- Make these tables; how many there were to make.
SELECT count(*) FILTER (WHERE balansity.make_month(:ledger, month)) FROM unnest(:keys::date[]) AS month;

-- name: past_deliveries(before, after, rows)
-- A page of the deliveries that were planned before then.
SELECT id::text AS key, 0 AS bytes FROM balansity.delivery
WHERE planned_at < :before AND (:after::uuid IS NULL OR id > :after::uuid) ORDER BY id LIMIT :rows;

-- name: release_keys(keys)$
-- Give the keys of these old deliveries back; how many.
SELECT balansity.release_keys(:keys::uuid[]);

-- name: old(ledger, before, after, rows)
-- A page of the months that were over by then and have a table.
SELECT month AS key, 0 AS bytes FROM balansity.old_months(:ledger, :before) AS month
WHERE :after::date IS NULL OR month > :after::date ORDER BY month LIMIT :rows;

-- name: drop(ledger, keys)$
-- Drop these tables; how many.
SELECT count(balansity.drop_month(:ledger, month)) FROM unnest(:keys::date[]) AS month;

-- name: purge_strays(ledger, before, most)$
-- Delete what came before then in months that had no table, so many rows at most; how many.
SELECT balansity.purge_strays(:ledger, :before, :most);
