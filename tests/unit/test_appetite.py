"""How much a consumer claims, and when: the table of its decisions, which need neither a worker nor a database."""

from math import inf

import pytest

from messaging.appetite import (
    AHEAD_SECONDS,
    DOZE_SECONDS,
    IDLE_SECONDS,
    LARGEST_BATCH,
    LINGER_SECONDS,
    STREAM_SECONDS,
    WHOLE_LOOK_SECONDS,
    WHOLE_LOOK_SHARE,
    Appetite,
    Exchange,
    Holding,
    Load,
)

NOW = 1000.0
LATER, EARLIER = NOW + 0.5, NOW - 0.5
FAST = 1000 / AHEAD_SECONDS  # messages a second of which a thousand start ahead
EMPTY, IDLE = Holding(), Load()


def exchange(finished: int = 0, limit: int = 8, claimed: int = 0, began: float = NOW) -> Exchange:
    return Exchange(began, finished, limit, [f"message {number}" for number in range(claimed)])


@pytest.mark.parametrize(
    ("why", "appetite", "queue", "load", "room"),
    [
        ("one message a thread", Appetite(8), EMPTY, IDLE, 8),
        ("less what any queue of the process holds", Appetite(8), EMPTY, Load(running=5), 3),
        ("nothing once every thread has one", Appetite(8, poll_at=LATER), Holding(8), Load(running=8), 0),
        ("never less than nothing", Appetite(8, poll_at=LATER), Holding(held=9), Load(running=20), 0),
        ("what will start soon, beside what runs", Appetite(8), EMPTY, Load(rate=2 / AHEAD_SECONDS), 10),
        ("a batch at most", Appetite(8), EMPTY, Load(rate=FAST), LARGEST_BATCH),
        ("its share, though others hold all there is room for", Appetite(8), EMPTY, Load(1200, FAST, rivals=4), 250),
        ("its share, less what it holds", Appetite(8), Holding(held=200), Load(1200, FAST, rivals=4), 50),
        ("finished claims are none that it holds", Appetite(8), Holding(200, 150), Load(1200, FAST, rivals=4), 200),
        ("one, by a poll, where others hold every thread", Appetite(8), EMPTY, Load(running=8, rivals=3), 1),
        ("none between polls: news are for the idle", Appetite(8, poll_at=LATER), EMPTY, Load(running=8, rivals=3), 0),
        ("no share while its work is long", Appetite(8, modest_until=LATER), EMPTY, Load(1200, FAST, rivals=4), 0),
        ("nothing for a process that ends", Appetite(8), EMPTY, Load(may_claim=False), 0),
    ],
)
def test_it_wants(why: str, appetite: Appetite, queue: Holding, load: Load, room: int) -> None:
    assert appetite.room(queue, load, NOW) == room, why


