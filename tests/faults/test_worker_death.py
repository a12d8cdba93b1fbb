"""Workers that die, freeze or are told to stop: what they held runs elsewhere, and they can spoil nothing."""

import os
import signal
from collections import Counter

from dramatiq import group

from messaging.pulse import SILENCE_SECONDS
from tests.faults.crew import Crew, Office
from tests.waiting import until

RESCUE_SECONDS = 20
HELD = """
    SELECT message_id::text, claimed_by, attempt FROM dramatiq.queue
    WHERE message_id = ANY (%s::uuid[]) AND state = 'consumed' ORDER BY position
"""
BUSY = 2_000


def test_messages_of_a_killed_worker_run_elsewhere_within_20_seconds_on_a_busy_queue(
    office: Office, crew: Crew
) -> None:
    victim = crew.hire(threads=4)
    names = {f"stranded-{number}" for number in range(4)}
    for name in names:
        office.send("finish_after_gate", name)
    until(lambda: office.deeds().keys() >= {f"began:{name}" for name in names}, "the victim runs them")
    survivor = crew.hire(threads=4, SILENCE_SECONDS=str(SILENCE_SECONDS))  # the real one, and real time
    office.send_many("nap", [(f"busy-{number}", 0.1) for number in range(BUSY)])
    victim.kill()
    gate = office.open_gate()
    took = until(lambda: office.deeds().keys() >= names, "they run elsewhere", RESCUE_SECONDS)
    os.close(gate)
    waiting = office.states()["queued"]
    print(f"rescued and run after {took:.1f} s, with {waiting} others still waiting")
    assert names <= set(survivor.did())


def test_a_crash_in_the_midst_of_short_messages_strands_few_of_them(office: Office, crew: Crew) -> None:
    office.send_many("count", [(number,) for number in range(50_000)])
    victim = crew.hire()
    until(lambda: office.states().get("done", 0) > 2_000, "it is in full swing")
    victim.kill()
    stranded = office.states()["consumed"]
    print(f"stranded by the crash: {stranded} of 50,000")
    assert stranded <= 1_500


def test_a_worker_frozen_past_its_heartbeat_cannot_ack_retry_or_nack_what_was_rescued(
    office: Office, crew: Crew
) -> None:
    actors = ("finish_after_gate", "retry_after_gate", "fail_after_gate")
    ids = [office.send(actor, actor, max_retries=1) for actor in actors]
    victim = crew.hire(threads=3)
    until(lambda: len(office.effects()) == 3, "the victim runs all three")
    victim.freeze()
    other_gate = office.build_gate("other")
    other = crew.hire(threads=3, GATE_FILE=str(other_gate))
    until(lambda: len(office.effects()) == 6, "the other runs all three again", RESCUE_SECONDS + 12)
    [worker] = other.rows()
    held = office.query(HELD, ids)
    assert held == [(each, worker, 2) for each in ids]

    # While the other is still at it, the frozen one wakes and wants to settle all three.
    victim.resume()
    gate = office.open_gate()
    until(lambda: {*actors} <= {*victim.did()}, "the victim ends its stale runs")
    until(lambda: office.logged().count("claim_was_taken_over") == 2, "its retry and its nack are refused")
    office.send("count", 1)
    until(lambda: office.states() == {"consumed": 3, "done": 1}, "a message acked after its stale ack is done")
    assert office.query(HELD, ids) == held
    until(lambda: "worker_was_given_up" in office.logged(), "the victim has learned of it")
    os.close(gate)

    victim.kill()
    gate = office.open_gate(other_gate)
    until(lambda: office.states() == {"done": 2, "rejected": 2}, "the other settles all three")
    os.close(gate)
    assert Counter(other.did()) & Counter(actors * 3) == Counter(actors) + Counter(["retry_after_gate"])


def test_a_run_that_was_given_up_sends_no_second_successor_and_no_second_callback(office: Office, crew: Crew) -> None:
    successor = office.message("count", 1, pipe_ignore=True)
    first = office.message("finish_after_gate", "first", pipe_target=successor.asdict())
    members = group([first, office.message("count", 2)], broker=office.broker)
    members.add_completion_callback(office.message("count", 3))
    victim = crew.hire(threads=1)
    members.run()
    until(lambda: office.deeds()["began:first"] == 1, "the victim runs the first member")
    victim.freeze()
    gate = office.open_gate()
    other = crew.hire(threads=1)
    until(lambda: office.states() == {"done": 4}, "the other has run both, the successor and the callback")
    victim.resume()
    until(lambda: "first" in victim.did(), "the victim ends its stale run")
    until(lambda: "claim_was_taken_over" in office.logged(), "nothing of it counts")
    os.close(gate)
    assert office.states() == {"done": 4}
    assert Counter(other.did()) == Counter(["began:first", "first", "1", "2", "3"])


def test_a_terminated_worker_finishes_what_runs_and_lets_others_have_the_rest_at_once(
    office: Office, crew: Crew
) -> None:
    leaver = crew.hire(threads=2)
    office.send_many("finish_after_gate", [("one",), ("two",)])
    until(lambda: len(office.effects()) == 2, "both threads are busy")
    office.send_many("count", [(number,) for number in range(20)], queue="slow")
    until(lambda: office.states()["consumed"] > 2, "it holds more than it runs")
    leaver.terminate()
    until(lambda: office.states() == {"consumed": 2, "queued": 20}, "the rest waits for others", RESCUE_SECONDS / 2)
    assert leaver.process.poll() is None, "it is still busy with what runs"
    gate = office.open_gate()
    assert leaver.process.wait(timeout=10) == 0
    os.close(gate)
    assert office.states() == {"done": 2, "queued": 20}
    assert office.deeds()["one"] == office.deeds()["two"] == 1


def test_a_message_that_kills_its_worker_again_and_again_becomes_a_dead_letter(office: Office, crew: Crew) -> None:
    office.send("count", 1)
    office.query("UPDATE dramatiq.queue SET rescues = 10, state = 'consumed', claimed_by = -1, attempt = 10")
    crew.hire()
    until(lambda: office.states() == {"rejected": 1}, "it is given up", RESCUE_SECONDS)
    [(error,)] = office.query("SELECT error FROM dramatiq.dead_letter")
    assert error == "Worker -1 died while it held this message (death 11)."


def test_a_worker_whose_exit_was_clean_leaves_no_row_behind(office: Office, crew: Crew) -> None:
    worker = crew.hire()
    worker.terminate()
    assert worker.process.wait(timeout=10) == 0
    assert office.query("SELECT * FROM dramatiq.worker") == []
    assert worker.process.returncode != -signal.SIGKILL


def test_a_worker_whose_heartbeat_was_refused_beats_again_when_it_can(office: Office, crew: Crew) -> None:
    worker = crew.hire()
    office.query("ALTER FUNCTION dramatiq.heartbeat RENAME TO broken")
    until(lambda: "heartbeat_failed" in office.logged(), "a heartbeat fails")
    office.query("ALTER FUNCTION dramatiq.broken RENAME TO heartbeat")
    office.query("DELETE FROM dramatiq.worker")
    until(worker.rows, "it says again that it lives")
    office.send("count", 1)
    until(lambda: office.states() == {"done": 1}, "and works")
