"""The auditor: one function a promise; each yields what breaks it, in words, and nothing where it was kept."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from mail.template import TEMPLATES
from tests.faults.proof.deeds import KINDS
from tests.faults.proof.evidence import Attempt, Delivery, Evidence
from tests.faults.proof.scene import ANSWER_SECONDS
from tests.servers.calls import Call

LEFT = {"sent", "delivered"}
UNFINISHED = {"planned", "sending"}
MAY_HAVE_LEFT = {"unknown", "sent"}  # its message looks again later, if only to learn that a late answer said it left
NO_ANSWERS = {None, 502, 504}  # statuses of which nobody can tell what became of the mail
AT_ONCE_SECONDS = 40  # in which an answer is in the ledger, whatever the longest fault of the database is
CLOCK_SECONDS = 0.5  # by which two readings of one machine's clock may be out of order


class Breach(NamedTuple):
    """A promise that was not kept."""

    promise: str
    what: str


def audit(evidence: Evidence) -> list[Breach]:
    """Every breach of every promise."""
    return [Breach(name, what) for name, promise in PROMISES.items() for what in promise(evidence)]


def no_mail_is_lost(evidence: Evidence) -> Iterator[str]:
    """Whoever was to have a mail has one delivery of it; what is `sent` was taken by a provider."""
    found = {(each.recipient, each.template): each for each in evidence.deliveries}
    taken = {call.delivery for call in evidence.calls if call.taken}
    for business in evidence.businesses:
        for template in KINDS[business.kind].mails:
            delivery = found.get((business.email, template))
            if delivery is None:
                yield f"{business.kind} of {business.email}: no delivery of {template}"
            elif delivery.state not in {*LEFT, "unknown"}:
                yield f"{_named(delivery)} is {delivery.state}: {delivery.reason}"
    for delivery in evidence.deliveries:
        if delivery.state in LEFT and delivery.id not in taken:
            yield f"{_named(delivery)} is {delivery.state}, and no provider took it"


def no_mail_is_doubled(evidence: Evidence) -> Iterator[str]:
    """A provider took each mail once, and again only where an attempt's answer is not known."""
    taken = Counter(call.delivery for call in evidence.calls if call.taken)
    for delivery in evidence.deliveries:
        if taken[delivery.id] > 1 + len(delivery.may_have_left):
            yield f"{_named(delivery)} was taken {taken[delivery.id]} times: {_told(delivery.attempts)}"
    wanted = Counter((each.email, template) for each in evidence.businesses for template in KINDS[each.kind].mails)
    made = Counter((each.recipient, each.template) for each in evidence.deliveries)
    for recipient, template in (made - wanted).elements():
        yield f"{recipient} has a delivery of {template} too many"
    for delivery_id in taken.keys() - {each.id for each in evidence.deliveries}:
        yield f"a provider took a mail that the ledger does not know: {delivery_id}"


def unknown_is_only_what_had_no_answer(evidence: Evidence) -> Iterator[str]:
    """An attempt's answer is not known only where none came, or where the process that heard it was killed."""
    for delivery in evidence.deliveries:
        for attempt in delivery.may_have_left:
            if why := _should_be_known(evidence, delivery, attempt):
                yield f"{_named(delivery)}, attempt {attempt.number} has the outcome {attempt.outcome}: {why}"
        if delivery.state == "unknown" and not delivery.may_have_left:
            yield f"{_named(delivery)} is unknown, and each attempt has its answer"


def _should_be_known(evidence: Evidence, delivery: Delivery, attempt: Attempt) -> str:
    """Why the answer of this attempt cannot be unknown; empty where it may be."""
    calls = _calls(evidence, delivery, attempt)
    if attempt.outcome == "unknown":  # who made it lived on
        heard = [call for call in calls if call.heard not in NO_ANSWERS and _in_time(call)]
        return f"the provider answered {heard[0].heard}" if heard else ""
    killed = {life.sender: life.killed_at for life in evidence.lives if life.killed_at}
    senders = {call.sender for call in calls} or killed.keys()  # it may have been killed before it called
    since = attempt.started_at - CLOCK_SECONDS
    if any(since < killed.get(sender, 0) < attempt.started_at + AT_ONCE_SECONDS for sender in senders):
        return ""
    return f"{', '.join(sorted(senders)) or 'nobody'} was not killed soon after it began"


def _calls(evidence: Evidence, delivery: Delivery, attempt: Attempt) -> list[Call]:
    """What the provider saw of an attempt: the next attempt begins after it."""
    later = [each.started_at for each in delivery.attempts if each.number > attempt.number]
    ends = min(later, default=float("inf"))
    return [
        call
        for call in evidence.calls
        if call.delivery == delivery.id and attempt.started_at - CLOCK_SECONDS <= call.arrived_at < ends
    ]


def _in_time(call: Call) -> bool:
    """Whether the caller was surely still listening."""
    return call.heard_at < call.arrived_at + ANSWER_SECONDS / 2


