"""A message's line is the same whichever way it is sent, and its key is kept nowhere."""

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any
from uuid import uuid4

import dramatiq
import pytest
from dramatiq.middleware import CurrentMessage

from db.connection import Connection
from db.database import pool, transaction
from errors import InvalidMessage, SettingsError
from messaging.broker import PostgresBroker
from messaging.testing import drain
from tests.integration.broker_cases import run, states
from tests.waiting import until

ADDRESS = "anna.line@example.com"
LINE = f"oven {sha256(b'7').hexdigest()}"
LINES = "SELECT message #>> '{kwargs,loaf}', line, waits_for FROM dramatiq.queue ORDER BY position"
GROUPED = """SELECT pgmq.send('loaves', %s::jsonb, %s::jsonb)"""


@pytest.fixture(params=[[], [bytes(32)]], ids=["plain", "sealed"])
def broker(environment: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[PostgresBroker]:
    broker = PostgresBroker(pool, keys=lambda: request.param)
    yield broker
    broker.close()


class Oven:
    """Bakes, and notes in which order, how many were held at once, and what came along with each loaf."""

    def __init__(self) -> None:
        self.baked: list[str] = []
        self.headers: dict[str, Any] = {}
        self.most = 0

    def bake(self, loaf: str) -> None:
        message = CurrentMessage.get_current_message()
        assert message
        with transaction() as conn:
            [(held,)] = run(conn, "SELECT count(*) FROM dramatiq.queue WHERE state = 'consumed'")
        self.most = max(self.most, held)
        self.headers[loaf] = message.options.get("headers")
        self.baked.append(loaf)


@pytest.fixture
def oven() -> Oven:
    return Oven()


@pytest.fixture
def bake(broker: PostgresBroker, oven: Oven) -> Any:
    def bake(order: Any = None, loaf: str = "") -> None:
        oven.bake(loaf)

    actor = dramatiq.actor(bake, broker=broker, queue_name="oven", pgmq_queue="loaves", key="order", readable=["loaf"])
    with transaction() as conn:
        broker.publish_actors(conn, retire=True)
    return actor


def test_each_way_to_send_leads_to_the_same_line(
    broker: PostgresBroker, bake: Any, connection: Connection, oven: Oven
) -> None:
    bake.send("7", "by place")
    bake.send(order=7, loaf="by name")
    bake.send_with_options(kwargs={"order": "other", "loaf": "by its own key"}, key="7")
    bake.send_with_options(kwargs={"order": "7", "loaf": "later"}, delay=60_000)
    with transaction() as conn, broker.transaction(conn):
        bake.send(order="7", loaf="in a transaction")
    broker.enqueue_many([bake.message(order="7", loaf=f"many {number}") for number in range(100)])
    run(connection, """SELECT dramatiq.send('bake', '{"order": "7", "loaf": "from SQL"}')""")
    run(connection, """SELECT dramatiq.send('bake', '{"order": 8, "loaf": "SQL, own key"}', key => '7')""")
    rows = run(connection, LINES)
    assert len(rows) == 107
    assert {(line, waits_for) for _, line, waits_for in rows} == {(LINE, "its turn")}

    run(connection, """SELECT pgmq.send('loaves', '{"order": "7", "loaf": "from pgmq"}')""")
    run(connection, GROUPED, '{"order": 1, "loaf": "grouped"}', '{"x-pgmq-group": "7"}')
    drain(broker, "oven", delayed=True)
    rows = run(connection, LINES)
    assert {line for _, line, _ in rows} == {LINE}
    assert len(oven.baked) == len(rows) == 109


@pytest.mark.parametrize("order", [None, True, 1.5, ["7"], {"7": 1}])
def test_what_is_no_key_makes_no_line(bake: Any, connection: Connection, order: Any) -> None:
    bake.send(order=order, loaf="Python")
    run(connection, "SELECT dramatiq.send('bake', %s)", json.dumps({"order": order, "loaf": "SQL"}))
    assert run(connection, LINES)[0][1:] == run(connection, LINES)[1][1:] == (None, None)


def test_an_argument_may_lie_deep(broker: PostgresBroker, connection: Connection) -> None:
    deep = dramatiq.actor(broker=broker, actor_name="deep", queue_name="oven", key="about.order")(lambda **_: None)
    broker.publish_actors(connection)
    deep.send(about={"order": "7"})
    deep.send(about="7")
    run(connection, """SELECT dramatiq.send('deep', '{"about": {"order": "7"}}')""")
    assert [line for _, line, _ in run(connection, LINES)] == [LINE, None, LINE]


def test_a_key_is_kept_nowhere_and_headers_come_along(
    broker: PostgresBroker, bake: Any, connection: Connection, oven: Oven
) -> None:
    bake.send_with_options(kwargs={"loaf": "one"}, key=ADDRESS)
    run(connection, "SELECT dramatiq.send('bake', '{\"loaf\": \"two\"}', key => %s)", ADDRESS)
    assert ADDRESS not in str(run(connection, "SELECT q::text FROM dramatiq.queue q"))
    headers = {"x-pgmq-group": ADDRESS, "traceparent": "00-7"}
    run(connection, GROUPED, '{"loaf": "three"}', json.dumps(headers))
    drain(broker, "oven")
    assert oven.baked == ["one", "two", "three"]
    assert oven.headers == {"one": None, "two": None, "three": headers}
    [(kept,)] = run(connection, "SELECT message::text FROM dramatiq.queue WHERE pgmq_msg_id IS NOT NULL")
    assert (ADDRESS in kept) is not bool(broker.seal)


def test_a_worker_runs_what_comes_through_pgmq_one_at_a_time_in_order(
    bake: Any, work: Callable[..., Any], connection: Connection, oven: Oven
) -> None:
    orders = [json.dumps({"order": "7", "loaf": str(number)}) for number in range(40)]
    run(connection, "SELECT pgmq.send_batch('loaves', %s::jsonb[])", orders)
    run(connection, GROUPED, '{"loaf": "grouped"}', '{"x-pgmq-group": "7"}')
    work(threads=4)
    until(lambda: states(connection) == {"done": 41})
    assert oven.baked == [*map(str, range(40)), "grouped"]
    assert oven.most == 1


def test_a_key_that_is_no_text_is_refused_with_its_reason(bake: Any) -> None:
    for key in (5, "\0", "\ud800"):
        with pytest.raises(InvalidMessage, match="its key must be text"):
            bake.send_with_options(key=key)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"key": "two words"}, "must name an argument"),
        ({"key": len}, "must name an argument"),
        ({"key_limit": 0}, "must be a whole number, 1 or more"),
    ],
)
def test_an_actors_options_are_looked_at_when_it_is_declared(
    broker: PostgresBroker, options: dict[str, Any], why: str
) -> None:
    with pytest.raises(SettingsError, match=why):
        dramatiq.actor(broker=broker, actor_name=str(uuid4()), **options)(lambda: None)
