"""The shell on a database of the live kind."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from click.testing import CliRunner, Result

import cli
import settings
from broker import broker
from db.database import pool


@contextmanager
def pointed_at(url: str) -> Iterator[None]:
    """Settings of this process name that database."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DATABASE_URL", url)
        settings.current.cache_clear()
        pool.closeall()
        yield
        broker.close()  # while the pool leads to the database where its worker is registered
        pool.closeall()
    settings.current.cache_clear()


def balansity(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, arguments, catch_exceptions=False)
