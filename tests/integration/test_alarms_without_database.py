"""A database that is away, or has not our tables, is told of from memory."""

from collections.abc import Callable

import pytest

import settings
from alarms import lookout
from alarms.lookout import Lookout
from db.connection import Connection
from db.database import pool
from tests.integration.alarm_cases import hook, mailbox
from tests.integration.broker_cases import run
from tests.integration.test_checks import alive
from tests.servers.hook import Hook

__all__ = ["alive", "hook", "mailbox"]

NOWHERE = "postgresql://someone:hunter2@127.0.0.1:9/clinic"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Lookout]:
    monkeypatch.setattr(lookout, "AWAY_SECONDS", 0)
    return Lookout


def test_a_database_that_is_away_is_told_from_memory_once_and_when_it_is_back(
    alive: Connection, hook: Hook, environment: pytest.MonkeyPatch, database: str, hasty: Callable[[], Lookout]
) -> None:
    watch = hasty()
    environment.setenv("DATABASE_URL", NOWHERE)
    settings.current.cache_clear()
    pool.closeall()
    for _ in range(3):
        watch.look()
    [told] = hook.texts
    assert "✗ The database does not answer since" in told
    assert "hunter2" not in told
    environment.setenv("DATABASE_URL", database)
    settings.current.cache_clear()
    for _ in range(3):
        watch.look()
    assert len(hook.texts) == 2
    assert "it is over\n\n✓ The database does not answer since" in hook.texts[1]


def test_a_short_absence_of_the_database_is_not_told(
    alive: Connection, hook: Hook, environment: pytest.MonkeyPatch, database: str
) -> None:
    watch = Lookout()
    environment.setenv("DATABASE_URL", NOWHERE)
    settings.current.cache_clear()
    watch.look()
    environment.setenv("DATABASE_URL", database)
    settings.current.cache_clear()
    watch.look()
    assert hook.texts == []
    assert watch.outage.since is None


def test_what_cannot_be_checked_for_want_of_tables_is_told_until_a_turn_succeeds(
    alive: Connection, hook: Hook, hasty: Callable[[], Lookout]
) -> None:
    watch = hasty()
    run(alive, "ALTER TABLE balansity.alarm_turn RENAME TO moved_away")
    for _ in range(2):
        watch.look()
    assert len(hook.texts) == 1
    assert "✗ Nothing can be checked since" in hook.texts[0]
    run(alive, "ALTER TABLE balansity.moved_away RENAME TO alarm_turn")
    watch.look()
    assert len(hook.texts) == 2
