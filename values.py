"""The kinds of value that a setting has: how its text is read, and what is asked of it."""

import json
import re
from base64 import b64decode
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.utils import parseaddr
from functools import lru_cache
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field, HttpUrl, PlainValidator, ValidationError

import address
from zones import Night, night, zone_named

MESSAGE_KEY_BYTES = 32
URLSAFE = str.maketrans("-_", "+/")  # the other alphabet of base64
SHORTEST_PASSWORD = 12  # characters of a page's user's
FEWEST_DIFFERENT = 5  # of them
TEXT_PLACE = "{text}"  # in a webhook's template
ROLES = ("operator", "reader")  # of the pages: who may act, and who may look
PHONE = re.compile(r"\+?[0-9(][0-9 ()-]{3,30}")
USER = re.compile(rf"([\w.-]{{1,40}}):({'|'.join(ROLES)}):(scrypt:\d+:\d+:\d+\$\w+\$[0-9a-f]+)")


def ascii_text(value: str) -> str:
    if not value.isascii():
        raise ValueError("must consist of ASCII characters: SMTP servers are asked to log in with no others")
    return value


def web_address(value: str) -> str:
    try:
        login = HttpUrl(value).username or HttpUrl(value).password
    except ValidationError:
        raise ValueError("must be an address that starts with http:// or https://") from None
    if login or "@" in value:
        raise ValueError("must carry no login: it would be shown")
    return value.rstrip("/")


def hook_address(value: str) -> str:
    """An address that is called as it is written: a service may take one with a / at its end for another."""
    web_address(value)
    return value


@dataclass(frozen=True)
class HookTemplate:
    """What is posted to a webhook: JSON in which a text has its place."""

    shape: Any

    def filled(self, text: str) -> Any:
        return _filled(self.shape, text)


def _filled(shape: Any, text: str) -> Any:
    match shape:
        case str():
            return shape.replace(TEXT_PLACE, text)
        case list():
            return [_filled(each, text) for each in shape]
        case dict():
            return {name: _filled(each, text) for name, each in shape.items()}
        case _:
            return shape


def hook_template(value: str) -> HookTemplate:
    try:
        template = HookTemplate(json.loads(value))
        understood = template.filled("") != template.shape
    except (RecursionError, ValueError):
        understood = False
    if not understood:
        raise ValueError(f'must be JSON with {TEXT_PLACE} where the text belongs, such as {{"text": "{TEXT_PLACE}"}}')
    return template


def smtp_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        understood = parts.scheme in {"smtp", "smtps"} and bool(parts.hostname) and not parts.path.strip("/")
        understood = understood and (parts.port is None or parts.port > 0) and value.isascii()
    except ValueError:
        understood = False
    if not understood:
        raise ValueError(
            "must look like smtp://user:password@host:587, or smtps:// where the connection begins encrypted; "
            "write @ : / ? # % of the password as %40 … (percent-encoded)"
        )
    return value


def mailboxes(value: str) -> tuple[Address, ...]:
    return tuple(mailbox(each.strip()) for each in value.split(","))


def secure_address(value: str) -> str:
    if not web_address(value).startswith("https://"):
        raise ValueError("must start with https://: mail programs click no other link by themselves")
    return value.rstrip("/")


def selector(value: str) -> str:
    if not re.fullmatch(r"[\w-]{1,63}(\.[\w-]{1,63})*", value, re.ASCII):
        raise ValueError(
            "must be the key's name alone, such as s1: what stands before ._domainkey, and after s= of a mail"
        )
    return value


def site_pattern(value: str) -> str:
    """The address of one thing's page on the site, with {id} where the thing's id belongs."""
    place, found, rest = value.partition("{id}")
    web_address(f"{place}0{rest}")
    if not found or "{" in place + rest or "}" in place + rest or "/" not in place.partition("://")[2]:
        raise ValueError("must have {id} once, behind the host, such as https://clinic.example/appointments/{id}")
    return value


def phone(value: str) -> str:
    if not PHONE.fullmatch(value) or not 5 <= sum(map(str.isdigit, value)) <= 15:
        raise ValueError("must be a telephone number such as +7 495 123-45-67")
    return value


def postgres_url(value: str) -> str:
    try:
        understood = value.startswith(("postgres://", "postgresql://")) and bool(address.parts(value))
    except ValueError:
        understood = False
    if not understood:
        raise ValueError(
            "must look like postgresql://user:password@host:5432/database; write @ : / ? # % of the password as %40 … "
            "(percent-encoded), and leave out parameters that are not libpq's, such as ?pgbouncer=true"
        )
    return value


def amqp_urls(value: str) -> tuple[str, ...]:
    urls = tuple(url.strip() for url in value.split(","))
    try:
        parts = [urlsplit(url) for url in urls]
        understood = all(
            each.scheme in {"amqp", "amqps"} and each.hostname and each.port != 0 and "@" not in (each.password or "")
            for each in parts
        )
    except ValueError:
        understood = False
    if not understood:
        raise ValueError(
            "must look like amqp://user:password@host:5672, or amqps:// where the connection is encrypted, a cluster's "
            "nodes with commas between; write @ : / ? # % , of the password as %40 … (percent-encoded)"
        )
    return urls


