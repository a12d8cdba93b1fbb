"""One attempt at a delivery: the call to the provider, and its answer in the ledger."""

from dataclasses import dataclass
from datetime import timedelta

from dramatiq.errors import Retry

from errors import OutcomeUnknown, PermanentError, ProviderAway, ProviderBusy, RetryableError
from gateways import availability
from gateways import mail as gateway
from gateways.mail.envelope import Accepted, Mail
from log import EventLogger
from mail import ledger, pace
from mail.template import TEMPLATES

events = EventLogger(__name__)


class Wait(Retry):
    """To be run again after `seconds`: nothing went wrong, so it does not count as a try."""

    def __init__(self, why: str, seconds: float) -> None:
        super().__init__(why, delay=int(seconds * 1000))  # type: ignore[no-untyped-call]


class Held(Wait):
    """To be run again once its provider is back."""


@dataclass(frozen=True)
class Attempt:
    """A call to the provider that the ledger knows about: its delivery is `sending`."""

    number: int
    mail: Mail
    provider: str


def call(attempt: Attempt, message_id: str) -> None:
    """Call the provider for a message, and record its answer, whatever it is.

    Raises:
        Wait: the provider says when to come back.
        ProviderAway: it takes no mail now.
        Retry: it did not answer, and the template's policy is to send again later.
        RetryableError: it did not take the mail this time.
        Anything else: the call broke off, and what came of it is unknown.
    """
    try:
        accepted = gateway.send(attempt.mail, attempt.provider)
    except OutcomeUnknown as error:
        _record(attempt, "unknown", str(error))
        availability.silent(attempt.provider, message_id, str(error))
        wait = TEMPLATES[attempt.mail.template].resend_after
        if wait is not None:
            raise Retry(str(error), delay=wait // timedelta(milliseconds=1)) from None
    except PermanentError as error:
        _record(attempt, "failed", str(error))
        availability.worked(attempt.provider)
    except ProviderBusy as error:
        _record(attempt, "planned", str(error))
        availability.worked(attempt.provider)
        pace.hold(attempt.provider, error.seconds)
        raise Wait(str(error), error.seconds) from None
    except RetryableError as error:
        _record(attempt, "planned", str(error))
        if not isinstance(error, ProviderAway):
            availability.worked(attempt.provider)
        raise
    except BaseException as error:  # a fault of ours, or the actor's time limit
        _record(attempt, "unknown", f"the call to the provider broke off: {type(error).__name__}")
        raise
    else:
        _record(attempt, "sent", accepted.answer, accepted)
        availability.worked(attempt.provider)


def _record(attempt: Attempt, outcome: str, answer: str, accepted: Accepted | None = None) -> None:
    ledger.finish(attempt.mail.delivery_id, attempt.number, outcome, answer, accepted and accepted.message_id)
    events.info(
        "delivery_answered",
        delivery=attempt.mail.delivery_id,
        template=attempt.mail.template,
        attempt=attempt.number,
        outcome=outcome,
    )
