-- What the migrations made is kept beside it, as the statements that make it again: so that a difference can be told, by
-- whoever looks, and mended, by whoever may.

CREATE TABLE balansity.intended (
    kind text NOT NULL,
    name text NOT NULL,
    definition text NOT NULL,                         -- the statement that makes it
    PRIMARY KEY (kind, name)
);
COMMENT ON TABLE balansity.intended IS
'What is ours in this database, as the last migrate left it.';

CREATE FUNCTION balansity.our_functions() RETURNS SETOF pg_catalog.oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p.oid
    FROM pg_proc p
    WHERE p.pronamespace IN ('balansity'::regnamespace, 'dramatiq'::regnamespace)
       OR p.pronamespace = 'public'::regnamespace AND balansity.in_charge() AND p.proname IN (
           SELECT e.handler FROM balansity.site_event e UNION ALL SELECT f.name FROM balansity.site_function f)
$$;
COMMENT ON FUNCTION balansity.our_functions IS
'Every function of ours and, where ours is in charge, whatever in public bears the name of one that the site calls.';

CREATE FUNCTION balansity.our_queues() RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT unnest(ARRAY['email_queue', 'report_generation_queue', 'payment_processing_queue', 'analytics_queue'])
    UNION
    SELECT dramatiq.routed_queues()
$$;
COMMENT ON FUNCTION balansity.our_queues IS
'The pgmq queues that triggers of ours write to, and those that feed actors.';

CREATE FUNCTION balansity.our_relations() RETURNS TABLE (oid oid, name text, sort text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.oid, c.oid::regclass::text,
           CASE c.relkind WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' WHEN 'i' THEN 'index' ELSE 'table' END
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'S', 'i') AND (
        n.nspname IN ('balansity', 'dramatiq')
        OR n.nspname = 'cron' AND c.relkind = 'v' AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron')
        OR n.nspname = 'pgmq' AND EXISTS (
            SELECT FROM balansity.our_queues() AS queue
            WHERE c.relname = queue AND c.relkind = 'v' OR c.relname IN ('q_' || queue, 'a_' || queue) AND c.relkind = 'r'))
$$;
COMMENT ON FUNCTION balansity.our_relations IS
'Tables, views, sequences and indexes of ours, and the tables of the pgmq queues that we serve.';

