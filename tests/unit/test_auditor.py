"""The auditor of the proof finds what it is there to find, and nothing where all is well."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from tests.faults.proof import plan
from tests.faults.proof.auditor import audit
from tests.faults.proof.deeds import KINDS
from tests.faults.proof.evidence import Attempt, Business, Delivery, Evidence, Message, SlotRun
from tests.faults.proof.faults import FAULTS
from tests.servers.calls import Call

BEGAN = 1_000.0
QUIET = 1_000.0  # seconds, more than a confirmation of unknown fate waits
WORKER = "worker.0@clinic.example"
SLOT = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
MAIL = Delivery(
    "1", "appointment:7:booked", "appointment_confirmation", "anna@example.com", "sent", None, "m-1",
    (Attempt(1, "sent", BEGAN),),
)  # fmt: skip
BOOKING = Business("anna@example.com", "booking", [], ["scheduled"], 0, 0, [], 0)


def call(*, taken: bool = True, heard: int | None = 202, at: float = BEGAN + 0.1, delivery: str = "1") -> Call:
    return Call(delivery, "anna@example.com", WORKER, taken, at, heard, at + 0.1)


def life(killed_at: float | None = None) -> Any:
    return SimpleNamespace(sender=WORKER, killed_at=killed_at)


def doctor(unknown: int | str = "none", dead: int | str = "none") -> list[dict[str, str]]:
    whats = f"Mails that did not leave in the last week: {unknown}", f"Dead letters: {dead}"
    return [{"verdict": "good", "what": what, "remedy": ""} for what in whats]


def well(**changes: Any) -> Evidence:
    """A booking whose mail went out."""
    return replace(
        Evidence([BOOKING], [MAIL], [call()], [life()], slots=[SlotRun("job", SLOT, "succeeded")], doctor=doctor()),
        **changes,
    )


def unknown(outcome: str | None) -> dict[str, Any]:
    return {
        "deliveries": [MAIL._replace(state="unknown", attempts=(Attempt(1, outcome, BEGAN),))],
        "doctor": doctor(1),
    }


def twice(outcome: str, *, after: float = 60) -> Delivery:
    return MAIL._replace(attempts=(Attempt(1, outcome, BEGAN), Attempt(2, "sent", BEGAN + after)))


def message(state: str, *, is_due: bool = False, error: str | None = None, id: str = "m-1") -> Message:  # noqa: A002
    return Message(id, "send_email", state, is_due, has_worker=True, error=error)


@pytest.mark.parametrize(
    "evidence",
    [
        well(),
        well(calls=[call(heard=None)], **unknown("unknown")),
        well(calls=[call(heard=504)], **unknown("unknown")),
        well(calls=[], **unknown("unknown")),
        well(lives=[life(BEGAN + 5)], **unknown(None)),
        well(lives=[life(BEGAN + 5)], calls=[], **unknown(None)),
        well(messages=[message("queued")], calls=[call(heard=None)], **unknown("unknown")),
        well(messages=[message("queued")]),
        well(deliveries=[twice("unknown", after=QUIET)], calls=[call(heard=None), call(at=BEGAN + QUIET)]),
        well(deliveries=[twice("planned")], calls=[call(taken=False, heard=503), call(at=BEGAN + 60)]),
    ],
    ids=[
        "well",
        "silence",
        "gateway",
        "unseen",
        "killed",
        "killed-before",
        "to-be-resent",
        "told-late",
        "resent",
        "refused",
    ],
)
def test_nothing_is_found_where_all_is_well(evidence: Evidence) -> None:
    assert audit(evidence) == []


@pytest.mark.parametrize(
    ("promise", "evidence"),
    [
        ("no mail is lost", well(deliveries=[], calls=[])),
        ("no mail is lost", well(calls=[])),
        ("no mail is lost", well(deliveries=[MAIL._replace(state="superseded")], calls=[])),
        ("no mail is doubled", well(calls=[call(), call(at=BEGAN + 9)])),
        ("no mail is doubled", well(deliveries=[twice("planned")], calls=[call(heard=503), call(at=BEGAN + 60)])),
        ("no mail is doubled", well(deliveries=[MAIL, MAIL._replace(id="2")], calls=[call(), call(delivery="2")])),
        ("no mail is doubled", well(calls=[call(), call(delivery="nobody's")])),
        ("unknown is only what had no answer", well(**unknown("unknown"))),
        ("unknown is only what had no answer", well(**unknown(None))),
        ("unknown is only what had no answer", well(lives=[life(BEGAN - 5)], **unknown(None))),
        ("unknown is only what had no answer", well(lives=[life(BEGAN + 300)], **unknown(None))),
        ("unknown is only what had no answer", well(lives=[life(BEGAN - 5)], calls=[], **unknown(None))),
        ("unknown is only what had no answer", well(**unknown("sent"))),
        (
            "the unknown goes again only by policy",
            well(deliveries=[twice("unknown")], calls=[call(heard=None), call(at=BEGAN + 60)]),
        ),
        (
            "the unknown goes again only by policy",
            well(
                deliveries=[twice("unknown", after=QUIET)._replace(template="payment_confirmation")],
                calls=[call(heard=None), call(at=BEGAN + QUIET)],
            ),
        ),
        ("every effect happens once", well(businesses=[BOOKING._replace(appointments=["pending"])])),
        ("every effect happens once", well(businesses=[BOOKING._replace(refunds=1)])),
        ("nothing is stuck", well(messages=[message("consumed")])),
        ("nothing is stuck", well(messages=[message("queued", is_due=True)])),
        ("nothing is stuck", well(messages=[message("queued", id="m-2")])),
        ("nothing is stuck", well(waiting_in_pgmq={"email_queue": 1})),
        ("nothing is stuck", well(deliveries=[MAIL._replace(state="sending")])),
        ("nothing ends as a dead letter", well(messages=[message("rejected", error="Boom")], doctor=doctor(dead=1))),
        ("every slot runs once", well(slots=[SlotRun("job", SLOT, "planned")])),
        ("every slot runs once", well(slots=[SlotRun("job", SLOT, "succeeded")] * 2)),
        ("doctor tells of everything unfinished", well(messages=[message("rejected")])),
        (
            "doctor tells of everything unfinished",
            well(calls=[call(heard=None)], **unknown("unknown") | {"doctor": []}),
        ),
        ("nothing odd happens", well(oddities=["worker ended by itself with 1"])),
    ],
)
def test_a_broken_promise_is_found(promise: str, evidence: Evidence) -> None:
    assert promise in {breach.promise for breach in audit(evidence)}


def test_the_same_seed_is_the_same_plan() -> None:
    pace = plan.long(5)
    assert plan.plan(7, pace) == plan.plan(7, pace) != plan.plan(8, pace)


@pytest.mark.parametrize("provider", plan.MAIL_PROVIDERS)
def test_a_long_run_has_every_fault_and_every_business(provider: str) -> None:
    planned = plan.plan(7, plan.long(30), provider)
    names = {incident.fault.name for lane in planned.lanes.values() for incident in lane}
    assert names == {fault.name for fault in FAULTS if fault.provider in {None, provider}}
    assert {deed.kind for deed in planned.deeds} == set(KINDS)
