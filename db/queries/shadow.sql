-- Ours in the shadow of the old system.

-- name: look()$
-- Note what ours would have done since the last look; returns how much that is.
SELECT balansity.look_in_shadow();

-- name: forget()!
-- Begin anew with the next look.
TRUNCATE balansity.shadow, balansity.shadow_look;

-- name: count_looks()^
-- Since when, until when, how often.
SELECT min(looked_at) AS since, max(looked_at) AS until, count(*) AS looks FROM balansity.shadow_look;

-- name: compare()
-- How many acts of each kind compare how, and those that differ.
SELECT act, verdict, count(*) AS acts,
       coalesce(array_agg(about::text ORDER BY about) FILTER (WHERE verdict <> 'same'), '{}') AS about
FROM balansity.compare_shadow() GROUP BY act, verdict ORDER BY act, verdict;
