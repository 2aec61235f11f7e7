"""Events on their way to whoever iterates them: in order, each once."""

from __future__ import annotations

from collections import deque

from copilot_client.base import CallEvent
from copilot_client.errors import ProtocolError
from copilot_client.messages import CallEnded


class MissedEvents(ConnectionError):  # noqa: N818
    """There is a hole in the sequence; resuming fills it."""


class Inbox:
    """At most ``max_events`` wait; beyond that the oldest go, counted in ``dropped``."""

    def __init__(self, max_events: int, after: int = 0) -> None:
        self.last_seq = after
        self.is_ended = False
        self.dropped = 0
        self._events: deque[CallEvent] = deque()
        self._max_events = max_events
        self._missed_at = -1

    @property
    def has_news(self) -> bool:
        """Whether ``take`` has an answer."""
        return bool(self._events) or self.is_ended

    def put(self, event: CallEvent) -> None:
        """Take an event; one seen before is dropped. Raises MissedEvents, and ProtocolError if that did not help."""
        if event.seq <= self.last_seq:
            return
        if event.seq > self.last_seq + 1:
            if self._missed_at == self.last_seq:
                raise ProtocolError(f"event {self.last_seq + 1} is missing, the server sent {event.seq}")
            self._missed_at = self.last_seq
            raise MissedEvents(f"event {self.last_seq + 1} is missing")
        self.last_seq = event.seq
        self.is_ended = isinstance(event, CallEnded)
        self._events.append(event)
        if len(self._events) > self._max_events:
            self._events.popleft()
            self.dropped += 1

    def take(self) -> CallEvent | None:
        """The next event, or None after the last one of the call."""
        return self._events.popleft() if self._events else None
