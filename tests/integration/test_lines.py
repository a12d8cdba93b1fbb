"""Messages of one key run one at a time, in their order; whatever ends one lets the next one go on."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import dramatiq
import pytest

from db import overview, queries
from db.connection import Connection
from desk.messages import Filter, find
from messaging.broker import PostgresBroker
from tests.integration.broker_cases import run
from tests.integration.line_cases import QUEUE, Hands

OPEN = "CREATE TEMPORARY TABLE opened (message_id uuid PRIMARY KEY, message jsonb)"
ALL_OF_IT = """
    CREATE FUNCTION pg_temp.speaks_of(text, jsonb, jsonb) RETURNS boolean LANGUAGE sql AS 'SELECT true'
"""


@pytest.fixture
def hands(broker: PostgresBroker, connection: Connection) -> Hands:
    """A worker of a queue with an actor that bakes a loaf of a key at a time, and one that bakes two."""
    dramatiq.actor(broker=broker, actor_name="bake", queue_name=QUEUE, pgmq_queue="loaves")(lambda loaf: loaf)
    dramatiq.actor(broker=broker, actor_name="bake_two", queue_name=QUEUE, key_limit=2)(lambda loaf: loaf)
    broker.publish_actors(connection, retire=True)
    return Hands(connection)


def test_one_of_a_key_runs_at_a_time_and_they_keep_their_order(hands: Hands) -> None:
    hands.send("1", "2", "3")
    hands.send("a", key="wheat")
    hands.send("plain", key=None)
    assert hands.claim() == ["1", "a", "plain"]
    assert hands.claim(done=["a", "plain"]) == []
    assert hands.claim(done=["1"]) == ["2"]
    assert hands.claim(done=["2"]) == ["3"]
    assert hands.claim(done=["3"]) == []
    assert run(hands.connection, "SELECT count(*) FROM dramatiq.changed_line") == [(0,)]


def test_as_many_run_at_once_as_the_actor_allows(hands: Hands) -> None:
    hands.send("1", "2", "3", "4", actor="bake_two")
    assert hands.claim() == ["1", "2"]
    assert hands.claim(done=["2"]) == ["3"]
    assert hands.claim(done=["1", "3"]) == ["4"]


def test_the_more_urgent_goes_first_among_those_that_wait(hands: Hands) -> None:
    hands.send("1", "2")
    assert hands.claim() == ["1"]
    hands.send("urgent", priority=5)
    assert hands.claim(done=["1"]) == ["urgent"]
    assert hands.claim(done=["urgent"]) == ["2"]


def test_what_is_due_later_holds_up_nothing_and_comes_at_its_time(hands: Hands) -> None:
    hands.send("tomorrow", delay=timedelta(days=1))
    hands.send("now")
    assert hands.claim() == ["now"]
    run(hands.connection, "UPDATE dramatiq.queue SET available_at = now() WHERE delayed")
    assert hands.claim() == []
    assert hands.claim(done=["now"]) == ["tomorrow"]


def _ack(hands: Hands) -> None:
    hands.claim(limit=0, done=["1"])


def _finish(hands: Hands) -> None:
    assert queries.broker.finish(hands.connection, **hands.fence("1"))


def _reject(hands: Hands) -> None:
    assert queries.broker.reject(hands.connection, **hands.fence("1"), options=None, error="burnt")


def _outlive_its_workers(hands: Hands) -> None:
    assert queries.broker.rescue_lost(hands.connection, **hands.fences("1"), most_rescues=0) == 1


def _cancel(hands: Hands) -> None:
    assert queries.broker.requeue(hands.connection, **hands.fences("1")) == 1
    assert run(hands.connection, "SELECT cancelled FROM dramatiq.cancel(%s::uuid[], 'me', 'why')", [hands.ids["1"]])


def _cancel_while_it_runs(hands: Hands) -> None:
    assert run(hands.connection, "SELECT asked FROM dramatiq.cancel(%s::uuid[], 'me', 'why')", [hands.ids["1"]])
    assert queries.broker.requeue(hands.connection, **hands.fences("1")) == 1


def _work_on_it_along_with_another(hands: Hands) -> None:
    queries.broker.requeue(hands.connection, **hands.fences("1"))
    run(hands.connection, "SELECT dramatiq.finish_along('loaves', %s::uuid[], '{}', false)", [hands.ids["1"]])


def _forget(hands: Hands) -> None:
    queries.broker.requeue(hands.connection, **hands.fences("1"))
    run(hands.connection, OPEN)
    run(hands.connection, ALL_OF_IT)
    [row] = run(
        hands.connection,
        "SELECT * FROM dramatiq.forget(%s::uuid[], 'pg_temp.opened', 'pg_temp.speaks_of'::regproc, '{}', '{}')",
        [hands.ids["1"]],
    )
    assert row[0] == 1


def _flush(hands: Hands) -> None:
    queries.broker.requeue(hands.connection, **hands.fences("1"))
    assert queries.broker.flush(hands.connection, keys=[hands.ids["1"]]) == 1


def _hand_back(hands: Hands) -> None:
    queries.broker.requeue(hands.connection, **hands.fences("1"))
    run(hands.connection, OPEN)
    run(hands.connection, "INSERT INTO opened SELECT message_id, message FROM dramatiq.queue")
    assert run(hands.connection, "SELECT dramatiq.hand_back(%s::uuid[], 'opened')", [hands.ids["1"]]) == [(1,)]


@pytest.mark.parametrize(
    "end",
    [
        *(_ack, _finish, _reject, _outlive_its_workers, _cancel, _cancel_while_it_runs),
        *(_work_on_it_along_with_another, _forget, _flush, _hand_back),
    ],
)
def test_whatever_ends_a_message_lets_the_next_one_go_on(hands: Hands, end: Callable[[Hands], None]) -> None:
    hands.send("1", "2", "3")
    assert hands.claim() == ["1"]
    end(hands)
    assert hands.claim() == ["2"]
    assert hands.claim() == []
    assert hands.claim(done=["2"]) == ["3"]


def test_what_is_given_up_for_want_of_a_worker_takes_its_line_along_and_no_other(hands: Hands) -> None:
    hands.send("1", "2")
    hands.send("a", "b", key="wheat")
    assert hands.claim() == ["1", "a"]
    set_aside(hands)
    assert run(hands.connection, "SELECT dramatiq.give_up_waiting('bake', 10)") == [(2,)]
    assert hands.claim(done=["a"]) == ["b"]
    hands.send("3")
    assert hands.claim() == ["3"]


def retry(hands: Hands) -> None:
    fence = hands.fence("1")
    assert queries.broker.retry(hands.connection, **fence, options=None, delay=3_600_000, error="not yet")


def requeue(hands: Hands) -> None:
    assert queries.broker.requeue(hands.connection, **hands.fences("1")) == 1


def be_rescued(hands: Hands) -> None:
    assert queries.broker.rescue_lost(hands.connection, **hands.fences("1"), most_rescues=10) == 1


def set_aside(hands: Hands) -> None:
    aside = {"actors": ["bake"], "signatures": [None], "known": ["bake"]}
    assert queries.broker.set_aside(hands.connection, queue=QUEUE, **hands.fences("1"), **aside)
    run(hands.connection, "UPDATE dramatiq.worker SET abilities = '{}'")


@pytest.mark.parametrize("step_back", [retry, requeue, be_rescued, set_aside])
def test_what_is_to_run_again_keeps_its_place(hands: Hands, step_back: Callable[[Hands], None]) -> None:
    hands.send("1", "2")
    assert hands.claim() == ["1"]
    step_back(hands)
    assert "2" not in hands.claim()
    run(hands.connection, "UPDATE dramatiq.worker SET abilities = '{bake}'")
    run(hands.connection, "UPDATE dramatiq.queue SET available_at = now() WHERE delayed")
    assert "1" in (hands.held or hands.claim())
    assert hands.claim(done=["1"]) == ["2"]


@pytest.mark.parametrize("end", [_reject, _cancel])
def test_what_is_sent_back_to_work_stands_behind_those_that_wait(hands: Hands, end: Callable[[Hands], None]) -> None:
    hands.send("1", "2", "3")
    assert hands.claim() == ["1"]
    end(hands)
    assert hands.claim() == ["2"]
    assert queries.messages.redrive(hands.connection, ids=[hands.ids["1"]]) == 1
    assert hands.claim(done=["2"]) == ["3"]
    assert hands.claim(done=["3"]) == ["1"]


def test_what_is_sent_anew_under_its_id_gives_its_turn_up(hands: Hands) -> None:
    hands.send("1", "2")
    assert hands.claim() == ["1"]
    assert run(hands.connection, "SELECT dramatiq.send_again(%s)", hands.ids["1"]) == [(True,)]
    assert hands.claim() == ["2"]
    assert hands.claim(done=["2"]) == ["1"]


def test_a_paused_queue_calls_nobody_up(hands: Hands) -> None:
    hands.send("1", "2")
    assert hands.claim() == ["1"]
    run(hands.connection, "SELECT dramatiq.pause_queue(%s, NULL, 'me', 'why')", QUEUE)
    assert hands.claim(done=["1"]) == []
    run(hands.connection, "SELECT dramatiq.resume_queue(%s)", QUEUE)
    assert hands.claim() == ["2"]


def test_five_thousand_of_one_cause_delay_another_by_one_batch(hands: Hands) -> None:
    run(
        hands.connection,
        "SELECT dramatiq.send('bake', jsonb_build_object('loaf', n), key => 'rye') FROM generate_series(1, 5000) AS n",
    )
    hands.ids |= {
        loaf: message_id
        for message_id, loaf in run(
            hands.connection, "SELECT message_id::text, message #>> '{kwargs,loaf}' FROM dramatiq.queue"
        )
    }
    hands.send("other", key="wheat")
    assert hands.claim(limit=1) == ["1"]
    assert hands.claim(limit=1, done=["1"]) == ["other"]
    assert hands.claim(limit=1, done=["other"]) == ["2"]


def test_a_row_that_somebody_deletes_by_hand_leaves_a_line_that_a_check_names(hands: Hands) -> None:
    def stuck() -> Any:
        return run(hands.connection, "SELECT queue_name, line FROM dramatiq.stuck_lines('0')")

    hands.send("1", "2")
    hands.send("a", "b", key="wheat")
    assert stuck() == []
    assert hands.claim() == ["1", "a"]
    run(hands.connection, "DELETE FROM dramatiq.queue WHERE message_id = %s", hands.held.pop("1").id)
    assert hands.claim() == []
    [(queue, line)] = stuck()
    assert queue == QUEUE
    run(hands.connection, "SELECT dramatiq.note_change(%s, true)", [line])
    assert stuck() == []
    assert hands.claim() == ["2"]


def test_people_see_what_waits_for_its_turn(hands: Hands) -> None:
    hands.send("1", "2", "3")
    hands.send("tomorrow", delay=timedelta(days=1))
    assert hands.claim() == ["1"]
    [figures] = [row for row in overview.queues(hands.connection) if row["queue"] == QUEUE]
    assert (figures["waiting"], figures["delayed"], figures["set_aside"], figures["running"]) == (2, 1, 0, 1)
    shown = find(hands.connection, Filter(queue=QUEUE), rows=10)
    assert {row["id"]: row["state"] for row in shown} == {
        hands.ids["1"]: "running",
        hands.ids["2"]: "in line",
        hands.ids["3"]: "in line",
        hands.ids["tomorrow"]: "delayed",
    }
    assert {row["id"] for row in find(hands.connection, Filter(state="in line"), rows=10)} == {
        hands.ids["2"],
        hands.ids["3"],
    }
    run(hands.connection, "SELECT dramatiq.keep_minutes('1 day')")
