-- 1. Настройка Cron jobs
-- Выполните содержимое файла: supabase/migrations/030_setup_cron_jobs.sql

-- 2. Настройка очередей
-- Выполните содержимое файла: supabase/migrations/031_setup_queues.sql

-- 3. Настройка триггеров (webhooks)
-- Выполните содержимое файла: supabase/migrations/032_webhook_triggers.sql

SELECT * FROM cron.job 
WHERE jobname IN (
  'update-appointment-statuses', 
  'cleanup-old-assessments', 
  'send-appointment-reminders'
);

SELECT * FROM pgmq.list_queues();

SELECT trigger_name, event_object_table, event_manipulation 
FROM information_schema.triggers 
WHERE trigger_schema = 'public' 
  AND trigger_name IN (
    'on_checkup_completed', 
    'on_new_appointment', 
    'on_payment_status_change'
  );

SELECT * FROM cron.job_run_details 
ORDER BY start_time DESC 
LIMIT 10;

SELECT * FROM pgmq_metrics('email_queue');
SELECT * FROM pgmq_metrics('report_generation_queue');

-- Email очередь
SELECT * FROM pgmq.email_queue ORDER BY enqueued_at DESC LIMIT 10;

-- Очередь отчетов
SELECT * FROM pgmq.report_generation_queue ORDER BY enqueued_at DESC LIMIT 10;

-- Проверьте, что расширение включено
SELECT * FROM pg_extension WHERE extname = 'pg_cron';

-- Проверьте логи выполнения
SELECT * FROM cron.job_run_details 
WHERE jobid IN (
  SELECT jobid FROM cron.job 
  WHERE jobname = 'update-appointment-statuses'
)
ORDER BY start_time DESC;

-- Проверьте, что триггеры созданы
SELECT * FROM information_schema.triggers 
WHERE trigger_schema = 'public';

-- Проверьте функции
SELECT proname FROM pg_proc 
WHERE proname LIKE 'handle_%';

-- Проверьте расширение
SELECT * FROM pg_extension WHERE extname = 'pgmq';

-- Проверьте очереди
SELECT * FROM pgmq.list_queues();
