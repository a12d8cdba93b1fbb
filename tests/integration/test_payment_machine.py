"""Whatever order webhook, trigger, verify, retry, refund and crash come in, a payment ends the same, each mail once."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

import cli
from actors.payments import process_payment
from db import queries
from db.connection import Connection
from db.database import transaction
from errors import PermanentError, RetryableError
from tests.clinic import Clinic
from tests.integration.payment_cases import deliver
from tests.servers.yookassa import YooKassa
from tests.waiting import until

OURS = {"pending": "pending", "succeeded": "completed", "canceled": "failed"}
LEGAL = {
    "pending": {"processing", "completed", "failed"},
    "processing": {"pending", "completed", "failed"},
    "failed": {"pending", "processing", "completed"},
    "completed": {"refunded"},
    "refunded": set[str](),
}
TOMORROW = datetime.now(UTC) + timedelta(days=1)


class Story:
    """What has happened to a payment, as a person would tell it, and what has to follow."""

    def __init__(self, attempt: str) -> None:
        self.status = "pending"
        self.attempt = attempt
        self.told: list[str] = []  # the mails
        self.flags: set[str] = set()
        self.halted = False  # by a change that cannot be
        self.booking = "waits"

    def site_writes(self, status: str) -> None:
        if status not in {self.status, *LEGAL[self.status]}:
            self.flags.add(f"unexpected change: {self.status} → {status}")
            self.halted = True
            self.status = status
        else:
            self.becomes(status)

    def provider_says(self, status: str) -> None:
        if status == "refunded":
            self.provider_says("completed")  # money given back was taken first
        if status == self.status or (self.status, status) == ("refunded", "completed"):
            return
        if status in LEGAL[self.status]:
            self.becomes(status)
        else:
            self.flags.add(f"the provider says {status}, we have {self.status}")

    def person_resolves(self) -> None:
        self.halted = False
        self.becomes(self.status)

    def becomes(self, status: str) -> None:
        self.status = status
        if self.halted:
            return
        mail = f"failed:{self.attempt}" if status == "failed" else status
        if status in {"completed", "failed", "refunded"} and mail not in self.told:
            self.told.append(mail)
        if status == "completed" and self.booking == "waits":
            self.booking = "given"
        elif status == "completed" and self.booking == "taken back":
            self.flags.add("paid, but appointment is cancelled")
        if status == "refunded":
            self.booking = "taken back" if self.booking == "given" else self.booking


class OnePayment(RuleBasedStateMachine):
    """A payment at the provider and in our table, and everybody who may touch it."""

    clinic: Clinic
    connect: Callable[[], Connection]
    provider: YooKassa

    @initialize(described=st.booleans())
    def begin(self, described: bool) -> None:
        self.story = Story(self.provider.add_payment("pending"))
        user = self.clinic.add_user()
        self.appointment = None if described else self.clinic.book(user, TOMORROW, "pending")
        metadata = (
            {"appointment_type_id": self.clinic.type_id(), "scheduled_at": TOMORROW.isoformat()}
            if described
            else {"appointment_id": self.appointment}
        )
        self.payment = self.clinic.add_payment(user, metadata, external_payment_id=self.story.attempt)
        self.provider.refund_status = "succeeded"

    @precondition(lambda self: self.word() == "pending")
    @rule(outcome=st.sampled_from(["succeeded", "canceled"]))
    def provider_decides(self, outcome: str) -> None:
        self.provider.payments[self.story.attempt]["status"] = outcome

    @precondition(lambda self: self.word() == "failed" and self.story.status == "failed")
    @rule()
    def payer_tries_again(self) -> None:
        self.story.attempt = self.provider.add_payment("pending")
        self.clinic.pay_anew(self.payment, self.story.attempt)
        self.story.site_writes("pending")

    @precondition(lambda self: self.word() != "pending")
    @rule()
    def webhook_tells_the_site(self) -> None:
        self.site_writes(self.word())

    @rule(status=st.sampled_from(["pending", "processing"]))
    def webhook_comes_late(self, status: str) -> None:
        self.site_writes(status)

    @rule(times=st.integers(1, 2))
    def verify_runs(self, times: int) -> None:
        """Twice, when a worker dies between its commit and its ack."""
        for _ in range(times):
            deliver(self.payment, "verify")
        self.story.provider_says(self.word())

    @rule()
    def verify_runs_on_two_workers(self) -> None:
        with ThreadPoolExecutor(2) as workers:
            list(workers.map(lambda _: deliver(self.payment, "verify"), range(2)))
        self.story.provider_says(self.word())

    @rule(times=st.integers(1, 2))
    def update_status_runs(self, times: int) -> None:
        for _ in range(times):
            deliver(self.payment, "update_status")

    @precondition(lambda self: self.word() == "pending" and self.story.status in {"pending", "processing"})
    @rule(outcome=st.sampled_from(["succeeded", "canceled"]), seen=st.booleans())
    def webhook_arrives_while_verify_runs(self, outcome: str, seen: bool) -> None:
        """Seen, or still being written, when the provider's answer arrives."""
        site = Clinic(self.connect())
        site.connection.autocommit = False

        def webhook() -> None:
            self.provider.payments[self.story.attempt]["status"] = outcome
            site.set_payment(self.payment, OURS[outcome])
            if seen:
                site.connection.commit()

        self.provider.meanwhile = webhook
        with ThreadPoolExecutor(1) as worker:
            verify = worker.submit(process_payment, payment_id=self.payment, action="verify")
            until(lambda: self.somebody_waits() or verify.done())
            site.connection.commit()
            assert isinstance(verify.exception(), RetryableError)
        site.connection.close()
        self.story.site_writes(OURS[outcome])
        deliver(self.payment, "verify")

    @precondition(lambda self: self.word() in LEGAL[self.story.status])
    @rule()
    def worker_dies_before_it_commits(self) -> None:
        with transaction() as conn:
            queries.payments.change_status(conn, payment_id=self.payment, status=self.word(), now=datetime.now(UTC))
            conn.rollback()

    @precondition(lambda self: self.story.status != "completed")
    @rule()
    def person_asks_for_a_refund_too_early(self) -> None:
        with suppress(PermanentError):
            process_payment(payment_id=self.payment, action="refund")
            assert self.story.status == "refunded"

    @precondition(lambda self: self.story.status == "completed" and self.word() == "completed")
    @rule(lost=st.booleans(), outcome=st.sampled_from(["succeeded", "pending", "canceled"]))
    def person_asks_for_a_refund(self, lost: bool, outcome: str) -> None:
        """`lost`: the worker dies between the provider's work and its own commit."""
        self.provider.refund_status = outcome
        if lost and self.payment not in self.provider.refunds:
            self.provider.meanwhile = lambda: self.provider.answers.append("lost")
        deliver(self.payment, "refund")
        self.refund_is_decided()

    @precondition(lambda self: self.refund() == "pending")
    @rule(outcome=st.sampled_from(["succeeded", "canceled"]))
    def provider_decides_about_the_refund(self, outcome: str) -> None:
        self.provider.settle_refund(self.payment, outcome)
        deliver(self.payment, "verify")
        self.refund_is_decided()

    @precondition(lambda self: self.story.halted)
    @rule()
    def person_resolves_and_has_it_settled(self) -> None:
        assert (
            CliRunner().invoke(cli.main, ["payments", "resolve", self.payment, "--yes", "--reason", "a test"]).exit_code
            == 0
        )
        deliver(self.payment, "update_status")
        self.story.person_resolves()

    def site_writes(self, status: str) -> None:
        self.clinic.set_payment(self.payment, status)
        self.story.site_writes(status)

    def word(self) -> str:
        """The provider's about the latest attempt, in our terms."""
        if self.refund() == "succeeded":
            return "refunded"
        return OURS[self.provider.payments[self.story.attempt]["status"]]

    def refund(self) -> str | None:
        return self.provider.refunds.get(self.payment, {}).get("status")

    def refund_is_decided(self) -> None:
        self.story.provider_says(self.word())
        if self.refund() == "canceled":
            self.story.flags.add("refund canceled: insufficient_funds")

    def somebody_waits(self) -> bool:
        waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return bool(self.clinic.rows(waiting))

    def teardown(self) -> None:
        if hasattr(self, "payment"):
            deliver(self.payment, "verify")
            self.story.provider_says(self.word())
            self.check_the_end()

    def check_the_end(self) -> None:
        assert self.clinic.value("SELECT status FROM public.payments WHERE id = %s", self.payment) == self.story.status
        flags = {re.sub(r"appointment [0-9a-f-]+", "appointment", flag) for flag in self.clinic.flags(self.payment)}
        assert flags == self.story.flags
        prefix = f"payment:{self.payment}:"
        for queue in ("email_queue", "analytics_queue"):
            keys = [message["key"] for message in self.clinic.messages(queue)]
            assert [key.removeprefix(prefix) for key in keys if key.startswith(prefix)] == self.story.told
        bought = self.clinic.rows(
            "SELECT id::text, status FROM public.appointments WHERE payment_id = %s", self.payment
        )
        assert [status for _, status in bought] == self.given()
        assert self.appointment is None or [row_id for row_id, _ in bought] in ([], [self.appointment])

    def given(self) -> list[str]:
        if self.story.booking == "waits":
            return []
        if self.story.booking == "taken back":
            return ["cancelled"]
        return ["scheduled" if self.appointment is None else "confirmed"]


@pytest.mark.timeout(900)  # a failure is made as short as it can be first, which takes minutes
def test_any_interleaving_ends_the_same(
    connection: Connection, connect: Callable[[], Connection], shop: YooKassa
) -> None:
    OnePayment.clinic, OnePayment.connect, OnePayment.provider = Clinic(connection), staticmethod(connect), shop
    run_state_machine_as_test(
        OnePayment,
        settings=settings(
            max_examples=40, stateful_step_count=14, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
