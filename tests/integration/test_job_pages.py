"""The schedule on a page: what ran in a period, what is to come, and a person's hand on it, once."""

from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

import actors
import db.database
import scheduler
from db.database import transaction
from desk import jobs
from desk.decision import Decision
from tests.clinic import Clinic
from tests.pages import READER, form_of, log_in, open_pages, token

ENGLISH = {"Accept-Language": "en"}
JOB = "remove-old-reports"
NOW = datetime(2030, 11, 25, 10, 2, tzinfo=UTC)  # 13:02 in Moscow
LOG = "SELECT action, target, reason FROM balansity.operator_action ORDER BY id"
SLOTS = "SELECT state, count(*) FROM balansity.slot GROUP BY state"


@pytest.fixture
def client(environment: pytest.MonkeyPatch, clinic: Clinic) -> FlaskClient:
    actors.publish(db.database.url(), scheduler.publish)
    client = open_pages(environment)
    log_in(client)
    return client


def run(clinic: Clinic, at: datetime, state: str, outcome: str, seconds: int = 1) -> None:
    clinic.rows(
        "INSERT INTO balansity.slot (job, slot, state, enqueued_at, started_at, finished_at, outcome)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        *(JOB, at, state, at, at, at + timedelta(seconds=seconds), outcome),
    )


def page(client: FlaskClient, address: str) -> str:
    answer = client.get(address, headers=ENGLISH)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_a_night_is_folded_and_what_failed_or_took_long_stands_by_itself(client: FlaskClient, clinic: Clinic) -> None:
    clinic.set_clock(NOW)
    night = datetime(2030, 11, 24, 17, 0, tzinfo=UTC)  # 20:00 in Moscow
    for minutes in range(60):
        run(clinic, night + timedelta(minutes=minutes), "succeeded", "2 removed; 1 skipped: report of Анна")
    run(clinic, night + timedelta(hours=7), "failed", "ValueError: Анна")
    run(clinic, night + timedelta(hours=8), "succeeded", "0 removed", seconds=90)
    run(clinic, night - timedelta(minutes=1), "failed", "KeyError: before the night")
    for address in ("/jobs?period=night", "/jobs?from=2030-11-24T20:00&to=2030-11-25T08:00"):
        told = page(client, address)
        assert "ValueError" in told
        assert "KeyError" not in told.split("The schedule")[0]
        assert "2 of 2 shown." in told
        assert "Анна" not in told
    one = page(client, f"/jobs/{JOB}?period=night")
    assert "removed: 0" in one
    assert "Анна" not in page(client, f"/jobs/{JOB}")
    assert page(client, "/jobs/purge-messages?period=night").count("Nothing ran then.") == 1


def test_a_failed_run_quotes_nobody_on_any_page(client: FlaskClient, clinic: Clinic) -> None:
    run(clinic, datetime.now(UTC) - timedelta(minutes=1), "failed", "ValueError: no place for Анна")
    for address in ("/", "/jobs", "/jobs?period=day", f"/jobs/{JOB}", f"/jobs/{JOB}?period=day"):
        told = page(client, address)
        assert "ValueError" in told, address
        assert "Анна" not in told, address


def test_a_night_of_many_failures_comes_in_pages_that_overlook_none(client: FlaskClient, clinic: Clinic) -> None:
    clinic.set_clock(NOW)
    for minutes in range(1, 61):
        run(clinic, NOW - timedelta(minutes=minutes), "failed", "ValueError: no")
    first = page(client, "/jobs?period=day")
    assert "50 of 60 shown." in first
    [older] = [line.split('"')[0].replace("&amp;", "&") for line in first.split('href="') if "before=" in line]
    assert page(client, older).split("The schedule")[0].count("ValueError") >= 10


@pytest.mark.parametrize(
    "question",
    [
        "from=tomorrow",
        "from=0001-01-01T00:00",
        "to=99999-01-01",
        "from=2030-11-25&to=2030-11-24",
        "from=2030-01-01&to=2030-12-31",
        "period=night&before=never",
    ],
)
@pytest.mark.parametrize("address", ["/jobs", "/plan"])
def test_a_period_that_is_none_is_refused_in_words(client: FlaskClient, address: str, question: str) -> None:
    answer = client.get(f"{address}?{question}", headers=ENGLISH)
    assert answer.status_code == 400 or (address, question) == ("/plan", "period=night&before=never")
    assert "Internal" not in answer.text


