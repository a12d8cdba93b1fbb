"""The last release and the present version share a database and its work, through a deploy and a rollback."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import psycopg2
import pytest

import settings
from db import releases
from tests.clinic import Clinic
from tests.faults.proof.deeds import KINDS, Family
from tests.faults.released import Version, checked_out
from tests.servers import yookassa
from tests.servers.yookassa import YooKassa
from tests.waiting import until

PAUSE_SECONDS = 0.02  # between two letters of the site's
MORE = 50  # letters that arrive before the test goes on
LETTER = """{"to": "%s", "subject": "Ваш отчет готов", "template": "report_ready", "variables": {"name": "Анна"}}"""
WAYS = ("SELECT dramatiq.send('send_email', %s)", "SELECT pgmq.send('email_queue', %s)")
ARRIVED = """
    SELECT recipient, array_agg(template ORDER BY template) FROM balansity.delivery
    WHERE state = 'sent' AND recipient = ANY (%s) GROUP BY recipient
"""
SENT_AGAIN = "SELECT delivery_id FROM balansity.delivery_attempt GROUP BY delivery_id HAVING count(*) > 1"
GIVEN_UP = "SELECT queue_name, error FROM dramatiq.queue WHERE state IN ('rejected', 'cancelled')"
FAILED = "SELECT job, outcome FROM balansity.slot WHERE state = 'failed'"
REPORTS = "SELECT count(*) FROM balansity.report"


class Site:
    """Writes letters all the time, lets families do each kind of business, and knows what mails everybody is owed."""

    def __init__(self, url: str, provider: YooKassa) -> None:
        self.url = url
        self.provider = provider
        self.clinic = Clinic(psycopg2.connect(url))
        self.clinic.connection.autocommit = True
        self.families = count()
        self.letters: list[str] = []
        self.owed: dict[str, list[str]] = {}
        self.over = threading.Event()

    @contextmanager
    def open(self) -> Iterator[None]:
        thread = threading.Thread(target=self._write_letters)
        thread.start()
        try:
            yield
        finally:
            self.over.set()
            thread.join()

    def _write_letters(self) -> None:
        with closing(psycopg2.connect(self.url)) as conn, conn.cursor() as cursor:
            conn.autocommit = True
            while not self.over.wait(PAUSE_SECONDS):
                to = f"letter-{len(self.letters)}@example.com"
                cursor.execute(WAYS[len(self.letters) % len(WAYS)], [LETTER % to])
                self.owed[to] = ["report_ready"]
                self.letters.append(to)

    def goes_on(self) -> None:
        """See that letters arrive that are written from now on, while families do what they do."""
        for kind in KINDS.values():
            family = Family(next(self.families), self.clinic, self.provider)
            for step in kind.steps:
                step(family)
            self.owed[family.email] = sorted(kind.mails)
        first = len(self.letters)
        until(lambda: len(self.arrived(self.letters[first:])) >= MORE, "letters arrive")

    def arrived(self, addresses: list[str]) -> dict[str, list[str]]:
        return dict(self.clinic.rows(ARRIVED, addresses))

    def is_served(self) -> bool:
        return self.arrived([*self.owed]) == self.owed and self.clinic.is_worked_off()


@pytest.fixture
def provider() -> Iterator[YooKassa]:
    with yookassa.running() as provider:
        yield provider


@pytest.fixture
def versions(empty_database: str, provider: YooKassa, tmp_path: Path) -> Iterator[tuple[Version, Version]]:
    """The last release, and the present version."""
    environment = {
        "DATABASE_URL": empty_database,
        "EMAIL_OUTBOX_DIR": str(tmp_path / "outbox"),
        "YOOKASSA_API_URL": provider.url,
        "YOOKASSA_SHOP_ID": yookassa.SHOP_ID,
        "YOOKASSA_SECRET_KEY": yookassa.SECRET_KEY,
    }
    released = checked_out(releases.last(), tmp_path / "released")
    both = Version(released, environment), Version(settings.ROOT, environment)
    yield both
    for each in both:
        each.kill()


def test_a_deploy_and_a_rollback_to_the_last_release_lose_nothing_and_do_nothing_twice(
    empty_database: str, provider: YooKassa, versions: tuple[Version, Version]
) -> None:
    released, present = versions
    released.run("migrate")
    released.start()
    site = Site(empty_database, provider)
    with site.open():
        site.goes_on()
        present.run("migrate")
        site.goes_on()
        present.start()
        site.goes_on()
        released.stop()  # the deploy is done
        site.goes_on()
        released.start()
        released.run("migrate")
        site.goes_on()
        present.stop()  # the rollback is done
        site.goes_on()
    released.run("jobs", "run", "send-appointment-reminders", "--reason", "the next minute is far")
    until(site.is_served, "everybody has got what they are owed, and no more")
    released.stop()
    assert site.clinic.rows(SENT_AGAIN) == site.clinic.rows(GIVEN_UP) == site.clinic.rows(FAILED) == []
    assert len(provider.refunds) == site.clinic.value(REPORTS) == 6
