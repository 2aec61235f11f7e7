"""Utterances -> signals: what was heard of the things a playbook listens for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import msgspec

from copilot.events import Frozen, Signal, Utterance
from copilot.playbook.compile import Plan
from copilot.signals.evidence import cite
from copilot.signals.examples import Prepared, Vectors, prepare, stretches
from copilot.signals.rules import Detector, Found, Hearable, hearable

REMEMBERED = 64
"""Utterances whose signals are remembered, so that none fires twice."""


class Hearing(Frozen, frozen=True, kw_only=True):
    """What an utterance says so far; when ``embed`` is not empty, ``Listener.embedded`` wants those texts' vectors."""

    signals: list[Signal]
    embed: tuple[str, ...] = ()


class _Memory:
    """What is known about one utterance. ``fired`` holds (label, is_final) pairs."""

    def __init__(self) -> None:
        self.fired: set[tuple[str, bool]] = set()
        self.interim: frozenset[str] = frozenset()
        self.waiting: Hearable | None = None


class Listener:
    """Listens to a call for the signals of one plan.

    Each label fires at most twice per utterance: once as soon as two successive interims agree on it (only triggers
    with ``interim: true``), and once for the final text.
    """

    def __init__(self, plan: Plan, prepared: Prepared, *, context: Mapping[str, str]) -> None:
        self._language = plan.playbook.language
        self._detectors = [Detector(rule, prepared, context, self._language) for rule in plan.rules]
        self._memories: OrderedDict[str, _Memory] = OrderedDict()

    def hear(self, utterance: Utterance, *, stage: str) -> Hearing:
        """Listen to an utterance as it now stands, interim or final. ``stage`` is where the call is."""
        memory = self._remember(utterance.id)
        heard = hearable(utterance, stage, self._language)
        wanted = any(detector.wants_vectors(heard) for detector in self._detectors)
        spans = stretches(heard.normal) if wanted else ()
        heard = msgspec.structs.replace(heard, spans=spans)
        memory.waiting = heard if spans else None
        found = self._detect(heard, settled=not spans)
        return Hearing(
            signals=self._fire(heard, found, memory), embed=tuple(utterance.text[start:end] for start, end in spans)
        )

    def embedded(self, utterance_id: str, vectors: Vectors) -> list[Signal]:
        """The vectors of the texts asked for last, [texts, 512]; empty when the encoder failed: no meaning matches."""
        memory = self._memories.get(utterance_id)
        if memory is None or memory.waiting is None:
            return []
        heard, memory.waiting = memory.waiting, None
        if len(vectors) == len(heard.spans):
            heard = msgspec.structs.replace(heard, vectors=vectors)
        return self._fire(heard, self._detect(heard, settled=True), memory)

    def _remember(self, utterance_id: str) -> _Memory:
        memory = self._memories.setdefault(utterance_id, _Memory())
        self._memories.move_to_end(utterance_id)
        while len(self._memories) > REMEMBERED:
            self._memories.popitem(last=False)
        return memory

    def _detect(self, heard: Hearable, *, settled: bool) -> dict[str, Found]:
        """Every label the utterance fulfils. Unless ``settled``, rules that count on an absent meaning wait."""
        found: dict[str, Found] = {}
        for detector in self._detectors:
            if heard.utterance.is_final or detector.hears_interim:
                result = detector.detect(heard, found) if settled or not detector.denies else None
                if result:
                    found[detector.label] = result
        return found

    def _fire(self, heard: Hearable, found: Mapping[str, Found], memory: _Memory) -> list[Signal]:
        utterance = heard.utterance
        agreed = [label for label in found if utterance.is_final or label in memory.interim]
        if not utterance.is_final and memory.waiting is None:
            memory.interim = frozenset(found)
        new = [label for label in agreed if (label, utterance.is_final) not in memory.fired]
        memory.fired.update((label, utterance.is_final) for label in new)
        return [_signal(label, found[label], utterance) for label in new]


def _signal(label: str, found: Found, utterance: Utterance) -> Signal:
    start, end = (found.start, found.end) if found.end else (0, len(utterance.text))
    return Signal(
        label=label,
        speaker=utterance.speaker,
        evidence=cite(utterance, start, end),
        score=found.score,
        is_final=utterance.is_final,
        detector=found.detector,
        why=found.why,
    )


__all__ = ["Hearing", "Listener", "Prepared", "prepare"]