def the_unknown_goes_again_only_by_policy(evidence: Evidence) -> Iterator[str]:
    """What may have left is sent again only where its template says so, and not before the quiet period is over."""
    for delivery in evidence.deliveries:
        policy = TEMPLATES[delivery.template].resend_after
        for attempt, next_one in pairwise(delivery.attempts):
            if attempt in delivery.may_have_left and (
                policy is None or next_one.started_at < attempt.started_at + policy.total_seconds()
            ):
                after = next_one.started_at - attempt.started_at
                yield f"{_named(delivery)} went again {after:.1f} s after attempt {attempt.number}, of unknown answer"


def every_effect_happens_once(evidence: Evidence) -> Iterator[str]:
    """Payments, consultations, reports, events and refunds are what the family's business asks for."""
    for business in evidence.businesses:
        kind = KINDS[business.kind]
        wanted = {
            "payments": [kind.payment] * (kind.payment is not None),
            "appointments": [kind.appointment] * (kind.appointment is not None),
            "reports": kind.reports,
            "files": kind.reports,
            "events": list(kind.events),
            "refunds": kind.refunds,
        }
        for name, value in wanted.items():
            if (found := getattr(business, name)) != value:
                yield f"{business.kind} of {business.email}: {name} {found} instead of {value}"


def nothing_is_stuck(evidence: Evidence) -> Iterator[str]:
    """No message is held without a run or past its time, and no delivery is left in the middle of something."""
    told = {each.message_id for each in evidence.deliveries if each.state in MAY_HAVE_LEFT}
    for message in evidence.messages:
        what = f"{message.actor} {message.id}"
        if message.state == "consumed":
            yield f"{what} is consumed by " + ("a worker that runs it no more" if message.has_worker else "nobody")
        elif message.state == "queued" and message.is_due:
            yield f"{what} is due and waits: {message.error}"
        elif message.state == "queued" and message.actor == "send_email" and message.id not in told:
            yield f"{what} waits for another try, although every provider is there: {message.error}"
    for delivery in evidence.deliveries:
        if delivery.state in UNFINISHED:
            yield f"{_named(delivery)} is {delivery.state}: {delivery.reason}"
    for queue, count in evidence.waiting_in_pgmq.items():
        if count:
            yield f"{count} messages wait in pgmq's {queue}"


def nothing_ends_as_a_dead_letter(evidence: Evidence) -> Iterator[str]:
    """No fault of the infrastructure is a message's end."""
    for message in evidence.messages:
        if message.state == "rejected":
            yield f"{message.actor} {message.id}: {(message.error or '').strip().splitlines()[-1:]}"


def every_slot_runs_once(evidence: Evidence) -> Iterator[str]:
    """Each slot that was planned has ended well, and none is there twice."""
    for run in evidence.slots:
        if run.state not in {"succeeded", "skipped"}:
            yield f"{run.job} at {run.slot} is {run.state}"
    for job, slot in _repeated((run.job, run.slot) for run in evidence.slots):
        yield f"{job} at {slot} is there twice"


def doctor_tells_of_everything_unfinished(evidence: Evidence) -> Iterator[str]:
    """Whatever is unknown, failed or dead is counted by `balansity doctor`."""
    told = " ".join(finding["what"] for finding in evidence.doctor)
    open_mails = sum(each.state in {"unknown", "failed"} for each in evidence.deliveries)
    dead = sum(message.state == "rejected" for message in evidence.messages)
    for what, count in (("Mails that did not leave in the last week", open_mails), ("Dead letters", dead)):
        if f"{what}: {count or 'none'}" not in told:
            yield f"doctor does not say `{what}: {count or 'none'}`"
    for finding in evidence.doctor:
        if finding["verdict"] == "bad" and finding.get("check") != "sender-domain":  # the stand-in's is nobody's
            yield f"doctor finds bad, although the faults are over: {finding['what']}"


def nothing_odd_happens(evidence: Evidence) -> Iterator[str]:
    """Processes end only when they are told to, and log no fault of ours."""
    yield from evidence.oddities


def _repeated(items: Iterable[tuple[str, object]]) -> list[tuple[str, object]]:
    return [item for item, count in Counter(items).items() if count > 1]


def _named(delivery: Delivery) -> str:
    return f"{delivery.template} to {delivery.recipient} ({delivery.id})"


def _told(attempts: Iterable[Attempt]) -> str:
    return ", ".join(f"{attempt.number} {attempt.outcome}" for attempt in attempts)


PROMISES: dict[str, Callable[[Evidence], Iterator[str]]] = {
    "no mail is lost": no_mail_is_lost,
    "no mail is doubled": no_mail_is_doubled,
    "unknown is only what had no answer": unknown_is_only_what_had_no_answer,
    "the unknown goes again only by policy": the_unknown_goes_again_only_by_policy,
    "every effect happens once": every_effect_happens_once,
    "nothing is stuck": nothing_is_stuck,
    "nothing ends as a dead letter": nothing_ends_as_a_dead_letter,
    "every slot runs once": every_slot_runs_once,
    "doctor tells of everything unfinished": doctor_tells_of_everything_unfinished,
    "nothing odd happens": nothing_odd_happens,
}
