"""Client to server."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from copilot.events import CallOutcome, Encoding, Language, Speaker
from copilot.wire.messages.base import Count, Message, Name, PingToken, Value


class CallHeader(Value, frozen=True, kw_only=True):
    """Who is calling whom. ``external_id`` is the softphone's own id (SIP Call-ID or CRM id)."""

    external_id: Name = ""
    direction: Literal["inbound", "outbound"] = "outbound"
    rep_id: Name = ""
    customer_ref: Name = ""
    campaign: Name = ""
    context: dict[str, str] = msgspec.field(default_factory=dict)


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
    """No more audio will come. The last events follow, ``call.ended`` being the very last.

    ``outcome``: what became of the call, if that is known already; ``PATCH /v1/calls/{call_id}`` sets it later.
    """

    outcome: CallOutcome | None = None


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
