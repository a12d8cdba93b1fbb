"""Settings are checked all at once, by name, before anything starts."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import settings
from db.connection import shown
from errors import SettingsError


def problems(**environment: str) -> str:
    with pytest.raises(SettingsError) as wrong:
        settings.load(environment)
    return str(wrong.value)


def test_an_empty_environment_has_safe_defaults() -> None:
    current = settings.load({})
    assert current.email_provider == "file"
    assert current.time_zone == ZoneInfo("Europe/Moscow")
    assert not current.web_username


def test_every_wrong_setting_is_named_at_once() -> None:
    said = problems(PORT="http", TIME_ZONE="Mars/Base", EMAIL_PROVIDER="pigeon", SMTP_PORT="99999")
    for name in ("PORT: 'http'", "TIME_ZONE: 'Mars/Base'", "EMAIL_PROVIDER: 'pigeon'", "SMTP_PORT: '99999'"):
        assert name in said
    assert "file, smtp, sendgrid" in said


def test_a_secret_is_not_shown() -> None:
    said = problems(DATABASE_URL="mysql://root:hunter2@host/db")
    assert "DATABASE_URL" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u:hunter2@h:5432/db?pgbouncer=true",
        "postgresql://u:hunter2%zz@h/db",
        "postgresql://u:p@hunter2@h/db",
        "host=h password=hunter2",
    ],
)
def test_an_address_that_the_driver_cannot_read_is_refused_with_the_remedy(address: str) -> None:
    said = problems(DATABASE_URL=address)
    assert "DATABASE_URL: its value (not shown) must look like postgresql://" in said
    assert "?pgbouncer=true" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("postgresql://u:secret@h:5432/db", "postgresql://u@h:5432/db"),
        ("postgresql://h/db?user=u&password=secret", "postgresql://u@h/db"),
        ("postgresql://u:p@secret@h/db", "postgresql://u@h/db"),
        ("postgresql://u:@/db?host=/var/run&sslpassword=secret", "postgresql://u@/db?host=/var/run"),
        ("mysql://u:secret@h/db", "an address that cannot be read"),
    ],
)
def test_an_address_is_shown_without_its_secrets(address: str, words: str) -> None:
    assert shown(address) == words


def test_a_setting_without_its_partner_is_named() -> None:
    assert "SENDGRID_API_KEY: is empty and EMAIL_PROVIDER=sendgrid needs it" in problems(EMAIL_PROVIDER="sendgrid")
    assert "WEB_PASSWORD" in problems(WEB_USERNAME="doctor")


def test_a_login_that_no_smtp_server_could_be_told_is_refused() -> None:
    said = problems(SMTP_USERNAME="клиника", SMTP_PASSWORD="пароль")
    assert "SMTP_USERNAME: 'клиника' must consist of ASCII" in said
    assert "SMTP_PASSWORD: its value (not shown) must consist of ASCII" in said


def test_a_misspelt_name_is_recognised() -> None:
    assert "EMAIL_PROVDER: no such setting, did you mean EMAIL_PROVIDER?" in problems(EMAIL_PROVDER="smtp")


def test_a_name_of_somebody_elses_is_left_alone() -> None:
    settings.load({"WEB_CONCURRENCY": "4", "DATABASE_CONNECTION_POOL_URL": "x", "PORTAL": "y"})


def test_settings_may_stand_in_a_file_and_the_environment_counts_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text('EMAIL_FROM=Клиника <no-reply@clinic.example>\nPORT=9000\nSMTP_PASSWORD="a#b $c"\n')
    monkeypatch.setenv("ENV_FILE", str(tmp_path / ".env"))
    monkeypatch.setenv("PORT", "9001")
    settings.current.cache_clear()
    current = settings.current()
    settings.current.cache_clear()
    assert (current.email_from, current.port) == ("Клиника <no-reply@clinic.example>", 9001)
    assert current.smtp_password == "a#b $c"


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=r"\.env cannot be read"):
        settings.read_env_file(tmp_path / ".env")


def test_a_copy_of_the_example_changes_nothing() -> None:
    assert settings.load(settings.read_env_file(settings.ROOT / ".env.example")) == settings.load({})


def test_the_example_lists_every_setting() -> None:
    assert (settings.ROOT / ".env.example").read_text(encoding="utf-8") == settings.example()
