-- Schedules the purge of finished messages, which scheduler.py keeps as it says.

INSERT INTO balansity.job (name, schedule, time_zone) VALUES ('purge-messages', '15 * * * *', 'Europe/Moscow');
