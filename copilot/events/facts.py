"""Facts: what the rooms of a call tell each other."""

from __future__ import annotations

from typing import Literal

from copilot.events.terms import Frozen, Speaker


class Word(Frozen, frozen=True, kw_only=True):
    """One recognised word on the media timeline."""

    text: str
    start_ms: int
    end_ms: int
    probability: float = 1.0


class Hypothesis(Frozen, frozen=True, kw_only=True):
    """What a recogniser believes was said. Times are media time of the call, not of the segment.

    ``avg_logprob``, ``no_speech_prob`` and ``compression_ratio`` as defined by Whisper.
    """

    text: str
    language: str = ""
    words: tuple[Word, ...] = ()
    avg_logprob: float = 0.0
    no_speech_prob: float = 0.0
    compression_ratio: float = 1.0


class SpeechStarted(Frozen, frozen=True, kw_only=True):
    """Somebody began to speak on ``channel`` at ``at_ms``."""

    channel: int
    at_ms: int


class SpeechEnded(Frozen, frozen=True, kw_only=True):
    """The speech that began before is over; ``at_ms`` is where the voice stopped, not where silence was declared."""

    channel: int
    at_ms: int


class Heard(Frozen, frozen=True, kw_only=True):
    """Words of one utterance as known now. ``is_final`` text never changes again while the call is live.

    ``committed`` counts the leading characters of ``text`` that will not change.
    """

    utterance_id: str
    channel: int
    start_ms: int
    end_ms: int
    text: str
    is_final: bool
    language: str = ""
    committed: int = 0
    confidence: float = 1.0
    words: tuple[Word, ...] = ()


class Utterance(Frozen, frozen=True, kw_only=True):
    """One turn's worth of words by one speaker, normalised and placed in the transcript."""

    id: str
    speaker: Speaker
    start_ms: int
    end_ms: int
    text: str
    is_final: bool = True
    language: str = ""
    committed: int = 0
    confidence: float = 1.0
    words: tuple[Word, ...] = ()


class Evidence(Frozen, frozen=True, kw_only=True):
    """Where a finding comes from: ``quote`` is a substring of the utterance's text."""

    utterance_id: str
    quote: str
    start_ms: int
    end_ms: int


class Snippet(Frozen, frozen=True, kw_only=True):
    """What a card shows that depends on what was asked: a heading, a few lines, and the passage they come from."""

    headline: str
    lines: tuple[str, ...]
    source: str


class Signal(Frozen, frozen=True, kw_only=True):
    """A detector's output: ``label`` was heard. ``why`` names the rule or example; ``score`` is 0..1.

    ``snippet`` is what was found in the playbook's documents, for a card to show.
    """

    label: str
    speaker: Speaker
    evidence: Evidence
    score: float
    is_final: bool
    detector: str
    why: str = ""
    snippet: Snippet | None = None


class Metric(Frozen, frozen=True, kw_only=True):
    """A number about how the call goes. ``name`` as in the published metric table."""

    name: str
    value: float
    speaker: Speaker | None = None
    attention: Literal["none", "amber", "red"] = "none"


StepState = Literal["pending", "warned", "overdue", "done", "done_late", "skipped", "not_applicable", "waived"]


class StepChanged(Frozen, frozen=True, kw_only=True):
    """An SOP step changed state at media time ``at_ms``."""

    step_id: str
    state: StepState
    previous: StepState
    at_ms: int
    evidence: Evidence | None = None
    by: str = ""
    reason: str = ""


class StageChanged(Frozen, frozen=True, kw_only=True):
    """The call entered a stage."""

    stage_id: str
    previous: str
    at_ms: int
    evidence: Evidence | None = None


CardState = Literal["raised", "shown", "acked", "dismissed", "expired", "superseded", "withdrawn", "suppressed"]
Outcome = Literal["adhered", "not_adhered", "too_late", "undetermined"]


class Ledger(Frozen, frozen=True, kw_only=True):
    """When each thing happened to a card: milliseconds of wall time since the call started, never decreasing.

    ``phrase_end``: the last sample of the triggering phrase arrived; ``recognised``: its text came back from the
    recogniser; ``matched``: the trigger fired; ``decided``: the arbiter let it through; ``sent``: handed to the
    sockets; ``rendered`` and ``acked``: reported by the rep's screen.
    """

    phrase_end: int
    recognised: int
    matched: int
    decided: int
    sent: int
    rendered: int | None = None
    acked: int | None = None


class Card(Frozen, frozen=True, kw_only=True):
    """One showing (or withheld showing) of a cue."""

    id: str
    cue_id: str
    kind: str
    state: CardState
    priority: int
    headline: str
    lines: tuple[str, ...] = ()
    material: str = ""
    critical: bool = False
    trigger: Evidence | None = None
    why: str = ""
    raised_ms: int = 0
    closed_ms: int | None = None
    suppressed_reason: str = ""
    close_reason: str = ""
    feedback: str = ""
    suggestion: str = ""
    outcome: Outcome = "undetermined"
    ledger: Ledger | None = None
