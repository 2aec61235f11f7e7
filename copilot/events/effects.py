"""Effects (imperatives): what a call asks its shell to do."""

from __future__ import annotations

from typing import Literal

import msgspec

from copilot.events.terms import Frozen, Language, Speaker


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
