"""One recording through the real call and the real models in virtual time, each decode charged its CPU time.

So the figures are those of a machine with nothing else to do, even on a busy one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import msgspec

from copilot.backtest.virtual import AudioScript, VirtualRun
from copilot.call.call import Call, CallSetup
from copilot.call.outbox import rfc3339
from copilot.clock import SystemClock
from copilot.config import Settings
from copilot.engines.media import open_recording
from copilot.engines.pool import AsrRequest, at_media_time
from copilot.engines.suite import Suite
from copilot.events import CallInfo, DecodeJob, Hypothesis, Language, MediaFormat, Publish
from copilot.knowledge.index import index_of
from copilot.playbook.compile import compile_playbook
from copilot.playbook.load import find_playbook
from copilot.signals.listener import prepare

from .corpora import speakers
from .lags import Message


class CpuClock(SystemClock):
    """Its seconds are those this process computed."""

    def now(self) -> float:
        return time.process_time()


class Costs(msgspec.Struct):
    """CPU-s by what they were spent on, and how many decodes there were of each kind."""

    decode_s: dict[str, float] = {}
    decodes: dict[str, int] = {}
    vad_s: float = 0.0
    audio_s: float = 0.0


class _Ear:
    """Scores speech and counts what that costs."""

    def __init__(self, stream: Any, costs: Costs) -> None:
        self._stream = stream
        self._costs = costs

    def score(self, windows: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
        began = time.process_time()
        scored: tuple[tuple[float, ...], tuple[float, ...]] = self._stream.score(windows)
        self._costs.vad_s += time.process_time() - began
        return scored


class Listener:
    """Hears recordings. ``costs`` are those of the last one."""

    def __init__(self, suite: Suite, settings: Settings) -> None:
        self._suite = suite
        self._asr: Any = suite.asr
        self._settings = settings
        self.costs = Costs()

    def hear(self, path: Path, language: Language) -> list[Message]:
        """The call's messages, each with ``at``: virtual seconds since its first sample was spoken."""
        recording = open_recording(path)
        channels = speakers(recording.channels)
        media = MediaFormat(encoding="pcm_s16le", sample_rate_hz=recording.sample_rate_hz, channels=channels)
        costs = self.costs = Costs()
        run = VirtualRun(
            self._call(path.stem, media, language),
            scorers=[_Ear(stream, costs) for stream in self._suite.scorers(len(channels))],
            transcribe=self._transcribe,
            encode=self._suite.encoder.encode_bytes,
            clock=CpuClock(),
            workers=self._settings.recogniser.parallel,
        )
        messages = _timed(list(run.play(AudioScript(recording.frames, 2 * len(channels), recording.sample_rate_hz))))
        costs.audio_s = messages[-1]["pos_ms"] / 1000
        return messages

    def _call(self, call_id: str, media: MediaFormat, language: Language) -> Call:
        books = self._settings.playbooks
        playbook = find_playbook("", books.folder, language, books.knowledge)
        plan = compile_playbook(playbook)
        encoder = self._suite.encoder
        prepared = prepare(plan, encoder.encode, encoder.intents)
        setup = CallSetup(
            plan=plan,
            prepared=prepared,
            index=index_of(playbook, encoder.encode),
            speech=self._settings.speech,
        )
        info = CallInfo(
            call_id=call_id,
            started_at=rfc3339(SystemClock().utc()),
            kind="recording",
            media=media,
            language=language,
            playbook_id=playbook.id,
            playbook_version=playbook.version,
        )
        return Call(info, setup)

    def _transcribe(self, job: DecodeJob, samples: Any) -> Hypothesis:
        request = _request(job, samples)
        began = time.process_time()
        (hypothesis,) = self._asr.transcribe([request])
        used = time.process_time() - began
        self.costs.decode_s[job.kind] = self.costs.decode_s.get(job.kind, 0.0) + used
        self.costs.decodes[job.kind] = self.costs.decodes.get(job.kind, 0) + 1
        return at_media_time(hypothesis, job.start_ms)


def _request(job: DecodeJob, samples: Any) -> AsrRequest:
    """A request has the fields of its job that concern a recogniser; one call has no other to mix utterances with."""
    fields = [name for name in AsrRequest.__struct_fields__ if name in DecodeJob.__struct_fields__]
    given: dict[str, Any] = {name: getattr(job, name) for name in fields}
    if "utterance" in AsrRequest.__struct_fields__:
        given["utterance"] = job.utterance_id
    return AsrRequest(samples=samples, **given)


def as_language(name: str) -> Language:
    """Raises ValueError for what no call can be in."""
    for language in get_args(Language):
        if language == name:
            return name  # type: ignore[return-value]
    raise ValueError(name)


def _timed(effects: Sequence[Publish]) -> list[Message]:
    messages = [msgspec.json.decode(effect.message) for effect in effects]
    started = datetime.fromisoformat(messages[0]["started_at"])
    for message in messages:
        message["at"] = (datetime.fromisoformat(message["emitted_at"]) - started).total_seconds()
    return messages
