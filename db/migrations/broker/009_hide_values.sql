-- Takes values that must stand in no statement: the server's log and pg_stat_activity quote statements.

CREATE TABLE dramatiq.hidden_value (place integer, value text);
COMMENT ON TABLE dramatiq.hidden_value IS
'Stays empty: a value that is copied into it is in dramatiq.hidden(place) until the transaction ends.';

CREATE FUNCTION dramatiq.hide_value() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('dramatiq.hidden_' || NEW.place, NEW.value, true);
    RETURN NULL; -- no row
END $$;
COMMENT ON FUNCTION dramatiq.hide_value IS 'Keeps a value that is copied into dramatiq.hidden_value.';

CREATE TRIGGER hide_value BEFORE INSERT ON dramatiq.hidden_value
FOR EACH ROW EXECUTE FUNCTION dramatiq.hide_value();
ALTER TABLE dramatiq.hidden_value ENABLE ALWAYS TRIGGER hide_value; -- session_replication_role does not matter

CREATE FUNCTION dramatiq.hidden(p_place integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT current_setting('dramatiq.hidden_' || p_place)
$$;
COMMENT ON FUNCTION dramatiq.hidden IS
'A value that was copied into dramatiq.hidden_value in this transaction. No statement has it, and COPY''s data is logged
by no setting: so what an error or a time limit quotes is nobody''s address.';
