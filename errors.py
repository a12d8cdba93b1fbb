"""Every error of this project, told apart by what a caller can do about it.

BalansityError
├── SettingsError      the environment is wrong: nothing starts
├── DatabaseError      the server cannot be used: unreachable, too old, a missing privilege
├── RetryableError     it may work later: a provider that is down or over its limit
└── PermanentError     it never will: the message becomes a dead letter or a failed record at once
    └── InvalidMessage the payload has the wrong shape
"""


class BalansityError(Exception):
    """Something of Balansity's own went wrong."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class SettingsError(BalansityError):
    """A setting is missing or wrong."""


class DatabaseError(BalansityError):
    """The database cannot be used."""


class RetryableError(BalansityError):
    """It failed this time and may work later."""


class PermanentError(BalansityError):
    """It will fail the same way however often it is tried."""


class InvalidMessage(PermanentError):  # noqa: N818 - named for what it is, as Dramatiq names its own
    """The message's payload has the wrong shape."""
