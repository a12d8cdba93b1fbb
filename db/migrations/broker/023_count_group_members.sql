-- Counts the members of Dramatiq's groups that have ended, so that a group's callbacks are sent once.

CREATE TABLE dramatiq.open_group (
    id text,
    missing integer,                         -- members that have not ended: from the index's start the newest count is found
    touched_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, missing)                -- at once, however many dead ones are kept while somebody holds an old snapshot
);
CREATE INDEX open_group_touched ON dramatiq.open_group (touched_at);

CREATE TABLE dramatiq.group_member (         -- that has ended
    group_id text,
    message_id uuid,
    PRIMARY KEY (group_id, message_id)
);

CREATE FUNCTION dramatiq.begin_group(p_group text, p_members integer) RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off -- the plan is made when there is little, and kept
AS $$
    WITH begun AS (
        INSERT INTO dramatiq.open_group (id, missing)
        SELECT p_group, p_members WHERE NOT EXISTS (SELECT FROM dramatiq.open_group WHERE id = p_group)
        ON CONFLICT DO NOTHING RETURNING 1
    )
    SELECT count(*) = 1 FROM begun;
$$;
COMMENT ON FUNCTION dramatiq.begin_group IS
'Says of how many members a group is; false where it exists.';

CREATE FUNCTION dramatiq.count_member(p_group text, p_member uuid) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off -- the plan is made when there is little, and kept
AS $$
DECLARE
    open integer;
BEGIN
    SELECT missing INTO open FROM dramatiq.open_group WHERE id = p_group ORDER BY missing LIMIT 1 FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO dramatiq.group_member VALUES (p_group, p_member) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF open > 1 THEN
        UPDATE dramatiq.open_group SET missing = open - 1, touched_at = now() WHERE id = p_group AND missing = open;
        RETURN false;
    END IF;
    DELETE FROM dramatiq.open_group WHERE id = p_group AND missing = open;
    DELETE FROM dramatiq.group_member WHERE group_id = p_group;
    RETURN true;
END $$;
COMMENT ON FUNCTION dramatiq.count_member IS
'Notes that a member of a group has ended, each but once; true for the last of them, with which the group is forgotten.
Asked in the transaction that acks the member.';
