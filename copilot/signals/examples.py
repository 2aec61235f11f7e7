"""Meaning by example: sentences close to the author's lines, measured by an encoder that is handed in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from copilot.events import Frozen
from copilot.language.normalise import Normal, normalise
from copilot.playbook.compile import Plan
from copilot.playbook.model import Examples
from copilot.playbook.walk import walk
from copilot.signals.intents import IntentScorer
from copilot.signals.negation import negations

Vectors = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Vectors]

MIN_TOKENS = 3
"""Shorter clauses ("okay then", 好的) resemble too much, and mean nothing beside other clauses."""
SHORT_TOKENS = 20
"""Up to here a text means something as a whole, beside its clauses. The longer ones are taken by their parts: what the
encoder needs grows with every word it reads, and a speech of several sentences has no one meaning."""
MAX_PARTS = 3
"""Most parts of one utterance that are encoded."""


class Lines(Frozen, frozen=True, kw_only=True):
    """The vectors of one ``examples`` leaf, rows of length 1, and how many negators each line holds."""

    like: tuple[str, ...]
    like_vectors: Vectors
    unlike_vectors: Vectors
    negations: tuple[int, ...]


class Prepared(Frozen, frozen=True, kw_only=True):
    """What calls on one plan share: its example lines as vectors, and the classifier of intents.

    Without an encoder there are no vectors: neither an example nor an intent ever matches.
    """

    lines: dict[tuple[str, ...], Lines] = msgspec.field(default_factory=dict)
    intents: IntentScorer | None = None


class Resemblance(Frozen, frozen=True, kw_only=True):
    """A clause (offsets) that means the same as ``line``."""

    start: int
    end: int
    score: float
    line: str


def prepare(plan: Plan, encode: Encode | None, intents: IntentScorer | None = None) -> Prepared:
    """Encode every example of ``plan``, once for all calls that use it; ``intents`` answers its ``intent`` leaves."""
    leaves = [
        trigger.examples for rule in plan.rules for _, trigger in walk(rule.trigger) if trigger.examples is not None
    ]
    if encode is None:
        return Prepared()
    if not leaves:
        return Prepared(intents=intents)
    texts = list(dict.fromkeys(text for leaf in leaves for text in (*leaf.like, *leaf.unlike)))
    matrix = unit(encode(texts))
    vectors = dict(zip(texts, matrix, strict=True))

    def rows(lines: Sequence[str]) -> Vectors:
        return np.array([vectors[line] for line in lines], np.float32).reshape(len(lines), matrix.shape[1])

    return Prepared(
        lines={
            key(leaf): Lines(
                like=leaf.like,
                like_vectors=rows(leaf.like),
                unlike_vectors=rows(leaf.unlike),
                negations=tuple(negations(normalise(line)) for line in leaf.like),
            )
            for leaf in leaves
        },
        intents=intents,
    )


def key(examples: Examples) -> tuple[str, ...]:
    """What identifies the lines of a leaf."""
    return (*examples.like, "\0", *examples.unlike)


def stretches(normal: Normal, shortest: int = MIN_TOKENS) -> tuple[tuple[int, int], ...]:
    """The offsets of what is compared: a short text as a whole and its clauses, a long one in at most ``MAX_PARTS``.

    None at all for a text of fewer than ``shortest`` tokens.
    """
    tokens = normal.tokens
    if len(tokens) < shortest:
        return ()
    whole = (tokens[0].start, tokens[-1].end)
    if len(tokens) > SHORT_TOKENS and len(normal.clauses) > 1:
        return _parts(normal)
    sizes = Counter(token.clause for token in tokens)
    clauses = [span for span, size in zip(normal.clauses, sizes.values(), strict=True) if size >= MIN_TOKENS]
    return tuple(dict.fromkeys([whole, *clauses[:MAX_PARTS]]))


def _parts(normal: Normal) -> tuple[tuple[int, int], ...]:
    """The clauses, the shortest neighbours joined until none is too short and there are few enough."""
    sizes = Counter(token.clause for token in normal.tokens)
    parts = [(size, start, end) for (start, end), size in zip(normal.clauses, sizes.values(), strict=True)]
    while len(parts) > MAX_PARTS or (len(parts) > 1 and min(parts)[0] < MIN_TOKENS):
        at = min(range(len(parts) - 1), key=lambda at: _joined(parts, at))
        parts[at : at + 2] = [(parts[at][0] + parts[at + 1][0], parts[at][1], parts[at + 1][2])]
    return tuple((start, end) for _, start, end in parts)


def _joined(parts: Sequence[tuple[int, int, int]], at: int) -> tuple[bool, int]:
    """How well part ``at`` goes with the next: what is too short for itself first, then what stays shortest."""
    size, following = parts[at][0], parts[at + 1][0]
    return min(size, following) >= MIN_TOKENS, size + following


def resemble(
    examples: Examples, lines: Lines, text: str, spans: Sequence[tuple[int, int]], units: Vectors
) -> Iterator[Resemblance]:
    """The stretches of ``text`` that mean one of the lines, best first. ``units`` has a row of length 1 for each span.

    A stretch that differs from the line by a negation means the opposite, however close the vectors are.
    """
    likeness = units @ lines.like_vectors.T
    best = likeness.max(axis=1)
    if best.max() < examples.threshold:
        return
    unlikeness = (units @ lines.unlike_vectors.T).max(axis=1, initial=-1.0) if len(lines.unlike_vectors) else None
    for row in np.argsort(-best, kind="stable"):
        score = float(best[row])
        if score < examples.threshold or (unlikeness is not None and unlikeness[row] >= score):
            continue
        line = int(likeness[row].argmax())
        start, end = spans[row]
        flipped = (negations(normalise(text[start:end])) - lines.negations[line]) % 2
        if examples.negation == "ignore" or not flipped:
            yield Resemblance(start=start, end=end, score=min(1.0, score), line=lines.like[line])


def unit(vectors: Vectors) -> Vectors:
    """The rows at length 1."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-9), np.float32)
