"""What a report says. Frozen, JSON-serialisable, additive only within one ``version``.

Times are media time in ms unless a name says otherwise. Texts the report itself writes come in both languages
(``Text``); what people said stays as said. Every ``Evidence.quote`` is a substring of the line it names.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from copilot.events import Evidence, Ledger, Speaker

VERSION = 1

Attention = Literal["none", "amber", "red"]
Severity = Literal["low", "medium", "high"]
Verdict = Literal["done", "done_late", "missing", "not_applicable", "waived", "undetermined"]

__all__ = ["VERSION", "Attention", "Evidence", "Ledger", "Severity", "Speaker", "Verdict"]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything in a report."""


class Text(Part, frozen=True, kw_only=True):
    """One text of the report's own, in both languages."""

    en: str
    zh: str

    def in_language(self, language: str) -> str:
        """The Chinese text for ``zh``, the English one otherwise."""
        return self.zh if language == "zh" else self.en


class Span(Part, frozen=True, kw_only=True):
    """A stretch of media time."""

    start_ms: int
    end_ms: int

    @property
    def length_ms(self) -> int:
        return self.end_ms - self.start_ms


class CallFacts(Part, frozen=True, kw_only=True):
    """Which call this was. ``end_reason``: completed | interrupted | idle | limit; ``sha256`` per channel."""

    call_id: str
    external_id: str
    kind: str
    direction: str
    rep_id: str
    customer_ref: str
    campaign: str
    language: Literal["en", "zh"]
    playbook_id: str
    playbook_version: str
    playbook_title: str
    started_at: str
    duration_ms: int
    end_reason: str
    is_complete: bool
    roles_swapped: int
    sha256: tuple[str, ...]


class Line(Part, frozen=True, kw_only=True):
    """One utterance as it stands at the end. ``is_backchannel``: 嗯, uh-huh, below 800 ms."""

    utterance_id: str
    speaker: Speaker
    start_ms: int
    end_ms: int
    text: str
    language: str = ""
    confidence: float = 1.0
    lag_ms: int = 0
    is_revised: bool = False
    is_backchannel: bool = False

    @property
    def length_ms(self) -> int:
        return self.end_ms - self.start_ms


class Measure(Part, frozen=True, kw_only=True):
    """A number with where it comes from. ``value`` is None when there was nothing to measure.

    ``kind``: ``ratio`` (value = numerator / denominator), ``rate`` (the same, denominator in the unit's time),
    ``median`` and ``longest`` (value = numerator, denominator = how many were looked at), ``total``.
    """

    name: str
    unit: Literal["share", "ms", "per_min", "per_10_min", "words_per_min", "chars_per_min", "count"]
    kind: Literal["ratio", "rate", "median", "longest", "total"]
    numerator: float
    denominator: float
    value: float | None
    attention: Attention = "none"


class CardLatency(Part, frozen=True, kw_only=True):
    """Milliseconds between the entries of a card's ledger; None where the screen never reported."""

    recognise_ms: int
    match_ms: int
    decide_ms: int
    send_ms: int
    render_ms: int | None
    ack_ms: int | None
    phrase_to_sent_ms: int
    phrase_to_rendered_ms: int | None


class CardRow(Part, frozen=True, kw_only=True):
    """One card, shown or held back. ``heard``: the trigger as heard live; ``evidence``: the same in the final text."""

    card_id: str
    cue_id: str
    kind: str
    headline: str
    lines: tuple[str, ...]
    why: str
    critical: bool
    at_ms: int
    state: str
    outcome: str
    feedback: str
    suppressed_reason: str
    close_reason: str
    heard: str
    evidence: Evidence | None
    ledger: Ledger | None
    latency: CardLatency | None


