-- name: look()^
-- Whether this database takes writes now (a standby does not, nor does a full disk's), and whether ours is in it.
SELECT NOT current_setting('transaction_read_only')::boolean AS takes_writes,
       to_regclass('balansity.job') IS NOT NULL AS is_migrated;
