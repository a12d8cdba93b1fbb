"""Every command's tables fit the width there is: no word is broken, what has no room is left out and named."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

import actors
import cli
import scheduler
import settings
from actors.appointments import update_appointment_statuses
from commands import output
from tests.clinic import Clinic

SUBJECT = "Подтверждение записи на консультацию нейропсихолога для всей семьи"
REASON = (
    "the server said 550 5.7.1 to <anna-maria.konstantinopolskaya@example.com>: this address is not one of "
    "ours, see https://postmaster.example/policies/appointment_confirmation_for_specialists"
)
TRACEBACK = (
    "Traceback (most recent call last):\n"
    '  File "mail/delivery.py", line 70, in deliver\n    raise PermanentError(reason)\n'
    f"errors.PermanentError: {REASON}"
)
WIDE = 2_000
NOW = datetime(2030, 11, 25, 10, 2, tzinfo=UTC)
LISTINGS = (
    ("deliveries",),
    ("deliveries", "mail:"),
    ("deliveries", "mail:0"),
    ("jobs",),
    ("jobs", "history"),
    ("payments",),
    ("plan",),
    ("preview",),
    ("reports",),
    ("restored",),
    ("stats",),
    ("status",),
    ("suppressions",),
)


def run(*words: str, width: int, code: int = 0) -> str:
    result = CliRunner(env={"COLUMNS": str(width)}).invoke(cli.main, words)
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout


@pytest.fixture
def busy(clinic: Clinic, database: str) -> Clinic:
    """A clinic with something in every listing."""
    actors.publish(database, scheduler.publish)
    user = clinic.add_user()
    for number, (state, held) in enumerate((("failed", False), ("unknown", True), ("sent", False))):
        clinic.rows(
            "INSERT INTO balansity.report (assessment_id, format, digest, filename, media_type, size_bytes, content, "
            "created_at) VALUES (gen_random_uuid(), 'pdf', 'd', 'r.pdf', 'application/pdf', 1, '1', now())"
        )
        clinic.rows(
            "INSERT INTO balansity.delivery (key, message_id, template, recipient, subject, state, reason, planned_at, "
            "changed_at, held_at) VALUES (%s, gen_random_uuid(), 'appointment_confirmation', 'anna@example.com', %s, "
            "%s, %s, now(), now(), CASE WHEN %s THEN now() END)",
            *(f"mail:{number}", SUBJECT, state, REASON, held),
        )
        clinic.rows(
            "INSERT INTO dramatiq.queue (message_id, queue_name, state, error, message) "
            "VALUES (gen_random_uuid(), 'emails', 'rejected', %s, '{\"actor_name\": \"send_email\"}')",
            TRACEBACK,
        )
    clinic.rows(
        "INSERT INTO balansity.suppression (address, reason, since) "
        "VALUES ('anna-maria.konstantinopolskaya@example.com', 'bounced', now())"
    )
    clinic.rows("SELECT balansity.flag_payment(%s, %s, now())", clinic.add_payment(user), REASON)
    clinic.rows("SELECT balansity.provider_failed('sendgrid', %s, 'a.host.of.ours', gen_random_uuid())", REASON)
    clinic.set_clock(NOW)
    clinic.book(user, NOW + timedelta(hours=2))
    update_appointment_statuses("2026-11-20T10:05:00+00:00")
    return clinic


def test_a_pipe_is_80_wide_unless_columns_says_otherwise(busy: Clinic) -> None:
    """Whatever terminal the errors go to."""
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    person, terminal = os.openpty()
    told = {}
    for columns in (None, "80", "200"):
        told[columns] = subprocess.run(
            [sys.executable, "-m", "cli", "deliveries"],
            cwd=settings.ROOT,
            env=environment | ({"COLUMNS": columns} if columns else {}),
            stdout=subprocess.PIPE,
            stderr=terminal,
            text=True,
            check=True,
        ).stdout
    os.close(person)
    os.close(terminal)
    assert told[None] == told["80"] != told["200"]


def test_what_has_no_room_is_named_and_in_json(busy: Clinic) -> None:
    said = run("deliveries", width=60)
    assert re.search("Left out for want of room: .*subject", said)
    assert SUBJECT not in said
    assert {row["subject"] for row in json.loads(run("deliveries", "--json", width=60))} == {SUBJECT}
    for row in json.loads(run("deliveries", "--json", width=60)):
        assert row["id"][:8] in said


@pytest.mark.parametrize("words", [("dead",), ("deliveries",), ("jobs",), ("payments",), ("plan",)])
def test_times_are_the_clinics_and_their_zone_is_named(busy: Clinic, words: tuple[str, ...]) -> None:
    assert "Europe/Moscow" in run(*words, width=WIDE)


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("words", LISTINGS, ids=" ".join)
def test_no_line_is_too_long_and_no_word_broken(busy: Clinic, words: tuple[str, ...], width: int) -> None:
    """What is told in little room is made of the words that are told in much."""
    whole = set(run(*words, width=WIDE).split())
    narrow = [line for line in run(*words, width=width).splitlines() if line.startswith(" ")]
    assert narrow
    for line in narrow:
        assert len(line.rstrip()) <= width
        cut = {word for word in line.split() if word.endswith("…")}
        assert all(len(word) >= output.LONGEST_WORD for word in cut)
        assert {word for word in line.split() if word not in cut} <= whole