class StepRow(Part, frozen=True, kw_only=True):
    """One step of the procedure. ``state`` is what the live machine said last, ``verdict`` what can be shown.

    ``at_ms``: when it was done. ``asked``: the span in which it should have been said. ``violates``: steps on the wrong
    side of this one. ``unprepared``: required steps that were done after it or never. ``by``: who ticked or waived it
    by hand.
    """

    step_id: str
    title: str
    stage: str
    stage_title: str
    critical: bool
    weight: float
    state: str
    verdict: Verdict
    at_ms: int | None
    deadline_ms: int | None
    asked: Span
    evidence: Evidence | None
    by: str
    violates: tuple[str, ...]
    unprepared: tuple[str, ...]
    hint: str


class Maturity(Part, frozen=True, kw_only=True):
    """``level`` 1..5, or None when nothing can be said. ``is_provisional``: the call did not run to its end."""

    level: int | None
    is_provisional: bool
    critical_missed: tuple[str, ...]


class Procedure(Part, frozen=True, kw_only=True):
    """The SOP of this call."""

    steps: tuple[StepRow, ...]
    coverage: Measure
    order: Measure
    timeliness: Measure
    maturity: Maturity


class StageRow(Part, frozen=True, kw_only=True):
    """One visit to a stage, and who spoke how long in it."""

    stage_id: str
    title: str
    span: Span
    talk_ratio: Measure


class Groups(Part, frozen=True, kw_only=True):
    """How it was said: 倾听 listening, 陈述 stating, 提问 asking, and the flow of the whole. Names of measures."""

    listening: tuple[str, ...]
    stating: tuple[str, ...]
    asking: tuple[str, ...]
    flow: tuple[str, ...]


class Talk(Part, frozen=True, kw_only=True):
    """All talk metrics; ``measures`` by name."""

    measures: dict[str, Measure]
    groups: Groups


class Finding(Part, frozen=True, kw_only=True):
    """One deviation. ``status`` is ``undetermined`` when there is nothing to show for it: then it is no reproach."""

    code: str
    subject: str
    status: Literal["found", "undetermined"]
    severity: Severity
    title: Text
    advice: Text
    span: Span | None
    evidence: tuple[Evidence, ...]


class Deviations(Part, frozen=True, kw_only=True):
    """What was (not) said, and how it was said: two lists, never mixed."""

    content: tuple[Finding, ...]
    behaviour: tuple[Finding, ...]


class ObjectionRow(Part, frozen=True, kw_only=True):
    """One objection: what was said, the rep's next turn, the customer's next turn, and whether they came back."""

    label: str
    title: Text
    evidence: Evidence
    answer: Evidence | None
    reaction: Evidence | None
    recovered: bool | None


class Pause(Part, frozen=True, kw_only=True):
    """Nothing was heard on purpose. ``paused_ms`` is wall time; None when the call ended in it."""

    span: Span
    reason: str
    paused_ms: int | None


class Impairment(Part, frozen=True, kw_only=True):
    """A part of the service was impaired."""

    span: Span
    stage: str
    reason: str
    lag_ms: int
    is_restored: bool


class Note(Part, frozen=True, kw_only=True):
    """Something people wrote during the call: a mark (``mark``) or a supervisor's message (``supervisor``)."""

    kind: Literal["mark", "supervisor"]
    at_ms: int
    text: str
    by: str


class Spread(Part, frozen=True, kw_only=True):
    """Median and 95th percentile (nearest rank) of ``count`` observations."""

    count: int
    median_ms: float | None
    p95_ms: float | None


class Quality(Part, frozen=True, kw_only=True):
    """How well the copilot itself heard and answered. ``card_latency``: by leg of the ledger."""

    gaps_ms: int
    pauses: tuple[Pause, ...]
    impairments: tuple[Impairment, ...]
    transcript_lag: Spread
    card_latency: dict[str, Spread]


class Report(Part, frozen=True, kw_only=True):
    """The diagnosis of one call."""

    version: int
    call: CallFacts
    transcript: tuple[Line, ...]
    cards: tuple[CardRow, ...]
    procedure: Procedure
    stages: tuple[StageRow, ...]
    talk: Talk
    objections: tuple[ObjectionRow, ...]
    objection_recovery: Measure
    deviations: Deviations
    notes: tuple[Note, ...]
    quality: Quality
