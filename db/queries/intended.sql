-- What should be in the database, and what is: by the catalogue and the note alone, for anything else of ours may be broken.

-- name: is_whole(table, columns)$
-- Whether a table is there and has these columns: a statement that names another fails.
SELECT count(*) = cardinality(:columns::text[]) FROM pg_attribute
WHERE attrelid = to_regclass(:table) AND attname = ANY (:columns::text[]) AND NOT attisdropped;

-- name: is_listless(schema)$
-- Whether a schema has functions of ours and lacks a table of those that list what migrations are applied.
SELECT EXISTS (SELECT FROM pg_proc WHERE pronamespace = to_regnamespace(:schema)) AND count(*) < 3
FROM pg_attribute
WHERE NOT attisdropped AND (attrelid, attname) IN (
    (to_regclass(:schema || '.migration'), 'migration_id'), (to_regclass(:schema || '._yoyo_log'), 'id'),
    (to_regclass(:schema || '._yoyo_version'), 'version'));

-- name: noted()
-- What should be, as the last migrate noted it.
SELECT kind, name, definition, place FROM balansity.intended;

-- name: clear_noted()!
-- Makes way for a new note.
DELETE FROM balansity.intended;

-- name: note(kinds, names, definitions, places)!
-- These should be.
INSERT INTO balansity.intended (kind, name, definition, place)
SELECT kind, name, definition, place
FROM unnest(:kinds::text[], :names::text[], :definitions::text[], :places::text[]) AS part (kind, name, definition, place);

-- name: note_places(kinds, names, places)!
-- These stand elsewhere than they stood.
UPDATE balansity.intended i SET place = part.place
FROM unnest(:kinds::text[], :names::text[], :places::text[]) AS part (kind, name, place)
WHERE (i.kind, i.name) = (part.kind, part.name);

-- name: switch()$
-- The body of the function that says who is in charge.
SELECT prosrc FROM pg_proc WHERE oid = to_regprocedure('balansity.in_charge()');

-- name: table_owners()
-- Who may alter the tables that are not ours.
SELECT format('%I.%I', n.nspname, c.relname) AS name, c.relowner::regrole::text AS owner
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('public', 'pgmq') AND c.relkind IN ('r', 'p');

-- name: present(in_charge, handlers, queues)
-- What is ours in this database: kind, name, the statement that makes it, the one that removes it, and its place in the
-- catalogue, which it keeps under another name. Of schema public, where ours is in charge, whatever bears the name of a
-- function that the site calls or of one of `handlers`.
--
-- A table, its columns, their types and its constraints are parts by themselves: so that one that was lost comes back, and
-- one that somebody added may stay. A sequence comes with its identity column, a counter stands by itself. Owners are told where they are superusers and the site's is none: their functions
-- would do for everybody what only a superuser may. All names are written in full, whatever the connection's path.
SELECT set_config('search_path', 'pg_catalog, pg_temp', true);
WITH site AS (
    SELECT c.relowner AS owner, r.rolsuper AS is_super
    FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE c.oid = to_regclass('public.appointments')
), our_queue AS (
    SELECT unnest(ARRAY['email_queue', 'report_generation_queue', 'payment_processing_queue', 'analytics_queue']) AS queue
    UNION
    SELECT unnest(:queues::text[])
), our_schema AS (
    SELECT oid, nspname, nspowner, nspacl FROM pg_namespace WHERE nspname IN ('balansity', 'dramatiq')
), our_function AS MATERIALIZED (
    SELECT p.* FROM pg_proc p
    WHERE p.pronamespace IN (SELECT oid FROM our_schema)
       OR p.pronamespace = 'public'::regnamespace AND :in_charge AND p.proname IN (
           SELECT unnest(:handlers::text[])
           UNION ALL
           SELECT regexp_replace(o.proname, '^site_', '') FROM pg_proc o
           WHERE o.pronamespace = to_regnamespace('balansity') AND o.proname ~ '^(site_|handle_)')
), our_relation AS MATERIALIZED (
    SELECT c.*, c.oid::regclass::text AS name,
           CASE WHEN c.relkind = 'v' THEN 'view' WHEN c.relkind = 'S' THEN 'sequence' WHEN c.relkind IN ('i', 'I') THEN 'index'
                ELSE 'table' END AS sort
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'S', 'i', 'I') AND NOT (
        -- The table of a day comes and goes; an index that is part of another comes with that.
        c.relispartition AND (c.relkind IN ('i', 'I') OR pg_get_expr(c.relpartbound, c.oid) ~ '^FOR VALUES FROM')
    ) AND (
        n.nspname IN ('balansity', 'dramatiq')
        OR n.nspname = 'cron' AND c.relkind = 'v' AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron')
        OR n.nspname = 'pgmq' AND EXISTS (
            SELECT FROM our_queue
            WHERE c.relname = queue AND c.relkind = 'v' OR c.relname IN ('q_' || queue, 'a_' || queue) AND c.relkind = 'r'))
), our_table AS (
    SELECT oid, name, relpersistence, relkind, relispartition FROM our_relation WHERE sort = 'table' AND name !~ '^pgmq\.'
)
SELECT 'schema' AS kind, nspname::text AS name, format('CREATE SCHEMA %%I', nspname) AS definition, NULL AS removal,
       oid::text AS place
