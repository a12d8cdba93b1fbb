"""The shell on a database of the live kind."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from click.testing import CliRunner, Result

import cli
import settings
from db.database import pool


@contextmanager
def pointed_at(url: str) -> Iterator[None]:
    """Settings of this process name that database."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DATABASE_URL", url)
        settings.current.cache_clear()
        pool.closeall()
        yield
        pool.closeall()
    settings.current.cache_clear()


def balansity(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, arguments, catch_exceptions=False)
