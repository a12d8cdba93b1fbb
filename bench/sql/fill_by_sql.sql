-- Messages for noop, as the site's own SQL sends them.
SELECT count(dramatiq.send('noop', jsonb_build_object('number', number)))
FROM generate_series(1, %(count)s) AS number
