-- Counts the members of Dramatiq's groups that have ended, so that a group's callbacks are sent once.

CREATE TABLE dramatiq.open_group (
    id text PRIMARY KEY,
    missing integer NOT NULL,                -- members that have not ended
    touched_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX open_group_touched ON dramatiq.open_group (touched_at);

CREATE TABLE dramatiq.group_member (         -- that has ended
    group_id text REFERENCES dramatiq.open_group ON DELETE CASCADE,
    message_id uuid,
    PRIMARY KEY (group_id, message_id)
);

CREATE FUNCTION dramatiq.begin_group(p_group text, p_members integer) RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    WITH begun AS (
        INSERT INTO dramatiq.open_group (id, missing) VALUES (p_group, p_members) ON CONFLICT DO NOTHING RETURNING 1
    )
    SELECT count(*) = 1 FROM begun;
$$;
COMMENT ON FUNCTION dramatiq.begin_group IS
'Says of how many members a group is; false where it exists.';

CREATE FUNCTION dramatiq.count_member(p_group text, p_member uuid) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    left_over integer;
BEGIN
    PERFORM FROM dramatiq.open_group WHERE id = p_group FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO dramatiq.group_member VALUES (p_group, p_member) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE dramatiq.open_group SET missing = missing - 1, touched_at = now() WHERE id = p_group
    RETURNING missing INTO left_over;
    DELETE FROM dramatiq.open_group WHERE id = p_group AND left_over <= 0;
    RETURN left_over <= 0;
END $$;
COMMENT ON FUNCTION dramatiq.count_member IS
'Notes that a member of a group has ended, each but once; true for the last of them, with which the group is forgotten.
Asked in the transaction that acks the member.';
