"""The contract between actors and SQL: which actors there are, what they accept, which pgmq queue feeds them."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from db import queries
from db.connection import Connection


def publish(connection: Connection, actors: Iterable[Any], *, retire: bool) -> None:
    """Tell SQL of these actors; with `retire`, that there are no others, and furnish their routes' pgmq queues."""
    described = [_described(actor) for actor in actors]
    for each in described:
        queries.broker.free_route(connection, name=each["name"], pgmq_queue=each["pgmq_queue"])
        queries.broker.publish_actor(connection, **each)
    if retire:
        queries.broker.retire_actors(connection, names=[each["name"] for each in described])
        queries.broker.furnish_routes(connection)


def _described(actor: Any) -> dict[str, Any]:
    parameters = _parameters(actor.fn)
    named = [each for each in parameters if each.kind in {each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY}]
    return {
        "name": actor.actor_name,
        "queue_name": actor.queue_name,
        "priority": -actor.priority,
        "required": actor.options.get("required") or [each.name for each in named if each.default is each.empty],
        "accepted": None
        if any(each.kind is each.VAR_KEYWORD for each in parameters)
        else [each.name for each in named],
        "pgmq_queue": actor.options.get("pgmq_queue"),
    }


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """What a function takes; one that does not tell, as some of C, takes anything."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return [inspect.Parameter("anything", inspect.Parameter.VAR_KEYWORD)]
