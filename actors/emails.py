"""The e-mail actors: one message, one mail; and the look for mails that were accepted and never heard of again."""

from datetime import datetime
from typing import Any

import dramatiq
from dramatiq.middleware import CurrentMessage

from actors.holding import held_since, note_held
from actors.runs import run_slot
from errors import PermanentError
from gateways import availability
from gateways import mail as gateway
from mail.attempt import Held, Wait
from mail.delivery import deliver
from mail.order import read_order

MAX_RETRIES = 20  # with their backoff, over hours


@dramatiq.actor(
    queue_name="emails",
    pgmq_queue="email_queue",
    required=["to", "subject", "template"],
    readable=["key"],
    key="line",
    max_retries=MAX_RETRIES,
    min_backoff=2_000,
    max_backoff=1_800_000,
    time_limit=120_000,
    throws=(PermanentError,),
)
def send_email(**payload: Any) -> None:
    """Send the mail that `payload` describes (docs: the e-mail queue's message), once for its business key."""
    message = CurrentMessage.get_current_message()
    assert message, "dramatiq.middleware.CurrentMessage is active wherever actors run"  # noqa: S101
    tried = message.options.get("retries", 0)
    try:
        deliver(
            read_order(payload),
            message.message_id,
            _key_in_pgmq(message),
            held_since=held_since(message),
            last_try=tried >= MAX_RETRIES,
        )
    except Held:
        note_held(message)
        raise
    except Wait:
        message.options["retries"] = tried - 1  # Dramatiq is about to add one, as for any Retry
        raise


def _key_in_pgmq(message: dramatiq.Message[Any]) -> str | None:
    """The delivery's key, by which a message that came through pgmq is found from there; None for one that did not."""
    origin = message.options.get("pgmq")
    return origin and f"pgmq:{origin['queue']}:{origin['msg_id']}"


@dramatiq.actor(
    queue_name="appointments",
    max_retries=5,
    min_backoff=1_000,
    max_backoff=60_000,
    time_limit=60_000,
    throws=(PermanentError,),
)
def watch_mail_events(slot: str) -> None:
    """Look whether the providers that should report on their mails do."""
    run_slot("watch-mail-events", slot, watch)


def watch(_now: datetime) -> str:
    """Look at every provider: one that is in use no more, or not expected to report any more, is unheard of no more."""
    expected = gateway.reporting()
    verdicts = {name: availability.listen(name, reports=name in expected) for name in gateway.PROVIDERS}
    return ", ".join(f"{name}: {verdicts[name]}" for name in expected) or "no provider reports on its mails"
