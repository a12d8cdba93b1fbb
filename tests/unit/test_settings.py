"""Settings are checked all at once, by name, before anything starts."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

import settings
from address import shown
from errors import SettingsError


def problems(**environment: str) -> str:
    with pytest.raises(SettingsError) as wrong:
        settings.load(environment)
    return str(wrong.value)


def test_an_empty_environment_has_safe_defaults() -> None:
    current = settings.load({})
    assert current.email_provider == "file"
    assert current.time_zone == ZoneInfo("Europe/Moscow")
    assert not current.web_users


def test_every_wrong_setting_is_named_at_once() -> None:
    said = problems(PORT="http", TIME_ZONE="Mars/Base", EMAIL_PROVIDER="pigeon", SMTP_PORT="99999")
    for name in ("PORT: 'http'", "TIME_ZONE: 'Mars/Base'", "EMAIL_PROVIDER: 'pigeon'", "SMTP_PORT: '99999'"):
        assert name in said
    assert "file, smtp, sendgrid" in said


def test_a_storage_of_an_unknown_kind_is_refused_with_the_known_ones_and_without_its_password() -> None:
    said = problems(REPORT_STORAGE_URL="gopher://clinic:hunter2@host/reports")
    assert "REPORT_STORAGE_URL: its value (not shown) starts with gopher://, which is not among" in said
    assert " s3, " in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "name", ["SENDGRID_API_URL", "YOOKASSA_API_URL", "SITE_URL", "REPORT_STORAGE_ENDPOINT", "SMTP_HOST"]
)
@pytest.mark.parametrize("address", ["https://clinic:hunter2@host/v3", "https://hunter2@host", "clinic:hunter2@host"])
def test_a_login_where_none_belongs_is_refused_and_not_shown(name: str, address: str) -> None:
    said = problems(**{name: address})
    assert f"{name}: its value (not shown) must" in said
    assert "hunter2" not in said


def test_a_storage_key_without_its_secret_is_refused() -> None:
    assert "REPORT_STORAGE_SECRET: is empty" in problems(REPORT_STORAGE_KEY="key")


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
        "postgresql://u:pa/hunter2@h/db",
        "postgresql://u:hunter2/pass@h:5432/db",
        "postgresql://u:hunter2/p@ss@h/db",
        "postgresql://u:/hunter2@h/db?sslmode=require",
        "postgresql:///u:hunter2@h/db",
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


@pytest.mark.parametrize(
    "address",
    [
        "http://u:hunter2@h:5672",
        "amqp://u:hunter2@",
        "amqp://u:hunter2@h:http",
        "amqp://u:p@hunter2@h",
        "amqp://a:hunter2@h,b:hunter2@h",
    ],
)
def test_an_address_of_rabbitmq_that_nobody_can_read_is_refused_with_the_remedy(address: str) -> None:
    said = problems(BROKER_URL=address)
    assert "BROKER_URL: its value (not shown) must look like amqp://" in said
    assert "hunter2" not in said


def test_a_cluster_of_rabbitmq_has_an_address_a_node_and_its_passwords_are_secrets() -> None:
    current = settings.load({"BROKER_URL": "amqp://u:hunter2@a:5672, amqps://u:hunter%402@b/%2f"})
    assert current.broker_url == ("amqp://u:hunter2@a:5672", "amqps://u:hunter%402@b/%2f")
    assert {"hunter2", "hunter@2"} <= settings.secrets_of(current)


def test_a_setting_without_its_partner_is_named() -> None:
    assert "SENDGRID_API_KEY: is empty and EMAIL_PROVIDER=sendgrid needs it" in problems(EMAIL_PROVIDER="sendgrid")


def test_a_second_way_out_is_another_than_the_first_and_has_what_it_needs() -> None:
    first = {"EMAIL_PROVIDER": "sendgrid", "SENDGRID_API_KEY": "k"}
    assert (
        settings.load({**first, "EMAIL_FALLBACK_PROVIDER": "smtp", "SMTP_HOST": "h"}).email_fallback_provider == "smtp"
    )
    said = problems(**first, EMAIL_FALLBACK_PROVIDER="smtp")
    assert "SMTP_HOST: is empty and EMAIL_FALLBACK_PROVIDER=smtp needs it" in said
    said = problems(**first, EMAIL_FALLBACK_PROVIDER="sendgrid")
    assert "EMAIL_FALLBACK_PROVIDER: 'sendgrid' is EMAIL_PROVIDER, too: name the other one" in said
    said = problems(EMAIL_FALLBACK_PROVIDER="smtp", SMTP_HOST="h")
    assert "EMAIL_FALLBACK_PROVIDER: 'smtp' would send what EMAIL_PROVIDER=file is to keep" in said
    assert "'file' must be one of smtp, sendgrid" in problems(EMAIL_FALLBACK_PROVIDER="file")


@pytest.mark.parametrize(
    "sender",
    [
        "Balansity, clinic <no-reply@clinic.example>",
        "Balansity; clinic <no-reply@clinic.example>",
        "Balansity: <no-reply@clinic.example>",
        "Balansity no-reply@clinic.example",
        "Anna <anna@clinic.example>, Boris <boris@clinic.example>",
        "Balansity <no-reply@>",
        "Balansity <no-reply@клиника.рф>",
        "Balansity\nBcc: all <no-reply@clinic.example>",
        "no-reply",
    ],
)
def test_a_sender_that_would_leave_broken_is_refused_with_the_remedy(sender: str) -> None:
    assert "EMAIL_FROM: " in (said := problems(EMAIL_FROM=sender))
    assert '"Balansity, clinic" <no-reply@example.com>' in said


@pytest.mark.parametrize(
    "sender", ["no-reply@clinic.example", "Клиника <no-reply@clinic.example>", '"Balansity, clinic" <a@clinic.example>']
)
def test_a_sender_with_and_without_a_name_is_accepted(sender: str) -> None:
    assert str(settings.load({"EMAIL_FROM": sender}).email_from) == sender


def pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> str:
    public = key.public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize("key", ["not-a-key", "MFkwEwYHKoZIzj0CAQ", pem(ed25519.Ed25519PrivateKey.generate())])
def test_a_webhook_key_that_verifies_nothing_is_refused(key: str) -> None:
    assert "SENDGRID_WEBHOOK_PUBLIC_KEY: " in problems(SENDGRID_WEBHOOK_PUBLIC_KEY=key)


@pytest.mark.parametrize("keys", ["hunter2", "aHVudGVyMg==", f"{'A' * 43}=,", f"{'A' * 43}= {'B' * 43}="])
def test_a_message_key_that_is_none_is_refused_unseen(keys: str) -> None:
    said = problems(MESSAGE_KEYS=keys)
    assert "MESSAGE_KEYS: its value (not shown) must be keys of 32 bytes" in said
    assert keys not in said


def test_message_keys_are_of_either_alphabet_and_are_told_nowhere() -> None:
    first, second = f"{'-_' * 21}A=", f"{'+/' * 21}B="
    current = settings.load({"MESSAGE_KEYS": f"{first}, {second},{first}"})
    assert current.message_keys == (first, second)
    assert {first, second} <= settings.secrets_of(current)
    assert first not in repr(current)


def test_a_webhook_key_may_be_a_whole_pem() -> None:
    whole = pem(ec.generate_private_key(ec.SECP256R1()))
    line = "".join(whole.splitlines()[1:-1])
    for written in (whole, whole.replace("\n", "\\n"), line):
        assert settings.load({"SENDGRID_WEBHOOK_PUBLIC_KEY": written}).sendgrid_webhook_public_key == line


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
    (tmp_path / ".env").write_text(
        'EMAIL_FROM=Клиника <no-reply@clinic.example>\nPORT=9000\nSMTP_PASSWORD="a#b ${HOME}"\n'
    )
    monkeypatch.setenv("ENV_FILE", str(tmp_path / ".env"))
    monkeypatch.setenv("PORT", "9001")
    settings.current.cache_clear()
    current = settings.current()
    settings.current.cache_clear()
    assert (str(current.email_from), current.port) == ("Клиника <no-reply@clinic.example>", 9001)
    assert current.smtp_password == "a#b ${HOME}"


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=r"\.env cannot be read"):
        settings.read_env_file(tmp_path / ".env")


def test_a_copy_of_the_example_changes_nothing() -> None:
    assert settings.load(settings.read_env_file(settings.ROOT / ".env.example")) == settings.load({})


def test_the_example_lists_every_setting_with_its_default_and_what_it_is_for() -> None:
    each = (f"# {it.description}\n{name.upper()}={it.default}\n" for name, it in settings.Settings.model_fields.items())
    title = "# Every setting with its default; copy to .env and change what you need.\n\n"
    assert (settings.ROOT / ".env.example").read_text(encoding="utf-8") == title + "\n".join(each)


def test_no_secret_is_shown_where_settings_are() -> None:
    hidden = {"DATABASE_URL": "postgresql://u:hunter2@h/db", "SENDGRID_API_KEY": "hunter2", "SMTP_PASSWORD": "hunter2"}
    assert "hunter2" not in repr(settings.load(hidden))


def test_a_page_of_the_site_is_found_by_its_id_or_is_the_site() -> None:
    current = settings.load({"SITE_URL": "https://a.example", "SITE_PAYMENT_URL": "https://a.example/p/{id}?from=mail"})
    assert current.page_of("payment", 7) == "https://a.example/p/7?from=mail"
    assert current.page_of("payment", None) == current.page_of("report", 7) == "https://a.example"


@pytest.mark.parametrize(
    "pattern",
    [
        "https://a.example/p",
        "https://{id}.example/p",
        "https://a.example/{id}/{id}",
        "/p/{id}",
        "https://u@a.example/{id}",
    ],
)
def test_a_page_of_the_site_without_a_place_for_its_id_is_refused(pattern: str) -> None:
    assert "SITE_PAYMENT_URL" in problems(SITE_PAYMENT_URL=pattern)


@pytest.mark.parametrize("number", ["495", "call us", "+7 495 <b>", "+7 495 123-45-67 доб. 8", "1" * 20])
def test_what_is_no_telephone_number_is_refused(number: str) -> None:
    assert "CLINIC_PHONE" in problems(CLINIC_PHONE=number)


def test_what_is_no_name_of_a_dkim_key_is_refused() -> None:
    assert settings.load({"EMAIL_DKIM_SELECTOR": "2026-k1.mail"}).email_dkim_selector == "2026-k1.mail"
    assert "EMAIL_DKIM_SELECTOR" in problems(EMAIL_DKIM_SELECTOR="s1 s2")
