"""One attempt at a delivery: the call to the provider, and its answer in the ledger."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from dramatiq.errors import Retry

from db import connection, queries
from domain.mail import Mail
from domain.mail_template import patience
from errors import OutcomeUnknown, PermanentError, ProviderBusy, RetryableError
from gateways import mail as gateway
from gateways.mail import pace
from log import EventLogger

RECORD_PAUSES_SECONDS = (0.2, 0.5, 1, 2, 4, 8)  # between tries to write an answer down; within the actor's time limit

deliveries = queries.load("deliveries")
events = EventLogger(__name__)


@dataclass(frozen=True)
class Attempt:
    """A call to the provider that the ledger knows about: its delivery is `sending`."""

    number: int
    mail: Mail


def again(why: str, seconds: float) -> Retry:
    """What to raise for Dramatiq to run the message again after `seconds`."""
    return Retry(why, delay=int(seconds * 1000))


def call(attempt: Attempt) -> None:
    """Call the provider and record its answer, whatever it is.

    Raises:
        Retry: the provider is busy, or did not answer and the template's policy is to send again later.
        RetryableError: the provider did not take it this time.
    """
    try:
        accepted = gateway.send(attempt.mail)
    except OutcomeUnknown as error:
        _record(attempt, "unknown", str(error))
        wait = patience(attempt.mail.template)
        if wait is not None:
            raise again(str(error), wait.total_seconds()) from None
    except PermanentError as error:
        _record(attempt, "failed", str(error))
    except ProviderBusy as error:
        _record(attempt, "planned", str(error))
        pace.hold(error.seconds)
        raise again(str(error), error.seconds) from None
    except RetryableError as error:
        _record(attempt, "planned", str(error))
        raise
    else:
        _record(attempt, "sent", accepted.answer, accepted.message_id)


def _record(attempt: Attempt, outcome: str, answer: str | None, provider_message_id: str | None = None) -> None:
    """Write the answer down; a database that is away for a moment must not make a sent mail an unknown one."""
    finished_at = datetime.now(UTC)
    for pause in RECORD_PAUSES_SECONDS:
        try:
            with connection.single_statements() as conn:
                deliveries.finish_attempt(
                    conn,
                    delivery_id=attempt.mail.delivery_id,
                    number=attempt.number,
                    outcome=outcome,
                    answer=answer,
                    provider_message_id=provider_message_id,
                    at=finished_at,
                )
            break
        except connection.LOST_CONNECTION as error:
            events.warning("delivery_answer_not_recorded", delivery=attempt.mail.delivery_id, again_in_seconds=pause)
            lost = error
            time.sleep(pause)
    else:
        raise lost
    events.info(
        "delivery_answered",
        delivery=attempt.mail.delivery_id,
        template=attempt.mail.template,
        attempt=attempt.number,
        outcome=outcome,
    )
