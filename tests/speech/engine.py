"""Play a channel: scores in, a scripted recogniser answering in virtual time, everything found recorded."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from itertools import count

import msgspec

from copilot.config import SpeechSettings, VadSettings
from copilot.events import (
    WINDOW_MS,
    CancelDecode,
    Decode,
    Decoded,
    DecodeJob,
    Heard,
    Hypothesis,
    SpeechScored,
)
from copilot.speech.transcriber import Finding, Transcriber

Answer = Callable[[DecodeJob], Decoded | None]
SETTINGS = SpeechSettings(
    vad=VadSettings(
        threshold=0.5,
        neg_threshold=0.3,
        min_speech_ms=160,
        min_silence_ms=384,
        sure_silence_ms=384,
        max_silence_ms=384,
        speculate_after_ms=160,
        speech_pad_ms=64,
        max_speech_ms=4_000,
    )
)
VOICE, SILENCE = 0.9, 0.05


def said(text: str = "", **figures: object) -> Answer:
    """A recogniser that always hears this; by default it spells out which stretch it was asked for."""

    def answer(job: DecodeJob) -> Decoded:
        words = text or f"from {job.start_ms} to {job.end_ms}"
        return Decoded(job_id=job.job_id, hypothesis=Hypothesis(text=words, language="en", avg_logprob=-0.1, **figures))

    return answer


def in_turn(*answers: Answer) -> Answer:
    """Each of these once, then a recogniser that hears well."""
    left = iter(answers)

    def answer(job: DecodeJob) -> Decoded | None:
        return next(left, said())(job)

    return answer


def failing(job: DecodeJob) -> Decoded:
    return Decoded(job_id=job.job_id, error="asr.failed")


def silent(_: DecodeJob) -> None:
    """A recogniser that never answers."""


class Play:
    """One channel in virtual time: window ``n`` arrives at ``(n + 1) * 32 ms``, answers ``decode_s`` after the ask."""

    def __init__(
        self, answer: Answer | None = None, decode_s: float = 0.1, settings: SpeechSettings = SETTINGS, **kwargs: object
    ) -> None:
        jobs, utterances = count(1), count(1)
        self.transcriber = Transcriber(
            1,
            settings,
            next_job_id=lambda: next(jobs),
            next_utterance_id=lambda: f"u{next(utterances)}",
            **({"language": "en"} | kwargs),
        )
        self.answer = answer or said()
        self.decode_s = decode_s
        self.now = 0.0
        self.window = 0
        self.found: list[tuple[float, Finding]] = []
        self._due: list[tuple[float, int, Decoded]] = []

    def scores(self, scores: Iterable[float], level_db: float = -30.0, chunk: int = 1) -> Play:
        """Feed windows, ``chunk`` at a time."""
        scores = tuple(scores)
        for start in range(0, len(scores), chunk):
            some = scores[start : start + chunk]
            self.pass_until((self.window + len(some)) * WINDOW_MS / 1000)
            event = SpeechScored(channel=1, first_window=self.window, scores=some, levels_db=(level_db,) * len(some))
            self.window += len(some)
            self.take(self.transcriber.scored(event, self.now))
        return self

    def speak(self, ms: int) -> Play:
        return self.scores([VOICE] * (ms // WINDOW_MS))

    def rest(self, ms: int) -> Play:
        return self.scores([SILENCE] * (ms // WINDOW_MS))

    def flush(self) -> Play:
        self.take(self.transcriber.flush(self.now))
        return self

    def wait(self, seconds: float) -> Play:
        """Time passes without audio."""
        self.pass_until(self.now + seconds)
        return self

    def pass_until(self, until: float) -> None:
        """Deliver answers and fire deadlines in the order they fall due."""
        while (moment := self._next()) is not None and moment <= until:
            self.now = max(moment, self.now)
            if self._due and self._due[0][0] <= self.now:
                self.take(self.transcriber.decoded(heapq.heappop(self._due)[2], self.now))
            else:
                self.take(self.transcriber.tick(self.now))
        self.now = max(until, self.now)

    def take(self, findings: list[Finding]) -> None:
        for finding in findings:
            self.found.append((self.now, finding))
            if isinstance(finding, Decode) and (decoded := self.answer(finding.job)):
                heapq.heappush(self._due, (self.now + self.decode_s, finding.job.job_id, decoded))

    def _next(self) -> float | None:
        moments = [self._due[0][0]] if self._due else []
        deadline = self.transcriber.next_deadline()
        return min([*moments, *([] if deadline is None else [deadline])], default=None)

    # --- what was found -------------------------------------------------------------------------------------

    def all(self, kind: type) -> list:
        return [finding for _, finding in self.found if isinstance(finding, kind)]

    def jobs(self, *kinds: str) -> list[DecodeJob]:
        return [finding.job for finding in self.all(Decode) if not kinds or finding.job.kind in kinds]

    @property
    def finals(self) -> list[Heard]:
        return [heard for heard in self.all(Heard) if heard.is_final]

    @property
    def interims(self) -> list[Heard]:
        return [heard for heard in self.all(Heard) if not heard.is_final]

    @property
    def cancelled(self) -> list[int]:
        return [finding.job_id for finding in self.all(CancelDecode)]

    def at(self, finding: Finding) -> float:
        return next(now for now, other in self.found if other is finding)


def with_speech(**changes: object) -> SpeechSettings:
    return msgspec.structs.replace(SETTINGS, **changes)


def with_vad(**changes: object) -> SpeechSettings:
    return msgspec.structs.replace(SETTINGS, vad=msgspec.structs.replace(SETTINGS.vad, **changes))
