"""What an exception says stays out of the log; that it rose, and where, does not."""

import logging
from collections.abc import Iterator
from io import StringIO

import pytest

import log

ADDRESS = "anna@example.com"


@pytest.fixture
def written() -> Iterator[StringIO]:
    """What a process that logs writes."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize(
    "name",
    ["dramatiq.worker.WorkerThread", "dramatiq.worker.ConsumerThread(emails)", "dramatiq.broker.PostgresBroker"],
)
def test_no_logger_of_dramatiqs_quotes_an_exception(name: str, written: StringIO) -> None:
    log.hide_payloads()
    try:
        int(ADDRESS)
    except ValueError:
        logging.getLogger(name).critical("It failed.", exc_info=True)
    assert written.getvalue().count("It failed.") == 1
    assert 'File "' in written.getvalue()
    assert "ValueError" in written.getvalue()
    assert ADDRESS not in written.getvalue()


def test_no_event_of_ours_quotes_an_exception(written: StringIO) -> None:
    try:
        int(ADDRESS)
    except ValueError:
        log.EventLogger("anything").error("it_failed", with_traceback=True, job="cleanup")
    assert written.getvalue().startswith("it_failed job=cleanup\n  File ")
    assert "ValueError" in written.getvalue()
    assert ADDRESS not in written.getvalue()
