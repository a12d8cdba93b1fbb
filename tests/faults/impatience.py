"""Imported before a worker's actors: it takes silence for death as soon as SILENCE_SECONDS says, not after 12 s."""

import os

from broker import broker

broker.pulse.silence_seconds = float(os.environ["SILENCE_SECONDS"])
