"""Watching a call: its events, without its audio."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

from copilot_client.backoff import Backoff
from copilot_client.base import CallEvent
from copilot_client.inbox import Inbox
from copilot_client.link import TEMPORARY, Link

OPEN_TIMEOUT_S = 10.0


async def viewer(
    url: str, call_id: str, *, after: int = 0, token: str | None = None, backoff: Backoff | None = None
) -> AsyncIterator[CallEvent]:
    """Events of a call, live or over, that follow number ``after``, up to its ``CallEnded``.

    Reconnects as often as it takes. Raises Refused, ConnectionLost or ProtocolError.
    """
    link = Link(url, token, backoff or Backoff(), OPEN_TIMEOUT_S)
    inbox = Inbox(1, after)
    while not inbox.is_ended:
        try:
            async with await link.open(_path(call_id, inbox.last_seq)) as socket:
                async for message in link.messages(socket):
                    if not isinstance(message, CallEvent):
                        continue
                    link.established()
                    inbox.put(message)
                    if event := inbox.take():
                        yield event
                    if inbox.is_ended:
                        return
        except TEMPORARY as error:
            await link.pause_after(error)


def _path(call_id: str, after: int) -> str:
    return f"/v1/calls/{quote(call_id, safe='')}/events?after={after}"
