"""What is going to happen, and when: by the seed alone, so that a run can be repeated."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.proof.deeds import KINDS, Deed
from tests.faults.proof.faults import FAULTS, Fault

MAIL_PROVIDERS = ("sendgrid", "smtp")
STEP_SECONDS = (0.5, 6.0)  # from one step of a family's business to the next
WARM_UP_SECONDS = 2.0  # before the first fault of a lane, at most


@dataclass(frozen=True)
class Incident:
    """A fault at its time: `at` seconds after the beginning, or when its lane is free, for so many `seconds`."""

    at: float
    seconds: float
    fault: Fault


@dataclass(frozen=True)
class Pace:
    """How long it goes on and how fast; each figure in seconds, or a pair to choose between."""

    seconds: float  # of load; faults begin as long
    deeds_a_second: float
    pause: tuple[float, float]  # between the faults of a lane
    longest: float = 60.0  # of any fault that a freeze needs not be longer than
    kinds: tuple[str, ...] = tuple(KINDS)


SHORT = Pace(6, 5, (0.2, 0.6), 1.5, tuple(kind for kind in KINDS if kind != "booking for today"))


def long(minutes: float) -> Pace:
    return Pace(minutes * 60, 1.2, (2.0, 15.0))


@dataclass(frozen=True)
class Plan:
    """A run: the provider of its mail, what the site does, and what goes wrong, lane by lane."""

    mail_provider: str
    deeds: list[Deed]
    lanes: dict[str, list[Incident]]


def plan(seed: int, pace: Pace, mail_provider: str | None = None) -> Plan:
    """The seed's plan; it also chooses the provider of mail, unless one is given."""
    chance = random.Random(seed)
    chosen = chance.choice(MAIL_PROVIDERS)
    mail_provider = mail_provider or chosen
    faults = [fault for fault in FAULTS if fault.provider in {None, mail_provider}]
    lanes = {lane: [fault for fault in faults if fault.lane == lane] for lane in sorted({f.lane for f in faults})}
    return Plan(
        mail_provider,
        sorted(_deeds(chance, pace), key=lambda deed: deed.at),
        {lane: list(_incidents(chance, pace, own)) for lane, own in lanes.items()},
    )


def _deeds(chance: random.Random, pace: Pace) -> Iterator[Deed]:
    weights = [KINDS[kind].weight for kind in pace.kinds]
    for number in range(int(pace.seconds * pace.deeds_a_second)):
        [kind] = chance.choices(pace.kinds, weights)
        at = chance.uniform(0, pace.seconds)
        for step in range(len(KINDS[kind].steps)):
            yield Deed(at, number, kind, step)
            at += chance.uniform(*STEP_SECONDS)


def _incidents(chance: random.Random, pace: Pace, faults: list[Fault]) -> Iterator[Incident]:
    """Every fault once in random order, then again, until time is up."""
    at = chance.uniform(0, WARM_UP_SECONDS)
    while True:
        for fault in chance.sample(faults, len(faults)):
            shortest, longest = fault.seconds
            seconds = chance.uniform(shortest, max(shortest, min(longest, pace.longest)))
            yield Incident(at, seconds, fault)
            at += seconds + chance.uniform(*pace.pause)
            if at > pace.seconds:
                return
