"""What the auditor looks at: the same story as the site, the ledger, the queues and the providers tell it."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from tests.faults.proof.deeds import address
from tests.faults.proof.scene import Life, Scene
from tests.servers.calls import Call


class Business(NamedTuple):
    """What a family has done in full, and where its rows stand now."""

    email: str
    kind: str
    payments: list[str]  # their statuses
    appointments: list[str]
    reports: int
    files: int  # of these reports, where they are kept
    events: list[str]  # their types
    refunds: int  # that the provider made


class Attempt(NamedTuple):
    """One call of a provider, as the ledger has it."""

    number: int
    outcome: str | None
    started_at: float


class Delivery(NamedTuple):
    """One mail's life in the ledger."""

    id: str
    key: str
    template: str
    recipient: str
    state: str
    reason: str | None
    message_id: str
    attempts: tuple[Attempt, ...]

    @property
    def may_have_left(self) -> list[Attempt]:
        """The attempts whose answer is not known."""
        return [attempt for attempt in self.attempts if attempt.outcome in {None, "unknown"}]


class Message(NamedTuple):
    """A message that is not done."""

    id: str
    actor: str
    state: str
    is_due: bool
    has_worker: bool
    error: str | None


class SlotRun(NamedTuple):
    """One planned time of a job."""

    job: str
    slot: datetime
    state: str


@dataclass
class Evidence:
    """All of it, after the last work has settled."""

    businesses: list[Business] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    waiting_in_pgmq: dict[str, int] = field(default_factory=dict)
    slots: list[SlotRun] = field(default_factory=list)
    doctor: list[dict[str, str]] = field(default_factory=list)
    oddities: list[str] = field(default_factory=list)


def gather(scene: Scene) -> Evidence:
    """Look everywhere."""
    deliveries, doctor = _deliveries_with_doctor(scene)
    return Evidence(
        businesses=[_business(scene, *row) for row in _rows(scene, BUSINESSES)],
        deliveries=deliveries,
        calls=scene.calls,
        lives=scene.lives,
        messages=[Message(*row) for row in _rows(scene, MESSAGES)],
        waiting_in_pgmq=dict(_rows(scene, "SELECT queue_name, queue_length FROM pgmq.metrics_all()")),
        slots=[SlotRun(*row) for row in _rows(scene, "SELECT job, slot, state FROM balansity.slot")],
        doctor=doctor,
        oddities=[*scene.oddities, *_logged(scene)],
    )


def _deliveries_with_doctor(scene: Scene) -> tuple[list[Delivery], list[dict[str, str]]]:
    """The ledger, and what doctor said of this very ledger: unknown mails still leave, each when its policy says so."""
    deliveries = list(_rows(scene, DELIVERIES))
    while True:
        doctor = json.loads(scene.command("doctor", "--json"))
        before, deliveries = deliveries, list(_rows(scene, DELIVERIES))
        if deliveries == before:
            return [_delivery(row) for row in deliveries], doctor


def _rows(scene: Scene, statement: str) -> Iterable[tuple[Any, ...]]:
    return scene.server.query(statement)


def _business(scene: Scene, number: int, kind: str, *found: Any) -> Business:
    payments, appointments, reports, events, external_ids = found
    refunds = Counter(refund["payment_id"] for refund in scene.yookassa.refunds.values())
    files = sum(1 for path in reports if (scene.storage / path).is_file())
    made = sum(refunds[each] for each in external_ids)
    return Business(address(number), kind, payments, appointments, len(reports), files, events, made)


def _delivery(row: tuple[Any, ...]) -> Delivery:
    delivery = Delivery(*row)
    return delivery._replace(attempts=tuple(Attempt(*each) for each in delivery.attempts))


def _logged(scene: Scene) -> list[str]:
    """What no log should have."""
    return [
        f"{name} logged: {line[:200]}"
        for name in scene.posts
        for line in scene.log(name).read_text(encoding="utf-8", errors="replace").splitlines()
        if "pulse_failed" in line or "bug in Dramatiq" in line
    ]


BUSINESSES = """
    SELECT done.number, done.kind,
        ARRAY(SELECT status FROM public.payments WHERE user_id = u.id),
        ARRAY(SELECT status FROM public.appointments WHERE user_id = u.id),
        ARRAY(SELECT path FROM balansity.report WHERE user_id = u.id),
        ARRAY(SELECT type FROM balansity.analytics_event WHERE user_id = u.id),
        ARRAY(SELECT external_payment_id FROM public.payments WHERE user_id = u.id AND external_payment_id IS NOT NULL)
    FROM (SELECT number, kind FROM public.proof_deed GROUP BY 1, 2) AS done
    JOIN public.users u ON u.email = 'family-' || done.number || '@example.com'
    ORDER BY done.number
"""
DELIVERIES = """
    SELECT id::text, key, template, recipient, state, reason, message_id, (
        SELECT coalesce(json_agg(json_build_array(number, outcome, extract(epoch FROM started_at)) ORDER BY number),
                        '[]')
        FROM balansity.delivery_attempt WHERE delivery_id = d.id)
    FROM balansity.delivery d ORDER BY planned_at
"""
MESSAGES = """
    SELECT message_id::text, message ->> 'actor_name', state::text, available_at <= now(),
        EXISTS (SELECT FROM dramatiq.worker w WHERE w.id = q.claimed_by), error
    FROM dramatiq.queue q WHERE state <> 'done'
"""
