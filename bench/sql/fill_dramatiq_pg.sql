-- Puts messages where dramatiq-pg would: it has no way of its own to enqueue many.
INSERT INTO dramatiq.queue (message_id, queue_name, state, message)
SELECT id, 'default', 'queued', jsonb_build_object(
    'queue_name', 'default', 'actor_name', 'noop', 'args', jsonb_build_array(number), 'kwargs', '{}'::jsonb,
    'options', '{}'::jsonb, 'message_id', id, 'message_timestamp', floor(extract(epoch FROM clock_timestamp()) * 1000))
FROM (SELECT gen_random_uuid() AS id, number FROM generate_series(1, %(count)s) AS number) AS numbered;
