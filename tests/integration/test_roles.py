"""Workers and the web process run under logins that are members of the two roles, which may do no more than that."""

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from dramatiq import Worker
from flask.testing import FlaskClient
from psycopg2 import connect
from psycopg2.errors import InsufficientPrivilege

import actors
import cli
import scheduler
import settings
from alarms import turn
from broker import broker as application
from db import queries
from db.database import pool
from db.migrate import migrate
from mail import unsubscribing
from presence import Presence
from tests.clinic import Clinic
from tests.integration.test_mail_events import PUBLIC_KEY, event, report
from tests.live.database import LiveDatabase
from tests.live.database import live_database as live_databases
from tests.pages import OPERATOR as LOGIN
from tests.pages import USERS, form_of, log_in
from tests.servers import hook, yookassa
from tests.servers.yookassa import YooKassa
from tests.waiting import until
from web.app import create_app

PASSWORD = "of-a-test"
# What each role may not do, of what somebody who took its password would try.
BEYOND = {
    "balansity_worker": (
        "UPDATE public.payments SET amount = 1",
        "UPDATE public.users SET role = 'admin'",
        "DELETE FROM public.appointments",
        "INSERT INTO public.payments (user_id, amount) SELECT id, 1 FROM public.users",
        "SELECT * FROM public.webhook_logs",
        "SELECT pgmq.drop_queue('email_queue')",
        "CREATE TABLE public.mine ()",
        "CREATE TABLE balansity.mine ()",
        # what migrate or an undo would run as the owner
        "UPDATE balansity.intended SET definition = 'ALTER ROLE balansity_worker SUPERUSER'",
        "INSERT INTO balansity.replaced (kind, name, definition, in_place, owner) VALUES ('job', '', '', true, '')",
        # the records of who saw what, who was told, and what was paid
        "DELETE FROM dramatiq.revelation",
        "UPDATE dramatiq.revelation SET reason = ''",
        "DELETE FROM balansity.delivery",
        "DELETE FROM balansity.delivery_attempt",
        "DELETE FROM balansity.delivery_event",
        "DELETE FROM balansity.provider_payment",
        "DELETE FROM balansity.restore",
        "UPDATE balansity.payment_transition SET new_status = 'completed'",
        "CREATE OR REPLACE FUNCTION balansity.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT now()'",
    ),
    "balansity_web": (
        "SELECT phone FROM public.users",
        "SELECT * FROM public.answers",
        "SELECT dob FROM public.profiles",
        "SELECT content FROM balansity.report",
        "UPDATE public.payments SET status = 'completed'",
        "UPDATE public.appointments SET status = 'confirmed'",
        "DELETE FROM dramatiq.queue",
        "SELECT pgmq.read('email_queue', 30, 1)",
        "SELECT public.queue_email_task('a@example.com', 's', 't')",
        "UPDATE balansity.job SET schedule = '* * * * *'",
        "UPDATE balansity.slot SET state = 'succeeded'",
        "SELECT * FROM dramatiq.revelation",
    ),
}


@pytest.fixture
def shop() -> Iterator[YooKassa]:
    with yookassa.running() as provider:
        yield provider


@pytest.fixture
def live(server: str, worker_id: str, shop: YooKassa, tmp_path: Path) -> Iterator[LiveDatabase]:
    """A live database that is ours, and settings for workers and the web; whose login it is, each test says."""
    with live_databases(server, f"roles_{worker_id}", old_system=False) as live, pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "DATABASE_URL": live.url,
            "EMAIL_OUTBOX_DIR": str(tmp_path),
            "YOOKASSA_API_URL": shop.url,
            "YOOKASSA_SHOP_ID": yookassa.SHOP_ID,
            "YOOKASSA_SECRET_KEY": yookassa.SECRET_KEY,
            "SENDGRID_WEBHOOK_PUBLIC_KEY": PUBLIC_KEY,
            "WEB_USERS": USERS,
        }.items():
            patch.setenv(name, value)
        settings.current.cache_clear()
        migrate(live.url)
        actors.publish(live.url, scheduler.publish)
        yield live
        application.close()
        pool.closeall()
    settings.current.cache_clear()


