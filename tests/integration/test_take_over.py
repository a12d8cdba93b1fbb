"""Migrate prepares beside an old system; a person hands over in one moment, and may hand back."""

import json
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg2
import pytest

import settings
from broker import broker
from db.comparison import differences, is_noted
from db.database import transaction
from mail.delivery import deliver
from mail.order import read_order
from tests.clinic import Clinic
from tests.live.database import LiveDatabase
from tests.live.shell import balansity, pointed_at
from tests.live.site import Site

# Everything of the old system's, as the catalogues tell it.
OLD_SYSTEM = """
    SELECT 'function', p.oid::regprocedure::text, pg_get_functiondef(p.oid), pg_get_userbyid(p.proowner)
    FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'trigger', t.tgrelid::regclass::text, pg_get_triggerdef(t.oid), t.tgenabled::text
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE NOT t.tgisinternal AND c.relnamespace = 'public'::regnamespace
        AND pg_get_triggerdef(t.oid) NOT LIKE '%%balansity.%%'
    UNION ALL
    SELECT 'view', viewname, definition, viewowner FROM pg_views WHERE schemaname IN ('pgmq', 'public')
        AND viewname = 'email_queue'
    ORDER BY 1, 2, 3
"""
DELIVERED = "SELECT message ->> 'template' FROM pgmq.q_email_queue WHERE message ->> 'to' = %s ORDER BY msg_id"


@pytest.fixture
def prepared(live_database: LiveDatabase) -> Iterator[LiveDatabase]:
    """A database of the live kind that `migrate` has prepared."""
    with pointed_at(live_database.url):
        yield live_database


def assert_closed_to_visitors(site: Site) -> None:
    with site.anonymous() as anonymous, pytest.raises(psycopg2.errors.InsufficientPrivilege):
        anonymous.rows("SELECT queue_email_task('a@example.com', 's', 't')")


def told_appointments(owner: Clinic) -> set[tuple[str, ...]]:
    return set(
        owner.rows(
            "SELECT DISTINCT message #>> '{variables,appointment_id}', '24h' FROM "
            "(SELECT message FROM pgmq.q_email_queue UNION ALL SELECT message FROM pgmq.a_email_queue) AS m "
            "WHERE message ->> 'template' = 'appointment_reminder_24h' "
            "AND (message #>> '{variables,scheduled_at}')::timestamptz > now()"
        )
    )


def test_migrate_prepares_and_a_person_hands_over_and_back(prepared: LiveDatabase) -> None:
    """The old system is itself until the hand-over, ours is from it on, and the way back leads exactly there."""
    site = prepared.site
    with prepared.owner() as owner:
        before = owner.rows(OLD_SYSTEM)
        assert "An old system is in charge here" in balansity("migrate").output
        assert owner.rows(OLD_SYSTEM) == before
        assert "is in charge" in balansity("migrate").output
        told = told_appointments(owner)
        first = site.sign_up("first@example.com")
        at = datetime.now(UTC) + timedelta(days=3)
        site.book(first, at)
        assert owner.rows(DELIVERED, first.email) == [("appointment_confirmation",)]
        assert owner.value("SELECT count(*) FROM balansity.cron_job") > 0
        assert owner.rows("SELECT * FROM dramatiq.bridge(1, 'emails', 'email_queue', 'send_email', 10, 10)") == []

        plan = json.loads(balansity("take-over", "--plan", "--json").stdout)
        assert {kind["kind"]: kind["reminders"] for kind in plan["told"]} == {"24h": len(told)}
        assert all(step["obstacle"] is None for step in plan["steps"])
        assert owner.rows(OLD_SYSTEM) == before
        assert owner.value("SELECT count(*) FROM balansity.reminder") == 0

        with psycopg2.connect(prepared.url) as reader, reader.cursor() as reading:
            reading.execute("SELECT count(*) FROM public.appointments; UPDATE public.payments SET updated_at = now()")
            assert (
                "Ours is in charge" in balansity("take-over").output
            )  # while a reader and a writer of the site's are at it
        reader.close()
        assert set(owner.rows("SELECT appointment_id::text, kind FROM balansity.reminder")) == told
        assert balansity("take-over").output == "Ours has been in charge.\n"
        assert is_noted(owner.connection)
        assert differences(owner.connection) == []
        second = site.sign_up("second@example.com")
        site.book(second, at)
        [keyed] = owner.rows("SELECT message ? 'key' FROM pgmq.q_email_queue WHERE message ->> 'to' = %s", second.email)
        assert keyed == (True,)
        assert_closed_to_visitors(site)

        owner.rows("UPDATE public.appointments SET status = 'confirmed' WHERE user_id = %s", second.user_id)
        moved = len(owner.rows("SELECT * FROM dramatiq.bridge(NULL, 'emails', 'email_queue', 'send_email', 1000, 0)"))
        waiting = owner.value("SELECT count(*) FROM dramatiq.queue WHERE state = 'queued'")
        assert (moved, waiting > 0) == (0, True)
        assert "email_queue" in balansity("take-over", "--undo", "--plan").output
        assert f"Given back: {waiting} messages, 1 consultations." in balansity("take-over", "--undo").output
        assert owner.rows(OLD_SYSTEM) == before
        assert "up to date" in balansity("migrate").output
        assert owner.rows(OLD_SYSTEM) == before
        assert owner.value("SELECT count(*) FROM dramatiq.queue WHERE state = 'queued'") == 0
        assert owner.value("SELECT status FROM public.appointments WHERE user_id = %s", second.user_id) == "scheduled"
        assert_closed_to_visitors(site)
        third = site.sign_up("third@example.com")
        site.book(third, at)
        assert owner.rows(DELIVERED, third.email) == [("appointment_confirmation",)]
        assert "Given back: 0 messages, 0" in balansity("take-over", "--undo").output
        assert "Ours is in charge" in balansity("take-over").output
        assert owner.value("SELECT balansity.in_charge()") is True


