"""Forgetting finds what is a person's in any spelling and at any depth, and leaves what is another's."""

import pytest
from click.testing import CliRunner

import db.connection
from actors.emails import send_email
from actors.payments import process_payment
from actors.reports import generate_report
from cli import main
from db import queries
from tests.clinic import Clinic
from tests.integration.forget_cases import AT, forget, record, traces, write_down


def test_an_event_that_comes_again_after_its_person_is_forgotten_changes_nothing(clinic: Clinic) -> None:
    user_id = clinic.add_user()
    record(clinic, "payment:1:completed", user_id, {"user_id": user_id})
    forget(user_id)
    record(clinic, "payment:1:completed", user_id, {"user_id": user_id})
    assert clinic.rows("SELECT user_id, facts FROM balansity.analytics_event") == [(None, {})]
    assert clinic.value("SELECT sum(events)::int FROM balansity.analytics_daily") == 1


def test_an_address_that_is_another_users_now_is_left_to_them(clinic: Clinic) -> None:
    user_id = clinic.add_user("old@example.com")
    write_down(clinic, "a", "old@example.com", user_id)
    clinic.rows("UPDATE public.users SET email = 'new@example.com' WHERE id = %s", user_id)
    other_id = clinic.add_user("Old@example.com")
    write_down(clinic, "b", "old@example.com", other_id)
    write_down(clinic, "c", "old@example.com", None)
    clinic.rows("INSERT INTO balansity.suppression VALUES ('old@example.com', 'complained', NULL, now())")
    send_email.send(to="old@example.com", subject="Тема", template="report_ready", variables={}, user_id=other_id)
    send_email.send(to="old@example.com", subject="Тема", template="report_ready", variables={})
    record(clinic, "e", None, {"email": "old@example.com"})
    removed = forget(user_id)["removed"]
    assert {what for what, count in removed.items() if count} == {"addresses in the mail ledger"}
    assert clinic.rows("SELECT recipient, user_id FROM balansity.delivery ORDER BY planned_at") == [
        (None, None),
        ("old@example.com", other_id),
        ("old@example.com", None),
    ]


def test_an_address_of_old_does_not_reach_what_names_another_user(clinic: Clinic) -> None:
    user_id, other_id = clinic.add_user("shared@example.com"), clinic.add_user("other@example.com")
    bounced = write_down(clinic, "b", "shared@example.com", other_id)
    clinic.rows("INSERT INTO balansity.suppression VALUES ('shared@example.com', 'bounced', %s, now())", bounced)
    send_email.send(to="shared@example.com", subject="Тема", template="report_ready", variables={}, user_id=other_id)
    assert not any(forget(user_id)["removed"].values())


@pytest.mark.parametrize(
    "spelling", ["Anna <anna@example.com>", " anna@example.com", "ANNA@EXAMPLE.COM", "see anna@example.com."]
)
def test_an_address_is_found_in_any_spelling(clinic: Clinic, spelling: str) -> None:
    user_id = clinic.add_user("Anna@example.com")
    clinic.rows("SELECT public.queue_email_task(%s, 'Тема', 'report_ready')", spelling)
    write_down(clinic, "a", spelling, None)
    record(clinic, "e", None, {"contact": {"email": spelling}})
    forget(user_id)
    assert traces(clinic, "anna@example.com") == {}


@pytest.mark.parametrize("longer", ["joanna@example.com", "anna@example.com.ru", "mary.anna@example.com"])
def test_a_longer_address_is_somebody_elses(clinic: Clinic, longer: str) -> None:
    user_id = clinic.add_user("anna@example.com")
    clinic.rows("SELECT public.queue_email_task(%s, 'Тема', 'report_ready')", longer)
    assert not any(forget(user_id)["removed"].values())


def test_ids_are_found_in_capitals_and_at_any_depth(clinic: Clinic) -> None:
    user_id = clinic.add_user()
    assessment_id, payment_id = clinic.add_checkup(user_id), clinic.add_payment(user_id)
    appointment_id = clinic.book(user_id, AT, "completed")
    generate_report.send(assessment_id=assessment_id.upper(), user_id=user_id.upper())
    record(clinic, "a", None, {"appointment_id": appointment_id})
    record(clinic, "b", None, {"payload": {"users": [user_id.upper()]}})
    write_down(clinic, f"payment:{payment_id}:completed", None, None)
    forget(user_id)
    assert traces(clinic, user_id, assessment_id, payment_id, appointment_id) == {}


