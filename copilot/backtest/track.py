"""What reached the mind of a stored call, without its sound: the same facts can be thought through again and again.

A recording is lived through once, by the live machine itself but deaf: positions count, samples do not. What the mind
of the call was told, and when, is a ``Track``. It is kept beside the recording, for it depends on no other playbook.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast

import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray

import copilot
from copilot.audio.timeline import Timeline, frame_bytes
from copilot.call.call import Call, CallSetup, Rehearsal
from copilot.call.thinking import Thinking
from copilot.cues.engine import CardChange
from copilot.cues.moments import CallMoment, Moment
from copilot.errors import StorageError
from copilot.events import CallEvent, CallInfo, Frozen, Heard, Speaker, SpeechScored
from copilot.store.disk import disk_error, replacing

log = structlog.get_logger(__name__)

TRACK_FILE = "track.bin"
FORMAT = 2

Verb = Literal[
    "heard",
    "embedded",
    "speech",
    "unheard",
    "tick",
    "measure",
    "happened",
    "tick_step",
    "waive_step",
    "finish",
    "affirmed",
    "rendered",
    "acked",
    "suggested",
    "withdraw_all",
    "anew",
]
CardKey = tuple[str, str, int]
"""Cue, utterance and how many times before: what a card of another playbook is recognised by."""


class Told(Frozen, frozen=True, kw_only=True, omit_defaults=True):
    """One thing the mind was told at event number ``event``. ``now`` seconds and ``pos_ms`` are its moment.

    ``texts``: what it wanted the meaning of. ``anew``: from here on another mind thinks (roles were swapped).
    """

    event: int
    verb: Verb
    now: float = 0.0
    pos_ms: int = 0
    heard: Heard | None = None
    speaker: Speaker = "rep"
    texts: tuple[str, ...] = ()
    name: str = ""
    vectors: bytes = b""
    is_speaking: bool = False
    at_ms: int = 0
    by: str = ""
    reason: str = ""
    span: tuple[int, int] = (0, 0)
    action: Literal["used", "dismissed", "snoozed", "wrong"] = "used"
    happened: CallMoment | None = None
    card: CardKey | None = None


class Track(Frozen, frozen=True, kw_only=True):
    """A call as its mind lived it.

    ``nows`` (float64 seconds), ``settled`` and ``positions`` (int32 ms) hold one value per event of the call;
    ``dues`` (float64 seconds, inf for none) when its cards wanted attention next. ``origin`` names the recording.
    """

    info: CallInfo
    told: tuple[Told, ...]
    nows: bytes
    settled: bytes
    positions: bytes
    dues: bytes
    origin: str = ""
    engine: str = copilot.__version__
    format: int = FORMAT


def distil(info: CallInfo, setup: CallSetup, entries: Iterable[tuple[float, CallEvent]]) -> Track:
    """Live through the ``(now, event)`` log of a call with the playbook it had."""
    log = list(entries)
    witnesses = Witnesses()
    rehearsal = Rehearsal(
        timeline=Silence(info.media),
        scored=sum(isinstance(event, SpeechScored) for _, event in log),
        overhear=lambda mind: cast("Thinking", Witness(mind, witnesses)),
    )
    call = Call(info, setup, rehearsal)
    nows, settled, positions, dues = [], [], [], []
    for number, (now, event) in enumerate(log):
        if call.is_finished:
            break
        witnesses.event = number
        call.receive(event, now)
        nows.append(call.now)
        settled.append(call.settled_ms)
        positions.append(call.position_ms)
        dues.append(np.inf if call.card_due is None else call.card_due)
    return Track(
        info=info,
        told=tuple(witnesses.told),
        nows=np.array(nows, "<f8").tobytes(),
        settled=np.array(settled, "<i4").tobytes(),
        positions=np.array(positions, "<i4").tobytes(),
        dues=np.array(dues, "<f8").tobytes(),
    )


class Silence(Timeline):
    """A timeline that only counts: no sample is resampled or kept."""

    def receive(self, payload: bytes) -> int:
        """Time goes on by as many samples as ``payload`` holds."""
        self._source_samples += len(payload) // frame_bytes(self._media)
        return 0

    def miss(self, samples: int) -> int:
        """Time goes on without sound."""
        self._source_samples += samples
        self._missed_samples += samples
        return 0

    def finish(self) -> int:
        """There is nothing to flush."""
        return 0

    def samples(self, channel: int, start_ms: int, end_ms: int) -> NDArray[np.float32]:  # noqa: ARG002
        """Nobody listens: what was heard is in the recording."""
        return np.zeros(0, np.float32)


class Witnesses:
    """The log that successive minds of one call write to. ``event`` is the number of the event being handled."""

    def __init__(self) -> None:
        self.event = 0
        self.told: list[Told] = []
        self._keys: dict[str, CardKey] = {}
        self._seen: dict[tuple[str, str], int] = {}

    def key(self, card_id: str) -> CardKey | None:
        """What the card is about."""
        return self._keys.get(card_id)

    def note(self, thoughts: Iterable[object]) -> None:
        """Remember what new cards are about."""
        for thought in thoughts:
            if isinstance(thought, CardChange) and thought.card.id not in self._keys:
                self._keys[thought.card.id] = new_key(thought, self._seen)


def new_key(change: CardChange, seen: dict[tuple[str, str], int]) -> CardKey:
    """The key of a card met for the first time; ``seen`` counts them."""
    about = (change.card.cue_id, change.card.trigger.utterance_id if change.card.trigger else "")
    seen[about] = seen.get(about, 0) + 1
    return (*about, seen[about])


class Witness:
    """Stands before a mind and writes down what it is told."""

    def __init__(self, mind: Thinking, log: Witnesses) -> None:
        self._mind = mind
        self._log = log
        self.cues = _CuesWitness(mind, log)
        log.told.append(Told(event=log.event, verb="anew"))

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._mind, name)
        return _overheard(cast("Verb", name), value, self._log) if name in WRITE else value


class _CuesWitness:
    def __init__(self, mind: Thinking, log: Witnesses) -> None:
        self._mind = mind
        self._log = log

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._mind.cues, name)
        return _overheard(cast("Verb", name), value, self._log) if name in WRITE else value


def _overheard(verb: Verb, act: Callable[..., Any], log: Witnesses) -> Callable[..., Any]:
    def acting(*args: Any) -> Any:
        *facts, moment = args
        written = WRITE[verb](log, *facts)
        result = act(*args)
        thoughts, texts = result if verb == "heard" else (result, ())
        log.note(thoughts)
        log.told.append(_told(log.event, verb, moment, {**written, "texts": texts}))
        return result

    return acting


def _told(event: int, verb: Verb, moment: Moment, facts: dict[str, Any]) -> Told:
    return Told(event=event, verb=verb, now=moment.now, pos_ms=moment.pos_ms, **facts)


WRITE: dict[str, Callable[..., dict[str, Any]]] = {
    "heard": lambda _, heard, speaker: {"heard": heard, "speaker": speaker},
    "embedded": lambda _, name, vectors: {"name": name, "vectors": vectors.astype("<f4").tobytes()},
    "speech": lambda _, speaker, is_on, at_ms: {"speaker": speaker, "is_speaking": is_on, "at_ms": at_ms},
    "unheard": lambda _, span: {"span": span},
    "tick": lambda _: {},
    "measure": lambda _: {},
    "happened": lambda _, happened: {"happened": happened},
    "tick_step": lambda _, step, by: {"name": step, "by": by},
    "waive_step": lambda _, step, by, reason: {"name": step, "by": by, "reason": reason},
    "finish": lambda _: {},
    "affirmed": lambda _, name, question, span: {"name": name, "reason": question, "span": span},
    "suggested": lambda log, card_id, text: {"card": log.key(card_id), "reason": text},
    "rendered": lambda log, card_id: {"card": log.key(card_id)},
    "acked": lambda log, card_id, action: {"card": log.key(card_id), "action": action},
    "withdraw_all": lambda _, reason: {"reason": reason},
}
"""How each verb of a mind is written down."""

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Track)


def kept_track(recording: Path) -> Track | None:
    """The track kept beside ``recording``, if it was made from just this recording by just this engine."""
    try:
        track = _DECODER.decode(recording.with_name(TRACK_FILE).read_bytes())
    except (OSError, msgspec.DecodeError):
        return None  # not there, or of another time: it is made again
    fresh = (track.origin, track.engine, track.format) == (origin_of(recording), copilot.__version__, FORMAT)
    return track if fresh else None


def keep_track(recording: Path, track: Track) -> None:
    """Keep it for the next time; a folder that cannot be written to costs time, nothing else, and is told of once."""
    try:
        write_track(recording, track)
    except StorageError as error:
        _tell_unkept(error.code)


def write_track(recording: Path, track: Track) -> None:
    """Put it beside ``recording``. StorageError ``storage.write_failed``, ``storage.full``, ``storage.unreadable``."""
    named = msgspec.structs.replace(track, origin=origin_of(recording))
    try:
        with replacing(recording.with_name(TRACK_FILE)) as temporary:
            temporary.write_bytes(_ENCODER.encode(named))
    except OSError as error:
        raise disk_error(error) from error


@lru_cache
def _tell_unkept(code: str) -> None:
    """Once in a process: of two hundred calls in one folder each would say the same."""
    log.warning("backtest.track_unkept", code=code)


def origin_of(recording: Path) -> str:
    """Checksum and length at the end of the gzip file, and its size on disk. StorageError ``storage.unreadable``."""
    try:
        with recording.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 8))
            return f"{size}-{file.read().hex()}"
    except OSError as error:
        raise StorageError("storage.unreadable", f"cannot read {recording}: {error.strerror}") from error
