"""A run: the plan is carried out, everything settles, and the auditor has the last word."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from tests.clinic import IN_PGMQ
from tests.faults.proof import evidence
from tests.faults.proof import scene as scenes
from tests.faults.proof.auditor import Breach, audit
from tests.faults.proof.deeds import JOURNAL, Site
from tests.faults.proof.evidence import Evidence
from tests.faults.proof.plan import Incident, Plan
from tests.faults.proof.scene import Scene

SETTLED = """
    SELECT NOT EXISTS (SELECT FROM dramatiq.queue q WHERE state IN ('queued', 'consumed') AND NOT EXISTS (
            SELECT FROM balansity.delivery d
            WHERE d.message_id = q.message_id::text AND d.state IN ('unknown', 'sent') AND q.available_at > now()))
        AND NOT EXISTS (SELECT FROM balansity.provider_state WHERE state <> 'available')
        AND NOT EXISTS (SELECT FROM balansity.reminders_between(now(), now() + interval '1 second'))
"""
LOOK_SECONDS = 0.5

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What came of a run."""

    evidence: Evidence
    breaches: list[Breach]
    faults: Counter[str]
    settled_after: float | None  # seconds of quiet; None: not in time


def carry_out(plan: Plan, folder: Path, *, patience_seconds: float, tell: Tell = lambda _: None) -> Outcome:
    """Run the plan on a scene of its own, wait at most so long for all work to settle, and audit."""
    with scenes.running(folder, plan.mail_provider) as scene:
        scene.server.query(JOURNAL)
        site = Site(scene)
        with ThreadPoolExecutor() as hands:
            work = [hands.submit(site.do, plan.deeds)]
            work += [hands.submit(_happen, scene, lane, tell) for lane in plan.lanes.values()]
            try:
                for each in as_completed(work):
                    each.result()
            except BaseException:  # one of them failed, or somebody has seen enough
                scene.over.set()
                raise
        tell("quiet")
        settled_after = _settle(scene, patience_seconds)
        found = evidence.gather(scene)
    faults = Counter(incident.fault.name for lane in plan.lanes.values() for incident in lane)
    return Outcome(found, audit(found), faults, settled_after)


def _happen(scene: Scene, lane: list[Incident], tell: Tell) -> None:
    began = time.monotonic()
    for incident in lane:
        if scene.over.wait(max(0.0, incident.at - (time.monotonic() - began))):
            return
        tell(incident.fault.name)
        with incident.fault.happens(scene):
            scene.over.wait(incident.seconds)


def _settle(scene: Scene, patience_seconds: float) -> float | None:
    began = time.monotonic()
    while time.monotonic() < began + patience_seconds:
        with suppress(psycopg2.Error):
            if scene.server.query(IN_PGMQ) == [(0,)] and scene.server.query(SETTLED) == [(True,)]:
                return time.monotonic() - began
        time.sleep(LOOK_SECONDS)
    return None
