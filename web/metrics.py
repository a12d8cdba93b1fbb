"""Figures for Prometheus, computed from the database at each scrape: they are the system's, not one process's.

Counters and histograms grow by the minute (`dramatiq.total`, `balansity.delivery_total`); gauges are as of now. No
label is a person's, and none has more values than there are queues, actors, jobs, providers and kinds of error.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric

import settings
from db import overview, queries
from db.connection import Connection
from db.database import transaction
from domain.slots import is_schedule, next_slots
from gateways import report_storage, yookassa
from zones import zone_or

MOST_COUNTED = 10_000  # of what has no figure kept for it: more shows as this
MOST_PAYMENTS = 1_000  # that are looked at, each for a while
MOST_KINDS = 20  # of an actor's errors; the rest is `other`
SILENT_SECONDS = 15  # after which a process is no longer counted as beating: three of its beats

pages = Blueprint("metrics", __name__)

Values = Mapping[Any, float]  # by the value of their label, or by those of their labels


@pages.get("/metrics")
def metrics() -> Response:
    """All of them, as the scraper reads them best."""
    registry = CollectorRegistry(auto_describe=False)
    with transaction() as conn:
        registry.register(Families([*_queues(conn), *_ended(conn), *_mails(conn), *_clock(conn), *_others(conn)]))
    encode, kind = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(registry), content_type=kind)


class Families:
    """What was collected already, as a registry wants to collect it."""

    def __init__(self, families: list[Metric]) -> None:
        self.families = families

    def collect(self) -> Iterable[Metric]:
        return self.families


def gauge(name: str, says: str, values: Values, *labels: str) -> Metric:
    return _filled(GaugeMetricFamily(f"balansity_{name}", says, labels=labels), values)


def counter(name: str, says: str, values: Values, *labels: str) -> Metric:
    return _filled(CounterMetricFamily(f"balansity_{name}", says, labels=labels), values)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, values: Values) -> Metric:
    for label, value in values.items():
        family.add_metric(label if isinstance(label, tuple) else (label,), value)
    return family


def _queues(conn: Connection) -> Iterator[Metric]:
    rows, paused = list(queries.messages.present(conn)), {row.queue for row in queries.pauses.current(conn)}
    states = ("waiting", "delayed", "set_aside", "running", "dead")
    yield gauge(
        "queue_messages",
        "Messages of a queue by state; of a state that holds more than 1000, as of the last minute.",
        {(row.queue_name, state): getattr(row, state) for row in rows for state in states},
        "queue",
        "state",
    )
    oldest = {row.queue_name: row.oldest_seconds for row in rows}
    yield gauge("queue_oldest_seconds", "How long the oldest due message has waited.", oldest, "queue")
    pauses = {row.queue_name: float(row.queue_name in paused) for row in rows}
    yield gauge("queue_paused", "1 while a person has paused the queue.", pauses, "queue")
    backlog = list(queries.messages.backlog(conn, most=MOST_COUNTED))
    yield gauge(
        "pgmq_messages",
        f"Messages in pgmq that no worker has moved yet; more than {MOST_COUNTED} show as that.",
        {row.queue: row.messages for row in backlog},
        "queue",
    )
    first = {row.queue: row.oldest_seconds for row in backlog}
    yield gauge("pgmq_oldest_seconds", "How old the first of them is.", first, "queue")


def _ended(conn: Connection) -> Iterator[Metric]:
    rows, bounds = list(queries.messages.ended(conn)), [*map(str, queries.messages.bounds(conn)), "+Inf"]
    dead: dict[tuple[str, str], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    retries: dict[tuple[str, ...], float] = defaultdict(float)
    took: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0] * len(bounds))
    seconds: dict[tuple[str, str], float] = defaultdict(float)
    for row in rows:
        actor = (row.queue, row.actor)
        retries[actor] += max(row.attempts - row.messages, 0)
        if row.ending == "dead":
            dead[actor][row.failure] += row.messages
        else:
            took[actor][row.bucket] += row.messages
            seconds[actor] += row.seconds
    histogram = HistogramMetricFamily(
        "balansity_message_seconds", "From when a message was due until it was done.", labels=("queue", "actor")
    )
    for actor, counts in took.items():
        histogram.add_metric(actor, list(zip(bounds, accumulate(counts), strict=True)), seconds[actor])
    yield histogram
    yield counter("message_retries", "Runs of ended messages beyond their first.", retries, "queue", "actor")
    yield counter(
        "dead_letters",
        "Messages that were given up, by the class of their error.",
        {(*actor, kind): count for actor, kinds in dead.items() for kind, count in _bounded(kinds).items()},
        "queue",
        "actor",
        "error",
    )
    lag = {(): queries.messages.minutes_lag(conn)}
    yield gauge("minutes_lag_seconds", "For how long counters and histograms have stood still; 65 is usual.", lag)


def _bounded(kinds: Mapping[str, float]) -> dict[str, float]:
    """The most frequent ones by their names, and all others as one."""
    ranked = sorted(kinds, key=lambda kind: (-kinds[kind], kind))
    bounded: dict[str, float] = defaultdict(float)
    for kind in kinds:
        bounded[kind if kind in ranked[:MOST_KINDS] else "other"] += kinds[kind]
    return bounded


def _mails(conn: Connection) -> Iterator[Metric]:
    yield gauge(
        "deliveries",
        f"Mails that are on their way, unknown or failed; more than {MOST_COUNTED} show as that.",
        {row.state: row.deliveries for row in queries.metrics.open_deliveries(conn, most=MOST_COUNTED)},
        "state",
    )
    yield counter(
        "deliveries_changed",
        "Mails that came to a state and were in it when their minute ended.",
        {row.state: row.deliveries for row in queries.metrics.delivery_totals(conn)},
        "state",
    )


def _clock(conn: Connection) -> Iterator[Metric]:
    """By `name`: a label `job` is Prometheus's own."""
    rows = list(queries.metrics.jobs(conn))
    late = {row.job: _late_seconds(row) for row in rows}
    yield gauge("job_late_seconds", "For how long the oldest slot of a job has been due without its end.", late, "name")
    paused = {row.job: float(row.paused) for row in rows}
    yield gauge("job_paused", "1 while a person has paused the job.", paused, "name")
    ended = {row.job: row.succeeded_at.timestamp() for row in rows if row.succeeded_at}
    yield gauge("job_success_timestamp_seconds", "When a slot of a job ended well last, if lately.", ended, "name")


