"""The page of numbers shows a period in tables and plots, to those who may see it."""

import json
import re
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient

import db.statistics
import settings
from db import queries
from db.connection import Connection
from tests.clinic import Clinic
from tests.pages import OPERATOR as LOGIN
from tests.pages import USERS
from web.app import create_app
from web.words import COLUMNS, HEADINGS

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def client(environment: pytest.MonkeyPatch) -> FlaskClient:
    environment.setenv("WEB_USERS", USERS)
    settings.current.cache_clear()
    return create_app().test_client()


def record(connection: Connection, kind: str) -> None:
    event = {"key": "a", "type": kind, "occurred_at": AT.isoformat(), "facts": {}}
    queries.analytics.record(connection, events=json.dumps([event]), zone="Europe/Moscow", at=AT)


def test_events_are_in_a_table_and_in_a_plot(client: FlaskClient, connection: Connection) -> None:
    record(connection, "<page & seen>")
    page = client.get("/numbers?from=2026-11-01&to=2026-11-30", auth=LOGIN)
    assert page.status_code == 200
    assert re.search(r"<td[^>]*>&lt;page &amp; seen&gt;</td><td[^>]*figure[^>]*>1</td>", page.text)
    assert "<title>23.11.2026: 1</title>" in page.text
    assert page.text.count("<rect ") == 30
    assert "<page & seen>" not in page.text


def test_what_has_a_name_is_called_by_it(client: FlaskClient, connection: Connection) -> None:
    record(connection, "assessment_completed")
    page = client.get("/numbers?from=2026-11-01&to=2026-11-30", auth=LOGIN)
    assert "<figcaption>Событий: Чекап завершен, по дням</figcaption>" in page.text
    assert "assessment_completed" not in page.text


def test_every_column_and_section_has_a_russian_name() -> None:
    assert HEADINGS.keys() == db.statistics.COLUMNS.keys()
    assert {name for columns in db.statistics.COLUMNS.values() for part in columns for name in part} == COLUMNS.keys()


def test_each_funnel_is_plotted_by_day(client: FlaskClient, clinic: Clinic) -> None:
    user_id = clinic.add_user()
    for status in ("completed", "abandoned"):
        clinic.rows("UPDATE public.assessments SET status = %s WHERE id = %s", status, clinic.add_checkup(user_id))
    for status in ("cancelled", "no_show"):
        clinic.book(user_id, AT, status)
    speech = {"appointment_type_id": clinic.type_id("Логопед")}
    clinic.add_payment(user_id, speech, status="completed", amount="1000000.50")
    clinic.add_payment(user_id, speech, status="refunded")
    for state in ("sent", "delivered", "bounced"):
        clinic.rows(
            "INSERT INTO balansity.delivery (key, template, state, message_id, planned_at, changed_at) "
            "VALUES (%s, 'report_ready', %s, 'm', now(), now())",
            *(state, state),
        )
    page = client.get("/numbers", auth=LOGIN)
    captions = re.findall(r"<figcaption>(.*), по дням</figcaption>", page.text)
    assert captions == [
        *("Начато", "Завершено", "Брошено"),
        *("Записей", "Отмен", "Неявок"),
        *("Выручка: Логопед, RUB", "Возвраты: Логопед, RUB"),
        *("Всего", "Отправлено, ответа нет", "Доставлено", "Вернулось"),
    ]
    assert re.search(r"<th[^>]*figure[^>]*>Вернулось</th>", page.text)
    assert "Жалоб" not in page.text  # a column of zeros
    assert "1\N{NO-BREAK SPACE}005\N{NO-BREAK SPACE}000,50</title>" in page.text
    assert ">1\N{NO-BREAK SPACE}млн</text>" in page.text


def test_without_dates_the_page_shows_thirty_days(client: FlaskClient) -> None:
    page = client.get("/numbers", auth=LOGIN)
    assert page.status_code == 200
    assert page.text.count("За эти дни ничего нет.") == 5


@pytest.mark.parametrize(
    "query",
    [
        "from=yesterday",
        "from=2026-11-30&to=2026-11-01",
        "from=1900-01-01&to=2026-11-01",
        "to=0001-01-05",
        "from=9999-12-31&to=9999-12-31",
    ],
)
def test_a_period_that_makes_no_sense_is_refused(client: FlaskClient, query: str) -> None:
    assert client.get(f"/numbers?{query}", auth=LOGIN).status_code == 400


def test_the_page_is_closed_to_strangers(client: FlaskClient) -> None:
    assert client.get("/numbers").status_code == 401


def test_a_period_has_a_name_and_its_groups_a_total(client: FlaskClient, clinic: Clinic) -> None:
    for kind, currency, amount in (("a", "RUB", 300), ("b", "RUB", 200), ("c", "EUR", 7)):
        clinic.rows(
            "INSERT INTO public.payments (user_id, amount, currency, status, metadata)"
            " VALUES (%s, %s, %s, 'completed', jsonb_build_object('type', %s))",
            *(clinic.add_user(f"{kind}@example.com"), amount, currency, kind),
        )
    page = client.get("/numbers?period=today", auth=LOGIN, headers={"Accept-Language": "en"}).text
    assert '<a href="/numbers?period=today" aria-current="page">Today</a>' in page
    [revenue] = re.findall(r'<caption class="unseen">Revenue</caption>.*?</table>', page, re.DOTALL)
    last = [re.sub("<[^>]*>", " ", row).split() for row in re.findall(r"<tr.*?</tr>", revenue, re.DOTALL)][-2:]
    assert sorted(last) == [["In", "all", "EUR", "1", "7", "7"], ["In", "all", "RUB", "2", "500", "500"]]


@pytest.mark.parametrize(("kind", "head"), [("totals", "section"), ("days", "day")])
def test_numbers_come_as_a_file_that_spreadsheets_read(
    client: FlaskClient, connection: Connection, kind: str, head: str
) -> None:
    record(connection, "=1+1")
    with client.get(f"/numbers?from=2026-11-01&to=2026-11-30&csv={kind}", auth=LOGIN) as answer:
        assert answer.headers["Content-Disposition"] == "attachment; filename=balansity-2026-11-01-2026-11-30.csv"
        assert answer.mimetype == "text/csv"
        text = answer.data.decode("utf-8-sig")
    assert text.startswith(f'"{head}"')
    assert '"\'=1+1"' in text  # which no spreadsheet runs
    assert ("2026-11-23" in text) == (kind == "days")
