"""Messages that mean the same on every socket of a call, as events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from copilot.events import (
    CallEvent,
    CardAcked,
    CardRendered,
    DtmfReceived,
    HungUp,
    Marked,
    Paused,
    Resumed,
    RolesSwapped,
    StepTicked,
    StepWaived,
    SupervisorMessaged,
)
from copilot.wire.messages import (
    CallEnd,
    CallPause,
    CallResume,
    CardAck,
    CardRenderedMessage,
    ClientMessage,
    Dtmf,
    Mark,
    RolesSwap,
    StepTick,
    StepWaive,
    SupervisorSend,
)

_EVENTS: dict[type, Callable[[Any, str], CallEvent]] = {
    CallPause: lambda m, _: Paused(reason=m.reason),
    CallResume: lambda _, __: Resumed(),
    CallEnd: lambda m, _: HungUp(reason="completed", outcome=m.outcome),
    Dtmf: lambda m, _: DtmfReceived(digit=m.digit, speaker=m.speaker),
    Mark: lambda m, by: Marked(label=m.label, by=by),
    CardRenderedMessage: lambda m, _: CardRendered(card_id=m.card_id),
    CardAck: lambda m, _: CardAcked(card_id=m.card_id, action=m.action),
    StepTick: lambda m, by: StepTicked(step_id=m.step_id, by=by),
    StepWaive: lambda m, by: StepWaived(step_id=m.step_id, by=by, reason=m.reason),
    RolesSwap: lambda _, __: RolesSwapped(),
    SupervisorSend: lambda m, by: SupervisorMessaged(text=m.text, by=by),
}


def as_event(message: ClientMessage, by: str) -> CallEvent | None:
    """The event a message stands for, done by ``by``; None for those that concern one connection only."""
    make = _EVENTS.get(type(message))
    return make(message, by) if make else None
