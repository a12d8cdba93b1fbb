-- Schedules the look for mails that were accepted and never heard of again, which scheduler.py keeps as it says.

INSERT INTO balansity.job (name, schedule, time_zone) VALUES ('watch-mail-events', '* * * * *', 'Europe/Moscow');
