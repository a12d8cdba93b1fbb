-- Sets up the four pgmq queues and the functions through which SQL, triggers and Edge Functions use them. A live database
-- may hold such functions of its own: ours stand here as balansity.site_…, and become public.… when we take over.

CREATE FUNCTION balansity.site_queue_email_task(
    p_to text, p_subject text, p_template text, p_variables jsonb DEFAULT '{}', p_priority integer DEFAULT 0
) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pgmq.send('email_queue', jsonb_build_object(
        'to', p_to, 'subject', p_subject, 'template', p_template, 'variables', coalesce(p_variables, '{}'),
        'priority', coalesce(p_priority, 0), 'created_at', now()));
$$;
COMMENT ON FUNCTION balansity.site_queue_email_task IS
'Orders a mail, in the transaction of the caller: to whom, its subject, its template and what stands in that; a higher
priority leaves earlier. Gives the number of the message in pgmq.';

CREATE FUNCTION balansity.site_queue_report_generation(p_assessment_id uuid, p_user_id uuid, p_report_type text DEFAULT 'pdf')
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF p_report_type IS NULL OR p_report_type NOT IN ('pdf', 'csv', 'json') THEN
        RAISE EXCEPTION 'No report type is called %.', coalesce(quote_literal(p_report_type), 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'There are: pdf, csv, json.';
    END IF;
    RETURN pgmq.send('report_generation_queue', jsonb_build_object(
        'assessment_id', p_assessment_id, 'user_id', p_user_id, 'report_type', p_report_type, 'created_at', now()));
END $$;
COMMENT ON FUNCTION balansity.site_queue_report_generation IS
'Orders the report of a completed check-up (pdf, csv or json), which is mailed to its user. Gives the message''s number.';

CREATE FUNCTION balansity.site_queue_payment_processing(p_payment_id uuid, p_action text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF p_action IS NULL OR p_action NOT IN ('verify', 'refund', 'update_status') THEN
        RAISE EXCEPTION 'No payment action is called %.', coalesce(quote_literal(p_action), 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'There are: verify, refund, update_status.';
    END IF;
    RETURN pgmq.send('payment_processing_queue', jsonb_build_object(
        'payment_id', p_payment_id, 'action', p_action, 'created_at', now()));
END $$;
COMMENT ON FUNCTION balansity.site_queue_payment_processing IS
'Orders that a payment be verified at the provider, refunded, or its status taken on. Gives the message''s number.';

-- What the broker has for other readers of pgmq, under the names that the site's functions call.
CREATE FUNCTION balansity.site_pgmq_read(queue_name text, vt integer DEFAULT 30) RETURNS jsonb
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT dramatiq.read_pgmq($1, $2); $$;
COMMENT ON FUNCTION balansity.site_pgmq_read IS
'Takes the next message of a queue, for code of the old set-up: nobody else gets it for `vt` seconds. NULL where none waits.';

CREATE FUNCTION balansity.site_pgmq_archive(queue_name text, msg_id bigint) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT dramatiq.archive_pgmq($1, $2); $$;
COMMENT ON FUNCTION balansity.site_pgmq_archive IS 'Says that a message which was read is done; whether it was there.';

CREATE FUNCTION balansity.site_pgmq_nack(queue_name text, msg_id bigint) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT dramatiq.nack_pgmq($1, $2); $$;
COMMENT ON FUNCTION balansity.site_pgmq_nack IS 'Gives a message that was read back: it may be read again at once.';

CREATE FUNCTION balansity.site_pgmq_metrics(
    queue_name text,
    OUT queue text, OUT queue_length bigint, OUT newest_msg_age_sec integer, OUT oldest_msg_age_sec integer,
    OUT total_messages bigint, OUT waiting bigint, OUT delayed bigint, OUT in_flight bigint, OUT done bigint, OUT dead bigint
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM dramatiq.check_pgmq_queue($1);
    queue := $1;
    SELECT m.queue_length, m.newest_msg_age_sec, m.oldest_msg_age_sec, m.total_messages, b.*
    INTO queue_length, newest_msg_age_sec, oldest_msg_age_sec, total_messages, waiting, delayed, in_flight, done, dead
    FROM pgmq.metrics($1) AS m, dramatiq.count_bridged($1) AS b;
END $$;
COMMENT ON FUNCTION balansity.site_pgmq_metrics IS
'What waits in pgmq, and what became of the messages that the bridge moved to the broker: one row, so that an rpc gives one
object.';
