"""Migrate, take-over and undo take turns: none mends, notes or replaces what another has half done."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg2
import pytest

from broker import broker
from db.comparison import differences, note_intended
from db.migrate import migrate
from db.takeover import hand_back, take_over
from db.turn import LOCK
from tests.clinic import Clinic
from tests.live.database import LiveDatabase
from tests.waiting import until

NEWER = "CREATE OR REPLACE FUNCTION balansity.is_newer() RETURNS text LANGUAGE sql AS $$ SELECT 'newer' $$"
OLDER = NEWER.replace("'newer'", "'older'")


@pytest.mark.parametrize("change", [take_over, lambda url: hand_back(url, broker.vault.lay_out), migrate])
def test_a_change_of_hands_waits_for_a_migrate_and_leaves_what_it_has_replaced(
    live_database: LiveDatabase, caplog: pytest.LogCaptureFixture, change: Callable[[str], object]
) -> None:
    """A release's migrate has replaced a function and not yet noted it: this is no damage to be mended."""
    live_database.take_over()
    with live_database.owner() as owner, psycopg2.connect(live_database.url) as turn, ThreadPoolExecutor(1) as thread:
        owner.rows(OLDER)
        note_intended(owner.connection)
        Clinic(turn).rows("SELECT pg_advisory_xact_lock(%s)", LOCK)
        owner.rows(NEWER)
        with caplog.at_level("INFO"):
            done = thread.submit(change, live_database.url)
            until(lambda: done.done() or "migration_waits" in caplog.text, "it says that it waits")
        assert not done.done()
        note_intended(owner.connection)
        turn.commit()
        done.result()
        assert owner.value("SELECT balansity.is_newer()") == "newer"
        assert differences(owner.connection) == []
    turn.close()


def test_two_take_overs_and_an_undo_at_once_end_as_one_after_another(live_database: LiveDatabase) -> None:
    migrate(live_database.url)
    with live_database.owner() as owner, ThreadPoolExecutor(3) as threads:
        steps = [each.result() for each in [threads.submit(take_over, live_database.url) for _ in range(3)]]
        assert sorted(step > 0 for step in steps) == [False, False, True]
        changes: list[Future[Any]] = [
            threads.submit(take_over, live_database.url),
            threads.submit(hand_back, live_database.url, broker.vault.lay_out),
            threads.submit(migrate, live_database.url),
        ]
        for change in changes:
            change.result()
        assert differences(owner.connection) == []
        kept = owner.value("SELECT count(*) > 0 FROM balansity.replaced")
        assert owner.value("SELECT balansity.in_charge()") is kept
