"""What a stranger sends to any endpoint is answered with a refusal, never with a fault; guessing a login takes ages."""

import base64
from itertools import product

import pytest
from flask.testing import FlaskClient

import settings
from db.database import pool
from errors import SettingsError
from tests.pages import OPERATOR as LOGIN
from tests.pages import USERS
from web.app import create_app
from web.throttle import ONE_SOURCE

PATHS = (
    "/",
    "/health",
    "/healthz",
    "/readyz",
    "/metrics",
    "/mails",
    "/mails/x.html",
    "/numbers",
    "/log",
    "/login",
    "/nowhere",
    "/webhooks/sendgrid",
    "/webhooks/yookassa",
    "/unsubscribe/x",
    f"/unsubscribe/{'é' * 43}",
    f"/unsubscribe/{'A' * 43}",
)
ODD = "é\u00b2\u00ff"
HEADERS: tuple[dict[str, str], ...] = (
    {"Authorization": f"Basic {ODD}"},
    {"Authorization": "Basic " + base64.b64encode(b"\xff:\xff").decode()},
    {"Authorization": f'Digest username="{ODD}"'},
    {"Authorization": "Basic"},
    {"X-Twilio-Email-Event-Webhook-Signature": ODD, "X-Twilio-Email-Event-Webhook-Timestamp": ODD},
    {"Content-Type": ODD, "Cookie": ODD, "Accept-Language": ODD, "X-Forwarded-For": ODD},
    {"Host": "a b<c>"},
)
BODIES = (
    b"[" * 50_000,
    b'{"object":' * 50_000,
    b"\xff\x00",
    b'{"type":"notification","event":"x","object":{"id":"%s"}}',
)


@pytest.fixture
def client(environment: pytest.MonkeyPatch) -> FlaskClient:
    environment.setenv("WEB_USERS", USERS)
    environment.setenv("YOOKASSA_SHOP_ID", "1")
    environment.setenv("YOOKASSA_SECRET_KEY", "secret")
    settings.current.cache_clear()
    return create_app().test_client()


def test_no_header_and_no_body_makes_a_fault(client: FlaskClient) -> None:
    for path, headers in product(PATHS, HEADERS):
        assert client.get(path, headers=headers).status_code in {200, 303, 400, 401, 404, 405, 429}, (path, headers)
    for path, body in product(PATHS, (*BODIES, BODIES[-1].replace(b"%s", b"a" * 1000))):
        assert client.post(path, data=body).status_code in {400, 401, 403, 404, 405}, (path, body[:20])
    assert client.post("/webhooks/yookassa", data=b"a" * 5_000_001).status_code == 413


@pytest.mark.parametrize("period", ["from=0001-01-01", "to=9999-12-31", "from=0001-01-01&to=0001-01-01", "from=%00"])
def test_no_period_makes_a_fault(client: FlaskClient, period: str) -> None:
    assert client.get(f"/numbers?{period}", auth=LOGIN).status_code in {200, 400}


def test_guessing_takes_longer_and_longer(client: FlaskClient) -> None:
    for number in range(ONE_SOURCE.free):
        assert client.get("/", auth=(LOGIN[0], str(number))).status_code == 401
    refused = client.get("/", auth=LOGIN)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert client.get("/health").status_code == 200
    assert client.get("/", auth=LOGIN, environ_overrides={"REMOTE_ADDR": "203.0.113.7"}).status_code == 200


def test_every_answer_says_what_a_page_may_do(client: FlaskClient) -> None:
    for path in PATHS:
        policy = client.get(path, auth=LOGIN).headers["Content-Security-Policy"]
        for part in ("default-src 'none'", "form-action 'self'", "base-uri 'none'", "frame-ancestors", "object-src"):
            assert part in policy, path


@pytest.mark.parametrize("line", ["vera", "vera:operator:secret", "vera:boss:{}", "ve/ra:reader:{}"])
def test_a_user_who_is_none_is_refused_without_the_value(environment: pytest.MonkeyPatch, line: str) -> None:
    environment.setenv("WEB_USERS", line.format(USERS.split("operator:")[1].split()[0]))
    settings.current.cache_clear()
    with pytest.raises(SettingsError, match=r"WEB_USERS: its value \(not shown\) must be lines that") as wrong:
        create_app()
    assert "scrypt" not in str(wrong.value)


def test_a_page_whose_database_is_away_asks_to_come_again(client: FlaskClient, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", "postgresql://someone:hunter2@127.0.0.1:9/clinic")
    settings.current.cache_clear()
    pool.closeall()
    answer = client.get("/", auth=LOGIN)
    assert answer.status_code == 503
    assert "hunter2" not in answer.text
