-- Sends small events through pgmq, as the site's triggers would.
SELECT pgmq.send('analytics_queue', jsonb_build_object('number', number)) FROM generate_series(1, %(count)s) AS number;
