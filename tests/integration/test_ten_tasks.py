"""Ten tasks of a person who answers for this system, each in the shell alone, without SQL."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import cli
from tests.clinic import Clinic
from tests.morning import BY_MISTAKE, Morning
from tests.waiting import until

WHY = ("--reason", "the family asked on the phone")


def balansity(*words: str, code: int = 0) -> str:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(cli.main, list(words))
    assert result.exit_code == code, result.output
    return result.stdout


def told(*words: str) -> Any:
    return json.loads(balansity(*words, "--json"))


@pytest.fixture
def morning(clinic: Clinic, database: str, tmp_path: Path) -> Morning:
    return Morning(clinic, database, tmp_path)


@pytest.fixture
def hanging(morning: Morning) -> Iterator[str]:
    with morning.a_report_hangs() as message_id:
        yield message_id


def test_1_why_did_this_parent_not_get_the_reminder(morning: Morning) -> None:
    said = balansity("person", morning.somebody_was_not_reminded())
    assert "withheld" in said
    assert "the consultation is not paid" in said


def test_2_what_fails_and_why_and_one_kind_alone_is_tried_again(morning: Morning) -> None:
    morning.mails_failed_in_two_ways()
    [kind] = [each for each in told("failures") if each["messages"] == 3]
    assert "Refused: … login … is wrong" in kind["kind"]
    balansity("redrive", "--failure", kind["id"], "--yes", *WHY)
    assert [each["messages"] for each in told("failures")] == [1]
    assert len(told("messages", "--queue", "emails", "--state", "waiting")["messages"]) == 3


def test_3_is_anything_stuck_and_how_late_are_we(morning: Morning, hanging: str) -> None:
    listed = told("running")
    assert [each["id"] for each in listed["running"]] == [hanging]
    until(lambda: told("running")["blocked"], "its session waits for the lock")
    assert "Queue reports is late" in balansity("status")


def test_4_mail_is_paused_for_an_hour_and_payments_go_on(morning: Morning) -> None:
    balansity("queues", "pause", "emails", "--for", "1h", *WHY)
    assert [each["queue"] for each in told("queues") if each["pause"]] == ["emails"]
    assert "until" in balansity("queues")
    balansity("queues", "resume", "emails", *WHY)
    assert not any(each["pause"] for each in told("queues"))


def test_5_a_report_is_sent_again(morning: Morning) -> None:
    delivery_id = morning.sent_a_report()
    said = balansity("deliveries", "--again", delivery_id[:8], *WHY)
    [new] = re.findall(r"balansity deliveries ([0-9a-f]{8})", said)
    assert told("deliveries", new)["again_of"] == delivery_id


def test_6_a_payment_is_stuck(morning: Morning) -> None:
    number = morning.a_payment_is_stuck()
    assert "unexpected change: cancelled → completed" in balansity("payments", "flagged")
    assert "2c5d-77" in balansity("payments", "show", number)
    balansity("payments", "resolve", number, "--yes", *WHY)
    assert told("payments", "flagged") == []
    assert WHY[1] in balansity("payments", "show", number)


def test_7_what_ran_last_night(morning: Morning) -> None:
    morning.last_night()
    history = told("jobs", "history", "--from", "yesterday", "--to", "tomorrow")
    [purge] = [each for each in history["job"] if each["job"] == "purge-messages"]
    assert (purge["runs"], purge["failed"]) == (3, 1)
    assert [each["outcome"] for each in history["run"]] == ["OperationalError"]


def test_8_what_will_run_tomorrow(morning: Morning) -> None:
    appointment = morning.tomorrow()
    plan = told("plan", "--to", "+2d")
    assert {(each["what"], each["subject"]) for each in plan["happening"]} >= {
        ("reminder 24h", f"appointment {appointment}"),
        ("reminder 1h", f"appointment {appointment}"),
    }
    assert {each["job"]: each["runs"] for each in plan["job"]}["cleanup-old-assessments"] == 2


def test_9_mails_that_were_enqueued_by_mistake_are_cancelled(morning: Morning) -> None:
    morning.mails_by_mistake()
    said = balansity("cancel", "--queue", "emails", "--since", "10m", "--yes", *WHY)
    assert f"{BY_MISTAKE} cancelled." in said
    assert told("messages", "--queue", "emails", "--state", "waiting")["messages"] == []
    [logged] = told("log")["actions"]
    assert (logged["action"], logged["count"], logged["reason"]) == ("cancel", BY_MISTAKE, WHY[1])


def test_10_a_worker_hangs_and_its_stack_tells_where(morning: Morning, hanging: str) -> None:
    said = balansity("running", "--stacks", hanging[:8])
    assert "actors/reports.py" in said
    balansity("cancel", hanging[:8], "--yes", *WHY)
    assert [each["is_cancelled"] for each in told("running")["running"]] == [True]
