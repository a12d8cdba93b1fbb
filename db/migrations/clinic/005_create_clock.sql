-- Creates the one clock of everything that is due, late or over.

CREATE FUNCTION balansity.now() RETURNS timestamptz
LANGUAGE sql STABLE
RETURN coalesce(nullif(current_setting('balansity.now', true), '')::timestamptz, pg_catalog.now());
COMMENT ON FUNCTION balansity.now IS
'The one clock of what is due, late or over: the transaction''s time, or what a test has set in its place.';
