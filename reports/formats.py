"""A report in each format it can be asked for; all of them carry the same numbers."""

import csv
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateways.report_storage import ReportFile
from reports.report import Report
from reports.scoring import Score
from reports.text import STATUSES, TITLES, title


@dataclass(frozen=True)
class Format:
    """How a report becomes a file."""

    media_type: str
    render: Callable[[Report], bytes]


def render(report: Report, format_name: str) -> ReportFile:
    """`report` as `pdf`, `csv` or `json`; the same report always gives the same bytes."""
    chosen = FORMATS[format_name]
    filename = f"balansity-{report.assessment_type}-{report.answered_on}.{format_name}"
    return ReportFile(filename, chosen.media_type, chosen.render(report))


def digest(report: Report) -> str:
    """Names what a report says: two reports are the same when their digests are.

    Left out is what the site may write later of the same answers: the date, and that the scores are its own.
    """
    facts = _facts(report)
    scales = [(each.scale.name, each.points, "" if each.scale.is_sum else each.status) for each in report.scores]
    return hashlib.sha256(json.dumps(facts | {"scales": scales}).encode()).hexdigest()


def _json(report: Report) -> bytes:
    facts = _facts(report) | {"answered_on": report.answered_on.isoformat()}
    return json.dumps(facts, ensure_ascii=False, indent=2).encode()


def _facts(report: Report) -> dict[str, Any]:
    """All that a report says, but its date."""
    return {
        "assessment_id": str(report.assessment_id),
        "assessment_type": report.assessment_type,
        "title": TITLES[report.assessment_type],
        "person": report.person,
        "reader": report.reader,
        "birthday": report.birthday and report.birthday.isoformat(),
        "scales": [_scale(score) for score in report.scores],
    }


def _pdf(report: Report) -> bytes:
    from reports.pdf import render_pdf

    return render_pdf(report)


def _csv(report: Report) -> bytes:
    """One row a scale; with a byte-order mark, without which Excel garbles Cyrillic."""
    rows = [
        {"assessment_id": report.assessment_id, "answered_on": report.answered_on, **_scale(score)}
        for score in report.scores
    ]
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode("utf-8-sig")


def _scale(score: Score) -> dict[str, Any]:
    return {
        "scale": score.scale.name,
        "title": title(score),
        "score": score.points,
        "maximum": score.maximum,
        "threshold": score.threshold,
        "status": score.status,
        "status_text": score.status and STATUSES[score.status],
        "answered": score.answered,
        "questions": len(score.scale.questions) or None,
    }


FORMATS = {
    "pdf": Format("application/pdf", _pdf),
    "csv": Format("text/csv; charset=utf-8", _csv),
    "json": Format("application/json", _json),
}
