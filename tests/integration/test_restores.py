"""Data that comes from elsewhere: what may have left there is held, and only that; a person decides once for all."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import dramatiq
import pytest
from click.testing import CliRunner, Result

import settings
from actors.appointments import remind
from actors.payments import process_payment
from broker import broker
from cli import main
from db import queries
from db.connection import Connection
from mail import restore
from tests.clinic import Clinic
from tests.integration.ledger_cases import order, outbox, report_delivered
from tests.integration.payment_cases import payment_of
from tests.integration.report_cases import answer
from tests.servers import sendgrid
from tests.servers.sendgrid import Reply
from tests.servers.yookassa import YooKassa
from tests.waiting import WAITS_HERE, until

HOUR = timedelta(hours=1)
IDLE = """
    SELECT NOT EXISTS (SELECT FROM dramatiq.queue WHERE queue_name <> 'analytics' AND state IN ('queued', 'consumed'))
       AND NOT EXISTS (TABLE pgmq.q_email_queue) AND NOT EXISTS (TABLE pgmq.q_report_generation_queue)
       AND NOT EXISTS (TABLE pgmq.q_payment_processing_queue)
"""


@pytest.fixture
def start(environment: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Starts a worker in this process."""
    workers: list[dramatiq.Worker] = []

    def begin() -> None:
        queues = {"emails", "reports", "payments"}
        workers.append(dramatiq.Worker(broker, queues=queues, worker_timeout=100, worker_threads=2))
        workers[0].start()

    yield begin
    for worker in workers:
        worker.stop()


def move(clinic: Clinic) -> None:
    """What a dump does to the data, as far as it can tell."""
    clinic.value("SELECT balansity.notice_restore()")
    clinic.rows("UPDATE balansity.home SET database_oid = 1")


def settled(clinic: Clinic) -> dict[str, str]:
    """The state of every delivery by its key, once nothing waits or runs."""
    until(lambda: clinic.value(IDLE), "no message waits or runs")
    return dict(clinic.rows("SELECT key, state FROM balansity.delivery"))


