"""A live database of an older deployment, owned by a role that is no superuser, takes the migrations and works."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2
import pytest

from tests.clinic import Clinic, take_over
from tests.servers.shared_postgres import CLONE, at_database, create_database, drop_database

OLDER_DEPLOYMENT = (Path(__file__).parent / "older_deployment.sql").read_text(encoding="utf-8")


@pytest.fixture
def live(server: str, worker_id: str) -> Iterator[Clinic]:
    """The migrated database, seen by its owner."""
    name, owner = f"{CLONE}live_{worker_id}", f"balansity_owner_{worker_id}"
    drop_database(server, name)
    admin = psycopg2.connect(server)
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(f"DROP ROLE IF EXISTS {owner}")
        cursor.execute(f"CREATE ROLE {owner} LOGIN PASSWORD 'of-a-test'")
        create_database(server, name)
        cursor.execute(f"ALTER DATABASE {name} OWNER TO {owner}")
        url = at_database(server, name)
        with psycopg2.connect(url) as first, first.cursor() as schema:
            schema.execute(f"GRANT ALL ON SCHEMA public TO {owner}")
        first.close()
        conn = psycopg2.connect(url, user=owner, password="of-a-test")
        conn.autocommit = True
        clinic = Clinic(conn)
        clinic.rows(OLDER_DEPLOYMENT)
        take_over(url.replace("postgres:@", f"{owner}:of-a-test@"))
        yield clinic
        conn.close()
        drop_database(server, name)
        cursor.execute(f"DROP ROLE {owner}")
    admin.close()


def test_what_was_there_stays_as_it_was(live: Clinic) -> None:
    assert live.value("SELECT loyalty_points FROM public.users") == 7
    columns = {
        name
        for (name,) in live.rows("SELECT column_name FROM information_schema.columns WHERE table_name = 'appointments'")
    }
    assert "video_room_url" not in columns
    assert live.value("SELECT count(*) FROM public.appointment_types") == 1


def test_what_payments_are_looked_up_by_has_one_index(live: Clinic) -> None:
    for table, column, indexes in (
        ("payments", "user_id", ["latest_payments"]),
        ("payments", "external_payment_id", ["payments_external_payment_id_idx"]),
        ("package_purchases", "payment_id", ["package_purchases_payment_id_idx"]),
    ):
        found = live.rows(
            "SELECT i.indexrelid::regclass::text FROM pg_index i "
            "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] "
            "WHERE i.indrelid = %s::regclass AND a.attname = %s",
            *(table, column),
        )
        assert [name for (name,) in found] == indexes


def test_a_paid_consultation_is_confirmed_and_told(live: Clinic) -> None:
    user_id = live.value("SELECT id FROM public.users")
    payment_id = live.value("INSERT INTO public.payments (user_id, amount) VALUES (%s, 5000) RETURNING id", user_id)
    live.rows(
        "INSERT INTO public.appointments (user_id, appointment_type_id, scheduled_at, status, payment_id) "
        "SELECT %s, id, %s, 'pending', %s FROM public.appointment_types",
        *(user_id, datetime.now(UTC) + timedelta(days=2), payment_id),
    )
    live.rows("UPDATE public.payments SET status = 'completed' WHERE id = %s", payment_id)
    assert live.value("SELECT status FROM public.appointments") == "confirmed"
    templates = live.rows("SELECT message ->> 'template' FROM pgmq.q_email_queue ORDER BY msg_id")
    assert templates == [("appointment_confirmation",), ("payment_confirmation",)]


def test_the_old_functions_made_way(live: Clinic) -> None:
    assert live.value("SELECT queue_email_task(p_to => 'a@example.com', p_subject => 's', p_template => 't')") == 1
    assert live.value("SELECT pgmq_read(queue_name => 'email_queue', vt => 1) ->> 'msg_id'") == "1"
    assert live.value("SELECT count(*) FROM pg_proc WHERE proname = 'pgmq_read'") == 1
