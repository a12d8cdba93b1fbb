"""Run every process of the Procfile together."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
import honcho.manager

import actors
import settings
from db import embedded
from db.connection import shown
from db.migrate import migrate
from procfile import environment, interruptible, processes

STOP_SECONDS = 30  # running messages may finish; what does not is rescued later


@click.command()
@click.option("--only", multiple=True, metavar="NAME", help="Run only this process of the Procfile; may be repeated.")
def up(*, only: tuple[str, ...]) -> None:
    """Run every process of the Procfile until Ctrl-C, on DATABASE_URL or on the embedded PostgreSQL."""
    with interruptible(), server() as url:
        click.echo(f"PostgreSQL: {shown(url)}")
        migrate(url)
        actors.publish(url)
        honcho.manager.KILL_WAIT = STOP_SECONDS
        manager = honcho.manager.Manager()
        for name, command in _wanted(only).items():
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


def _wanted(only: tuple[str, ...]) -> dict[str, str]:
    found = processes()
    if unknown := set(only) - found.keys():
        raise click.BadParameter(f"no {', '.join(sorted(unknown))} in the Procfile; there are: {', '.join(found)}")
    return {name: command for name, command in found.items() if not only or name in only}
