-- Schedules the removal of reports past their retention, which scheduler.py keeps as it says.

INSERT INTO balansity.job (name, schedule, time_zone) VALUES ('remove-old-reports', '30 3 * * *', 'Europe/Moscow');
