"""What a supervisor sees of all live calls: a pure fold over their messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from copilot.events import LOAD_STAGES
from copilot.wire import messages as wire
from copilot.wire.messages import FloorAlert, FloorCall

CARD_POINTS = {"compliance": 40, "objection": 15, "wrap_up": 15, "sop": 10, "behaviour": 8}
"""How much an open card of each kind adds to a call's attention score."""
AMBER, RED = 8, 16
OVERDUE = 12
LATE = 10
COMMON = frozenset({"recognition", *LOAD_STAGES[:-1]})
"""Impairments that alert nobody: lateness shows as such, and what every call does without needs no look at one."""
LAST_LINE_CHARS = 160


@dataclass
class _Live:
    """The present of one call."""

    opened: wire.CallOpened
    stage: str = ""
    pos_ms: int = 0
    last_line: str = ""
    last_speaker: str = ""
    talk_ratio: float = 0.0
    steps: dict[str, str] = field(default_factory=dict)
    cards: dict[str, wire.CardView] = field(default_factory=dict)
    metrics: dict[tuple[str, str | None], str] = field(default_factory=dict)
    lag_ms: int = 0
    degraded: set[str] = field(default_factory=set)
    paused: bool = False
    updated_at: str = ""


class Floor:
    """Folds call messages into the list of live calls.

    ``observe`` returns what changed for the supervisors: the call's new line, and an alert when one is due.
    """

    def __init__(self) -> None:
        self._live: dict[str, _Live] = {}

    def observe(self, message: wire.CallMessage) -> list[wire.FloorUpdated | wire.FloorRemoved | FloorAlert]:
        """Take one message of one call. Interim text changes nothing here."""
        if isinstance(message, wire.CallOpened):
            self._live[message.call_id] = _Live(opened=message, steps={step.id: step.state for step in message.steps})
        live = self._live.get(message.call_id)
        if live is None or isinstance(message, wire.TranscriptInterim):
            return []
        if isinstance(message, wire.CallEnded):
            del self._live[message.call_id]
            return [wire.FloorRemoved(call_id=message.call_id, reason=message.reason)]
        live.pos_ms, live.updated_at = message.pos_ms, message.emitted_at
        fold = FOLDS.get(type(message))
        if fold is None and not isinstance(message, wire.CallOpened):
            return []
        alerts = fold(live, message) if fold else None
        return [wire.FloorUpdated(call=_line(live)), *([alerts] if alerts else [])]

    def forget(self, call_id: str) -> None:
        """A call that ended elsewhere."""
        self._live.pop(call_id, None)

    def snapshot(self) -> wire.FloorSnapshot:
        """All live calls, those that need somebody most first."""
        lines = sorted((_line(live) for live in self._live.values()), key=lambda line: -line.attention)
        return wire.FloorSnapshot(calls=tuple(lines))


def _final(live: _Live, message: wire.TranscriptFinal) -> None:
    live.last_line, live.last_speaker = message.text[:LAST_LINE_CHARS], message.speaker
    live.lag_ms = message.lag_ms


def _raised(live: _Live, message: wire.CardRaised) -> FloorAlert | None:
    live.cards[message.card.id] = message.card
    if not message.card.critical:
        return None
    return FloorAlert(call_id=message.call_id, code=message.card.cue_id, headline=message.card.headline)


def _closed(live: _Live, message: wire.CardClosed) -> None:
    live.cards.pop(message.card_id, None)


def _step(live: _Live, message: wire.StepChangedMessage) -> None:
    live.steps[message.step_id] = message.state


def _stage(live: _Live, message: wire.StageChangedMessage) -> None:
    live.stage = message.stage_id


def _metric(live: _Live, message: wire.MetricMessage) -> None:
    if message.name == "talk_ratio":
        live.talk_ratio = message.value
    live.metrics[message.name, message.speaker] = message.attention


def _degraded(live: _Live, message: wire.ServiceDegradedMessage) -> FloorAlert | None:
    live.degraded.add(message.stage)
    live.lag_ms = message.lag_ms or live.lag_ms
    if message.stage in COMMON:
        return None
    what = message.stage if message.stage in LOAD_STAGES else message.reason
    return FloorAlert(call_id=message.call_id, code=f"service.{what}", headline=what)


def _restored(live: _Live, message: wire.ServiceRestored) -> None:
    live.degraded.discard(message.stage)


def _paused(live: _Live, _: wire.CallPaused) -> None:
    live.paused = True


def _resumed(live: _Live, _: wire.CallResumed) -> None:
    live.paused = False


FOLDS: dict[type, Callable[[_Live, Any], FloorAlert | None]] = {
    wire.TranscriptFinal: _final,
    wire.CardRaised: _raised,
    wire.CardClosed: _closed,
    wire.StepChangedMessage: _step,
    wire.StageChangedMessage: _stage,
    wire.MetricMessage: _metric,
    wire.ServiceDegradedMessage: _degraded,
    wire.ServiceRestored: _restored,
    wire.CallPaused: _paused,
    wire.CallResumed: _resumed,
}


def _line(live: _Live) -> FloorCall:
    attention, reasons = _attention(live)
    done = sum(state in ("done", "done_late") for state in live.steps.values())
    applicable = sum(state not in ("not_applicable", "waived") for state in live.steps.values())
    return FloorCall(
        call_id=live.opened.call_id,
        rep_id=live.opened.rep_id,
        customer_ref=live.opened.customer_ref,
        started_at=live.opened.started_at,
        playbook=live.opened.playbook,
        stage=live.stage,
        pos_ms=live.pos_ms,
        last_line=live.last_line,
        last_speaker=live.last_speaker,
        talk_ratio=live.talk_ratio,
        steps_done=done,
        steps=applicable,
        open_cards=tuple(card.cue_id for card in live.cards.values()),
        reasons=reasons,
        attention=attention,
        lag_ms=live.lag_ms,
        degraded=bool(live.degraded),
        impaired=tuple(sorted(live.degraded, key=_severity)),
        paused=live.paused,
        updated_at=live.updated_at,
    )


def _severity(stage: str) -> tuple[int, str]:
    """What a call does without in the order it was given up, other troubles before; the worst comes last."""
    return (LOAD_STAGES.index(stage) + 1 if stage in LOAD_STAGES else 0), stage


def _attention(live: _Live) -> tuple[int, tuple[str, ...]]:
    """0..100: open cards by kind, metrics out of bounds, overdue steps and lateness, with the three top reasons."""
    points = [
        (CARD_POINTS.get(card.kind, 5) * (2 if card.critical else 1), f"card:{card.cue_id}")
        for card in live.cards.values()
    ]
    points += [
        (RED if level == "red" else AMBER, f"metric:{name}")
        for (name, _), level in live.metrics.items()
        if level != "none"
    ]
    points += [(OVERDUE, f"step:{step_id}") for step_id, state in live.steps.items() if state == "overdue"]
    if troubles := live.degraded - set(LOAD_STAGES[:-1]):
        points.append((LATE, f"service:{min(troubles)}"))
    points.sort(key=lambda point: (-point[0], point[1]))
    return min(100, sum(score for score, _ in points)), tuple(reason for _, reason in points[:3])