def test_old_triggers_of_every_shape_end_and_come_back(prepared: LiveDatabase) -> None:
    """A condition that lets all through, one that lets too little through, one that fires before, other names."""
    site = prepared.site
    with prepared.owner() as owner:
        prepared.run("odd_triggers.sql")
        before = owner.rows(OLD_SYSTEM)
        balansity("migrate")
        assert owner.rows(OLD_SYSTEM) == before
        assert "Ours is in charge" in balansity("take-over").output
        customer = site.sign_up()
        booked = site.book(customer, datetime.now(UTC) + timedelta(days=3))
        assert site.hear_of_payment(site.check_out(customer, {"appointment_id": booked}))
        assert site.hear_of_payment(site.check_out(customer, {}), "failed")
        site.complete_checkup(customer, site.begin_checkup(customer))
        told = ["appointment_confirmation", "payment_confirmation", "payment_failed", "checkup_completed"]
        assert owner.rows(DELIVERED, customer.email) == [(template,) for template in told]
        ours = owner.rows(
            "SELECT tgname FROM pg_trigger WHERE tgfoid::regproc::text LIKE 'balansity.handle%%' ORDER BY 1"
        )
        assert ours == [
            ("on_appointment_change",), ("on_new_appointment_balansity",), ("on_new_payment",),
            ("on_payment_status_change_balansity",)
        ]  # fmt: skip
        balansity("take-over", "--undo")
        assert owner.rows(OLD_SYSTEM) == before


def test_an_old_function_that_runs_as_the_visitor_does_not_become_ours(prepared: LiveDatabase) -> None:
    """A statement under way would run ours with the visitor's rights: writers are let end before the change."""
    with prepared.owner() as owner:
        balansity("migrate")
        assert "It locks no table of the site's" in balansity("take-over", "--plan").output
        owner.rows("ALTER FUNCTION public.handle_new_appointment() SECURITY INVOKER")
        balansity("migrate")
        plan = json.loads(balansity("take-over", "--plan", "--json").stdout)
    [(what, statement)] = [
        (step["what"], step["statement"]) for step in plan["steps"] if "handle_new_appointment" in step["name"]
    ]
    assert what.endswith("a trigger of ours stands beside")
    assert statement.startswith(
        "LOCK TABLE public.appointments IN SHARE ROW EXCLUSIVE MODE; CREATE OR REPLACE FUNCTION"
    )


def test_who_was_reminded_is_read_from_evidence(prepared: LiveDatabase) -> None:
    """Waiting or archived, for this time, or unclear: told. For another time, or nothing but a job: not."""
    site = prepared.site
    at = datetime.now(UTC).replace(microsecond=123456) + timedelta(hours=20)
    families = {
        name: site.book(site.sign_up(f"{name}@example.com"), at)
        for name in ("told", "javascript", "moved", "unclear", "garbled", "long_ago", "untold", "an_hour")
    }
    messages: dict[str, object] = {
        "told": {"scheduled_at": at.isoformat()},
        "javascript": {"scheduled_at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z")},
        "moved": {"scheduled_at": (at - timedelta(hours=1)).isoformat()},
        "unclear": {},
        "garbled": {"scheduled_at": "завтра"},
        "long_ago": {"scheduled_at": None},
    }
    with prepared.owner() as owner:
        balansity("migrate")
        send = "SELECT pgmq.send('email_queue', %s)"
        for name, variables in messages.items():
            facts = {"appointment_id": families[name]} | variables  # type: ignore[operator]
            message = {"to": "a@example.com", "template": "appointment_reminder_24h", "variables": facts}
            number = owner.value(send, json.dumps(message))
            if name == "long_ago":
                owner.rows(
                    "UPDATE pgmq.q_email_queue SET enqueued_at = now() - interval '3 days' WHERE msg_id = %s", number
                )
            if name in {"told", "garbled"}:
                owner.rows("SELECT pgmq.archive('email_queue', %s::bigint)", number)
        hour = {
            "template": "appointment_reminder_1h",
            "appointment_id": families["an_hour"],
            "scheduled_at": at.isoformat(),
        }
        owner.value(send, json.dumps(hour))
        for odd in ("[1]", '"text"', '{"template": "appointment_reminder_24h", "variables": 5}'):
            owner.value(send, odd)
        balansity("take-over")
        noted = owner.rows(
            "SELECT appointment_id::text, kind FROM balansity.reminder WHERE appointment_id = ANY (%s::uuid[])",
            list(families.values()),
        )
        told = {(families[name], "24h") for name in ("told", "javascript", "unclear", "garbled")}
        assert set(noted) == told | {(families["an_hour"], "1h")}


