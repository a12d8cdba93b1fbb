"""A supervisor that signals the whole process group stops workers as gently as one that signals the parent alone."""

import os
import signal

import pytest

from tests.faults.crew import Crew, Office
from tests.waiting import until


@pytest.mark.parametrize("request_to_stop", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
def test_a_signal_to_the_group_lets_a_running_message_finish(
    crew: Crew, office: Office, request_to_stop: signal.Signals
) -> None:
    worker = crew.hire()
    office.send("finish_after_gate", "mail")
    until(lambda: office.deeds()["began:mail"], "the message starts")
    os.killpg(worker.process.pid, request_to_stop)
    until(lambda: "Sending signal" in office.logged(), "the parent passes the signal on")
    until(lambda: "Stopping worker process" in office.logged(), "the worker hears of it")
    gate = office.open_gate()
    until(lambda: office.states() == {"done": 1}, "the message finishes")
    os.close(gate)
    assert "Killing worker process" not in office.logged()
    assert office.deeds()["mail"] == 1
