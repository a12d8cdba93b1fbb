"""Every error of this project, told apart by what a caller can do about it.

BalansityError
├── SettingsError      the environment is wrong: nothing starts
├── BrokenActor        a file of actors cannot be loaded: nothing is published, and no worker starts
├── Refused            what a person asked for is not done, and why; a page says it in its reader's language
├── DatabaseError      the server cannot be used: unreachable, too old, a missing privilege
├── RetryableError     it may work later: a provider that is down or over its limit
│   ├── ProviderBusy   and the provider said when
│   │   └── ProviderHeld   it is known to be away, and was not asked
│   └── ProviderAway   and so will everything else that is asked of the provider
├── CarrierAway        RabbitMQ does not answer, or did not confirm that it has what it was given
├── OutcomeUnknown     the request went out and no answer came: nobody knows whether it had its effect
├── KeyMissing         it is encrypted with a key that this process has not
├── DeadLettered      what a caller waited for ended as a dead letter
└── PermanentError     it never will: the message becomes a dead letter or a failed record at once
    ├── UnknownToProvider the provider has nothing under that id
    └── InvalidMessage the payload has the wrong shape
"""


class BalansityError(Exception):
    """Something of Balansity's own went wrong."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class SettingsError(BalansityError):
    """A setting is missing or wrong."""


class BrokenActor(BalansityError):  # noqa: N818 - says what became of it
    """A file of actors cannot be loaded: where, and why."""


class Refused(BalansityError):  # noqa: N818 - says what became of it
    """What a person asked for is not done."""

    def __init__(self, sentence: str, **words: object) -> None:
        """`sentence` is a key of the translations, with `words` in the places that it names: %(so)s."""
        super().__init__(sentence % words)
        self.sentence = sentence
        self.words = words


class DatabaseError(BalansityError):
    """The database cannot be used."""


class RetryableError(BalansityError):
    """It failed this time and may work later."""


class ProviderBusy(RetryableError):  # noqa: N818 - says what is the case, the base says that it is an error
    """The provider asked to come back after `seconds`."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class ProviderHeld(ProviderBusy):
    """The provider is known to be away: it was not asked, and `seconds` is when to look again."""


class ProviderAway(RetryableError):  # noqa: N818 - as ProviderBusy
    """The provider takes nothing from us: it is down, or refuses us rather than what it was asked."""


class CarrierAway(BalansityError):  # noqa: N818 - as ProviderBusy
    """RabbitMQ does not answer."""


class OutcomeUnknown(BalansityError):  # noqa: N818 - the point is that it may not be an error
    """The request went out, and no answer came back."""


class DeadLettered(BalansityError):  # noqa: N818 - says what became of it
    """A message became a dead letter."""


class KeyMissing(BalansityError):  # noqa: N818 - as DeadLettered
    """Something is encrypted with a key that is not among this process's; what the key is called."""

    def __init__(self, key_name: str) -> None:
        super().__init__(f"It is encrypted with the key {key_name}, which is not among this process's keys.")
        self.key_name = key_name


class PermanentError(BalansityError):
    """It will fail the same way however often it is tried."""


class UnknownToProvider(PermanentError):  # noqa: N818 - as ProviderBusy
    """The provider has nothing under the id that it was asked about."""


class InvalidMessage(PermanentError):  # noqa: N818 - named for what it is, as Dramatiq names its own
    """The message's payload has the wrong shape."""
