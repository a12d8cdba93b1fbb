"""Who runs what: no worker sits on messages that an idle one could run, and no queue starves another."""

import os

from tests.faults.crew import Crew, Office
from tests.waiting import until

NAP_SECONDS = 5.0
OURS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'balansity'
"""


def test_two_workers_with_long_messages_finish_within_one_message_of_each_other(office: Office, crew: Crew) -> None:
    first, second = crew.hire(), crew.hire()
    office.send_many("nap", [(f"nap-{number}", NAP_SECONDS) for number in range(32)])
    until(lambda: office.states() == {"done": 32}, "all are done")
    ends = [max(at for _, pid, at in office.effects() if pid in worker.rows().values()) for worker in (first, second)]
    counts = [sum(deed.startswith("nap-") for deed in worker.did()) for worker in (first, second)]
    print(f"finished {abs(ends[0] - ends[1]):.1f} s apart, {counts[0]} and {counts[1]} messages")
    assert abs(ends[0] - ends[1]) < NAP_SECONDS


def test_long_messages_claimed_in_a_burst_of_short_ones_go_to_a_worker_that_is_idle(office: Office, crew: Crew) -> None:
    greedy = crew.hire()
    office.send_many("count", [(number,) for number in range(5_000)])
    office.send_many("nap", [(f"nap-{number}", NAP_SECONDS) for number in range(64)])
    until(lambda: office.deeds()["began:nap-0"] == 1, "the first long one runs")
    hoard = office.states()["consumed"]
    helper = crew.hire()
    until(lambda: sum(deed.startswith("began") for deed in helper.did()) == 8, "the helper is busy", NAP_SECONDS)
    until(lambda: office.states()["consumed"] == 16, "both hold what they run and no more")
    print(f"the greedy one held {hoard} when the first long message began")
    assert sum(deed.startswith("began") for deed in greedy.did()) <= 16


def test_a_message_of_another_queue_goes_to_an_idle_worker_while_the_first_is_busy(office: Office, crew: Crew) -> None:
    crew.hire(threads=1)
    office.send("finish_after_gate", "long")
    until(lambda: office.deeds()["began:long"] == 1, "the only thread is busy")
    office.send("nap_elsewhere", "short", 0.0, queue="slow")
    until(lambda: office.states() == {"consumed": 2}, "the busy worker holds the other queue's message")
    helper = crew.hire(threads=1)
    took = until(lambda: "short" in helper.did(), "the idle one runs it")
    print(f"it waited {took:.1f} s in the hands of the busy one")
    os.close(office.open_gate())


def test_a_message_goes_to_an_idle_worker_at_once_and_not_by_way_of_a_busy_one(office: Office, crew: Crew) -> None:
    crew.hire(threads=2)
    office.send_many("finish_after_gate", [("one",), ("two",)])
    until(lambda: office.deeds().keys() == {"began:one", "began:two"}, "the first is busy with all its threads")
    crew.hire()
    for number in range(30):
        office.send("nap_elsewhere", str(number), 0.0, queue="slow")
        until(lambda: office.deeds()[str(number)] == 1, "it runs")  # noqa: B023 - looked at in this turn only
    [(detours,)] = office.query("SELECT count(*) FROM dramatiq.queue WHERE queue_name = 'slow' AND attempt > 1")
    print(f"{detours} of 30 messages were in the hands of the busy one")
    assert detours <= 3
    os.close(office.open_gate())


def test_a_queue_with_a_backlog_leaves_another_queue_its_half(office: Office, crew: Crew) -> None:
    office.send_many("nap", [(f"long-backlog-{number}", 0.005) for number in range(20_000)])
    crew.hire()
    until(lambda: office.states().get("done", 0) > 500, "the backlog keeps the worker busy")
    office.send_many("nap_elsewhere", [(f"other-{number}", 0.005) for number in range(1_000)], queue="slow")
    seen = len(office.effects())
    until(lambda: office.deeds()["other-999"] == 1, "the other queue is through")
    new = [deed for deed, _, _ in office.effects()[seen:] if not deed.startswith("began")]
    others = sum(deed.startswith("other") for deed in new)
    print(f"of {len(new)} messages, {others} were of the queue that came second")
    assert others / len(new) > 0.35


def test_a_worker_of_many_queues_opens_three_connections_and_one_a_thread(office: Office, crew: Crew) -> None:
    queues, threads, each = 20, 2, 100
    for number in range(queues):
        office.send_many(f"count_{number}", [(call,) for call in range(each)], queue=f"extra_{number}")
    office.broker.close()
    crew.hire(threads=threads, EXTRA_QUEUES=str(queues))
    counts = [0]

    def is_done() -> bool:
        [(connections,)] = office.query(OURS)
        counts.append(connections)
        return office.states() == {"done": queues * each}

    until(is_done, "all queues are drained")
    print(f"{max(counts)} connections for {queues} queues and {threads} threads")
    assert max(counts) <= 3 + threads