@contextmanager
def login(live: LiveDatabase, role: str) -> Iterator[Clinic]:
    """Let this process be a member of `role`, and of nothing else; a connection of such a login."""
    with live.superuser() as superuser, pytest.MonkeyPatch.context() as patch:
        name = f"{role}_of_{superuser.value('SELECT current_database()')}"
        superuser.rows(f"DROP ROLE IF EXISTS {name}")  # of a run that was killed
        superuser.rows(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}' BYPASSRLS IN ROLE {role}")
        url = live.url.replace("live_owner:", f"{name}:")
        patch.setenv("DATABASE_URL", url)
        settings.current.cache_clear()
        pool.closeall()
        conn = connect(url)
        conn.autocommit = True
        yield Clinic(conn)
        conn.close()
        application.close()
        pool.closeall()
        superuser.rows(f"DROP ROLE {name}")
    settings.current.cache_clear()


def refused(clinic: Clinic, role: str) -> None:
    for statement in BEYOND[role]:
        with pytest.raises(InsufficientPrivilege):
            clinic.rows(statement)


def test_a_worker_and_a_scheduler_need_no_more_than_their_role(live: LiveDatabase, shop: YooKassa) -> None:
    site, now = live.site, datetime.now(UTC)
    anna = site.sign_up()
    appointment = site.book(anna, now + timedelta(hours=5))
    with site.server() as server:
        payment = server.value(
            "INSERT INTO payments (user_id, amount, status, payment_method, external_payment_id, metadata) "
            "VALUES (%s, 5000, 'pending', 'yookassa', %s, jsonb_build_object('appointment_id', %s)) RETURNING id",
            *(anna.user_id, shop.add_payment(), appointment),
        )
        server.value("SELECT queue_payment_processing(%s, 'verify')", payment)
    site.complete_checkup(anna, site.begin_checkup(anna), results=None)
    with login(live, "balansity_worker") as clinic, live.owner() as owner:
        scheduler.introduce(now)
        Presence(scheduler.SILENCE_SECONDS).beat(now, [])
        scheduler.enqueue_due(now + timedelta(days=1))
        worker = Worker(application, worker_timeout=100, worker_threads=2)
        worker.start()
        try:
            until(owner.is_worked_off)
        finally:
            worker.stop()
        assert owner.rows("SELECT error FROM dramatiq.queue WHERE state = 'rejected'") == []
        assert owner.rows("SELECT DISTINCT state FROM balansity.slot WHERE state IN ('failed', 'planned')") == []
        assert owner.value("SELECT status FROM public.payments") == "completed"
        assert owner.value("SELECT count(*) FROM balansity.report") == 1
        mails = "SELECT template FROM balansity.delivery WHERE state = 'sent' ORDER BY template"
        assert {template for (template,) in owner.rows(mails)} >= {"payment_confirmation", "report_ready"}
        tells(clinic, owner)
        refused(clinic, "balansity_worker")


def tells(clinic: Clinic, owner: Clinic) -> None:
    """Take a turn of telling under this login: everything of it."""
    owner.rows("INSERT INTO balansity.payment_flag VALUES (gen_random_uuid(), 'a test', now())")
    with hook.running() as told, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALARM_WEBHOOK_URL", told.url)
        settings.current.cache_clear()
        for _ in range(3):
            clinic.rows("UPDATE balansity.alarm_turn SET next_at = '-infinity'")
            assert turn.take(clinic.connection)
            clinic.rows("UPDATE balansity.alarm SET began_at = began_at - interval '3 minutes'")
        assert len(told.texts) == 1
        assert "check-failed" not in {row[0] for row in clinic.rows("SELECT check_name FROM balansity.alarm")}
    settings.current.cache_clear()