CREATE FUNCTION balansity.table_parts(p_table pg_catalog.pg_class)
RETURNS TABLE (kind text, name text, definition text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'table', p_table.oid::regclass::text,
           format('CREATE %sTABLE %s ()', CASE p_table.relpersistence WHEN 'u' THEN 'UNLOGGED ' ELSE '' END,
                  p_table.oid::regclass)
    UNION ALL
    SELECT part.kind, format('%s.%I', p_table.oid::regclass, a.attname),
           format('ALTER TABLE %s ', p_table.oid::regclass) || part.does
    FROM pg_attribute a
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    CROSS JOIN LATERAL format_type(a.atttypid, a.atttypmod) AS type
    CROSS JOIN LATERAL (VALUES
        ('column', format('ADD COLUMN IF NOT EXISTS %I %s%s', a.attname, type, CASE
            WHEN a.attidentity <> '' THEN format(
                ' GENERATED %s AS IDENTITY', CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END)
            ELSE coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')
                 || format('; ALTER TABLE %1$s ALTER COLUMN %2$I %3$s, ALTER COLUMN %2$I %4$s NOT NULL', p_table.oid::regclass,
                           a.attname, coalesce('SET DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), 'DROP DEFAULT'),
                           CASE WHEN a.attnotnull THEN 'SET' ELSE 'DROP' END) END)),
        ('type', format('ALTER COLUMN %1$I TYPE %2$s USING %1$I::%2$s', a.attname, type))) AS part (kind, does)
    WHERE a.attrelid = p_table.oid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'constraint', format('%I on %s', conname, p_table.oid::regclass),
           format('ALTER TABLE %s ADD CONSTRAINT %I %s', p_table.oid::regclass, conname, pg_get_constraintdef(oid))
    FROM pg_constraint
    WHERE conrelid = p_table.oid AND contype IN ('p', 'u', 'c', 'f', 'x');
$$;
COMMENT ON FUNCTION balansity.table_parts IS
'A table, its columns, their types and its constraints, each as the statement that makes it, by itself: so that one that
was lost comes back, and one that somebody added may stay.';

CREATE FUNCTION balansity.present() RETURNS TABLE (kind text, name text, definition text, removal text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'queue', queue, format('SELECT dramatiq.furnish_queue(%L)', queue), NULL
    FROM balansity.our_queues() AS queue
    WHERE to_regclass('pgmq.' || quote_ident('q_' || queue)) IS NOT NULL
      AND to_regclass('pgmq.' || quote_ident('a_' || queue)) IS NOT NULL
    UNION ALL
    SELECT 'function', p.oid::regprocedure::text, pg_get_functiondef(p.oid), 'DROP ROUTINE ' || p.oid::regprocedure
    FROM balansity.our_functions() AS ours JOIN pg_proc p ON p.oid = ours
    UNION ALL
    SELECT made.kind, made.name, made.definition, NULL
    FROM balansity.our_relations() r
    JOIN pg_class c USING (oid)
    CROSS JOIN LATERAL balansity.table_parts(c) AS made
    WHERE r.sort = 'table' AND r.name !~ '^pgmq\.' AND r.name !~ 'yoyo'
    UNION ALL
    SELECT 'view', r.name,
           format('CREATE OR REPLACE VIEW %s%s AS %s', r.name,
                  (SELECT ' WITH (' || array_to_string(c.reloptions, ', ') || ')' FROM pg_class c
                   WHERE c.oid = r.oid AND c.reloptions IS NOT NULL), pg_get_viewdef(r.oid)), NULL
    FROM balansity.our_relations() r WHERE r.sort = 'view'
    UNION ALL
    SELECT 'index', r.name, pg_get_indexdef(r.oid), 'DROP INDEX ' || r.name
    FROM balansity.our_relations() r JOIN pg_index i ON i.indexrelid = r.oid AND i.indisvalid
    WHERE r.name !~ '^pgmq\.' AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = r.oid)
    UNION ALL
    SELECT 'trigger', format('%I on %s', t.tgname, t.tgrelid::regclass),
           replace(pg_get_triggerdef(t.oid), 'CREATE TRIGGER', 'CREATE OR REPLACE TRIGGER')
               || CASE t.tgenabled WHEN 'O' THEN ''
                       WHEN 'A' THEN format('; ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', t.tgrelid::regclass, t.tgname)
                       ELSE '; -- disabled' END,
           format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass)
    FROM pg_trigger t WHERE t.tgfoid IN (SELECT balansity.our_functions()) AND NOT t.tgisinternal
    UNION ALL
    SELECT DISTINCT 'grant', format('%s on %s to %s', g.privilege, g.what, g.grantee), -- perhaps given by more than one
           format('GRANT %s ON %s TO %s', g.privilege, g.what, g.grantee),
           CASE WHEN g.giver IS NOT NULL -- the owner takes back what others gave together with their right to give it
                THEN format('REVOKE GRANT OPTION FOR %s ON %s FROM %I CASCADE', g.privilege, g.what, g.giver)
                WHEN g.queue IS NULL THEN format('REVOKE %s ON %s FROM %s', g.privilege, g.what, g.grantee)
                ELSE format('SELECT dramatiq.close_queue(%L)', g.queue) END -- what PUBLIC had, those keep who used it
    FROM (
        SELECT e.privilege_type || coalesce(' (' || quote_ident(o.part) || ')', '') AS privilege, o.what,
               coalesce(quote_ident(r.rolname), 'PUBLIC') AS grantee,
               (SELECT rolname FROM pg_roles WHERE oid = e.grantor AND oid <> o.owner) AS giver,
               substring(o.what FROM '^pgmq\.(?:[qa]_)?(.*)$') AS queue
        FROM (
            SELECT 'ROUTINE ' || p.oid::regprocedure, NULL, coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner
            FROM balansity.our_functions() AS ours JOIN pg_proc p ON p.oid = ours
            UNION ALL
            SELECT CASE l.sort WHEN 'sequence' THEN 'SEQUENCE ' ELSE '' END || l.name, a.attname,
                   CASE WHEN a.attname IS NULL THEN c.relacl ELSE a.attacl END, c.relowner
            FROM balansity.our_relations() l
            JOIN pg_class c USING (oid)
            CROSS JOIN LATERAL (
                SELECT NULL::name, NULL::aclitem[]
                UNION ALL
                SELECT attname, attacl FROM pg_attribute WHERE attrelid = c.oid AND attacl IS NOT NULL
            ) AS a (attname, attacl)
            WHERE l.sort <> 'index' AND (l.name !~ '^pgmq\.' OR balansity.in_charge()) -- before, whoever reads them may
            UNION ALL
            SELECT 'SCHEMA ' || n.nspname, NULL, n.nspacl, n.nspowner
            FROM pg_namespace n WHERE n.nspname IN ('balansity', 'dramatiq')
        ) AS o (what, part, acl, owner)
        CROSS JOIN LATERAL aclexplode(o.acl) AS e
        LEFT JOIN pg_roles r ON r.oid = e.grantee
        WHERE e.grantee <> o.owner
    ) AS g
$$;
COMMENT ON FUNCTION balansity.present IS
'What is ours in this database, as it is now: kind, name, the statement that makes it, and the one that removes it.';

CREATE FUNCTION balansity.circumstances() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('PostgreSQL %s, %s in charge', current_setting('server_version_num')::integer / 10000,
                  CASE WHEN balansity.in_charge() THEN 'ours' ELSE 'an old system' END)
$$;
COMMENT ON FUNCTION balansity.circumstances IS
'Under which circumstances what should be was noted: another version of the server writes the same definitions in other
words, and what in public is ours depends on who is in charge.';

CREATE FUNCTION balansity.note_intended() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    DELETE FROM balansity.intended;
    INSERT INTO balansity.intended (kind, name, definition)
    SELECT DISTINCT kind, name, definition FROM balansity.present()
    WHERE kind <> 'grant' OR name !~ ' to (PUBLIC|anon|authenticated)$'
       OR name = 'EXECUTE on ROUTINE public.update_appointment_statuses() to authenticated' -- as close_site_functions
    UNION ALL
    SELECT 'circumstances', '', balansity.circumstances();
$$;
COMMENT ON FUNCTION balansity.note_intended IS
'What is there now is what should be: to be called where ours has changed it, in the transaction that does.';

CREATE FUNCTION balansity.is_noted() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM balansity.intended WHERE kind = 'circumstances' AND definition = balansity.circumstances())
$$;
COMMENT ON FUNCTION balansity.is_noted IS
'Whether what should be was noted under these circumstances.';

