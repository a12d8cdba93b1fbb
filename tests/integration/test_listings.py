"""A listing that a limit cuts says of how many; an id's first letters do, and what is not there is refused by name."""

import json
import traceback
from uuid import uuid4

import dramatiq
import pytest
from click.testing import CliRunner, Result
from dramatiq.brokers.stub import StubBroker

import actors
import cli
import settings
from log import placeless
from tests.clinic import Clinic

FIRST, SECOND = "aaaa1111-0000-4000-8000-000000000001", "aaaa2222-0000-4000-8000-000000000002"


def balansity(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(cli.main, words)


@pytest.fixture
def kept(clinic: Clinic, database: str) -> Clinic:
    """Three dead letters, deliveries, runs and held mails."""
    actors.publish(database)
    for number, message_id in enumerate((FIRST, SECOND, str(uuid4()).replace("a", "b"))):
        clinic.rows(
            "INSERT INTO dramatiq.queue (message_id, queue_name, state, error, message) "
            "VALUES (%s, 'emails', 'rejected', "
            '\'It is no mail\', \'{"actor_name": "send_email", "args": [], "kwargs": {}, "options": {}}\')',
            message_id,
        )
        clinic.rows(
            "INSERT INTO balansity.delivery (key, message_id, template, state, reason, planned_at, changed_at, "
            "held_at) VALUES (%s, 'm', 'report_ready', 'unknown', 'It may have left', now(), now(), now())",
            f"mail:{number}",
        )
        clinic.rows(
            "INSERT INTO balansity.slot (job, slot, state, enqueued_at) "
            "VALUES ('purge-messages', now() - interval '1 hour' * %s, 'planned', now())",
            number,
        )
        clinic.rows(
            "INSERT INTO balansity.report (assessment_id, format, digest, filename, media_type, size_bytes, content, "
            "created_at) VALUES (gen_random_uuid(), 'pdf', 'd', 'r.pdf', 'application/pdf', 1, '1', now())"
        )
    return clinic


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("dead",), "dead letters"),
        (("deliveries",), "deliveries"),
        (("deliveries", "mail:"), "deliveries"),
        (("deliveries", "--unknown"), "deliveries"),
        (("jobs", "history", "purge-messages"), "runs"),
        (("reports",), "reports"),
        (("restored",), "held mails"),
    ],
)
def test_a_listing_that_is_cut_says_of_how_many_and_how_to_see_the_rest(
    kept: Clinic, words: tuple[str, ...], what: str
) -> None:
    cut = balansity(*words, "--limit", "2")
    assert "2 of 3 " in cut.stdout
    assert cut.stderr == f"2 of 3 {what}: --limit 3 lists all.\n"
    for limit in ("3", "9"):
        whole = balansity(*words, "--limit", limit)
        assert (" of 3" in whole.output, whole.stderr) == (False, "")
        assert "3 " in whole.stdout
    for_programs = balansity(*words, "--limit", "2", "--json")
    assert json.loads(for_programs.stdout)
    assert for_programs.stderr == cut.stderr


@pytest.mark.parametrize("words", [("dead",), ("deliveries",), ("deliveries", "--unknown"), ("reports",)])
def test_a_listing_since_a_time_has_what_came_after_it_alone(kept: Clinic, words: tuple[str, ...]) -> None:
    kept.rows("UPDATE dramatiq.queue SET mtime = now() - interval '3 hours' WHERE message_id = %s RETURNING 1", FIRST)
    kept.rows("UPDATE balansity.delivery SET changed_at = now() - interval '3 hours' WHERE key = 'mail:0' RETURNING 1")
    kept.rows(
        "UPDATE balansity.report SET created_at = now() - interval '3 hours'"
        " WHERE id = (SELECT min(id::text) FROM balansity.report)::uuid RETURNING 1"
    )
    assert len(json.loads(balansity(*words, "--since", "2h", "--json").stdout)) == 2
    assert balansity(*words, "--since", "2h", "--limit", "1").stderr.startswith("1 of 2 ")
    refused = balansity(*words[:1], FIRST[:8], "--since", "2h")
    assert (refused.exit_code, "not both" in refused.output) == (2, True)


def test_the_first_letters_of_a_message_do(kept: Clinic) -> None:
    [dead_letter] = json.loads(balansity("dead", "aaaa1", "--json").stdout)
    assert dead_letter["message_id"] == FIRST
    assert json.loads(balansity("reveal", "AAAA1111-0", "--reason", "a test").stdout)
    assert balansity("redrive", "aaaa1", "--reason", "a test").output == "1 sent back to work.\n"
    assert kept.value("SELECT state::text FROM dramatiq.queue WHERE message_id = %s", FIRST) == "queued"


def test_an_ambiguous_beginning_names_what_begins_so(kept: Clinic) -> None:
    for command in (["dead"], ["redrive", "--reason", "a test"], ["reveal", "--reason", "a test"]):
        said = balansity(*command, "aaaa")
        assert said.exit_code == 1
        assert f"{FIRST}, {SECOND}" in said.output
    said = balansity("deliveries", "--resend", "mail:", "--reason", "a test")
    assert (said.exit_code, "begins more than one delivery" in said.output) == (1, True)


def test_an_unknown_id_is_refused_by_name_and_nothing_is_done(kept: Clinic) -> None:
    unknown = str(uuid4())
    for words, what in (
        (["dead", unknown], "dead letter"),
        (["redrive", FIRST, unknown, "--reason", "a test"], "dead letter"),
        (["reveal", unknown, "--reason", "a test"], "message or delivery"),
        (["deliveries", unknown], "delivery"),
        (["deliveries", "--resend", unknown, "--reason", "a test"], "delivery"),
    ):
        said = balansity(*words)
        assert (said.exit_code, f"There is no {what} '{unknown}'" in said.output) == (1, True)
    assert kept.value("SELECT count(*) FROM dramatiq.queue WHERE state = 'rejected'") == 3


def test_a_traceback_names_files_from_their_package_on() -> None:
    broker = StubBroker()
    try:
        dramatiq.Message("none", "none", (), {}, {}).decode(b"no message")
    except Exception:  # noqa: BLE001 - whatever it is, it rose in a package and here
        told = placeless(traceback.format_exc())
    broker.close()
    assert '  File "dramatiq/' in told
    assert '  File "tests/integration/test_listings.py"' in told
    assert str(settings.ROOT) not in told
    assert '"/' not in told
