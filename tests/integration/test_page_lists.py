"""Long lists come in pages: every row once, whatever moments they share, and no address makes a page fail."""

import html
import re

import pytest
from flask.testing import FlaskClient

from tests.clinic import Clinic
from tests.pages import log_in, open_pages

ROWS = 50


@pytest.fixture
def client(environment: pytest.MonkeyPatch, clinic: Clinic) -> FlaskClient:
    client = open_pages(environment)
    log_in(client)
    return client


def older(page: str) -> str | None:
    found = re.search(r'<a href="([^"]+)">Older ones<', page)
    return html.unescape(found[1]) if found else None


def test_every_delivery_stands_on_one_page_though_many_changed_at_one_moment(
    client: FlaskClient, clinic: Clinic
) -> None:
    clinic.rows(
        "INSERT INTO balansity.delivery (key, message_id, template, state, planned_at, changed_at)"
        " SELECT 'mail:' || n, 'm', 'report_ready', 'sent', now(), now() - n / 60 * interval '1 hour'"
        " FROM generate_series(1, %s) AS n RETURNING 1",
        2 * ROWS + 7,
    )
    address, seen = "/deliveries?state=sent", []
    while address:
        page = client.get(address, headers={"Accept-Language": "en"}).text
        seen += re.findall(r"/deliveries/([0-9a-f-]{36})", page)
        assert f"of {2 * ROWS + 7} shown" in page
        address = older(page) or ""
    assert len(seen) == len(set(seen)) == 2 * ROWS + 7


@pytest.mark.parametrize(
    "query",
    [
        "until=yesterday&last=a0000000-0000-4000-8000-00000000000a",
        "until=2026-01-01&last=1",
        "until=0001-01-01T00:00%2B14:00&last=a0000000-0000-4000-8000-00000000000a",
        "until=%00&last=%00",
    ],
)
def test_a_page_that_begins_nowhere_says_so(client: FlaskClient, query: str) -> None:
    said = client.get(f"/deliveries?{query}", headers={"Accept-Language": "en"})
    assert (said.status_code, "open the list anew" in said.text) == (400, True)
    assert "откройте список заново" in client.get(f"/deliveries?{query}", headers={"Accept-Language": "ru"}).text


def test_no_name_in_an_address_leads_out_of_it(client: FlaskClient, clinic: Clinic) -> None:
    clinic.rows(
        "INSERT INTO balansity.delivery (key, message_id, template, state, planned_at, changed_at)"
        " SELECT 'mail:' || n, 'm', 'report_ready', 'sent', now(), now() FROM generate_series(1, %s) AS n RETURNING 1",
        ROWS,
    )
    page = client.get(
        "/deliveries?_scheme=javascript&_external=1&_anchor=x&endpoint=y", headers={"Accept-Language": "en"}
    )
    assert page.status_code == 200
    assert (older(page.text) or "").startswith("/deliveries?_scheme=javascript&_external=1")
