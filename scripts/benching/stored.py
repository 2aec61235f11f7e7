"""Stored calls made of what was truly said in other calls: the log a live call leaves behind, without any sound."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from copilot.backtest.virtual import VirtualRun
from copilot.call.call import Call, CallSetup
from copilot.clock import FakeClock
from copilot.events import AudioReceived, CallEvent, CallInfo, DecodeJob, HungUp, Hypothesis, MediaFormat, Word
from copilot.playbook.model import Playbook
from copilot.store.recording import RecordingHeader, write_recording

from .truth import Truth, Utterance
from .virtual import as_language

RATE_HZ = 8_000
FRAME_MS = 20
WINDOW_MS = 32
PAUSE_S = 2.0
"""Between one telling of the call and the next."""
CHANNELS = ("rep", "customer")


def stretched(truth: Truth, seconds: float) -> list[Utterance]:
    """What was said, again and again until ``seconds`` are full."""
    said: list[Utterance] = []
    begin = 0.0
    while begin < seconds:
        for each in truth.utterances:
            if begin + each.end > seconds:
                return said
            phrases = [
                msgspec.structs.replace(phrase, start=phrase.start + begin, end=phrase.end + begin)
                for phrase in each.phrases
            ]
            said.append(msgspec.structs.replace(each, start=each.start + begin, end=each.end + begin, phrases=phrases))
        begin += truth.duration_s + PAUSE_S
    return said


class Words:
    """A recogniser that never errs: the words of one channel within a stretch of time."""

    def __init__(self, said: Sequence[Utterance], language: str) -> None:
        self._joint = "" if language == "zh" else " "
        self._language = language
        self._words: dict[int, list[Word]] = {0: [], 1: []}
        for each in said:
            for phrase in each.phrases:
                self._words[CHANNELS.index(each.speaker)] += _spread(phrase.text, phrase.start, phrase.end, language)

    def __call__(self, job: DecodeJob, _: object) -> Hypothesis:
        if job.kind == "revision":
            return Hypothesis(text="", language=self._language)
        words = self._words[job.channel]
        first = bisect_right(words, job.start_ms, key=lambda word: word.end_ms)
        last = bisect_right(words, job.end_ms, key=lambda word: word.start_ms)
        text = self._joint.join(word.text for word in words[first:last])
        return Hypothesis(text=text, words=tuple(words[first:last]), language=self._language, avg_logprob=-0.2)


def _spread(text: str, start: float, end: float, language: str) -> Iterator[Word]:
    pieces = list(text) if language == "zh" else text.split()
    step = (end - start) * 1000 / max(1, len(pieces))
    for at, piece in enumerate(pieces):
        yield Word(text=piece, start_ms=round(start * 1000 + at * step), end_ms=round(start * 1000 + (at + 1) * step))


class Voice:
    """Knows from the truth in which windows of a channel somebody speaks."""

    def __init__(self, said: Sequence[Utterance], channel: int) -> None:
        self._spans = [(each.start * 1000, each.end * 1000) for each in said if each.speaker == CHANNELS[channel]]
        self._window = 0

    def score(self, windows: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
        found = []
        for _ in range(len(windows)):
            at_ms = self._window * WINDOW_MS
            self._window += 1
            found.append(any(start <= at_ms < end for start, end in self._spans))
        return tuple(0.95 if each else 0.02 for each in found), tuple(-20.0 if each else -60.0 for each in found)


def store(path: Path, truth: Truth, seconds: float, playbook: Playbook, setup: CallSetup, encode: Any) -> int:
    """Live a call of ``seconds`` of the truth and keep its log at ``path``; how many events it has."""
    said = stretched(truth, seconds)
    media = MediaFormat(encoding="pcm_s16le", sample_rate_hz=RATE_HZ, channels=CHANNELS)  # type: ignore[arg-type]
    info = CallInfo(
        call_id=path.parent.name,
        started_at="2026-01-05T09:00:00.000Z",
        kind="recording",
        media=media,
        language=as_language(truth.lang),
        playbook_id=playbook.id,
        playbook_version=playbook.version,
    )
    run = VirtualRun(
        Call(info, setup),
        scorers=[Voice(said, 0), Voice(said, 1)],
        transcribe=Words(said, truth.lang),
        encode=encode,
        clock=FakeClock(),
    )
    for _ in run.play(_silence(seconds)):
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    header = RecordingHeader(call=info, playbook=msgspec.json.encode(playbook).decode())
    write_recording(path, header, run.entries)
    return len(run.entries)


def _silence(seconds: float) -> Iterator[tuple[float, CallEvent]]:
    samples = RATE_HZ * FRAME_MS // 1000
    payload = bytes(samples * 2 * len(CHANNELS))
    for number in range(round(seconds * 1000) // FRAME_MS):
        yield (number + 1) * FRAME_MS / 1000, AudioReceived(offset=number * samples, payload=payload)
    yield seconds, HungUp()
