"""What tests of alarms share: a webhook and a mailbox that are told, and turns that are taken when the test says."""

from collections.abc import Iterator
from email import message_from_bytes, policy

import pytest

import settings
from alarms import turn
from db.connection import Connection
from tests.integration.broker_cases import run
from tests.integration.test_checks import waits
from tests.servers import hook as hooks
from tests.servers import smtp
from tests.servers.hook import Hook
from tests.servers.smtp import Mailbox


@pytest.fixture
def hook(environment: pytest.MonkeyPatch) -> Iterator[Hook]:
    with hooks.running() as hook:
        environment.setenv("ALARM_WEBHOOK_URL", hook.url)
        environment.setenv("ALARM_LANGUAGE", "en")
        settings.current.cache_clear()
        yield hook


@pytest.fixture
def mailbox(environment: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    with smtp.running() as mailbox:
        environment.setenv("ALARM_SMTP_URL", f"smtp://127.0.0.1:{mailbox.port}")
        environment.setenv("ALARM_EMAIL_TO", "head@clinic.example, doctor@clinic.example")
        environment.setenv("ALARM_LANGUAGE", "en")
        settings.current.cache_clear()
        yield mailbox


def look(conn: Connection, minutes: float = 0) -> bool:
    """Take a turn, so many minutes after the last."""
    for table, columns in {"alarm": ("began_at", "gone_at"), "alarm_way": ("next_at",)}.items():
        for column in columns:
            run(conn, f"UPDATE balansity.{table} SET {column} = {column} - %s * interval '1 minute'", minutes)
    run(conn, "UPDATE balansity.alarm_turn SET next_at = '-infinity'")
    return turn.take(conn)


def late(conn: Connection) -> None:
    waits(conn, "emails", 5)


def mended(conn: Connection) -> None:
    run(conn, "UPDATE dramatiq.queue SET state = 'done' WHERE state = 'queued'")


def mails(mailbox: Mailbox) -> list[str]:
    contents = [each.content for each in mailbox.accepted]
    return [
        message_from_bytes(each, policy=policy.default).get_content().replace("\r\n", "\n")
        for each in contents
        if isinstance(each, bytes)
    ]
