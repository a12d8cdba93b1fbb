"""Reports on a page: which mails brought each, opened only by who says why, and mailed once more."""

from pathlib import Path
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from psycopg2.extensions import connection as psycopg2_connection
from werkzeug.test import TestResponse

import actors
import db.database
import settings
from tests.clinic import Clinic
from tests.pages import READER, form_of, log_in, open_pages, token

ENGLISH = {"Accept-Language": "en"}
WHY = "the mother asks what it says"
LOG = "SELECT who, action, target, reason FROM balansity.operator_action"
SAID = "%PDF-1.7 о Мише".encode()


@pytest.fixture
def client(environment: pytest.MonkeyPatch, clinic: Clinic) -> FlaskClient:
    actors.publish(db.database.url())
    client = open_pages(environment)
    log_in(client)
    return client


@pytest.fixture
def report(clinic: Clinic) -> str:
    """A report about Миша that a mail has brought to his mother."""
    family = clinic.add_family()
    checkup = clinic.add_completed_checkup(family)
    clinic.rows(
        "INSERT INTO balansity.delivery"
        " (key, template, subject, state, attempts, recipient, user_id, message_id, planned_at, changed_at)"
        " VALUES (%s, 'report_ready', 's', 'delivered', 1, 'anna@example.com', %s, 'm1', now(), now())",
        *(f"report_ready:{checkup}:pdf:d1", family.user_id),
    )
    return str(
        clinic.value(
            "INSERT INTO balansity.report (assessment_id, user_id, format, digest, filename, media_type, size_bytes,"
            " content, created_at) VALUES (%s, %s, 'pdf', 'd1', 'Миша.pdf', 'application/pdf', 9, %s, now())"
            " RETURNING id",
            *(checkup, family.user_id, SAID),
        )
    )


def act(client: FlaskClient, report: str, action: str, reason: str = WHY, **more: str) -> TestResponse:
    address = f"/reports/{report}/{action}"
    form = form_of(client.get(f"/reports/{report}").text, address)
    return client.post(address, data=form | more | {"reason": reason}, headers=ENGLISH)


def test_reports_are_listed_with_their_mails_and_without_a_name(client: FlaskClient, report: str) -> None:
    page = client.get("/reports", headers=ENGLISH).text
    assert f"/reports/{report}" in page
    assert "✓ delivered" in page
    page += client.get(f"/reports/{report}", headers=ENGLISH).text
    assert "Mails that brought it" in page
    assert "/deliveries/" in page
    assert not any(word in page for word in ("Миша", "Анна", "anna@"))
    assert client.get(f"/reports/{uuid4()}").status_code == 404


def test_a_report_is_opened_as_a_file_that_runs_nothing_and_is_kept_by_nobody(
    client: FlaskClient, clinic: Clinic, report: str
) -> None:
    answer = act(client, report, "open")
    assert (answer.status_code, answer.data, answer.mimetype) == (200, SAID, "application/pdf")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert clinic.rows(LOG) == [("vera", "open report", report, WHY)]


def test_nobody_opens_a_report_without_a_reason_or_as_a_reader(
    client: FlaskClient, clinic: Clinic, report: str
) -> None:
    assert act(client, report, "open", reason=" ").status_code == 400
    log_in(client, READER)
    page = client.get(f"/reports/{report}").text
    assert f"/reports/{report}/open" not in page
    answer = client.post(f"/reports/{report}/open", data={"csrf_token": token(page), "reason": WHY})
    assert answer.status_code == 403
    assert clinic.rows(LOG) == []


def test_each_opening_is_noted_even_of_a_form_that_was_sent_before(
    client: FlaskClient, clinic: Clinic, report: str
) -> None:
    form = form_of(client.get(f"/reports/{report}").text, f"/reports/{report}/open") | {"reason": WHY}
    for _ in range(2):
        assert client.post(f"/reports/{report}/open", data=form).data == SAID
    assert len(clinic.rows(LOG)) == 2


def test_the_database_gives_a_report_only_to_the_transaction_that_notes_who_opens_it(
    clinic: Clinic, report: str, connection: psycopg2_connection
) -> None:
    clinic.rows(
        "INSERT INTO balansity.operator_action (who, via, action, target, reason)"
        " VALUES ('vera', 'page', 'open report', %s, 'an hour ago')",
        report,
    )
    opened = "SELECT filename FROM balansity.opened_report(%s)"
    assert clinic.rows(opened, report) == []
    noted = (
        "WITH noted AS (INSERT INTO balansity.operator_action (who, via, action, target, reason)"
        " VALUES ('vera', 'page', 'open report', '{}', 'now') RETURNING 1) SELECT 1 FROM noted"
    )
    clinic.rows(f"BEGIN; {noted.format(report)}")
    assert clinic.rows(opened, report) == [("Миша.pdf",)]
    assert clinic.rows(opened, str(uuid4())) == []
    clinic.rows("COMMIT")
    assert clinic.rows(opened, report) == []


def test_a_file_that_is_gone_is_told_and_the_asking_is_noted(
    client: FlaskClient, clinic: Clinic, report: str, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.setenv("REPORT_STORAGE_URL", tmp_path.as_uri())
    settings.current.cache_clear()
    log_in(client)
    clinic.rows("UPDATE balansity.report SET content = NULL, path = 'a/d1.pdf'")
    answer = act(client, report, "open")
    assert answer.status_code == 400
    assert "gone from the storage" in answer.text
    (tmp_path / "a").mkdir()
    (tmp_path / "a/d1.pdf").write_bytes(SAID)
    assert act(client, report, "open").data == SAID
    assert len(clinic.rows(LOG)) == 2


def test_a_report_is_mailed_again_once_however_often_the_form_is_sent(
    client: FlaskClient, clinic: Clinic, report: str
) -> None:
    answers = {act(client, report, "again", number="1").location for _ in range(2)}
    assert len(answers) == 1
    assert clinic.value("SELECT count(*) FROM balansity.delivery WHERE again_of IS NOT NULL") == 1
    assert clinic.rows(LOG)[0][1] == "send again"
    clinic.rows("DELETE FROM balansity.delivery")
    assert "No mail that brought it is known." in client.get(f"/reports/{report}", headers=ENGLISH).text
