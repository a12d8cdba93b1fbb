-- The roles of the worker and the web processes.

-- name: grant_rights()$
-- Give them what they need, as far as this role may.
SELECT balansity.grant_rights();

-- name: missing_grants()$
-- The statements that would give them what they lack.
SELECT string_agg(statement, '; ') FROM balansity.missing_grants() AS statement;
