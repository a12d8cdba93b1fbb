"""What workers write to their logs: what happened to which message, never what the message said."""

import os
import subprocess
import sys

import settings
from tests.faults.crew import Crew, Office, Worker
from tests.waiting import until

ADDRESS = "anna.petrova@example.com"
SEND = "SELECT pgmq.send('analytics_queue', %s::jsonb)"


def test_the_log_of_a_worker_holds_no_payload_even_in_full_detail(office: Office, crew: Crew) -> None:
    failing = office.send("break_on", ADDRESS)
    office.send("break_on", ADDRESS, "and one argument too many")
    office.send("no_such_actor", ADDRESS)
    office.query(
        "SELECT pgmq.send('analytics_queue', %s::jsonb)", f'{{"number": "{ADDRESS}", "surprise": "{ADDRESS}"}}'
    )
    office.query(SEND, f'["{ADDRESS}"]')
    log = log_of_a_worker_that_stopped(crew.hire(verbose=True), rejected=4, queued=1)
    assert ADDRESS not in log
    assert "DEBUG" in log
    assert f"message_dead_lettered queue=quick actor=break_on message_id={failing}" in log
    assert 'File "' in log, "where it failed"
    assert "ValueError" in log, "and what kind of failure it was"
    [(error,)] = office.query("SELECT error FROM dramatiq.dead_letter WHERE message_id = %s", failing)
    assert error.endswith(f"ValueError: cannot use {ADDRESS}"), "the dead letter has it all"


def test_arguments_that_an_actor_does_not_take_make_a_dead_letter_at_once(office: Office, crew: Crew) -> None:
    office.query("SELECT pgmq.send('analytics_queue', '{\"number\": 1, \"surprise\": 2}')")
    office.query("SELECT pgmq.send('analytics_queue', '{\"number\": 2}')")
    crew.hire()
    until(lambda: office.states() == {"done": 1, "rejected": 1}, "one ran, the other was given up")
    [(error, attempt)] = office.query("SELECT error, attempt FROM dramatiq.dead_letter")
    assert error.endswith("TypeError: receive() got an unexpected keyword argument 'surprise'")
    assert attempt == 1


def test_log_level_says_how_much_a_worker_logs(office: Office, crew: Crew) -> None:
    office.send("break_on", 1)
    log = log_of_a_worker_that_stopped(crew.hire(LOG_LEVEL="ERROR"), rejected=1)
    assert "message_dead_lettered" not in log
    assert "ValueError" in log


def test_a_worker_with_wrong_settings_names_them_all_and_ends() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "dramatiq", "actors", "--processes", "1"],
        cwd=settings.ROOT,
        env=os.environ | {"EMAIL_RATE_LIMIT": "many", "REPORT_RETENTION_DAYS": "-1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "EMAIL_RATE_LIMIT: 'many'" in ended.stderr
    assert "REPORT_RETENTION_DAYS: '-1'" in ended.stderr


def log_of_a_worker_that_stopped(worker: Worker, **states: int) -> str:
    """All that it wrote: a line follows the commit that it tells of."""
    until(lambda: worker.office.states() == states, "all are dead letters, or wait for a worker that has their actor")
    worker.terminate()
    assert worker.process.wait(timeout=20) == 0
    return worker.office.logged()