@pytest.mark.parametrize(
    ("why", "appetite", "queue", "load", "due"),
    [
        ("a poll is due", Appetite(8, poll_at=EARLIER), EMPTY, IDLE, True),
        ("nothing has happened", Appetite(8, poll_at=LATER), EMPTY, IDLE, False),
        ("the doorbell rang", Appetite(8, poll_at=LATER), Holding(rung=True), IDLE, True),
        ("it has dozed", Appetite(8, poll_at=LATER, doze_until=EARLIER), EMPTY, IDLE, True),
        ("it dozes still", Appetite(8, poll_at=LATER, doze_until=LATER), EMPTY, IDLE, False),
        (
            "it has dozed, and every thread is busy",
            Appetite(8, poll_at=LATER, doze_until=EARLIER),
            EMPTY,
            Load(8),
            False,
        ),
        ("it rang, and every thread is busy", Appetite(8, poll_at=LATER), Holding(8, rung=True), Load(8), False),
        ("it rang, and the process ends", Appetite(8), Holding(rung=True), Load(may_claim=False), False),
        ("claims go back, whatever else", Appetite(8, poll_at=LATER), Holding(1, returned=True), Load(8), True),
        ("the last one is done: no ack will join", Appetite(8, poll_at=LATER), Holding(1, 1), Load(8), True),
        ("others may still join", Appetite(8, poll_at=LATER, exchanged_at=NOW), Holding(8, 3), Load(8), False),
        (
            "it has lingered",
            Appetite(8, poll_at=LATER, exchanged_at=NOW - LINGER_SECONDS),
            Holding(8, 3),
            Load(8),
            True,
        ),
        (
            "with more to claim, acks wait for the next claim",
            Appetite(8, more=True, poll_at=LATER, exchanged_at=NOW - LINGER_SECONDS),
            *(Holding(8, 3), Load(8, rivals=1), False),
        ),
        (
            "half a batch of acks is enough",
            Appetite(8, poll_at=LATER, exchanged_at=NOW),
            *(Holding(LARGEST_BATCH, LARGEST_BATCH // 2), Load(LARGEST_BATCH), True),
        ),
        ("acks ride along when it rings", Appetite(8, exchanged_at=NOW), Holding(8, 1, rung=True), Load(8), True),
        (
            "more wait, and half its share is free",
            Appetite(8, more=True, poll_at=LATER),
            EMPTY,
            Load(4, rivals=1),
            True,
        ),
        ("more wait, and less is free", Appetite(8, more=True, poll_at=LATER), EMPTY, Load(5, rivals=1), False),
        ("a lost database is asked when it is time", Appetite(8, lost=True, poll_at=EARLIER), EMPTY, IDLE, True),
        (
            "and not before, whatever rings",
            Appetite(8, lost=True, poll_at=LATER),
            Holding(1, 1, rung=True),
            IDLE,
            False,
        ),
    ],
)
def test_it_exchanges_when(why: str, appetite: Appetite, queue: Holding, load: Load, *, due: bool) -> None:
    assert appetite.is_due(queue, load, NOW) is due, why


@pytest.mark.parametrize(
    ("why", "appetite", "queue", "until"),
    [
        ("the deadline", Appetite(8), EMPTY, NOW + 9),
        ("the next poll", Appetite(8, poll_at=LATER), EMPTY, LATER),
        ("the end of its doze", Appetite(8, poll_at=LATER, doze_until=NOW + DOZE_SECONDS), EMPTY, NOW + DOZE_SECONDS),
        ("the end of lingering", Appetite(8, exchanged_at=NOW), Holding(8, 3), NOW + LINGER_SECONDS),
        ("the next claim", Appetite(8, more=True, exchanged_at=NOW), Holding(8, 3), NOW + AHEAD_SECONDS / 2),
        ("the next try, with acks in hand", Appetite(8, lost=True, poll_at=LATER), Holding(8, 3), LATER),
        ("the moment when what has not started goes back", Appetite(8), Holding(8, unstarted=True), NOW + IDLE_SECONDS),
    ],
)
def test_it_waits_until(why: str, appetite: Appetite, queue: Holding, until: float) -> None:
    assert appetite.wake_at(queue, NOW, NOW + 9) == pytest.approx(until), why


def test_a_full_claim_goes_on_behind_its_last_message_until_the_next_whole_look() -> None:
    appetite = Appetite(8)
    appetite.exchanged(exchange(limit=8, claimed=8), NOW + 0.001, 0.7)
    assert appetite.more
    assert appetite.behind(NOW + 0.1) == "message 7"
    assert appetite.behind(NOW + WHOLE_LOOK_SECONDS) is None


def test_whole_looks_take_no_more_than_their_share_of_the_time() -> None:
    appetite = Appetite(8)
    appetite.exchanged(exchange(limit=8, claimed=8), NOW + 1, 0.7)
    assert appetite.whole_look_at == pytest.approx(NOW + 1 / WHOLE_LOOK_SHARE)


def test_too_few_behind_the_last_message_ask_for_a_whole_look_at_once() -> None:
    appetite = Appetite(8, last_claimed="message 7", whole_look_at=LATER)
    appetite.exchanged(exchange(limit=8, claimed=3), NOW, 0.7)
    assert appetite.more, "only the whole queue tells whether some wait"
    assert appetite.behind(NOW) is None


def test_too_few_of_the_whole_queue_mean_that_none_is_left() -> None:
    appetite = Appetite(8, more=True)
    appetite.exchanged(exchange(limit=8, claimed=3), NOW, 0.7)
    assert not appetite.more
    assert appetite.poll_at == pytest.approx(NOW + 0.7)


def test_it_sleeps_on_over_a_find_where_finds_are_rare() -> None:
    appetite = Appetite(8)
    appetite.exchanged(exchange(limit=8, claimed=1), NOW, 0.7)
    assert not appetite.idle, "it has not slept yet, and what it did not see may not have rung"
    appetite.exchanged(exchange(limit=7), NOW + DOZE_SECONDS, 0.7)
    assert appetite.idle
    appetite.exchanged(exchange(limit=8, claimed=1), NOW + 1, 0.7)
    assert (appetite.idle, appetite.doze_until) == (True, inf), "whoever sends rings"
    appetite.exchanged(exchange(limit=8, claimed=8), NOW + 2, 0.7)
    assert not appetite.idle, "there may be more, and there is no thread for it"


def test_in_a_stream_it_looks_again_by_itself_and_sleeps_once_it_finds_nothing() -> None:
    appetite = Appetite(8, idle=True, found_at=NOW - STREAM_SECONDS / 2)
    appetite.exchanged(exchange(limit=8, claimed=1), NOW, 0.7)
    assert (appetite.idle, appetite.doze_until) == (False, NOW + DOZE_SECONDS)
    appetite.exchanged(exchange(limit=7), NOW + DOZE_SECONDS / 2, 0.7)
    assert not appetite.idle, "more may come soon"
    appetite.exchanged(exchange(limit=0, finished=1), NOW + DOZE_SECONDS, 0.7)
    assert not appetite.idle, "acks are no look"
    appetite.exchanged(exchange(limit=8), NOW + DOZE_SECONDS, 0.7)
    assert appetite.idle


def test_it_does_not_sleep_before_it_has_looked_at_the_whole_queue() -> None:
    appetite = Appetite(8, last_claimed="message 7", whole_look_at=LATER)
    appetite.exchanged(exchange(limit=8), NOW, 0.7)
    assert not appetite.idle


def test_acks_alone_leave_its_place_in_the_queue() -> None:
    appetite = Appetite(8, last_claimed="message 7", whole_look_at=LATER)
    appetite.exchanged(exchange(limit=0, finished=5), NOW, 0.7)
    assert appetite.behind(NOW) == "message 7"


def test_the_rate_follows_what_finishes_and_forgets_what_was() -> None:
    appetite = Appetite(8, exchanged_at=NOW)
    for number in range(1, 21):
        appetite.exchanged(exchange(finished=10), NOW + number / 10, 0.7)
    assert appetite.rate == pytest.approx(100, rel=0.01)
    appetite.exchanged(exchange(), NOW + 10, 0.7)
    assert appetite.rate == 0


def test_work_that_turned_out_long_makes_it_modest_for_a_while() -> None:
    appetite, busy = Appetite(8, rate=FAST), Load(1200, FAST, rivals=4)
    appetite.overate(NOW, 0.7)
    assert appetite.rate == 0
    assert appetite.room(EMPTY, busy, NOW + 0.6) == 0
    assert appetite.room(EMPTY, busy, NOW + 0.7) > 0


def test_an_answer_ends_the_loss_of_the_database() -> None:
    appetite = Appetite(8)
    appetite.failed(NOW, 0.3)
    assert not appetite.is_due(Holding(1, 1), IDLE, NOW + 0.2)
    appetite.exchanged(exchange(), NOW + 0.3, 0.7)
    assert appetite.is_due(Holding(1, 1), IDLE, NOW + 0.4)
