"""What is legal but hardly meant: stages nobody reaches, cards nobody tested, headlines nobody can read in time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from copilot.events import Frozen, Speaker
from copilot.language.normalise import is_chinese, normalise
from copilot.playbook.documents import useless_files
from copilot.playbook.doubts import doubts
from copilot.playbook.model import Cue, Playbook
from copilot.playbook.source import Source
from copilot.playbook.walk import references, roots, walk

SEPARATORS = frozenset("，、；;|")
"""Signs between phrases that do not make two of them."""
HEADLINE_WORDS = 12
HEADLINE_CHARACTERS = 16
"""Longest headline that is read at a glance, in English words and Chinese characters."""

Encode = Callable[[Sequence[str]], Any]


class Finding(Frozen, frozen=True, kw_only=True):
    """Something an author should look at. ``path`` as in errors (``$.cues[3]``); ``line`` 0 when unknown."""

    code: str
    severity: Literal["warning", "info"]
    path: str
    line: int
    message: str


_Said = tuple[str, Literal["warning", "info"], str, str]


def lint(
    playbook: Playbook, source: Source | None = None, encode: Encode | None = None, documents: Path | None = None
) -> list[Finding]:
    """Findings in the order of the checks; ``source`` gives them lines, ``encode`` lets examples be measured.

    ``documents`` is the folder its passages came from. Raises PlaybookError when that cannot be read.
    """
    said = (
        *_stages(playbook),
        *_untested(playbook),
        *_headlines(playbook),
        *_crowds(playbook),
        *_dead(playbook),
        *_matches(playbook),
        *_words(playbook),
        *_quoted(playbook),
        *_named(playbook, source),
        *_unused(playbook),
        *doubts(playbook),
        *_documents(playbook, documents),
        *(_lonely(playbook, encode) if encode else ()),
    )
    return [
        Finding(code=code, severity=severity, path=path, line=source.line(path) if source else 0, message=message)
        for code, severity, path, message in said
    ]


def _stages(playbook: Playbook) -> Iterator[_Said]:
    entered = {step.stage for step in playbook.steps}
    for i, stage in enumerate(playbook.stages):
        if i and stage.id not in entered and not stage.enter_when:
            yield (
                "stage.unreachable",
                "warning",
                f"$.stages[{i}]",
                f"nothing leads into {stage.id!r}: give it a step or enter_when",
            )


def _untested(playbook: Playbook) -> Iterator[_Said]:
    expected = [expect for scenario in playbook.scenarios for expect in scenario.expect]
    cards, steps = {expect.card for expect in expected}, {expect.step for expect in expected}
    for i, step in enumerate(playbook.steps):
        if step.id not in steps:
            yield "step.untested", "info", f"$.steps[{i}]", f"no scenario expects step {step.id!r}"
    for i, cue in enumerate(playbook.cues):
        if cue.id not in cards and not _by_metric(cue):
            yield "cue.untested", "info", f"$.cues[{i}]", f"no scenario expects card {cue.id!r}"


def _by_metric(cue: Cue) -> bool:
    """Cues about how a call sounds cannot be tested with written lines."""
    return any(trigger.metric for _, trigger in walk(cue.when))


def _headlines(playbook: Playbook) -> Iterator[_Said]:
    for i, cue in enumerate(playbook.cues):
        headline = cue.card.headline
        if is_chinese(headline):
            size, limit, unit = len(headline), HEADLINE_CHARACTERS, "characters"
        else:
            size, limit, unit = len(headline.split()), HEADLINE_WORDS, "words"
        if size > limit:
            yield (
                "cue.headline_long",
                "warning",
                f"$.cues[{i}].card.headline",
                f"{size} {unit}; at most {limit} can be read at a glance",
            )


def _crowds(playbook: Playbook) -> Iterator[_Said]:
    """More cards on one trigger than can be seen: all but a few would always be held back."""
    limit = playbook.attention.max_visible
    counts = Counter(cue.when for cue in playbook.cues if not cue.group)
    for i, cue in enumerate(playbook.cues):
        if counts[cue.when] > limit and not cue.group:
            yield (
                "attention.crowded",
                "warning",
                f"$.cues[{i}].when",
                f"{counts[cue.when]} cues share this trigger, but only {limit} cards are visible: put them in a group",
            )


def _dead(playbook: Playbook) -> Iterator[_Said]:
    speakers: dict[str, Speaker | None] = {rule.id: rule.speaker for rule in playbook.signals}
    for root, outer in roots(playbook):
        for path, trigger in walk(outer, root):
            heard = speakers.get(trigger.signal or "")
            if heard and trigger.speaker and heard != trigger.speaker:
                message = f"{trigger.signal!r} is only heard from the {heard}, never from the {trigger.speaker}"
                yield "trigger.dead", "warning", path, message
            if trigger.language not in (None, "auto") and playbook.language not in ("auto", trigger.language):
                message = f"the playbook is for {playbook.language!r}; {trigger.language!r} is hardly ever spoken"
                yield "trigger.dead", "warning", path, message


def _matches(playbook: Playbook) -> Iterator[_Said]:
    useless = {"en": "pinyin", "zh": "stem"}.get(playbook.language)
    for root, outer in roots(playbook):
        for path, trigger in walk(outer, root):
            phrase = trigger.phrase
            if phrase and phrase.match == useless:
                yield "phrase.match", "info", f"{path}.phrase.match", f"{useless!r} changes nothing in this language"
            for word in set(phrase.any) & set(phrase.exclude) if phrase else ():
                yield "phrase.excluded", "warning", f"{path}.phrase.exclude", f"{word!r} is listened for and excluded"


def _words(playbook: Playbook) -> Iterator[_Said]:
    """Words that are heard as something else than their author wrote, or never."""
    lists = [
        (f"{path}.phrase.{key}", getattr(trigger.phrase, key))
        for root, outer in roots(playbook)
        for path, trigger in walk(outer, root)
        if trigger.phrase
        for key in ("any", "all", "exclude")
    ]
    lists += [(f"$.lexicons.{name}", words) for name, words in playbook.lexicons.items()]
    for path, words in lists:
        for i, word in enumerate(words):
            if not any(normalise(part).tokens for part in word.split("...")):
                yield "phrase.empty", "warning", f"{path}[{i}]", f"{word!r} has no words: it is never heard"
            elif signs := SEPARATORS.intersection(word):
                message = f"{word!r} is heard as one phrase: {min(signs)!r} separates nothing, `, ` does"
                yield "phrase.several", "warning", f"{path}[{i}]", message


def _quoted(playbook: Playbook) -> Iterator[_Said]:
    for i, cue in enumerate(playbook.cues):
        texts = [("headline", cue.card.headline)]
        texts += [(f"lines[{j}]", line) for j, line in enumerate(cue.card.lines)]
        for key, text in texts:
            if text[0] in "“‘「" and text[-1] in "”’」":
                yield "card.quoted", "info", f"$.cues[{i}].card.{key}", f"the card shows the quotes, too: {text}"


def _named(playbook: Playbook, source: Source | None) -> Iterator[_Said]:
    """A file is asked for by its name, a published version by its id: who tries one must not get the other."""
    name = Path(source.file).stem if source and source.file else playbook.id
    if name != playbook.id:
        message = f"calls ask for this file as {name!r}, and for what is published of it as {playbook.id!r}"
        yield "id.file", "info", "$.id", f"{message}: name both alike"


def _unused(playbook: Playbook) -> Iterator[_Said]:
    used = {name for _, outer in roots(playbook) for name in references(outer)}
    used |= {expect.signal or "" for scenario in playbook.scenarios for expect in scenario.expect}
    for i, rule in enumerate(playbook.signals):
        if rule.id not in used:
            yield "signal.unused", "info", f"$.signals[{i}]", f"nothing refers to {rule.id!r}"


def _documents(playbook: Playbook, folder: Path | None) -> Iterator[_Said]:
    if playbook.knowledge and not playbook.knowledge.passages:
        yield "knowledge.empty", "warning", "$.knowledge", "there is no passage to answer a question from"
    for name, is_other in useless_files(folder) if folder else ():
        if is_other:
            yield "knowledge.unread", "info", "$.knowledge", f"{name!r} is left out: only .md and .csv are read"
        else:
            yield "knowledge.empty", "warning", "$.knowledge", f"{name!r} holds nothing to answer a question from"


def _lonely(playbook: Playbook, encode: Encode) -> Iterator[_Said]:
    """Examples so far from their neighbours that little but themselves will be recognised by them."""
    for root, outer in roots(playbook):
        for path, trigger in walk(outer, root):
            examples = trigger.examples
            if not examples or len(examples.like) < 2:
                continue
            vectors = encode(examples.like)
            near = vectors @ vectors.T
            for i, line in enumerate(examples.like):
                best = max(float(near[i][j]) for j in range(len(examples.like)) if j != i)
                if best < examples.threshold:
                    yield (
                        "examples.lonely",
                        "info",
                        f"{path}.examples.like[{i}]",
                        f"{line!r} is {best:.2f} from its nearest neighbour, below the threshold {examples.threshold}",
                    )
