-- What should be in the database, and what differs.

-- name: is_comparable()$
-- Whether there is something to compare with.
SELECT to_regprocedure('balansity.differences()') IS NOT NULL;

-- name: is_noted()$
-- Whether what should be was noted, and by a server of this version.
SELECT balansity.is_noted();

-- name: note_intended()$
-- What is there now is what should be.
SELECT balansity.note_intended();

-- name: differences()
-- What is not as it should be, with the statement that mends it, in an order in which they can be mended.
SELECT kind, name, problem, remedy, able FROM balansity.differences();

-- name: sites_owner()$
-- Who owns the site's tables, and so may change them; null where there are none.
SELECT string_agg(DISTINCT quote_ident(tableowner), ', ') FROM pg_tables
WHERE schemaname = 'public' AND tablename IN ('appointments', 'assessments', 'payments');

-- name: owner()$
-- Who owns ours.
SELECT quote_ident(pg_get_userbyid(nspowner)::text) FROM pg_namespace WHERE nspname = 'balansity';
