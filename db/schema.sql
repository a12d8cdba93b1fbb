--
-- PostgreSQL database dump
--

--
-- Name: balansity; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA balansity;

--
-- Name: dramatiq; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA dramatiq;

--
-- Name: public; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA public;

--
-- Name: SCHEMA public; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA public IS 'standard public schema';

--
-- Name: state; Type: TYPE; Schema: dramatiq; Owner: -
--

CREATE TYPE dramatiq.state AS ENUM (
    'queued',
    'consumed',
    'rejected',
    'done'
);

--
-- Name: bridge(bigint, text, text, text, integer, integer); Type: FUNCTION; Schema: dramatiq; Owner: -
--

CREATE FUNCTION dramatiq.bridge(p_worker bigint, p_queue text, p_pgmq_queue text, p_actor text, p_limit integer, p_room integer) RETURNS TABLE(message_id uuid, attempt integer, priority integer, message jsonb)
    LANGUAGE plpgsql
    AS $_$
#variable_conflict use_column
DECLARE
    ids bigint[];
    messages jsonb[];
    times timestamptz[];
BEGIN
    -- Columns by name and no types of pgmq's: both differ between its versions. A message whose vt lies ahead belongs
    -- to another reader, or is delayed.
    EXECUTE format(
        'SELECT array_agg(msg_id), array_agg(message), array_agg(enqueued_at) FROM (
             SELECT msg_id, message, enqueued_at FROM pgmq.%I
             WHERE vt <= clock_timestamp() ORDER BY msg_id LIMIT $1 FOR UPDATE SKIP LOCKED
         ) AS visible', 'q_' || p_pgmq_queue)
    INTO ids, messages, times USING p_limit;
    IF ids IS NULL THEN
        RETURN;
    END IF;
    PERFORM pgmq.archive(p_pgmq_queue, ids);

    RETURN QUERY
    WITH arrived AS (
        SELECT gen_random_uuid() AS id, a.msg_id, a.body, a.sent_at, dramatiq.priority_of(a.body) AS urgency,
               jsonb_typeof(a.body) = 'object' AS sound,
               row_number() OVER (
                   ORDER BY jsonb_typeof(a.body) = 'object' DESC, dramatiq.priority_of(a.body) DESC, a.msg_id
               ) AS rank
        FROM unnest(ids, messages, times) AS a (msg_id, body, sent_at)
    ), moved AS (
        INSERT INTO dramatiq.queue AS q
            (message_id, queue_name, state, message, priority, available_at, attempt, claimed_by,
             pgmq_queue, pgmq_msg_id, error)
        SELECT a.id, p_queue,
               CASE WHEN NOT a.sound THEN 'rejected' WHEN a.rank <= p_room THEN 'consumed' ELSE 'queued'
               END::dramatiq.state,
               jsonb_build_object(
                   'queue_name', p_queue, 'actor_name', p_actor, 'args', '[]'::jsonb,
                   'kwargs', CASE WHEN a.sound THEN a.body ELSE jsonb_build_object('payload', a.body) END,
                   'options', jsonb_build_object('pgmq', jsonb_build_object('queue', p_pgmq_queue, 'msg_id', a.msg_id)),
                   'message_id', a.id, 'message_timestamp', floor(extract(epoch FROM a.sent_at) * 1000)),
               a.urgency, a.sent_at,
               CASE WHEN a.sound AND a.rank <= p_room THEN 1 ELSE 0 END,
               CASE WHEN a.sound AND a.rank <= p_room THEN p_worker END,
               p_pgmq_queue, a.msg_id,
               CASE WHEN NOT a.sound THEN
                   format('Message %s of pgmq queue %s is %s, not a JSON object: send an object of arguments.',
                          a.msg_id, p_pgmq_queue, coalesce(jsonb_typeof(a.body), 'NULL'))
               END
        FROM arrived a
        ORDER BY a.rank
        RETURNING q.message_id, q.attempt, q.priority, q.message, q.state
    )
    SELECT message_id, attempt, priority, message FROM moved WHERE state = 'consumed';
END $_$;

--
-- Name: check_pgmq_queue(text); Type: FUNCTION; Schema: dramatiq; Owner: -
--

