"""Following a call: what is stored first, then what comes, gap-free and in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from copilot.bus import FLOOR, Lagged, call_topic
from copilot.wire.codec import encode

if TYPE_CHECKING:
    from copilot.server.service import Service

PAGE = 500


async def follow(service: Service, call_id: str, after: int) -> AsyncIterator[bytes]:
    """Every message of the call with ``seq`` above ``after``, until ``call.ended``."""
    topic = call_topic(call_id)
    while True:
        async for seq, frame in _stored(service, call_id, after):
            after = seq
            yield frame
        if not service.calls.may_go_on(call_id):
            return
        try:
            async for seq, frame in service.bus.subscribe(topic, after):
                after = seq
                yield frame
                if frame.startswith(b'{"type":"call.ended"'):
                    return
        except Lagged:
            continue  # too far behind for the bus: the store has everything


async def follow_floor(service: Service) -> AsyncIterator[bytes]:
    """A snapshot of the live calls of this node, then every change, from all nodes."""
    while True:
        updates = service.bus.subscribe(FLOOR, None)
        yield encode(service.floor.snapshot())
        try:
            async for _, frame in updates:
                yield frame
        except Lagged:
            continue  # a new snapshot says it all
        return


async def _stored(service: Service, call_id: str, after: int) -> AsyncIterator[tuple[int, bytes]]:
    """What the store has behind ``after``. Numbers have no gaps, so they need not be read out of the frames."""
    while True:
        frames = await asyncio.to_thread(service.store.events, call_id, after, PAGE)
        for frame in frames:
            after += 1
            yield after, frame
        if len(frames) < PAGE:
            return
