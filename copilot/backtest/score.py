"""Labelled lines through the listener of a live call: what is heard of each, and how well that fits the labels.

Each line is one final utterance on its own. Where in a call it was said is not known, so that every rule hears it
whatever stage it is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from copilot.backtest.aliases import Truth, truth_of
from copilot.call.call import CallSetup
from copilot.call.render import is_told
from copilot.complaint.explain import explain
from copilot.events import Frozen, Signal, Utterance
from copilot.playbook.compile import Plan, Rule
from copilot.playbook.model import TEXT_LEAVES
from copilot.playbook.walk import form, walk
from copilot.signals.listener import Listener

DIMENSIONS = 512
BOM = b"\xef\xbb\xbf"
"""What some editors put before the first line of a UTF-8 file."""
MAX_CHARACTERS = 10_000
"""Longest line: several minutes of speech."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line to be scored. Keys it does not know are somebody else's business."""

    text: str
    lang: Literal["en", "zh"]
    speaker: Literal["rep", "agent", "customer"]
    label: str | tuple[str, ...] | None = None


class Heard(Frozen, frozen=True, kw_only=True):
    """One thing heard in a line; ``quote`` are the words, ``why`` the phrase or example, ``score`` 0..1."""

    label: str
    score: float
    why: str
    detector: str
    quote: str


class Scored(Frozen, frozen=True, kw_only=True):
    """What became of line ``number`` (from 1): its ``signals``, or the ``error`` that it is.

    ``line`` is what was given, as far as it could be read. ``label`` None: the line has none.
    """

    number: int
    line: dict[str, Any] = msgspec.field(default_factory=dict)
    signals: tuple[Heard, ...] = ()
    label: tuple[str, ...] | None = None
    lang: str = ""
    error: str = ""


class Scorer:
    """Scores lines with one playbook per language; a line of a language without one gets an error."""

    def __init__(self, setups: Mapping[str, CallSetup], encode: Any = None) -> None:
        self._listeners = {
            lang: Listener(without_stages(setup.plan), setup.prepared, context={}) for lang, setup in setups.items()
        }
        self._plans = {lang: setup.plan for lang, setup in setups.items()}
        self._encode = encode

    def score(self, lines: Iterable[bytes]) -> Iterator[Scored]:
        """One result per line that is not blank, in order."""
        for number, raw in enumerate(lines, 1):
            if raw.strip():
                yield self._score(number, raw)

    def labels(self) -> tuple[str, ...]:
        """Everything the playbooks listen for by words, without what merely sums up other signals."""
        return tuple(dict.fromkeys(rule.label for plan in self._plans.values() for rule in plan.rules if _hears(rule)))

    def _score(self, number: int, raw: bytes) -> Scored:
        value: Any = None
        try:
            value = msgspec.json.decode(raw.removeprefix(BOM) if number == 1 else raw)
            line = msgspec.convert(value, Line)
        except msgspec.ValidationError as error:
            kept = value if isinstance(value, dict) else {}
            return Scored(number=number, line=kept, error=explain(str(error), value, Line).brief)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return Scored(number=number, error=f"not a JSON object on one line: {error}")
        if len(line.text) > MAX_CHARACTERS:
            return Scored(number=number, line=value, error=f"a line has at most {MAX_CHARACTERS:,} characters")
        if line.lang not in self._listeners:
            return Scored(number=number, line=value, error=f"no playbook for {line.lang!r} was given")
        label = (line.label,) if isinstance(line.label, str) else line.label
        return Scored(number=number, line=value, signals=self._hear(number, line), label=label, lang=line.lang)

    def _hear(self, number: int, line: Line) -> tuple[Heard, ...]:
        listener = self._listeners[line.lang]
        utterance = Utterance(
            id=f"line{number}",
            speaker="customer" if line.speaker == "customer" else "rep",
            start_ms=0,
            end_ms=0,
            text=line.text,
            language=line.lang,
        )
        hearing = listener.hear(utterance, stage="")
        signals: list[Signal] = list(hearing.signals)
        if hearing.embed:
            signals += listener.embedded(utterance.id, self._vectors(hearing.embed))
        return tuple(
            Heard(
                label=signal.label,
                score=round(signal.score, 3),
                why=signal.why,
                detector=signal.detector,
                quote=signal.evidence.quote,
            )
            for signal in signals
            if is_told(signal)
        )

    def _vectors(self, texts: tuple[str, ...]) -> NDArray[np.float32]:
        if self._encode is None:
            return np.zeros((0, DIMENSIONS), np.float32)
        return np.frombuffer(self._encode(texts), "<f4").reshape(-1, DIMENSIONS)


def without_stages(plan: Plan) -> Plan:
    """The same rules, heard in every stage."""
    rules = tuple(msgspec.convert(_unscoped(msgspec.to_builtins(rule)), Rule) for rule in plan.rules)
    return msgspec.structs.replace(plan, rules=rules)


def _unscoped(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _unscoped(item) for key, item in value.items() if not (key == "stage" and not isinstance(item, str))
        }
    return [_unscoped(item) for item in value] if isinstance(value, list | tuple) else value


def _hears(rule: Rule) -> bool:
    """Whether the rule listens itself."""
    return any(form(trigger) in TEXT_LEAVES for _, trigger in walk(rule.trigger))


# --- how well it fits -----------------------------------------------------------------------------------------


class Fit(Frozen, frozen=True, kw_only=True):
    """How well one label of the file was found: ``right`` lines found, ``wrong`` ones found, ``missed`` not found."""

    label: str
    lang: str
    ours: tuple[str, ...]
    right: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float | None:
        """Share of what was found that is right; None when nothing was."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else None

    @property
    def recall(self) -> float | None:
        """Share of what is there that was found; None when nothing is."""
        return self.right / (self.right + self.missed) if self.right + self.missed else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of both."""
        whole = 2 * self.right + self.wrong + self.missed
        return 2 * self.right / whole if whole else None


def fit(scored: Sequence[Scored], known: Sequence[str]) -> tuple[list[Fit], list[str]]:
    """Per language and label of the file, and the labels that mean nothing to these playbooks.

    A signal that no label of its line explains is wrong for every label it could stand for, or for itself.
    """
    labelled = [line for line in scored if line.label is not None and not line.error]
    meanings = {name: truth_of(name, known) for line in labelled for name in line.label or ()}
    unknown = sorted(name for name, meaning in meanings.items() if meaning is None)
    counts: dict[tuple[str, str], list[int]] = {}
    for line in labelled:
        _count(line, {name: meaning for name, meaning in meanings.items() if meaning is not None}, known, counts)
    fits = [
        Fit(label=name, lang=lang, ours=meanings.get(name) or (name,), right=right, wrong=wrong, missed=missed)
        for (lang, name), (right, wrong, missed) in sorted(counts.items())
    ]
    return fits, unknown


def _count(
    line: Scored, meanings: Mapping[str, Truth], known: Sequence[str], counts: dict[tuple[str, str], list[int]]
) -> None:
    found = {signal.label for signal in line.signals} & set(known)
    if any(name not in meanings for name in line.label or ()):
        return  # nobody knows what is right here
    true = [name for name in line.label or () if meanings[name]]
    explained: set[str] = set()
    for name in true:
        explained.update(meanings[name])
        counts.setdefault((line.lang, name), [0, 0, 0])[0 if found & set(meanings[name]) else 2] += 1
    for label in found - explained:
        closest = (name for name, ours in meanings.items() if ours[:1] == (label,))
        other = (name for name, ours in meanings.items() if label in ours)
        counts.setdefault((line.lang, next(chain(closest, other, (label,)))), [0, 0, 0])[1] += 1
