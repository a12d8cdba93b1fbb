"""Messages are found by where they are, how they failed and what they were given, and failures are told by kind."""

import json
import re
from typing import Any

import dramatiq
import pytest
from click.testing import CliRunner

from cli import main
from db.connection import Connection
from desk.messages import LOOK
from messaging.broker import PostgresBroker
from tests.integration.broker_cases import run, states
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("environment")

FAILED = """
    INSERT INTO dramatiq.queue (message_id, queue_name, state, message, error, mtime, delayed)
    VALUES (%s, 'emails', %s, jsonb_build_object('actor_name', %s::text, 'kwargs', %s::jsonb), %s,
            now() - %s * interval '1 hour', %s)
"""
TRACEBACK = """Traceback (most recent call last):
  File "/app/mail/letter.py", line {line}, in write
    raise Unsendable(words)
{error}
"""


def told(*arguments: str, exit_code: int = 0) -> Any:
    result = CliRunner().invoke(main, [*arguments, "--json"])
    assert result.exit_code == exit_code, result.output
    return json.loads(result.stdout) if exit_code == 0 else result.output


def fail(connection: Connection, number: int, error: str, **given: Any) -> str:
    message_id = f"{number:08x}-0000-4000-8000-000000000000"
    state, actor = given.pop("state", "rejected"), given.pop("actor", "send_email")
    hours, delayed = given.pop("hours", 0), given.pop("delayed", False)
    run(connection, FAILED, message_id, state, actor, json.dumps(given), error, hours, delayed)
    return message_id


def test_failures_are_told_apart_by_what_was_wrong_and_not_by_whom_it_befell(connection: Connection) -> None:
    errors = [
        "errors.PermanentError: There is no payment {0:08x}-0000-4000-8000-00000000000{0}",
        "mail.checks.Unsendable: <person{0}@example.com> is no address",
        "ValueError: 'Анна {0}' has {0}.5 letters, «Миша{0}» has 10:3{0}",
        "Worker {0} died while it held this message (death {0}).",
    ]
    for number in range(8):
        words = errors[number % 4].format(number)
        fail(connection, number, TRACEBACK.format(line=number, error=words) if number % 4 < 3 else words)
    fail(connection, 99, errors[0].format(1), actor="process_payment")
    found = told("failures")
    assert {(each["actor"], each["kind"]): each["messages"] for each in found} == {
        ("send_email", "errors.PermanentError: There is no payment …"): 2,
        ("send_email", "mail.checks.Unsendable: <…> is no address"): 2,
        ("send_email", "ValueError: … has … letters, … has …"): 2,
        ("send_email", "Worker … died while it held this message (death …)."): 2,
        ("process_payment", "errors.PermanentError: There is no payment …"): 1,
    }
    assert len({each["id"] for each in found}) == 5


def test_a_real_failure_has_a_kind_while_it_is_tried_again_and_when_it_is_dead(
    broker: PostgresBroker, work: Any, connection: Connection
) -> None:
    @dramatiq.actor(broker=broker, max_retries=3, min_backoff=3_600_000)
    def bake(loaf: int) -> None:
        raise ValueError(f"loaf {loaf} is burnt")

    @dramatiq.actor(broker=broker, max_retries=0)
    def slice_bread(loaf: int) -> None:
        try:
            print(dict[int, str]()[loaf])
        except KeyError as error:
            raise ValueError(f"loaf {loaf} is gone") from error

    for loaf in range(3):
        bake.send(loaf)
        slice_bread.send(loaf)
    work()
    until(lambda: states(connection) == {"queued": 3, "rejected": 3})
    assert {(each["kind"], each["state"], each["messages"]) for each in told("failures")} == {
        ("ValueError: loaf … is burnt", "to be tried again", 3),
        ("ValueError: loaf … is gone", "dead", 3),
    }


def test_messages_of_one_kind_are_found_by_its_letters(connection: Connection) -> None:
    ours = fail(connection, 1, "errors.PermanentError: There is no payment 17")
    fail(connection, 2, "errors.PermanentError: There is no consultation 17")
    [wanted] = [each for each in told("failures") if "payment" in each["kind"]]
    assert [each["id"] for each in told("messages", "--failure", wanted["id"][:5])["messages"]] == [ours]
    assert "No kind of failure is called 'zz'" in told("messages", "--failure", "zz", exit_code=1)
    assert "Several kinds" in told("messages", "--failure", "", "--state", "dead", exit_code=1)


