"""OpenTelemetry spans of what is sent and run, in the trace that a message is stored with; never what it says."""

from collections.abc import Callable
from typing import Any

from dramatiq import Middleware
from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from messaging.tracing import trace_of

LETTERS_OF_SPAN = 16  # of the 32 of a trace


class Spans(Middleware):
    """A span for each message that is sent, and one for each run of it."""

    def __init__(self, tracer: Tracer, flush: Callable[[], object]) -> None:
        """`flush` sends what the tracer still holds, when a worker ends."""
        self.tracer = tracer
        self.flush = flush
        self.running: dict[int, Span] = {}  # by the message object that runs

    def after_enqueue(self, _broker: Any, message: Any, _delay: Any) -> None:
        self._begin(message, "send", SpanKind.PRODUCER).end()

    def before_process_message(self, _broker: Any, message: Any) -> None:
        self.running[id(message)] = self._begin(message, "process", SpanKind.CONSUMER)

    def after_process_message(
        self, _broker: Any, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        del result
        span = self.running.pop(id(message), None)
        if span and exception:
            span.set_attribute("error.type", type(exception).__name__)
            span.set_status(StatusCode.ERROR, type(exception).__name__)  # its words may quote a person
        if span:
            span.end()

    def after_skip_message(self, _broker: Any, message: Any) -> None:
        if span := self.running.pop(id(message), None):
            span.end()

    def after_worker_shutdown(self, _broker: Any, _worker: Any) -> None:
        self.flush()

    def _begin(self, message: Any, operation: str, kind: SpanKind) -> Span:
        return self.tracer.start_span(
            f"{operation} {message.actor_name}",
            context=_context(trace_of(message)),
            kind=kind,
            attributes={
                "messaging.system": "postgresql",
                "messaging.operation.type": operation,
                "messaging.destination.name": message.queue_name,
                "messaging.message.id": message.message_id,
            },
        )


def _context(trace: str) -> Context:
    """Everything of a trace hangs below the one span that its name implies, for nobody keeps which span sent what."""
    cause = SpanContext(
        trace_id=int(trace, 16),
        span_id=int(trace[LETTERS_OF_SPAN:], 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
    return set_span_in_context(NonRecordingSpan(cause))
