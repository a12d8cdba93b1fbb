"""The bakery's settings. The broker asks for none of them: they are handed to it."""

import os

CONNECTIONS = 4
SILENCE_SECONDS = 4.0


def database_url() -> str:
    return os.environ["BAKERY_DATABASE"]