def unsubscribes(client: FlaskClient, delivery: str) -> None:
    """A family's mail program ends reminders."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEB_URL", "https://work.balansity.example")
        patch.setenv("UNSUBSCRIBE_KEYS", b64encode(b"k" * 32).decode())
        settings.current.cache_clear()
        link = unsubscribing.link(delivery).removeprefix("https://work.balansity.example")
        assert client.post(link, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    settings.current.cache_clear()


def test_doctor_prints_what_a_role_lacks_and_migrate_gives_it(live: LiveDatabase) -> None:
    with live.owner() as owner:
        owner.rows("REVOKE SELECT ON public.users, public.payments FROM balansity_worker")
        lacking = "GRANT SELECT ON TABLE public.payments, public.users TO balansity_worker"
        assert queries.roles.missing_grants(owner.connection) == lacking
        assert lacking in CliRunner().invoke(cli.main, ["doctor", "--json"]).output
        migrate(live.url)
        assert queries.roles.missing_grants(owner.connection) is None


def test_the_web_process_needs_no_more_than_its_role(live: LiveDatabase, shop: YooKassa) -> None:
    with live.owner() as owner, login(live, "balansity_web") as clinic:
        external_id, user_id = shop.add_payment(), live.site.sign_up().user_id
        owner.rows(
            "INSERT INTO public.payments (user_id, amount, external_payment_id) VALUES (%s, 5000, %s)",
            *(user_id, external_id),
        )
        client = create_app().test_client()
        rules = client.application.url_map.iter_rules()
        pages = {rule.rule for rule in rules if "GET" in (rule.methods or ()) and not rule.arguments} - {
            "/health/system"
        }
        assert len(pages) > 10
        answer = client.get("/health/system")
        assert "check-failed" not in {each["check"] for each in json.loads(answer.text)["checks"]}
        payment = owner.value("SELECT id::text FROM public.payments")
        kept = owner.value(
            "INSERT INTO balansity.report"
            " (assessment_id, user_id, format, digest, filename, media_type, size_bytes, content, created_at)"
            " VALUES (%s, %s, 'csv', 'd', 'a.csv', 'text/csv', 1, 'x', now()) RETURNING id::text",
            *(payment, user_id),
        )
        pages |= {f"/people/user/{user_id}", f"/payments/{payment}", f"/reports/{kept}"}
        pages |= {"/jobs?period=night", "/jobs/keep-minutes?period=day"}
        for page in sorted(pages):
            with client.get(page, auth=LOGIN) as told:
                assert told.status_code == 200, page
        log_in(client)
        owner.rows("SELECT balansity.flag_payment(%s, 'refund refused: no', now())", payment)
        for page, action in (
            (f"/payments/{payment}", "reveal"),
            (f"/payments/{payment}", "resolve"),
            (f"/reports/{kept}", "open"),
            ("/jobs/keep-minutes", "run"),
            ("/jobs/keep-minutes", "pause"),
            ("/jobs/keep-minutes", "resume"),
        ):
            form = form_of(client.get(page).text, f"{page}/{action}") | {"reason": "it is asked for"}
            assert client.post(f"{page}/{action}", data=form).status_code in {200, 303}, (page, action)
        notice = {
            "type": "notification",
            "event": "payment.succeeded",
            "object": {"id": external_id, "status": "succeeded"},
        }
        assert client.post("/webhooks/yookassa", json=notice).status_code == 200
        assert (
            owner.value("SELECT count(*) FROM dramatiq.queue WHERE message ->> 'actor_name' = 'process_payment'") == 1
        )
        delivery = owner.value(
            "INSERT INTO balansity.delivery (key, template, attempts, state, message_id, planned_at, changed_at) "
            "VALUES ('a', 'report_ready', 1, 'sent', 'm1', now(), now()) RETURNING id::text"
        )
        assert report(client, event(delivery, "delivered"), event(delivery, "spamreport", 2)) == 204
        assert owner.value("SELECT state FROM balansity.delivery") == "complained"
        owner.rows("UPDATE balansity.delivery SET recipient = 'anna@example.com'")
        unsubscribes(client, delivery)
        assert owner.value("SELECT reason FROM balansity.suppression") == "unsubscribed"
        tells(clinic, owner)
        refused(clinic, "balansity_web")