def test_what_has_no_actor_is_a_kind_of_its_own(connection: Connection) -> None:
    fail(connection, 1, "ValueError: no", actor=None)
    fail(connection, 2, "ValueError: no")
    nobodys, ours = sorted(told("failures"), key=lambda each: bool(each["actor"]))
    assert (nobodys["actor"], nobodys["messages"], ours["actor"], ours["messages"]) == (None, 1, "send_email", 1)
    for each in (nobodys, ours):
        found = told("messages", "--failure", each["id"])
        assert [message["actor"] for message in found["messages"]] == [each["actor"]]
        assert found["total"] == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT actor FROM dramatiq.failing() ORDER BY actor")
        assert [actor for (actor,) in cursor.fetchall()] == ["send_email", None]


def test_a_kind_of_failure_is_none_of_how_others_ended(connection: Connection) -> None:
    dead = fail(connection, 1, "ValueError: no")
    retried = fail(connection, 2, "ValueError: no", state="queued", delayed=True)
    for number, state in enumerate(("done", "cancelled"), start=3):
        fail(connection, number, "ValueError: no", state=state)
    kind = told("failures")[0]["id"]
    found = told("messages", "--failure", kind)
    assert ({each["id"] for each in found["messages"]}, found["total"]) == ({dead, retried}, 2)
    assert told("messages", "--failure", kind, "--state", "cancelled") == {
        "total": 0,
        "looked_back_to": None,
        "messages": [],
    }


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ([], [1, 2, 3, 4]),
        (["--state", "dead"], [1, 4]),
        (["--state", "delayed"], [2]),
        (["--state", "done"], [3]),
        (["--actor", "process_payment"], [4]),
        (["--queue", "emails", "--since", "90m"], [1, 2]),
        (["--before", "1.5h"], [3, 4]),
        (["--where", "n=3"], [3]),
        (["--where", 'list=["Анна"]', "--where", "n=4"], [4]),
        (["--where", "name=O'Hara \\ % x"], [1]),
        (["--queue", "elsewhere"], []),
    ],
)
def test_a_filter_finds_what_it_says(connection: Connection, options: list[str], numbers: list[int]) -> None:
    fail(connection, 1, "one", name="O'Hara \\ % x", n=1)
    fail(connection, 2, "two", state="queued", delayed=True, n=2, hours=1)
    fail(connection, 3, "three", state="done", n=3, hours=2)
    fail(connection, 4, "four", actor="process_payment", list=["Анна", "Миша"], n=4, hours=3)
    found = told("messages", *options)
    assert [int(each["id"][:8], 16) for each in found["messages"]] == numbers
    assert found["total"] == len(numbers)


def test_a_page_has_so_many_and_says_of_how_many(connection: Connection) -> None:
    for number in range(5):
        fail(connection, number, "one", hours=number)
    found = told("messages", "--limit", "2")
    assert ([int(each["id"][:8], 16) for each in found["messages"]], found["total"]) == ([0, 1], 5)
    assert "2 of 5 messages" in CliRunner().invoke(main, ["messages", "--limit", "2"]).output


def test_what_no_index_tells_is_looked_for_in_parts_that_leave_nothing_out(connection: Connection) -> None:
    """As many as are done since the rare one, and a dead one between the parts: each is listed once."""
    run(
        connection,
        "INSERT INTO dramatiq.queue (message_id, queue_name, state, mtime, message) "
        "SELECT gen_random_uuid(), 'emails', 'done', now() - n * interval '1 second', "
        "       jsonb_build_object('actor_name', 'send_email') FROM generate_series(1, %s) AS n",
        LOOK,
    )
    fail(connection, 1, "no error", state="done", actor="rare", hours=24)
    fail(connection, 2, "one", actor="rare", hours=23)
    first = told("messages", "--actor", "rare")
    assert (first["messages"], first["total"]) == ([], 0)
    said = CliRunner().invoke(main, ["messages", "--actor", "rare"]).output
    [before] = re.findall(r"--before (\S+) looks further back", said)
    behind = told("messages", "--actor", "rare", "--before", before)
    assert [int(each["id"][:8], 16) for each in behind["messages"]] == [2, 1]
    assert behind["looked_back_to"] is None
    assert told("messages", "--actor", "rare", "--state", "dead")["total"] == 1


@pytest.mark.parametrize(
    "options", [["--since", "last night"], ["--before", "1e99d"], ["--where", "n"], ["--state", "odd"]]
)
def test_what_is_no_filter_is_refused_with_an_example(options: list[str]) -> None:
    result = CliRunner().invoke(main, ["messages", *options])
    assert result.exit_code == 2
    assert options[1] in result.output
