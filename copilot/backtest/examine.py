"""What lint can only say by listening: examples that do not match themselves, and cards for talk that means nothing.

The background is small talk and chores of customers, written for this (``copilot/playbook/background``). It is said
to the playbook at the pace of speech, as in a scenario; whatever asks for a card because of these words is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import resources

import msgspec
import numpy as np

from copilot.backtest.rethink import Encode
from copilot.backtest.scenario import run_scenario, timed_turns
from copilot.call.call import CallSetup
from copilot.events import Frozen, Language
from copilot.language.normalise import normalise
from copilot.playbook.lint import Finding
from copilot.playbook.model import Examples, Expect, Playbook, Scenario, Turn
from copilot.playbook.source import Source
from copilot.playbook.walk import roots, walk
from copilot.signals.examples import key, resemble, stretches, unit
from copilot.wire import messages as wire

DIMENSIONS = 512
LINES_PER_CALL = 40
"""A call is not an hour of small talk: as many lines are said, then another call begins."""
TOLD_LINES = 3
"""How many of the lines that bring up a wrong card are shown to its author."""
_NAMES: dict[Language, str] = {"en": "English", "zh": "Mandarin"}
MANY_PER_HOUR = 6.0
"""Wrong cards of one cue per hour of talk that are worth a warning: one in ten minutes."""


class Background(Frozen, frozen=True, kw_only=True):
    """What background talk brought up. Rates are per hour of talk, ``per_cue`` before the arbiter, ``shown`` after it;
    ``heard`` holds the lines that asked for each cue, at most ``TOLD_LINES``.
    """

    language: Language
    lines: int
    hours: float
    per_cue: dict[str, float]
    heard: dict[str, tuple[str, ...]]
    shown_per_hour: float
    shown_per_minute: float
    budget_per_minute: int


def examine(playbook: Playbook, setup: CallSetup, encode: Encode | None, source: Source | None) -> list[Finding]:
    """Findings that need the engine; without ``encode`` one of them says what was not looked at."""
    said: list[Finding] = []
    if encode is None and any(trigger.examples for _, root in roots(playbook) for _, trigger in walk(root)):
        said.append(
            _finding("examples.unmeasured", "info", "$", "no sentence encoder here: examples were not tried", source)
        )
    elif encode is not None:
        said += list(_deaf(playbook, setup, encode, source))
    for language in languages(playbook):
        said += list(_noisy(playbook, background(setup, encode, language), source))
    return said


def languages(playbook: Playbook) -> tuple[Language, ...]:
    """The languages a playbook is spoken in."""
    return ("en", "zh") if playbook.language == "auto" else (playbook.language,)


def background_lines(language: Language) -> tuple[str, ...]:
    """The shipped background talk."""
    file = resources.files("copilot.playbook") / "background" / f"{language}.txt"
    return tuple(file.read_text(encoding="utf-8").splitlines())


def background(setup: CallSetup, encode: Encode | None, language: Language) -> Background:
    """Say the background to a playbook, and count what asks for a card because of it."""
    lines = background_lines(language)
    asked: dict[str, list[str]] = {}
    seconds, shown = 0.0, 0
    for start in range(0, len(lines), LINES_PER_CALL):
        scenario = _call(lines[start : start + LINES_PER_CALL])
        seconds += list(timed_turns(scenario, language))[-1].end_s
        _, messages = run_scenario(scenario, setup, encode, language)
        said = {message.utterance_id: message.text for message in messages if isinstance(message, wire.TranscriptFinal)}
        for message in messages:
            if isinstance(message, wire.CardRaised | wire.CardSuppressed) and message.caused_by:
                cause = message.caused_by
                asked.setdefault(message.card.cue_id, []).append(said.get(cause.utterance_id, cause.quote))
                shown += isinstance(message, wire.CardRaised)
    hours = seconds / 3600
    return Background(
        language=language,
        lines=len(lines),
        hours=round(hours, 2),
        per_cue={cue: round(len(by) / hours, 1) for cue, by in sorted(asked.items(), key=lambda item: -len(item[1]))},
        heard={cue: tuple(dict.fromkeys(by))[:TOLD_LINES] for cue, by in asked.items()},
        shown_per_hour=round(shown / hours, 1),
        shown_per_minute=round(shown / hours / 60, 2),
        budget_per_minute=setup.plan.playbook.attention.max_per_min,
    )


def _call(lines: Sequence[str]) -> Scenario:
    turns = tuple(Turn(customer=line) for line in lines)
    return Scenario(name="background", turns=turns, expect=(Expect(no_card="background"),))


def _noisy(playbook: Playbook, heard: Background, source: Source | None) -> Iterator[Finding]:
    where = {cue.id: f"$.cues[{i}].when" for i, cue in enumerate(playbook.cues)}
    for cue_id, rate in heard.per_cue.items():
        many = rate > MANY_PER_HOUR
        message = f"{cue_id!r}: about {rate:g} wrong cards per hour of {_NAMES[heard.language]} small talk, such as "
        message += "; ".join(repr(line) for line in heard.heard[cue_id])
        yield _finding("cue.noisy", "warning" if many else "info", where.get(cue_id, "$"), message, source)
    if heard.shown_per_minute > heard.budget_per_minute / 2:
        shown = f"{heard.shown_per_minute:g} cards a minute of {heard.budget_per_minute} allowed"
        message = f"small talk alone shows {shown}"
        yield _finding("attention.budget", "warning", "$.attention", message, source)


def _deaf(playbook: Playbook, setup: CallSetup, encode: Encode, source: Source | None) -> Iterator[Finding]:
    """Examples that would not match what they are themselves an example of."""
    for path, root in roots(playbook):
        for inner, trigger in walk(root, path):
            for i, line in enumerate(trigger.examples.like if trigger.examples else ()):
                if trigger.examples and not _matches(trigger.examples, line, setup, encode):
                    message = (
                        f"{line!r} does not match its own group: too short, negated, or nearer to an `unlike` line"
                    )
                    yield _finding("examples.deaf", "warning", f"{inner}.examples.like[{i}]", message, source)


def _matches(examples: Examples, line: str, setup: CallSetup, encode: Encode) -> bool:
    lines = setup.prepared.lines.get(key(examples))
    spans = stretches(normalise(line))
    if lines is None or not spans:
        return False
    texts = tuple(line[start:end] for start, end in spans)
    vectors = np.frombuffer(encode(texts), "<f4").reshape(-1, DIMENSIONS)
    return next(iter(resemble(examples, lines, line, spans, unit(vectors))), None) is not None


def _finding(code: str, severity: str, path: str, message: str, source: Source | None) -> Finding:
    facts = {"code": code, "severity": severity, "path": path, "line": source.line(path) if source else 0}
    return msgspec.convert({**facts, "message": message}, Finding)


__all__ = ["Background", "background", "background_lines", "examine", "languages"]
