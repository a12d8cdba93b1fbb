"""A person has a mail sent once more, whatever became of it: the one exception from sending it once."""

import json
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from click.testing import CliRunner, Result

import cli
from actors.emails import send_email
from actors.reports import generate_report
from db.database import transaction
from desk import journey, sending
from desk.decision import Decision
from errors import BalansityError
from mail.delivery import deliver
from mail.order import read_order
from tests.clinic import Clinic
from tests.integration.ledger_cases import order, outbox
from tests.integration.report_cases import answer, completed_checkup

DECISION = Decision("vera", "shell", "she asked on the phone")
PENDING = """
    SELECT message_id::text, message ->> 'actor_name', message -> 'kwargs' FROM dramatiq.queue
    WHERE state = 'queued' ORDER BY position
"""


def work(clinic: Clinic) -> None:
    """Do what waits, reports and then the mails that they order."""
    while pending := clinic.rows(PENDING):
        for message_id, actor, arguments in pending:
            if actor == send_email.actor_name:
                deliver(read_order(arguments), message_id)
            else:
                generate_report(**arguments)
            clinic.rows("UPDATE dramatiq.queue SET state = 'done' WHERE message_id = %s", message_id)


def first(clinic: Clinic, **change: Any) -> str:
    """A mail that went out; its delivery."""
    send_email.send(**order(**change))
    work(clinic)
    return str(clinic.value("SELECT id FROM balansity.delivery"))


def again(delivery_id: str, **options: Any) -> sending.SentAgain:
    with transaction() as conn:
        return sending.again(conn, delivery_id, DECISION, **options)


def forget_messages(clinic: Clinic) -> None:
    clinic.rows("DELETE FROM dramatiq.queue")


def state(clinic: Clinic, delivery_id: str) -> tuple[str, str | None]:
    [found] = clinic.rows("SELECT state, reason FROM balansity.delivery WHERE id = %s", delivery_id)
    return found[0], found[1]


def test_a_delivered_mail_goes_out_once_more_and_the_decision_is_kept(clinic: Clinic) -> None:
    old = first(clinic, key="report:1")
    sent = again(old)
    work(clinic)
    assert len(outbox()) == 2
    decided = "SELECT key, state, again_of::text, decided_by, decided_because FROM balansity.delivery WHERE id = %s"
    assert clinic.rows(decided, sent.delivery_id) == [
        (f"again:{old}:1", "sent", old, "vera", "she asked on the phone"),
    ]


def test_a_reminder_that_the_old_system_sent_goes_out_once_more(clinic: Clinic) -> None:
    user = clinic.add_user()
    at = datetime.now(UTC) + timedelta(days=1)
    appointment = clinic.book(user, at, "scheduled")
    old = clinic.value(
        "INSERT INTO balansity.delivery"
        " (key, template, state, reason, user_id, message_id, planned_at, changed_at)"
        " VALUES (%s, 'appointment_reminder_24h', 'sent', 'by the old system', %s, 'the old system', now(), now())"
        " RETURNING id::text",
        *(f"reminder:24h:{appointment}:{at.isoformat()}", user),
    )
    again(old)
    work(clinic)
    assert len(outbox()) == 1


def test_nobody_sends_again_by_a_key_alone(clinic: Clinic) -> None:
    """Whoever may order mails may choose keys; what goes once goes no second time by one that looks decided."""
    old = first(clinic)
    for key in (f"again:{old}:1", "again:", f"again:{old}:7"):
        deliver(read_order(order(key=key)), "0b4dd1c7-0000-4000-8000-000000000001")
    assert len(outbox()) == 1
    assert clinic.rows("SELECT DISTINCT state, reason FROM balansity.delivery WHERE key LIKE 'again:%%'") == [
        ("failed", "nobody has decided to send it again, as its key says")
    ]


def test_a_double_click_sends_it_once(clinic: Clinic) -> None:
    old, both = first(clinic), Barrier(2)
    results: list[sending.SentAgain] = []

    def click() -> None:
        both.wait(timeout=10)
        results.append(again(old, number=1))

    clicks = [Thread(target=click) for _ in range(2)]
    for each in clicks:
        each.start()
    for each in clicks:
        each.join()
    work(clinic)
    assert {each.delivery_id for each in results} == {results[0].delivery_id}
    assert sorted(each.is_new for each in results) == [False, True]
    assert len(outbox()) == 2


