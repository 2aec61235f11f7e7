"""What a protocol session asks of its shell. Every protocol of this room speaks in these five words."""

from __future__ import annotations

import msgspec

from copilot import events
from copilot.wire import messages


class Reply(msgspec.Struct, frozen=True):
    """Send this message to the peer."""

    message: messages.Reply


class Begin(msgspec.Struct, frozen=True):
    """Start a new call, then call ``started`` or ``refuse``."""

    start: messages.CallStart


class Rejoin(msgspec.Struct, frozen=True):
    """Take up a call again, then call ``started`` or ``refuse``."""

    resume: messages.Resume


class Deliver(msgspec.Struct, frozen=True):
    """Hand this event to the call."""

    event: events.CallEvent


class Close(msgspec.Struct, frozen=True):
    """Close the connection. ``reason`` is the error's code; an ``error`` message came before."""

    code: int
    reason: str


Out = Reply | Begin | Rejoin | Deliver | Close
