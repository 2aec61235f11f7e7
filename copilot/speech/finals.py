"""The finals of one channel that are still being recognised: asked again once, never out of order, never for ever."""

from __future__ import annotations

import math
from collections import deque

import msgspec

from copilot.events import Heard, Hypothesis, Word


class Closed(msgspec.Struct, kw_only=True):
    """An utterance that is over. ``begin_ms``..``stop_ms`` is what is decoded; ``start_ms``..``end_ms`` is voice.

    ``shown`` is the newest interim, if viewers have seen one.
    """

    utterance_id: str
    channel: int
    begin_ms: int
    stop_ms: int
    start_ms: int
    end_ms: int
    voiced_ms: int
    shown: Heard | None = None
    job_id: int = 0
    tries: int = 0
    deadline: float = 0.0
    is_settled: bool = False
    final: Heard | None = None


class Finals:
    """Utterances in the order they were spoken. Push, settle in any order, and pop what may be told."""

    def __init__(self) -> None:
        self._waiting: deque[Closed] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def oldest_ms(self) -> int | None:
        """Where the oldest utterance that cannot be told yet begins."""
        return next((closed.start_ms for closed in self._waiting), None)

    def push(self, closed: Closed) -> None:
        """One more utterance is over."""
        self._waiting.append(closed)

    def asked(self, job_id: int) -> Closed | None:
        """The utterance this job was to answer."""
        return next((closed for closed in self._waiting if closed.job_id == job_id and not closed.is_settled), None)

    def overdue(self, now: float) -> list[Closed]:
        """Utterances whose recogniser did not answer in time."""
        return [closed for closed in self._waiting if not closed.is_settled and closed.deadline <= now]

    def postpone(self, deadline: float) -> None:
        """Wait until then for all that are outstanding."""
        for closed in self._waiting:
            closed.deadline = deadline

    def next_deadline(self) -> float | None:
        """When the first of them gives up."""
        return min((closed.deadline for closed in self._waiting if not closed.is_settled), default=None)

    def pop_ready(self) -> list[Heard]:
        """The finals that nothing before them holds up any more."""
        ready = []
        while self._waiting and self._waiting[0].is_settled:
            if heard := self._waiting.popleft().final:
                ready.append(heard)
        return ready


def settle(closed: Closed, hypothesis: Hypothesis | None, text: str) -> None:
    """Decide what this utterance was.

    ``text`` empty means nobody said anything: that is told only when viewers have seen an interim (an empty final
    removes it). ``hypothesis`` None means that the recogniser gave up: the newest interim is then the best there is.
    """
    closed.is_settled = True
    if hypothesis is None:
        closed.final = closed.shown and msgspec.structs.replace(
            closed.shown, is_final=True, end_ms=closed.end_ms, committed=len(closed.shown.text)
        )
    elif text or closed.shown:
        closed.final = Heard(
            utterance_id=closed.utterance_id,
            channel=closed.channel,
            start_ms=closed.start_ms,
            end_ms=closed.end_ms,
            text=text,
            is_final=True,
            language=hypothesis.language,
            committed=len(text),
            confidence=confidence(hypothesis),
            words=within(hypothesis.words, closed.start_ms, closed.end_ms) if text else (),
        )


def within(words: tuple[Word, ...], start_ms: int, end_ms: int) -> tuple[Word, ...]:
    """The words, none of which began before the voice did or went on after it."""
    return tuple(
        msgspec.structs.replace(
            word, start_ms=max(start_ms, min(word.start_ms, end_ms)), end_ms=max(start_ms, min(word.end_ms, end_ms))
        )
        for word in words
    )


def confidence(hypothesis: Hypothesis) -> float:
    """Mean token probability, 0..1."""
    return round(min(math.exp(hypothesis.avg_logprob), 1.0), 3)
