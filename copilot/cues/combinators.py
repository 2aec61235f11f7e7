# ruff: noqa: ARG002  # every node is asked the same questions; not every answer needs all of it
"""Trigger combinators: conditions made of conditions.

A combinator happens at most once per beat. Times are media time, so that a slow recogniser changes nothing; "before"
and "after" are strict. ``within_s`` includes its end. The evidence of a match is that of the part that came last.

    combinator  happens                                                holds
    any         when a part happens                                    while a part holds
    all         when a part happens while all the others hold          while all hold
    not         never by itself: it only filters                       while its part does not hold
    seq, count, after, before                                          with the signals of the utterance that made it
    absence     at the end of the wait                                 from then until the awaited comes after all
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence

from copilot.cues.leaves import Node
from copilot.cues.moments import Fact, Match
from copilot.cues.scene import Scene
from copilot.events import Signal

REMEMBERED = 128
"""How many past happenings a combinator keeps; more than any ``count`` may ask for."""


class Branch(Node):
    """Base of nodes with parts."""

    def __init__(self, parts: Sequence[Node]) -> None:
        self._parts = tuple(parts)

    def next_deadline_ms(self) -> int | None:
        return earliest(part.next_deadline_ms() for part in self._parts)


class AnyOf(Branch):
    """One of the parts."""

    def beat(self, fact: Fact | None, pos_ms: int) -> Match | None:
        return _last([part.beat(fact, pos_ms) for part in self._parts])

    def holds(self, fact: Fact | None) -> bool:
        return any(part.holds(fact) for part in self._parts)


class AllOf(Branch):
    """Every part at once."""

    def beat(self, fact: Fact | None, pos_ms: int) -> Match | None:
        matches = [part.beat(fact, pos_ms) for part in self._parts]
        match = _last(matches)
        others = (part for part, match in zip(self._parts, matches, strict=True) if match is None)
        return match if match and all(part.holds(fact) for part in others) else None

    def holds(self, fact: Fact | None) -> bool:
        return all(part.holds(fact) for part in self._parts)


class Not(Branch):
    """The part does not hold."""

    def beat(self, fact: Fact | None, pos_ms: int) -> Match | None:
        for part in self._parts:
            part.beat(fact, pos_ms)
        return None

    def holds(self, fact: Fact | None) -> bool:
        return not any(part.holds(fact) for part in self._parts)


class Staged(Branch):
    """The part, but only in certain stages."""

    def __init__(self, part: Node, stages: tuple[str, ...], scene: Scene) -> None:
        super().__init__((part,))
        self._part = part
        self._stages = stages
        self._scene = scene

    def beat(self, fact: Fact | None, pos_ms: int) -> Match | None:
        match = self._part.beat(fact, pos_ms)
        return match if self._scene.stage in self._stages else None

    def holds(self, fact: Fact | None) -> bool:
        return self._scene.stage in self._stages and self._part.holds(fact)


class Momentary(Branch):
    """Base of combinators that hold only at the moment they happen, and with the signals of the same utterance."""

    _latest: Fact | None = None

    def beat(self, fact: Fact | None, pos_ms: int) -> Match | None:
        match = self._happens([part.beat(fact, pos_ms) for part in self._parts])
        if match:
            self._latest = fact
        return match

    def holds(self, fact: Fact | None) -> bool:
        if isinstance(fact, Signal) and isinstance(self._latest, Signal):
            return fact.evidence.utterance_id == self._latest.evidence.utterance_id
        return fact is not None and fact is self._latest

    @abstractmethod
    def _happens(self, matches: list[Match | None]) -> Match | None:
        """What the matches of the parts, in their order, make of this beat."""
        ...


class InOrder(Momentary):
    """``seq``: all parts one after the other, the last within ``within_ms`` of the first; then it begins anew.

    For every length it remembers the start of the most recent run of that length: no other run can end sooner.
    """

    def __init__(self, parts: Sequence[Node], within_ms: int) -> None:
        super().__init__(parts)
        self._within_ms = within_ms
        self._runs: list[tuple[int, int] | None] = [None] * len(self._parts)

    def _happens(self, matches: list[Match | None]) -> Match | None:
        for index in reversed(range(len(matches))):
            match = matches[index]
            start_ms = self._start(index, match.at_ms) if match else None
            if match and start_ms is not None:
                self._runs[index] = (start_ms, match.at_ms)
        if self._runs[-1] is None:
            return None
        self._runs = [None] * len(self._parts)
        return matches[-1]

    def _start(self, index: int, at_ms: int) -> int | None:
        """Where the run began that a match of part ``index`` at ``at_ms`` continues."""
        if index == 0:
            return at_ms
        run = self._runs[index - 1]
        if run is None or not run[1] < at_ms <= run[0] + self._within_ms:
            return None
        return run[0]


class Repeated(Momentary):
    """``count``: the part ``n`` times within ``within_ms``; then it counts anew."""

    def __init__(self, part: Node, n: int, within_ms: int) -> None:
        super().__init__((part,))
        self._within_ms = within_ms
        self._times_ms: deque[int] = deque(maxlen=n)

    def _happens(self, matches: list[Match | None]) -> Match | None:
        match = matches[0]
        if match is None:
            return None
        self._times_ms.append(match.at_ms)
        full = len(self._times_ms) == self._times_ms.maxlen
        if not full or max(self._times_ms) - min(self._times_ms) > self._within_ms:
            return None
        self._times_ms.clear()
        return match


class After(Momentary):
    """``what``, when ``reference`` has happened before it, at most ``within_ms`` earlier."""

    def __init__(self, what: Node, reference: Node, within_ms: int | None) -> None:
        super().__init__((what, reference))
        self._within_ms = within_ms
        self._references_ms: deque[int] = deque(maxlen=REMEMBERED)

    def _happens(self, matches: list[Match | None]) -> Match | None:
        what, reference = matches
        if reference:
            self._references_ms.append(reference.at_ms)
        return what if what and _has_earlier(self._references_ms, what.at_ms, self._within_ms) else None


class NotYet(Momentary):
    """``before`` without a distance: ``what``, as long as ``reference`` has not happened."""

    def __init__(self, what: Node, reference: Node) -> None:
        super().__init__((what, reference))
        self._reference_ms: int | None = None

    def _happens(self, matches: list[Match | None]) -> Match | None:
        what, reference = matches
        if reference and self._reference_ms is None:
            self._reference_ms = reference.at_ms
        return what if what and (self._reference_ms is None or what.at_ms < self._reference_ms) else None


class Absent(Branch):
    """``of`` does not happen within ``within_ms`` after ``since`` (None: the start of the call).

    The wait begins with the first ``since``; another one during the wait does not lengthen it.
    """

    def __init__(self, of: Node, since: Node | None, within_ms: int) -> None:
        super().__init__((of,) if since is None else (of, since))
        self._of = of
        self._since = since
        self._within_ms = within_ms
        self._waiting_from_ms = 0 if since is None else None
        self._cause: Match | None = None
        self._is_absent = False

    def beat(self, fact: Fact | None, pos_ms: int) -> Match | None:
        since = self._since.beat(fact, pos_ms) if self._since else None
        of = self._of.beat(fact, pos_ms)
        if since and self._waiting_from_ms is None:
            self._waiting_from_ms, self._cause = since.at_ms, since
        self._is_absent = self._is_absent and of is None
        due_ms = self.due_ms()
        if due_ms is None or self._came_in_time(of, due_ms) or pos_ms < due_ms:
            return None
        self._waiting_from_ms, self._is_absent = None, of is None
        return self._match(due_ms)

    def holds(self, fact: Fact | None) -> bool:
        return self._is_absent

    def due_ms(self) -> int | None:
        """When the running wait is over."""
        return None if self._waiting_from_ms is None else self._waiting_from_ms + self._within_ms

    def next_deadline_ms(self) -> int | None:
        return earliest((self.due_ms(), super().next_deadline_ms()))

    def _came_in_time(self, of: Match | None, due_ms: int) -> bool:
        """Whether what was awaited came and ended the wait; coming too late leaves the wait to fall due."""
        if of is None or not due_ms - self._within_ms <= of.at_ms <= due_ms:
            return False
        self._waiting_from_ms = None
        return True

    def _match(self, due_ms: int) -> Match:
        why, cause = f"absent for {self._within_ms / 1000:g} s", self._cause
        if cause is None:
            return Match(at_ms=due_ms, why=why)
        return Match(at_ms=due_ms, why=f"{cause.why}; {why}", signal=cause.signal, evidence=cause.evidence)


def earliest(times_ms: Iterable[int | None]) -> int | None:
    """The first of the times that are known."""
    return min((at_ms for at_ms in times_ms if at_ms is not None), default=None)


def _has_earlier(times_ms: Iterable[int], at_ms: int, within_ms: int | None) -> bool:
    return any(t < at_ms and (within_ms is None or at_ms - t <= within_ms) for t in times_ms)


def _last(matches: Sequence[Match | None]) -> Match | None:
    """The match that came last, one with evidence rather than one without."""
    known = [match for match in matches if match]
    return max(known, key=lambda match: (match.evidence is not None, match.at_ms), default=None)
