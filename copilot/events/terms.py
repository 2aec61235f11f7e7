"""What a call is, and the words every room uses for it."""

from __future__ import annotations

from typing import Literal

import msgspec

Speaker = Literal["rep", "customer"]
SPEAKERS: tuple[Speaker, Speaker] = ("rep", "customer")
ChannelKind = Literal["phone", "recording", "meeting", "chat"]
Encoding = Literal["pcm_s16le", "mulaw", "alaw"]
Language = Literal["en", "zh", "auto"]
CallOutcome = Literal["won", "lost", "follow_up"]
"""What became of a call, as somebody said who knows."""

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
