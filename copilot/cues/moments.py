"""What the cues are told, and when: facts, moments and timings."""

from __future__ import annotations

from typing import Literal

from copilot.events import Evidence, Frozen, Metric, Signal, Speaker, StageChanged, StepChanged


class Moment(Frozen, frozen=True, kw_only=True):
    """Now on both clocks. Wall time rules attention (gaps, ttl, cooldown), media time rules meaning (deadlines)."""

    now: float
    pos_ms: int


class Timing(Frozen, frozen=True, kw_only=True):
    """Wall milliseconds since the call started: when the phrase ended, and when its text was known."""

    phrase_end: int
    recognised: int


class CallMoment(Frozen, frozen=True, kw_only=True):
    """Something happened to the call itself. ``value``: the pressed key, the reason of a pause."""

    kind: Literal["elapsed", "paused", "resumed", "dtmf", "ending"]
    value: str = ""
    speaker: Speaker | None = None
    evidence: Evidence | None = None


class Match(Frozen, frozen=True, kw_only=True):
    """A trigger happened. ``signal`` is the last one that took part, ``step_id`` the step whose lateness did."""

    at_ms: int
    why: str
    signal: Signal | None = None
    evidence: Evidence | None = None
    step_id: str = ""


Fact = Signal | StepChanged | StageChanged | Metric | CallMoment