def shell(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def send(name: str) -> None:
    broker.enqueue(dramatiq.Message("emails", "send_email", (), order(key=name), {}))


def test_held_is_what_was_due_by_its_message_or_by_its_cause_and_nothing_later(
    clinic: Clinic, user: str, shop: YooKassa, start: Callable[[], None]
) -> None:
    now = datetime.now(UTC)
    reminded = clinic.book(user, now + 20 * HOUR)
    later = clinic.book(user, now + 24 * HOUR + timedelta(minutes=5))
    checkup = clinic.add_checkup(user)
    answer(clinic, checkup)
    clinic.rows("UPDATE public.assessments SET status = 'completed' WHERE id = %s", checkup)
    verified, told, paid_later = (payment_of(clinic, shop.add_payment()) for _ in range(3))
    process_payment.send(payment_id=verified, action="verify")
    bought = {"appointment_type_id": clinic.type_id(), "scheduled_at": (now + 72 * HOUR).isoformat()}
    buying = payment_of(clinic, shop.add_payment(), metadata=bought)  # books, once it is known to be paid
    process_payment.send(payment_id=buying, action="verify")

    move(clinic)
    start()
    before = settled(clinic)
    remind(now)
    remind(now + timedelta(minutes=6))
    booked = clinic.book(user, now + 48 * HOUR)
    clinic.set_payment(told, "completed")
    shop.payments[clinic.value("SELECT external_payment_id FROM public.payments WHERE id = %s", paid_later)][
        "captured_at"
    ] = (now + HOUR).isoformat()
    process_payment.send(payment_id=paid_later, action="verify")
    after = settled(clinic)

    [report] = [key for key in before if key.startswith(f"report_ready:{checkup}:")]
    held = {f"appointment:{reminded}:booked", f"appointment:{later}:booked", f"checkup:{checkup}:completed", report}
    consultation = clinic.value("SELECT id::text FROM public.appointments WHERE payment_id = %s", buying)
    held |= {f"payment:{verified}:completed", f"payment:{buying}:completed", f"appointment:{consultation}:booked"}
    assert before == dict.fromkeys(held, "unknown")
    [reminder] = [key for key in after if key.startswith(f"reminder:24h:{reminded}:")]
    [later_reminder] = [key for key in after if key.startswith(f"reminder:24h:{later}:")]
    gone = {
        later_reminder,
        f"appointment:{booked}:booked",
        f"payment:{told}:completed",
        f"payment:{paid_later}:completed",
    }
    assert after == dict.fromkeys({*held, reminder}, "unknown") | dict.fromkeys(gone, "sent")


def test_a_point_in_time_restore_is_held_at_a_persons_word_and_closed(
    clinic: Clinic, connection: Connection, start: Callable[[], None]
) -> None:
    for name in ("k1", "k2"):
        send(name)
    told = shell("restored", "--since", (datetime.now(UTC) - HOUR).isoformat())
    assert "is held" in told.output
    start()
    assert settled(clinic) == {"k1": "unknown", "k2": "unknown"}
    send("k3")
    assert settled(clinic) == {"k1": "unknown", "k2": "unknown", "k3": "sent"}

    report_delivered(connection, clinic.value("SELECT id::text FROM balansity.delivery WHERE key = 'k1'"))
    assert "1 mails are taken as sent" in shell("restored", "--close", "--reason", "a test").output
    assert settled(clinic) == {"k1": "delivered", "k2": "sent", "k3": "sent"}
    assert len(outbox()) == 1


def test_sendgrid_tells_which_of_them_had_left(
    clinic: Clinic, environment: pytest.MonkeyPatch, start: Callable[[], None]
) -> None:
    with sendgrid.running() as provider:
        environment.setenv("EMAIL_PROVIDER", "sendgrid")
        environment.setenv("SENDGRID_API_KEY", sendgrid.KEY)
        environment.setenv("SENDGRID_API_URL", provider.url)
        settings.current.cache_clear()
        for name in ("k1", "k2", "k3"):
            send(name)
        move(clinic)
        start()
        assert set(settled(clinic).values()) == {"unknown"}
        left = clinic.value("SELECT id::text FROM balansity.delivery WHERE key = 'k2'")
        provider.accepted.append({"custom_args": {"delivery": left}})

        provider.has_activity = False
        assert "Email Activity History" in shell("restored", "--ask", "--reason", "a test").output
        provider.has_activity = True
        assert "1 of 3 had been sent" in shell("restored", "--ask", "--reason", "a test").output
        assert settled(clinic) == {"k1": "unknown", "k2": "sent", "k3": "unknown"}
        provider.scripted = [Reply(429)]
        assert "0 of 0" in shell("restored", "--ask", "--reason", "a test").output


@pytest.mark.usefixtures("environment")
def test_a_provider_that_cannot_be_asked_is_not(clinic: Clinic) -> None:
    clinic.rows(
        "INSERT INTO balansity.delivery (key, template, state, message_id, planned_at, changed_at, held_at) "
        "VALUES ('k', 'report_ready', 'unknown', 'm', now(), now(), now())"
    )
    refused = shell("restored", "--ask", "--reason", "a test")
    assert (refused.exit_code, "cannot be asked" in refused.output) == (1, True)


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("since", ["yesterday", "2999-01-01T00:00", "2026-11-25T09:30+99:00"])
def test_a_time_that_cannot_be_is_refused(since: str) -> None:
    refused = shell("restored", "--since", since)
    assert (refused.exit_code, "--since" in refused.output) == (2, True)


def test_a_mail_that_a_person_lets_go_is_tried_again_like_any_other(clinic: Clinic, start: Callable[[], None]) -> None:
    send("k1")
    move(clinic)
    start()
    assert settled(clinic) == {"k1": "unknown"}
    clinic.rows("UPDATE dramatiq.queue SET message = jsonb_set(message, '{options,retries}', '3')")
    shell("deliveries", "--resend", "k1", "--reason", "a test")
    assert settled(clinic) == {"k1": "sent"}
    [mail] = outbox()
    delivery = clinic.value("SELECT id::text FROM balansity.delivery")
    assert mail["Message-ID"].startswith(f"<{delivery}.1@")  # seen beside the first, should that have arrived


@pytest.mark.parametrize(
    "elsewhere", ["system_identifier = system_identifier + 1", "database_oid = 1", "table_oid = 1"]
)
def test_a_restore_is_noticed_once_by_whichever_sign(undone: Connection, elsewhere: str) -> None:
    def notice() -> Any:
        return queries.deliveries.notice_restore(undone)

    assert (notice(), notice()) == (False, False)
    with undone.cursor() as cursor:
        cursor.execute(f"UPDATE balansity.home SET {elsewhere}")
    assert (notice(), notice()) == (True, False)


def test_a_role_that_may_not_ask_the_server_goes_by_the_oids(undone: Connection) -> None:
    with undone.cursor() as cursor:
        cursor.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
        cursor.execute("CREATE ROLE modest; GRANT USAGE ON SCHEMA balansity, dramatiq TO modest")
        cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA balansity TO modest")
        cursor.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO modest")
        cursor.execute("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA balansity, dramatiq TO modest; SET ROLE modest")
        assert queries.deliveries.notice_restore(undone) is False
        cursor.execute("SELECT system_identifier FROM balansity.home")
        assert cursor.fetchone() == (None,)
        cursor.execute("UPDATE balansity.home SET table_oid = 1")
        assert queries.deliveries.notice_restore(undone) is True


def test_of_processes_that_meet_a_restored_database_at_once_one_notes_it(
    clinic: Clinic, connect: Callable[[], Connection]
) -> None:
    move(clinic)
    first, second = connect(), connect()
    first.autocommit = False
    news = [queries.deliveries.notice_restore(first)]
    other = Thread(target=lambda: news.append(queries.deliveries.notice_restore(second)))
    other.start()
    until(lambda: clinic.value(f"SELECT count(*) > 0 FROM pg_locks WHERE {WAITS_HERE}"), "the second waits")
    first.commit()
    other.join()
    assert news == [True, False]
    assert clinic.value("SELECT count(*) FROM balansity.restore") == 1


def test_an_id_follows_from_the_business_key_and_of_a_number_from_its_time_too(clinic: Clinic) -> None:
    """The numbers of pgmq go on from an old one after a restore: another mail must not pass for the first."""
    entry = "('k', %s, '00000000-0000-4000-8000-000000000001', 'report_ready', NULL, NULL, NULL, NULL, NULL)"

    def planned(numbered: bool, sent_at: int) -> str:
        clinic.rows("DELETE FROM balansity.delivery; DELETE FROM dramatiq.queue")
        clinic.rows(
            "INSERT INTO dramatiq.queue (message_id, message) VALUES "
            "('00000000-0000-4000-8000-000000000001', jsonb_build_object('message_timestamp', %s::bigint))",
            sent_at,
        )
        return str(clinic.value(f"SELECT id FROM balansity.plan_delivery({entry}::balansity.mail_entry)", numbered))

    assert planned(False, 1) == planned(False, 2)
    assert planned(True, 1) == planned(True, 1) != planned(True, 2)
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}", planned(False, 1))


def test_a_process_that_starts_before_its_database_does_not_mind(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    restore.look()
