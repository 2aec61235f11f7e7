"""What the types cannot say: references that exist, deadlines that can be met, triggers that can fire."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

import re2

from copilot.errors import PlaybookError
from copilot.playbook.intents import INTENTS
from copilot.playbook.model import (
    ENTITIES,
    MEASURED,
    TEXT_LEAVES,
    Due,
    Entity,
    Expect,
    Knowledge,
    Playbook,
    Step,
    Trigger,
)
from copilot.playbook.source import Source
from copilot.playbook.walk import forms, references, roots, walk

_HEARD = (*TEXT_LEAVES, "signal", "context", "all", "any", "not")
"""What a trigger may use where one utterance decides: signals, steps, stages, the ending."""


_Errors = Iterator[PlaybookError]


def check(playbook: Playbook, source: Source) -> Iterator[PlaybookError]:
    """Everything in ``playbook`` that can never work, one check after the other."""
    return _Check(playbook, source).run()


class _Check:
    def __init__(self, playbook: Playbook, source: Source) -> None:
        self._playbook = playbook
        self._source = source
        self._stages = tuple(stage.id for stage in playbook.stages)
        self._steps = tuple(step.id for step in playbook.steps)
        self._signals = tuple(signal.id for signal in playbook.signals)
        self._labels = tuple(dict.fromkeys((*self._signals, *self._steps)))

    def run(self) -> _Errors:
        twice = [*self._ids()]
        yield from twice
        for path, trigger in roots(self._playbook):
            for inner_path, inner in walk(trigger, path):
                yield from self._trigger(inner, inner_path, heard=not path.startswith("$.cues"))
        for index, step in enumerate(self._playbook.steps):
            yield from self._step(step, f"$.steps[{index}]")
        yield from self._scenarios()
        if not twice:
            yield from self._cycles()
        yield from self._never_denied()

    def _fail(self, code: str, message: str, path: str, hint: str = "") -> PlaybookError:
        return PlaybookError(
            f"playbook.{code}",
            message,
            file=self._source.file,
            line=self._source.line(path),
            path=path,
            hint=hint or "`docs/reference/playbook.md` explains every key.",
        )

    def _known(self, name: str, known: Sequence[str], what: str, path: str) -> _Errors:
        if name in known:
            return
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(known) or 'none'}."
        yield self._fail("unknown_reference", f"there is no {what} {name!r}", path, hint)

    # --- ids ------------------------------------------------------------------------------------------------

    def _ids(self) -> _Errors:
        playbook = self._playbook
        for name in playbook.lexicons:
            if name in ENTITIES:
                yield self._fail("duplicate_id", f"{name!r} is a kind of entity already", f"$.lexicons.{name}")
        for index, cue in enumerate(playbook.cues):
            if playbook.knowledge and cue.id == "knowledge":
                yield self._fail("duplicate_id", "the documents' own cue is called so", f"$.cues[{index}].id")
        groups: dict[str, Iterable[str]] = {
            "signals": self._signals,
            "stages": self._stages,
            "steps": self._steps,
            "cues": (cue.id for cue in playbook.cues),
        }
        for group, ids in groups.items():
            seen: dict[str, int] = {}
            for index, name in enumerate(ids):
                if name in seen:
                    first = self._source.line(f"$.{group}[{seen[name]}].id")
                    yield self._fail(
                        "duplicate_id",
                        f"the id {name!r} is used twice",
                        f"$.{group}[{index}].id",
                        f"Line {first} has it already: give one of them another.",
                    )
                seen[name] = index
        for index, step in enumerate(playbook.steps):
            if step.id in self._signals and step.done_when != Trigger(signal=step.id):
                yield self._fail(
                    "duplicate_id",
                    f"{step.id!r} is both a signal and a step with words of its own",
                    f"$.steps[{index}].id",
                    f"Let the step listen to the signal: `done_when: {{signal: {step.id}}}`.",
                )

    # --- triggers -------------------------------------------------------------------------------------------

    def _trigger(self, trigger: Trigger, path: str, *, heard: bool) -> _Errors:
        names = forms(trigger)
        if len(names) != 1:
            found = f"found {', '.join(names)}" if names else "found none"
            yield self._fail(
                "trigger", f"a trigger has exactly one leaf or combinator; {found}", path,
                "Join several with `all:` or `any:`.",
            )  # fmt: skip
            return
        if heard and names[0] not in _HEARD:
            yield self._fail(
                "trigger",
                f"`{names[0]}` cannot be used here: one utterance must decide",
                path,
                f"Use {', '.join(_HEARD)}; the rest belongs in a cue.",
            )
        for stage in trigger.stage:
            yield from self._known(stage, self._stages, "stage", f"{path}.stage")
        if trigger.signal and path == "$.knowledge.when" and trigger == Knowledge().when:
            yield from self._asked(trigger.signal, path)
        elif trigger.signal:
            yield from self._known(trigger.signal, self._labels, "signal or step", f"{path}.signal")
        yield from self._leaf(trigger, path)

    def _asked(self, signal: str, path: str) -> _Errors:
        """What ``knowledge`` listens for is not written in the playbook if its author left it out."""
        if signal not in self._labels:
            yield self._fail(
                "unknown_reference",
                f"`knowledge` waits for a signal {signal!r}, and there is none",
                path,
                f"Add a signal {signal!r} that hears questions, or write `when:` below `knowledge:`.",
            )

    def _leaf(self, trigger: Trigger, path: str) -> _Errors:
        if trigger.all == () or trigger.any == ():
            yield self._fail("trigger", "the list is empty", path)
        if trigger.phrase and not (trigger.phrase.any or trigger.phrase.all):
            yield self._fail("invalid", "a phrase needs `any` or `all`", f"{path}.phrase")
        if trigger.regex:
            yield from self._regex(trigger.regex, f"{path}.regex")
        if trigger.intent:
            yield from self._known(trigger.intent.label, tuple(INTENTS), "intent", f"{path}.intent.label")
        if trigger.entity:
            yield from self._entity(trigger.entity, f"{path}.entity")
        if trigger.metric and (trigger.metric.above is None) == (trigger.metric.below is None):
            yield self._fail("invalid", "a metric needs either `above` or `below`", f"{path}.metric")
        if trigger.context:
            test = trigger.context
            if (test.equals is not None) + bool(test.one_of) + (test.present is not None) != 1:
                yield self._fail(
                    "invalid", "a context test needs one of `equals`, `one_of`, `present`", f"{path}.context"
                )
        if trigger.event:
            yield from self._event(trigger, f"{path}.event")

    def _entity(self, entity: Entity, path: str) -> _Errors:
        lexicons = self._playbook.lexicons
        yield from self._known(entity.kind, (*ENTITIES, *lexicons), "kind of entity or lexicon", f"{path}.kind")
        if (entity.above is not None or entity.below is not None) and entity.kind not in MEASURED:
            yield self._fail("invalid", f"only {', '.join(MEASURED)} can be `above` or `below`", path)
        if entity.above is not None and entity.below is not None and entity.above >= entity.below:
            yield self._fail("invalid", "no number is above and below these", path)
        known = lexicons.get(entity.kind, ())
        for index, word in enumerate(entity.any if entity.kind in (*ENTITIES, *lexicons) else ()):
            yield from self._known(word, known, f"{entity.kind} in the lexicons", f"{path}.any[{index}]")

    def _event(self, trigger: Trigger, path: str) -> _Errors:
        event = trigger.event
        assert event is not None  # noqa: S101  # the caller looked
        if event.stage:
            yield from self._known(event.stage, self._stages, "stage", f"{path}.stage")
        if event.step:
            yield from self._known(event.step, self._steps, "step", f"{path}.step")
        if event.is_ == "elapsed" and event.at_s is None:
            yield self._fail("invalid", "`elapsed` needs `at_s`", path)

    def _regex(self, pattern: str, path: str) -> _Errors:
        options = re2.Options()
        options.log_errors = False
        options.max_mem = 1 << 20
        try:
            re2.compile(pattern, options)
        except re2.error as error:
            yield self._fail(
                "regex",
                f"not a regular expression this program runs: {_text(error)}",
                path,
                "Patterns run in linear time (RE2): no look-around, no back-references.",
            )

    # --- steps ----------------------------------------------------------------------------------------------

    def _step(self, step: Step, path: str) -> _Errors:
        yield from self._known(step.stage, self._stages, "stage", f"{path}.stage")
        for index, other in enumerate(step.requires):
            yield from self._known(other, self._steps, "step", f"{path}.requires[{index}]")
        if step.due:
            yield from self._due(step, step.due, f"{path}.due")

    def _due(self, step: Step, due: Due, path: str) -> _Errors:
        kind, _, name = due.after.partition(":")
        if kind == "stage":
            yield from self._known(name, self._stages, "stage", f"{path}.after")
        elif kind == "step":
            yield from self._known(name, self._steps, "step", f"{path}.after")
        elif due.after != "call_start":
            yield self._fail(
                "unknown_reference", f"a deadline cannot count from {due.after!r}", f"{path}.after",
                "Use `call_start`, `stage:<id>` or `step:<id>`.",
            )  # fmt: skip
        if due.before_stage:
            yield from self._known(due.before_stage, self._stages, "stage", f"{path}.before_stage")
        yield from self._possible(due, path)
        starts = name if kind == "stage" else ""
        if due.before_stage and {step.stage, due.before_stage, starts or step.stage} <= {*self._stages}:
            yield from self._in_order(step, due, starts, path)

    def _possible(self, due: Due, path: str) -> _Errors:
        if due.within_s is None and not due.before_stage and not due.before_end:
            yield self._fail(
                "impossible_deadline",
                "the deadline never comes",
                path,
                "Add `within_s`, `before_stage` or `before_end`.",
            )
        if due.warn_s and (due.within_s is None or due.warn_s >= due.within_s):
            yield self._fail(
                "impossible_deadline", "the warning would come before the clock starts", f"{path}.warn_s",
                "`warn_s` must be smaller than `within_s`.",
            )  # fmt: skip

    def _in_order(self, step: Step, due: Due, starts: str, path: str) -> _Errors:
        order = self._stages.index
        if order(due.before_stage) <= order(step.stage):
            yield self._fail(
                "impossible_deadline",
                f"the step belongs to stage {step.stage!r} and is due before {due.before_stage!r} begins",
                f"{path}.before_stage",
                "Name a later stage.",
            )
        if starts and order(starts) >= order(due.before_stage):
            yield self._fail(
                "impossible_deadline", f"the clock starts when {starts!r} begins: too late", f"{path}.after",
                f"Count from a stage before {due.before_stage!r}.",
            )  # fmt: skip

    # --- scenarios ------------------------------------------------------------------------------------------

    def _scenarios(self) -> _Errors:
        playbook = self._playbook
        cues = tuple(cue.id for cue in playbook.cues) + (("knowledge",) if playbook.knowledge else ())
        for i, scenario in enumerate(playbook.scenarios):
            for j, turn in enumerate(scenario.turns):
                if (turn.rep is None) == (turn.customer is None):
                    hint = "Write one of them; what both say are two turns."
                    path = f"$.scenarios[{i}].turns[{j}]"
                    yield self._fail("invalid", "a turn has either `rep` or `customer`", path, hint)
            for j, expect in enumerate(scenario.expect):
                yield from self._expect(expect, cues, len(scenario.turns), f"$.scenarios[{i}].expect[{j}]")

    def _expect(self, expect: Expect, cues: Sequence[str], turns: int, path: str) -> _Errors:
        things: dict[str, Sequence[str]] = {
            "card": cues, "no_card": cues, "step": self._steps, "stage": self._stages,
            "signal": self._labels, "no_signal": self._labels,
        }  # fmt: skip
        named = {key: name for key in things if (name := getattr(expect, key)) is not None}
        for key, name in named.items():
            yield from self._known(name, things[key], key.removeprefix("no_"), f"{path}.{key}")
        if not named:
            yield self._fail("invalid", "nothing is expected here", path, f"Name one of {', '.join(things)}.")
        if expect.state and not expect.step:
            yield self._fail("invalid", "`state` of what?", f"{path}.state", "Name the `step` that is to be in it.")
        if expect.after_turn and expect.after_turn > turns:
            hint = f"It has {turns}, counted from 1."
            yield self._fail("invalid", "the scenario has no such turn", f"{path}.after_turn", hint)

    # --- cycles ---------------------------------------------------------------------------------------------

    def _cycles(self) -> _Errors:
        playbook = self._playbook
        rules = {signal.id: references(signal.when) for signal in playbook.signals}
        rules |= {step.id: references(step.done_when) for step in playbook.steps if step.id not in rules}
        paths = {step.id: f"$.steps[{i}]" for i, step in enumerate(playbook.steps)}
        signals = {signal.id: f"$.signals[{i}]" for i, signal in enumerate(playbook.signals)}
        yield from self._acyclic(rules, paths | signals)
        needs = {step.id: (*step.requires, *_clock_step(step)) for step in playbook.steps}
        yield from self._acyclic(needs, paths)

    def _never_denied(self) -> _Errors:
        """Silence of a language model means nothing, so nothing may be concluded from it."""
        rules = {signal.id: signal.when for signal in self._playbook.signals}
        rules |= {step.id: step.done_when for step in self._playbook.steps if step.id not in rules}
        parts = {name: [part for _, part in walk(when)] for name, when in rules.items()}
        asking: set[str] = set()
        while fresh := {
            name
            for name in parts.keys() - asking
            if any(part.llm or part.signal in asking for part in parts[name])  # a signal may be made of signals
        }:
            asking |= fresh
        for path, root in roots(self._playbook):
            for inner_path, part in walk(root, path):
                denied = walk(part.not_) if part.not_ else ()
                if any(inner.llm or inner.signal in asking for _, inner in denied):
                    yield self._fail(
                        "trigger", "`not` cannot be asked of `llm`: no answer is not a no", f"{inner_path}.not",
                        "Ask the opposite question.",
                    )  # fmt: skip

    def _acyclic(self, graph: Mapping[str, Sequence[str]], paths: Mapping[str, str]) -> _Errors:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1][::-1]
            message = f"these wait for each other: {' -> '.join(circle)}"
            yield self._fail("cycle", message, paths[circle[0]], "Take one of them out.")


def _clock_step(step: Step) -> tuple[str, ...]:
    after = step.due.after if step.due else ""
    return (after.partition(":")[2],) if after.startswith("step:") else ()


def _text(error: Exception) -> str:
    detail = error.args[0] if error.args else error
    return detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