def test_reminders_that_the_old_system_repeated_go_once(
    prepared: LiveDatabase, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One waits three times and goes once; one was archived, and goes no more; our job sends neither."""
    monkeypatch.setenv("EMAIL_OUTBOX_DIR", str(tmp_path / "outbox"))
    settings.current.cache_clear()
    site = prepared.site
    at = datetime.now(UTC) + timedelta(hours=20)
    waiting, archived = (site.book(site.sign_up(f"{name}@example.com"), at) for name in ("waiting", "archived"))
    queued = (
        "FROM pgmq.q_email_queue WHERE message #>> '{variables,appointment_id}' = %s "
        "AND message ->> 'template' = 'appointment_reminder_24h'"
    )
    with prepared.owner() as owner:
        balansity("migrate")
        for name, appointment_id in (("waiting", waiting), ("archived", archived)) * 3:
            owner.value(
                "SELECT queue_email_task(%s, 'Напоминание о консультации', 'appointment_reminder_24h', %s)",
                f"{name}@example.com",
                json.dumps({"appointment_id": appointment_id, "scheduled_at": at.isoformat()}),
            )
        owner.rows(f"SELECT pgmq.archive('email_queue', min(msg_id)) {queued}", archived)
        balansity("take-over")
        orders = [row for about in (waiting, archived) for row in owner.rows(f"SELECT msg_id, message {queued}", about)]
        assert len(orders) == 5
        for number, message in orders:
            deliver(read_order(message), str(uuid4()), f"pgmq:email_queue:{number}")
        assert len(list((tmp_path / "outbox").glob("*.eml"))) == 1
        states = owner.rows(
            "SELECT appointment_id::text, state FROM balansity.delivery WHERE appointment_id = ANY (%s::uuid[])",
            [waiting, archived],
        )
        assert sorted(states) == sorted([(waiting, "sent"), (archived, "sent")])
        due = owner.rows("SELECT appointment_id::text FROM balansity.reminders_between(now(), now())")
        assert not {(waiting,), (archived,)} & set(due)


def test_an_interrupted_hand_back_goes_on(prepared: LiveDatabase) -> None:
    """It ended after its transaction and before its batches: again does the rest, and what was begun stays."""
    with prepared.owner() as owner:
        balansity("migrate")
        balansity("take-over")
        assert owner.value("SELECT count(*) FROM pgmq.q_email_queue") > 2
        waiting = owner.value("SELECT count(*) FROM pgmq.q_email_queue")
        owner.rows("SELECT * FROM dramatiq.bridge(NULL, 'emails', 'email_queue', 'send_email', 1000, 0)")
        owner.rows(
            "UPDATE dramatiq.queue SET rescues = 1 WHERE message_id = (SELECT message_id FROM dramatiq.queue LIMIT 1)"
        )
        owner.rows("SELECT balansity.hand_back()")
        assert f"Given back: {waiting - 1} messages" in balansity("take-over", "--undo").output
        assert owner.value("SELECT count(*) FROM pgmq.q_email_queue") == waiting - 1


def test_what_lies_encrypted_is_handed_back_as_it_was_and_never_without_its_key(
    prepared: LiveDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = "SELECT message FROM pgmq.q_email_queue ORDER BY msg_id"
    with prepared.owner() as owner:
        balansity("migrate")
        balansity("take-over")
        before = owner.rows(waits)
        owner.rows("SELECT * FROM dramatiq.bridge(NULL, 'emails', 'email_queue', 'send_email', 1000, 0)")
        monkeypatch.setenv("MESSAGE_KEYS", b64encode(bytes(range(32))).decode())
        settings.current.cache_clear()
        broker.vault.seal_all(transaction)
        assert owner.value("SELECT count(*) FROM dramatiq.queue WHERE message ? 'sealed'") == len(before) > 2
        monkeypatch.delenv("MESSAGE_KEYS")
        settings.current.cache_clear()
        assert "Set its key, and undo again" in balansity("take-over", "--undo").output
        assert owner.rows(waits) == []
        monkeypatch.setenv("MESSAGE_KEYS", b64encode(bytes(range(32))).decode())
        settings.current.cache_clear()
        assert f"Given back: {len(before)} messages" in balansity("take-over", "--undo").output
        assert owner.rows(waits) == before
