"""The files of a report say what its scores say, and are the same whoever makes them."""

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date

import pytest

import settings
from reports.formats import digest, render
from reports.report import Report
from reports.scoring import Answer, Status, score
from reports.text import next_steps, summary
from tests.unit.report_cases import ASSESSMENT, KINDS, make_report, text_of


@pytest.mark.parametrize("format_name", ["pdf", "csv", "json"])
def test_same_report_gives_the_same_bytes(format_name: str) -> None:
    assert render(make_report(), format_name) == render(make_report(), format_name)


MADE_ELSEWHERE = """
import hashlib
from reports.formats import FORMATS, render
from tests.unit.report_cases import make_report
print(*(hashlib.sha256(render(make_report(person="Маша علي क्षि 王"), name).content).hexdigest() for name in FORMATS))
"""


def test_another_process_makes_the_same_bytes() -> None:
    environment = os.environ | {"PYTHONHASHSEED": "12345"}  # sets and their order differ
    made = subprocess.run(
        [sys.executable, "-c", MADE_ELSEWHERE], cwd=settings.ROOT, env=environment, capture_output=True, check=True
    )
    report = make_report(person="Маша علي क्षि 王")
    ours = [hashlib.sha256(render(report, name).content).hexdigest() for name in ("pdf", "csv", "json")]
    assert made.stdout.decode().split() == ours


def test_reports_made_in_many_threads_are_the_same() -> None:
    reports = [make_report(value=number % 5, person=f"Маша გია {number}") for number in range(20)]
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda report: render(report, "pdf"), reports))
    assert made == [render(report, "pdf") for report in reports]


def test_digest_changes_with_the_answers_and_with_nothing_else() -> None:
    report = make_report(value=1)
    assert digest(report) == digest(make_report(value=1)) != digest(make_report(value=2))
    assert digest(report) == digest(replace(report, answered_on=date(2026, 11, 24)))
    assert digest(report) != digest(replace(report, person="Миша"))


@pytest.mark.parametrize("kind", KINDS)
def test_csv_and_json_carry_the_same_numbers(kind: str) -> None:
    report = make_report(kind, 2)
    rows = list(csv.DictReader(io.StringIO(render(report, "csv").content.decode("utf-8-sig"))))
    scales = json.loads(render(report, "json").content)["scales"]
    assert [(row["scale"], int(row["score"]), row["status"]) for row in rows] == [
        (each["scale"], each["score"], each["status"]) for each in scales
    ]
    assert [each["score"] for each in scales] == [each.points for each in report.scores]


def test_missing_answers_are_said_and_not_shown_as_fine() -> None:
    report = Report(
        ASSESSMENT, "checkup", None, None, date(2026, 11, 23), score("checkup", None, [Answer(2, "default", 3)])
    )
    text = text_of(render(report, "pdf").content)
    assert text.count("Неполные данные") == len(report.scores) + 2  # one a scale, the summary and the tile
    assert {each.status for each in report.scores} == {Status.INCOMPLETE}
    for row in csv.DictReader(io.StringIO(render(report, "csv").content.decode("utf-8-sig"))):
        assert (row["status"], row["status_text"]) == ("incomplete", "Неполные данные")
    for scale in json.loads(render(report, "json").content)["scales"]:
        assert (scale["status"], scale["status_text"]) == ("incomplete", "Неполные данные")
    assert "Учтено ответов: 1 из 5" in text
    assert "Ответов нет, оценить нельзя" in text
    assert summary(report)[0] != "Все в порядке"
    assert next_steps(report)[0][0] == "Ответьте на остальные вопросы"
