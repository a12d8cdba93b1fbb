"""Work on many rows ends: in batches that halve when they fail, past the row that nobody can do."""

import pytest
from click.testing import CliRunner, Result

from cli import main
from tests.clinic import Clinic
from tests.integration.batch_cases import impatient, react, refuse

MEGABYTES = "(SELECT string_agg(md5(n::text), '') FROM generate_series(1, 163840) AS n)"  # five that do not compress
BAD = "00000000-0000-4000-8000-000000000000"


def kill(clinic: Clinic, count: int, actor: str = "note") -> None:
    """So many dead letters that died in one moment, the third of them with five megabytes, one of them BAD."""
    clinic.rows(
        "INSERT INTO dramatiq.queue (message_id, state, mtime, rescues, message) "
        "SELECT CASE n WHEN %s THEN %s ELSE gen_random_uuid() END, 'rejected', now(), 3, "
        "       jsonb_build_object('actor_name', %s, 'options', '{\"retries\": 9}'::jsonb, "
        f"                         'kwargs', CASE n WHEN 3 THEN to_jsonb({MEGABYTES}) ELSE '{{}}' END) "
        "FROM generate_series(1, %s) AS n",
        *(count // 2, BAD, actor, count),
    )


def states(clinic: Clinic) -> dict[str, int]:
    return dict(clinic.rows("SELECT state::text, count(*) FROM dramatiq.queue GROUP BY state"))


def redrive(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["redrive", *arguments, "--yes", "--reason", "a test"])


def test_one_dead_letter_that_is_refused_holds_up_none_of_a_hundred_thousand(
    clinic: Clinic, caplog: pytest.LogCaptureFixture
) -> None:
    kill(clinic, 100_000)
    refuse(clinic, "dramatiq.queue", f"NEW.message_id = '{BAD}'")
    result = redrive("--all")
    assert result.exit_code == 1
    assert result.stdout.endswith("\n99999 sent back to work.\n")
    assert f"message {BAD}: this row is not to be touched" in result.stderr
    assert f"row='message {BAD}' error=RaiseException" in caplog.text
    assert states(clinic) == {"queued": 99_999, "rejected": 1}


def test_a_named_dead_letter_that_is_refused_holds_up_none_of_the_others(clinic: Clinic) -> None:
    kill(clinic, 4)
    refuse(clinic, "dramatiq.queue", f"NEW.message_id = '{BAD}'")
    result = redrive(*(name for (name,) in clinic.rows("SELECT message_id::text FROM dramatiq.queue")))
    assert (result.exit_code, result.stdout) == (1, "3 sent back to work.\n")
    assert states(clinic) == {"queued": 3, "rejected": 1}


@pytest.mark.parametrize("limit", ["statement_timeout", "transaction_timeout"])
def test_batches_that_a_time_limit_kills_are_done_in_smaller_ones(
    clinic: Clinic, environment: pytest.MonkeyPatch, limit: str
) -> None:
    if limit == "transaction_timeout" and clinic.connection.server_version < 170000:
        limit = "statement_timeout"
    kill(clinic, 1_000)
    react(clinic, "dramatiq.queue", "PERFORM pg_sleep(0.002);")  # all together need at least 2 s
    with impatient(environment, f"{limit}=1500ms"):
        result = redrive("--all")
    assert result.stdout.endswith("\n1000 sent back to work.\n"), result.output
    assert states(clinic) == {"queued": 1_000}


def test_a_connection_that_ends_amid_the_work_is_replaced(clinic: Clinic, caplog: pytest.LogCaptureFixture) -> None:
    kill(clinic, 100)
    clinic.rows("CREATE SEQUENCE public.touched")
    react(
        clinic, "dramatiq.queue",
        "IF nextval('public.touched') = 50 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;",
    )  # fmt: skip
    result = redrive("--all")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "100 sent back to work.")
    assert caplog.text.count("database_lost") == 1


def test_work_that_fails_for_every_row_is_given_up_with_the_reason(clinic: Clinic) -> None:
    kill(clinic, 3_000)
    refuse(clinic, "dramatiq.queue", "true")
    result = redrive("--actor", "note")
    assert result.exit_code == 1
    assert "1000 rows could not be done, the last one message" in result.output
    assert states(clinic) == {"rejected": 3_000}


def test_dead_letters_of_another_actor_and_those_that_were_no_message_stay(clinic: Clinic) -> None:
    kill(clinic, 3)
    clinic.rows("UPDATE dramatiq.queue SET message = '{\"payload\": 1}' WHERE message_id = %s", BAD)
    clinic.rows(
        "INSERT INTO dramatiq.queue (message_id, state, message) "
        "VALUES (gen_random_uuid(), 'rejected', '{\"actor_name\": \"other\"}')"
    )
    assert redrive("--actor", "note").stdout.endswith("\n2 sent back to work.\n")
    assert states(clinic) == {"queued": 2, "rejected": 2}
