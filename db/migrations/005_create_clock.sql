-- The one clock: the database's, so that no machine's own decides anything; the transaction's time, or what a test has set.
CREATE FUNCTION balansity.now() RETURNS timestamptz
LANGUAGE sql STABLE
RETURN coalesce(nullif(current_setting('balansity.now', true), '')::timestamptz, pg_catalog.now());
