"""What others could read of an installation: on the network, in the server's log, on the disk."""

import ipaddress
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import settings
from checks.finding import Finding
from db import queries
from db.connection import Connection

ENCRYPTED = (
    "https",
    "s3",
    "sftp",
    "ssh",
    "abfs",
    "abfss",
    "gs",
    "gcs",
)  # whose libraries encrypt unless told otherwise
OUTWARD = (
    *("sendgrid_api_url", "yookassa_api_url", "site_url", "report_storage_url", "report_storage_endpoint"),
    *("alarm_webhook_url", "heartbeat_url"),
)
LOCAL = ("file", "local", "memory", "")


def of_settings() -> Iterator[Finding]:
    """Addresses that carry secrets in the clear to another machine, and folders that others may enter."""
    current = settings.current()
    if current.smtp_host and current.smtp_tls == "off" and not is_here(current.smtp_host):
        what = "its password and every mail" if current.smtp_password else "every mail"
        yield Finding(
            "bad", f"SMTP_TLS=off: {what} can be read on the way to {current.smtp_host}.", "Set SMTP_TLS=starttls."
        )
    for name in OUTWARD:
        address = urlsplit(getattr(current, name))
        if address.scheme in (*ENCRYPTED, *LOCAL) or is_here(address.hostname or ""):
            continue
        yield Finding(
            "bad",
            f"{name.upper()} is an address of {address.scheme}://: what goes there can be read on the way.",
            "Use https://, or what the storage offers like it.",
        )
    storage = urlsplit(current.report_storage_url)
    private = {
        "EMAIL_OUTBOX_DIR": current.email_outbox_dir if current.email_provider == "file" else None,
        "REPORT_STORAGE_URL": Path(storage.path) if storage.scheme == "file" else None,
        "Settings": settings.env_file(),
    }
    for name, path in private.items():
        if path and path.exists() and path.stat().st_mode & 0o077 and not path.samefile(settings.ROOT):
            yield Finding("note", f"{name}: others on this machine may look into {path}.", f"chmod go= {path}")


def of_server(conn: Connection) -> Finding:
    """Settings under which the server's log quotes statements. Ours hold nobody's address, the site's may."""
    if quoting := queries.doctor.quoting_settings(conn):
        remedy = (
            "Ours hold nothing of a person's, the site's may. As a superuser, or in the platform's settings: "
            "log_min_error_statement = panic, log_min_duration_statement = -1, log_statement = none or ddl."
        )
        return Finding("note", f"The server's log quotes statements: {quoting}", remedy)
    return Finding("good", "The server's log quotes no statement.")


def of_connection(conn: Connection) -> Finding:
    """Whether what goes between this machine and the server can be read on the way."""
    host = conn.info.host or ""
    if conn.info.ssl_in_use or host.startswith("/") or is_here(host):
        return Finding("good", "The connection to PostgreSQL is encrypted, or stays on this machine.")
    remedy = "Add ?sslmode=verify-full to DATABASE_URL, unless the network between is yours alone."
    return Finding("note", "The connection to PostgreSQL is not encrypted.", remedy)


def is_here(host: str) -> bool:
    """Whether a host is this machine, by its name or address alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"
