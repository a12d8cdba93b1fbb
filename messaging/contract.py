"""The contract between actors and SQL: which actors there are, what they accept, which pgmq queue feeds them."""

from collections.abc import Iterable
from typing import Any

from db import queries
from db.connection import Connection
from messaging.lines import KEY, LIMIT
from messaging.repertoire import parameters, signature_of

RELABELLED_AT_ONCE = 10_000  # messages, a statement


def publish(connection: Connection, actors: Iterable[Any]) -> None:
    """Make this the contract that counts, whatever older or newer one did: what it does not name is retired.

    The routes' pgmq queues are furnished.
    """
    described = [_described(actor) for actor in actors]
    queries.broker.hold_contract(connection)
    for each in described:
        queries.broker.free_route(connection, name=each["name"], pgmq_queue=each["pgmq_queue"])
        queries.broker.publish_actor(connection, **each)
    queries.broker.retire_actors(connection, names=[each["name"] for each in described])
    while queries.broker.relabel_aside(connection, limit=RELABELLED_AT_ONCE):
        pass
    queries.broker.furnish_routes(connection)


def introduce(connection: Connection, actors: Iterable[Any]) -> None:
    """Add the actors that SQL was never told of; of the others the published contract knows better."""
    for actor in actors:
        queries.broker.introduce_actor(connection, **_described(actor))


def _described(actor: Any) -> dict[str, Any]:
    taken = parameters(actor.fn)
    named = [each for each in taken if each.kind in {each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY}]
    return {
        "name": actor.actor_name,
        "queue_name": actor.queue_name,
        "priority": -actor.priority,
        "required": actor.options.get("required") or [each.name for each in named if each.default is each.empty],
        "accepted": None if any(each.kind is each.VAR_KEYWORD for each in taken) else [each.name for each in named],
        "signature": signature_of(actor),
        "pgmq_queue": actor.options.get("pgmq_queue"),
        "key": actor.options.get(KEY),
        "key_limit": actor.options.get(LIMIT, 1),
    }
