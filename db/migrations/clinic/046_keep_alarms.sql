-- Keeps what is wrong and who was told of it, so that whoever tells says everything once, whatever ends meanwhile.

CREATE TABLE balansity.alarm (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    check_name text NOT NULL,
    subject text NOT NULL,
    sentence jsonb NOT NULL,                             -- text, remedy and facts, as the check found them last
    began_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    stood_at timestamptz,                                -- when it had stood for long enough to be told
    gone_at timestamptz,                                 -- since when it is not found
    over_at timestamptz,                                 -- when it had been gone for long enough to be over
    closed_at timestamptz                                -- nothing more is to be told of it
);
COMMENT ON TABLE balansity.alarm IS
'What the checks found that wants a person. `subject` is a queue, a job, a provider or an id; nothing of a person''s stands
here.';
CREATE UNIQUE INDEX alarm_standing ON balansity.alarm (check_name, subject) WHERE over_at IS NULL;
CREATE INDEX alarm_open ON balansity.alarm (id) WHERE closed_at IS NULL;
CREATE INDEX alarm_closed ON balansity.alarm (closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE balansity.alarm_telling (
    alarm_id bigint NOT NULL REFERENCES balansity.alarm ON DELETE CASCADE,
    way text NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT clock_timestamp(), -- when it was told,
    over_at timestamptz,                                 -- and that it is over
    PRIMARY KEY (alarm_id, way)
);
COMMENT ON TABLE balansity.alarm_telling IS
'By which way somebody was told, and when.';

CREATE TABLE balansity.alarm_way (
    way text PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    failures integer NOT NULL,                           -- in a row
    next_at timestamptz NOT NULL                         -- before which it is not tried again
);
COMMENT ON TABLE balansity.alarm_way IS
'The ways of telling that failed when they were tried last.';

CREATE TABLE balansity.alarm_turn (next_at timestamptz NOT NULL);
INSERT INTO balansity.alarm_turn VALUES ('-infinity');
COMMENT ON TABLE balansity.alarm_turn IS
'When the next process may look and tell: one at a time takes the turn. One row.';

CREATE FUNCTION balansity.take_alarm_turn(p_lease interval) RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    WITH taken AS (
        UPDATE balansity.alarm_turn SET next_at = clock_timestamp() + p_lease
        -- One that lies further ahead than any lease was taken before the clock was set back.
        WHERE next_at <= clock_timestamp() OR next_at > clock_timestamp() + p_lease
        RETURNING 1
    )
    SELECT EXISTS (SELECT FROM taken);
$$;
COMMENT ON FUNCTION balansity.take_alarm_turn IS
'Whether it is the caller''s turn; nobody else has one until it is ended, or for p_lease where its holder dies.';

CREATE FUNCTION balansity.note_alarms(p_checks text[], p_subjects text[], p_sentences jsonb[], p_settled interval)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    present constant timestamptz := clock_timestamp();
BEGIN
    WITH seen AS (
        INSERT INTO balansity.alarm AS a (check_name, subject, sentence, began_at)
        SELECT f.check_name, f.subject, f.sentence, present
        FROM unnest(p_checks, p_subjects, p_sentences) AS f (check_name, subject, sentence)
        ON CONFLICT (check_name, subject) WHERE over_at IS NULL
        DO UPDATE SET sentence = excluded.sentence, gone_at = NULL
        RETURNING id
    )
    UPDATE balansity.alarm SET gone_at = present
    WHERE over_at IS NULL AND gone_at IS NULL AND id NOT IN (SELECT id FROM seen);

    DELETE FROM balansity.alarm WHERE stood_at IS NULL AND gone_at <= present - p_settled; -- it only flickered
    UPDATE balansity.alarm SET stood_at = present
    WHERE stood_at IS NULL AND gone_at IS NULL AND began_at <= present - p_settled;
    UPDATE balansity.alarm SET over_at = present WHERE over_at IS NULL AND gone_at <= present - p_settled;
END $$;
COMMENT ON FUNCTION balansity.note_alarms IS
'Notes what is found now. Something is to be told once it has been found, or gone, for p_settled; what was gone for less is
the same alarm still.';

CREATE FUNCTION balansity.untold_alarms(p_way text) RETURNS TABLE (
    id bigint, check_name text, subject text, sentence jsonb, began_at timestamptz, gone_at timestamptz, is_over boolean,
    is_known boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.id, a.check_name, a.subject, a.sentence, a.began_at, a.gone_at, a.over_at IS NOT NULL, t.way IS NOT NULL
    FROM balansity.alarm a LEFT JOIN balansity.alarm_telling t ON t.alarm_id = a.id AND t.way = p_way
    WHERE a.closed_at IS NULL AND a.stood_at IS NOT NULL
      AND (t.way IS NULL OR a.over_at IS NOT NULL AND t.over_at IS NULL)
      AND NOT EXISTS (SELECT FROM balansity.alarm_way w WHERE w.way = p_way AND w.next_at > clock_timestamp())
    ORDER BY a.id;
$$;
COMMENT ON FUNCTION balansity.untold_alarms IS
'What is to be told by this way now: that it began, that it is over, or both at once where the way failed meanwhile.';

CREATE FUNCTION balansity.close_alarms(p_ways text[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE balansity.alarm a SET closed_at = clock_timestamp()
    WHERE a.closed_at IS NULL AND a.over_at IS NOT NULL AND (
        a.over_at < clock_timestamp() - interval '7 days' -- no longer news, if some way never could tell it
        OR NOT EXISTS (
            SELECT FROM unnest(p_ways) AS way WHERE NOT EXISTS (
                SELECT FROM balansity.alarm_telling t
                WHERE t.alarm_id = a.id AND t.way = way AND t.over_at IS NOT NULL)));
    DELETE FROM balansity.alarm WHERE closed_at < clock_timestamp() - interval '90 days';
$$;
COMMENT ON FUNCTION balansity.close_alarms IS
'Closes what is over and told by every way; what was closed 90 days ago is forgotten.';
