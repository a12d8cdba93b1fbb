"""A live site changes hands twice while its business goes on: prepared, watched, taken over, given back, taken over."""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.clinic import IN_PGMQ, Clinic
from tests.faults.crew import Crew, Office, ProcessGroup
from tests.live.database import LiveDatabase
from tests.live.shell import balansity, pointed_at
from tests.live.site import Site, load
from tests.waiting import until

PATIENCE_SECONDS = 120
Mail = tuple[str, str, str]  # whom, which template, about what

SITES_SCHEMA = """
    SELECT 'column', c.relname || '.' || a.attname, format_type(a.atttypid, a.atttypmod) || a.attnotnull::text
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
    UNION ALL
    SELECT 'constraint', conrelid::regclass || ' ' || conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conrelid <> 0
    UNION ALL
    SELECT 'index', tablename || ' ' || indexname, regexp_replace(indexdef, '^.* USING ', '') FROM pg_indexes
    WHERE schemaname = 'public'
    UNION ALL
    SELECT 'trigger', tgrelid::regclass || ' ' || tgname, tgenabled::text FROM pg_trigger t
    JOIN pg_class c ON c.oid = t.tgrelid
    WHERE NOT tgisinternal AND c.relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'security', relname, concat(relrowsecurity, relforcerowsecurity, (
        SELECT string_agg(concat_ws(' ', grantee, privilege_type), ', ' ORDER BY grantee, privilege_type)
        FROM aclexplode(relacl) WHERE pg_get_userbyid(grantee) !~ '^balansity_'))
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
    UNION ALL
    SELECT 'policy', tablename || ' ' || policyname, concat(roles, cmd, qual, with_check) FROM pg_policies
    WHERE schemaname = 'public' AND NOT policyname ~ '^balansity_'
"""
# As docs/operations.md has it: the CHECK of the statuses, which is known by our name then, two triggers, our indexes.
CHANGED = {
    ("constraint", "appointments status_is_known"),
    ("constraint", "appointments appointments_status_check"),
    ("trigger", "appointments on_appointment_change"),
    ("trigger", "payments on_new_payment"),
    *(("index", f"appointments appointments_{what}_idx") for what in ("user_id", "status_scheduled_at", "created_at")),
    *(("index", f"assessments assessments_{what}_idx") for what in ("profile_id", "status", "started_at")),
    *(("index", f"payments payments_{what}_idx") for what in ("user_id", "status_external_payment_id", "created_at")),
    *(("index", f"profiles profiles_{what}_idx") for what in ("user_id", "last_name")),
    ("index", "users users_address_idx"),
    ("index", "payments payments_external_payment_id_idx"),
    ("index", "package_purchases package_purchases_payment_id_idx"),
}
# What the mails of ours are about: for those that the site's SQL ordered, as their message said it.
OURS = """
    SELECT d.recipient, d.template, coalesce(
        about.id, substring(d.key FROM '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')) || coalesce(
        CASE WHEN d.template LIKE 'appointment\\_reminder\\_%%' THEN ' ' || extract(epoch FROM d.scheduled_at) END, '')
    FROM balansity.delivery d
    LEFT JOIN (SELECT msg_id, message FROM pgmq.a_email_queue) AS m ON d.key = 'pgmq:email_queue:' || m.msg_id
    LEFT JOIN LATERAL (SELECT coalesce(
        m.message #>> '{variables,assessment_id}', m.message #>> '{variables,payment_id}',
        m.message #>> '{variables,appointment_id}') AS id) AS about ON true
    WHERE d.state = ANY (%s) AND d.message_id <> 'the old system'
"""
OWED = """
    SELECT u.email, 'appointment_confirmation', a.id::text
    FROM public.appointments a JOIN public.users u ON u.id = a.user_id
    WHERE u.email LIKE 'visitor%%'
    UNION ALL
    SELECT u.email, 'payment_confirmation', p.id::text FROM public.payments p JOIN public.users u ON u.id = p.user_id
    WHERE u.email LIKE 'visitor%%' AND p.status = 'completed'
    UNION ALL
    SELECT u.email, 'checkup_completed', a.id::text FROM public.assessments a
    JOIN public.profiles p ON p.id = a.profile_id JOIN public.users u ON u.id = p.user_id
    WHERE u.email LIKE 'visitor%%' AND a.status = 'completed'
    UNION ALL
    SELECT u.email, 'appointment_reminder_24h', a.id || ' ' || extract(epoch FROM a.scheduled_at)
    FROM public.appointments a JOIN public.users u ON u.id = a.user_id
    WHERE u.email LIKE 'family%%' AND a.scheduled_at BETWEEN now() AND %s
"""
SETTLED = """
    SELECT NOT EXISTS (SELECT FROM dramatiq.queue WHERE state IN ('queued', 'consumed') AND available_at < now())
        AND NOT EXISTS (SELECT FROM balansity.delivery WHERE state IN ('planned', 'sending'))
        AND NOT EXISTS (SELECT FROM balansity.reminders_between(now(), now() + interval '1 second'))
"""