def test_it_is_not_sent_again_while_it_is_being_sent_again(clinic: Clinic) -> None:
    old = first(clinic)
    again(old)
    with pytest.raises(BalansityError, match="being sent again already"):
        again(old)
    work(clinic)
    assert again(old).is_new


@pytest.mark.parametrize("reason", ["bounced", "complained"])
def test_nothing_is_sent_again_to_a_suppressed_address(clinic: Clinic, reason: str) -> None:
    old = first(clinic)
    suppress = "INSERT INTO balansity.suppression (address, reason, since) VALUES ('anna@example.com', %s, now())"
    clinic.rows(suppress, reason)
    with pytest.raises(BalansityError, match="suppressions --lift"):
        again(old)


def test_nothing_is_sent_again_to_whoever_was_forgotten(clinic: Clinic) -> None:
    old = first(clinic)
    clinic.rows("SELECT balansity.forget_deliveries(ARRAY[%s]::uuid[])", old)
    with pytest.raises(BalansityError, match="forgotten"):
        again(old)


def test_forgetting_takes_the_reason_of_a_decision_along(clinic: Clinic) -> None:
    sent = again(first(clinic))
    clinic.rows("SELECT balansity.forget_deliveries(ARRAY[%s]::uuid[])", sent.delivery_id)
    assert clinic.value("SELECT decided_because FROM balansity.delivery WHERE id = %s", sent.delivery_id) is None


def test_it_goes_to_the_address_that_the_person_has_now(clinic: Clinic) -> None:
    user = clinic.add_user("old@example.com")
    old = first(clinic, to="old@example.com", user_id=user)
    clinic.rows("UPDATE public.users SET email = 'new@example.com' WHERE id = %s", user)
    again(old)
    work(clinic)
    assert sorted(mail["To"] for mail in outbox()) == ["new@example.com", "old@example.com"]


def test_a_reminder_and_a_move_go_out_once_more_although_the_family_was_told(clinic: Clinic) -> None:
    family = clinic.add_family()
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
    appointment = clinic.book_for(family, at)
    for template in ("appointment_reminder_24h", "appointment_moved", "appointment_confirmation"):
        about = {"appointment_id": appointment, "scheduled_at": at.isoformat()}
        key = f"appointment:{appointment}:{template}"
        send_email.send(**order(template, variables=about, user_id=family.user_id, key=key))
    work(clinic)
    before = clinic.rows("SELECT id::text FROM balansity.delivery WHERE state IN ('sent', 'superseded')")
    assert len(before) == 3
    sent = [again(old) for (old,) in before]
    work(clinic)
    assert [state(clinic, each.delivery_id) for each in sent] == [("sent", None)] * 3


def test_what_its_message_no_longer_tells_its_key_does(clinic: Clinic) -> None:
    family = clinic.add_family()
    payment = clinic.add_payment(family.user_id, status="completed")
    old = first(
        clinic,
        template="payment_confirmation",
        subject="Подтверждение оплаты",
        variables={"payment_id": payment},
        user_id=family.user_id,
        key=f"payment:{payment}:completed",
    )
    forget_messages(clinic)
    sent = again(old)
    work(clinic)
    forget_messages(clinic)
    once_more = again(sent.delivery_id)
    work(clinic)
    assert state(clinic, once_more.delivery_id) == ("sent", None)
    assert len({mail["Subject"] for mail in outbox()}) == 1


def test_the_persons_journey_and_the_payments_story_tell_that_it_was_sent_again(clinic: Clinic) -> None:
    family = clinic.add_family()
    payment = clinic.add_payment(family.user_id, status="completed")
    about = {"variables": {"payment_id": payment}, "user_id": family.user_id, "key": f"payment:{payment}:completed"}
    sent = again(first(clinic, template="payment_confirmation", **about))
    with transaction() as conn:
        [subject] = journey.find(conn, payment)
        steps = [(step.event, step.detail) for step in journey.steps(conn, subject) if step.id == sent.delivery_id]
    assert ("sent again by vera", "she asked on the phone") in steps
    assert sent.delivery_id in run("payments", "show", payment, "--json").output


def test_what_nobody_knows_any_more_is_refused(clinic: Clinic) -> None:
    old = first(clinic)
    forget_messages(clinic)
    with pytest.raises(BalansityError, match="no longer kept, and its key does not say"):
        again(old)