FROM our_schema
UNION ALL
SELECT 'queue', queue, format('SELECT dramatiq.furnish_queue(%%L)', queue), NULL, NULL
FROM our_queue
WHERE to_regclass('pgmq.' || quote_ident('q_' || queue)) IS NOT NULL
  AND to_regclass('pgmq.' || quote_ident('a_' || queue)) IS NOT NULL
UNION ALL
SELECT 'function', f.oid::regprocedure::text, pg_get_functiondef(f.oid), 'DROP ROUTINE ' || f.oid::regprocedure, f.oid::text
FROM our_function f
UNION ALL
SELECT 'value type', t.oid::regtype::text, CASE t.typtype
           WHEN 'e' THEN format('CREATE TYPE %%s AS ENUM (%%s)', t.oid::regtype, (
               SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid))
           ELSE format('CREATE TYPE %%s AS (%%s)', t.oid::regtype, (
               SELECT string_agg(format('%%I %%s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum)
               FROM pg_attribute WHERE attrelid = t.typrelid AND NOT attisdropped)) END,
       CASE t.typtype WHEN 'c' THEN format('DROP TYPE %%s CASCADE', t.oid::regtype) END, t.oid::text -- functions come back
FROM pg_type t
WHERE t.typnamespace IN (SELECT oid FROM our_schema)
  AND (t.typtype = 'e' OR t.typtype = 'c' AND (SELECT relkind = 'c' FROM pg_class WHERE oid = t.typrelid))
UNION ALL
SELECT 'table', t.name, concat_ws(' ',
           CASE t.relpersistence WHEN 'u' THEN 'CREATE UNLOGGED TABLE' ELSE 'CREATE TABLE' END, t.name,
           CASE WHEN t.relispartition
                THEN format('PARTITION OF %%s %%s', (SELECT inhparent::regclass FROM pg_inherits WHERE inhrelid = t.oid),
                            (SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = t.oid))
                ELSE format('(%%s)', ( -- by which it is parted
                    SELECT string_agg(format('%%I %%s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ')
                    FROM pg_partitioned_table d JOIN pg_attribute a ON a.attrelid = d.partrelid AND a.attnum = ANY (d.partattrs)
                    WHERE d.partrelid = t.oid)) END,
           'PARTITION BY ' || pg_get_partkeydef(t.oid)),
       NULL, t.oid::text
FROM our_table t
UNION ALL
SELECT part.kind, format('%%s.%%I', t.name, a.attname), format('ALTER TABLE %%s ', t.name) || part.does, NULL,
       t.oid || '/' || a.attnum
FROM our_table t
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
CROSS JOIN LATERAL format_type(a.atttypid, a.atttypmod) AS type
CROSS JOIN LATERAL (VALUES
    ('column', format('ADD COLUMN IF NOT EXISTS %%I %%s%%s', a.attname, type, CASE
        WHEN a.attidentity <> '' THEN format(
            ' GENERATED %%s AS IDENTITY', CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END)
        ELSE coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')
             || format('; ALTER TABLE %%1$s ALTER COLUMN %%2$I %%3$s, ALTER COLUMN %%2$I %%4$s NOT NULL', t.name, a.attname,
                       coalesce('SET DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), 'DROP DEFAULT'),
                       CASE WHEN a.attnotnull THEN 'SET' ELSE 'DROP' END) END)),
    ('type', format('ALTER COLUMN %%1$I TYPE %%2$s USING %%1$I::%%2$s', a.attname, type))) AS part (kind, does)
WHERE NOT t.relispartition -- whose columns are those of what it is a part of
UNION ALL
SELECT 'constraint', format('%%I on %%s', c.conname, t.name),
       format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', t.name, c.conname, pg_get_constraintdef(c.oid)),
       format('ALTER TABLE %%s DROP CONSTRAINT %%I', t.name, c.conname), c.oid::text
FROM our_table t JOIN pg_constraint c ON c.conrelid = t.oid AND c.contype IN ('p', 'u', 'c', 'f', 'x')
UNION ALL
SELECT CASE WHEN EXISTS (SELECT FROM pg_depend WHERE objid = r.oid AND classid = 'pg_class'::regclass AND deptype = 'i')
            THEN 'sequence' ELSE 'counter' END,
       r.name, format('CREATE SEQUENCE %%s', r.name), NULL, r.oid::text
FROM our_relation r WHERE r.sort = 'sequence'
UNION ALL
SELECT 'view', r.name,
       format('CREATE OR REPLACE VIEW %%s%%s AS %%s', r.name, ' WITH (' || array_to_string(r.reloptions, ', ') || ')',
              pg_get_viewdef(r.oid)),
       format('DROP VIEW %%s', r.name), r.oid::text
FROM our_relation r WHERE r.sort = 'view'
UNION ALL
SELECT 'index', r.name, replace(pg_get_indexdef(r.oid), ' ON ONLY ', ' ON '), 'DROP INDEX ' || r.name, r.oid::text
FROM our_relation r JOIN pg_index i ON i.indexrelid = r.oid AND i.indisvalid
WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = r.oid)
UNION ALL
SELECT 'trigger', format('%%I on %%s', t.tgname, t.tgrelid::regclass),
       replace(pg_get_triggerdef(t.oid), 'CREATE TRIGGER', 'CREATE OR REPLACE TRIGGER')
           || CASE t.tgenabled WHEN 'O' THEN ''
                   WHEN 'A' THEN format('; ALTER TABLE %%s ENABLE ALWAYS TRIGGER %%I', t.tgrelid::regclass, t.tgname)
                   ELSE '; -- disabled' END,
       format('DROP TRIGGER %%I ON %%s', t.tgname, t.tgrelid::regclass), t.oid::text
FROM pg_trigger t WHERE t.tgfoid IN (SELECT oid FROM our_function) AND NOT t.tgisinternal AND t.tgparentid = 0
UNION ALL
SELECT 'grant', format('%%s on %%s to %%s', g.privilege, g.what, g.grantee), -- perhaps given by more than one
       format('GRANT %%s ON %%s TO %%s', g.privilege, g.what, g.grantee),
       CASE WHEN g.giver IS NOT NULL -- the owner takes back what others gave together with their right to give it
            THEN format('REVOKE GRANT OPTION FOR %%s ON %%s FROM %%I CASCADE', g.privilege, g.what, g.giver)
            WHEN g.queue IS NULL THEN format('REVOKE %%s ON %%s FROM %%s', g.privilege, g.what, g.grantee)
            ELSE format('SELECT dramatiq.close_queue(%%L)', g.queue) END, -- what PUBLIC had, those keep who used it
       NULL
FROM (
    SELECT e.privilege_type || coalesce(' (' || quote_ident(o.part) || ')', '') AS privilege, o.what,
           coalesce(quote_ident(r.rolname), 'PUBLIC') AS grantee,
           (SELECT rolname FROM pg_roles WHERE oid = e.grantor AND oid <> o.owner) AS giver,
           substring(o.what FROM '^pgmq\.(?:[qa]_)?(.*)$') AS queue
    FROM (
        SELECT 'ROUTINE ' || f.oid::regprocedure, NULL, coalesce(f.proacl, acldefault('f', f.proowner)), f.proowner
        FROM our_function f
        UNION ALL
        SELECT CASE l.sort WHEN 'sequence' THEN 'SEQUENCE ' ELSE '' END || l.name, a.attname,
               CASE WHEN a.attname IS NULL THEN l.relacl ELSE a.attacl END, l.relowner
        FROM our_relation l
        CROSS JOIN LATERAL (
            SELECT NULL::name, NULL::aclitem[]
            UNION ALL
            SELECT attname, attacl FROM pg_attribute WHERE attrelid = l.oid AND attacl IS NOT NULL
        ) AS a (attname, attacl)
        WHERE l.sort <> 'index' AND (l.name !~ '^pgmq\.' OR :in_charge) -- before, whoever reads them may
        UNION ALL
        SELECT 'SCHEMA ' || nspname, NULL, nspacl, nspowner FROM our_schema
    ) AS o (what, part, acl, owner)
    CROSS JOIN LATERAL aclexplode(o.acl) AS e
    LEFT JOIN pg_roles r ON r.oid = e.grantee
    WHERE e.grantee <> o.owner
) AS g
UNION ALL
SELECT 'owner', o.what, quote_ident(r.rolname), format('ALTER %%s OWNER TO %%s', o.what, site.owner::regrole), NULL
FROM site, LATERAL (
    SELECT 'ROUTINE ' || f.oid::regprocedure, f.proowner FROM our_function f
    UNION ALL
    SELECT upper(l.sort) || ' ' || l.name, l.relowner FROM our_relation l WHERE l.sort IN ('table', 'view') AND l.name !~ '^pgmq\.'
    UNION ALL
    SELECT 'SCHEMA ' || nspname, nspowner FROM our_schema
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
WHERE r.rolsuper AND NOT site.is_super;

-- name: sites_owner()$
-- Who owns the site's tables, and so may change them; null where there are none.
SELECT string_agg(DISTINCT quote_ident(tableowner), ', ') FROM pg_tables
WHERE schemaname = 'public' AND tablename IN ('appointments', 'assessments', 'payments');

-- name: owner()$
-- Who owns ours.
SELECT quote_ident(pg_get_userbyid(nspowner)::text) FROM pg_namespace WHERE nspname = 'balansity';
