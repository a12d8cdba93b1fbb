-- The check-ups that reports are made of, and the reports that are kept.

-- name: assessment(id, user_id)^
-- One check-up with whom it is about, its answers, and where mail about it goes.
-- Without a profile the check-up has no owner: then `user_id`, whom the message names, is taken at its word.
SELECT s.id,
       coalesce(s.assessment_type, 'check-up of no type') AS assessment_type,
       coalesce(s.status, 'of no status') AS status,
       s.results_summary,
       coalesce(
           balansity.of_our_time(s.completed_at), given.last_at,
           balansity.of_our_time(s.updated_at), balansity.of_our_time(s.created_at), balansity.now()
       ) AS answered_at,
       given.last_at AS last_answer_at,
       coalesce(
           greatest(balansity.of_our_time(s.completed_at), balansity.of_our_time(s.updated_at)), balansity.now()
       ) AS changed_at,
       left(p.first_name, 500) AS first_name, -- more than a report shows
       left(p.last_name, 500) AS last_name,
       CASE WHEN p.dob BETWEEN date '1900-01-01' AND date '2199-12-31' THEN p.dob END AS birthday,
       p.user_id AS owner_id,
       balansity.email_of(coalesce(p.user_id, :user_id::uuid)) AS email,
       balansity.reader_name(coalesce(p.user_id, :user_id::uuid)) AS reader_name,
       given.answers
FROM public.assessments s
LEFT JOIN public.profiles p ON p.id = s.profile_id
CROSS JOIN LATERAL (
    SELECT
        coalesce(jsonb_agg(jsonb_build_object(
            'question_id', a.question_id, 'answer_type', a.answer_type, 'value', a.value
        ) ORDER BY a.question_id), '[]') AS answers,
        max(greatest( -- columns that some deployments lack
            balansity.of_our_time((to_jsonb(a) ->> 'created_at')::timestamptz),
            balansity.of_our_time((to_jsonb(a) ->> 'updated_at')::timestamptz)
        )) AS last_at
    FROM public.answers a
    WHERE a.assessment_id = s.id AND a.value IS NOT NULL AND a.question_id BETWEEN 1 AND 999 -- as many as one can ask
) AS given
WHERE s.id = :id::uuid;

-- name: site_scores(id, assessment_type)$
-- What the site's own function makes of the answers; NULL where it has none.
SELECT balansity.scores_by_site(:id::uuid, :assessment_type);

-- name: is_kept(assessment_id, format, digest)$
SELECT EXISTS (
    SELECT FROM balansity.report
    WHERE assessment_id = :assessment_id::uuid AND format = :format AND digest = :digest
);

-- name: add(assessment_id, user_id, format, digest, filename, media_type, size_bytes, content, path, at)$
-- The new report's id, or NULL if this very report is kept already.
INSERT INTO balansity.report (
    assessment_id, user_id, format, digest, filename, media_type, size_bytes, content, path, created_at
)
VALUES (
    :assessment_id::uuid, :user_id::uuid, :format, :digest, :filename, :media_type, :size_bytes, :content, :path, :at
)
ON CONFLICT (assessment_id, format, digest) DO NOTHING
RETURNING id::text;

-- name: renew(assessment_id, format, digest, content)$
-- Put a file that was made anew in the place of the one that is kept in the database; the report's id.
UPDATE balansity.report SET
    content = CASE WHEN path IS NULL THEN :content ELSE content END,
    size_bytes = CASE WHEN path IS NULL THEN octet_length(:content) ELSE size_bytes END
WHERE assessment_id = :assessment_id::uuid AND format = :format AND digest = :digest
RETURNING id::text;

-- name: key_of(id)^
-- Which version of which report this is.
SELECT assessment_id::text, format, digest FROM balansity.report WHERE id = :id::uuid;

-- name: id_of(assessment_id, format, digest)$
SELECT id::text FROM balansity.report
WHERE assessment_id = :assessment_id::uuid AND format = :format AND digest = :digest;

-- name: find(id)^
SELECT filename, media_type, content, path FROM balansity.report WHERE id = :id::uuid;

