"""PgQueuer with asyncpg; handlers that never block and never leave the event loop."""

import asyncio

from bench.players.pgqueuer import bulk, fill, install, pace, send, serve

__all__ = ["bulk", "fill", "install", "pace", "send", "work"]


def work() -> None:
    asyncio.run(serve(in_threads=False))
