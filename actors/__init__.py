"""The registry of actors: `dramatiq actors` imports this package, which loads every file in it, and runs them."""

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from traceback import extract_tb
from typing import Any

import dramatiq

import broker  # first, so that actors are declared on it and not on Dramatiq's default
import log
from db import queries
from db.connection import Connection
from db.database import connect, start_options
from db.patience import LOCK_WAIT_MS, PATIENCE_SECONDS, Patience
from errors import BrokenActor

log.quieten()  # the dramatiq command sets logging up itself


def _load() -> Iterator[BrokenActor]:
    """Load every file of this folder; one that cannot be loaded takes nobody along who needs it not."""
    for each in iter_modules(__path__):
        try:
            import_module(f"{__name__}.{each.name}")
        except Exception as error:  # noqa: BLE001 - told by whoever needs all actors, and by doctor
            yield BrokenActor(f"{_place(each.name, error)}: {type(error).__name__}: {error}")


def _place(name: str, error: Exception) -> str:
    """The line of this folder that an error comes from."""
    folder = Path(__file__).parent
    if isinstance(error, SyntaxError):
        file, line = error.filename or "", error.lineno
    else:
        frames = [frame for frame in extract_tb(error.__traceback__) if Path(frame.filename).parent == folder]
        file, line = frames[-1].filename, frames[-1].lineno
    known = file if Path(file).parent == folder else f"{name}.py"
    return f"{folder.name}/{Path(known).name}, line {line}"


broken = tuple(_load())


def complete() -> None:
    """See that every actor is there.

    Raises:
        BrokenActor: which file could not be loaded, and why.
    """
    if broken:
        raise broken[0]


class Complete(dramatiq.Middleware):
    """Lets no worker start that lacks actors: their messages would wait, and nobody would be told."""

    def before_worker_boot(self, _broker: Any, _worker: Any) -> None:
        if broken:  # Dramatiq would log an error, and go on
            sys.exit(str(broken[0]))


broker.broker.add_middleware(Complete())


def publish(url: str, *others: Callable[[Connection], object], patience_seconds: float = PATIENCE_SECONDS) -> list[str]:
    """Make this version's contract the one that counts: its actors, their routes, and what `others` publish with them.

    The roles of workers and the web get the rights to what is new: returns the statements that gave them.

    All in one transaction, which waits for locks as a migration does. Only a deploy or a rollback does so; a process
    that starts adds what is missing.

    Raises:
        BrokenActor: a file of actors cannot be loaded; what it declares would be retired.
        DatabaseError: the locks that it needs were held all the time; says by whom.
    """
    complete()
    patience = Patience(url, patience_seconds, start_options=start_options())
    return patience.run("the publication of actors and jobs", partial(_publish, url, others))


def _publish(
    url: str, others: Sequence[Callable[[Connection], object]], watch: Callable[[Connection], None]
) -> list[str]:
    conn = connect(url)
    try:
        with conn:
            queries.locks.limit_wait(conn, ms=LOCK_WAIT_MS)
            watch(conn)
            broker.broker.publish_actors(conn, retire=True)
            for other in others:
                other(conn)
            return [each.statement for each in queries.roles.grant_rights(conn)]
    finally:
        conn.close()