def host_name(value: str) -> str:
    if re.search(r"[@/\s]", value):
        raise ValueError("must be a host's name or address; SMTP_USERNAME, SMTP_PASSWORD, SMTP_PORT say the rest")
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


def message_keys(value: str) -> tuple[str, ...]:
    """Keys of 32 bytes, each in base64 of either alphabet."""
    keys = tuple(dict.fromkeys(key.strip() for key in value.split(",")))
    try:
        understood = {len(key_bytes(key)) for key in keys} == {MESSAGE_KEY_BYTES}
    except ValueError:
        understood = False
    if not understood:
        raise ValueError("must be keys of 32 bytes in base64, with commas between: `openssl rand -base64 32` makes one")
    return keys


@lru_cache(16)
def key_bytes(key: str) -> bytes:
    """A key as the cipher takes it; asked for at each use of it."""
    return b64decode(key.translate(URLSAFE), validate=True)


def storage_url(value: str) -> str:
    import fsspec

    scheme, found, _ = value.partition("://")
    if not found:
        raise ValueError("must be an address such as s3://bucket/reports or file:///srv/reports")
    if scheme not in (known := fsspec.available_protocols()):
        raise ValueError(f"starts with {scheme}://, which is not among {', '.join(sorted(known))}")
    return value.rstrip("/")


def host_names(value: str) -> tuple[str, ...]:
    hosts = tuple(host.strip().lower() for host in value.split(","))
    if not all(re.fullmatch(r"(?:[a-z0-9-]+\.)+[a-z0-9-]+", host) for host in hosts):
        raise ValueError(
            "must be host names such as meet.example.com, with commas between them; "
            "write видео.рф as xn--b1aedk6a.xn--p1ai"
        )
    return hosts


@dataclass(frozen=True)
class PageUser:
    """Who may see the pages; an operator may act, too."""

    name: str
    role: str
    password_hash: str = field(repr=False)

    @property
    def is_operator(self) -> bool:
        return self.role == ROLES[0]


def page_users(value: str) -> tuple[PageUser, ...]:
    found = [USER.fullmatch(line) for line in value.split()]
    if not all(found):
        raise ValueError("must be lines that `balansity user NAME` prints, with spaces between")
    users = tuple(PageUser(*line.groups()) for line in found if line)
    if len({user.name for user in users}) < len(users):
        raise ValueError("must name each user once")
    return users


def good_password(value: str) -> str:
    """A password that nobody guesses in the tries that the login allows.

    Raises:
        ValueError: it is too short, or all of the same letters.
    """
    if len(value) < SHORTEST_PASSWORD or len(set(value)) < FEWEST_DIFFERENT:
        raise ValueError(
            f"must have {SHORTEST_PASSWORD} characters or more, {FEWEST_DIFFERENT} different ones among them: "
            "take what `openssl rand -base64 18` prints"
        )
    return value


AmqpUrls = Annotated[tuple[str, ...], PlainValidator(amqp_urls)]
Ascii = Annotated[str, AfterValidator(ascii_text)]
Days = Annotated[int, Field(ge=1, le=36_500)]
LedgerDays = Annotated[int, Field(ge=90, le=36_500)]  # balansity.kept_in_any_case has the least
MessageKeys = Annotated[tuple[str, ...], PlainValidator(message_keys)]
Port = Annotated[int, Field(ge=1, le=65_535)]
HostNames = Annotated[tuple[str, ...], PlainValidator(host_names)]
Hours = Annotated[Night | None, PlainValidator(night)]
PageUsers = Annotated[tuple[PageUser, ...], PlainValidator(page_users)]
HostName = Annotated[str, AfterValidator(host_name)]
HookAddress = Annotated[str, AfterValidator(hook_address)]
Template = Annotated[HookTemplate, PlainValidator(hook_template)]
Mailboxes = Annotated[tuple[Address, ...], PlainValidator(mailboxes)]
SmtpUrl = Annotated[str, AfterValidator(smtp_url)]
Mailbox = Annotated[Address, PlainValidator(mailbox)]
Phone = Annotated[str, AfterValidator(phone)]
PostgresUrl = Annotated[str, AfterValidator(postgres_url)]
Selector = Annotated[str, AfterValidator(selector)]
SecureAddress = Annotated[str, AfterValidator(secure_address)]
SitePattern = Annotated[str, AfterValidator(site_pattern)]
TimeZone = Annotated[ZoneInfo, PlainValidator(zone_named)]
StorageUrl = Annotated[str, AfterValidator(storage_url)]
WebAddress = Annotated[str, AfterValidator(web_address)]
WebhookKey = Annotated[str, AfterValidator(webhook_key)]
