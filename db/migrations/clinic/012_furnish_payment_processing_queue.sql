-- A queue a transaction: the site sends to several in one of its own, and must never wait for two of ours.

DO $$ BEGIN PERFORM dramatiq.furnish_queue('payment_processing_queue'); END $$;
