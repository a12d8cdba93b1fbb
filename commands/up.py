"""Run every process of the Procfile together."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click
import honcho.manager
import honcho.printer
import honcho.process

import actors
import settings
from db import embedded
from db.connection import shown
from db.database import start_options
from db.migrate import migrate
from procfile import environment, interruptible, processes, tied

STOP_SECONDS = 30  # running messages may finish; what does not is rescued later


@click.command()
@click.option("--only", multiple=True, metavar="NAME", help="Run only this process of the Procfile; may be repeated.")
def up(*, only: tuple[str, ...]) -> None:
    """Run every process of the Procfile until Ctrl-C, on DATABASE_URL or on the embedded PostgreSQL."""
    with interruptible(), server() as url:
        click.echo(f"PostgreSQL: {shown(url)}")
        migrate(url, start_options=start_options())
        actors.publish(url)
        honcho.manager.KILL_WAIT = STOP_SECONDS
        manager = Manager(Printer(sys.stdout))
        for name, command in _wanted(only).items():
            manager.add_process(name, tied(command), env=environment(url), cwd=str(settings.ROOT))
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


def _wanted(only: tuple[str, ...]) -> dict[str, str]:
    found = processes()
    if unknown := set(only) - found.keys():
        raise click.BadParameter(f"no {', '.join(sorted(unknown))} in the Procfile; there are: {', '.join(found)}")
    return {name: command for name, command in found.items() if not only or name in only}


class Process(honcho.process.Process):  # type: ignore[misc] # honcho publishes no types
    """Passes on what a process says; when `up` is gone it ends with it, instead of waiting for who reads its events."""

    def run(self, *arguments: Any) -> None:
        up_pid = os.getppid()
        super().run(*arguments)
        if os.getppid() != up_pid:
            os._exit(1)


class Printer(honcho.printer.Printer):  # type: ignore[misc]
    """Goes on without a terminal that was closed, so that the processes are stopped in good order."""

    def write(self, message: Any) -> None:
        with suppress(OSError):
            super().write(message)


class Manager(honcho.manager.Manager):  # type: ignore[misc]
    """May be told to stop at any moment, even before it knows every process by its pid."""

    def __init__(self, printer: Printer) -> None:
        super().__init__(printer)
        self._process_ctor = Process

    def terminate(self) -> None:
        if self._all_started():
            super().terminate()

    def _any_stopped(self) -> bool:
        """Whether all are to be stopped: the loop then terminates them, once it knows them."""
        return self.returncode is not None
