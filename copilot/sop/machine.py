"""Where a call is in its procedure: step states, stages, deadlines. One table says how a step may change.

A step is said when its evidence *ends*, not when its text arrives: a slow recogniser never makes a rep late, and a
step that fell overdue while its words were still being recognised becomes ``done`` after all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from copilot.errors import NotFoundError
from copilot.events import Evidence, Frozen, Signal, Speaker, StageChanged, StepChanged, StepState
from copilot.playbook.model import Due, Playbook, Step
from copilot.playbook.walk import known_from

What = Literal["applied", "warned", "fell_due", "said", "said_late", "waived", "ended"]

NEXT: dict[tuple[StepState, What], StepState] = {
    ("not_applicable", "applied"): "pending",
    ("not_applicable", "waived"): "waived",
    ("pending", "warned"): "warned",
    ("pending", "fell_due"): "overdue",
    ("pending", "said"): "done",
    ("pending", "said_late"): "done_late",
    ("pending", "waived"): "waived",
    ("pending", "ended"): "skipped",
    ("warned", "fell_due"): "overdue",
    ("warned", "said"): "done",
    ("warned", "said_late"): "done_late",
    ("warned", "waived"): "waived",
    ("warned", "ended"): "skipped",
    ("overdue", "said"): "done",
    ("overdue", "said_late"): "done_late",
    ("overdue", "waived"): "waived",
    ("overdue", "ended"): "skipped",
    ("waived", "said"): "done",
    ("waived", "said_late"): "done",
}
"""What happens to a step in a state; what is not listed changes nothing. ``done`` and ``done_late`` are for good."""

OPEN: tuple[StepState, ...] = ("pending", "warned")
"""The states in which time alone does something to a step."""
DONE: tuple[StepState, ...] = ("done", "done_late")
EXCUSED: tuple[StepState, ...] = ("waived", "not_applicable")

Change = StepChanged | StageChanged


class Disorder(Frozen, frozen=True, kw_only=True):
    """A step done before one it requires. ``required_ms`` is None when the required step was never done."""

    step_id: str
    requires: str
    at_ms: int
    required_ms: int | None = None


class Sop:
    """Signals in, step and stage changes out. All times are media time in milliseconds."""

    def __init__(self, playbook: Playbook, context: Mapping[str, str] | None = None) -> None:
        self._steps: dict[str, Step] = {step.id: step for step in playbook.steps}
        self._order: dict[str, int] = {stage.id: index for index, stage in enumerate(playbook.stages)}
        self._led_to = frozenset(stage.id for stage in playbook.stages if stage.enter_when is None)
        self._speaker: dict[str, Speaker] = {step.id: step.done_when.speaker or "rep" for step in playbook.steps}
        self._states: dict[str, StepState] = {
            step.id: "pending" if _applies(step, context or {}) else "not_applicable" for step in playbook.steps
        }
        self._done_ms: dict[str, int] = {}
        self._applies_ms: dict[str, int] = {}
        self._said_early: dict[str, Signal] = {}
        self._entered_ms: dict[str, int] = {}
        self._unheard: list[tuple[int, int]] = []
        self._begin_ms = 0
        self._ending_ms: int | None = None
        self._stage = ""
        self._due_ms: int | None = None
        self._is_stale = True

    @property
    def stage(self) -> str:
        """The stage the call is in; empty until one has been entered."""
        return self._stage

    @property
    def states(self) -> dict[str, StepState]:
        """The state of every step, in the playbook's order."""
        return dict(self._states)

    @property
    def steps_done(self) -> int:
        """How many steps are done, in time or late."""
        return sum(state in DONE for state in self._states.values())

    @property
    def disorders(self) -> tuple[Disorder, ...]:
        """Every step that was done although a step it requires had not been done, waived or found not to apply."""
        return tuple(self._disorders())

    def begin(self, at_ms: int) -> None:
        """The first words were spoken at ``at_ms``: deadlines after ``call_start`` count from there."""
        self._begin_ms, self._is_stale = at_ms, True

    def unheard(self, start_ms: int, end_ms: int) -> None:
        """Nobody listened for a while (later than any other such while): deadlines that were not over wait as long."""
        self._unheard.append((start_ms, end_ms))
        self._is_stale = True

    def observe(self, signal: Signal, pos_ms: int) -> list[Change]:
        """Take in a final signal (interim ones count for nothing), then whatever has fallen due at ``pos_ms``."""
        if not signal.is_final:
            return self.tick(pos_ms)
        scope, _, name = signal.label.rpartition(":")
        changes: list[Change] = []
        if scope == "stage" and name in self._order:
            changes = self._enter(name, signal.evidence.end_ms, signal.evidence, may_return=True)
        elif scope == "applies" and name in self._steps:
            changes = self._apply(name, signal.evidence.end_ms)
        elif signal.label == "ending":
            self._ending_ms = signal.evidence.end_ms if self._ending_ms is None else self._ending_ms
        elif signal.label in self._steps and signal.speaker == self._speaker[signal.label]:
            changes = self._say(signal)
        return changes + self.tick(pos_ms)

    def tick(self, pos_ms: int) -> list[Change]:
        """Warn and mark overdue what has fallen due. ``pos_ms``: everything said before it has been observed."""
        changes: list[Change] = []
        self._is_stale = True
        for step in self._open_steps():
            warning_ms, deadline_ms = self._warning(step), self._deadline(step)
            if deadline_ms is not None and deadline_ms <= pos_ms:
                changes += self._move(step.id, "fell_due", deadline_ms)
            elif warning_ms is not None and warning_ms <= pos_ms:
                changes += self._move(step.id, "warned", warning_ms)
        return changes

    def next_deadline_ms(self) -> int | None:
        """When ``tick`` has something to do next."""
        if self._is_stale:  # asked for with every audio frame, moved only now and then
            self._due_ms, self._is_stale = min(self._deadlines(), default=None), False
        return self._due_ms

    def tick_by_hand(self, step_id: str, by: str, pos_ms: int) -> list[Change]:
        """Somebody says the step was done now; a step that did not apply comes to apply."""
        step = self._find(step_id)
        changes = self._apply(step_id, pos_ms, by=by)
        return changes + self._complete(step, pos_ms, by=by) + self.tick(pos_ms)

    def waive(self, step_id: str, by: str, reason: str, pos_ms: int) -> list[Change]:
        """Somebody says the step need not be done; no effect on one already done."""
        self._find(step_id)
        return [*self._move(step_id, "waived", pos_ms, by=by, reason=reason), *self.tick(pos_ms)]

    def finish(self, pos_ms: int) -> list[Change]:
        """The call is over: every open step, overdue or not, is skipped."""
        self._is_stale = True
        return [change for step_id in self._steps for change in self._move(step_id, "ended", pos_ms)]

    def _find(self, step_id: str) -> Step:
        if step_id not in self._steps:
            raise NotFoundError(
                "step.unknown",
                f"this call's playbook has no step {step_id!r}",
                hint="Use a step id from `call.opened`.",
            )
        return self._steps[step_id]

    def _say(self, signal: Signal) -> list[Change]:
        step = self._steps[signal.label]
        if self._states[step.id] == "not_applicable":
            self._said_early[step.id] = signal
            return []
        return self._complete(step, signal.evidence.end_ms, evidence=signal.evidence)

    def _complete(self, step: Step, at_ms: int, *, evidence: Evidence | None = None, by: str = "") -> list[Change]:
        """The step was said at ``at_ms``; its stage is entered even when the step was done before."""
        deadline_ms = self._deadline(step)
        late = deadline_ms is not None and at_ms > deadline_ms
        changes = self._move(step.id, "said_late" if late else "said", at_ms, evidence=evidence, by=by)
        if changes:
            self._done_ms[step.id] = at_ms
        return [*changes, *self._enter(step.stage, at_ms, evidence, may_return=False)]

    def _apply(self, step_id: str, at_ms: int, *, by: str = "") -> list[Change]:
        """The step comes to apply. If it was said after that moment, and only heard before, it is done at once."""
        changes: list[Change] = [*self._move(step_id, "applied", at_ms, by=by)]
        if not changes:
            return []
        self._applies_ms[step_id] = at_ms
        said = self._said_early.get(step_id)
        if said and said.evidence.end_ms > at_ms:
            changes += self._say(said)
        return changes

    def _enter(self, stage_id: str, at_ms: int, evidence: Evidence | None, *, may_return: bool) -> list[Change]:
        """Enter a stage unless the call is in it or may not go back to it (see ``docs/explanation/procedure.md``)."""
        if stage_id == self._stage or (stage_id in self._entered_ms and not self._may_reenter(stage_id, may_return)):
            return []
        previous, self._stage = self._stage, stage_id
        self._entered_ms.setdefault(stage_id, at_ms)
        return [StageChanged(stage_id=stage_id, previous=previous, at_ms=at_ms, evidence=evidence)]

    def _may_reenter(self, stage_id: str, may_return: bool) -> bool:
        forward = self._order[stage_id] > self._order[self._stage]
        return forward or (may_return and self._order[stage_id] > 0)

    def _move(
        self,
        step_id: str,
        what: What,
        at_ms: int,
        *,
        evidence: Evidence | None = None,
        by: str = "",
        reason: str = "",
    ) -> list[StepChanged]:
        previous = self._states[step_id]
        state = NEXT.get((previous, what))
        if state is None:
            return []
        self._states[step_id] = state
        change = StepChanged(
            step_id=step_id, state=state, previous=previous, at_ms=at_ms, evidence=evidence, by=by, reason=reason
        )
        return [change]

    def _open_steps(self) -> list[Step]:
        return [step for step in self._steps.values() if self._states[step.id] in OPEN]

    def _deadlines(self) -> Iterator[int]:
        for step in self._open_steps():
            state = self._states[step.id]
            for what, at_ms in (("warned", self._warning(step)), ("fell_due", self._deadline(step))):
                if at_ms is not None and (state, what) in NEXT:
                    yield at_ms

    def _deadline(self, step: Step) -> int | None:
        """The earliest of the step's deadlines that are known by now."""
        due = step.due
        if due is None:
            return None
        known = (
            self._bound(step, due),
            self._reached_ms(due.before_stage),
            self._ending_ms if due.before_end else None,
        )
        return min((at_ms for at_ms in known if at_ms is not None), default=None)

    def _reached_ms(self, stage_id: str) -> int | None:
        """When the call first entered a stage or left it behind by entering a later one.

        A later stage with an ``enter_when`` leaves nothing behind: a customer may object before anything is asked.
        """
        times = (
            at_ms
            for entered, at_ms in self._entered_ms.items()
            if entered == stage_id or (entered in self._led_to and self._order[entered] > self._order[stage_id])
        )
        return min(times, default=None) if stage_id else None

    def _warning(self, step: Step) -> int | None:
        bound_ms = self._bound(step, step.due) if step.due and step.due.warn_s else None
        return None if bound_ms is None or step.due is None else bound_ms - round(step.due.warn_s * 1000)

    def _bound(self, step: Step, due: Due) -> int | None:
        """``within_s`` after ``after``; a step that came to apply later than that has its time from then on."""
        kind, _, name = due.after.partition(":")
        after_ms = {"stage": self._entered_ms.get(name), "step": self._done_ms.get(name)}.get(kind, self._begin_ms)
        if after_ms is None or due.within_s is None:
            return None
        return self._heard_later(max(after_ms, self._applies_ms.get(step.id, 0)), round(due.within_s * 1000))

    def _heard_later(self, from_ms: int, listened_ms: int) -> int:
        """When somebody has listened for so long since ``from_ms``."""
        at_ms = from_ms + listened_ms
        for start_ms, end_ms in self._unheard:
            if from_ms < end_ms and start_ms < at_ms:
                at_ms += end_ms - max(start_ms, from_ms)
        return at_ms

    def _disorders(self) -> Iterator[Disorder]:
        for step_id, at_ms in self._done_ms.items():
            for required in self._steps[step_id].requires:
                required_ms = self._done_ms.get(required)
                excused = self._states.get(required) in EXCUSED
                if not excused and (required_ms is None or required_ms > at_ms):
                    yield Disorder(step_id=step_id, requires=required, at_ms=at_ms, required_ms=required_ms)


def _applies(step: Step, context: Mapping[str, str]) -> bool:
    """From the start, that is; a step that applies because of what is said comes to apply then."""
    return step.applies_when is None or known_from(step.applies_when, context)
