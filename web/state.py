"""The first page: whether all is in time, else what is not, since when and what to do; then the figures."""

from collections.abc import Iterable, Iterator
from typing import Any

from flask import Blueprint, render_template

from checks import looks
from checks.finding import Finding
from db import clock, overview, queries
from db.database import single_statements
from web import job_words, places
from web.language import gettext as _
from web.words import heads

ID_LETTERS = 8
# Of a queue's figures, where what they count is seen; %s: the queue.
FIGURES = {"waiting": "waiting", "delayed": "delayed", "running": "running", "set_aside": "set aside", "dead": "dead"}

pages = Blueprint("state", __name__, template_folder="templates")


@pages.get("/")
def state() -> str:
    """Everything at a glance."""
    with single_statements() as conn:
        findings = looks.quick(conn)
        return render_template(
            "state.html",
            at=clock.now(conn),
            headed=lambda rows: heads(name for name in rows[0] if name != "links") if rows else {},
            calling=list(_told(looks.calling(findings))),
            notes=list(_told(each for each in findings if each.verdict == "note" and not each.calls)),
            wanted=len(looks.calling(findings)),
            queues=[_queue(row) for row in overview.queues(conn)],
            pgmq=[row for row in overview.pgmq(conn) if row["waiting"]],
            workers=[_process(row) for row in overview.workers(conn)],
            schedulers=[_process(row) for row in overview.schedulers(conn)],
            providers=overview.providers(conn),
            sleeping=queries.deliveries.count_sleeping(conn),
            jobs=[_job(job) for job in overview.jobs(conn)],
        )


def _told(findings: Iterable[Finding]) -> Iterator[dict[str, Any]]:
    """Findings in the reader's language, each with where it is mended."""
    for each, more in looks.abridged(findings, lambda finding: finding.check):
        yield {
            "said": each.said(_, zone=False),  # the foot of the page names it
            "advised": each.advised(_),
            "address": places.of_check(each.check, each.subject),
        }
        if more:
            words = _("And %(count)s more of this kind.", count=more)
            yield {"said": words, "address": places.of_all(each.check), "more": True}


def _queue(row: dict[str, Any]) -> dict[str, Any]:
    """A queue each of whose figures leads to what it counts."""
    name = row["queue"]
    links = {figure: places.place("/messages", queue=name, state=state) for figure, state in FIGURES.items()}
    links["running"] = places.place("/running") or links["running"]
    links["dead"] = places.place("/failures")
    links["oldest_seconds"] = links["waiting"]
    links["done_an_hour"] = places.place("/messages", queue=name, state="done", since="1h")
    shown = {figure: address for figure, address in links.items() if row[figure]}
    return row | {"links": shown | {"queue": places.place(f"/queues/{name}")}}


def _process(row: dict[str, Any]) -> dict[str, Any]:
    """A process whose numbers are names, and whose id is its first letters."""
    named = {name: value if name == "silent_seconds" else str(value) for name, value in row.items()}
    id_ = next(iter(row))
    return named | {id_: named[id_][:ID_LETTERS], "links": {id_: places.place("/running")}}


def _job(job: dict[str, Any]) -> dict[str, Any]:
    next_run = _("paused") if job["paused"] else next(iter(job["next_runs"]), None)
    links = {"job": places.place(f"/jobs/{job['job']}") or places.place("/jobs")}
    latest = {name: job[name] for name in ("latest_run", "state")}
    latest["outcome"] = job_words.outcome(job["state"], job["outcome"])
    return {"job": job["job"], "next_run": next_run, **latest, "links": links}
