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

CREATE FUNCTION balansity.scores_by_site(p_assessment_id uuid, p_assessment_type text) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, public, extensions, pg_temp
AS $$
DECLARE
    function_name text := format('calculate_%s_scores', p_assessment_type);
    scores jsonb;
BEGIN
    IF p_assessment_type NOT IN ('checkup', 'parent', 'family') OR NOT EXISTS (
        SELECT FROM pg_proc p, pg_roles r, pg_class c
        WHERE p.oid = to_regprocedure(format('public.%I(uuid)', function_name))
          AND p.prorettype IN ('jsonb'::regtype, 'json'::regtype) AND NOT p.proretset
          AND r.oid = p.proowner AND c.oid = to_regclass('public.assessments')
          AND (r.rolsuper OR r.rolbypassrls OR pg_has_role(r.oid, c.relowner, 'USAGE'))
    ) THEN
        RETURN NULL;
    END IF;
    EXECUTE format('SELECT to_jsonb(public.%I($1))', function_name) INTO scores USING p_assessment_id;
    RETURN coalesce(scores, '{}');
END $$;
COMMENT ON FUNCTION balansity.scores_by_site IS
'What calculate_checkup_scores, calculate_parent_scores or calculate_family_scores of the site says; NULL where there is none,
or one that somebody else made: what the site decides counts more than any table of ours. It runs as whoever asks. Its
path has public, for the site''s functions look for their tables there; what it raises is raised.';
