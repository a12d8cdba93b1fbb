"""A mail whose reason is gone when it fires is recorded, not sent."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from actors.appointments import remind
from db.connection import Connection
from mail.attempt import Wait
from mail.order import read_order
from tests.clinic import Clinic
from tests.integration import mail_cases as cases
from tests.integration.ledger_cases import (
    begin_sending,
    finish,
    ledger,
    order,
    outbox,
    pass_time,
    report_delivered,
    send,
)

pytestmark = pytest.mark.usefixtures("environment")


class TestGuards:
    @pytest.fixture(autouse=True)
    def clock(self) -> None:
        self.at = datetime.now(UTC).replace(microsecond=0)

    def reminder(self, conn: Connection, kind: str, begins_in: timedelta, status: str = "scheduled") -> dict[str, Any]:
        appointment = Clinic(conn).book_for(Clinic(conn).add_family(), self.at + begins_in, status)
        variables = {"appointment_id": appointment, "scheduled_at": (self.at + begins_in).isoformat()}
        return order(f"appointment_reminder_{kind}", variables=variables)

    @pytest.mark.parametrize("status", ["scheduled", "confirmed"])
    @pytest.mark.parametrize(("kind", "hours"), [("24h", 24), ("24h", 2), ("1h", 1)])
    def test_a_reminder_of_a_booked_appointment_goes_out(
        self, connection: Connection, kind: str, hours: int, status: str
    ) -> None:
        send(self.reminder(connection, kind, timedelta(hours=hours, minutes=-1), status))
        assert ledger(connection)["state"] == "sent"

    @pytest.mark.parametrize("status", ["pending", "cancelled", "completed", "in_progress", "no_show"])
    def test_a_reminder_of_any_other_appointment_does_not(self, connection: Connection, status: str) -> None:
        send(self.reminder(connection, "24h", timedelta(hours=24), status))
        assert (ledger(connection)["state"], outbox()) == ("superseded", [])
        assert status in ledger(connection)["reason"]

    @pytest.mark.parametrize(("kind", "minutes"), [("24h", 59), ("1h", -1)])
    def test_a_reminder_that_comes_too_late_does_not(self, connection: Connection, kind: str, minutes: int) -> None:
        send(self.reminder(connection, kind, timedelta(minutes=minutes)))
        assert ledger(connection)["state"] == "superseded"

    def test_a_worker_whose_clock_is_fast_goes_by_the_databases(self, connection: Connection) -> None:
        earlier = self.at - timedelta(hours=3)
        Clinic(connection).set_clock(earlier)
        send(self.reminder(connection, "1h", timedelta(hours=-3, minutes=59)))
        row = ledger(connection)
        assert (row["state"], row["planned_at"], row["changed_at"]) == ("sent", earlier, earlier)

    def test_a_reminder_of_a_moved_appointment_does_not(self, connection: Connection) -> None:
        payload = self.reminder(connection, "24h", timedelta(hours=24))
        with connection.cursor() as cursor:
            cursor.execute("UPDATE public.appointments SET scheduled_at = scheduled_at + interval '1 day'")
        send(payload)
        assert (ledger(connection)["state"], outbox()) == ("superseded", [])

    def test_the_reason_names_times_as_the_family_reads_them(self, connection: Connection) -> None:
        payload = self.reminder(connection, "24h", timedelta(hours=24))
        moved = "UPDATE public.appointments SET scheduled_at = '2030-01-01T10:00Z', timezone = 'Asia/Vladivostok'"
        with connection.cursor() as cursor:
            cursor.execute(moved)
        send(payload)
        assert ledger(connection)["reason"] == "the appointment was moved to 1 января в 20:00 (МСК+7)"

    def test_what_may_have_gone_out_is_never_called_superseded_nor_sent_again(self, connection: Connection) -> None:
        payload = self.reminder(connection, "24h", timedelta(hours=23))
        key = read_order(payload).reminder_key()
        assert key
        delivery = begin_sending(connection, "m1", "appointment_reminder_24h", key)
        finish(connection, delivery, 1, "unknown", "SendGrid did not answer")
        pass_time(connection, timedelta(minutes=16))
        self.move(connection, "1 day")
        send(payload, "m1")
        row = ledger(connection)
        assert row["state"] == "unknown"
        assert row["reason"].startswith("SendGrid did not answer; not sent again: the appointment was moved")

        self.move(connection, "-1 day")
        report_delivered(connection, delivery)
        send(payload, "m2")
        assert (ledger(connection)["state"], ledger(connection)["attempts"]) == ("delivered", 1)

    @pytest.mark.parametrize(
        ("answer", "state", "sent_anew"), [("unknown", "unknown", 0), ("planned", "superseded", 1)]
    )
    def test_a_reminder_is_sent_anew_only_if_it_certainly_did_not_go_out(
        self, connection: Connection, answer: str, state: str, sent_anew: int
    ) -> None:
        self.reminder(connection, "24h", timedelta(hours=23))
        remind(self.at)
        payload = cases.row(connection, "SELECT message -> 'kwargs' AS kwargs FROM dramatiq.queue")["kwargs"]
        delivery = begin_sending(connection, "m1", payload["template"], payload["key"])
        finish(connection, delivery, 1, answer, "SendGrid did not take it")
        pass_time(connection, timedelta(minutes=16))
        self.move(connection, "1 day")
        send(payload, "m1")
        assert ledger(connection)["state"] == state
        self.move(connection, "-1 day")
        assert remind(self.at) == f"{sent_anew} reminders sent"

    def test_a_move_that_may_not_have_been_heard_of_is_told_again_under_its_own_key_only(
        self, connection: Connection
    ) -> None:
        moved = self.reminder(connection, "24h", timedelta(hours=30)) | {"template": "appointment_moved", "key": "k"}
        send(moved)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE balansity.delivery_attempt SET outcome = 'unknown'")
            cursor.execute("UPDATE balansity.delivery SET state = 'unknown', changed_at = now() - interval '6 min'")
        send(moved | {"key": "another"}, "m2")
        send(moved)
        with connection.cursor() as cursor:
            cursor.execute("SELECT key, state, attempts FROM balansity.delivery ORDER BY key")
            assert cursor.fetchall() == [("another", "superseded", 0), ("k", "sent", 2)]

    @staticmethod
    def move(conn: Connection, span: str) -> None:
        with conn.cursor() as cursor:
            cursor.execute("UPDATE public.appointments SET scheduled_at = scheduled_at + %s::interval", (span,))

    def test_an_address_that_bounced_does_not_hide_a_mail_that_may_have_gone_out(self, connection: Connection) -> None:
        begin_sending(connection, "m1", ago=timedelta(minutes=40))
        with pytest.raises(Wait):
            send(order(key="k"), "m1")
        pass_time(connection, timedelta(minutes=31))
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO balansity.suppression VALUES ('anna@example.com', 'bounced', NULL, now())")
        send(order(key="k"), "m1")
        row = ledger(connection)
        assert (row["state"], row["attempts"]) == ("unknown", 1)
        assert "not sent again: the address has bounced" in row["reason"]

    @pytest.mark.parametrize(("minutes", "state"), [(-30, "sent"), (-45, "superseded")])
    def test_a_confirmation_goes_out_until_the_appointment_is_over(
        self, connection: Connection, minutes: int, state: str
    ) -> None:
        begins_at = self.at + timedelta(minutes=minutes)
        appointment = Clinic(connection).book_for(Clinic(connection).add_family(), begins_at)
        send(order("appointment_confirmation", variables={"appointment_id": appointment}))
        assert ledger(connection)["state"] == state

    @pytest.mark.parametrize(
        ("kind", "name"),
        [
            ("appointment_confirmation", "appointment_id"),
            ("payment_confirmation", "payment_id"),
            ("checkup_completed", "assessment_id"),
            ("report_ready", "assessment_id"),
        ],
    )
    def test_a_mail_about_what_is_gone_does_not(self, connection: Connection, kind: str, name: str) -> None:
        send(order(kind, variables={name: str(uuid4())}))
        assert (ledger(connection)["state"], ledger(connection)["attempts"]) == ("superseded", 0)
        assert "no longer exists" in ledger(connection)["reason"]

    @pytest.mark.parametrize(
        ("kind", "status", "state"),
        [
            ("payment_confirmation", "completed", "sent"),
            ("payment_confirmation", "refunded", "superseded"),
            ("payment_failed", "failed", "sent"),
            ("payment_failed", "completed", "superseded"),
            ("payment_refunded", "refunded", "sent"),
        ],
    )
    def test_a_payment_mail_goes_out_while_it_is_true(
        self, connection: Connection, kind: str, status: str, state: str
    ) -> None:
        payment = Clinic(connection).add_payment(Clinic(connection).add_family().user_id, {}, status=status)
        send(order(kind, variables={"payment_id": payment, "amount": 5000}))
        assert ledger(connection)["state"] == state
