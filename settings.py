"""The settings: read from the environment and .env once, checked all together, never changed afterwards."""

import os
import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from email.headerregistry import Address
from email.utils import parseaddr
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import fsspec
import psycopg2
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from dotenv import dotenv_values
from email_validator import EmailNotValidError, validate_email
from psycopg2.extensions import parse_dsn

from errors import SettingsError

ROOT = Path(__file__).parent


def text(value: str) -> str:
    return value


def ascii_text(value: str) -> str:
    if not value.isascii():
        raise ValueError("must consist of ASCII characters: SMTP servers are asked to log in with no others")
    return value


def switch(value: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if value.lower() not in words:
        raise ValueError("must be on or off")
    return words[value.lower()]


def whole_number(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not value.isdecimal() or not low <= int(value) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(value)

    return parse


def one_of(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return value

    return parse


def web_address(value: str) -> str:
    if urlsplit(value).scheme not in {"http", "https"} or not urlsplit(value).netloc:
        raise ValueError("must be an address that starts with http:// or https://")
    return value.rstrip("/")


def postgres_url(value: str) -> str:
    try:
        host = parse_dsn(value).get("host", "")
        understood = value.startswith(("postgres://", "postgresql://")) and "@" not in host
    except psycopg2.ProgrammingError:  # its message may quote the password
        understood = False
    if not understood:
        raise ValueError(
            "must look like postgresql://user:password@host:5432/database; write @ : / ? # % of the password as %40 … "
            "(percent-encoded), and leave out parameters that are not libpq's, such as ?pgbouncer=true"
        )
    return value


def mailbox(value: str) -> Address:
    name, address = parseaddr(value)
    try:
        validate_email(address, check_deliverability=False, allow_smtputf8=False, test_environment=True)
        understood = value in {address, f"{name} <{address}>", f'"{name}" <{address}>'}
    except EmailNotValidError:
        understood = False
    if not understood or not value.isprintable() or not address.isascii():
        raise ValueError(
            "must look like no-reply@example.com, Balansity <no-reply@example.com> or, if the name has a comma, "
            '"Balansity, clinic" <no-reply@example.com>; write клиника.рф as xn--80apagcdp.xn--p1ai'
        )
    return Address(name, addr_spec=address)


def webhook_key(value: str) -> str:
    """The key as SendGrid shows it, one line of base64; the same in a PEM will do."""
    line = re.sub(r"-----(BEGIN|END) PUBLIC KEY-----|\\n|\s", "", value)
    try:
        understood = isinstance(load_der_public_key(b64decode(line, validate=True)), EllipticCurvePublicKey)
    except (ValueError, UnsupportedAlgorithm):
        understood = False
    if not understood:
        raise ValueError("must be the verification key that SendGrid shows for the event webhook's signature")
    return line


def time_zone(value: str) -> ZoneInfo:
    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError("must be an IANA time zone such as Europe/Moscow") from None


def storage_url(value: str) -> str:
    scheme, found, _ = value.partition("://")
    if not found:
        raise ValueError("must be an address such as s3://bucket/reports or file:///srv/reports")
    if scheme not in (known := fsspec.available_protocols()):
        raise ValueError(f"starts with {scheme}://, which is not among {', '.join(sorted(known))}")
    return value.rstrip("/")


def folder(value: str) -> Path:
    return Path(value) if Path(value).is_absolute() else ROOT / value


def setting(default: str, parse: Callable[[str], Any], about: str, *, secret: bool = False) -> Any:
    """One setting: its default as it would stand in the environment, how it is read, and what it is for."""
    return field(metadata={"default": default, "parse": parse, "about": about, "secret": secret})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings; each field is the environment variable of the same name in capitals."""

    database_url: str = setting("", postgres_url, "PostgreSQL 14 or newer; empty: the embedded server", secret=True)
    database_pool_size: int = setting(
        "10", whole_number(2, 200), "connections at most of a process; a worker has one a thread and two"
    )
    database_folder: Path = setting("var/postgres", folder, "data of the embedded server")
    broker_listen: bool = setting("on", switch, "off behind a transaction-mode pooler: workers poll instead of LISTEN")
    email_provider: str = setting("file", one_of("file", "smtp", "sendgrid"), "how mail leaves")
    email_from: Address = setting("Balansity <no-reply@balansity.example>", mailbox, "sender of every mail")
    email_rate_limit: int = setting("200", whole_number(1, 10_000), "mails a second at most, all workers together")
    email_outbox_dir: Path = setting("var/outbox", folder, "where EMAIL_PROVIDER=file writes .eml files")
    sendgrid_api_key: str = setting("", text, "needed by EMAIL_PROVIDER=sendgrid", secret=True)
    sendgrid_api_url: str = setting("https://api.sendgrid.com", web_address, "SendGrid, or a stand-in for tests")
    sendgrid_sandbox: bool = setting("off", switch, "on: SendGrid checks mails and delivers none")
    sendgrid_webhook_public_key: str = setting("", webhook_key, "verifies SendGrid's event webhook")
    smtp_host: str = setting("", text, "needed by EMAIL_PROVIDER=smtp")
    smtp_port: int = setting("587", whole_number(1, 65535), "port of the SMTP server")
    smtp_username: str = setting("", ascii_text, "login; empty: none")
    smtp_password: str = setting("", ascii_text, "password of that login", secret=True)
    smtp_tls: str = setting("starttls", one_of("starttls", "tls", "off"), "how the SMTP connection is encrypted")
    report_storage_url: str = setting(
        "", storage_url, "s3://bucket/folder or file:///folder; empty: reports are kept in PostgreSQL", secret=True
    )
    report_storage_endpoint: str = setting("", web_address, "address of an s3:// storage other than Amazon's")
    report_storage_region: str = setting("", text, "region of an s3:// storage")
    report_storage_key: str = setting("", text, "access key ID of an s3:// storage")
    report_storage_secret: str = setting("", text, "secret access key of an s3:// storage", secret=True)
    report_retention_days: int = setting("365", whole_number(1, 36500), "days that finished reports are kept")
    analytics_retention_days: int = setting("400", whole_number(1, 36500), "days that events are kept; counts stay")
    site_url: str = setting("https://balansity.example", web_address, "where links in mails lead")
    yookassa_shop_id: str = setting("", text, "YooKassa shop")
    yookassa_secret_key: str = setting("", text, "YooKassa key", secret=True)
    yookassa_api_url: str = setting("https://api.yookassa.ru/v3", web_address, "YooKassa, or a stand-in for tests")
    web_username: str = setting("", text, "login of the pages; empty: the pages stay closed")
    web_password: str = setting("", text, "password of that login", secret=True)
    port: int = setting("8000", whole_number(1, 65535), "port of the web process")
    time_zone: ZoneInfo = setting("Europe/Moscow", time_zone, "the clinic's time zone")
    log_level: str = setting("INFO", one_of("DEBUG", "INFO", "WARNING", "ERROR"), "how much is logged")


def load(environment: Mapping[str, str]) -> Settings:
    """Read and check every setting.

    Raises:
        SettingsError: naming every setting that is wrong, its value unless secret, and the remedy.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for each in fields(Settings):
        raw = environment.get(each.name.upper(), "").strip() or each.metadata["default"]
        try:
            values[each.name] = each.metadata["parse"](raw) if raw else ""
        except ValueError as error:
            shown = "its value (not shown)" if each.metadata["secret"] else repr(raw)
            problems.append(f"{each.name.upper()}: {shown} {error}")
    problems += _missing_partners(values)
    problems += _misspelt_names(environment)
    if problems:
        raise SettingsError("Wrong settings, see .env.example:\n" + "\n".join(f"  {problem}" for problem in problems))
    return Settings(**values)


def _missing_partners(values: dict[str, Any]) -> list[str]:
    needs = {
        "sendgrid_api_key": values.get("email_provider") == "sendgrid" and "EMAIL_PROVIDER=sendgrid needs it",
        "smtp_host": values.get("email_provider") == "smtp" and "EMAIL_PROVIDER=smtp needs it",
        "report_storage_key": values.get("report_storage_secret") and "REPORT_STORAGE_SECRET needs it",
        "report_storage_secret": values.get("report_storage_key") and "REPORT_STORAGE_KEY needs it",
        "yookassa_secret_key": values.get("yookassa_shop_id") and "YOOKASSA_SHOP_ID needs it",
        "yookassa_shop_id": values.get("yookassa_secret_key") and "YOOKASSA_SECRET_KEY needs it",
        "web_password": values.get("web_username") and "WEB_USERNAME needs it: an open login protects nothing",
    }
    return [f"{name.upper()}: is empty and {why}" for name, why in needs.items() if why and not values.get(name)]


def _misspelt_names(environment: Mapping[str, str]) -> Iterator[str]:
    known = {each.name.upper() for each in fields(Settings)}
    families = {name.split("_")[0] + "_" for name in known if "_" in name}
    for name in environment.keys() - known:
        if name.startswith(tuple(families)):
            for close in get_close_matches(name, known, n=1, cutoff=0.85):
                yield f"{name}: no such setting, did you mean {close}?"


def env_file() -> Path:
    """Where settings may stand besides the environment; ENV_FILE names another file, an empty one none."""
    return folder(os.environ.get("ENV_FILE", ".env"))


def read_env_file(path: Path) -> dict[str, str]:
    """The settings that a file sets; a file that is not there sets none.

    Raises:
        SettingsError: the file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8") if path.is_file() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None
    return {name: value or "" for name, value in dotenv_values(stream=StringIO(lines), interpolate=False).items()}


@cache
def current() -> Settings:
    """The settings of this process, read on first use; what the environment says counts more than the file .env."""
    return load({**read_env_file(env_file()), **os.environ})


def example() -> str:
    """The text of .env.example: every setting with what it is for and its default."""
    lines = (
        f"# {each.metadata['about']}\n{each.name.upper()}={each.metadata['default']}\n" for each in fields(Settings)
    )
    return "# Every setting with its default; copy to .env and change what you need.\n\n" + "\n".join(lines)
