"""The settings: read from the environment and .env once, checked all together, never changed afterwards."""

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import unquote, urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

import address
from discretion import conceal
from errors import SettingsError
from values import (
    AmqpUrls,
    Ascii,
    Days,
    HookAddress,
    HostName,
    HostNames,
    Hours,
    LedgerDays,
    Mailbox,
    Mailboxes,
    MessageKeys,
    PageUsers,
    Phone,
    Port,
    PostgresUrl,
    SecureAddress,
    Selector,
    SitePattern,
    SmtpUrl,
    StorageUrl,
    Template,
    TimeZone,
    WebAddress,
    WebhookKey,
)

ROOT = Path(__file__).parent


def folder(value: str | Path) -> Path:
    return ROOT / value


Folder = Annotated[Path, AfterValidator(folder)]

# Pydantic's complaints about the plainer kinds, as a remedy.
REMEDIES = {
    "bool_parsing": "must be on or off",
    "greater_than_equal": "must be {ge} or more",
    "int_parsing": "must be a whole number",
    "less_than_equal": "must be {le} or less",
    "literal_error": "must be one of {choices}",
    "value_error": "{error}",  # our own, above
}


def setting(default: str, about: str, *, secret: bool = False) -> Any:
    """A setting's default as it would stand in the environment, and what it is for; a secret is never shown."""
    return Field(default, description=about, repr=not secret)


