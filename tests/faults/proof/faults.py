"""The faults of the proof: each has a name and begins, lasts and ends as a block."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial

from tests.faults import trouble
from tests.faults.crew import SILENCE_SECONDS
from tests.faults.proof.scene import Scene
from tests.servers.own_postgres import OwnServer
from tests.servers.sendgrid import Reply
from tests.servers.smtp import Mood

Block = AbstractContextManager[None]
WORKING = ("worker", "worker-2", "reports")
PAUSE_SECONDS = 2  # that a provider asks for with 429


@dataclass(frozen=True)
class Fault:
    """What happens on a scene, as long as the block; faults of different lanes happen at the same time."""

    name: str
    lane: str  # database, process, mail or other providers
    happens: Callable[[Scene], Block]
    seconds: tuple[float, float] = (1.0, 6.0)  # how long it lasts
    provider: str | None = None  # of mail, where it is one's alone


def at_server(name: str, happens: Callable[[OwnServer], Block], *seconds: float) -> Fault:
    return Fault(name, "database", lambda scene: happens(scene.server), (seconds[0], seconds[1]))


@contextmanager
def killed(post: str, scene: Scene) -> Iterator[None]:
    """`kill -9`; somebody starts it again at the end."""
    scene.posts[post].kill()
    try:
        yield
    finally:
        scene.posts[post].start()


@contextmanager
def frozen(post: str, scene: Scene) -> Iterator[None]:
    scene.posts[post].freeze()
    try:
        yield
    finally:
        scene.posts[post].resume()


@contextmanager
def replaced(post: str, scene: Scene) -> Iterator[None]:
    """SIGTERM, and the next one starts when it has ended: a deploy of the same version."""
    scene.posts[post].stop()
    scene.posts[post].start()
    yield


def at_sendgrid(name: str, reply: Reply) -> Fault:
    return Fault(f"SendGrid {name}", "mail", lambda scene: scene.sendgrid.moody(reply), provider="sendgrid")


def at_smtp(name: str, mood: Mood) -> Fault:
    return Fault(f"SMTP {name}", "mail", lambda scene: scene.mailbox.moody(mood), provider="smtp")


@contextmanager
def sendgrid_busy(scene: Scene) -> Iterator[None]:
    """429 with the time of its limit's reset."""
    reset = str(int(time.time()) + PAUSE_SECONDS)
    with scene.sendgrid.moody(Reply(429, headers={"X-RateLimit-Reset": reset})):
        yield


@contextmanager
def storage_away(scene: Scene) -> Iterator[None]:
    """Where the reports' disk was mounted is none."""
    _mount(scene, "no-disk")
    try:
        yield
    finally:
        _mount(scene, "disk")


def _mount(scene: Scene, what: str) -> None:
    fresh = scene.folder / "mount" / "next"
    fresh.symlink_to(scene.folder / what)
    fresh.replace(scene.storage)


def at_yookassa(name: str, mood: int | str) -> Fault:
    return Fault(f"YooKassa {name}", "others", lambda scene: scene.yookassa.moody(mood))


def _of_posts() -> Iterator[Fault]:
    silence = float(SILENCE_SECONDS)
    for post in WORKING:
        yield Fault(f"kill -9 of {post}", "process", partial(killed, post))
        yield Fault(f"{post} frozen past its silence", "process", partial(frozen, post), (1.5 * silence, 2.5 * silence))
        yield Fault(f"SIGTERM and restart of {post}", "process", partial(replaced, post))
    yield Fault("kill -9 of scheduler", "process", partial(killed, "scheduler"))
    yield Fault("SIGTERM and restart of scheduler", "process", partial(replaced, "scheduler"))


FAULTS = (
    at_server("server crash", trouble.crashed, 0, 1),
    at_server("fast restart", trouble.restarted, 0, 1),
    at_server("server away", OwnServer.away, 1, 8),
    at_server("read-only server", trouble.read_only, 1, 10),
    at_server("stalled commits", trouble.commits_stalled, 1, 12),
    at_server("frozen server", trouble.frozen, 1, 12),
    at_server("connections cut", trouble.connections_cut, 0, 1),
    at_server("deaf LISTEN", trouble.pulses_cut, 0, 1),
    at_server("no connection free", trouble.connections_used_up, 1, 8),
    at_server("queue locked", trouble.queue_locked, 1, 8),
    *_of_posts(),
    at_sendgrid("503", Reply(503)),
    at_sendgrid("500", Reply(500)),
    at_sendgrid("504 of a gateway that had passed the mail on", Reply(504, takes=True)),
    at_sendgrid("401, key revoked", Reply(401)),
    Fault("SendGrid 429", "mail", sendgrid_busy, provider="sendgrid"),
    at_sendgrid("silent, nothing taken", Reply(0, silent=True)),
    at_sendgrid("silent, mails taken", Reply(0, silent=True, takes=True)),
    at_sendgrid("hangs up, nothing taken", Reply(0)),
    at_sendgrid("hangs up in the midst of its answer", Reply(202, cut_short=True, takes=True)),
    Fault("SendGrid refuses connections", "mail", lambda scene: scene.sendgrid.away(), provider="sendgrid"),
    at_smtp("550 5.4.5 daily limit", Mood("RCPT", "550 5.4.5 Daily user sending limit exceeded")),
    at_smtp("554 5.7.1 block list", Mood("DATA", "554 5.7.1 Service unavailable; client host blocked using zen")),
    at_smtp("451 greylisted", Mood("RCPT", "451 4.7.1 Greylisted, please try again later")),
    at_smtp("hangs up after the mail, taken", Mood("DATA", None, takes=True)),
    at_smtp("hangs up after the mail, not taken", Mood("DATA", None)),
    at_smtp("silent, mails taken", Mood("DATA", None, takes=True, silent=True)),
    Fault("SMTP refuses connections", "mail", lambda scene: scene.mailbox.away(), provider="smtp"),
    at_yookassa("503", 503),
    at_yookassa("401", 401),
    at_yookassa("429", 429),
    at_yookassa("silent", "silence"),
    at_yookassa("loses its answers", "lost"),
    Fault("YooKassa refuses connections", "others", lambda scene: scene.yookassa.away()),
    Fault("report storage away", "others", storage_away),
)