def _late_seconds(job: Any) -> float:
    """By the slot that is open, and by the one that nobody has planned though it has come."""
    dues = [job.open_since] if job.open_since else []
    if not job.paused and is_schedule(job.schedule):
        dues += next_slots(job.schedule, zone_or(job.time_zone, settings.current().time_zone), job.planned_until, 1)
    return float(max((job.now - min(dues)).total_seconds(), 0)) if dues else 0.0


def _others(conn: Connection) -> Iterator[Metric]:
    workers, schedulers = overview.workers(conn), overview.schedulers(conn)
    yield gauge("workers", "Worker processes by whether they say that they live.", _beating(workers), "state")
    yield gauge("schedulers", "Scheduler processes, the same way.", _beating(schedulers), "state")
    known = {row["provider"]: row for row in overview.providers(conn)}
    here = {name: name not in known or known[name]["state"] == "available" for name in _asked() | {*known}}
    yield gauge(
        "provider_available",
        "1 while nothing is held back from the provider; 0 while it is away, probed or unheard of.",
        {name: float(is_here) for name, is_here in sorted(here.items())},
        "provider",
    )
    held = {name: float(row["held"]) for name, row in known.items()}
    yield gauge("provider_held_messages", "Messages that wait for a provider to be back.", held, "provider")
    payments = queries.metrics.payments(conn, most=MOST_PAYMENTS)
    yield gauge(
        "payments_open",
        f"Payments that wait for the provider's word; more than {MOST_PAYMENTS} show as that.",
        {(): payments.open},
    )
    yield gauge("payments_flagged", "Payments that wait for a person's decision.", {(): payments.flagged})


def _beating(rows: list[overview.Row]) -> Values:
    silent = sum(row["silent_seconds"] > SILENT_SECONDS for row in rows)
    return {"beating": len(rows) - silent, "silent": silent}


def _asked() -> set[str]:
    """The providers that the settings name; one that was never away has no row."""
    current = settings.current()
    return {
        *filter(None, (current.email_provider, current.email_fallback_provider, report_storage.NAME)),
        *([yookassa.NAME] if current.yookassa_shop_id else []),
    }
