-- The roles of the worker and the web processes.

-- name: grant_rights()
-- Give them what they need, as far as this role may; the statements that did.
SELECT statement FROM balansity.grant_rights() AS statement;

-- name: can_grant()$
-- Whether the function that gives them what they need is there.
SELECT to_regprocedure('balansity.grant_rights()') IS NOT NULL;

-- name: names()
-- Every role, as statements name it.
SELECT quote_ident(rolname) AS name FROM pg_roles;

-- name: missing_grants()$
-- The statements that would give them what they lack.
SELECT string_agg(statement, '; ') FROM balansity.missing_grants() AS statement;
