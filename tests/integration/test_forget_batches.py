"""Forgetting goes in batches: one impossible row holds up nothing, and what was interrupted is begun again."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.emails import send_email
from actors.reports import generate_report
from db.connection import Connection
from tests.clinic import Clinic
from tests.integration.batch_cases import impatient, react, refuse
from tests.integration.forget_cases import forget, record, traces, write_down
from tests.waiting import until

BALANSITY = Path(sys.executable).with_name("balansity")


@pytest.mark.parametrize(
    ("table", "place"),
    [
        ("dramatiq.queue", "messages of the broker"),
        ("balansity.analytics_event", "links in analytics events"),
        ("balansity.delivery", "addresses in the mail ledger"),
        ("balansity.suppression", "addresses in the list of suppressed ones"),
    ],
)
def test_a_row_that_cannot_be_forgotten_is_named_and_holds_up_no_other(clinic: Clinic, table: str, place: str) -> None:
    user_id = clinic.add_user("anna@example.com")
    for number in range(3):
        send_email.send(to="anna@example.com", subject="Тема", template="report_ready", variables={}, user_id=user_id)
        record(clinic, str(number), user_id, {})
        write_down(clinic, str(number), "anna@example.com", user_id)
    for address in ("anna@example.com", "Anna <anna@example.com>", "<anna@example.com>"):
        clinic.rows("INSERT INTO balansity.suppression VALUES (%s, 'bounced', NULL, now())", address.lower())
    clinic.rows("CREATE TABLE public.bad AS SELECT ctid::text AS place FROM " + table + " LIMIT 1")
    refuse(clinic, table, "EXISTS (SELECT FROM public.bad b WHERE b.place = OLD.ctid::text)")
    told = forget(user_id, exit_code=1)
    assert told["removed"][place] == 2
    assert "this row is not to be touched" in "".join(told["skipped"])
    assert "anna@example.com" not in "".join(told["skipped"])
    assert set(traces(clinic, user_id, "anna@example.com")) == {table}
    clinic.rows(f"DROP TRIGGER react ON {table}")
    forget(user_id)
    assert traces(clinic, user_id, "anna@example.com") == {}


def test_a_forgetting_that_was_killed_is_begun_again(clinic: Clinic, connect: Callable[[], Connection]) -> None:
    """The mail that names the person tells of their old address: it is forgotten after what only has that address."""
    user_id = clinic.add_user("new@example.com")
    record(clinic, "e", None, {"email": "old@example.com"})
    named = write_down(clinic, "a", "old@example.com", user_id)
    nameless = write_down(clinic, "b", "old@example.com", None)
    holder = Clinic(connect())
    holder.rows("BEGIN; SELECT FROM balansity.delivery WHERE id = %s FOR UPDATE", named)
    process = subprocess.Popen([BALANSITY, "forget", user_id, "--yes"])
    forgotten = "SELECT recipient IS NULL FROM balansity.delivery WHERE id = %s"
    until(lambda: clinic.value(forgotten, nameless))
    process.kill()
    process.wait()
    holder.rows("COMMIT")
    assert not clinic.value(forgotten, named)
    clinic.rows("DELETE FROM public.users WHERE id = %s", user_id)
    write_down(clinic, "c", "old@example.com", None)
    forget(user_id)
    assert traces(clinic, user_id, "old@example.com") == {}


def test_what_one_of_theirs_sends_meanwhile_is_found(clinic: Clinic) -> None:
    """A message that stands where the look has been already, sent by one that was done before the look came to it."""
    user_id = clinic.add_user()
    generate_report.send(assessment_id=clinic.add_checkup(user_id), user_id=user_id)
    clinic.rows("UPDATE dramatiq.queue SET message_id = 'ffffffff-ffff-4fff-8fff-ffffffffffff', state = 'done'")
    react(
        clinic, "dramatiq.queue",
        "IF TG_OP = 'DELETE' AND OLD.message_id = 'ffffffff-ffff-4fff-8fff-ffffffffffff' THEN "
        "INSERT INTO dramatiq.queue (message_id, state, message) VALUES "
        "('00000000-0000-4000-8000-000000000000', 'queued', OLD.message); END IF;",
    )  # fmt: skip
    assert forget(user_id)["removed"]["messages of the broker"] == 2
    assert traces(clinic, user_id) == {}


def test_many_large_messages_are_looked_through_within_the_time_limit(
    clinic: Clinic, environment: pytest.MonkeyPatch
) -> None:
    user_id = clinic.add_user("anna@example.com")
    clinic.rows(
        "INSERT INTO dramatiq.queue (message_id, state, message) "
        "SELECT gen_random_uuid(), 'done', jsonb_build_object('text', repeat('x', 2000000)) FROM generate_series(1, 12)"
    )
    clinic.rows(
        "INSERT INTO dramatiq.queue (message_id, state, message) "
        'SELECT gen_random_uuid(), \'done\', \'{"kwargs": {"to": "anna@example.com"}}\' FROM generate_series(1, 5000)'
    )
    with impatient(environment, "statement_timeout=750ms"):
        assert forget(user_id)["removed"]["messages of the broker"] == 5000
    assert clinic.value("SELECT count(*) FROM dramatiq.queue") == 12
