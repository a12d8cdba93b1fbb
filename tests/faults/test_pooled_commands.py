"""Hands change, work is done and people look at it behind a pooler in transaction mode, where no session lasts."""

import json
import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dramatiq
import pytest

import scheduler
from broker import broker
from db.comparison import differences
from db.database import transaction
from tests.live.database import LiveDatabase
from tests.live.shell import balansity, pointed_at
from tests.servers import pgbouncer
from tests.waiting import until

CONNECTIONS = 4  # of PgBouncer to PostgreSQL
SENT = "SELECT count(*) FROM balansity.delivery WHERE recipient = 'vera@example.com' AND state = 'sent'"

pytestmark = pytest.mark.skipif(not pgbouncer.PROGRAM.exists(), reason="needs Debian's package pgbouncer")


def test_hands_change_and_people_look(
    live_database: LiveDatabase, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.setenv("BROKER_LISTEN", "off")
    environment.setenv("EMAIL_OUTBOX_DIR", str(tmp_path))
    environment.setenv("MESSAGE_KEYS", b64encode(bytes(32)).decode())
    with (
        pgbouncer.running(live_database.url, connections=CONNECTIONS) as url,
        pointed_at(url),
        live_database.owner() as owner,
    ):
        assert "An old system is in charge" in balansity("migrate").output
        plan = json.loads(balansity("take-over", "--plan", "--json").stdout)
        assert all(step["obstacle"] is None for step in plan["steps"])
        assert "Ours is in charge" in balansity("take-over").output
        vera = live_database.site.sign_up("vera@example.com")
        live_database.site.book(vera, datetime.now(UTC) + timedelta(days=2))
        assert "Given back:" in balansity("take-over", "--undo").output
        assert "up to date" in balansity("migrate").output
        assert "Ours is in charge" in balansity("take-over").output
        assert differences(owner.connection) == []
        worker = dramatiq.Worker(broker, worker_timeout=100, worker_threads=4)
        worker.start()
        try:
            until(lambda: owner.value(SENT) == 1, "Vera is told")
        finally:
            worker.stop()
        with transaction() as conn:
            scheduler.run_now(conn, "keep-minutes", datetime.now(UTC))
        assert "keep-minutes" in balansity("jobs").output
        person = balansity("person", "vera@example.com").output
        assert "mail sent" in person
        [delivery] = re.findall(r"mail sent +\S+ +([0-9a-f]{8})", person)
        assert "vera@example.com" in balansity("reveal", delivery, "--reason", "she asks").output
        shown = [message["id"] for message in json.loads(balansity("messages", "--json").stdout)["messages"]]
        assert len({id_[:8] for id_ in shown}) == len(shown) > 1
        for command in ("status", "failures", "deliveries", "payments"):
            assert balansity(command).exit_code == 0
        assert "rights, queues and views are as the last migrate left them" in balansity("doctor").output
