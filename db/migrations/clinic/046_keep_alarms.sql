-- Keeps what is wrong and who was told of it, so that whoever tells says everything once, whatever ends meanwhile.

CREATE TABLE balansity.alarm (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    check_name text NOT NULL,
    subject text NOT NULL,
    began_at timestamptz NOT NULL,
    sentence jsonb NOT NULL,                             -- text, remedy and facts, as the check found them last
    stood boolean NOT NULL DEFAULT false,                -- long enough to be told
    gone_at timestamptz,                                 -- since when it is no longer found
    closed_at timestamptz                                -- nothing more is to be told of it
);
COMMENT ON TABLE balansity.alarm IS
'What the checks found that wants a person. `subject` is a queue, a job, a provider or an id; nothing of a person''s stands
here.';
CREATE UNIQUE INDEX alarm_open ON balansity.alarm (check_name, subject) WHERE closed_at IS NULL;

CREATE TABLE balansity.alarm_telling (
    alarm_id bigint NOT NULL REFERENCES balansity.alarm ON DELETE CASCADE,
    way text NOT NULL,
    begun_at timestamptz,                                -- when it was told that it began,
    over_at timestamptz,                                 -- and that it is over
    PRIMARY KEY (alarm_id, way)
);
COMMENT ON TABLE balansity.alarm_telling IS
'By which way somebody was told, and when.';

CREATE TABLE balansity.alarm_way (
    way text PRIMARY KEY,
    failures integer NOT NULL DEFAULT 0,                 -- in a row
    next_at timestamptz NOT NULL DEFAULT '-infinity'     -- before which it is not tried again
);
COMMENT ON TABLE balansity.alarm_way IS
'The ways of telling that failed last, and when each is tried again.';

CREATE TABLE balansity.alarm_turn (next_at timestamptz NOT NULL);
INSERT INTO balansity.alarm_turn VALUES ('-infinity');
COMMENT ON TABLE balansity.alarm_turn IS
'Whose turn it is to look and to tell: one process takes it each minute. One row.';
