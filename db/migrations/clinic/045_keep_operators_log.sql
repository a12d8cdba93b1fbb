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

CREATE TABLE balansity.bulk_action (
    id uuid PRIMARY KEY,
    action text NOT NULL CHECK (action IN ('redrive', 'cancel', 'discard')),
    wanted jsonb NOT NULL,
    total integer NOT NULL,
    done integer NOT NULL DEFAULT 0,
    skipped integer NOT NULL DEFAULT 0,
    who text NOT NULL,
    reason text NOT NULL CHECK (reason <> ''),
    begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    taken_until timestamptz,
    state text,
    at timestamptz,
    after uuid,
    stopped_by text,
    ended_at timestamptz
);
COMMENT ON TABLE balansity.bulk_action IS
'What a person decided about many messages at once, and how far it is. `wanted` has names and ids alone, `total` is what it
found when it was decided; until `taken_until` somebody is working on it. What is behind `after`, which changed `at`, in
`state`, has yet to be done: so one that cannot be done is tried once.';
CREATE INDEX bulk_action_begun_at ON balansity.bulk_action (begun_at DESC);

CREATE FUNCTION balansity.opened_report(p_id uuid)
RETURNS TABLE (filename text, media_type text, content bytea, path text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.filename, r.media_type, r.content, r.path FROM balansity.report r
    WHERE r.id = p_id AND EXISTS (
        SELECT FROM balansity.operator_action o
        WHERE o.acted_at >= now() AND o.action = 'open report' AND o.target = p_id::text
          AND o.xmin = pg_current_xact_id_if_assigned()::xid -- by this very transaction
    )
$$;
COMMENT ON FUNCTION balansity.opened_report IS
'A report for the web process, which may read none: only in a transaction that has noted in the operators'' log who opens it.';
