"""Where the proof takes place: a server of its own, the providers' stand-ins, and the Procfile's processes."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import actors
import settings
from db.migrate import migrate
from tests.faults.crew import IMPATIENCE, SILENCE_SECONDS, ProcessGroup
from tests.servers import own_postgres
from tests.servers import sendgrid as sendgrid_server
from tests.servers import smtp as smtp_server
from tests.servers import yookassa as yookassa_server
from tests.servers.calls import Call
from tests.servers.own_postgres import OwnServer
from tests.servers.sendgrid import SendGrid
from tests.servers.smtp import Mailbox
from tests.servers.yookassa import YooKassa

THINKING_SECONDS = 1.0  # of providers before each answer to a mail: so that mails are in hand whenever a fault begins
ANSWER_SECONDS = 4  # that workers wait for a provider
BOOT_SECONDS = 20  # in which a process may not have taken charge of its signals yet
STOP_SECONDS = 90  # that a process which was asked to stop may take at most
WORKER = ("-m", "dramatiq", IMPATIENCE, "actors", "--processes", "1")
MAILS = (*WORKER, "--threads", "4", "--queues", "emails", "payments", "analytics", "appointments")
REPORTS = (*WORKER, "--threads", "2", "--queues", "reports")
COMMANDS = {"worker": MAILS, "worker-2": MAILS, "reports": REPORTS, "scheduler": ("-m", "scheduler")}


@dataclass
class Life:
    """One process of a post, from its start; a mail that it sends bears its sender."""

    sender: str
    process: ProcessGroup
    killed_at: float | None = None
    began_at: float = field(default_factory=time.monotonic)


@dataclass
class Post:
    """One line of the Procfile, and who holds it."""

    scene: "Scene"
    name: str
    lives: list[Life] = field(default_factory=list)

    def start(self) -> None:
        sender = f"{self.name}.{len(self.lives)}@clinic.example"
        environment = self.scene.environment(sender)
        with self.scene.log(self.name).open("ab") as log:
            self.lives.append(Life(sender, ProcessGroup([*COMMANDS[self.name]], environment, log)))

    def kill(self) -> None:
        life = self._present()
        life.killed_at = time.time()
        life.process.kill()

    def freeze(self) -> None:
        self._present().process.freeze()

    def resume(self) -> None:
        self._present().process.resume()

    def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        life = self._present()
        life.process.terminate()
        try:
            code = life.process.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            code = None
        may_be_raw = time.monotonic() < life.began_at + BOOT_SECONDS
        if code != 0 and not (may_be_raw and code == -signal.SIGTERM):
            self.scene.oddities.append(f"{self.name} was asked to stop and ended with {code}")

    def end(self) -> None:
        """Leave nobody behind."""
        self.lives[-1].process.kill()

    def _present(self) -> Life:
        """Who holds the post; where it has ended by itself, that is an oddity, and there is a new one."""
        life = self.lives[-1]
        if life.killed_at is None and (code := life.process.process.poll()) is not None:
            self.scene.oddities.append(f"{self.name} ended by itself with {code}")
            life.killed_at = time.time()
            self.start()
        return self.lives[-1]


@dataclass
class Scene:
    """Everything that runs, and what was odd about it."""

    folder: Path
    server: OwnServer
    sendgrid: SendGrid
    mailbox: Mailbox
    yookassa: YooKassa
    mail_provider: str  # sendgrid or smtp
    posts: dict[str, Post] = field(default_factory=dict)
    oddities: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)  # before its time

    def __post_init__(self) -> None:
        self.posts = {name: Post(self, name) for name in COMMANDS}
        self.sendgrid.delay_seconds = self.mailbox.delay_seconds = THINKING_SECONDS
        self.storage.parent.mkdir()
        (self.folder / "disk").mkdir()
        (self.folder / "no-disk").touch()
        self.storage.symlink_to(self.folder / "disk")

    @property
    def storage(self) -> Path:
        """The folder of the reports: a link, as a mount may be there or not."""
        return self.folder / "mount" / "reports"

    @property
    def lives(self) -> list[Life]:
        return [life for post in self.posts.values() for life in post.lives]

    @property
    def calls(self) -> list[Call]:
        return [*self.sendgrid.calls, *self.mailbox.calls]

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def environment(self, sender: str) -> dict[str, str]:
        return os.environ | {
            "DATABASE_URL": self.server.url,
            "SILENCE_SECONDS": SILENCE_SECONDS,
            "ANSWER_SECONDS": str(ANSWER_SECONDS),
            "EMAIL_FROM": sender,
            "EMAIL_PROVIDER": self.mail_provider,
            "SENDGRID_API_KEY": sendgrid_server.KEY,
            "SENDGRID_API_URL": self.sendgrid.url,
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(self.mailbox.port),
            "SMTP_TLS": "off",
            "YOOKASSA_SHOP_ID": yookassa_server.SHOP_ID,
            "YOOKASSA_SECRET_KEY": yookassa_server.SECRET_KEY,
            "YOOKASSA_API_URL": self.yookassa.url,
            "REPORT_STORAGE_URL": f"file://{self.storage}",
        }

    def command(self, *arguments: str) -> str:
        """What a `balansity` command says to an operator."""
        told = subprocess.run(
            [sys.executable, "-m", "cli", *arguments],
            env=self.environment("operator@clinic.example"),
            cwd=settings.ROOT,
            check=False,
            capture_output=True,
            text=True,
        )
        return told.stdout


@contextmanager
def running(folder: Path, mail_provider: str) -> Iterator[Scene]:
    """A scene on which everything runs; everything is ended after the block."""
    with ExitStack() as stack:
        server = stack.enter_context(own_postgres.running())
        migrate(server.url)
        actors.publish(server.url)
        sendgrid = stack.enter_context(sendgrid_server.running())
        mailbox = stack.enter_context(smtp_server.running())
        yookassa = stack.enter_context(yookassa_server.running())
        scene = Scene(folder, server, sendgrid, mailbox, yookassa, mail_provider)
        for post in scene.posts.values():
            post.start()
            stack.callback(post.end)
        yield scene
