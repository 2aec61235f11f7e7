"""Fakes shared by tests. Not mocks: each does its job, simply."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from copilot.engines.pool import AsrRequest
from copilot.events import SAMPLE_RATE_HZ, Hypothesis, Word


class FakeAsr:
    """A recogniser that hears one word per half second, named by its place: ``w0 w1 w2``.

    It can be held up (``hold`` / ``release``) and made to fail (``failure``), and remembers its batches.
    """

    def __init__(self) -> None:
        self.batches: list[list[AsrRequest]] = []
        self.failure: Exception | None = None
        self.entered = threading.Semaphore(0)
        self._open = threading.Event()
        self._open.set()

    def hold(self) -> None:
        """Let every decode wait until ``release``."""
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    def transcribe(self, requests: Sequence[AsrRequest]) -> list[Hypothesis]:
        self.batches.append(list(requests))
        self.entered.release()
        self._open.wait()
        if self.failure:
            raise self.failure
        return [self._hear(request) for request in requests]

    def _hear(self, request: AsrRequest) -> Hypothesis:
        names = [f"w{index}" for index in range(len(request.samples) * 2 // SAMPLE_RATE_HZ)]
        words = tuple(
            Word(text=name, start_ms=index * 500, end_ms=index * 500 + 400) for index, name in enumerate(names)
        )
        return Hypothesis(
            text=" ".join(names),
            language="en" if request.language == "auto" else request.language,
            words=() if request.kind == "interim" else words,
            avg_logprob=-0.1,
        )
