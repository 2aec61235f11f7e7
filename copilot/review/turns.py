"""Who held the floor, and when: turns, runs, silences and interruptions. The ground under the metrics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from copilot.events import Speaker
from copilot.review.model import Line, Pause, Span

OWN_PAUSE_MS = 2_000
"""A speaker who is silent this long has ended a monologue."""
OVERLAP_MS = 500
"""Shorter overlaps are the ordinary friction of talking, not interruptions."""
ANALYTIC_SILENCE_MS = 3_000


class Stretch(msgspec.Struct, frozen=True):
    """Consecutive lines of one speaker; never empty."""

    lines: tuple[Line, ...]

    @property
    def speaker(self) -> Speaker:
        return self.lines[0].speaker

    @property
    def span(self) -> Span:
        return Span(start_ms=self.lines[0].start_ms, end_ms=max(line.end_ms for line in self.lines))


class Interruption(msgspec.Struct, frozen=True):
    """``by`` began while ``of`` was speaking, and both spoke for ``overlap_ms``."""

    by: Line
    of: Line
    overlap_ms: int


def spoken(lines: Sequence[Line], speaker: Speaker | None = None) -> list[Line]:
    """Lines that are more than a sign of listening."""
    return [line for line in lines if not line.is_backchannel and speaker in (None, line.speaker)]


def speech_ms(lines: Iterable[Line], within: Span | None = None) -> int:
    """Time covered by the lines, overlaps counted once."""
    total = 0
    reached = within.start_ms if within else 0
    for line in sorted(lines, key=lambda line: line.start_ms):
        start = max(line.start_ms, reached)
        end = min(line.end_ms, within.end_ms) if within else line.end_ms
        total += max(0, end - start)
        reached = max(reached, end)
    return total


def turns(lines: Sequence[Line]) -> list[Stretch]:
    """The conversation as alternating turns, backchannels left out."""
    result: list[list[Line]] = []
    for line in spoken(lines):
        if result and result[-1][-1].speaker == line.speaker:
            result[-1].append(line)
        else:
            result.append([line])
    return [Stretch(tuple(part)) for part in result]


def runs(lines: Sequence[Line], speaker: Speaker, pauses: Sequence[Pause] = ()) -> list[Stretch]:
    """Stretches of one speaker that neither the other side, an own pause of 2 s nor a hold broke."""
    result: list[Stretch] = []
    for turn in turns(lines):
        if turn.speaker != speaker:
            continue
        part: list[Line] = []
        for line in turn.lines:
            if part and _is_break(max(item.end_ms for item in part), line.start_ms, pauses):
                result.append(Stretch(tuple(part)))
                part = []
            part.append(line)
        result.append(Stretch(tuple(part)))
    return result


def _is_break(end_ms: int, start_ms: int, pauses: Sequence[Pause]) -> bool:
    return start_ms - end_ms >= OWN_PAUSE_MS or _is_paused(end_ms, start_ms, pauses)


def _is_paused(start_ms: int, end_ms: int, pauses: Sequence[Pause]) -> bool:
    """A hold lies between two moments."""
    return any(pause.span.start_ms <= end_ms and pause.span.end_ms >= start_ms for pause in pauses)


def longest(stretches: Sequence[Stretch]) -> Stretch | None:
    """The longest stretch from its first to its last word, the first of equals."""
    return max(stretches, key=lambda part: part.span.length_ms, default=None)


def silences(lines: Sequence[Line], pauses: Sequence[Pause] = ()) -> list[Span]:
    """Where nobody spoke for more than 3 s, between the first and the last words; holds are not silence."""
    result: list[Span] = []
    reached: int | None = None
    for line in sorted(lines, key=lambda line: line.start_ms):
        if reached is not None:
            result += _outside(Span(start_ms=reached, end_ms=line.start_ms), pauses)
        reached = max(reached or 0, line.end_ms)
    return [span for span in result if span.length_ms > ANALYTIC_SILENCE_MS]


def _outside(span: Span, pauses: Sequence[Pause]) -> list[Span]:
    """The parts of a span before, between and after the holds in it."""
    parts: list[Span] = []
    start = span.start_ms
    for pause in pauses:
        if pause.span.end_ms >= start and pause.span.start_ms <= span.end_ms:
            parts.append(Span(start_ms=start, end_ms=max(start, pause.span.start_ms)))
            start = max(start, pause.span.end_ms)
    parts.append(Span(start_ms=start, end_ms=max(start, span.end_ms)))
    return parts


def gaps(lines: Sequence[Line], pauses: Sequence[Pause] = ()) -> list[tuple[Line, Line]]:
    """Every customer line followed by the rep after some silence: what patience is measured on."""
    result: list[tuple[Line, Line]] = []
    last: Line | None = None
    for line in spoken(lines):
        if (
            last is not None
            and last.speaker == "customer"
            and line.speaker == "rep"
            and line.start_ms > last.end_ms
            and not _is_paused(last.end_ms, line.start_ms, pauses)
        ):
            result.append((last, line))
        last = line
    return result


def interruptions(lines: Sequence[Line], by: Speaker = "rep") -> list[Interruption]:
    """Lines of ``by`` that began while the other side was speaking and overlapped for 500 ms or more."""
    others = [line for line in spoken(lines) if line.speaker != by]
    result: list[Interruption] = []
    for line in spoken(lines, by):
        for other in others:
            overlap_ms = min(line.end_ms, other.end_ms) - line.start_ms
            if other.start_ms < line.start_ms and overlap_ms >= OVERLAP_MS:
                result.append(Interruption(line, other, overlap_ms))
                break
    return result


def busiest_minute(moments: Sequence[Interruption]) -> list[Interruption]:
    """The most interruptions that lie within 60 s of each other."""
    best: list[Interruption] = []
    for first in moments:
        inside = [item for item in moments if 0 <= item.by.start_ms - first.by.start_ms < 60_000]
        best = max(best, inside, key=len)
    return best
