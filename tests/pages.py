"""The pages as their users see them: an operator and a reader, by Basic login or by the form."""

import re

import pytest
from flask.testing import FlaskClient
from werkzeug.security import generate_password_hash

import settings
from web.app import create_app

OPERATOR = ("vera", "twelve letters and more")
READER = ("pavel", "a reader's long password")
COST = "scrypt:1024:8:1"  # for tests to be quick
USERS = " ".join(
    f"{name}:{role}:{generate_password_hash(password, COST)}"
    for (name, password), role in ((OPERATOR, "operator"), (READER, "reader"))
)


def open_pages(environment: pytest.MonkeyPatch) -> FlaskClient:
    """A client of the pages, with both users in the settings."""
    environment.setenv("WEB_USERS", USERS)
    settings.current.cache_clear()
    return create_app().test_client()


def token(page: str) -> str:
    """What a form of this page proves that it is ours by."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found, page
    return found[1]


def form_of(page: str, action: str) -> dict[str, str]:
    """What the form of this page that leads there sends."""
    [form] = [each for each in re.findall("<form.*?</form>", page, re.DOTALL) if f'action="{action}"' in each]
    return dict(re.findall(r'name="(csrf_token|form)" value="([^"]+)"', form))


def log_in(client: FlaskClient, login: tuple[str, str] = OPERATOR, target: str = "/log") -> None:
    form = client.get("/login").text
    answer = client.post(
        f"/login?next={target}", data={"csrf_token": token(form), "name": login[0], "password": login[1]}
    )
    assert (answer.status_code, answer.location) == (303, target)
