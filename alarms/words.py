"""What an alarm says: ids and names of ours, in the language of ALARM_LANGUAGE."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import settings
from checks.finding import Finding, filled
from translations import N_, catalogs

MOST_LINES = 10  # of one telling: a messenger takes some thousand letters


def heading_of_test() -> str:
    return _(N_("a test"))


def test() -> str:
    return _(N_("Somebody has asked for this with `balansity alarms --test`: alarms arrive."))


def heading(*, is_wrong: bool) -> str:
    return _(N_("needs attention") if is_wrong else N_("it is over"))


def lines(alarms: Sequence[Any]) -> str:
    """Alarms as rows of `queries.alarms.untold`, what is wrong before what is over."""
    told = [_line(each) for each in sorted(alarms, key=lambda each: each.is_over)]
    if more := len(told) - MOST_LINES:
        told[MOST_LINES:] = [_(N_("And %(count)s more: `balansity alarms` lists all."), count=more)] * (more > 0)
    return "\n\n".join(told)


def kept(finding: Finding) -> dict[str, Any]:
    """A finding as it is kept until it is told, also after it is gone."""
    facts = {name: _kept(fact) for name, fact in finding.facts.items()}
    return {"text": finding.text, "remedy": finding.remedy, "facts": facts}


def sentence(given: dict[str, Any], part: str = "text", *, language: str | None = None) -> str:
    """What was kept of a finding, as a sentence."""
    facts = {name: _found(fact) for name, fact in given["facts"].items()}
    return filled(translate(given[part], language), facts)


def _line(alarm: Any) -> str:
    what = sentence(alarm.sentence)
    if not alarm.is_over:
        return f"✗ {what}\n→ {sentence(alarm.sentence, 'remedy')}"
    if alarm.is_known:
        return "✓ " + _(N_("It is over since %(since)s: %(what)s"), since=alarm.gone_at, what=what)
    was = N_("It was so from %(begin)s to %(end)s and is over, which could not be told before: %(what)s")
    return "✓ " + _(was, begin=alarm.began_at, end=alarm.gone_at, what=what)


def _(text: str, **facts: Any) -> str:
    return filled(translate(text), facts)


def translate(text: str, language: str | None = None) -> str:
    """A sentence in the language in which alarms are told, or in another."""
    return catalogs()[language or settings.current().alarm_language].gettext(text)


def _kept(fact: Any) -> Any:
    return {"at": fact.isoformat()} if isinstance(fact, datetime) else fact


def _found(fact: Any) -> Any:
    return datetime.fromisoformat(fact["at"]) if isinstance(fact, dict) else fact
