"""The promise every bus keeps: gap-free, ordered delivery of numbered entries to any number of subscribers.

A topic is a log. Its newest entries are kept (``stream_length``); a subscriber is only a position in it, so that a
slow one costs nothing and holds up nobody. When what it wants next is no longer kept, it gets ``Lagged``, reads the
missing entries from the store, and subscribes again behind them.

Topics:

``call:<call_id>``  a call's events, numbered by the call (``seq`` from 1). An entry published twice is delivered once.
``floor``           the latest state of every call, from all nodes, published with ``seq=None``: the bus numbers the
                    entries in the order this node came to know them. Such numbers mean nothing on another node or
                    after a restart; a new viewer takes a snapshot and subscribes with ``after_seq=None``: from now on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, Self

from copilot.errors import CopilotError

FLOOR = "floor"


def call_topic(call_id: str) -> str:
    """Where a call's events are published."""
    return f"call:{call_id}"


class Entry(NamedTuple):
    """One published message."""

    seq: int
    body: bytes


class Lagged(CopilotError):  # noqa: N818  # what happened, not what is broken
    """The subscriber's next entry is no longer kept. ``after_seq`` is the last one it has had."""

    def __init__(self, topic: str, after_seq: int) -> None:
        super().__init__("bus.lagged", f"{topic} has moved on; entry {after_seq + 1} is in the store")
        self.after_seq = after_seq


class Subscription(Protocol):
    """An endless stream of entries. It ends when the topic is forgotten or the bus is closed."""

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> Entry:
        """The next entry, waiting for it. Raises Lagged, and StopAsyncIteration at the end of the topic."""
        ...

    async def aclose(self) -> None:
        """No more entries are wanted."""
        ...


class Bus(Protocol):
    """Fan-out of messages. All methods belong to one event loop."""

    async def publish(self, topic: str, seq: int | None, body: bytes) -> None:
        """Deliver to every subscriber on this node and, sooner or later, on others. Never waits for a network."""
        ...

    def subscribe(self, topic: str, after_seq: int | None = 0) -> Subscription:
        """Entries numbered above ``after_seq``; None means those published from now on."""
        ...

    def forget(self, topic: str) -> None:
        """The topic is over: end its subscriptions on this node once they have had everything, free its memory."""
        ...

    async def close(self) -> None:
        """End all subscriptions, hand over what is still to be sent if that is quick, let go of connections."""
        ...


Degraded = Callable[[bool, str], None]
"""``(True, reason)`` when other nodes can no longer be reached, ``(False, reason)`` when they can again."""
