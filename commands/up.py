"""Run every process of the Procfile together."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import honcho.environ
import honcho.manager

import settings
from commands.migrate import migrate_and_publish
from db import embedded
from db.connection import shown

STOP_SECONDS = 30  # running messages may finish; what does not is rescued later
PROCFILE = settings.ROOT / "Procfile"


@click.command()
@click.option("--only", multiple=True, metavar="NAME", help="Run only this process of the Procfile; may be repeated.")
def up(*, only: tuple[str, ...]) -> None:
    """Run every process of the Procfile until Ctrl-C, on DATABASE_URL or on the embedded PostgreSQL."""
    with raising_on_sigterm(), server() as url:
        click.echo(f"PostgreSQL: {shown(url)}")
        migrate_and_publish(url)
        honcho.manager.KILL_WAIT = STOP_SECONDS
        manager = honcho.manager.Manager()
        for name, command in processes(only).items():
            manager.add_process(name, command, env=environment(url), cwd=str(settings.ROOT))
        manager.loop()
    sys.exit(0 if manager.returncode in {0, 130, 143} else manager.returncode)


@contextmanager
def server() -> Iterator[str]:
    """The address of the database to run on; the embedded server runs as long as the block."""
    if given := settings.current().database_url:
        yield given
        return
    with embedded.running(settings.current().database_folder) as url:
        yield url


def processes(only: tuple[str, ...] = ()) -> dict[str, str]:
    """The Procfile's long-running processes, name to command.

    Raises:
        click.BadParameter: `only` names one that is not there.
    """
    found = dict(honcho.environ.parse_procfile(PROCFILE.read_text(encoding="utf-8")).processes)
    del found["release"]
    if unknown := set(only) - found.keys():
        raise click.BadParameter(f"no {', '.join(sorted(unknown))} in the Procfile; there are: {', '.join(found)}")
    return {name: command for name, command in found.items() if not only or name in only}


def environment(url: str, **changes: str) -> dict[str, str]:
    """This process's environment for a child: our programs first on the path, and one database for all."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", "DATABASE_URL": url, **changes}


@contextmanager
def raising_on_sigterm() -> Iterator[None]:
    """Let SIGTERM unwind like Ctrl-C does, so that whatever was started is stopped."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