def test_two_clicks_run_a_job_once_and_pause_it_once(client: FlaskClient, clinic: Clinic) -> None:
    for action, reason in (("run", "to see that it works"), ("pause", "the storage moves"), ("resume", "it has moved")):
        address = f"/jobs/{JOB}/{action}"
        form = form_of(page(client, f"/jobs/{JOB}"), address) | {"reason": reason}
        for _ in range(2):
            assert client.post(address, data=form).status_code == 303
    assert clinic.rows(SLOTS) == [("planned", 1)]
    assert clinic.rows(LOG) == [
        ("run job", JOB, "to see that it works"),
        ("pause job", JOB, "the storage moves"),
        ("resume job", JOB, "it has moved"),
    ]


def test_a_paused_job_says_by_whom_and_why_and_is_not_paused_again(client: FlaskClient, clinic: Clinic) -> None:
    form = form_of(page(client, f"/jobs/{JOB}"), f"/jobs/{JOB}/pause") | {"reason": "the storage moves"}
    client.post(f"/jobs/{JOB}/pause", data=form)
    assert "vera: the storage moves" in page(client, f"/jobs/{JOB}")
    other = form_of(page(client, f"/jobs/{JOB}"), f"/jobs/{JOB}/resume")
    answer = client.post(f"/jobs/{JOB}/pause", data=other | {"reason": "again"}, headers=ENGLISH)
    assert (answer.status_code, "paused already" in answer.text) == (400, True)
    assert [action for action, *_ in clinic.rows(LOG)] == ["pause job"]
    assert "paused" in page(client, "/plan")


def test_an_order_that_is_not_noted_is_not_done(clinic: Clinic) -> None:
    def order() -> None:
        with transaction() as conn:
            jobs.run(conn, JOB, Decision("vera", "page", "to see that it works"))
            raise InterruptedError

    with pytest.raises(InterruptedError):
        order()
    assert (clinic.rows(SLOTS), clinic.rows(LOG)) == ([], [])


def test_what_is_no_job_and_a_readers_order_are_refused(client: FlaskClient, clinic: Clinic) -> None:
    assert client.get("/jobs/backup").status_code == 404
    form = form_of(page(client, f"/jobs/{JOB}"), f"/jobs/{JOB}/run") | {"reason": "w"}
    assert client.post("/jobs/backup/run", data=form).status_code == 400
    assert client.post(f"/jobs/{JOB}/delete", data=form).status_code == 404
    log_in(client, READER)
    told = page(client, f"/jobs/{JOB}")
    assert "Run now" not in told
    answer = client.post(f"/jobs/{JOB}/run", data={"csrf_token": token(told), "reason": "w"})
    assert answer.status_code == 403
    assert (clinic.rows(SLOTS), clinic.rows(LOG)) == ([], [])


def test_the_plan_tells_how_often_each_job_runs_and_what_happens_to_whom(client: FlaskClient, clinic: Clinic) -> None:
    clinic.set_clock(NOW)
    clinic.rows("UPDATE balansity.job SET planned_until = %s", NOW)
    anna = clinic.add_user()
    appointment = clinic.book(anna, NOW + timedelta(hours=26))  # 15:02 of the next day
    told = page(client, "/plan?period=tomorrow")
    assert "1,440" in told
    assert "Reports of deleted check-ups" in told
    for words in ("reminder an hour before", "consultation begins", f"/people/appointment/{appointment}"):
        assert words in told
    assert "reminder 24 hours before" not in told
    assert "reminder 24 hours before" in page(client, "/plan")
    assert "Nothing in this time." in page(client, "/plan?from=2030-11-25T14:00&to=2030-11-25T14:30")


def test_a_long_plan_comes_in_pages(client: FlaskClient, clinic: Clinic) -> None:
    clinic.set_clock(NOW)
    clinic.rows("UPDATE balansity.job SET planned_until = %s", NOW)
    anna = clinic.add_user()
    for number in range(60):
        clinic.book(anna, NOW + timedelta(hours=30, minutes=number))
    first = page(client, "/plan?period=week")
    assert "50 of 240 shown." in first
    last = page(client, "/plan?period=week&page=5")
    assert "40 of 240 shown." in last
    assert "page=6" not in last
    for odd in ("0", "-1", "many", "9" * 40):
        page(client, f"/plan?page={odd}")


def test_a_plan_of_more_than_anybody_reads_says_that_there_is_more(
    client: FlaskClient, clinic: Clinic, environment: pytest.MonkeyPatch
) -> None:
    clinic.set_clock(NOW)
    clinic.rows("UPDATE balansity.job SET planned_until = %s", NOW)
    anna = clinic.add_user()
    for number in range(4):
        clinic.book(anna, NOW + timedelta(hours=30, minutes=number))
    assert "There is more" not in page(client, "/plan")
    environment.setattr("web.plan.MOST", 5)
    assert "There is more: only the first 5 of a kind are looked at." in page(client, "/plan")
