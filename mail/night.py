"""Keeps a mail that an outage has delayed for long from leaving in its family's night."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import settings
from db import clock, queries
from db.connection import Connection
from db.database import single_statements
from mail import ledger
from mail.attempt import Wait
from mail.ledger import Entry
from mail.letter import Letter
from zones import clock_time, zone_or

LONG = timedelta(hours=1)


def let_sleep(entry: Entry, letter: Letter, deadline: datetime | None, held_since: datetime) -> None:
    """Let the mail wait for the morning where its family sleeps, unless it is of use before that only.

    Raises:
        Wait: until the night's end; the ledger knows.
    """
    night = settings.current().email_night
    if night is None:
        return
    with single_statements() as conn:
        present = clock.now(conn)
        zone = _zone(conn, entry, letter)
    end = night.end(present, zone)
    if end is None or present - held_since <= LONG or (deadline is not None and deadline <= end):
        return
    why = f"an outage has delayed it into the night: it leaves at {clock_time(end, zone)} by the family's clocks"
    ledger.postpone(entry, end, why)
    raise Wait(why, (end - present).total_seconds())


def _zone(conn: Connection, entry: Entry, letter: Letter) -> ZoneInfo:
    """The zone of the consultation that the mail is about, or of the last that its family booked, or the clinic's."""
    ours = settings.current().time_zone
    if letter.appointment:
        return letter.appointment.zone(ours)
    return zone_or(queries.letters.family_zone(conn, user_id=entry.user_id), ours)
