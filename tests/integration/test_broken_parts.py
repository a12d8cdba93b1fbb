"""Whatever of ours is dropped or renamed, doctor says so, and migrate mends it or says what a person must do."""

# Every object of ours that can be dropped or renamed: what it is, its schema, its own name, how statements call it.
PARTS = """
    SELECT format('%s %I.%I', CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'i' THEN 'INDEX' WHEN 'S' THEN 'SEQUENCE'
                  ELSE 'TABLE' END, n.nspname, c.relname), c.relname, NULL
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('balansity', 'dramatiq') AND c.relkind IN ('r', 'v', 'i', 'S')
      AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = c.oid)
    UNION ALL
    SELECT 'ROUTINE ' || p.oid::regprocedure, p.proname, NULL
    FROM pg_proc p WHERE p.pronamespace IN ('balansity'::regnamespace, 'dramatiq'::regnamespace)
    UNION ALL
    SELECT 'TYPE ' || t.oid::regtype, t.typname, NULL
    FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE t.typnamespace IN ('balansity'::regnamespace, 'dramatiq'::regnamespace)
      AND (t.typtype = 'e' OR t.typtype = 'c' AND c.relkind = 'c')
    UNION ALL
    SELECT 'TRIGGER ' || quote_ident(t.tgname), t.tgname, ' ON ' || t.tgrelid::regclass
    FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE p.pronamespace IN ('balansity'::regnamespace, 'dramatiq'::regnamespace) AND NOT t.tgisinternal
    UNION ALL
    SELECT 'CONSTRAINT ' || quote_ident(k.conname), k.conname, ' ON ' || k.conrelid::regclass
    FROM pg_constraint k
    WHERE k.connamespace IN ('balansity'::regnamespace, 'dramatiq'::regnamespace) AND k.conrelid <> 0
      AND k.contype <> 'n'
    ORDER BY 1
"""
