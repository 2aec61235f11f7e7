"""What happens to a call: server to all its viewers. Everything here is sequenced."""

from __future__ import annotations

from typing import Literal

from copilot.events import CallOutcome, Ledger, Speaker, StepState, Word
from copilot.wire.messages.base import Count, Message, Value


class CallMessage(Message, frozen=True, kw_only=True):
    """Base of everything sequenced. ``seq`` is per call, gap-free, from 1."""

    seq: Count
    call_id: str
    pos_ms: Count
    emitted_at: str


class CallOpened(CallMessage, frozen=True, kw_only=True, tag="call.opened"):
    """The first event of every call: what it is, and the whole procedure as it stands."""

    external_id: str
    rep_id: str
    customer_ref: str
    campaign: str
    direction: str
    language: str
    playbook: str
    playbook_version: str
    started_at: str
    stages: tuple[StageView, ...]
    steps: tuple[StepView, ...]


class StageView(Value, frozen=True, kw_only=True):
    """A stage of the procedure."""

    id: str
    title: str


class StepView(Value, frozen=True, kw_only=True):
    """A step of the procedure and where it stands."""

    id: str
    title: str
    stage: str
    critical: bool
    state: StepState = "pending"


class TranscriptInterim(CallMessage, frozen=True, kw_only=True, tag="transcript.interim"):
    """Words so far of an utterance still being spoken. ``committed`` leading characters will not change."""

    utterance_id: str
    speaker: Speaker
    start_ms: Count
    end_ms: Count
    text: str
    committed: Count = 0


class TranscriptFinal(CallMessage, frozen=True, kw_only=True, tag="transcript.final"):
    """An utterance is over. ``lag_ms``: wall time from its last sample arriving to this message."""

    utterance_id: str
    speaker: Speaker
    start_ms: Count
    end_ms: Count
    text: str
    language: str
    confidence: float
    lag_ms: Count
    words: tuple[Word, ...] = ()


class TranscriptRevised(CallMessage, frozen=True, kw_only=True, tag="transcript.revised"):
    """A better text for an utterance, or (``reason`` ``roles``) another speaker. Empty text removes it.

    ``words`` and ``confidence`` are those of this text; without them (null) those told before stand.
    """

    utterance_id: str
    speaker: Speaker
    start_ms: Count
    end_ms: Count
    text: str
    reason: Literal["second_pass", "roles"]
    confidence: float | None = None
    words: tuple[Word, ...] | None = None


class CausedBy(Value, frozen=True, kw_only=True):
    """What made a card: the utterance, where in media time the triggering phrase ended, and its words."""

    utterance_id: str
    phrase_end_ms: Count
    quote: str
    speaker: Speaker


class CardView(Value, frozen=True, kw_only=True):
    """A card as a screen shows it."""

    id: str
    cue_id: str
    kind: str
    state: str
    priority: int
    critical: bool
    headline: str
    lines: tuple[str, ...]
    material: str
    why: str
    ttl_ms: Count


class CardRaised(CallMessage, frozen=True, kw_only=True, tag="card.raised"):
    """Show this card. ``caused_by`` is null for cards that follow from silence or time rather than words."""

    card: CardView
    caused_by: CausedBy | None
    ledger: Ledger


class CardUpdated(CallMessage, frozen=True, kw_only=True, tag="card.updated"):
    """The card's state, ledger or suggestion changed. ``suggestion``: words in which a language model would say it."""

    card_id: str
    state: str
    ledger: Ledger
    feedback: str = ""
    suggestion: str = ""
    outcome: str = "undetermined"


class CardClosed(CallMessage, frozen=True, kw_only=True, tag="card.closed"):
    """Take the card away."""

    card_id: str
    state: str
    reason: str
    outcome: str = "undetermined"


class CardSuppressed(CallMessage, frozen=True, kw_only=True, tag="card.suppressed"):
    """A cue matched but its card was held back; ``reason`` says why. For supervisors and diagnosis, not for reps."""

    card: CardView
    caused_by: CausedBy | None
    reason: str


class CardConcluded(CallMessage, frozen=True, kw_only=True, tag="card.concluded"):
    """What the rep did without the card: a card in shadow or held out was watched. For diagnosis, not for reps."""

    card_id: str
    outcome: str


