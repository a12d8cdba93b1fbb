"""`balansity person`: everything that happened to what is one person's, and what is withheld and why."""

from dataclasses import asdict
from datetime import datetime

import click

from commands.output import json_option, moment, say, show_json, show_table
from db.database import transaction
from desk import journey
from desk.journey import Reminder, Step, Subject
from errors import BalansityError


@click.command()
@click.argument("words")
@json_option
def person(words: str, *, as_json: bool) -> None:
    """Tell the whole journey of whoever WORDS name: why they got, or did not get, a mail.

    WORDS: an address, a surname, or the first letters of an id: of a user, a consultation, a payment (the number in its
    mails), a check-up, a report, a mail or a message; or a whole trace, as logs name it. No name and no address is
    shown.
    """
    with transaction() as conn:
        found = journey.find(conn, words)
        if not found:
            raise BalansityError(f"Nothing here is called {words!r}: give an address, a surname or an id's beginning.")
        subject = found[0]
        steps, reminders = ([], []) if found[1:] else (journey.steps(conn, subject), journey.reminders(conn, subject))
    if as_json:
        show_json([asdict(each) for each in found] if found[1:] else _story(subject, steps, reminders))
    elif found[1:]:
        show_table("Several are called so; choose one by its id", [_named(each) for each in found])
    else:
        _tell(subject, steps, reminders)


def _story(subject: Subject, steps: list[Step], reminders: list[Reminder]) -> dict[str, object]:
    return asdict(subject) | {"step": list(map(asdict, steps)), "reminder": list(map(asdict, reminders))}


def _named(subject: Subject) -> dict[str, str | None]:
    return {"id": subject.user_id or subject.id or "no user's address", "found as": subject.kind}


def _tell(subject: Subject, steps: list[Step], reminders: list[Reminder]) -> None:
    say(f"User {subject.user_id}" if subject.user_id else f"A {subject.kind} that is no user's")
    show_table("What happened", [_listed(step) for step in steps], least=["id"])
    show_table("Reminders", [_reminded(each) for each in reminders], least=["consultation"])


def _listed(step: Step) -> dict[str, object]:
    words = moment(datetime.fromisoformat(step.words)) if step.words and step.event == "booked" else step.words
    return {
        "when": step.at,
        "what": f"{step.kind} {step.event}",
        "words": " · ".join(filter(None, [words, step.detail])),
        "id": step.id if " " in step.id else step.id[:8],
    }


def _reminded(reminder: Reminder) -> dict[str, object]:
    return {
        "due": reminder.due_at,
        "reminder": reminder.kind,
        "state": reminder.state,
        "why": reminder.why,
        "consultation": reminder.appointment_id[:8],
    }