class Settings(BaseModel, frozen=True):
    """All settings; each field is the environment variable of the same name in capitals."""

    database_url: PostgresUrl = setting("", "PostgreSQL 14 or newer; empty: the embedded server", secret=True)
    database_pool_size: Annotated[int, Field(ge=2, le=200)] = setting(
        "10", "connections at most of a process; a worker has one a thread and three"
    )
    database_folder: Folder = setting("var/postgres", "data of the embedded server")
    broker_listen: bool = setting("on", "off behind a transaction-mode pooler: workers poll instead of LISTEN")
    broker_url: AmqpUrls = setting(
        "",
        "RabbitMQ past one PostgreSQL, amqp://user:password@host:5672, a cluster's nodes with commas; empty: none",
        secret=True,
    )
    email_provider: Literal["file", "smtp", "sendgrid"] = setting("file", "how mail leaves")
    email_fallback_provider: Literal["", "smtp", "sendgrid"] = setting(
        "", "how mail with a deadline leaves while EMAIL_PROVIDER is away; empty: it waits"
    )
    email_from: Mailbox = setting("Balansity <no-reply@balansity.example>", "sender of every mail")
    email_reply_to: Mailbox = setting("", "where families' answers go, which every mail names; empty: nowhere")
    clinic_phone: Phone = setting("", "the clinic's telephone, such as +7 495 123-45-67, which mails and reports name")
    email_dkim_selector: Selector = setting(
        "", "name of the DKIM key that signs mail, for doctor to look up; empty: SendGrid's and other usual ones"
    )
    email_rate_limit: Annotated[int, Field(ge=1, le=10_000)] = setting(
        "200", "mails a second at most of a provider, all workers together"
    )
    email_hourly_limit: Annotated[int, Field(ge=1, le=1_000_000)] = setting(
        "30", "mails an hour at most to one address; `balansity deliveries --failed` shows what is above it"
    )
    email_night: Hours = setting(
        "22:00-08:00",
        "by the family's clocks: what an outage delayed for an hour waits for its end; empty: it does not",
    )
    email_outbox_dir: Folder = setting("var/outbox", "where EMAIL_PROVIDER=file writes .eml files")
    sendgrid_api_key: str = setting("", "needed where mail leaves through sendgrid", secret=True)
    sendgrid_api_url: WebAddress = setting("https://api.sendgrid.com", "SendGrid, or a stand-in for tests")
    sendgrid_sandbox: bool = setting("off", "on: SendGrid checks mails and delivers none")
    sendgrid_webhook_public_key: WebhookKey = setting("", "verifies SendGrid's event webhook")
    smtp_host: HostName = setting("", "needed where mail leaves through smtp")
    smtp_port: Port = setting("587", "port of the SMTP server")
    smtp_username: Ascii = setting("", "login; empty: none")
    smtp_password: Ascii = setting("", "password of that login", secret=True)
    smtp_tls: Literal["starttls", "tls", "off"] = setting("starttls", "how the SMTP connection is encrypted")
    report_storage_url: StorageUrl = setting(
        "", "s3://bucket/folder or file:///folder; empty: reports are kept in PostgreSQL", secret=True
    )
    report_storage_endpoint: WebAddress = setting("", "address of an s3:// storage other than Amazon's")
    report_storage_region: str = setting("", "region of an s3:// storage")
    report_storage_key: str = setting("", "access key ID of an s3:// storage")
    report_storage_secret: str = setting("", "secret access key of an s3:// storage", secret=True)
    report_retention_days: Days = setting("365", "days that finished reports are kept")
    analytics_retention_days: Days = setting("400", "days that events are kept; counts stay")
    message_retention_days: Days = setting("7", "days that finished messages are kept, and until the end of that day")
    dead_letter_retention_days: Days = setting(
        "90", "days that dead letters and cancelled messages are kept for a person to decide"
    )
    archive_retention_days: Days = setting("30", "days that pgmq's archive keeps what workers have taken")
    delivery_retention_days: LedgerDays = setting(
        "1095", "days that the ledger keeps mails, and until the end of that month: a claim lapses after three years"
    )
    delivery_attempt_retention_days: LedgerDays = setting("400", "days that it keeps attempts, likewise")
    delivery_event_retention_days: LedgerDays = setting("400", "days that it keeps what providers report, likewise")
    slot_retention_days: Days = setting("90", "days that slots of jobs are kept")
    site_url: WebAddress = setting("https://balansity.example", "where links in mails lead")
    site_appointment_url: SitePattern = setting(
        "", "page of a consultation, such as https://balansity.example/appointments/{id}; empty: SITE_URL"
    )
    site_payment_url: SitePattern = setting("", "page of a payment, with {id}; empty: SITE_URL")
    site_report_url: SitePattern = setting(
        "", "page of a check-up's results, with the check-up's {id}; empty: SITE_URL"
    )
    site_booking_url: WebAddress = setting(
        "", "page where a consultation is booked, for mails and reports; empty: SITE_URL"
    )
    video_hosts: HostNames = setting(
        "", "hosts, with commas, whose addresses of video rooms are links in mails; empty: SITE_URL's and below it"
    )
    yookassa_shop_id: str = setting("", "YooKassa shop")
    yookassa_secret_key: str = setting("", "YooKassa key", secret=True)
    yookassa_api_url: WebAddress = setting("https://api.yookassa.ru/v3", "YooKassa, or a stand-in for tests")
    web_users: PageUsers = setting(
        "",
        "who may see the pages: lines of `balansity user`, spaces between; empty: the pages stay closed",
        secret=True,
    )
    message_keys: MessageKeys = setting(
        "", "encrypt what messages say, the first new ones; commas between; empty: it lies in plain", secret=True
    )
    web_url: SecureAddress = setting(
        "", "where families' mail programs reach the web process, https://…; empty: no mail has a link to unsubscribe"
    )
    unsubscribe_keys: MessageKeys = setting(
        "", "sign the links to unsubscribe: the first new ones, all that are answered; commas between", secret=True
    )
    web_proxies: Annotated[int, Field(ge=0, le=9)] = setting(
        "0", "proxies before the web process, each of which adds an address to X-Forwarded-For"
    )
    alarm_webhook_url: HookAddress = setting(
        "", "where alarms are posted: Slack, Telegram and the like; empty: nowhere", secret=True
    )
    alarm_webhook_template: Template = setting(
        '{"text": "{text}"}', "what is posted there: JSON, with {text} where the alarm's text belongs"
    )
    alarm_smtp_url: SmtpUrl = setting(
        "", "a mail server for alarms, best not the mails' own: smtp://user:password@host:587 or smtps://", secret=True
    )
    alarm_email_to: Mailboxes = setting("", "who is mailed alarms; commas between")
    alarm_email_from: Mailbox = setting("", "sender of alarms; empty: EMAIL_FROM")
    alarm_language: Literal["ru", "en"] = setting("ru", "in which alarms are told")
    heartbeat_url: HookAddress = setting(
        "", "asked for every minute while all is well enough to tell: its silence is an alarm", secret=True
    )
    port: Port = setting("8000", "port of the web process")
    time_zone: TimeZone = setting("Europe/Moscow", "the clinic's time zone")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = setting("INFO", "how much is logged")

    @property
    def alarm_ways(self) -> tuple[str, ...]:
        """By which ways somebody is told."""
        return ("webhook",) * bool(self.alarm_webhook_url) + ("email",) * bool(self.alarm_smtp_url)

    @property
    def room_hosts(self) -> tuple[str, ...]:
        """The hosts whose addresses, and those of their subdomains, may be links to video rooms."""
        return self.video_hosts or ((urlsplit(self.site_url).hostname or "").removeprefix("www."),)

    @property
    def booking_page(self) -> str:
        """Where a family books a consultation."""
        return self.site_booking_url or self.site_url

    def page_of(self, kind: Literal["appointment", "payment", "report"], which: object) -> str:
        """Where the site shows one of its things; where that is not known, or which one: the site itself."""
        pattern: str = getattr(self, f"site_{kind}_url")
        return pattern.replace("{id}", str(which)) if pattern and which else self.site_url