-- name: of_user(user_id, after, rows)
-- A page of the reports about a user's family.
SELECT r.id::text AS key, r.path, coalesce(pg_column_size(r.content), 0) AS bytes
FROM balansity.report r
WHERE (r.user_id = :user_id::uuid
       OR r.assessment_id IN (
           SELECT s.id FROM public.assessments s JOIN public.profiles p ON p.id = s.profile_id
           WHERE p.user_id = :user_id::uuid))
  AND (:after::uuid IS NULL OR r.id > :after::uuid)
ORDER BY r.id
LIMIT :rows;

-- name: removals_until(retention, until, most)
-- What is going to be removed for its age by a given time: the first, or all (NULL). Which check-ups are gone only a look at
-- every report would tell.
SELECT created_at + :retention AS due_at, id::text FROM balansity.report
WHERE created_at < :until - :retention
ORDER BY created_at
LIMIT :most;

-- name: page(before, after, rows)
-- A page of all reports, each with whether it is past its retention or its check-up is gone.
SELECT r.id::text AS key, r.path, coalesce(pg_column_size(r.content), 0) AS bytes,
       r.created_at < :before OR NOT EXISTS (SELECT FROM public.assessments s WHERE s.id = r.assessment_id) AS is_old
FROM balansity.report r
WHERE :after::uuid IS NULL OR r.id > :after::uuid
ORDER BY r.id
LIMIT :rows;

-- name: remove(keys)!
DELETE FROM balansity.report WHERE id = ANY (:keys::uuid[]);

-- name: latest(since, until, last, count)
-- A page of the reports that were made since then (NULL: ever), the newest first, behind the report `last` that was made
-- at `until`, each with the mail that brought it first; what they say stays where it is.
SELECT r.id::text, r.created_at, r.format, r.size_bytes, r.assessment_id::text, r.user_id::text, d.id::text AS mail_id,
       d.state AS mail
FROM (
    SELECT id, created_at, format, size_bytes, assessment_id, user_id, digest FROM balansity.report
    WHERE (:since::timestamptz IS NULL OR created_at >= :since)
      AND (:last::uuid IS NULL OR (created_at, id) < (:until, :last::uuid))
    ORDER BY created_at DESC, id DESC
    LIMIT :count
) AS r
LEFT JOIN balansity.delivery_key k ON k.key = concat_ws(':', 'report_ready', r.assessment_id, r.format, r.digest)
LEFT JOIN LATERAL (
    SELECT id, state FROM balansity.delivery WHERE (id, planned_at) = (k.id, k.planned_at) OFFSET 0
) AS d ON true
ORDER BY r.created_at DESC, r.id DESC;

-- name: count_kept(since, most)$
-- How many reports were made since then, but no more than `most` where that is not NULL.
SELECT count(*) FROM (
    SELECT FROM balansity.report WHERE :since::timestamptz IS NULL OR created_at >= :since LIMIT :most
) AS kept;

-- name: opened(id)^
-- What a report says, in the transaction in which the operators' log says that it is opened; nothing in any other.
SELECT filename, media_type, content, path FROM balansity.opened_report(:id::uuid);

-- name: ids(first, last, count)
-- The ids of reports from one to another.
SELECT id::text FROM balansity.report WHERE id BETWEEN :first::uuid AND :last::uuid ORDER BY id LIMIT :count;

-- name: about(id)^
-- A report without what it says.
SELECT id::text, assessment_id::text, user_id::text, format, size_bytes, created_at,
       CASE WHEN path IS NULL THEN 'in the database' ELSE 'in the storage' END AS kept
FROM balansity.report WHERE id = :id::uuid;

-- name: mails_of(id)
-- The deliveries that brought a report, and those that brought it once more.
WITH RECURSIVE brought AS (
    SELECT d.id FROM balansity.report r
    JOIN balansity.delivery_key d ON d.key = concat_ws(':', 'report_ready', r.assessment_id, r.format, r.digest)
    WHERE r.id = :id::uuid
    UNION
    SELECT d.id FROM balansity.delivery d JOIN brought b ON d.again_of = b.id
)
SELECT d.id::text, d.planned_at, d.state, d.reason, d.decided_by
FROM brought JOIN balansity.delivery_key USING (id) JOIN balansity.delivery d USING (id, planned_at)
ORDER BY d.planned_at, d.id;
