"""The vocabulary: frozen structs that pass between rooms.

Three families. *Events* (past participles) go into a call; *effects* (imperatives) come out of it; *facts* pass
between the rooms inside. Media time is integer ``_ms`` counted from samples since the start of the call; ``now`` is
wall time, float seconds since the call started. ``channel`` is the index of an audio channel; ``speaker`` is who
that channel belongs to. The core never looks at sample values: only models do, so a recorded call can be replayed
exactly without its audio.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Speaker = Literal["rep", "customer"]
SPEAKERS: tuple[Speaker, Speaker] = ("rep", "customer")
ChannelKind = Literal["phone", "recording", "meeting", "chat"]
Encoding = Literal["pcm_s16le", "mulaw", "alaw"]
Language = Literal["en", "zh", "auto"]

LoadStage = Literal["interims_slow", "interims_off", "recogniser_small", "semantic_off", "record_only"]
LOAD_STAGES: tuple[LoadStage, ...] = (
    "interims_slow",
    "interims_off",
    "recogniser_small",
    "semantic_off",
    "record_only",
)
"""What a call does without while recognition cannot keep up, in the order in which it is given up: half of the
interim text, all of it, speculation and left context, cues by meaning, recognition. What is said while ``record_only``
holds is kept as audio and recognised by nobody later. Each is told by a ``ServiceDegraded`` with that ``stage``."""

SAMPLE_RATE_HZ = 16_000
"""Sample rate of everything after ``audio/``."""
WINDOW_SAMPLES = 512
"""Samples in one voice-activity window (32 ms at 16 kHz)."""
WINDOW_MS = 32
REVISION_GAP_MS = 200
"""Silence between the stretches of speech that a revision reads together."""


class Frozen(msgspec.Struct, frozen=True, kw_only=True):
    """Base of plain values."""


# --- what a call is -------------------------------------------------------------------------------------------


class MediaFormat(Frozen, frozen=True, kw_only=True):
    """How the audio of a call arrives: interleaved channels of one encoding."""

    encoding: Encoding = "pcm_s16le"
    sample_rate_hz: int = 16_000
    channels: tuple[Speaker, ...] = ("rep", "customer")


class CallInfo(Frozen, frozen=True, kw_only=True):
    """Everything known about a call when it starts. ``started_at`` is RFC 3339 UTC with milliseconds."""

    call_id: str
    started_at: str
    media: MediaFormat = MediaFormat()
    external_id: str = ""
    kind: ChannelKind = "phone"
    direction: Literal["inbound", "outbound"] = "outbound"
    rep_id: str = ""
    customer_ref: str = ""
    campaign: str = ""
    language: Language = "auto"
    playbook_id: str = ""
    playbook_version: str = ""
    context: dict[str, str] = {}


# --- events: into a call --------------------------------------------------------------------------------------


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
    """No more audio will come. ``reason``: completed | interrupted | idle | limit."""

    reason: str = "completed"


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


# --- effects: out of a call -----------------------------------------------------------------------------------


class DecodeJob(Frozen, frozen=True, kw_only=True):
    """Ask a recogniser for the words of one stretch of one channel.

    ``kind``: ``interim`` (may be dropped when stale), ``speculative`` (becomes the final if silence lasts), ``final``
    (must be answered) or ``revision`` (a second, careful reading of finals already told; may be dropped). ``due`` is
    the wall time by which the answer is wanted. ``prompt`` is the text the same speaker said just before;
    ``hotwords`` come from the playbook.

    A revision's audio is that of its ``spans`` (media ms), laid end to end with ``REVISION_GAP_MS`` of silence in
    between; the words of its answer count from ``start_ms`` in that audio. It belongs to no one utterance.
    """

    job_id: int
    channel: int
    utterance_id: str
    kind: Literal["interim", "speculative", "final", "revision"]
    start_ms: int
    end_ms: int
    due: float
    language: Language = "auto"
    prompt: str = ""
    hotwords: str = ""
    spans: tuple[tuple[int, int], ...] = ()


class Effect(msgspec.Struct, frozen=True, kw_only=True, tag_field="effect"):
    """Base of everything a call can ask its shell to do."""


class Score(Effect, frozen=True, kw_only=True, tag="score"):
    """Score ``count`` voice-activity windows of ``channel``, from window index ``first_window``."""

    channel: int
    first_window: int
    count: int


class Decode(Effect, frozen=True, kw_only=True, tag="decode"):
    """Recognise; answer with ``Decoded``."""

    job: DecodeJob


class CancelDecode(Effect, frozen=True, kw_only=True, tag="cancel_decode"):
    """The answer to this job is no longer wanted (it may still arrive, and is ignored)."""

    job_id: int


class Embed(Effect, frozen=True, kw_only=True, tag="embed"):
    """Encode texts as sentence vectors; answer with ``Embedded``."""

    request_id: int
    texts: tuple[str, ...]


class Ask(Effect, frozen=True, kw_only=True, tag="ask"):
    """Ask a language model; answer with ``Answered``. Every text has been redacted.

    ``kind``: ``match`` (is the answer to ``question`` yes for what was ``said``? the answer is a quote of ``said``) or
    ``phrase`` (how could the rep say what the card in ``question`` advises? the answer is a sentence). ``before``
    holds what was said last, oldest first.
    """

    request_id: int
    kind: Literal["match", "phrase"]
    question: str
    speaker: Speaker
    said: str
    before: tuple[tuple[Speaker, str], ...] = ()


class Publish(Effect, frozen=True, kw_only=True, tag="publish"):
    """Store this message under its sequence number and send it to every viewer of the call.

    ``message`` is one encoded ``copilot.v1`` event (JSON bytes), ``seq`` its number in the call, from 1, gap-free.
    """

    seq: int
    type: str
    message: msgspec.Raw


class Finish(Effect, frozen=True, kw_only=True, tag="finish"):
    """The call is complete: seal its audio, make its report. Always the last effect."""

    reason: str


CallEffect = Score | Decode | CancelDecode | Embed | Ask | Publish | Finish


# --- facts: between rooms -------------------------------------------------------------------------------------


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
