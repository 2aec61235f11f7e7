"""Following a call: what is stored first, then what comes, gap-free and in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from copilot.bus.base import Lagged

if TYPE_CHECKING:
    from copilot.server.service import Service

PAGE = 500


async def follow(service: Service, call_id: str, after: int) -> AsyncIterator[bytes]:
    """Every message of the call with ``seq`` above ``after``, until ``call.ended``."""
    topic = f"call:{call_id}"
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


async def _stored(service: Service, call_id: str, after: int) -> AsyncIterator[tuple[int, bytes]]:
    while True:
        rows = await asyncio.to_thread(service.store.events, call_id, after, PAGE)
        for after, frame in rows:  # noqa: PLR1704
            yield after, frame
        if len(rows) < PAGE:
            return
