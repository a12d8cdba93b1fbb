"""Whatever order webhook, trigger, verify, retry, refund and crash come in, a payment ends the same, each mail once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case

import settings as our_settings
from actors.payments import process_payment, queries
from db.connection import transaction
from errors import PermanentError
from tests.clinic import Clinic
from tests.servers import yookassa
from tests.servers.yookassa import YooKassa

FINAL = {"succeeded": "completed", "canceled": "failed"}
TOMORROW = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def provider(environment: pytest.MonkeyPatch) -> Iterator[YooKassa]:
    with yookassa.running() as provider:
        environment.setenv("YOOKASSA_API_URL", provider.url)
        environment.setenv("YOOKASSA_SHOP_ID", yookassa.SHOP_ID)
        environment.setenv("YOOKASSA_SECRET_KEY", yookassa.SECRET_KEY)
        our_settings.current.cache_clear()
        yield provider


class OnePayment(RuleBasedStateMachine):
    """A payment at the provider and in our table, and everybody who may touch it."""

    clinic: Clinic
    provider: YooKassa

    @initialize(outcome=st.sampled_from(sorted(FINAL)), described=st.booleans())
    def begin(self, outcome: str, described: bool) -> None:
        self.outcome, self.refunded = outcome, False
        self.failures, self.last_status = 0, "pending"
        self.user = self.clinic.add_user()
        self.external_id = self.provider.add_payment("pending")
        if described:
            self.appointment = None
            metadata = {"appointment_type_id": self.clinic.type_id(), "scheduled_at": TOMORROW.isoformat()}
        else:
            self.appointment = self.clinic.book(self.user, TOMORROW, "pending")
            metadata = {"appointment_id": self.appointment}
        self.payment = self.clinic.add_payment(self.user, metadata, external_payment_id=self.external_id)

    @invariant()
    def watch(self) -> None:
        """Every time that it fails counts: the payer may try again."""
        status = self.clinic.value("SELECT status FROM public.payments WHERE id = %s", self.payment)
        self.failures += status == "failed" and self.last_status != "failed"
        self.last_status = status

    @rule()
    def provider_decides(self) -> None:
        self.provider.payments[self.external_id]["status"] = self.outcome

    @precondition(lambda self: self.decided())
    @rule()
    def webhook_tells_the_site(self) -> None:
        self.clinic.set_payment(self.payment, FINAL[self.outcome])

    @rule(status=st.sampled_from(["pending", "processing"]))
    def webhook_comes_late(self, status: str) -> None:
        self.clinic.set_payment(self.payment, status)

    @rule(action=st.sampled_from(["verify", "update_status"]))
    def message_runs(self, action: str) -> None:
        process_payment(payment_id=self.payment, action=action)

    @rule()
    def message_runs_on_two_workers(self) -> None:
        with ThreadPoolExecutor(2) as workers:
            list(workers.map(lambda _: process_payment(payment_id=self.payment, action="verify"), range(2)))

    @precondition(lambda self: self.decided())
    @rule()
    def worker_dies_before_it_commits(self) -> None:
        with transaction() as conn:
            now = datetime.now(UTC)
            queries.change_status(conn, payment_id=self.payment, status=FINAL[self.outcome], now=now)
            conn.rollback()

    @precondition(lambda self: self.decided() and self.outcome == "succeeded")
    @rule()
    def person_asks_for_a_refund(self) -> None:
        with suppress(PermanentError):  # refused until we know of the money
            process_payment(payment_id=self.payment, action="refund")
            self.refunded = True

    def decided(self) -> bool:
        return bool(self.provider.payments[self.external_id]["status"] == self.outcome)

    def teardown(self) -> None:
        if hasattr(self, "payment"):
            self.provider_decides()
            process_payment(payment_id=self.payment, action="verify")
            self.watch()
            self.check_the_end()

    def check_the_end(self) -> None:
        times = self.failures if self.outcome == "canceled" else 1
        expected = [*[FINAL[self.outcome]] * times, *(["refunded"] if self.refunded else [])]
        assert self.last_status == expected[-1]
        for queue in ("email_queue", "analytics_queue"):
            keys = [message["key"] for message in self.clinic.messages(queue)]
            mine = [key.split(":")[2] for key in keys if key.startswith(f"payment:{self.payment}:")]
            assert mine == expected
        bought = self.clinic.rows(
            "SELECT id::text, status FROM public.appointments WHERE payment_id = %s", self.payment
        )
        given = [] if self.outcome == "canceled" else [self.status_bought()]
        assert [status for _, status in bought] == given
        assert self.appointment is None or [row_id for row_id, _ in bought] in ([], [self.appointment])

    def status_bought(self) -> str:
        if self.refunded:
            return "cancelled"
        return "scheduled" if self.appointment is None else "confirmed"


def test_any_interleaving_ends_the_same(connection: Connection, provider: YooKassa) -> None:
    OnePayment.clinic, OnePayment.provider = Clinic(connection), provider
    run_state_machine_as_test(
        OnePayment,
        settings=settings(
            max_examples=40, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
