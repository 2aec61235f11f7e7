"""Many stored calls through one or two playbooks, on every core: what the cards would have been."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import msgspec

from copilot.backtest.rethink import Encode, Rethought, rethink
from copilot.backtest.stored import interval_of, limits_of, playbook_of, speech_of
from copilot.backtest.track import Track, distil, keep_track, kept_track, write_track
from copilot.call.call import CallSetup
from copilot.config import Settings
from copilot.engines.suite import Encoder, load_encoder
from copilot.errors import CopilotError, ModelError
from copilot.events import Card, Frozen, StepState
from copilot.knowledge.index import index_of
from copilot.playbook.compile import compile_playbook
from copilot.playbook.model import Playbook
from copilot.signals.listener import prepare
from copilot.store.recording import read_recording

NICE = 10
"""A backtest gives way to calls that are on."""
MINUTE_MS = 60_000


class CardLine(Frozen, frozen=True, kw_only=True):
    """One card of a backtest. ``reason``: why it was not shown, else empty. ``latency_ms``: from the end of the phrase
    until it was sent; None when no words caused it.
    """

    cue_id: str
    kind: str
    at_ms: int
    quote: str = ""
    utterance_id: str = ""
    reason: str = ""
    latency_ms: int | None = None
    outcome: str = "undetermined"
    close_reason: str = ""


class CallRun(Frozen, frozen=True, kw_only=True):
    """What one stored call would have been with one playbook. ``error``: the code of why it could not be run."""

    call_id: str
    playbook: str
    version: str
    duration_ms: int = 0
    cards: tuple[CardLine, ...] = ()
    steps: dict[str, StepState] = msgspec.field(default_factory=dict)
    per_minute: float = 0.0
    most_in_a_minute: int = 0
    budget_per_minute: int = 0
    error: str = ""

    @property
    def shown(self) -> tuple[CardLine, ...]:
        """The cards the rep would have seen."""
        return tuple(card for card in self.cards if not card.reason)


class Bench:
    """Prepared playbooks and the encoder of one process."""

    def __init__(self, encoder: Encoder | None) -> None:
        self._encoder = encoder
        self._setup = lru_cache(maxsize=16)(self._prepare)

    @classmethod
    def open(cls, settings: Settings, *, model: bool = True) -> Bench:
        """With the sentence encoder, if this machine has it and ``model``; else meanings match nothing."""
        try:
            return cls(load_encoder(settings) if model else None)
        except ModelError:
            return cls(None)

    @property
    def encode(self) -> Encode | None:
        """The encoder, if there is one."""
        return self._encoder.encode_bytes if self._encoder else None

    def setup(self, playbook: Playbook) -> CallSetup:
        """``playbook`` ready for calls."""
        return self._setup(msgspec.json.encode(playbook))

    def track(self, recording: Path) -> Track:
        """The recording as its mind lived it; kept for the next time. Raises StorageError, PlaybookError."""
        if kept := kept_track(recording):
            return kept
        track = self._distilled(recording)
        keep_track(recording, track)
        return track

    def keep(self, recording: Path) -> None:
        """Make the track of a recording unless it is there. Raises StorageError, PlaybookError."""
        if kept_track(recording) is None:
            write_track(recording, self._distilled(recording))

    def _distilled(self, recording: Path) -> Track:
        stored = read_recording(recording)
        setup = msgspec.structs.replace(
            self.setup(playbook_of(stored.header)),
            speech=speech_of(stored.header),
            llm=limits_of(stored.header),
            metrics_interval_ms=interval_of(stored.header),
        )
        return distil(stored.header.call, setup, stored)

    def run(self, recording: Path, playbooks: Sequence[Playbook]) -> list[CallRun]:
        """One call with each of ``playbooks``; what cannot be read says so in its place."""
        try:
            track = self.track(recording)
        except CopilotError as error:
            name = recording.parent.name
            return [
                CallRun(call_id=name, playbook=book.id, version=book.version, error=error.code) for book in playbooks
            ]
        return [call_run(track, book, rethink(track, self.setup(book), self.encode)) for book in playbooks]

    def _prepare(self, encoded: bytes) -> CallSetup:
        plan = compile_playbook(msgspec.json.decode(encoded, type=Playbook))
        encode, intents = (self._encoder.encode, self._encoder.intents) if self._encoder else (None, None)
        return CallSetup(plan=plan, prepared=prepare(plan, encode, intents), index=index_of(plan.playbook, encode))


def run_all(
    recordings: Sequence[Path], playbooks: Sequence[Playbook], settings: Settings, *, model: bool, workers: int
) -> Iterator[list[CallRun]]:
    """Every call with every playbook, in the order of ``recordings``. ``workers`` 0: one per core."""
    workers = min(workers or os.cpu_count() or 1, len(recordings))
    if workers <= 1:
        bench = Bench.open(settings, model=model)
        yield from (bench.run(path, playbooks) for path in recordings)
        return
    context = multiprocessing.get_context("spawn")  # the models' threads do not survive a fork
    with ProcessPoolExecutor(workers, context, partial(_begin, settings, playbooks, model)) as pool:
        yield from pool.map(_run_one, recordings, chunksize=max(1, min(4, len(recordings) // workers)))


_work: Callable[[Path], list[CallRun]] | None = None


def _begin(settings: Settings, playbooks: Sequence[Playbook], model: bool) -> None:
    """Runs once in every worker process."""
    global _work  # noqa: PLW0603  # a worker process is one bench
    os.nice(NICE)
    bench = Bench.open(settings, model=model)
    _work = partial(bench.run, playbooks=playbooks)


def _run_one(recording: Path) -> list[CallRun]:
    if _work is None:
        raise RuntimeError("the worker has not begun")
    return _work(recording)


def call_run(track: Track, playbook: Playbook, rethought: Rethought) -> CallRun:
    """A rethought call as its author reads it."""
    lines = tuple(_line(card, rethought.ends[card.id]) for card in rethought.cards)
    shown = [line.at_ms for line in lines if not line.reason]
    minutes = max(rethought.duration_ms, 1) / MINUTE_MS
    return CallRun(
        call_id=track.info.call_id,
        playbook=playbook.id,
        version=playbook.version,
        duration_ms=rethought.duration_ms,
        cards=lines,
        steps=rethought.steps,
        per_minute=round(len(shown) / minutes, 2),
        most_in_a_minute=_densest([card.ledger.sent for card in rethought.cards if card.ledger and _is_shown(card)]),
        budget_per_minute=playbook.attention.max_per_min,
    )


def _line(card: Card, end: Card) -> CardLine:
    trigger, ledger = card.trigger, card.ledger
    return CardLine(
        cue_id=card.cue_id,
        kind=card.kind,
        at_ms=card.raised_ms or (trigger.end_ms if trigger else 0),
        quote=trigger.quote if trigger else "",
        utterance_id=trigger.utterance_id if trigger else "",
        reason=card.suppressed_reason,
        latency_ms=ledger.sent - ledger.phrase_end if ledger and trigger and _is_shown(card) else None,
        outcome=end.outcome,
        close_reason=end.close_reason,
    )


def _is_shown(card: Card) -> bool:
    return not card.suppressed_reason


def _densest(times_ms: Sequence[int]) -> int:
    """Most of ``times_ms`` within any minute."""
    ordered = sorted(times_ms)
    return max((sum(at <= other < at + MINUTE_MS for other in ordered) for at in ordered), default=0)


def as_json(run: CallRun) -> dict[str, Any]:
    """For one line of output."""
    return {key: value for key, value in msgspec.to_builtins(run).items() if key != "error" or value}
