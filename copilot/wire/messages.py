"""Messages of the native protocol ``copilot.v1``. Additive only; unknown fields and types are ignored by both sides.

Three groups: what a client sends (``ClientMessage``), what answers one connection (``Reply``, no sequence number), and
what happens to a call (``CallMessage``: ``seq`` gap-free from 1, ``pos_ms`` media time, ``emitted_at`` RFC 3339 UTC).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from copilot.events import (
    Card,
    Encoding,
    Language,
    Ledger,
    Speaker,
    StepState,
    Word,
)

VERSION = 1
SUBPROTOCOL = "copilot.v1"
Count = Annotated[int, Meta(ge=0)]
Name = Annotated[str, Meta(max_length=256)]
PingToken = Annotated[str, Meta(max_length=64)] | int | float | None

__all__ = ["Card", "Ledger", "Word"]


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=False):
    """Base of every JSON message."""


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """Base of values nested in messages."""


# --- client to server -----------------------------------------------------------------------------------------


class CallHeader(Value, frozen=True, kw_only=True):
    """Who is calling whom. ``external_id`` is the softphone's own id (SIP Call-ID or CRM id)."""

    external_id: Name = ""
    direction: Literal["inbound", "outbound"] = "outbound"
    rep_id: Name = ""
    customer_ref: Name = ""
    campaign: Name = ""
    context: dict[str, str] = {}


class MediaHeader(Value, frozen=True, kw_only=True):
    """How audio will arrive. ``framing``: ``v1`` (16-byte header, can resume) or ``raw`` (bare samples)."""

    encoding: Encoding
    sample_rate: int
    channels: tuple[Speaker, ...] = ("rep", "customer")
    framing: Literal["v1", "raw"] = "v1"


class Resume(Value, frozen=True, kw_only=True):
    """Take up a call again after a dropped connection. ``last_seq``: the last event this client has seen."""

    call_id: Name
    resume_token: Name
    last_seq: Count = 0


class CallStart(Message, frozen=True, kw_only=True, tag="call.start"):
    """Must be the first message on ``/v1/stream``. ``playbook`` names a playbook; empty means by language.

    ``media`` may be left out with ``resume``: the call keeps the format it has.
    """

    v: int
    media: MediaHeader | None = None
    call: CallHeader = CallHeader()
    language: Language = "auto"
    playbook: Name = ""
    resume: Resume | None = None


class AudioGap(Message, frozen=True, kw_only=True, tag="audio.gap"):
    """The client declares samples as lost for good."""

    offset: Count
    samples: Annotated[int, Meta(ge=1)]


class CallPause(Message, frozen=True, kw_only=True, tag="call.pause"):
    """Stop listening: until ``call.resume`` audio and keys are thrown away, neither recognised nor stored."""

    reason: Literal["hold", "consent", "pci"] = "hold"


class CallResume(Message, frozen=True, kw_only=True, tag="call.resume"):
    """Go on listening. Continue at the next sample offset, or declare an ``audio.gap``."""


class Dtmf(Message, frozen=True, kw_only=True, tag="dtmf"):
    """A key was pressed."""

    digit: Annotated[str, Meta(pattern=r"^[0-9A-D*#]$")]
    speaker: Speaker | None = None


class Mark(Message, frozen=True, kw_only=True, tag="mark"):
    """Mark this moment of the call."""

    label: Annotated[str, Meta(max_length=200)] = ""


class CardRenderedMessage(Message, frozen=True, kw_only=True, tag="card.rendered"):
    """The rep's screen has painted this card."""

    card_id: Name


class CardAck(Message, frozen=True, kw_only=True, tag="card.ack"):
    """The rep's answer to a card."""

    card_id: Name
    action: Literal["used", "dismissed", "snoozed", "wrong"]


class StepTick(Message, frozen=True, kw_only=True, tag="step.tick"):
    """Tick a step of the procedure by hand."""

    step_id: Name


class StepWaive(Message, frozen=True, kw_only=True, tag="step.waive"):
    """Declare that a step need not be done on this call."""

    step_id: Name
    reason: Annotated[str, Meta(max_length=200)] = ""


class RolesSwap(Message, frozen=True, kw_only=True, tag="roles.swap"):
    """The channels were the wrong way round."""


class SupervisorSend(Message, frozen=True, kw_only=True, tag="supervisor.send"):
    """A supervisor's line to the rep. On ``/v1/calls/{id}/events`` only."""

    text: Annotated[str, Meta(min_length=1, max_length=500)]


class CallEnd(Message, frozen=True, kw_only=True, tag="call.end"):
    """No more audio will come. The last events follow, ``call.ended`` being the very last."""


class Ping(Message, frozen=True, kw_only=True, tag="ping"):
    """Answered with a ``pong`` that carries the same ``t``, after everything sent before it was taken in."""

    t: PingToken = None


ClientMessage = (
    CallStart
    | AudioGap
    | CallPause
    | CallResume
    | Dtmf
    | Mark
    | CardRenderedMessage
    | CardAck
    | StepTick
    | StepWaive
    | RolesSwap
    | SupervisorSend
    | CallEnd
    | Ping
)


# --- server to one connection ---------------------------------------------------------------------------------


class Limits(Value, frozen=True, kw_only=True):
    """What this server allows."""

    max_frame_bytes: Count
    max_call_s: Count
    resume_window_s: float


class CallStarted(Message, frozen=True, kw_only=True, tag="call.started"):
    """Answer to ``call.start``. ``expect``: the next sample offset (per channel, source rate) wanted."""

    v: int
    call_id: str
    resume_token: str
    epoch: Count
    expect: Count
    limits: Limits
    playbook: str
    server_time: str


class AudioAck(Message, frozen=True, kw_only=True, tag="audio.ack"):
    """Samples per channel at source rate: taken in, and safe on disk. The client may forget what is persisted."""

    received: Count
    persisted: Count


class AudioNack(Message, frozen=True, kw_only=True, tag="audio.nack"):
    """A hole: ``samples`` from ``offset`` never came. Go back to ``offset`` and send on from there, or declare an
    ``audio.gap`` and send on behind it: what was sent beyond the hole was dropped. Sent once per hole.
    """

    offset: Count
    samples: Count


class Error(Message, frozen=True, kw_only=True, tag="error"):
    """What went wrong and whose fault it is. When the socket closes for it, this message comes first."""

    code: str
    message: str
    retryable: bool = False
    hint: str = ""


class Pong(Message, frozen=True, kw_only=True, tag="pong"):
    """The answer to ``ping``."""

    t: PingToken = None


class Draining(Message, frozen=True, kw_only=True, tag="session.draining"):
    """The node is going down; reconnect elsewhere and resume."""

    reconnect_after_ms: Count = 0


Reply = CallStarted | AudioAck | AudioNack | Error | Pong | Draining


# --- server to all viewers of a call --------------------------------------------------------------------------


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
    """The last event of every call. ``sha256``: per channel, over 16-bit PCM at source rate, empty if not yet known."""

    reason: str
    totals: Totals
    report_url: str
    sha256: tuple[str, ...] = ()


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


# --- the floor ------------------------------------------------------------------------------------------------


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
