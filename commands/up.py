"""Run every process of the Procfile together."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.synchronize import Event
from typing import Any

import click
import honcho.manager
import honcho.printer
import honcho.process

import actors
import scheduler
import settings
from address import shown
from broker import broker
from commands.output import say
from commands.welcome import welcome
from db import embedded
from db.database import start_options
from db.migrate import migrate
from procfile import SERVE, STOPPING, environment, interruptible, processes, tied, unserved
from web import port

STOP_SECONDS = 30  # running messages may finish; what does not is rescued later
ENDING_SECONDS = 10  # for the processes of a killed predecessor to leave the port
LOOK_SECONDS = 0.2
PAUSES_SECONDS = (1, 60)  # before a process that died starts again: twice as long each time, until it lives as long


@click.command()
@click.option("--only", multiple=True, metavar="NAME", help="Run only this process of the Procfile; may be repeated.")
def up(*, only: tuple[str, ...]) -> None:
    """Run every process of the Procfile until Ctrl-C, on DATABASE_URL or on the embedded PostgreSQL.

    One that dies is started again.
    """
    actors.complete()
    wanted = _wanted(only)
    with interruptible(), server() as url:
        if "web" in wanted:
            port.check(settings.current().port, ENDING_SECONDS)
        say(f"PostgreSQL: {shown(url)}")
        migrate(url, start_options=start_options())
        actors.publish(url, scheduler.publish)
        if waiting := unserved(broker.queues):
            say(f"{waiting} {SERVE}")
        honcho.manager.KILL_WAIT = STOP_SECONDS
        manager = Manager(Printer(sys.stdout))
        for name, command in wanted.items():
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


class LastingProcess(honcho.process.Process):  # type: ignore[misc] # honcho publishes no types
    """Passes on what a process says, and starts it again when it dies, after pauses that grow.

    When `up` is gone it ends with it, instead of waiting for who reads its events.
    """

    def __init__(self, *arguments: Any, stopping: Event, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.stopping = stopping
        self.pause = 0

    def run(self, events: Any, ignore_signals: bool) -> None:
        del ignore_signals
        up_pid = os.getppid()
        for number in STOPPING:  # it ends when its process has; a handler, unlike SIG_IGN, is not handed down
            signal.signal(number, lambda *_: None)
        self._events = events
        code = self._live()
        while not self.stopping.is_set() and os.getppid() == up_pid:
            self._send_message(f"died (rc={code}), starts again in {self.pause} s\n".encode())
            if not self.stopping.wait(self.pause):
                code = self._live()
        self._send_message({"returncode": code}, type="stop")
        if os.getppid() != up_pid:
            os._exit(1)

    def _live(self) -> int:
        """One life of it: until it and all that it started have ended."""
        began = time.monotonic()
        child = self._child_ctor(self.cmd, env=self.env, cwd=self.cwd)
        self._send_message({"pid": child.pid}, type="start")
        if self.stopping.is_set():  # and whoever set it may not have known this one
            _end_group(child.pid, signal.SIGTERM)
        silent = threading.Event()
        threading.Thread(target=_bury, args=(child, silent), daemon=True).start()
        for line in child.stdout:
            self._send_message(line)
        silent.set()
        code: int = child.wait()
        shortest, longest = PAUSES_SECONDS
        self.pause = shortest if time.monotonic() - began > longest else max(shortest, min(2 * self.pause, longest))
        return code


def _bury(child: subprocess.Popen[bytes], silent: threading.Event) -> None:
    """Stop what a process leaves behind when it dies: it would go on beside its successor."""
    child.wait()
    _end_group(child.pid, signal.SIGTERM)
    if not silent.wait(STOP_SECONDS):
        _end_group(child.pid, signal.SIGKILL)


def _end_group(pid: int, how: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, how)


class Printer(honcho.printer.Printer):  # type: ignore[misc]
    """Goes on without a terminal that was closed, so that the processes are stopped in good order."""

    def write(self, message: Any) -> None:
        with suppress(OSError):
            super().write(message)


class Manager(honcho.manager.Manager):  # type: ignore[misc]
    """May be told to stop at any moment, even before it knows every process by its pid."""

    def __init__(self, printer: Printer) -> None:
        super().__init__(printer)
        self.stopping = multiprocessing.Event()
        self._process_ctor = partial(LastingProcess, stopping=self.stopping)

    def _start(self) -> None:
        super()._start()
        threading.Thread(target=self._greet, daemon=True).start()  # after the forks, which want to be of one thread

    def _greet(self) -> None:
        """Say what there is as soon as the pages answer."""
        has_pages, current = "web" in self._processes, settings.current()
        while has_pages and not port.answers(current.port):
            if self.stopping.wait(LOOK_SECONDS):
                return
        name, words = honcho.manager.SYSTEM_PRINTER_NAME, welcome(current, has_pages=has_pages)
        self.events.put(honcho.printer.Message("line", words, self._clock.now(), name, None))

    def terminate(self) -> None:
        self.stopping.set()
        if self._all_started():
            super().terminate()

    def _any_stopped(self) -> bool:
        """Whether all are to be stopped: the loop then terminates them, once it knows them."""
        return self.returncode is not None
