"""What `up` says of this installation is so, and the command that it names makes the user that is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

import settings
from commands.welcome import welcome
from tests.pages import OPERATOR


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "Mails: files in var/outbox, for EMAIL_PROVIDER=file sends none."),
        ({"EMAIL_PROVIDER": "smtp", "SMTP_HOST": "mail.example"}, "Mails: sent by mail.example:587."),
        ({"EMAIL_PROVIDER": "sendgrid", "SENDGRID_API_KEY": "key"}, "Mails: sent by SendGrid."),
        (
            {"EMAIL_PROVIDER": "sendgrid", "SENDGRID_API_KEY": "key", "SENDGRID_SANDBOX": "on"},
            "Mails: checked by SendGrid, and delivered to nobody.",
        ),
    ],
)
def test_it_says_where_mails_go(environment: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(settings.ROOT)
    assert welcome(settings.load(environment), has_pages=False).splitlines()[0] == said


def test_the_command_that_it_names_lets_somebody_log_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "settings"
    monkeypatch.setenv("ENV_FILE", str(kept))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    monkeypatch.delenv("WEB_USERS", raising=False)
    address, command, *_ = welcome(settings.load({"PORT": "8123"}), has_pages=True).splitlines()
    assert "http://localhost:8123" in address
    subprocess.run(["bash", "-c", command], input=OPERATOR[1], text=True, check=True, cwd=settings.ROOT)
    [user] = settings.load(settings.read_env_file(kept)).web_users
    assert (user.name, user.role) == ("vera", "operator")
