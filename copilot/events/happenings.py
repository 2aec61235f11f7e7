"""Events (past participles): what goes into a call."""

from __future__ import annotations

from typing import Literal

import msgspec

from copilot.events.facts import Hypothesis
from copilot.events.terms import CallOutcome, Speaker


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Base of everything that can happen to a call."""


class Began(Event, frozen=True, kw_only=True, tag="began"):
    """The first event of every call."""


class AudioReceived(Event, frozen=True, kw_only=True, tag="audio"):
    """``payload`` holds whole interleaved frames starting at sample ``offset`` (per channel, source rate)."""

    offset: int
    payload: bytes


class AudioMissed(Event, frozen=True, kw_only=True, tag="audio_missed"):
    """The client declares that ``samples`` (per channel, source rate) from ``offset`` are lost for good."""

    offset: int
    samples: int


class SpeechScored(Event, frozen=True, kw_only=True, tag="scored"):
    """Answer to ``Score``: speech probability (0..1) and level (dBFS, RMS) of consecutive windows of one channel."""

    channel: int
    first_window: int
    scores: tuple[float, ...]
    levels_db: tuple[float, ...]


class Decoded(Event, frozen=True, kw_only=True, tag="decoded"):
    """Answer to ``Decode``. ``hypothesis`` is None when the engine shed or failed the job (``error`` says why)."""

    job_id: int
    hypothesis: Hypothesis | None = None
    queue_ms: int = 0
    decode_ms: int = 0
    error: str = ""


class Embedded(Event, frozen=True, kw_only=True, tag="embedded"):
    """Answer to ``Embed``: float32 little-endian matrix [texts, 512], row-major; empty bytes when it failed."""

    request_id: int
    vectors: bytes


class Answered(Event, frozen=True, kw_only=True, tag="answered"):
    """Answer to ``Ask``: the quote or the suggestion; empty for no, and when it failed (``error`` says why)."""

    request_id: int
    text: str = ""
    error: str = ""


class TextReceived(Event, frozen=True, kw_only=True, tag="text"):
    """A line that needs no recognition: a chat message, an imported transcript, a scenario's turn."""

    speaker: Speaker
    text: str
    start_ms: int
    end_ms: int


class CardRendered(Event, frozen=True, kw_only=True, tag="card_rendered"):
    """A rep's screen has painted the card."""

    card_id: str


class CardAcked(Event, frozen=True, kw_only=True, tag="card_acked"):
    """The rep answered a card."""

    card_id: str
    action: Literal["used", "dismissed", "snoozed", "wrong"]


class StepTicked(Event, frozen=True, kw_only=True, tag="step_ticked"):
    """Somebody ticked an SOP step by hand."""

    step_id: str
    by: str = ""


class StepWaived(Event, frozen=True, kw_only=True, tag="step_waived"):
    """Somebody declared that an SOP step need not be done on this call."""

    step_id: str
    by: str = ""
    reason: str = ""


class RolesSwapped(Event, frozen=True, kw_only=True, tag="roles_swapped"):
    """The channels were the wrong way round: rep and customer change places, from the beginning of the call."""


class Paused(Event, frozen=True, kw_only=True, tag="paused"):
    """Nothing is heard, recognised or stored until ``Resumed``."""

    reason: Literal["hold", "consent", "pci"]


class Resumed(Event, frozen=True, kw_only=True, tag="resumed"):
    """The call goes on."""


class DtmfReceived(Event, frozen=True, kw_only=True, tag="dtmf"):
    """A key was pressed."""

    digit: str
    speaker: Speaker | None = None


class Marked(Event, frozen=True, kw_only=True, tag="marked"):
    """Somebody marked this moment."""

    label: str = ""
    by: str = ""


class SupervisorMessaged(Event, frozen=True, kw_only=True, tag="supervisor_messaged"):
    """A supervisor wrote to the rep."""

    text: str
    by: str = ""


class ServiceDegraded(Event, frozen=True, kw_only=True, tag="degraded"):
    """A shell tells the call that part of the service is impaired, or (``restored``) well again."""

    stage: str
    reason: str
    lag_ms: int = 0
    restored: bool = False


class Recovered(Event, frozen=True, kw_only=True, tag="recovered"):
    """The process was gone for a while: what it had asked is asked again, and there is new time for the answers."""


class HungUp(Event, frozen=True, kw_only=True, tag="hung_up"):
    """No more audio will come. ``reason``: completed | interrupted | idle | limit. ``outcome`` if it is known."""

    reason: str = "completed"
    outcome: CallOutcome | None = None


class Ticked(Event, frozen=True, kw_only=True, tag="ticked"):
    """Time passed and a deadline fell due (what ``Call.tick`` records)."""


CallEvent = (
    Began
    | AudioReceived
    | AudioMissed
    | SpeechScored
    | Decoded
    | Embedded
    | Answered
    | TextReceived
    | CardRendered
    | CardAcked
    | StepTicked
    | StepWaived
    | RolesSwapped
    | Paused
    | Resumed
    | DtmfReceived
    | Marked
    | SupervisorMessaged
    | ServiceDegraded
    | Recovered
    | HungUp
    | Ticked
)