CREATE FUNCTION dramatiq.check_pgmq_queue(queue_name text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog'
    AS $_$
BEGIN
    IF NOT EXISTS (SELECT FROM pgmq.meta m WHERE m.queue_name = $1) THEN
        RAISE EXCEPTION 'No pgmq queue is called %.', coalesce(quote_literal($1), 'NULL')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'There are: ' || (SELECT string_agg(m.queue_name, ', ' ORDER BY m.queue_name) FROM pgmq.meta m);
    END IF;
END $_$;

--
-- Name: enqueue(jsonb, boolean); Type: FUNCTION; Schema: dramatiq; Owner: -
--

CREATE FUNCTION dramatiq.enqueue(p_envelopes jsonb, p_again boolean DEFAULT false) RETURNS void
    LANGUAGE sql
    AS $$
    WITH enqueued AS (
        INSERT INTO dramatiq.queue AS q (message_id, queue_name, state, message, priority, available_at, delayed)
        SELECT (message ->> 'message_id')::uuid, message ->> 'queue_name', 'queued', message, priority,
               now() + delay * interval '1 millisecond', delay > 0
        FROM jsonb_to_recordset(p_envelopes) AS envelope (message jsonb, priority integer, delay bigint)
        ON CONFLICT (message_id) DO UPDATE
        SET queue_name = excluded.queue_name, state = 'queued', message = excluded.message, mtime = now(),
            priority = excluded.priority, available_at = excluded.available_at, delayed = excluded.delayed,
            attempt = q.attempt + 1, claimed_by = NULL
        WHERE NOT p_again
        RETURNING q.queue_name
    )
    SELECT dramatiq.ring(array_agg(queue_name)) FROM enqueued;
$$;

--
-- Name: exchange(bigint, text, uuid[], integer[], integer, text, text); Type: FUNCTION; Schema: dramatiq; Owner: -
--

CREATE FUNCTION dramatiq.exchange(p_worker bigint, p_queue text, p_done uuid[], p_attempts integer[], p_limit integer, p_pgmq_queue text DEFAULT NULL::text, p_actor text DEFAULT NULL::text) RETURNS TABLE(message_id uuid, attempt integer, priority integer, message jsonb)
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
    claimed integer := 0;
BEGIN
    UPDATE dramatiq.queue AS q
    SET state = 'done', mtime = now(), claimed_by = NULL, error = NULL
    FROM unnest(p_done, p_attempts) AS finished (message_id, attempt)
    WHERE q.message_id = finished.message_id AND q.attempt = finished.attempt AND q.state = 'consumed';

    -- A worker that was given up for dead must say that it lives before it claims again.
    IF p_limit <= 0 OR NOT EXISTS (SELECT FROM dramatiq.worker WHERE id = p_worker) THEN
        RETURN;
    END IF;

    UPDATE dramatiq.queue AS q SET delayed = false
    WHERE q.message_id IN (
        SELECT message_id FROM dramatiq.queue
        WHERE queue_name = p_queue AND state = 'queued' AND delayed AND available_at <= now()
        ORDER BY available_at LIMIT p_limit FOR UPDATE SKIP LOCKED);

    RETURN QUERY
    WITH due AS MATERIALIZED (
        SELECT message_id FROM dramatiq.queue
        WHERE queue_name = p_queue AND state = 'queued' AND NOT delayed
        ORDER BY priority DESC, available_at, position
        LIMIT p_limit
        FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE dramatiq.queue AS q
        SET state = 'consumed', claimed_by = p_worker, attempt = q.attempt + 1, mtime = now()
        FROM due WHERE q.message_id = due.message_id
        RETURNING q.message_id, q.attempt, q.priority, q.message, q.available_at, q.position
    )
    SELECT message_id, attempt, priority, message FROM taken ORDER BY priority DESC, available_at, position;
    GET DIAGNOSTICS claimed = ROW_COUNT;

    IF p_pgmq_queue IS NOT NULL THEN
        RETURN QUERY
        SELECT message_id, attempt, priority, message
        FROM dramatiq.bridge(p_worker, p_queue, p_pgmq_queue, p_actor, p_limit, p_limit - claimed);
    END IF;
END $$;

--
-- Name: heartbeat(bigint, text, integer); Type: FUNCTION; Schema: dramatiq; Owner: -
--

CREATE FUNCTION dramatiq.heartbeat(p_worker bigint, p_host text, p_pid integer) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE dramatiq.worker SET heartbeat_at = clock_timestamp() WHERE id = p_worker;
    IF FOUND THEN
        RETURN true;
    END IF;
    INSERT INTO dramatiq.worker (id, host, pid) VALUES (p_worker, p_host, p_pid);
    RETURN false;
END $$;

--
-- Name: priority_of(jsonb); Type: FUNCTION; Schema: dramatiq; Owner: -
--

CREATE FUNCTION dramatiq.priority_of(message jsonb) RETURNS integer
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT CASE WHEN jsonb_typeof(message -> 'priority') = 'number'
                THEN greatest(-1000, least(1000, (message ->> 'priority')::numeric))::integer
                ELSE 0 END;
$$;

--
-- Name: purge(timestamp with time zone, timestamp with time zone, integer); Type: FUNCTION; Schema: dramatiq; Owner: -
--

CREATE FUNCTION dramatiq.purge(p_done_before timestamp with time zone, p_dead_before timestamp with time zone, p_batch integer) RETURNS bigint
    LANGUAGE sql
    AS $$
    WITH purged AS (
        DELETE FROM dramatiq.queue WHERE message_id IN (
            (SELECT message_id FROM dramatiq.queue WHERE state = 'done' AND mtime < p_done_before LIMIT p_batch)
            UNION ALL
            (SELECT message_id FROM dramatiq.queue WHERE state = 'rejected' AND mtime < p_dead_before LIMIT p_batch))
        RETURNING 1
    )
    SELECT count(*) FROM purged;
$$;

--
-- Name: redrive(uuid[]); Type: FUNCTION; Schema: dramatiq; Owner: -
--

CREATE FUNCTION dramatiq.redrive(p_ids uuid[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    queues text[];
BEGIN
    WITH redriven AS (
        UPDATE dramatiq.queue
        SET state = 'queued', mtime = now(), available_at = now(), delayed = false, rescues = 0,
            message = message #- '{options,retries}' #- '{options,traceback}'
        WHERE message_id = ANY (p_ids) AND state = 'rejected'
        RETURNING queue_name
    )
    SELECT coalesce(array_agg(queue_name), '{}') INTO queues FROM redriven;
    PERFORM dramatiq.ring(queues);
    RETURN cardinality(queues);
END $$;

--
-- Name: reject(uuid, integer, jsonb, text); Type: FUNCTION; Schema: dramatiq; Owner: -
--

CREATE FUNCTION dramatiq.reject(p_id uuid, p_attempt integer, p_message jsonb, p_error text) RETURNS boolean
    LANGUAGE sql
    AS $$
    WITH rejected AS (
        UPDATE dramatiq.queue
        SET state = 'rejected', message = coalesce(p_message, message), mtime = now(), claimed_by = NULL, error = p_error
        WHERE message_id = p_id AND attempt = p_attempt AND state = 'consumed'
        RETURNING 1
    )
    SELECT count(*) = 1 FROM rejected;
$$;

--
-- Name: requeue(uuid[], integer[]); Type: FUNCTION; Schema: dramatiq; Owner: -
--

CREATE FUNCTION dramatiq.requeue(p_ids uuid[], p_attempts integer[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    queues text[];
BEGIN
    WITH requeued AS (
        UPDATE dramatiq.queue AS q
        SET state = 'queued', claimed_by = NULL, mtime = now()
        FROM unnest(p_ids, p_attempts) AS unstarted (message_id, attempt)
        WHERE q.message_id = unstarted.message_id AND q.attempt = unstarted.attempt AND q.state = 'consumed'
        RETURNING q.queue_name
    )
    SELECT coalesce(array_agg(queue_name), '{}') INTO queues FROM requeued;
    PERFORM dramatiq.ring(queues);
    RETURN cardinality(queues);
END $$;

--
-- Name: rescue(interval, integer); Type: FUNCTION; Schema: dramatiq; Owner: -
--

CREATE FUNCTION dramatiq.rescue(p_silence interval, p_most_rescues integer) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    queues text[];
BEGIN
    WITH dead AS (
        DELETE FROM dramatiq.worker WHERE heartbeat_at < clock_timestamp() - p_silence RETURNING id
    ), rescued AS (
        UPDATE dramatiq.queue AS q
        SET state = CASE WHEN rescues < p_most_rescues THEN 'queued' ELSE 'rejected' END::dramatiq.state,
            rescues = rescues + 1, claimed_by = NULL, mtime = now(),
            error = format('Worker %s died while it held this message (death %s).', q.claimed_by, rescues + 1)
        WHERE state = 'consumed' AND (
            claimed_by IN (SELECT id FROM dead)
            OR NOT EXISTS (SELECT FROM dramatiq.worker w WHERE w.id = q.claimed_by))
        RETURNING queue_name
    )
    SELECT coalesce(array_agg(queue_name), '{}') INTO queues FROM rescued;
    PERFORM dramatiq.ring(queues);
    RETURN cardinality(queues);
END $$;

--
-- Name: retry(uuid, integer, jsonb, bigint, text); Type: FUNCTION; Schema: dramatiq; Owner: -
--

CREATE FUNCTION dramatiq.retry(p_id uuid, p_attempt integer, p_message jsonb, p_delay bigint, p_error text) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
DECLARE
    queue text;
BEGIN
    UPDATE dramatiq.queue
    SET state = 'queued', message = coalesce(p_message, message), mtime = now(), claimed_by = NULL, error = p_error,
        available_at = now() + p_delay * interval '1 millisecond', delayed = p_delay > 0
    WHERE message_id = p_id AND attempt = p_attempt AND state = 'consumed'
    RETURNING queue_name INTO queue;
    IF p_delay <= 0 THEN
        PERFORM dramatiq.ring(ARRAY[queue]);
    END IF;
    RETURN queue IS NOT NULL;
END $$;

--
-- Name: ring(text[]); Type: FUNCTION; Schema: dramatiq; Owner: -
--

CREATE FUNCTION dramatiq.ring(queue_names text[]) RETURNS void
    LANGUAGE sql
    AS $$
    SELECT pg_notify('dramatiq.' || queue_name || '.enqueue', '')
    FROM (SELECT DISTINCT unnest(queue_names)) AS rung (queue_name)
    WHERE queue_name IS NOT NULL;
$$;

--
-- Name: ring_for_pgmq(); Type: FUNCTION; Schema: dramatiq; Owner: -
--

CREATE FUNCTION dramatiq.ring_for_pgmq() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
BEGIN
    PERFORM dramatiq.ring(ARRAY(SELECT queue_name FROM dramatiq.actor WHERE 'q_' || pgmq_queue = TG_TABLE_NAME));
    RETURN NULL;
END $$;

--
-- Name: send(text, jsonb, interval, integer, text); Type: FUNCTION; Schema: dramatiq; Owner: -
--

CREATE FUNCTION dramatiq.send(actor text, kwargs jsonb DEFAULT '{}'::jsonb, delay interval DEFAULT '00:00:00'::interval, priority integer DEFAULT NULL::integer, unique_key text DEFAULT NULL::text) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
#variable_conflict use_variable
DECLARE
    known dramatiq.actor;
    missing text[];
    unknown text[];
    id uuid := gen_random_uuid();
    first uuid;
BEGIN
    SELECT * INTO known FROM dramatiq.actor a WHERE a.name = actor;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'No actor is called %.', coalesce(quote_literal(actor), 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'There are: '
                || coalesce((SELECT string_agg(a.name, ', ' ORDER BY a.name) FROM dramatiq.actor a),
                            'none yet; run balansity migrate') || '.';
    END IF;
    IF jsonb_typeof(kwargs) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION 'The arguments of % must be a JSON object, not %.', actor,
            coalesce(jsonb_typeof(kwargs), 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'For example: {"name": "value"}.';
    END IF;
    SELECT array_agg(r) INTO missing FROM unnest(known.required) AS r WHERE NOT kwargs ? r;
    SELECT array_agg(k) INTO unknown FROM jsonb_object_keys(kwargs) AS k WHERE k <> ALL (known.accepted);
    IF missing IS NOT NULL OR unknown IS NOT NULL THEN
        -- Names only: the values may be a person's.
        RAISE EXCEPTION 'Actor % cannot be called with these arguments.', actor
            USING ERRCODE = 'invalid_parameter_value', HINT = concat_ws(' ',
                'Missing: ' || array_to_string(missing, ', ') || '.',
                'Unknown: ' || array_to_string(unknown, ', ') || '.',
                'It accepts: ' || array_to_string(known.accepted, ', ') || '.');
    END IF;

    INSERT INTO dramatiq.queue AS q (message_id, queue_name, state, message, priority, available_at, delayed, unique_key)
    VALUES (
        id, known.queue_name, 'queued',
        jsonb_build_object(
            'queue_name', known.queue_name, 'actor_name', actor, 'args', '[]'::jsonb, 'kwargs', kwargs,
            'options', '{}'::jsonb, 'message_id', id,
            'message_timestamp', floor(extract(epoch FROM clock_timestamp()) * 1000)),
        coalesce(priority, known.priority), now() + delay, delay > interval '0', unique_key)
    ON CONFLICT DO NOTHING
    RETURNING q.message_id INTO first;
    IF first IS NULL THEN
        SELECT q.message_id INTO first FROM dramatiq.queue q WHERE q.unique_key = unique_key;
        RETURN first;
    END IF;
    PERFORM dramatiq.ring(ARRAY[known.queue_name]);
    RETURN id;
END $$;

--
-- Name: pgmq_archive(text, bigint); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.pgmq_archive(queue_name text, msg_id bigint) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $_$
BEGIN
    PERFORM dramatiq.check_pgmq_queue($1);
    RETURN coalesce(pgmq.archive($1, $2), false);
END $_$;

--
-- Name: pgmq_metrics(text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.pgmq_metrics(queue_name text) RETURNS TABLE(queue text, queue_length bigint, newest_msg_age_sec integer, oldest_msg_age_sec integer, total_messages bigint, waiting bigint, delayed bigint, in_flight bigint, done bigint, dead bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $_$
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
END $_$;

--
-- Name: pgmq_nack(text, bigint); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.pgmq_nack(queue_name text, msg_id bigint) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $_$
BEGIN
    PERFORM dramatiq.check_pgmq_queue($1);
    RETURN EXISTS (SELECT FROM pgmq.set_vt($1, $2, 0));
END $_$;

--
-- Name: pgmq_read(text, integer); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.pgmq_read(queue_name text, vt integer DEFAULT 30) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $_$
BEGIN
    PERFORM dramatiq.check_pgmq_queue($1);
    RETURN (SELECT jsonb_build_object(
                'msg_id', r.msg_id, 'read_ct', r.read_ct, 'enqueued_at', r.enqueued_at, 'vt', r.vt,
                'message', r.message, 'msg', r.message)
            FROM pgmq.read($1, $2, 1) AS r);
END $_$;

--
-- Name: queue_email_task(text, text, text, jsonb, integer); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.queue_email_task(p_to text, p_subject text, p_template text, p_variables jsonb DEFAULT '{}'::jsonb, p_priority integer DEFAULT 0) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
    SELECT pgmq.send('email_queue', jsonb_build_object(
        'to', p_to, 'subject', p_subject, 'template', p_template, 'variables', coalesce(p_variables, '{}'),
        'priority', coalesce(p_priority, 0), 'created_at', now()));
$$;

--
-- Name: queue_payment_processing(uuid, text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.queue_payment_processing(p_payment_id uuid, p_action text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
BEGIN
    IF p_action IS NULL OR p_action NOT IN ('verify', 'refund', 'update_status') THEN
        RAISE EXCEPTION 'No payment action is called %.', coalesce(quote_literal(p_action), 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'There are: verify, refund, update_status.';
    END IF;
    RETURN pgmq.send('payment_processing_queue', jsonb_build_object(
        'payment_id', p_payment_id, 'action', p_action, 'created_at', now()));
END $$;

--
-- Name: queue_report_generation(uuid, uuid, text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.queue_report_generation(p_assessment_id uuid, p_user_id uuid, p_report_type text DEFAULT 'pdf'::text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
BEGIN
    IF p_report_type IS NULL OR p_report_type NOT IN ('pdf', 'csv', 'json') THEN
        RAISE EXCEPTION 'No report type is called %.', coalesce(quote_literal(p_report_type), 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'There are: pdf, csv, json.';
    END IF;
    RETURN pgmq.send('report_generation_queue', jsonb_build_object(
        'assessment_id', p_assessment_id, 'user_id', p_user_id, 'report_type', p_report_type, 'created_at', now()));
END $$;

--
-- Name: _yoyo_log; Type: TABLE; Schema: balansity; Owner: -
--

CREATE TABLE balansity._yoyo_log (
    id character varying(36) NOT NULL,
    migration_hash character varying(64),
    migration_id character varying(255),
    operation character varying(10),
    username character varying(255),
    hostname character varying(255),
    comment character varying(255),
    created_at_utc timestamp without time zone
);

--
-- Name: _yoyo_version; Type: TABLE; Schema: balansity; Owner: -
--

CREATE TABLE balansity._yoyo_version (
    version integer NOT NULL,
    installed_at_utc timestamp without time zone
);

--
-- Name: migration; Type: TABLE; Schema: balansity; Owner: -
--

CREATE TABLE balansity.migration (
    migration_hash character varying(64) NOT NULL,
    migration_id character varying(255),
    applied_at_utc timestamp without time zone
);

--
-- Name: yoyo_lock; Type: TABLE; Schema: balansity; Owner: -
--

CREATE TABLE balansity.yoyo_lock (
    locked integer DEFAULT 1 NOT NULL,
    ctime timestamp without time zone,
    pid integer NOT NULL
);

--
-- Name: actor; Type: TABLE; Schema: dramatiq; Owner: -
--

CREATE TABLE dramatiq.actor (
    name text NOT NULL,
    queue_name text NOT NULL,
    priority integer DEFAULT 0 NOT NULL,
    required text[] DEFAULT '{}'::text[] NOT NULL,
    accepted text[],
    pgmq_queue text
);

--
-- Name: queue; Type: TABLE; Schema: dramatiq; Owner: -
--

CREATE TABLE dramatiq.queue (
    message_id uuid NOT NULL,
    queue_name text DEFAULT 'default'::text NOT NULL,
    state dramatiq.state,
    mtime timestamp with time zone DEFAULT now(),
    message jsonb,
    result jsonb,
    result_ttl timestamp with time zone,
    "position" bigint NOT NULL,
    priority integer DEFAULT 0 NOT NULL,
    available_at timestamp with time zone DEFAULT now() NOT NULL,
    delayed boolean DEFAULT false NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    claimed_by bigint,
    rescues integer DEFAULT 0 NOT NULL,
    pgmq_queue text,
    pgmq_msg_id bigint,
    unique_key text,
    error text
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_cost_delay='0');

--
-- Name: dead_letter; Type: VIEW; Schema: dramatiq; Owner: -
--

CREATE VIEW dramatiq.dead_letter AS
 SELECT message_id,
    queue_name,
    (message ->> 'actor_name'::text) AS actor_name,
    error,
    mtime AS died_at,
    attempt,
    pgmq_queue,
    pgmq_msg_id,
    message
   FROM dramatiq.queue
  WHERE (state = 'rejected'::dramatiq.state);

--
-- Name: queue_position_seq; Type: SEQUENCE; Schema: dramatiq; Owner: -
--

ALTER TABLE dramatiq.queue ALTER COLUMN "position" ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME dramatiq.queue_position_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: worker; Type: TABLE; Schema: dramatiq; Owner: -
--

CREATE TABLE dramatiq.worker (
    id bigint NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    heartbeat_at timestamp with time zone DEFAULT now() NOT NULL
);

--
-- Name: worker_id_seq; Type: SEQUENCE; Schema: dramatiq; Owner: -
--

ALTER TABLE dramatiq.worker ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME dramatiq.worker_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: answers; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.answers (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    assessment_id uuid NOT NULL,
    question_id integer NOT NULL,
    question_code text,
    category text,
    value integer NOT NULL,
    answer_type text DEFAULT 'default'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT answers_answer_type_check CHECK ((answer_type = ANY (ARRAY['default'::text, 'impact'::text, 'frequency'::text, 'wellbeing'::text, 'relationship'::text])))
);

--
-- Name: appointment_types; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.appointment_types (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name text NOT NULL,
    duration_minutes integer NOT NULL,
    price numeric(10,2) DEFAULT 0 NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

--
-- Name: appointments; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.appointments (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    profile_id uuid,
    appointment_type_id uuid NOT NULL,
    scheduled_at timestamp with time zone NOT NULL,
    status text DEFAULT 'scheduled'::text NOT NULL,
    payment_id uuid,
    notes text,
    duration_minutes integer,
    timezone text DEFAULT 'Europe/Moscow'::text,
    video_room_url text,
    specialist_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT appointments_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'scheduled'::text, 'confirmed'::text, 'in_progress'::text, 'completed'::text, 'cancelled'::text, 'no_show'::text])))
);

--
-- Name: assessments; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.assessments (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    profile_id uuid,
    assessment_type text NOT NULL,
    status text DEFAULT 'in_progress'::text NOT NULL,
    current_step integer DEFAULT 1 NOT NULL,
    total_steps integer,
    is_paid boolean DEFAULT false NOT NULL,
    payment_id text,
    results_summary jsonb,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    completed_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT assessments_assessment_type_check CHECK ((assessment_type = ANY (ARRAY['checkup'::text, 'parent'::text, 'family'::text]))),
    CONSTRAINT assessments_status_check CHECK ((status = ANY (ARRAY['in_progress'::text, 'completed'::text, 'abandoned'::text])))
);

--
-- Name: package_purchases; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.package_purchases (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    package_id uuid NOT NULL,
    sessions_remaining integer NOT NULL,
    payment_id uuid,
    expires_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

--
-- Name: packages; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.packages (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name text NOT NULL,
    session_count integer NOT NULL,
    appointment_type_id uuid,
    price numeric(10,2) NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

--
-- Name: payments; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.payments (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    amount numeric(10,2) NOT NULL,
    currency text DEFAULT 'RUB'::text NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    payment_method text,
    external_payment_id text,
    metadata jsonb,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT payments_amount_check CHECK ((amount > (0)::numeric)),
    CONSTRAINT payments_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'processing'::text, 'completed'::text, 'failed'::text, 'cancelled'::text, 'refunded'::text])))
);

--
-- Name: profiles; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.profiles (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    type text NOT NULL,
    first_name text NOT NULL,
    last_name text,
    dob date,
    gender text,
    pronouns text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT profiles_gender_check CHECK ((gender = ANY (ARRAY['male'::text, 'female'::text, 'other'::text]))),
    CONSTRAINT profiles_type_check CHECK ((type = ANY (ARRAY['parent'::text, 'child'::text, 'partner'::text, 'sibling'::text, 'caregiver'::text, 'other'::text])))
);

--
-- Name: users; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.users (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    email text,
    phone text,
    region text,
    marketing_consent boolean DEFAULT false NOT NULL,
    role text DEFAULT 'user'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

--
-- Name: _yoyo_log _yoyo_log_pkey; Type: CONSTRAINT; Schema: balansity; Owner: -
--

ALTER TABLE ONLY balansity._yoyo_log
    ADD CONSTRAINT _yoyo_log_pkey PRIMARY KEY (id);

--
-- Name: _yoyo_version _yoyo_version_pkey; Type: CONSTRAINT; Schema: balansity; Owner: -
--

ALTER TABLE ONLY balansity._yoyo_version
    ADD CONSTRAINT _yoyo_version_pkey PRIMARY KEY (version);

--
-- Name: migration migration_pkey; Type: CONSTRAINT; Schema: balansity; Owner: -
--

ALTER TABLE ONLY balansity.migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (migration_hash);

--
-- Name: yoyo_lock yoyo_lock_pkey; Type: CONSTRAINT; Schema: balansity; Owner: -
--

ALTER TABLE ONLY balansity.yoyo_lock
    ADD CONSTRAINT yoyo_lock_pkey PRIMARY KEY (locked);

--
-- Name: actor actor_pgmq_queue_key; Type: CONSTRAINT; Schema: dramatiq; Owner: -
--

ALTER TABLE ONLY dramatiq.actor
    ADD CONSTRAINT actor_pgmq_queue_key UNIQUE (pgmq_queue);

--
-- Name: actor actor_pkey; Type: CONSTRAINT; Schema: dramatiq; Owner: -
--

ALTER TABLE ONLY dramatiq.actor
    ADD CONSTRAINT actor_pkey PRIMARY KEY (name);

--
-- Name: queue queue_pkey; Type: CONSTRAINT; Schema: dramatiq; Owner: -
--

ALTER TABLE ONLY dramatiq.queue
    ADD CONSTRAINT queue_pkey PRIMARY KEY (message_id);

--
-- Name: worker worker_pkey; Type: CONSTRAINT; Schema: dramatiq; Owner: -
--

ALTER TABLE ONLY dramatiq.worker
    ADD CONSTRAINT worker_pkey PRIMARY KEY (id);

--
-- Name: answers answers_assessment_id_question_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.answers
    ADD CONSTRAINT answers_assessment_id_question_id_key UNIQUE (assessment_id, question_id);

--
-- Name: answers answers_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.answers
    ADD CONSTRAINT answers_pkey PRIMARY KEY (id);

--
-- Name: appointment_types appointment_types_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.appointment_types
    ADD CONSTRAINT appointment_types_pkey PRIMARY KEY (id);

--
-- Name: appointments appointments_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.appointments
    ADD CONSTRAINT appointments_pkey PRIMARY KEY (id);

--
-- Name: assessments assessments_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.assessments
    ADD CONSTRAINT assessments_pkey PRIMARY KEY (id);

--
-- Name: package_purchases package_purchases_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.package_purchases
    ADD CONSTRAINT package_purchases_pkey PRIMARY KEY (id);

--
-- Name: packages packages_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.packages
    ADD CONSTRAINT packages_pkey PRIMARY KEY (id);

--
-- Name: payments payments_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_pkey PRIMARY KEY (id);

--
-- Name: profiles profiles_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.profiles
    ADD CONSTRAINT profiles_pkey PRIMARY KEY (id);

--
-- Name: users users_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

--
-- Name: queue_claimed; Type: INDEX; Schema: dramatiq; Owner: -
--

CREATE INDEX queue_claimed ON dramatiq.queue USING btree (claimed_by) WHERE (state = 'consumed'::dramatiq.state);

--
-- Name: queue_dead; Type: INDEX; Schema: dramatiq; Owner: -
--

CREATE INDEX queue_dead ON dramatiq.queue USING btree (mtime) WHERE (state = 'rejected'::dramatiq.state);

--
-- Name: queue_delayed; Type: INDEX; Schema: dramatiq; Owner: -
--

CREATE INDEX queue_delayed ON dramatiq.queue USING btree (queue_name, available_at) WHERE ((state = 'queued'::dramatiq.state) AND delayed);

--
-- Name: queue_due; Type: INDEX; Schema: dramatiq; Owner: -
--

CREATE INDEX queue_due ON dramatiq.queue USING btree (queue_name, priority DESC, available_at, "position") WHERE ((state = 'queued'::dramatiq.state) AND (NOT delayed));

--
-- Name: queue_finished; Type: INDEX; Schema: dramatiq; Owner: -
--

CREATE INDEX queue_finished ON dramatiq.queue USING btree (mtime) WHERE (state = 'done'::dramatiq.state);

--
-- Name: queue_unique_key; Type: INDEX; Schema: dramatiq; Owner: -
--

CREATE UNIQUE INDEX queue_unique_key ON dramatiq.queue USING btree (unique_key) WHERE (unique_key IS NOT NULL);

--
-- Name: appointments_payment_id_unique; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX appointments_payment_id_unique ON public.appointments USING btree (payment_id) WHERE (payment_id IS NOT NULL);

--
-- Name: answers answers_assessment_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.answers
    ADD CONSTRAINT answers_assessment_id_fkey FOREIGN KEY (assessment_id) REFERENCES public.assessments(id) ON DELETE CASCADE;

--
-- Name: appointments appointments_appointment_type_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.appointments
    ADD CONSTRAINT appointments_appointment_type_id_fkey FOREIGN KEY (appointment_type_id) REFERENCES public.appointment_types(id);

--
-- Name: appointments appointments_payment_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.appointments
    ADD CONSTRAINT appointments_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES public.payments(id) ON DELETE SET NULL;

--
-- Name: appointments appointments_profile_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.appointments
    ADD CONSTRAINT appointments_profile_id_fkey FOREIGN KEY (profile_id) REFERENCES public.profiles(id) ON DELETE SET NULL;

--
-- Name: appointments appointments_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.appointments
    ADD CONSTRAINT appointments_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

--
-- Name: assessments assessments_profile_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.assessments
    ADD CONSTRAINT assessments_profile_id_fkey FOREIGN KEY (profile_id) REFERENCES public.profiles(id) ON DELETE CASCADE;

--
-- Name: package_purchases package_purchases_package_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.package_purchases
    ADD CONSTRAINT package_purchases_package_id_fkey FOREIGN KEY (package_id) REFERENCES public.packages(id);

--
-- Name: package_purchases package_purchases_payment_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.package_purchases
    ADD CONSTRAINT package_purchases_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES public.payments(id) ON DELETE SET NULL;

--
-- Name: package_purchases package_purchases_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.package_purchases
    ADD CONSTRAINT package_purchases_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

--
-- Name: packages packages_appointment_type_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.packages
    ADD CONSTRAINT packages_appointment_type_id_fkey FOREIGN KEY (appointment_type_id) REFERENCES public.appointment_types(id);

--
-- Name: payments payments_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

--
-- Name: profiles profiles_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.profiles
    ADD CONSTRAINT profiles_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

--
-- Name: FUNCTION bridge(p_worker bigint, p_queue text, p_pgmq_queue text, p_actor text, p_limit integer, p_room integer); Type: ACL; Schema: dramatiq; Owner: -
--

REVOKE ALL ON FUNCTION dramatiq.bridge(p_worker bigint, p_queue text, p_pgmq_queue text, p_actor text, p_limit integer, p_room integer) FROM PUBLIC;

--
-- Name: FUNCTION check_pgmq_queue(queue_name text); Type: ACL; Schema: dramatiq; Owner: -
--

REVOKE ALL ON FUNCTION dramatiq.check_pgmq_queue(queue_name text) FROM PUBLIC;

--
-- Name: FUNCTION enqueue(p_envelopes jsonb, p_again boolean); Type: ACL; Schema: dramatiq; Owner: -
--

REVOKE ALL ON FUNCTION dramatiq.enqueue(p_envelopes jsonb, p_again boolean) FROM PUBLIC;

--
-- Name: FUNCTION exchange(p_worker bigint, p_queue text, p_done uuid[], p_attempts integer[], p_limit integer, p_pgmq_queue text, p_actor text); Type: ACL; Schema: dramatiq; Owner: -
--

REVOKE ALL ON FUNCTION dramatiq.exchange(p_worker bigint, p_queue text, p_done uuid[], p_attempts integer[], p_limit integer, p_pgmq_queue text, p_actor text) FROM PUBLIC;

--
-- Name: FUNCTION heartbeat(p_worker bigint, p_host text, p_pid integer); Type: ACL; Schema: dramatiq; Owner: -
--

REVOKE ALL ON FUNCTION dramatiq.heartbeat(p_worker bigint, p_host text, p_pid integer) FROM PUBLIC;

--
-- Name: FUNCTION priority_of(message jsonb); Type: ACL; Schema: dramatiq; Owner: -
--

REVOKE ALL ON FUNCTION dramatiq.priority_of(message jsonb) FROM PUBLIC;

--
-- Name: FUNCTION purge(p_done_before timestamp with time zone, p_dead_before timestamp with time zone, p_batch integer); Type: ACL; Schema: dramatiq; Owner: -
--

REVOKE ALL ON FUNCTION dramatiq.purge(p_done_before timestamp with time zone, p_dead_before timestamp with time zone, p_batch integer) FROM PUBLIC;

--
-- Name: FUNCTION redrive(p_ids uuid[]); Type: ACL; Schema: dramatiq; Owner: -
--

REVOKE ALL ON FUNCTION dramatiq.redrive(p_ids uuid[]) FROM PUBLIC;

--
-- Name: FUNCTION reject(p_id uuid, p_attempt integer, p_message jsonb, p_error text); Type: ACL; Schema: dramatiq; Owner: -
--

REVOKE ALL ON FUNCTION dramatiq.reject(p_id uuid, p_attempt integer, p_message jsonb, p_error text) FROM PUBLIC;

--
-- Name: FUNCTION requeue(p_ids uuid[], p_attempts integer[]); Type: ACL; Schema: dramatiq; Owner: -
--

REVOKE ALL ON FUNCTION dramatiq.requeue(p_ids uuid[], p_attempts integer[]) FROM PUBLIC;

--
-- Name: FUNCTION rescue(p_silence interval, p_most_rescues integer); Type: ACL; Schema: dramatiq; Owner: -
--

REVOKE ALL ON FUNCTION dramatiq.rescue(p_silence interval, p_most_rescues integer) FROM PUBLIC;

--
-- Name: FUNCTION retry(p_id uuid, p_attempt integer, p_message jsonb, p_delay bigint, p_error text); Type: ACL; Schema: dramatiq; Owner: -
--

REVOKE ALL ON FUNCTION dramatiq.retry(p_id uuid, p_attempt integer, p_message jsonb, p_delay bigint, p_error text) FROM PUBLIC;

--
-- Name: FUNCTION ring(queue_names text[]); Type: ACL; Schema: dramatiq; Owner: -
--

REVOKE ALL ON FUNCTION dramatiq.ring(queue_names text[]) FROM PUBLIC;

--
-- Name: FUNCTION ring_for_pgmq(); Type: ACL; Schema: dramatiq; Owner: -
--

REVOKE ALL ON FUNCTION dramatiq.ring_for_pgmq() FROM PUBLIC;

--
-- Name: FUNCTION send(actor text, kwargs jsonb, delay interval, priority integer, unique_key text); Type: ACL; Schema: dramatiq; Owner: -
--

REVOKE ALL ON FUNCTION dramatiq.send(actor text, kwargs jsonb, delay interval, priority integer, unique_key text) FROM PUBLIC;

--
-- Name: FUNCTION pgmq_archive(queue_name text, msg_id bigint); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.pgmq_archive(queue_name text, msg_id bigint) FROM PUBLIC;

--
-- Name: FUNCTION pgmq_metrics(queue_name text); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.pgmq_metrics(queue_name text) FROM PUBLIC;

--
-- Name: FUNCTION pgmq_nack(queue_name text, msg_id bigint); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.pgmq_nack(queue_name text, msg_id bigint) FROM PUBLIC;

--
-- Name: FUNCTION pgmq_read(queue_name text, vt integer); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.pgmq_read(queue_name text, vt integer) FROM PUBLIC;

--
-- Name: FUNCTION queue_email_task(p_to text, p_subject text, p_template text, p_variables jsonb, p_priority integer); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.queue_email_task(p_to text, p_subject text, p_template text, p_variables jsonb, p_priority integer) FROM PUBLIC;

--
-- Name: FUNCTION queue_payment_processing(p_payment_id uuid, p_action text); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.queue_payment_processing(p_payment_id uuid, p_action text) FROM PUBLIC;

--
-- Name: FUNCTION queue_report_generation(p_assessment_id uuid, p_user_id uuid, p_report_type text); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.queue_report_generation(p_assessment_id uuid, p_user_id uuid, p_report_type text) FROM PUBLIC;

--
-- PostgreSQL database dump complete
--

