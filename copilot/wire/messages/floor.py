"""The floor: all live calls, for supervisors."""

from __future__ import annotations

from copilot.wire.messages.base import Count, Message, Value


class FloorCall(Value, frozen=True, kw_only=True):
    """One live call as the supervisor's list shows it. ``attention`` 0..100 orders the list."""

    call_id: str
    rep_id: str
    customer_ref: str
    started_at: str
    playbook: str
    stage: str
    pos_ms: Count
    last_line: str
    last_speaker: str
    talk_ratio: float
    steps_done: Count
    steps: Count
    open_cards: tuple[str, ...]
    reasons: tuple[str, ...]
    attention: Count
    lag_ms: Count
    degraded: bool
    paused: bool
    updated_at: str
    impaired: tuple[str, ...] = ()


class FloorSnapshot(Message, frozen=True, kw_only=True, tag="floor.snapshot"):
    """All live calls this supervisor may see; the first message on ``/v1/floor``."""

    calls: tuple[FloorCall, ...]


class FloorUpdated(Message, frozen=True, kw_only=True, tag="floor.updated"):
    """A live call began or changed."""

    call: FloorCall


class FloorRemoved(Message, frozen=True, kw_only=True, tag="floor.removed"):
    """A call is no longer live."""

    call_id: str
    reason: str


class FloorAlert(Message, frozen=True, kw_only=True, tag="floor.alert"):
    """Something on a call wants a supervisor's attention now."""

    call_id: str
    code: str
    headline: str


FloorMessage = FloorSnapshot | FloorUpdated | FloorRemoved | FloorAlert
