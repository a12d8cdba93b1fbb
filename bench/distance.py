"""Distance: a TCP line on which each piece takes its time, both ways, to a server on this machine."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
PIECE = 65_536  # bytes


@contextmanager
def away(server: Path | int, milliseconds: float) -> Iterator[int]:
    """The port of a line to a server's socket, or to its port, as long as the block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="distance", daemon=True)
    thread.start()
    line = asyncio.run_coroutine_threadsafe(_listen(_way_to(server), milliseconds / 1000), loop).result()
    try:
        yield int(line.sockets[0].getsockname()[1])
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _way_to(server: Path | int) -> Callable[[], Awaitable[Streams]]:
    if isinstance(server, int):
        return lambda: asyncio.open_connection("127.0.0.1", server)
    return lambda: asyncio.open_unix_connection(str(server))


async def _listen(connect: Callable[[], Awaitable[Streams]], seconds: float) -> asyncio.Server:
    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await connect()
        await asyncio.gather(_carry(reader, back, seconds), _carry(there, writer, seconds), return_exceptions=True)

    return await asyncio.start_server(met, "127.0.0.1", 0)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    try:
        while piece := await reader.read(PIECE):
            loop.call_later(seconds, writer.write, piece)
    finally:
        loop.call_later(seconds, writer.close)