class SignalHeard(CallMessage, frozen=True, kw_only=True, tag="signal.heard"):
    """A detector fired on final text. For supervisors and diagnosis."""

    label: str
    speaker: Speaker
    utterance_id: str
    quote: str
    start_ms: Count
    end_ms: Count
    score: float
    detector: str
    why: str


class StageChangedMessage(CallMessage, frozen=True, kw_only=True, tag="stage.changed"):
    """The call entered a stage."""

    stage_id: str
    previous: str
    utterance_id: str = ""


class StepChangedMessage(CallMessage, frozen=True, kw_only=True, tag="step.changed"):
    """A step changed state; ``quote`` of ``utterance_id`` is why, or ``by`` says who ticked or waived it."""

    step_id: str
    state: StepState
    previous: StepState
    utterance_id: str = ""
    quote: str = ""
    by: str = ""
    reason: str = ""


class MetricMessage(CallMessage, frozen=True, kw_only=True, tag="metric"):
    """A number about how the call goes."""

    name: str
    value: float
    speaker: Speaker | None = None
    attention: Literal["none", "amber", "red"] = "none"


class SupervisorMessage(CallMessage, frozen=True, kw_only=True, tag="supervisor.message"):
    """A supervisor wrote to the rep."""

    text: str
    sent_by: str


class MarkSet(CallMessage, frozen=True, kw_only=True, tag="mark.set"):
    """Somebody marked this moment."""

    label: str
    set_by: str


class DtmfHeard(CallMessage, frozen=True, kw_only=True, tag="dtmf.heard"):
    """A key was pressed while the call was not paused."""

    digit: str
    speaker: Speaker | None = None


class ServiceDegradedMessage(CallMessage, frozen=True, kw_only=True, tag="service.degraded"):
    """Part of the service is impaired.

    With ``reason: overload`` the ``stage`` names what this call does without until recognition keeps up again:
    ``interims_slow``, ``interims_off``, ``recogniser_small``, ``semantic_off``, ``record_only``. Words said while
    ``record_only`` holds are kept as audio and are recognised by nobody later.
    """

    stage: str
    reason: str
    lag_ms: Count = 0


class ServiceRestored(CallMessage, frozen=True, kw_only=True, tag="service.restored"):
    """That part of the service is well again."""

    stage: str
    reason: str = ""


class CallPaused(CallMessage, frozen=True, kw_only=True, tag="call.paused"):
    """Nothing is heard, recognised or stored until ``call.resumed``."""

    reason: str


class CallResumed(CallMessage, frozen=True, kw_only=True, tag="call.resumed"):
    """The call goes on."""

    paused_ms: Count = 0


class RolesSwappedMessage(CallMessage, frozen=True, kw_only=True, tag="roles.swapped"):
    """Rep and customer changed places, from the beginning of the call; the transcript is revised line by line."""

    channels: tuple[Speaker, ...]


class Totals(Value, frozen=True, kw_only=True):
    """The call in numbers."""

    duration_ms: Count
    utterances: Count
    cards_raised: Count
    cards_suppressed: Count
    steps_done: Count
    steps: Count
    gaps_ms: Count


class CallEnded(CallMessage, frozen=True, kw_only=True, tag="call.ended"):
    """The last event of every call. ``sha256``: per channel, over 16-bit PCM at source rate, empty if not yet known.

    ``outcome``: what ``call.end`` said of it.
    """

    reason: str
    totals: Totals
    report_url: str
    sha256: tuple[str, ...] = ()
    outcome: CallOutcome | None = None


AnyCallMessage = (
    CallOpened
    | TranscriptInterim
    | TranscriptFinal
    | TranscriptRevised
    | CardRaised
    | CardUpdated
    | CardClosed
    | CardSuppressed
    | CardConcluded
    | SignalHeard
    | StageChangedMessage
    | StepChangedMessage
    | MetricMessage
    | SupervisorMessage
    | MarkSet
    | DtmfHeard
    | ServiceDegradedMessage
    | ServiceRestored
    | CallPaused
    | CallResumed
    | RolesSwappedMessage
    | CallEnded
)
