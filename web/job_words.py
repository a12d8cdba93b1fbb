"""Words for jobs and for what their runs came to, in the language of a page's reader."""

import re

from messaging.vault import class_of
from web.language import gettext
from web.words import N_

JOBS = {
    "update-appointment-statuses": N_("Moves consultations on: begun, over"),
    "cleanup-old-assessments": N_("Closes abandoned check-ups, and tidies up"),
    "send-appointment-reminders": N_("Reminds families of consultations"),
    "verify-open-payments": N_("Asks about open payments"),
    "remove-old-reports": N_("Removes reports past their time"),
    "purge-messages": N_("Removes messages that are long done"),
    "watch-mail-events": N_("Watches whether providers report on mails"),
    "keep-minutes": N_("Keeps throughput by the minute"),
}
COUNTED = {
    "started": N_("begun: %(count)s"),
    "completed": N_("completed: %(count)s"),
    "reminders sent": N_("reminders sent: %(count)s"),
    "asked about": N_("asked about: %(count)s"),
    "given up": N_("given up: %(count)s"),
    "appointments confirmed": N_("consultations confirmed: %(count)s"),
    "removed": N_("removed: %(count)s"),
    "messages purged": N_("messages removed: %(count)s"),
    "encrypted": N_("encrypted: %(count)s"),
    "rows purged": N_("rows removed: %(count)s"),
    "check-ups abandoned": N_("check-ups abandoned: %(count)s"),
    "lost runs ended": N_("lost runs ended: %(count)s"),
    "lost mails given up": N_("lost mails given up: %(count)s"),
    "slots purged": N_("old runs removed: %(count)s"),
    "notes about deleted rows removed": N_("notes about deleted rows removed: %(count)s"),
}
KEPT = re.compile(r"kept until (\d\d:\d\d) UTC")
OUTCOMES = {
    "its message is dead or gone": N_("its message is dead or gone"),
    "left to the old system, which is in charge": N_("left to the old system, which is in charge"),
    "no provider reports on its mails": N_("no provider reports on its mails"),
}


def about(job: str) -> str:
    """What a job is for."""
    return gettext(JOBS[job]) if job in JOBS else ""


def outcome(state: str | None, said: str | None) -> str | None:
    """What a run came to; of a failure, and of rows that were skipped, no words, for they may quote a person's data."""
    if not said:
        return None
    if said in OUTCOMES:
        return gettext(OUTCOMES[said])
    if state == "failed":
        return class_of(said) or gettext("failed")
    counts, _semicolon, note = said.partition("; ")
    told = [_counted(each) for each in counts.split(", ")]
    if skipped := re.match(r"(\d+) skipped", note):
        told.append(gettext("rows skipped: %(count)s", count=skipped[1]))
    return ", ".join(told)


def _counted(words: str) -> str:
    if kept := KEPT.fullmatch(words):
        return gettext("kept until %(time)s UTC", time=kept[1])
    count, _space, what = words.partition(" ")
    return gettext(COUNTED[what], count=count) if what in COUNTED and count.isdecimal() else words
