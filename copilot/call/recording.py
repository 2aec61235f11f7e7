"""Recording and exact replay: a call is the log of ``(now, event)``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from copilot.call.call import Call, CallSetup
from copilot.events import CallEffect, CallEvent, CallInfo

Entry = tuple[float, CallEvent]
_ENCODER = msgspec.msgpack.Encoder()


def replay(info: CallInfo, setup: CallSetup, entries: Iterable[Entry]) -> Iterator[tuple[float, list[CallEffect]]]:
    """Live through a recorded call again; yields the effects of each entry. Needs neither models nor audio."""
    call = Call(info, setup)
    for now, event in entries:
        yield now, call.receive(event, now)


def encode_effects(effects: Iterable[CallEffect]) -> bytes:
    """Effects as bytes, to compare two runs exactly."""
    return _ENCODER.encode(list(effects))
