-- Ends every migration: what is ours stays closed to the site's visitors, and is in charge where no old system lives.

DO $$
BEGIN
    PERFORM balansity.notice_restore();
    PERFORM dramatiq.close('balansity');
    IF to_regnamespace('cron') IS NOT NULL AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
        PERFORM dramatiq.close('cron');
    END IF;
    PERFORM balansity.begin_in_charge();
    PERFORM balansity.grant_rights();
END $$;
