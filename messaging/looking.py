"""Where the threads of this process stand: files, lines and functions, and no value of any variable."""

import sys
import threading
from collections.abc import Iterable
from traceback import walk_stack
from types import FrameType
from typing import Any

from log import placeless
from messaging.claim import Claim

MOST_FRAMES = 40  # of a thread, the innermost


def stacks(held: Iterable[Claim]) -> list[dict[str, Any]]:
    """Each thread's name, the message that it runs, if any, and its frames, the innermost last."""
    runs = {claim.thread.ident: claim.message_id for claim in held if claim.thread and not claim.left}
    frames = sys._current_frames()  # noqa: SLF001 - documented, for this very purpose
    return [
        {"thread": thread.name, "message": runs.get(thread.ident), "frames": _places(frames[thread.ident])}
        for thread in threading.enumerate()
        if thread.ident in frames
    ]


def _places(innermost: FrameType) -> list[str]:
    places = [
        f'  File "{frame.f_code.co_filename}", line {line}, in {frame.f_code.co_name}'
        for frame, line in walk_stack(innermost)
    ]
    return [place.strip() for place in placeless("\n".join(reversed(places[:MOST_FRAMES]))).splitlines()]