OFF = {"email_night"}  # settings that mean something when they are set to nothing; the others have their default then


def load(environment: Mapping[str, str]) -> Settings:
    """Read and check every setting.

    Raises:
        SettingsError: naming every setting that is wrong, its value unless secret, and the remedy.
    """
    said = {name: environment[name.upper()].strip() for name in Settings.model_fields if name.upper() in environment}
    raw = {name: said.get(name) or it.default for name, it in Settings.model_fields.items()}
    given = {name: text for name, text in raw.items() if text} | {
        name: "" for name in OFF & said.keys() if not said[name]
    }
    problems = [*_missing_partners(given), *_useless_fallback(given), *_misspelt_names(environment)]
    try:
        settings = Settings.model_validate(given)
    except ValidationError as wrong:
        problems = [*map(_explained, wrong.errors()), *problems]
    if problems:
        raise SettingsError("Wrong settings, see .env.example:\n" + "\n".join(f"  {problem}" for problem in problems))
    return settings


def _explained(error: ErrorDetails) -> str:
    name = str(error["loc"][0])
    field = Settings.model_fields[name]
    may_hold_login = "@" in str(error["input"]) and name not in {"email_from", "email_reply_to"}
    shown = "its value (not shown)" if may_hold_login or not field.repr else repr(error["input"])
    choices = ", ".join(filter(None, map(str, get_args(field.annotation))))
    remedy = REMEDIES.get(error["type"], error["msg"]).format(choices=choices, **error.get("ctx", {}))
    return f"{name.upper()}: {shown} {remedy}"


def _missing_partners(given: Mapping[str, str]) -> Iterator[str]:
    ways = {given[name]: name for name in ("email_fallback_provider", "email_provider") if name in given}
    needs = {
        "alarm_email_to": "alarm_smtp_url" in given and "ALARM_SMTP_URL needs it",
        "alarm_smtp_url": "alarm_email_to" in given and "ALARM_EMAIL_TO needs it",
        "sendgrid_api_key": "sendgrid" in ways and f"{ways['sendgrid'].upper()}=sendgrid needs it",
        "unsubscribe_keys": "web_url" in given and "WEB_URL needs it",
        "smtp_host": "smtp" in ways and f"{ways['smtp'].upper()}=smtp needs it",
        "report_storage_key": "report_storage_secret" in given and "REPORT_STORAGE_SECRET needs it",
        "report_storage_secret": "report_storage_key" in given and "REPORT_STORAGE_KEY needs it",
        "yookassa_secret_key": "yookassa_shop_id" in given and "YOOKASSA_SHOP_ID needs it",
        "yookassa_shop_id": "yookassa_secret_key" in given and "YOOKASSA_SECRET_KEY needs it",
    }
    return (f"{name.upper()}: is empty and {why}" for name, why in needs.items() if why and name not in given)


def _useless_fallback(given: Mapping[str, str]) -> Iterator[str]:
    first, second = given["email_provider"], given.get("email_fallback_provider")
    if second and first == "file":
        yield f"EMAIL_FALLBACK_PROVIDER: {second!r} would send what EMAIL_PROVIDER=file is to keep: leave it empty"
    elif second and second == first:
        yield f"EMAIL_FALLBACK_PROVIDER: {second!r} is EMAIL_PROVIDER, too: name the other one, or leave it empty"


def _misspelt_names(environment: Mapping[str, str]) -> Iterator[str]:
    known = {name.upper() for name in Settings.model_fields}
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
    settings = load({**read_env_file(env_file()), **os.environ})
    conceal(secrets_of(settings))
    return settings


def secrets_of(settings: Settings) -> set[str]:
    """What must not be told: secret settings, and the passwords in secret addresses unless they stand there openly."""
    secret = [getattr(settings, name) for name, field in Settings.model_fields.items() if not field.repr]
    hashes = (user.password_hash for user in settings.web_users)
    values = [*map(str, secret), *settings.message_keys, *settings.unsubscribe_keys, *settings.broker_url, *hashes]
    database = address.parts(settings.database_url) if settings.database_url else {}
    open_words = {database.get(name, "") for name in ("user", "host", "dbname")}
    return {word for value in values for word in (value, *login_in(value))} - open_words


def login_in(value: str) -> list[str]:
    """The password in an address, as it stands there and as it is meant; an address without one has none."""
    login, found, _ = value.partition("://")[2].rpartition("@")
    password = login.partition(":")[2] or login
    return [password, unquote(password)] if found else []
