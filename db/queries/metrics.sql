-- What Prometheus is told of the clinic: nothing of it takes longer as tables grow.

-- name: open_deliveries(most)
-- How many deliveries are in each state that is not an end, or that a person may want to end, counted up to `most`.
SELECT state, deliveries FROM balansity.open_deliveries(:most);

-- name: delivery_totals()
-- What became of deliveries, ever.
SELECT state, deliveries FROM balansity.delivery_total ORDER BY state;

-- name: jobs()
-- Each job that is ours to keep: since when a slot of it is open, and when one ended well last.
SELECT j.name AS job, j.schedule, j.time_zone, j.paused, j.planned_until, balansity.now() AS now,
       (SELECT s.slot FROM balansity.slot s
        WHERE s.job = j.name AND s.state IN ('planned', 'started') ORDER BY s.slot LIMIT 1) AS open_since,
       (SELECT s.finished_at FROM balansity.slot s
        WHERE s.job = j.name AND s.state = 'succeeded' AND s.slot > balansity.now() - interval '2 days'
        ORDER BY s.slot DESC LIMIT 1) AS succeeded_at
FROM balansity.job j
WHERE NOT j.retired AND balansity.in_charge()
ORDER BY j.id;

-- name: payments(most)^
-- How many payments wait for the provider, counted up to `most`, and how many for a person.
SELECT (SELECT count(*) FROM (SELECT FROM balansity.waiting_payments() LIMIT :most) AS first) AS open,
       (SELECT count(*) FROM balansity.payment_flag WHERE resolved_at IS NULL) AS flagged;
