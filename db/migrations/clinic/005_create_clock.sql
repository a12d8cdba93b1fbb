-- Creates the one clock of everything that is due, late or over.

CREATE FUNCTION balansity.now() RETURNS timestamptz
LANGUAGE sql STABLE
RETURN pg_catalog.now();
COMMENT ON FUNCTION balansity.now IS
'The one clock of what is due, late or over: the transaction''s time. A test replaces this function; nothing else can move it.';

CREATE FUNCTION balansity.of_our_time(p_at timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT p_at WHERE p_at >= '1900-01-01 00:00:00+00' AND p_at < '2200-01-01 00:00:00+00';
$$;
COMMENT ON FUNCTION balansity.of_our_time IS
'The time, NULL for one that no row of a clinic can mean: PostgreSQL''s reach to the year 294276 and to infinity, no
calendar of a reader''s, nor Python''s, does. domain/payload.py has its twin.';
