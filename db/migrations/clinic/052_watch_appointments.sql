-- Consultations: a transaction of its own, for no two tables of the site may be held at once.

DO $$ BEGIN PERFORM balansity.watch_table('appointments'); END $$;
