-- Keeps finished reports, so that one is made once, attached to its mail and found again by the clinic.

CREATE TABLE balansity.report (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    assessment_id uuid NOT NULL,            -- no foreign key: the service's tables carry nothing of ours
    user_id uuid,                           -- whose report it is; null for a check-up without a profile
    format text NOT NULL CHECK (format IN ('pdf', 'csv', 'json')),
    digest text NOT NULL,                   -- of what the report says: other answers make another version
    filename text NOT NULL,
    media_type text NOT NULL,
    size_bytes integer NOT NULL,
    content bytea,                          -- the file itself, or
    path text,                              -- where it lies below REPORT_STORAGE_URL
    created_at timestamptz NOT NULL,
    UNIQUE (assessment_id, format, digest),
    CHECK (num_nonnulls(content, path) = 1)
);

-- A PDF is compressed already: do not spend time on trying again.
ALTER TABLE balansity.report ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE INDEX report_by_user ON balansity.report (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX report_by_age ON balansity.report (created_at);
