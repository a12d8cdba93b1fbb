-- Ends every migration: what is ours stays closed to the site's visitors, and is in charge where no old system lives.

DO $$
BEGIN
    PERFORM balansity.notice_restore();
    IF EXISTS ( -- no key is given back so soon: the table was lost, and is made again
        SELECT FROM (
            SELECT id FROM balansity.delivery WHERE planned_at > now() - balansity.kept_in_any_case() ORDER BY planned_at LIMIT 1
        ) AS oldest
        WHERE NOT EXISTS (SELECT FROM balansity.delivery_key k WHERE k.id = oldest.id)
    ) THEN
        INSERT INTO balansity.delivery_key (id, key, planned_at) SELECT id, key, planned_at FROM balansity.delivery
        ON CONFLICT DO NOTHING;
    END IF;
    PERFORM balansity.make_month(ledger, month) FROM balansity.missing_months();
    PERFORM dramatiq.close('balansity');
    IF to_regnamespace('cron') IS NOT NULL AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
        PERFORM dramatiq.close('cron');
    END IF;
    PERFORM balansity.begin_in_charge();
    PERFORM balansity.grant_rights();
END $$;
