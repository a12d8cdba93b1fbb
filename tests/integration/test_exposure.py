"""doctor names what others could read: on the network, in the server's log, on the disk."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import cli
import settings
from commands.exposure import is_here
from db.connection import Connection
from db.database import pool


def findings(environment: pytest.MonkeyPatch, **given: str) -> str:
    for name, value in given.items():
        environment.setenv(name, value)
    settings.current.cache_clear()
    said = CliRunner().invoke(cli.main, ["doctor"]).output
    for name in given:
        environment.delenv(name)
    settings.current.cache_clear()
    return said


def test_what_goes_in_the_clear_to_another_machine_is_bad(environment: pytest.MonkeyPatch) -> None:
    smtp: dict[str, Any] = {"EMAIL_PROVIDER": "smtp", "SMTP_TLS": "off"}
    said = findings(environment, **smtp, SMTP_HOST="mail.example", SMTP_USERNAME="clinic", SMTP_PASSWORD="sesame")
    assert "✗ SMTP_TLS=off: its password and every mail can be read on the way to mail.example." in said
    assert "sesame" not in said
    assert "SMTP_TLS=off" not in findings(environment, **smtp, SMTP_HOST="localhost")
    for name in ("SENDGRID_API_URL", "YOOKASSA_API_URL", "SITE_URL", "REPORT_STORAGE_ENDPOINT"):
        assert f"✗ {name} is an address of http://" in findings(environment, **{name: "http://provider.example/v3"})
        for here in ("http://127.0.0.1:8025", "http://[::1]", "https://provider.example"):
            assert f"{name} is an address" not in findings(environment, **{name: here})


def test_a_log_that_quotes_statements_and_a_folder_that_others_may_enter_are_noted(
    environment: pytest.MonkeyPatch, connection: Connection, tmp_path: Path
) -> None:
    (tmp_path / "outbox").mkdir(mode=0o755)
    (tmp_path / "outbox").chmod(0o755)
    assert f"others on this machine may look into {tmp_path / 'outbox'}" in findings(environment)
    (tmp_path / "outbox").chmod(0o700)
    said = findings(environment)
    assert "others on this machine" not in said
    with connection.cursor() as cursor:
        name = connection.info.dbname
        cursor.execute(f"ALTER DATABASE {name} SET log_min_error_statement = error")
    pool.closeall()
    assert "! The server's log quotes statements: log_min_error_statement = error" in findings(environment)
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} SET log_min_error_statement = panic")
        cursor.execute(f"ALTER DATABASE {name} SET log_min_duration_statement = 100")
    pool.closeall()
    assert "! The server's log quotes statements: log_min_duration_statement = 100ms" in findings(environment)


@pytest.mark.parametrize(
    ("host", "here"),
    [
        *[(host, True) for host in ("localhost", "LOCALHOST.", "127.0.0.1", "127.9.9.9", "::1")],
        *[(host, False) for host in ("", "localhost.example", "127.0.0.1.example", "10.0.0.1", "0.0.0.0")],
    ],
)
def test_only_a_loopback_is_this_machine(host: str, here: bool) -> None:
    assert is_here(host) is here