@pytest.fixture
def report_mail(clinic: Clinic) -> str:
    """The delivery that brought a report."""
    generate_report(assessment_id=completed_checkup(clinic, clinic.add_user()))
    work(clinic)
    return str(clinic.value("SELECT id FROM balansity.delivery WHERE template = 'report_ready'"))


def attached() -> list[bytes]:
    return [part.get_content() for mail in outbox() for part in mail.iter_attachments()]


@pytest.mark.parametrize("kept", [True, False])
def test_a_report_goes_out_once_more_with_its_stored_file(clinic: Clinic, report_mail: str, kept: bool) -> None:
    if not kept:
        forget_messages(clinic)
    again(report_mail)
    work(clinic)
    [one, other] = attached()
    assert one == other == bytes(clinic.value("SELECT content FROM balansity.report"))


def test_a_report_that_is_gone_is_refused_and_can_be_made_anew(clinic: Clinic, report_mail: str) -> None:
    clinic.rows("DELETE FROM balansity.report")
    with pytest.raises(BalansityError, match="have it made anew"):
        again(report_mail)
    again(report_mail, made_anew=True)
    work(clinic)
    assert len(attached()) == 2


def test_a_report_made_anew_takes_the_place_of_the_stored_file(clinic: Clinic, report_mail: str) -> None:
    clinic.rows("UPDATE balansity.report SET content = 'spoilt'")
    sent = again(report_mail, made_anew=True)
    work(clinic)
    assert all(file.startswith(b"%PDF-") for file in attached())
    assert state(clinic, sent.delivery_id) == ("sent", None)


def test_a_report_made_anew_of_other_answers_says_what_they_say(clinic: Clinic, report_mail: str) -> None:
    assessment = clinic.value("SELECT id FROM public.assessments")
    answer(clinic, assessment, value=4)
    again(report_mail, made_anew=True)
    work(clinic)
    generate_report(assessment_id=assessment)
    work(clinic)
    [one, other] = attached()
    assert one != other
    assert clinic.value("SELECT count(*) FROM balansity.report") == 2


def test_only_a_report_can_be_made_anew(clinic: Clinic) -> None:
    with pytest.raises(BalansityError, match="no report that could be made anew"):
        again(first(clinic), made_anew=True)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, list(arguments))


def test_the_shell_sends_it_again_for_a_reason_and_tells_both_stories(clinic: Clinic) -> None:
    old = first(clinic)
    asked = run("deliveries", "--again", old[:8])
    assert (asked.exit_code, "--reason" in asked.output) == (2, True)
    assert run("deliveries", "--again", old[:8], "--reason", " ").exit_code == 2
    told = run("deliveries", "--again", old[:8], "--reason", "it was lost")
    assert (told.exit_code, "in the place of" in told.output) == (0, True)
    assert "sent again by" in run("deliveries", old).output
    assert "it was lost" in run("deliveries", f"again:{old}").output


def test_the_shell_lists_a_report_tells_its_mails_and_mails_it_again(clinic: Clinic, report_mail: str) -> None:
    report = clinic.value("SELECT id FROM balansity.report")
    assert report[:8] in run("reports").output
    assert run("reports", "--again", report).exit_code == 2
    assert run("reports", "--again", report[:8], "--reason", "the father asked").exit_code == 0
    work(clinic)
    assert len(attached()) == 2
    mails = json.loads(run("reports", report[:8], "--json").output)["mail"]
    assert mails[0]["id"] == report_mail
    assert [each["state"] for each in mails] == ["sent", "sent"]
    assert report_mail[:8] in run("reports", report).output
    assert "There is no report '00000000'" in run("reports", "00000000").output


def test_the_shell_names_what_is_not_there(clinic: Clinic) -> None:
    nothing = run("deliveries", "--again", "00000000", "--reason", "it was lost")
    assert (nothing.exit_code, "There is no delivery '00000000'" in nothing.output) == (1, True)


def test_a_decision_needs_a_reason() -> None:
    with pytest.raises(BalansityError, match="Give a reason"):
        Decision("vera", "page", " \n")


def test_nothing_is_kept_where_the_message_cannot_be_sent(clinic: Clinic) -> None:
    old = first(clinic)
    refuse = "CREATE TRIGGER refuse BEFORE INSERT ON dramatiq.queue FOR EACH ROW EXECUTE FUNCTION public.refuse()"
    clinic.rows(
        "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$"
    )
    clinic.rows(refuse)
    with pytest.raises(Exception, match="not this one"):
        again(old)
    assert clinic.value("SELECT count(*) FROM balansity.delivery") == 1