@contextmanager
def old_worker(site: Site, sent: list[Mail]) -> Iterator[None]:
    """Reads the queue of mails as the old worker did, until the block ends, and notes what it would have sent."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            with site.server() as server:
                read = server.rows("SELECT msg_id, msg FROM public.pgmq_read('email_queue', 30)")
                for msg_id, mail in read:
                    sent.append((mail["to"], mail["template"], told_of(mail["variables"])))
                    server.rows("SELECT public.pgmq_archive('email_queue', %s)", msg_id)
            over.wait(0 if read else 0.2)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    over.set()
    thread.join()


def told_of(variables: dict[str, str]) -> str:
    about = next(variables[name] for name in ("assessment_id", "payment_id", "appointment_id") if name in variables)
    if set(variables) == {"appointment_id", "scheduled_at"}:  # a reminder, which names its time
        about += f" {datetime.fromisoformat(variables['scheduled_at']).timestamp():.6f}"
    return about


@pytest.fixture
def office(live_database: LiveDatabase, tmp_path: Path) -> Iterator[Office]:
    with pointed_at(live_database.url):
        office = Office(live_database.url, tmp_path)
        yield office
        office.broker.close()


@pytest.mark.heavy  # its sister without processes of ours is in tests/integration/test_hands_under_load.py
def test_a_site_changes_hands_while_its_business_goes_on(
    live_database: LiveDatabase, office: Office, crew: Crew, tmp_path: Path
) -> None:
    """No transaction of the site's fails or waits a second for us, every family has each mail once, by either."""
    site, sent = live_database.site, []
    customers = [site.sign_up(f"visitor-{number}@example.com") for number in range(2)]
    with live_database.owner() as owner, load(site, customers, pause_seconds=0.5) as seen:
        schema = set(owner.rows(SITES_SCHEMA))
        sent += archived(owner)
        with old_worker(site, sent):
            assert balansity("migrate").exit_code == 0
            assert balansity("shadow", "--once").exit_code == 0
            scheduler = start_scheduler(office)
            worker = hire(crew, tmp_path)
            plan = balansity("take-over", "--plan").output
            assert "IN THE WAY" not in plan
            go_on(seen.seconds)
        assert "Ours is in charge" in balansity("take-over").output
        until(lambda: owner.value("SELECT count(*) > 20 FROM balansity.delivery WHERE state = 'sent'"), "mails leave")
        worker.terminate()
        worker.process.wait()
        assert "The old system is in charge" in balansity("take-over", "--undo").output
        with old_worker(site, sent):
            before = len(sent)
            until(lambda: len(sent) > before + 5, "the old worker sends again")
        assert "Ours is in charge" in balansity("take-over").output
        hire(crew, tmp_path)
        go_on(seen.seconds)
    with live_database.owner() as owner:
        until(lambda: not owner.value(IN_PGMQ) and owner.value(SETTLED), "all is settled", seconds=PATIENCE_SECONDS)
        scheduler.kill()
        assert seen.failures == []
        left = owner.rows(OURS, ["sent"])
        assert len(list((tmp_path / "outbox").glob("*.eml"))) == len(left)
        mails = Counter([*sent, *left])
        assert {mail: count for mail, count in mails.items() if count > 1} == {}
        overtaken = {mail for mail in owner.rows(OURS, ["superseded"]) if mails[mail[0], "appointment_moved", mail[2]]}
        owed = [
            mail
            for mail in owner.rows(OWED, datetime.now(UTC) + timedelta(hours=23, minutes=30))
            if mail not in overtaken
        ]
        assert [mail for mail in owed if not mails[mail]] == []
        assert {(kind, name) for kind, name, _ in schema ^ set(owner.rows(SITES_SCHEMA))} == CHANGED


def archived(owner: Clinic) -> list[Mail]:
    """What the old worker had sent before."""
    rows = owner.rows("SELECT message FROM pgmq.a_email_queue")
    return [(mail["to"], mail["template"], told_of(mail["variables"])) for (mail,) in rows]


def hire(crew: Crew, folder: Path) -> ProcessGroup:
    return crew.hire(
        module="actors", EMAIL_PROVIDER="file", EMAIL_OUTBOX_DIR=str(folder / "outbox"), EMAIL_HOURLY_LIMIT="10000"
    )


def start_scheduler(office: Office) -> ProcessGroup:
    with office.log.open("ab") as log:
        return ProcessGroup(["-m", "scheduler"], os.environ | {"DATABASE_URL": office.url}, log)


def go_on(seconds: list[float]) -> None:
    """Wait until the site has done some more business."""
    done = len(seconds)
    until(lambda: len(seconds) > done + 30, "the site goes on", seconds=PATIENCE_SECONDS)
