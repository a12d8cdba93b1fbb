"""What a worker process can run: its actors, and the arguments that each of them takes."""

import inspect
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any

from messaging.lines import KEY, key_in, line_of
from messaging.seal import Seal

SHAPES = 1_000  # of calls whose fitting is remembered; a `**payload` may come in any


class Repertoire:
    """The actors of one process; a message for another is for another process."""

    def __init__(self, actors: Mapping[str, Any], seal: Seal) -> None:
        self.actors = actors
        self.seal = seal
        self._takes = lru_cache(SHAPES)(self._binds)

    def abilities(self) -> list[str]:
        """The names of its actors, their signatures, and the keys that it has."""
        signatures = (signature_of(actor) for actor in self.actors.values())
        return [*self.actors, *signatures, *self.seal.abilities()]

    def signature(self, actor_name: str) -> str | None:
        """An actor's signature; None where this process has no such actor."""
        return signature_of(self.actors[actor_name]) if actor_name in self.actors else None

    def readable(self, actor_name: str) -> Collection[str]:
        """Names of an actor's arguments that stay readable in a sealed message."""
        actor = self.actors.get(actor_name)
        return actor.options.get("readable", ()) if actor else ()

    def line(self, message: Any) -> str | None:
        """The line of a message that is sent: of its own key, or of the one that its arguments hold."""
        key = message.options.get(KEY)
        actor = self.actors.get(message.actor_name)
        if key is None and actor and (path := actor.options.get(KEY)):
            names = [each.name for each in parameters(actor.fn)]
            key = key_in(path, names, message.args, message.kwargs)
        return line_of(message.queue_name, key)

    def can_run(self, message: Any) -> bool:
        """Whether a message's actor is here and can be called with its arguments."""
        if message.actor_name not in self.actors:
            return False
        try:
            return self._takes(message.actor_name, len(message.args), tuple(message.kwargs))
        except TypeError:  # arguments that are no list and no object are wrong for any actor: let it fail here
            return True

    def _binds(self, actor_name: str, count: int, names: tuple[str, ...]) -> bool:
        try:
            inspect.Signature(parameters(self.actors[actor_name].fn)).bind(*range(count), **dict.fromkeys(names))
        except TypeError:
            return False
        return True


def signature_of(actor: Any) -> str:
    """An actor's name and parameters, to tell versions apart: `bake(loaf, butter=)`."""
    marks: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    listed = [
        f"{marks.get(each.kind, '')}{each.name}{'=' if each.default is not each.empty else ''}"
        for each in parameters(actor.fn)
    ]
    return f"{actor.actor_name}({', '.join([*listed, *actor.options.get('required', [])])})"


def parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """What a function takes; one that does not tell, as some of C, takes anything."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return [
            inspect.Parameter("anything", inspect.Parameter.VAR_POSITIONAL),
            inspect.Parameter("options", inspect.Parameter.VAR_KEYWORD),
        ]
