-- Schedules the keeping of minutes, which scheduler.py keeps as it says.

INSERT INTO balansity.job (name, schedule, time_zone) VALUES ('keep-minutes', '* * * * *', 'Europe/Moscow');
