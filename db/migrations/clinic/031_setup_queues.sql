-- Sets up the four pgmq queues and the functions through which SQL, triggers and Edge Functions use them.

DO $$
BEGIN
    PERFORM pgmq.create(wanted)
    FROM unnest(ARRAY['email_queue', 'report_generation_queue', 'payment_processing_queue', 'analytics_queue']) AS wanted
    WHERE wanted NOT IN (SELECT m.queue_name FROM pgmq.meta m);
END $$;

-- A live database may hold these functions with other parameter names and results: they make way.
DO $$
DECLARE
    old regprocedure;
    user_of_it text;
BEGIN
    FOR old IN
        SELECT oid::regprocedure FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND proname IN (
            'queue_email_task', 'queue_report_generation', 'queue_payment_processing',
            'pgmq_read', 'pgmq_archive', 'pgmq_nack', 'pgmq_metrics')
    LOOP
        EXECUTE format('DROP ROUTINE %s', old);
    END LOOP;
EXCEPTION WHEN dependent_objects_still_exist THEN
    GET STACKED DIAGNOSTICS user_of_it = PG_EXCEPTION_DETAIL;
    RAISE EXCEPTION '% must make way for ours, but %: drop what depends on it and migrate again.', old, user_of_it;
END $$;

CREATE FUNCTION public.queue_email_task(
    p_to text, p_subject text, p_template text, p_variables jsonb DEFAULT '{}', p_priority integer DEFAULT 0
) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT pgmq.send('email_queue', jsonb_build_object(
        'to', p_to, 'subject', p_subject, 'template', p_template, 'variables', coalesce(p_variables, '{}'),
        'priority', coalesce(p_priority, 0), 'created_at', now()));
$$;

