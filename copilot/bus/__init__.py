"""Fan-out between nodes.

    model   the promise: topics, entries, subscriptions, what a slow subscriber gets
    local   the bus inside one process
    redis   the same across processes, through Redis Streams

Which one a node uses follows from ``bus.url``.
"""

from copilot.bus.local import LocalBus
from copilot.bus.model import FLOOR, Bus, Degraded, Entry, Lagged, Subscription, call_topic
from copilot.config import BusSettings

__all__ = ["FLOOR", "Bus", "Degraded", "Entry", "Lagged", "LocalBus", "Subscription", "call_topic", "open_bus"]


async def open_bus(settings: BusSettings, *, node: str, on_degraded: Degraded | None = None) -> Bus:
    """The configured bus, running. ``node`` is this process's own name, different from every other's.

    An unreachable Redis is not an error (``on_degraded`` says so); raises ConfigError for a URL that is not one.
    """
    if not settings.url:
        return LocalBus(settings)
    from copilot.bus.redis import RedisBus  # noqa: PLC0415  # an optional dependency

    bus = RedisBus(settings, node=node, on_degraded=on_degraded)
    bus.start()
    return bus
