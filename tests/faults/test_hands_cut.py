"""A change of hands whose connection ends before each of its statements: the old state or the new, and again does it.

An answer that is lost leaves the server where the end before the next statement leaves it.
"""

from collections.abc import Callable

import psycopg2
import pytest

from broker import broker
from db.comparison import differences, is_noted
from db.migrate import migrate
from db.takeover import hand_back, take_over
from errors import BalansityError
from tests.clinic import Clinic
from tests.live.database import LiveDatabase
from tests.servers import deaf_relay

WORK = """
    SELECT (SELECT count(*) FROM pgmq.q_email_queue)
        + (SELECT count(*) FROM dramatiq.queue WHERE queue_name = 'emails' AND state = 'queued')
"""
SITES = """
    SELECT p.oid::regprocedure::text, md5(pg_get_functiondef(p.oid)), pg_get_userbyid(p.proowner)
    FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace ORDER BY 1
"""
BRIDGE = "SELECT * FROM dramatiq.bridge(NULL, 'emails', 'email_queue', 'send_email', 1000, 0)"
NEVER = 0
Change = Callable[[str], object]


def give_back(url: str) -> object:
    return hand_back(url, broker.vault.lay_out)


def cut(url: str, change: Change, at: int) -> int:
    """Do it over a connection that ends before so many statements; returns how many it began."""
    with deaf_relay.running(url) as relay:
        relay.hang_up_at = at
        try:
            change(relay.url)
        except (psycopg2.Error, BalansityError):
            assert relay.statements >= at > NEVER
        return relay.statements


def found(owner: Clinic) -> list[tuple[object, ...]]:
    """What is there; it is whole, and noted as what should be."""
    assert is_noted(owner.connection)
    assert differences(owner.connection) == []
    kept = owner.value("SELECT count(*) > 0 FROM balansity.replaced")
    assert owner.value("SELECT balansity.in_charge()") is kept
    return owner.rows(SITES)


@pytest.mark.heavy  # its sister, interrupted once, is in tests/integration/test_take_over.py
@pytest.mark.timeout(300)
@pytest.mark.parametrize("change", [take_over, give_back])
def test_a_change_of_hands_that_is_cut_anywhere_is_done_or_not_and_again_does_it(
    live_database: LiveDatabase, change: Change
) -> None:
    url = live_database.url
    migrate(url)
    with live_database.owner() as owner:
        work = owner.value(WORK)
        old = found(owner)
        take_over(url)
        new = found(owner)
        owner.rows(BRIDGE)
        back = give_back if change is take_over else take_over
        if change is take_over:
            give_back(url)
        last = cut(url, change, NEVER)
        back(url)
        assert last > 10
        for statement in range(1, last + 1):
            cut(url, change, statement)
            assert found(owner) in (old, new)
            assert owner.value(WORK) == work
            change(url)
            assert found(owner) == (new if change is take_over else old)
            back(url)
            if change is give_back:
                owner.rows(BRIDGE)