CREATE FUNCTION balansity.differences() RETURNS TABLE (kind text, name text, problem text, remedy text, able name)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH site AS (
        SELECT c.relowner AS owner, r.rolsuper AS is_super
        FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE c.oid = to_regclass('public.appointments')
    ), present AS MATERIALIZED (
        SELECT * FROM balansity.present()
    ), found AS (
        SELECT i.kind, i.name, 'is missing' AS problem, i.definition AS remedy
        FROM balansity.intended i LEFT JOIN present p USING (kind, name)
        WHERE p.name IS NULL AND i.kind NOT IN ('circumstances', 'type') -- which comes with its column
          AND (i.kind <> 'grant' OR to_regrole(regexp_replace(i.name, '^.* to ', '')) IS NOT NULL)
        UNION ALL
        SELECT i.kind, i.name, CASE WHEN p.definition = i.definition || '; -- disabled' THEN 'is disabled' ELSE 'is another' END,
               CASE WHEN i.kind = 'function' -- with another result or parameters it cannot be replaced
                     AND split_part(p.definition, E'\n LANGUAGE', 1) <> split_part(i.definition, E'\n LANGUAGE', 1)
                    THEN p.removal || '; ' || i.definition
                    WHEN i.kind = 'index' THEN p.removal || '; ' || i.definition
                    WHEN i.kind = 'constraint'
                    THEN format('ALTER TABLE %s DROP CONSTRAINT %s; ',
                                split_part(i.name, ' on ', 2), split_part(i.name, ' on ', 1)) || i.definition
                    WHEN i.kind = 'view' -- which of another's columns is made anew, where nothing depends on it
                    THEN format('DO %L', format(
                        'BEGIN %1$s; EXCEPTION WHEN invalid_table_definition THEN DROP VIEW %2$s; %1$s; END',
                        rtrim(i.definition, E'; \n'), i.name))
                    ELSE i.definition END
        FROM balansity.intended i JOIN present p USING (kind, name)
        WHERE p.definition <> i.definition
        UNION ALL
        SELECT p.kind, p.name, 'is not ours', p.removal
        FROM present p LEFT JOIN balansity.intended i USING (kind, name)
        WHERE i.name IS NULL AND CASE p.kind
            WHEN 'grant' THEN p.name ~ ' to (PUBLIC|anon|authenticated)$'
            WHEN 'trigger' THEN p.name !~ ' on pgmq\.' -- whose doorbells come with each route
            WHEN 'function' THEN p.name ~ '^public\.'
            ELSE false END
        UNION ALL
        -- A superuser's functions would do for everybody what only a superuser may.
        SELECT 'owner', o.what, 'belongs to the superuser ' || quote_ident(r.rolname),
               format('ALTER %s OWNER TO %s', o.what, site.owner::regrole)
        FROM site, LATERAL (
            SELECT 'ROUTINE ' || p.oid::regprocedure, p.proowner FROM balansity.our_functions() AS ours JOIN pg_proc p ON p.oid = ours
            UNION ALL
            SELECT upper(l.sort) || ' ' || l.name, c.relowner
            FROM balansity.our_relations() l JOIN pg_class c USING (oid)
            WHERE l.sort IN ('table', 'view') AND l.name !~ '^pgmq\.'
            UNION ALL
            SELECT 'SCHEMA ' || n.nspname, n.nspowner FROM pg_namespace n WHERE n.nspname IN ('balansity', 'dramatiq')
            UNION ALL -- pgmq is whose it likes, where the site's owner may use it
            SELECT 'SCHEMA pgmq', n.nspowner FROM pg_namespace n
            WHERE n.nspname = 'pgmq' AND NOT has_schema_privilege(site.owner, n.oid, 'USAGE')
            UNION ALL
            SELECT 'TABLE pgmq.' || quote_ident(c.relname), c.relowner FROM pg_class c
            WHERE c.relnamespace = to_regnamespace('pgmq') AND c.relkind IN ('r', 'p') AND NOT (
                has_table_privilege(site.owner, c.oid, 'SELECT') AND has_table_privilege(site.owner, c.oid, 'INSERT')
                AND has_table_privilege(site.owner, c.oid, 'DELETE'))
        ) AS o (what, owner)
        JOIN pg_roles r ON r.oid = o.owner
        WHERE r.rolsuper AND NOT site.is_super
    )
    SELECT f.kind, f.name, f.problem,
           f.remedy || CASE WHEN f.kind = 'function' AND f.problem <> 'is not ours' -- one that is made anew is everybody's
                            THEN format('; REVOKE ALL ON ROUTINE %s FROM PUBLIC', f.name) ELSE '' END,
           CASE f.kind WHEN 'trigger' THEN (SELECT relowner FROM pg_class WHERE oid = to_regclass(regexp_replace(f.name, '^.* on ', '')))
                       WHEN 'owner' THEN NULL
                       ELSE (SELECT nspowner FROM pg_namespace WHERE nspname = 'balansity') END::regrole::name
    FROM found f
    WHERE balansity.is_noted()
    ORDER BY array_position(
        ARRAY['owner', 'queue', 'function', 'table', 'column', 'type', 'constraint', 'view', 'index', 'trigger', 'grant'],
        f.kind), f.name
$$;
COMMENT ON FUNCTION balansity.differences IS
'What is not as the last migrate left it: what is the matter, the statement that mends it, and the role that may (null: a
superuser). Rights that others than the site''s visitors were given stay: somebody meant them.';
