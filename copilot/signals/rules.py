"""Deciding whether one utterance fulfils a rule: a small tree of leaves, joined by all, any and not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import msgspec
import re2

from copilot.events import Frozen, Language, Speaker, Utterance
from copilot.language.entities import entities
from copilot.language.normalise import Normal, is_chinese, lower, normalise
from copilot.playbook.compile import Rule
from copilot.playbook.intents import INTENTS
from copilot.playbook.model import Entity, Intent, Phrase, Trigger
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

    ``worded`` remembers by trigger (``id``) what its words fulfil: they stay the same when the meaning becomes known.
    """

    utterance: Utterance
    normal: Normal
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
        self._worded = self._decided_by_words(placed)
        self._scoped = {id(t) for t in inside if t.speaker or t.stage or t.language not in (None, "auto")}
        self._phrases = {id(t): compiled(t.phrase, t.language or language) for t in inside if t.phrase}
        self._patterns = {id(t): _pattern(t.regex) for t in inside if t.regex}
        self._lexicons = {
            id(t): _lexicon(t.entity, t.language or language) for t in inside if t.entity and t.entity.any
        }
        lines = {id(t): prepared.lines.get(key(t.examples)) for t in inside if t.examples}
        self._lines = {leaf: found for leaf, found in lines.items() if found}
        intents = [t for t in inside if t.intent and prepared.intents]
        self.asks_intents = bool(intents)
        self._meanings = [*intents, *(t for t in inside if id(t) in self._lines)]
        self.shortest = 1 if intents else MIN_TOKENS
        """Fewest tokens of an utterance that may mean something here: "scam?" does to the classifier."""
        self._asking = [t for t in inside if t.llm]
        self.hears_interim = any(trigger.interim for trigger in inside)
        denied = (inner for t in inside if t.not_ for _, inner in walk(t.not_))
        self.denies = bool(self._meanings) and any(inner.examples or inner.intent for inner in denied)
        """Whether the absence of a meaning counts, so that nothing is certain before the encoder answers."""

    def _decided_by_words(self, placed: Sequence[tuple[str, Trigger]]) -> set[int]:
        """Which triggers, given with their paths, hold nothing but what the words decide."""
        others = [path for path, trigger in placed if self._forms[id(trigger)] not in WORDED]
        return {id(t) for path, t in placed if not any(f"{other}.".startswith(f"{path}.") for other in others)}

    def wants_vectors(self, heard: Hearable) -> bool:
        """Whether an example or an intent in scope could match this utterance."""
        return self._listens_to(heard.utterance.speaker) and any(
            _in_scope(trigger, heard) and (heard.utterance.is_final or self._trigger.interim or trigger.interim)
            for trigger in self._meanings
        )

    def questions(self, heard: Hearable) -> list[str]:
        """What a language model should be asked about this utterance."""
        if not heard.utterance.is_final or not self._listens_to(heard.utterance.speaker):
            return []
        return [trigger.llm.question for trigger in self._asking if trigger.llm and _in_scope(trigger, heard)]

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
        if id(trigger) in self._scoped and not _in_scope(trigger, heard):
            return None
        match self._forms[id(trigger)]:
            case "any":
                found = (self._decide(item, heard, signals, sure=sure) for item in trigger.any or ())
                return next(filter(None, found), None)
            case "all":
                return _together([self._decide(item, heard, signals, sure=sure) for item in trigger.all or ()])
            case "not":
                denied = trigger.not_ and self._decide(trigger.not_, heard, signals, sure=True)
                return Found() if sure and not denied else None
            case _:
                return self._leaf(trigger, heard, signals, sure=sure)

    def _leaf(self, trigger: Trigger, heard: Hearable, signals: Mapping[str, Found], *, sure: bool) -> Found | None:
        if trigger.signal:
            return signals.get(trigger.signal)
        if trigger.context:
            return Found(why="context") if is_met(trigger.context, self._context) else None
        return self._words(trigger, heard) if sure else None

    def _words(self, trigger: Trigger, heard: Hearable) -> Found | None:
        if trigger.llm:
            return heard.answers.get(trigger.llm.question)
        if trigger.intent:
            return self._intent(trigger.intent, heard)
        if trigger.examples:
            return self._meaning(trigger, heard)
        if trigger.phrase:
            return self._phrase(trigger, heard)
        return self._entity(trigger, trigger.entity, heard) if trigger.entity else self._regex(trigger, heard)

    def _phrase(self, trigger: Trigger, heard: Hearable) -> Found | None:
        for start, end, phrase in self._phrases[id(trigger)].find(heard.normal):
            ignore = trigger.phrase is not None and trigger.phrase.negation == "ignore"
            if ignore or _is_meant(heard, start, end):
                return Found(detector="phrase", why=phrase, start=start, end=end)
        return None

    def _regex(self, trigger: Trigger, heard: Hearable) -> Found | None:
        pattern, plain = self._patterns[id(trigger)], _plain(heard.utterance.text)
        if pattern.search(_bytes(plain)) is None:  # which takes a fraction of the time, and is nearly always so
            return None
        for match in pattern.finditer(plain):
            start, end = match.span()
            if start < end and _is_meant(heard, start, end):
                return Found(detector="regex", why=trigger.regex or "", start=start, end=end)
        return None

    def _meaning(self, trigger: Trigger, heard: Hearable) -> Found | None:
        examples = trigger.examples
        lines = self._lines.get(id(trigger))
        if examples is None or lines is None or heard.units is None or len(heard.normal.tokens) < MIN_TOKENS:
            return None
        for like in resemble(examples, lines, heard.utterance.text, heard.spans, heard.units):
            return Found(detector="examples", why=like.line, score=like.score, start=like.start, end=like.end)
        return None

    def _intent(self, intent: Intent, heard: Hearable) -> Found | None:
        """The likeliest stretch that is neither denied nor told of others."""
        meaning, speaker = heard.meaning, heard.utterance.speaker
        if meaning is None or INTENTS.get(intent.label) != speaker:
            return None
        least = threshold(intent, meaning, is_final=heard.utterance.is_final)
        for score, start, end in meaning.stretches.get(intent.label, ()):
            if score < least:
                return None
            if not is_disowned(heard.normal, start, end, speaker):
                why = f"intent {intent.label} {score:.2f}"
                return Found(detector="intent", why=why, score=score, start=start, end=end)
        return None

    def _entity(self, trigger: Trigger, entity: Entity, heard: Hearable) -> Found | None:
        lexicon = self._lexicons.get(id(trigger))
        named = lexicon.find(heard.normal) if lexicon else _measured(entity, heard.normal)
        for start, end, what in named:
            if entity.negation == "ignore" or _is_meant(heard, start, end):
                return Found(detector="entity", why=f"{entity.kind} {what}".strip(), start=start, end=end)
        return None


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


def hearable(utterance: Utterance, stage: str, language: Language) -> Hearable:
    """Prepare an utterance; ``language`` (the playbook's) decides when the text does not."""
    spoken: Language = "zh" if is_chinese(utterance.text) else "en"
    spoken = spoken if language == "auto" or any(c.isalpha() for c in utterance.text) else language
    return Hearable(utterance=utterance, normal=normalise(utterance.text, spoken), stage=stage, language=spoken)


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
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.never_capture = True
    return re2.compile(regex, options)


@lru_cache(maxsize=64)
def _plain(text: str) -> str:
    """What patterns run over: lower case and straight apostrophes, every character in its place."""
    return lower(text).replace("’", "'").replace("‘", "'")


@lru_cache(maxsize=64)
def _bytes(plain: str) -> bytes:
    return plain.encode()
