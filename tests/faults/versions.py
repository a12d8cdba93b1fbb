"""One small application in two versions, VERSION=older and VERSION=newer: actors, jobs, and its processes' commands.

`python -m tests.faults.versions publish` is the end of a deploy's `migrate`, `… schedule` its scheduler.
"""

import os
import sys
from datetime import timedelta
from functools import partial
from queue import SimpleQueue

import dramatiq

import actors
import db.database
import scheduler
from domain.slots import Missed
from scheduler import Job
from tests.faults.effects import note

NEWER = os.environ["VERSION"] == "newer"
scheduler.SAFETY_NET_SECONDS = 1


@dramatiq.actor(queue_name="quick")
def sweep(slot: str) -> None:
    note(f"swept:{slot}")


JOBS = [Job("sweep", "* * * * *", Missed.ALL, timedelta(hours=1), sweep)]

if NEWER:

    @dramatiq.actor(queue_name="quick")
    def greet(name: str, warmly: bool = False) -> None:
        note(f"{'hugged' if warmly else 'greeted'}:{name}")

    @dramatiq.actor(queue_name="quick")
    def wave(name: str) -> None:
        note(f"waved:{name}")

    @dramatiq.actor(queue_name="quick")
    def air(slot: str) -> None:
        note(f"aired:{slot}")

    JOBS = [
        Job("sweep", "*/2 * * * *", Missed.ALL, timedelta(hours=1), sweep),
        Job("air", "* * * * *", Missed.ALL, timedelta(hours=1), air),
    ]
else:

    @dramatiq.actor(queue_name="quick")
    def greet(name: str) -> None:
        note(f"greeted:{name}")


if __name__ == "__main__":
    if sys.argv[1] == "publish":
        actors.publish(db.database.url(), partial(scheduler.publish, jobs=JOBS))
    else:
        scheduler.run(SimpleQueue(), JOBS)