def test_a_mail_that_a_restore_made_doubtful_is_forgotten(clinic: Clinic) -> None:
    payments = [clinic.add_payment(clinic.add_user(f"{name}@example.com")) for name in ("anna", "boris")]
    for payment_id in payments:
        clinic.rows("INSERT INTO balansity.doubtful_mail (key) VALUES (%s)", f"payment:{payment_id}:completed")
    forget(clinic.value("SELECT user_id::text FROM public.payments WHERE id = %s", payments[0]))
    assert clinic.rows("SELECT key FROM balansity.doubtful_mail") == [(f"payment:{payments[1]}:completed",)]


def test_what_a_provider_says_later_is_kept_without_its_words(clinic: Clinic) -> None:
    user_id = clinic.add_user("anna@example.com")
    delivery_id = write_down(clinic, "a", "anna@example.com", user_id)
    clinic.rows("UPDATE balansity.delivery SET attempts = 1")
    forget(user_id)
    with db.database.transaction() as conn:
        queries.deliveries.record_event(
            conn, id="1", delivery_id=delivery_id, kind="bounced", detail="550 <anna@example.com>: no such user",
            occurred_at=AT,
        )  # fmt: skip
    assert clinic.rows("SELECT state FROM balansity.delivery") == [("bounced",)]
    assert traces(clinic, "anna@example.com") == {}


@pytest.mark.parametrize(("calls", "state"), [(0, "superseded"), (1, "unknown")])
def test_a_mail_that_was_planned_is_closed_as_what_is_known_of_it(clinic: Clinic, calls: int, state: str) -> None:
    user_id = clinic.add_user("anna@example.com")
    delivery_id = write_down(clinic, "a", "anna@example.com", user_id, "planned")
    for number in range(calls):
        clinic.rows("INSERT INTO balansity.delivery_attempt VALUES (%s, %s, 'smtp', now())", delivery_id, number)
    forget(user_id)
    assert clinic.rows("SELECT state, reason FROM balansity.delivery") == [(state, None)]


def test_an_answer_to_a_mail_that_was_on_its_way_is_kept_without_its_words(clinic: Clinic) -> None:
    user_id = clinic.add_user("anna@example.com")
    delivery_id = write_down(clinic, "a", "anna@example.com", user_id, "sending")
    clinic.rows("UPDATE balansity.delivery SET attempts = 1")
    clinic.rows("INSERT INTO balansity.delivery_attempt VALUES (%s, 1, 'smtp', now())", delivery_id)
    forget(user_id)
    with db.database.transaction() as conn:
        queries.deliveries.finish_attempt(
            conn, delivery_id=delivery_id, number=1, outcome="failed", answer="550 <anna@example.com>: no such user",
            provider_message_id=None,
        )  # fmt: skip
    assert clinic.rows("SELECT state, reason FROM balansity.delivery") == [("failed", None)]
    assert traces(clinic, "anna@example.com") == {}


def test_what_a_worker_holds_is_left_to_it_and_the_operator_is_told(clinic: Clinic) -> None:
    user_id = clinic.add_user()
    generate_report.send(assessment_id=clinic.add_checkup(user_id), user_id=user_id)
    clinic.rows("UPDATE dramatiq.queue SET state = 'consumed'")
    result = CliRunner().invoke(main, ["forget", user_id, "--yes"])
    assert result.exit_code == 1
    assert "1  messages that still run" in result.output
    clinic.rows("UPDATE dramatiq.queue SET state = 'done'")
    assert forget(user_id)["removed"]["messages of the broker"] == 1


@pytest.mark.parametrize("way", ["pgmq", "broker"])
def test_a_refund_that_waits_is_not_forgotten(clinic: Clinic, way: str) -> None:
    user_id = clinic.add_user()
    payment_id = clinic.add_payment(user_id)
    if way == "pgmq":
        clinic.rows("SELECT public.queue_payment_processing(%s, 'refund')", payment_id)
    else:
        process_payment.send(payment_id=payment_id, action="refund")
    told = forget(user_id, exit_code=1)
    assert told["remaining"] == 1
    assert not any(told["removed"].values())
