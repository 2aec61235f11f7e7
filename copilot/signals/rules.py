"""Deciding whether one utterance fulfils a rule: a small tree of leaves, joined by all, any and not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import ClassVar

import msgspec
import re2

from copilot.events import Frozen, Language, Speaker, Utterance
from copilot.language.entities import entities
from copilot.language.normalise import Normal, is_chinese, lower, normalise
from copilot.playbook.compile import Rule
from copilot.playbook.intents import INTENTS
from copilot.playbook.model import TEXT_LEAVES, Entity, Phrase, Trigger
from copilot.playbook.walk import form, is_met, walk
from copilot.signals.examples import MIN_TOKENS, Prepared, Vectors, key, resemble
from copilot.signals.intents import Meaning, threshold
from copilot.signals.negation import is_disowned, is_taken_back
from copilot.signals.phrases import Phrases, compiled

WORDED = frozenset(("phrase", "regex", "entity", "context", "any", "all", "not"))
"""Triggers that, with none but these inside, are decided by the words alone."""


class Found(Frozen, frozen=True, kw_only=True):
    """How a trigger was fulfilled: by characters ``start``..``end``, or (both 0) by no words in particular."""

    score: float = 1.0
    detector: str = "rule"
    why: str = ""
    start: int = 0
    end: int = 0


class Hearable(Frozen, frozen=True, kw_only=True):
    """One utterance as rules see it. ``spans``, ``vectors`` (and ``units``, the same at length 1) and
    ``meaning`` are there once the encoder has answered.

    ``patterns`` are the regexes that occur in it. ``worded`` remembers by trigger (``id``) what its words fulfil: they
    stay the same when the meaning becomes known.
    """

    utterance: Utterance
    normal: Normal
    patterns: frozenset[str]
    stage: str
    language: Language
    spans: tuple[tuple[int, int], ...] = ()
    vectors: Vectors | None = None
    units: Vectors | None = None
    meaning: Meaning | None = None
    answers: Mapping[str, Found] = {}
    """What a language model has affirmed of it, by question."""
    worded: dict[int, Found | None] = msgspec.field(default_factory=dict)


class Detector:
    """A compiled rule."""

    def __init__(self, rule: Rule, prepared: Prepared, context: Mapping[str, str], language: Language) -> None:
        self.label = rule.label
        self._trigger = rule.trigger
        self._speaker = rule.speaker
        self._context = context
        placed = list(walk(rule.trigger))
        inside = [trigger for _, trigger in placed]
        self._forms = {id(t): form(t) for t in inside}
        self._joins = {key: self._JOINS[name] for key, name in self._forms.items() if name in self._JOINS}
        self._leaves = {key: self._LEAVES[name] for key, name in self._forms.items() if name in self._LEAVES}
        self._spoken = {key for key, name in self._forms.items() if name in TEXT_LEAVES}
        self._worded = self._decided_by_words(placed)
        self._scoped = {id(t) for t in inside if t.speaker or t.stage or t.language not in (None, "auto")}
        self._phrases = {id(t): compiled(t.phrase, t.language or language) for t in inside if t.phrase}
        self._patterns = {id(t): _pattern(t.regex) for t in inside if t.regex}
        self.regexes = tuple(t.regex for t in inside if t.regex)
        self._lexicons = {
            id(t): _lexicon(t.entity, t.language or language) for t in inside if t.entity and t.entity.any
        }
        lines = {id(t): prepared.lines.get(key(t.examples)) for t in inside if t.examples}
        self._lines = {leaf: found for leaf, found in lines.items() if found}
        intents = [t for t in inside if t.intent and prepared.intents]
        self.asks_intents = bool(intents)
        self._meanings = [*intents, *(t for t in inside if id(t) in self._lines)]
        self._interim_meanings = [t for t in self._meanings if t.interim or rule.trigger.interim]
        self.shortest = 1 if intents else MIN_TOKENS
        """Fewest tokens of an utterance that may mean something here: "scam?" does to the classifier."""
        self.asking = [t for t in inside if t.llm]
        self.hears_interim = any(trigger.interim for trigger in inside)
        denied = (inner for t in inside if t.not_ for _, inner in walk(t.not_))
        self.denies = bool(self._meanings) and any(inner.examples or inner.intent for inner in denied)
        """Whether the absence of a meaning counts, so that nothing is certain before the encoder answers."""

    def _decided_by_words(self, placed: Sequence[tuple[str, Trigger]]) -> set[int]:
        """The outermost triggers, of those given with their paths, that hold nothing but what the words decide."""
        others = [f"{path}." for path, trigger in placed if self._forms[id(trigger)] not in WORDED]
        worded = {path: id(t) for path, t in placed if not any(other.startswith(f"{path}.") for other in others)}
        return {key for path, key in worded.items() if not any(path.startswith(f"{outer}.") for outer in worded)}

    def wants_vectors(self, heard: Hearable) -> bool:
        """Whether an example or an intent in scope could match this utterance."""
        meanings = self._meanings if heard.utterance.is_final else self._interim_meanings
        return self._listens_to(heard.utterance.speaker) and any(_in_scope(trigger, heard) for trigger in meanings)

    def questions(self, heard: Hearable) -> list[str]:
        """What a language model should be asked about this utterance."""
        if not heard.utterance.is_final or not self._listens_to(heard.utterance.speaker):
            return []
        return [trigger.llm.question for trigger in self.asking if trigger.llm and _in_scope(trigger, heard)]

    def detect(self, heard: Hearable, signals: Mapping[str, Found]) -> Found | None:
        """How the utterance fulfils the rule; ``signals`` are the labels it already fulfils."""
        if not self._listens_to(heard.utterance.speaker):
            return None
        return self._decide(self._trigger, heard, signals, sure=heard.utterance.is_final)

    def _listens_to(self, speaker: Speaker) -> bool:
        return self._speaker in (None, speaker)

    def _decide(self, trigger: Trigger, heard: Hearable, signals: Mapping[str, Found], *, sure: bool) -> Found | None:
        """``sure``: the text is final, or an enclosing trigger is content with interim text."""
        sure = sure or trigger.interim
        if not sure or id(trigger) not in self._worded:
            return self._judge(trigger, heard, signals, sure=sure)
        if id(trigger) not in heard.worded:
            heard.worded[id(trigger)] = self._judge(trigger, heard, signals, sure=sure)
        return heard.worded[id(trigger)]

    def _judge(self, trigger: Trigger, heard: Hearable, signals: Mapping[str, Found], *, sure: bool) -> Found | None:
        key = id(trigger)
        if (not sure and key in self._spoken) or (key in self._scoped and not _in_scope(trigger, heard)):
            return None
        if key in self._joins:
            return self._joins[key](self, trigger, heard, signals, sure)
        return signals.get(trigger.signal) if trigger.signal else self._leaves[key](self, trigger, heard)

    def _any(self, trigger: Trigger, heard: Hearable, signals: Mapping[str, Found], sure: bool) -> Found | None:
        for item in trigger.any or ():
            if found := self._decide(item, heard, signals, sure=sure):
                return found
        return None

    def _all(self, trigger: Trigger, heard: Hearable, signals: Mapping[str, Found], sure: bool) -> Found | None:
        found: list[Found] = []
        for item in trigger.all or ():
            part = self._decide(item, heard, signals, sure=sure)
            if part is None:
                return None
            found.append(part)
        return _together(found)

    def _not(self, trigger: Trigger, heard: Hearable, signals: Mapping[str, Found], sure: bool) -> Found | None:
        if not sure or (trigger.not_ and self._decide(trigger.not_, heard, signals, sure=True)):
            return None
        return Found()

    def _known(self, trigger: Trigger, _: Hearable) -> Found | None:
        return Found(why="context") if trigger.context and is_met(trigger.context, self._context) else None

    def _affirmed(self, trigger: Trigger, heard: Hearable) -> Found | None:
        return heard.answers.get(trigger.llm.question) if trigger.llm else None

    def _phrase(self, trigger: Trigger, heard: Hearable) -> Found | None:
        for start, end, phrase in self._phrases[id(trigger)].find(heard.normal):
            ignore = trigger.phrase is not None and trigger.phrase.negation == "ignore"
            if ignore or _is_meant(heard, start, end):
                return Found(detector="phrase", why=phrase, start=start, end=end)
        return None

    def _regex(self, trigger: Trigger, heard: Hearable) -> Found | None:
        if trigger.regex not in heard.patterns:
            return None
        for match in self._patterns[id(trigger)].finditer(_plain(heard.utterance.text)):
            start, end = match.span()
            if start < end and _is_meant(heard, start, end):
                return Found(detector="regex", why=trigger.regex, start=start, end=end)
        return None

    def _meaning(self, trigger: Trigger, heard: Hearable) -> Found | None:
        examples = trigger.examples
        lines = self._lines.get(id(trigger))
        if examples is None or lines is None or heard.units is None or len(heard.normal.tokens) < MIN_TOKENS:
            return None
        for like in resemble(examples, lines, heard.utterance.text, heard.spans, heard.units):
            return Found(detector="examples", why=like.line, score=like.score, start=like.start, end=like.end)
        return None

    def _intent(self, trigger: Trigger, heard: Hearable) -> Found | None:
        """The likeliest stretch that is neither denied nor told of others."""
        intent, meaning, speaker = trigger.intent, heard.meaning, heard.utterance.speaker
        if intent is None or meaning is None or INTENTS.get(intent.label) != speaker:
            return None
        least = threshold(intent, meaning, is_final=heard.utterance.is_final)
        for score, start, end in meaning.stretches.get(intent.label, ()):
            if score < least:
                return None
            if not is_disowned(heard.normal, start, end, speaker):
                why = f"intent {intent.label} {score:.2f}"
                return Found(detector="intent", why=why, score=score, start=start, end=end)
        return None

    def _entity(self, trigger: Trigger, heard: Hearable) -> Found | None:
        entity, lexicon = trigger.entity, self._lexicons.get(id(trigger))
        if entity is None:
            return None
        named = lexicon.find(heard.normal) if lexicon else _measured(entity, heard.normal)
        for start, end, what in named:
            if entity.negation == "ignore" or _is_meant(heard, start, end):
                return Found(detector="entity", why=f"{entity.kind} {what}".strip(), start=start, end=end)
        return None

    _JOINS: ClassVar[dict[str, Callable[[Detector, Trigger, Hearable, Mapping[str, Found], bool], Found | None]]] = {
        "any": _any,
        "all": _all,
        "not": _not,
    }
    _LEAVES: ClassVar[dict[str, Callable[[Detector, Trigger, Hearable], Found | None]]] = {
        "context": _known,
        "llm": _affirmed,
        "intent": _intent,
        "examples": _meaning,
        "phrase": _phrase,
        "entity": _entity,
        "regex": _regex,
    }
    """How each form of trigger is fulfilled; a signal is, when it is among those found already."""


def _is_meant(heard: Hearable, start: int, end: int) -> bool:
    """Whether words are neither taken back by those around them nor part of what is denied or told of others."""
    normal, speaker = heard.normal, heard.utterance.speaker
    return not is_taken_back(normal, start, end, speaker) and not is_disowned(normal, start, end, speaker)


def _lexicon(entity: Entity, language: Language) -> Phrases:
    """Names are heard as they are said; a Chinese one also by its sound, as the recogniser may not know it."""
    return compiled(Phrase(any=entity.any, match="pinyin"), language)


def _measured(entity: Entity, normal: Normal) -> Iterator[tuple[int, int, str]]:
    """(start, end, value) of what is named of a kind, within the bounds."""
    for named in entities(normal):
        low, high, value = entity.above, entity.below, named.value
        bounded = low is not None or high is not None
        inside = value is not None and (low is None or value > low) and (high is None or value < high)
        if named.kind == entity.kind and (inside or not bounded):
            yield named.start, named.end, f"{value:g}" if value is not None else ""


class Patterns:
    """All the regexes of a plan, run over a text at once: nearly always few of them occur in it, or none."""

    def __init__(self, regexes: Sequence[str]) -> None:
        self._regexes = tuple(regexes)
        self._automaton = _automaton(self._regexes)

    def within(self, text: str) -> frozenset[str]:
        """Those that occur in ``text``; all of them, to be looked for one by one, when they are too many to be run."""
        found = (self._automaton.Match(_plain(text)) or ()) if self._automaton else ()
        if len(self._regexes) not in found:
            return frozenset(self._regexes)
        return frozenset(self._regexes[at] for at in found if at < len(self._regexes))


def _automaton(regexes: Sequence[str]) -> re2.Set | None:
    """One for all; None when that takes too much memory. Its last pattern is in every text unless memory ran out."""
    automaton = re2.Set.SearchSet(_options())
    for regex in (*regexes, ""):
        automaton.Add(regex)
    try:
        automaton.Compile()
    except re2.error:
        return None
    return automaton


@lru_cache(maxsize=16)
def gathered(regexes: tuple[str, ...]) -> Patterns:
    """Ready for use; calls on the same playbook share it."""
    return Patterns(regexes)


def hearable(
    utterance: Utterance, stage: str, language: Language, patterns: Patterns, before: Hearable | None = None
) -> Hearable:
    """Prepare an utterance; ``language`` (the playbook's) decides when the text does not.

    ``before`` is how it was last heard: what was an interim often becomes final word for word.
    """
    said = (utterance.text, utterance.speaker, stage)
    if before and (before.utterance.text, before.utterance.speaker, before.stage) == said:
        return msgspec.structs.replace(before, utterance=utterance)
    spoken: Language = "zh" if is_chinese(utterance.text) else "en"
    spoken = spoken if language == "auto" or any(c.isalpha() for c in utterance.text) else language
    return Hearable(
        utterance=utterance,
        normal=normalise(utterance.text, spoken),
        patterns=patterns.within(utterance.text),
        stage=stage,
        language=spoken,
    )


def _in_scope(trigger: Trigger, heard: Hearable) -> bool:
    return (
        trigger.speaker in (None, heard.utterance.speaker)
        and (not trigger.stage or heard.stage in trigger.stage)
        and trigger.language in (None, "auto", heard.language)
    )


def _together(parts: Sequence[Found | None]) -> Found | None:
    """All parts fulfilled: the first words heard are the evidence, the weakest score counts."""
    found = [part for part in parts if part]
    if len(found) < len(parts):
        return None
    spoken = next((part for part in found if part.end), found[0])
    return Found(
        score=min(part.score for part in found),
        detector=spoken.detector,
        why=spoken.why,
        start=spoken.start,
        end=spoken.end,
    )


@lru_cache(maxsize=4096)
def _pattern(regex: str) -> re2._Regexp:
    return re2.compile(regex, _options())


def _options() -> re2.Options:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.never_capture = True
    return options


@lru_cache(maxsize=64)
def _plain(text: str) -> str:
    """What patterns run over: lower case and straight apostrophes, every character in its place."""
    return lower(text).replace("’", "'").replace("‘", "'")
