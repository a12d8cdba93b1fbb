"""What ends a run and is nobody's fault: the message is tried again on purpose, and the log says so in one line."""

import psycopg2
from dramatiq.errors import ConnectionError as BrokerConnectionError

from db.trouble import passes
from errors import DatabaseError, RetryableError


def comes_again(error: BaseException) -> bool:
    """Whether it passes by itself: a provider that is away, results that come later, a database that is not there."""
    return isinstance(error, RetryableError | DatabaseError | BrokerConnectionError) or (
        isinstance(error, psycopg2.Error) and passes(error)
    )
