"""How often a login may be tried: a few times at once, then after pauses that double.

It remembers in this process only. A table would let every visitor write to the database; without one, so many web
processes let so many times as much be tried, and a restart forgets: still hopeless against a password that the
settings accept.
"""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TypeVar

Value = TypeVar("Value")

KEPT_SECONDS = 3600  # since the last wrong try: then a source begins anew
KNOWN_SECONDS = 86_400  # since the last right try: so long others' tries do not lock a source out
MOST_SOURCES = 10_000  # remembered at once


@dataclass(frozen=True)
class Pauses:
    """So many wrong tries are free; each one more makes the pause twice as long, from a second on."""

    free: int
    longest_seconds: int

    def after(self, wrong: int) -> float:
        return 0 if wrong < self.free else min(2 ** min(wrong - self.free, 30), self.longest_seconds)


ONE_SOURCE = Pauses(free=5, longest_seconds=900)
ALL_SOURCES = Pauses(free=100, longest_seconds=30)  # short: who guesses from many addresses must not lock everyone out


@dataclass
class Tries:
    """Wrong tries, and when the last one was."""

    wrong: int = 0
    at: float = 0

    def pause(self, pauses: Pauses, now: float) -> float:
        if now - self.at > KEPT_SECONDS:
            return 0
        return max(0.0, self.at + pauses.after(self.wrong) - now)

    def fail(self, now: float) -> None:
        self.wrong = 1 if now - self.at > KEPT_SECONDS else self.wrong + 1
        self.at = now


class Throttle:
    """Wrong tries by source, and of all sources together; safe to ask from several threads."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.sources: OrderedDict[str, Tries] = OrderedDict()
        self.known: OrderedDict[str, float] = OrderedDict()
        self.all = Tries()

    def left(self, source: str, *, now: float) -> float:
        """The seconds that a source must wait: to be asked before a password is compared, which costs."""
        with self.lock:
            return self._left(source, now)

    def _left(self, source: str, now: float) -> float:
        pause = self.sources.get(source, Tries()).pause(ONE_SOURCE, now)
        if now - self.known.get(source, -KNOWN_SECONDS) >= KNOWN_SECONDS:
            pause = max(pause, self.all.pause(ALL_SOURCES, now))
        return pause

    def pause(self, source: str, *, right: bool, now: float) -> float:
        """Take note of a try; the seconds that its source must wait where it comes too early, however right it is."""
        with self.lock:
            if pause := self._left(source, now):
                return pause
            tries = self.sources.get(source, Tries())
            if right:
                self.sources.pop(source, None)
                _remember(self.known, source, now)
            else:
                tries.fail(now)
                self.all.fail(now)
                _remember(self.sources, source, tries)
        return 0


def _remember(memory: OrderedDict[str, Value], key: str, value: Value) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > MOST_SOURCES:
        memory.popitem(last=False)


def source_of(address: str | None) -> str:
    """Who tries, as far as an address tells: of IPv6, one household has 2⁶⁴ of them."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return address or ""
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
