-- Creates the one clock of everything that is due, late or over.

CREATE FUNCTION balansity.now() RETURNS timestamptz
LANGUAGE sql STABLE
RETURN pg_catalog.now();
COMMENT ON FUNCTION balansity.now IS
'The one clock of what is due, late or over: the transaction''s time. A test replaces this function; nothing else can move it.';
