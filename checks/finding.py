"""What a check finds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import settings
from zones import clock_time


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `good`, a `note` that needs no action now, or `bad`.

    `check` and `subject` name it for programs: what was looked at, and the queue, job, provider or id that it is about,
    never a person's data. `text` and `remedy` are sentences in which %(names)s of `facts` stand. What `calls` wants a
    person: it is told of.
    """

    verdict: str
    text: str
    remedy: str = ""
    check: str = ""
    subject: str = ""
    since: datetime | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    calls: bool = False
    words: str = ""  # another system's, which leave the house by no alarm

    @property
    def what(self) -> str:
        """What was found, in English."""
        return self.said() + f" {self.words}" * bool(self.words)

    def said(self, translate: Callable[[str], str] = str, *, zone: bool = True) -> str:
        """The same in another language, and without the name of the zone where something else names it."""
        return filled(translate(self.text), self.facts, zone=zone)

    def advised(self, translate: Callable[[str], str] = str) -> str:
        """What is to be done."""
        return filled(translate(self.remedy), self.facts)

    def told(self) -> dict[str, Any]:
        """For programs."""
        return {
            "check": self.check,
            "subject": self.subject,
            "verdict": self.verdict,
            "what": self.what,
            "remedy": self.advised(),
            "since": self.since,
            "calls": self.calls,
        }


def filled(text: str, facts: Mapping[str, Any], *, zone: bool = True) -> str:
    """A sentence with its facts, times by the clinic's clocks."""
    return text % {name: _words(fact, zone=zone) for name, fact in facts.items()} if facts else text


def _words(fact: Any, *, zone: bool) -> str:
    if isinstance(fact, datetime):
        return moment(fact) if zone else clock_time(fact, settings.current().time_zone)
    return str(fact)


def moment(at: datetime) -> str:
    """A time in a sentence: by the clinic's clocks, with their zone."""
    return f"{clock_time(at, settings.current().time_zone)} {settings.current().time_zone}"
