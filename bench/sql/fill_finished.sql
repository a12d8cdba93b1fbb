-- Puts messages in that this project's broker finished over the last week.
SELECT dramatiq.make_day((now() AT TIME ZONE 'UTC')::date - number) FROM generate_series(1, 7) AS number;
INSERT INTO dramatiq.queue (message_id, queue_name, state, mtime, available_at, attempt, message)
SELECT id, 'default', 'done', now() - number * interval '100 milliseconds', now() - number * interval '100 milliseconds',
    1, jsonb_build_object(
        'queue_name', 'default', 'actor_name', 'noop', 'args', jsonb_build_array(number), 'kwargs', '{}'::jsonb,
        'options', '{}'::jsonb, 'message_id', id, 'message_timestamp', 1700000000000 + number)
FROM (SELECT gen_random_uuid() AS id, number FROM generate_series(1, %(count)s) AS number) AS numbered;
