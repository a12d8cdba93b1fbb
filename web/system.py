"""/health/system: whether the whole system is well, for alarms of others'; open to all, so it names checks alone."""

import time
from dataclasses import dataclass
from threading import Lock
from typing import Any

import psycopg2
from flask import Blueprint, Response, jsonify

from checks import looks
from checks.finding import Finding
from db.database import single_statements
from errors import DatabaseError

FRESH_SECONDS = 5  # for so long an answer does for everybody who asks
# These wait for a person, and the system is well.
BUSINESS = {"payment-flagged", "new-failure", "held-after-restore", "alarm-way-failing"}

pages = Blueprint("system", __name__)


@dataclass
class Seen:
    """What was found last, and when, by the monotonic clock."""

    verdicts: dict[str, str]
    at: float


lock = Lock()
seen: list[Seen] = []  # one, or none yet


@pages.get("/health/system")
def system() -> Any:
    """200 where every check is good, else 503; each check once, with its verdict."""
    verdicts = _verdicts()
    well = "bad" not in verdicts.values()
    answer: Response = jsonify(
        well=well, checks=[{"check": name, "verdict": verdict} for name, verdict in verdicts.items()]
    )
    return answer, 200 if well else 503


def _verdicts() -> dict[str, str]:
    """Asked at most once in a while, however many ask."""
    with lock:
        if not seen or time.monotonic() - seen[0].at > FRESH_SECONDS:
            seen[:] = [Seen(_looked(), time.monotonic())]
        return seen[0].verdicts


def _looked() -> dict[str, str]:
    try:
        with single_statements() as conn:
            findings = [each for each in looks.quick(conn) if each.check not in BUSINESS]
    except (DatabaseError, psycopg2.Error):
        return {"database-away": "bad"}
    return {each.check: "bad" if _calls(each.check, findings) else "good" for each in findings}


def _calls(check: str, findings: list[Finding]) -> bool:
    return any(each.calls for each in findings if each.check == check)
