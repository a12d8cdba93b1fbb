"""Imported before a worker's actors: it takes silence for death as soon as SILENCE_SECONDS says, not after 12 s.

Where ANSWER_SECONDS is set, it waits for no provider's answer longer.
"""

import os

from broker import broker
from gateways import http
from gateways.mail import smtp

broker.pulse.silence_seconds = float(os.environ["SILENCE_SECONDS"])
if seconds := os.environ.get("ANSWER_SECONDS"):
    http.ANSWER_SECONDS = smtp.TIMEOUT_SECONDS = smtp.CONTENT_SECONDS = int(seconds)
