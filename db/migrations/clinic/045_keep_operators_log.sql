-- Who of the staff did what, and why: for whoever asks later. Nothing of a person's stands here but ids.

CREATE TABLE balansity.operator_action (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    acted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    who text NOT NULL,
    via text NOT NULL CHECK (via IN ('page', 'shell')),
    action text NOT NULL,
    target text NOT NULL DEFAULT '',
    count integer,
    reason text NOT NULL CHECK (reason <> ''),
    form uuid UNIQUE -- of a page: what is done by one form is done once
);
COMMENT ON TABLE balansity.operator_action IS
'The operators'' log. `count`: how many things an action was about, where it was not one. `reason` is in a person''s words.';
CREATE INDEX operator_action_acted_at ON balansity.operator_action (acted_at DESC);
