"""The address of a database: what libpq reads in it, and what of it may be told."""

import psycopg2
from psycopg2.extensions import parse_dsn


def parts(url: str) -> dict[str, str]:
    """Everything that an address says, by libpq's names.

    Raises:
        ValueError: libpq cannot read it, or would take a part of the password for the host. Nothing of it is quoted.
    """
    read = _read(url)
    if "@" in read.get("host", ""):
        raise ValueError("has an @ in its password")
    return read


def shown(url: str) -> str:
    """Which database `url` names and as whom, for people and logs: nothing of it that could be a secret."""
    try:
        read = _read(url)
    except ValueError:
        return "an address that cannot be read"
    user, host, port = (read.get(name, "") for name in ("user", "host", "port"))
    socket = host.startswith("/")
    place = "" if socket else host.rpartition("@")[2]  # before it stands the rest of a password that has an @
    return (
        f"postgresql://{user and f'{user}@'}{place}{port and f':{port}'}/{read.get('dbname', '')}"
        f"{f'?host={host}' if socket else ''}"
    )


def _read(url: str) -> dict[str, str]:
    login, found, rest = url.partition("://")[2].partition("@")
    if found and (set("/?") & set(login) or "@" in rest.partition("/")[2]):
        raise ValueError("has a / or ? in its password, or an @ behind the host")
    try:
        return dict(parse_dsn(url))
    except psycopg2.Error:  # its message quotes what it could not read
        raise ValueError("cannot be read") from None
