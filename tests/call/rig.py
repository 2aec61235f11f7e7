"""A call with scripted models: loud audio is speech, and a recogniser that reads from a script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
import numpy as np

from copilot.backtest.virtual import VirtualRun
from copilot.call.call import Call, CallSetup
from copilot.clock import FakeClock
from copilot.events import AudioReceived, CallEvent, CallInfo, DecodeJob, HungUp, Hypothesis, MediaFormat
from copilot.playbook.compile import compile_playbook
from copilot.playbook.load import parse_playbook
from copilot.signals.listener import prepare
from copilot.wire import messages as wire

RATE_HZ = 8_000
MEDIA = MediaFormat(encoding="pcm_s16le", sample_rate_hz=RATE_HZ, channels=("rep", "customer"))

PLAYBOOK = """
schema: 1
id: small
version: 1.0.0
title: A small playbook
language: en
stages:
  - {id: opening, title: Opening}
  - {id: close, title: Close}
signals:
  - id: objection.price
    speaker: customer
    when: {phrase: {any: [too expensive, 太贵了]}}
  - id: compliance.forbidden
    speaker: rep
    when: {phrase: {any: [zero risk, 没有风险]}}
steps:
  - id: opening.intro
    title: Say who you are
    stage: opening
    done_when: {phrase: {any: [my name is, 我是]}}
    due: {within_s: 5, warn_s: 2}
    critical: true
  - id: close.ask
    title: Ask for the business
    stage: close
    done_when: {phrase: {any: [shall i book, 给您办理]}}
cues:
  - id: objection.price
    kind: objection
    when: {signal: objection.price}
    card: {headline: Ask what it is compared with, lines: [Then talk about value]}
    ttl_s: 10
  - id: compliance.forbidden
    kind: compliance
    critical: true
    when: {signal: compliance.forbidden}
    card: {headline: Take that promise back}
  - id: opening.intro
    kind: sop
    when: {event: {is: step_overdue, step: opening.intro}}
    close_when: {event: {is: step_done, step: opening.intro}}
    card: {headline: Say who you are}
"""


def setup(text: str = PLAYBOOK) -> CallSetup:
    plan = compile_playbook(parse_playbook(text))
    return CallSetup(plan=plan, prepared=prepare(plan, None))


def info(**changes: object) -> CallInfo:
    facts = {"call_id": "call_1", "started_at": "2026-03-01T09:00:00.000Z", "media": MEDIA, "language": "en"}
    return msgspec.convert({**msgspec.to_builtins(CallInfo(**facts)), **changes}, CallInfo)


class LoudIsSpeech:
    """A voice detector for audio made by ``talk``."""

    def score(self, windows: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
        loud = np.sqrt((windows**2).mean(axis=1))
        levels = tuple(round(float(20 * np.log10(max(each, 1e-5))), 1) for each in loud)
        return tuple(0.95 if each > 0.02 else 0.02 for each in loud), levels


class Reader:
    """A recogniser that gives each channel's lines in turn, a new one for every utterance."""

    def __init__(self, lines: dict[int, list[str]]) -> None:
        self._lines = {channel: iter(texts) for channel, texts in lines.items()}
        self._said: dict[str, str] = {}

    def __call__(self, job: DecodeJob, _: object) -> Hypothesis:
        if job.kind == "revision":  # reads nothing the second time: the live text stays
            return Hypothesis(text="", language="en")
        if job.utterance_id not in self._said:
            self._said[job.utterance_id] = next(self._lines.get(job.channel, iter(())), "and so on")
        return Hypothesis(text=self._said[job.utterance_id], language="en", avg_logprob=-0.2)


def talk(plan: Iterable[tuple[float, int | None]], frame_ms: int = 20) -> Iterator[tuple[float, CallEvent]]:
    """Stereo audio: ``(seconds, channel that speaks or None)`` one after the other, then hang-up."""
    noise = np.random.default_rng(7)
    spans = []
    for seconds, channel in plan:
        stereo = np.zeros((round(seconds * RATE_HZ), 2))
        if channel is not None:
            stereo[:, channel] = noise.normal(0, 0.2, len(stereo))
        spans.append(stereo)
    samples = np.clip(np.concatenate(spans) * 32_767, -32_768, 32_767).astype("<i2")
    step = RATE_HZ * frame_ms // 1000
    for offset in range(0, len(samples), step):
        chunk = samples[offset : offset + step]
        yield (offset + len(chunk)) / RATE_HZ, AudioReceived(offset=offset, payload=chunk.tobytes())
    yield len(samples) / RATE_HZ, HungUp()


def run(
    script: Iterable[tuple[float, CallEvent]],
    lines: dict[int, list[str]] | None = None,
    call_info: CallInfo | None = None,
    call_setup: CallSetup | None = None,
) -> tuple[list[wire.CallMessage], VirtualRun]:
    """Play a script through a call; returns its messages and the run (whose ``entries`` are the recording)."""
    call = Call(call_info or info(), call_setup or setup())
    machine = VirtualRun(
        call,
        scorers=[LoudIsSpeech(), LoudIsSpeech()],
        transcribe=Reader(lines or {}),
        encode=None,
        clock=FakeClock(),
    )
    decoder = msgspec.json.Decoder(wire.AnyCallMessage)
    return [decoder.decode(effect.message) for effect in machine.play(script)], machine
