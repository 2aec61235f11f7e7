"""Following a call: what is stored first, then what comes, gap-free and in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from copilot.bus import FLOOR, Lagged, call_topic
from copilot.wire.codec import encode

if TYPE_CHECKING:
    from copilot.server.service import Service

PAGE = 500
LAST = b'{"type":"call.ended"'


async def follow(service: Service, call_id: str, after: int) -> AsyncGenerator[bytes]:
    """Every message of the call with ``seq`` above ``after``, until ``call.ended``."""
    if live := service.calls.get(call_id):
        after = min(after, live.driver.call.seq)  # a crash may have taken the last that this viewer had seen
    while True:
        async for seq, frame in _stored(service, call_id, after):
            after = seq
            yield frame
            if frame.startswith(LAST):
                return
        if not service.calls.may_go_on(call_id):
            return
        try:
            async with aclosing(service.bus.subscribe(call_topic(call_id), after)) as entries:
                async for seq, frame in entries:
                    after = seq
                    yield frame
                    if frame.startswith(LAST):
                        return
        except Lagged:
            continue  # too far behind for the bus: the store has everything


async def follow_floor(service: Service) -> AsyncGenerator[bytes]:
    """A snapshot of the live calls of this node, then every change, from all nodes."""
    while True:
        try:
            async with aclosing(service.bus.subscribe(FLOOR, None)) as updates:
                yield encode(service.floor.snapshot())
                async for _, frame in updates:
                    yield frame
        except Lagged:
            continue  # a new snapshot says it all
        return


async def _stored(service: Service, call_id: str, after: int) -> AsyncGenerator[tuple[int, bytes]]:
    """What the store has behind ``after``. Numbers have no gaps, so they need not be read out of the frames."""
    while True:
        frames = await asyncio.to_thread(service.store.events, call_id, after, PAGE)
        for frame in frames:
            after += 1
            yield after, frame
        if len(frames) < PAGE:
            return
