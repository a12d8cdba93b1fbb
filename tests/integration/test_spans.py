"""Spans reach a collector of OpenTelemetry's, in the trace that the message is stored with, and say nothing of it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from queue import Queue
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import settings
from tests.servers.listening import ListeningServer

ADDRESS = "anna@example.com"
# A message that is sent, run, and fails; in a process of its own, for spans are asked for by its environment.
PROGRAM = f"""
import dramatiq
from broker import broker
import errors

@dramatiq.actor(throws=(errors.PermanentError,))
def bake(to):
    raise errors.PermanentError("no bread for " + to)

message = bake.send(to="{ADDRESS}")
worker = dramatiq.Worker(broker, worker_timeout=100, worker_threads=1)
worker.start()
broker.join("default")
worker.stop()
print(message.message_id)
"""


@pytest.fixture
def collector() -> Iterator[tuple[str, Queue[bytes]]]:
    """Its address, and what it is sent."""
    taken: Queue[bytes] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.put(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = ListeningServer(Handler)
    yield f"http://127.0.0.1:{server.server_port}", taken
    server.close()


def run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=settings.ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_send_and_its_run_are_spans_of_the_messages_trace_that_name_nobody(
    environment: pytest.MonkeyPatch, collector: tuple[str, Queue[bytes]]
) -> None:
    url, taken = collector
    program = run(PROGRAM, OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_EXPORTER_OTLP_COMPRESSION="none")
    message_id = program.stdout.strip()
    assert message_id, program.stderr
    spans = []
    while not taken.empty():
        body = taken.get()
        assert ADDRESS.encode() not in body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            spans += [span for scope in resource.scope_spans for span in scope.spans]
    assert [span.name for span in spans] == ["send bake", "process bake"]
    assert {span.trace_id.hex() for span in spans} == {message_id.replace("-", "")}
    assert spans[1].status.message == "PermanentError"


def test_nothing_of_it_is_loaded_where_nobody_wants_spans(environment: pytest.MonkeyPatch) -> None:
    loaded = run("import actors, json, sys; print(json.dumps([m for m in sys.modules if 'telemetry' in m]))")
    assert json.loads(loaded.stdout) == []


def test_what_is_missing_is_named(environment: pytest.MonkeyPatch) -> None:
    without = "import sys; sys.modules['opentelemetry'] = None; import broker"
    said = run(without, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert "pip install opentelemetry-exporter-otlp-proto-http" in said.stderr
