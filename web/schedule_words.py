"""Cron's five fields in words, where they say something that people say."""

import re

from web.language import gettext

NUMBER = r"\d{1,2}"


def schedule(cron: str) -> str:
    """When it runs: every 5 minutes, daily at 03:00; what is more than that is told as it is written."""
    if cron == "* * * * *":
        return gettext("every minute")
    if found := re.fullmatch(rf"\*/({NUMBER}) \* \* \* \*", cron):
        return gettext("every %(number)s minutes", number=found[1])
    if found := re.fullmatch(rf"({NUMBER}) \* \* \* \*", cron):
        return gettext("hourly at %(minute)s minutes past", minute=found[1])
    if found := re.fullmatch(rf"({NUMBER}) ({NUMBER}) \* \* \*", cron):
        return gettext("daily at %(time)s", time=f"{int(found[2]):02}:{int(found[1]):02}")
    return cron
