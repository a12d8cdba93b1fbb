"""Hands change while the site is at work: each family hears of each thing once, of the old system or of ours."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests.live.database import LiveDatabase
from tests.live.shell import balansity, pointed_at
from tests.live.site import Customer, load
from tests.waiting import until

CHANGES = 50  # there and back, of which one in seven lost a booking once
TOLD = """
    SELECT message ->> 'template', coalesce(message #>> '{variables,assessment_id}',
        message #>> '{variables,payment_id}', message #>> '{variables,appointment_id}')
    FROM (SELECT message FROM pgmq.q_email_queue UNION ALL SELECT message FROM pgmq.a_email_queue) AS m
    WHERE message ->> 'to' LIKE 'visitor-%%' AND message ->> 'template' <> 'appointment_moved'
"""
DUE = """
    WITH visitor AS (SELECT id FROM public.users WHERE email LIKE 'visitor-%%')
    SELECT 'appointment_confirmation', id::text FROM public.appointments WHERE user_id IN (SELECT id FROM visitor)
    UNION ALL
    SELECT 'payment_confirmation', id::text FROM public.payments
    WHERE user_id IN (SELECT id FROM visitor) AND status = 'completed'
    UNION ALL
    SELECT 'checkup_completed', a.id::text FROM public.assessments a JOIN public.profiles p ON p.id = a.profile_id
    WHERE p.user_id IN (SELECT id FROM visitor) AND a.status = 'completed'
"""


@pytest.fixture
def prepared(live_database: LiveDatabase) -> Iterator[LiveDatabase]:
    """A database of the live kind that commands of this process mean."""
    with pointed_at(live_database.url):
        yield live_database


def test_every_family_has_its_mail_once_while_hands_change_under_load(prepared: LiveDatabase) -> None:
    """The site's statements run while ours takes over, hands back and takes over again: none fails, each mails once."""
    site = prepared.site
    customers = [site.sign_up(f"visitor-{number}@example.com") for number in range(3)]
    balansity("migrate")
    with load(site, customers) as seen:
        for arguments in ([], ["--undo"], []):
            seen.seconds.clear()
            until(lambda: len(seen.seconds) > 10, "the site goes on")
            assert balansity("take-over", *arguments).exit_code == 0
    assert seen.failures == []
    with prepared.owner() as owner:
        assert Counter(owner.rows(TOLD)) == Counter(owner.rows(DUE))


@pytest.mark.parametrize("odd", [False, True], ids=["that become ours", "beside ours"])
def test_a_booking_at_the_very_moment_of_a_hand_over_is_told_once(prepared: LiveDatabase, odd: bool) -> None:
    """A statement under way may look before the change and after it."""
    site, over = prepared.site, threading.Event()
    customers = [site.sign_up(f"visitor-{number}@example.com") for number in range(3)]

    def book(customer: Customer) -> None:
        while not over.is_set():
            site.book(customer, datetime.now(UTC) + timedelta(days=1))

    with prepared.owner() as owner, ThreadPoolExecutor(len(customers)) as threads:
        if odd:
            prepared.run("odd_triggers.sql")
        balansity("migrate")
        booking = [threads.submit(book, customer) for customer in customers]
        try:
            for _ in range(CHANGES):
                owner.rows("SELECT balansity.take_over()")
                owner.rows("SELECT balansity.hand_back()")
        finally:
            over.set()
        assert [each.result() for each in booking] == [None] * len(customers)
        assert owner.value("SELECT count(*) > 100 FROM public.appointments")
        assert Counter(owner.rows(TOLD)) == Counter(owner.rows(DUE))