CREATE FUNCTION public.queue_report_generation(p_assessment_id uuid, p_user_id uuid, p_report_type text DEFAULT 'pdf')
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    IF p_report_type IS NULL OR p_report_type NOT IN ('pdf', 'csv', 'json') THEN
        RAISE EXCEPTION 'No report type is called %.', coalesce(quote_literal(p_report_type), 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'There are: pdf, csv, json.';
    END IF;
    RETURN pgmq.send('report_generation_queue', jsonb_build_object(
        'assessment_id', p_assessment_id, 'user_id', p_user_id, 'report_type', p_report_type, 'created_at', now()));
END $$;

CREATE FUNCTION public.queue_payment_processing(p_payment_id uuid, p_action text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    IF p_action IS NULL OR p_action NOT IN ('verify', 'refund', 'update_status') THEN
        RAISE EXCEPTION 'No payment action is called %.', coalesce(quote_literal(p_action), 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'There are: verify, refund, update_status.';
    END IF;
    RETURN pgmq.send('payment_processing_queue', jsonb_build_object(
        'payment_id', p_payment_id, 'action', p_action, 'created_at', now()));
END $$;

CREATE FUNCTION dramatiq.check_pgmq_queue(queue_name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pgmq.meta m WHERE m.queue_name = $1) THEN
        RAISE EXCEPTION 'No pgmq queue is called %.', coalesce(quote_literal($1), 'NULL')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'There are: ' || (SELECT string_agg(m.queue_name, ', ' ORDER BY m.queue_name) FROM pgmq.meta m);
    END IF;
END $$;
COMMENT ON FUNCTION dramatiq.check_pgmq_queue IS
'Raises where pgmq has no such queue; pgmq itself would name a missing table.';

CREATE FUNCTION public.pgmq_read(queue_name text, vt integer DEFAULT 30) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM dramatiq.check_pgmq_queue($1);
    RETURN (SELECT jsonb_build_object(
                'msg_id', r.msg_id, 'read_ct', r.read_ct, 'enqueued_at', r.enqueued_at, 'vt', r.vt,
                'message', r.message, 'msg', r.message)
            FROM pgmq.read($1, $2, 1) AS r);
END $$;
COMMENT ON FUNCTION public.pgmq_read IS
'One visible message as one object, hidden from other readers for vt seconds; NULL where there is none.';

CREATE FUNCTION public.pgmq_archive(queue_name text, msg_id bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM dramatiq.check_pgmq_queue($1);
    RETURN coalesce(pgmq.archive($1, $2), false);
END $$;
COMMENT ON FUNCTION public.pgmq_archive IS
'Done with a message: true where it was there to archive.';

CREATE FUNCTION public.pgmq_nack(queue_name text, msg_id bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM dramatiq.check_pgmq_queue($1);
    RETURN EXISTS (SELECT FROM pgmq.set_vt($1, $2, 0));
END $$;
COMMENT ON FUNCTION public.pgmq_nack IS
'Not done with a message: it is visible again at once; true where it was there.';

CREATE FUNCTION public.pgmq_metrics(queue_name text) RETURNS TABLE (
    queue text, queue_length bigint, newest_msg_age_sec integer, oldest_msg_age_sec integer, total_messages bigint,
    waiting bigint, delayed bigint, in_flight bigint, done bigint, dead bigint
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM dramatiq.check_pgmq_queue($1);
    RETURN QUERY
    SELECT $1, m.queue_length, m.newest_msg_age_sec, m.oldest_msg_age_sec, m.total_messages, b.*
    FROM pgmq.metrics($1) AS m, (
        SELECT count(*) FILTER (WHERE q.state = 'queued' AND NOT q.delayed),
               count(*) FILTER (WHERE q.state = 'queued' AND q.delayed),
               count(*) FILTER (WHERE q.state = 'consumed'),
               count(*) FILTER (WHERE q.state = 'done'),
               count(*) FILTER (WHERE q.state = 'rejected')
        FROM dramatiq.queue q WHERE q.pgmq_queue = $1
    ) AS b;
END $$;
COMMENT ON FUNCTION public.pgmq_metrics IS
'What waits in pgmq, and what became of the messages that the bridge moved to the broker.';

-- Supabase grants new functions in public to every visitor; these are for the service alone.
DO $$
DECLARE
    visitor text;
    callable regprocedure;
BEGIN
    FOR callable IN
        SELECT oid::regprocedure FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND proname IN (
            'queue_email_task', 'queue_report_generation', 'queue_payment_processing',
            'pgmq_read', 'pgmq_archive', 'pgmq_nack', 'pgmq_metrics')
           OR oid = 'dramatiq.check_pgmq_queue'::regproc
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', callable);
        FOR visitor IN SELECT rolname FROM pg_roles WHERE rolname IN ('anon', 'authenticated') LOOP
            EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %I', callable, visitor);
        END LOOP;
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'service_role') THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO service_role', callable);
        END IF;
    END LOOP;
END $$;

CREATE FUNCTION dramatiq.ring_for_pgmq() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM dramatiq.ring(ARRAY(SELECT queue_name FROM dramatiq.actor WHERE 'q_' || pgmq_queue = TG_TABLE_NAME));
    RETURN NULL;
END $$;
COMMENT ON FUNCTION dramatiq.ring_for_pgmq IS
'A message that any pgmq function sends rings for the actor that its queue is routed to.';
REVOKE ALL ON FUNCTION dramatiq.ring_for_pgmq FROM PUBLIC;

CREATE FUNCTION dramatiq.purge_archives(p_before timestamptz, p_batch integer) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
DECLARE
    queue text;
    purged bigint;
    total bigint := 0;
BEGIN
    FOR queue IN SELECT a.pgmq_queue FROM dramatiq.actor a JOIN pgmq.meta m ON m.queue_name = a.pgmq_queue LOOP
        EXECUTE format('DELETE FROM pgmq.%1$I WHERE msg_id IN (
                            SELECT msg_id FROM pgmq.%1$I WHERE archived_at < $1 LIMIT $2)', 'a_' || queue)
        USING p_before, p_batch;
        GET DIAGNOSTICS purged = ROW_COUNT;
        total := total + purged;
    END LOOP;
    RETURN total;
END $$;
COMMENT ON FUNCTION dramatiq.purge_archives IS
'Deletes at most p_batch archived messages of each routed queue from before p_before; returns how many.';
REVOKE ALL ON FUNCTION dramatiq.purge_archives FROM PUBLIC;

CREATE FUNCTION dramatiq.furnish_queues() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
DECLARE
    queue text;
    home text := CASE WHEN has_schema_privilege('pgmq', 'CREATE') THEN 'pgmq' ELSE 'balansity' END;
BEGIN
    FOR queue IN
        SELECT m.queue_name FROM pgmq.meta m
        WHERE m.queue_name IN ('email_queue', 'report_generation_queue', 'payment_processing_queue', 'analytics_queue')
    LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_trigger
                           WHERE tgrelid = format('pgmq.%I', 'q_' || queue)::regclass AND tgname = 'ring') THEN
                EXECUTE format('CREATE TRIGGER ring AFTER INSERT ON pgmq.%I FOR EACH STATEMENT
                                EXECUTE FUNCTION dramatiq.ring_for_pgmq()', 'q_' || queue);
                EXECUTE format('CREATE INDEX %I ON pgmq.%I (dramatiq.priority_of(message) DESC, msg_id)
                                WHERE dramatiq.priority_of(message) > 0', queue || '_urgent', 'q_' || queue);
            END IF;
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE NOTICE 'No trigger and index on pgmq.q_%: workers poll for its messages, in their order.', queue;
        END;
        IF to_regclass(format('%I.%I', home, queue)) IS NULL THEN
            EXECUTE format(
                'CREATE VIEW %I.%I AS
                 SELECT msg_id, read_ct, enqueued_at, vt, message FROM pgmq.%I
                 UNION ALL
                 SELECT pgmq_msg_id, rescues, available_at, available_at, message -> ''kwargs''
                 FROM dramatiq.queue WHERE pgmq_queue = %L AND state = ''queued''',
                home, queue, 'q_' || queue, queue);
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION dramatiq.furnish_queues IS
'Gives the queues of ours what they lack of comforts that need rights on pgmq''s own schema and tables; `migrate` asks for
it every time, for a queue that was dropped and made anew. Without the trigger, workers notice by polling (at most a
second later); without the index, urgent messages overtake others only once the bridge has moved them; without the
right to create there, the views stand in schema balansity.';
REVOKE ALL ON FUNCTION dramatiq.furnish_queues FROM PUBLIC;

-- Views of the same names that somebody made before us make way.
DO $$
DECLARE
    old text;
BEGIN
    FOR old IN
        SELECT format('%I.%I', schemaname, viewname) FROM pg_views
        WHERE schemaname = CASE WHEN has_schema_privilege('pgmq', 'CREATE') THEN 'pgmq' ELSE 'balansity' END
          AND viewname IN (
            'email_queue', 'report_generation_queue', 'payment_processing_queue', 'analytics_queue')
    LOOP
        EXECUTE 'DROP VIEW ' || old;
    END LOOP;
    PERFORM dramatiq.furnish_queues();
END $$;
