"""Why a person got a mail, or did not: found by whatever a family or a colleague names, told without their names."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

import actors
import db.database
from actors.appointments import remind
from cli import main
from mail.delivery import deliver
from mail.order import read_order
from tests.clinic import Clinic
from tests.integration.forget_cases import live_with_the_service, write_down


def told(*words: str, exit_code: int = 0) -> Any:
    result = CliRunner().invoke(main, ["person", *words, "--json"])
    assert result.exit_code == exit_code, result.output
    return json.loads(result.stdout) if exit_code == 0 else result.output


def happened(story: Any) -> set[str]:
    return {f"{step['kind']} {step['event']}" for step in story["step"]}


@pytest.fixture
def anna(clinic: Clinic) -> list[str]:
    """Her user, check-up, profile, consultation and payment, address and names."""
    actors.publish(db.database.url())
    return live_with_the_service(clinic, "anna@example.com", "Анна", "Ёлкина")


def test_whatever_names_a_person_leads_to_the_same_journey(clinic: Clinic, anna: list[str]) -> None:
    user_id, assessment_id, profile_id, appointment_id, payment_id, address, first_name, last_name = anna
    names = [user_id, assessment_id[:8], profile_id, appointment_id[:8].upper(), payment_id[:8], address.upper()]
    names += [last_name, f"{first_name} {last_name}", f" {last_name.lower()} {first_name}"]
    journeys = [told(name) for name in names]
    assert {story["user_id"] for story in journeys} == {user_id}
    assert all(story["step"] == journeys[0]["step"] for story in journeys)


def test_a_journey_goes_from_the_row_to_the_providers_answer(clinic: Clinic, anna: list[str]) -> None:
    key, address = "reminder-of-mine", anna[5]
    order = {"to": address, "subject": "…", "template": "payment_confirmation", "user_id": anna[0], "key": key}
    deliver(read_order(order | {"variables": {"payment_id": anna[4]}}), "0b4dd1c7-0000-4000-8000-000000000001")
    story = told(anna[0])
    assert happened(story) >= {
        *("check-up begun", "check-up completed", "consultation booked", "consultation confirmed"),
        *("payment made", "payment settled", "message waits in pgmq", "message waits"),
        *("mail planned", "mail tried by file", "mail sent"),
    }
    times = [step["at"] for step in story["step"] if step["at"]]
    assert times == sorted(times)
    assert told("0b4dd1c7-0000-4000-8000-000000000001"[:8], exit_code=1)  # that message was never in the queue
    assert told(key)["user_id"] == anna[0]


def test_no_name_and_no_address_is_told(clinic: Clinic, anna: list[str]) -> None:
    delivery_id = write_down(clinic, "k", anna[5], anna[0], "failed")
    clinic.rows(
        "UPDATE balansity.delivery SET reason = 'refused <anna@example.com>: no such box' WHERE id = %s", delivery_id
    )
    for output in (CliRunner().invoke(main, ["person", anna[5]]).output, json.dumps(told(anna[5]), ensure_ascii=False)):
        assert "refused" in output
        assert not any(word in output for word in anna[5:])


@pytest.mark.parametrize(
    ("status", "hours", "why"),
    [
        ("pending", 30, "the consultation is not paid"),
        ("cancelled", 30, "the consultation is cancelled"),
        ("scheduled", -3, "its time has passed"),
        ("scheduled", 30, "it is not due yet"),
        ("confirmed", 24, "its message is on its way"),
    ],
)
def test_a_reminder_that_is_withheld_says_why(clinic: Clinic, status: str, hours: int, why: str) -> None:
    actors.publish(db.database.url())
    user_id = clinic.add_user()
    clinic.book(user_id, datetime.now(UTC) + timedelta(hours=hours), status)
    remind(datetime.now(UTC))
    reminders = {each["kind"]: each["why"] for each in told(user_id)["reminder"]}
    assert reminders["24h"] == why


def test_a_reminder_without_an_address_or_to_a_suppressed_one_says_so(clinic: Clinic) -> None:
    mute, suppressed = clinic.add_user(None), clinic.add_user("gone@example.com")
    for user_id in (mute, suppressed):
        clinic.book(user_id, datetime.now(UTC) + timedelta(days=2))
    clinic.rows(
        "INSERT INTO balansity.suppression (address, reason, since) VALUES ('gone@example.com', 'bounced', now())"
    )
    assert {each["why"] for each in told(mute)["reminder"]} == {"the person has no address"}
    assert {each["why"] for each in told(suppressed)["reminder"]} == {"the address is suppressed"}


def test_a_name_that_several_bear_is_not_guessed(clinic: Clinic) -> None:
    users = {
        live_with_the_service(clinic, address, "Анна", "Иванова")[0] for address in ("a@example.com", "b@example.com")
    }
    found = told("Иванова")
    assert {each["user_id"] for each in found} == users
    assert told("Анна Иванова") == found


def test_mail_to_an_address_that_is_no_users_is_found(clinic: Clinic) -> None:
    deliver(read_order({"to": "Vera@example.com", "subject": "…", "template": "report_ready"}), "m1")
    story = told("vera@example.com")
    assert (story["kind"], story["user_id"]) == ("address", None)
    assert "mail planned" in happened(story)


def test_a_row_of_nobodys_and_of_an_odd_time_has_a_journey(clinic: Clinic) -> None:
    checkup = clinic.add_checkup(None)
    clinic.rows("UPDATE public.assessments SET started_at = 'infinity' WHERE id = %s", checkup)
    assert [step["at"] for step in told(checkup)["step"] if step["event"] == "begun"] == [None]


@pytest.mark.parametrize("words", ["nobody@example.com", "deadbeef", "Никто", "'; DROP TABLE users; --", "%", ""])
def test_what_names_nothing_is_said(clinic: Clinic, words: str) -> None:
    assert "Nothing here is called" in told(words, exit_code=1)


@pytest.mark.parametrize("named_by", [0, 3, 4, 5])  # her, her consultation, her payment, her address
@pytest.mark.parametrize(("state", "event"), [("rejected", "is dead"), ("cancelled", "is cancelled")])
def test_what_was_given_up_is_found_by_whatever_it_says_of_a_person(
    clinic: Clinic, anna: list[str], named_by: int, state: str, event: str
) -> None:
    other = live_with_the_service(clinic, "johanna@example.com", "Иоанна", "Другая")
    for words, error in ((f"to {anna[named_by].upper()}, at once", None), ("", f"Refused: <{anna[named_by]}>")):
        clinic.rows(
            "INSERT INTO dramatiq.queue (message_id, queue_name, state, error, message) "
            "SELECT gen_random_uuid(), 'emails', %s, %s, "
            "jsonb_build_object('actor_name', 'send_email', 'kwargs', jsonb_build_object('words', %s))",
            *(state, error, words),
        )
    given_up = [step["event"] for step in told(anna[0])["step"] if step["event"] == event]
    assert given_up == [event, event]
    assert f"message {event}" not in happened(told(other[0]))
