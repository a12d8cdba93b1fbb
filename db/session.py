"""What a session of ours begins with, whatever a database, a role or an environment sets for others."""

from typing import Any

from psycopg2.extensions import make_dsn, parse_dsn

CONNECT_SECONDS = 10
STATEMENT_SECONDS = 30
IDLE_SECONDS = 60  # in a transaction: longer than any of ours, shorter than a forgotten one's harm

KEEPALIVE = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 10_000,  # milliseconds
}
START = {
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "lock_timeout": "0",  # a wait for a lock ends with its statement
    "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
    "idle_session_timeout": "0",
    "timezone": "UTC",
    "datestyle": "ISO,MDY",
    "intervalstyle": "postgres",  # the only one that psycopg2 reads
    "standard_conforming_strings": "on",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "search_path": "pg_catalog,pg_temp",  # an operator that somebody made in public is never the better match
    "default_transaction_isolation": r"read\ committed",
    "default_transaction_deferrable": "off",
    "row_security": "on",
    "check_function_bodies": "on",
    "jit": "off",  # compiling costs more than any query of ours
}
REPORTED = {"TimeZone": "UTC", "DateStyle": "ISO, MDY", "IntervalStyle": "postgres"}  # what PGTZ and the like overrule


def dsn(url: str, *, start_options: bool) -> str:
    """`url` with what we depend on, and with our timeouts and keep-alives for everything it does not set itself."""
    given = parse_dsn(url)
    ours: dict[str, Any] = {"application_name": "balansity", "connect_timeout": CONNECT_SECONDS, **KEEPALIVE}
    if "," in given.get("host", ""):
        ours["target_session_attrs"] = "read-write"  # of several servers, the one that is the primary now
    options = " ".join(f"-c {name}={value}" for name, value in START.items()) if start_options else ""
    begin = {"options": f"{options} {given.get('options', '')}".strip(), "client_encoding": "UTF8"}
    return str(make_dsn(**{**ours, **given, **begin}))
