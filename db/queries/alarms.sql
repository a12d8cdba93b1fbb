-- What is wrong, and who was told of it.

-- name: open_subjects(check_name)
-- What the alarms of this check are about that are not over.
SELECT subject FROM balansity.alarm WHERE check_name = :check_name AND over_at IS NULL;

-- name: take_turn(lease)$
-- Whether this process is to look and to tell now.
SELECT balansity.take_alarm_turn(:lease);

-- name: end_turn(pause)!
-- Let the next turn begin after a pause.
UPDATE balansity.alarm_turn SET next_at = clock_timestamp() + :pause;

-- name: note(checks, subjects, sentences, settled)$
-- Note all that is found now and wants a person.
SELECT balansity.note_alarms(:checks::text[], :subjects::text[], :sentences::jsonb[], :settled);

-- name: untold(way)
-- What is to be told by a way now.
SELECT id, sentence, began_at, gone_at, is_over, is_known FROM balansity.untold_alarms(:way);

-- name: told(way, ids, over)!
-- Note that these were told by a way, and of some that they are over.
INSERT INTO balansity.alarm_telling AS t (alarm_id, way, over_at)
SELECT id, :way, CASE WHEN id = ANY (:over::bigint[]) THEN clock_timestamp() END FROM unnest(:ids::bigint[]) AS id
ON CONFLICT (alarm_id, way) DO UPDATE SET over_at = excluded.over_at;

-- name: way_failed(way, least, most)!
-- Note that a way failed; it is tried again after a pause that doubles from the least to the most.
INSERT INTO balansity.alarm_way AS w (way, failures, next_at) VALUES (:way, 1, clock_timestamp() + :least)
ON CONFLICT (way) DO UPDATE
SET failures = w.failures + 1, next_at = clock_timestamp() + least(:least * pow(2, least(w.failures, 20)), :most);

-- name: way_worked(way)!
DELETE FROM balansity.alarm_way WHERE way = :way;

-- name: failing_ways(ways)
-- Those of these ways that failed when they were tried last.
SELECT way, since, failures, next_at FROM balansity.alarm_way WHERE way = ANY (:ways) ORDER BY way;

-- name: close(ways)$
SELECT balansity.close_alarms(:ways::text[]);

-- name: open_alarms()
-- What is not closed, and by which ways it was told.
SELECT a.check_name AS "check", a.subject, a.sentence, a.began_at, a.over_at,
       ARRAY(SELECT t.way FROM balansity.alarm_telling t WHERE t.alarm_id = a.id ORDER BY t.way) AS told_by
FROM balansity.alarm a WHERE a.closed_at IS NULL ORDER BY a.id;
