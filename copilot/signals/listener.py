"""Utterances -> signals: what was heard of the things a playbook listens for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import msgspec

from copilot.events import Frozen, Signal, Utterance
from copilot.playbook.compile import ASKED, Plan
from copilot.signals.evidence import cite
from copilot.signals.examples import MIN_TOKENS, Prepared, Vectors, prepare, stretches, unit
from copilot.signals.intents import understand
from copilot.signals.rules import Detector, Found, Hearable, gathered, hearable

REMEMBERED = 64
"""Utterances whose signals are remembered, so that none fires twice."""


class Hearing(Frozen, frozen=True, kw_only=True):
    """What an utterance says so far; when ``embed`` is not empty, ``Listener.embedded`` wants those texts' vectors.

    ``ask`` are questions about it for a language model; ``Listener.answered`` takes each answer, or none.
    """

    signals: list[Signal]
    embed: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()


class _Memory:
    """What is known about one utterance. ``fired`` holds (label, is_final) pairs."""

    def __init__(self) -> None:
        self.fired: set[tuple[str, bool]] = set()
        self.interim: frozenset[str] = frozenset()
        self.heard: Hearable | None = None
        self.waiting: Hearable | None = None
        self.asked: Hearable | None = None


class Listener:
    """Listens to a call for the signals of one plan.

    Each label fires at most twice per utterance: once as soon as two successive interims agree on it (only triggers
    with ``interim: true``), and once for the final text.
    """

    def __init__(self, plan: Plan, prepared: Prepared, *, context: Mapping[str, str]) -> None:
        self._language = plan.playbook.language
        self._detectors = [Detector(rule, prepared, context, self._language) for rule in plan.rules]
        self._asking = [detector for detector in self._detectors if detector.asking]
        self._patterns = gathered(tuple(dict.fromkeys(r for detector in self._detectors for r in detector.regexes)))
        self._intents = prepared.intents
        self._knows = any(rule.label == ASKED for rule in plan.rules)
        self._memories: OrderedDict[str, _Memory] = OrderedDict()

    def hear(self, utterance: Utterance, *, stage: str) -> Hearing:
        """Listen to an utterance as it now stands, interim or final. ``stage`` is where the call is."""
        memory = self._remember(utterance.id)
        heard = memory.heard = hearable(utterance, stage, self._language, self._patterns, memory.heard)
        shortest = min((detector.shortest for detector in self._detectors if detector.wants_vectors(heard)), default=0)
        if self._knows and utterance.is_final and utterance.speaker == "customer":
            shortest = shortest or MIN_TOKENS  # the documents are searched by meaning
        spans = stretches(heard.normal, shortest) if shortest else ()
        heard = msgspec.structs.replace(heard, spans=spans)
        memory.waiting = heard if spans else None
        found = self._detect(heard, settled=not spans)
        ask = self._questions(heard)
        memory.asked = heard if ask else None
        return Hearing(
            signals=self._fire(heard, found, memory),
            embed=tuple(utterance.text[start:end] for start, end in spans),
            ask=ask,
        )

    def embedded(self, utterance_id: str, vectors: Vectors) -> list[Signal]:
        """The vectors of the texts asked for last, [texts, 512]; empty when the encoder failed: no meaning matches."""
        memory = self._memories.get(utterance_id)
        if memory is None or memory.waiting is None:
            return []
        heard, memory.waiting = memory.waiting, None
        if len(vectors) == len(heard.spans):
            heard = self._understood(msgspec.structs.replace(heard, vectors=vectors, units=unit(vectors)))
        if memory.asked:
            heard = memory.asked = msgspec.structs.replace(heard, answers=memory.asked.answers)
        return self._fire(heard, self._detect(heard, settled=True), memory)

    def answered(self, utterance_id: str, question: str, start: int, end: int) -> list[Signal]:
        """A language model says yes to ``question``, because of characters ``start``..``end`` of the utterance."""
        memory = self._memories.get(utterance_id)
        if memory is None or memory.asked is None:
            return []
        found = Found(detector="llm", why=question, start=start, end=end)
        heard = memory.asked = msgspec.structs.replace(memory.asked, answers={**memory.asked.answers, question: found})
        return self._fire(heard, self._detect(heard, settled=memory.waiting is None), memory)

    def is_settled(self, utterance_id: str) -> bool:
        """Whether the vectors of an utterance are no longer waited for."""
        memory = self._memories.get(utterance_id)
        return memory is None or memory.waiting is None

    def _questions(self, heard: Hearable) -> tuple[str, ...]:
        """Every question once; "uh-huh" answers none."""
        if not self._asking or len(heard.normal.tokens) < MIN_TOKENS:
            return ()
        return tuple(dict.fromkeys(text for detector in self._asking for text in detector.questions(heard)))

    def _understood(self, heard: Hearable) -> Hearable:
        """With what the classifier makes of it, if any rule that hears this utterance asks."""
        vectors = heard.vectors
        asked = any(detector.asks_intents and detector.wants_vectors(heard) for detector in self._detectors)
        if self._intents is None or vectors is None or not asked:
            return heard
        utterance = heard.utterance
        meaning = understand(self._intents, utterance.text, heard.spans, vectors, heard.language, utterance.speaker)
        return msgspec.structs.replace(heard, meaning=meaning)

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
