"""Runs one verb of one player and prints how many messages a second it came to."""

import importlib
import json
import sys
import time


def main(player: str, verb: str, *arguments: str) -> None:
    act = getattr(importlib.import_module(f"bench.players.{player}"), verb)
    numbers = [int(argument) for argument in arguments]
    if verb in {"send", "bulk"}:
        act(min(200, numbers[0]))  # connections, prepared statements, caches
    started = time.perf_counter()
    act(*numbers)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "rate": numbers[0] / seconds if numbers else None}))


main(*sys.argv[1:])
