"""The SOP table: what each step came to, when it should have been said, and how mature the call was.

A step that was not done has no words to quote. Its evidence is the span in which it should have been said: from the
entry of its stage, its anchor and the steps it requires, until its deadline or, without one, until the next stage or
the end of the call; and in it the last thing the rep said instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from copilot.events import Evidence, StepState
from copilot.playbook.model import Due, Playbook, Step
from copilot.review import metrics
from copilot.review.evidence import Quotes, whole
from copilot.review.model import Procedure, Span, StageRow, StepRow, Verdict
from copilot.review.story import StepPast, Story

ENDING = "ending"
HEARING_STAGES = ("audio", "vad", "asr", "speech", "recogniser", "recognition", "record_only")
"""Impairments of these parts of the service mean that words may have been lost, unless they were only late."""
LATE = "late"

SETTLED: dict[StepState, Verdict] = {
    "done": "done",
    "done_late": "done_late",
    "not_applicable": "not_applicable",
    "waived": "waived",
}


def stage_rows(story: Story, playbook: Playbook) -> tuple[StageRow, ...]:
    """The stages as they were visited, the same stage twice if the call came back to it."""
    titles = {stage.id: stage.title for stage in playbook.stages}
    ends = [at_ms for _, at_ms in story.stages[1:]] + [story.duration_ms]
    rows = []
    for (stage_id, start_ms), end_ms in zip(story.stages, ends, strict=False):
        span = Span(start_ms=start_ms, end_ms=max(start_ms, end_ms))
        ratio = metrics.talk_ratio(story.lines, span)
        rows.append(StageRow(stage_id=stage_id, title=titles.get(stage_id, stage_id), span=span, talk_ratio=ratio))
    return tuple(rows)


def make_procedure(story: Story, playbook: Playbook, quotes: Quotes, *, is_complete: bool) -> Procedure:
    """Judge every step of the playbook against the log."""
    judge = _Judge(story, playbook, quotes, is_complete=is_complete)
    rows = _ordered([judge.row(step) for step in in_order(playbook)], playbook)
    coverage = metrics.sop_coverage(rows)
    order = metrics.sop_order(rows)
    timeliness = metrics.sop_timeliness(rows)
    maturity = metrics.sop_maturity(rows, coverage, order, timeliness, is_complete=is_complete)
    return Procedure(steps=rows, coverage=coverage, order=order, timeliness=timeliness, maturity=maturity)


def in_order(playbook: Playbook) -> list[Step]:
    """The steps by stage, then as written."""
    rank = {stage.id: index for index, stage in enumerate(playbook.stages)}
    return sorted(playbook.steps, key=lambda step: rank[step.stage])


class _Judge:
    """Knows when stages were entered and steps were done."""

    def __init__(self, story: Story, playbook: Playbook, quotes: Quotes, *, is_complete: bool) -> None:
        self._story = story
        self._quotes = quotes
        self._is_complete = is_complete
        self._rank = {stage.id: index for index, stage in enumerate(playbook.stages)}
        self._titles = {stage.id: stage.title for stage in playbook.stages}
        self._entered: dict[str, int] = {}
        for stage_id, at_ms in story.stages:
            self._entered.setdefault(stage_id, at_ms)
        self._evidence = {step.id: self._words(step) for step in playbook.steps}
        self._done_ms = {
            step.id: self._moment(step.id, past)
            for step in playbook.steps
            if (past := story.steps.get(step.id)) and past.state in metrics.DONE
        }
        self._ending_ms = self._ending(quotes)
        self._rep_spoke = any(line.speaker == "rep" for line in story.lines)

    def row(self, step: Step) -> StepRow:
        idle: StepState = "not_applicable" if step.applies_when else "pending"
        past = self._story.steps.get(step.id) or StepPast(state=idle, at_ms=0)
        deadline_ms = self._deadline(step, step.due) if step.due else None
        asked = self._asked(step, deadline_ms)
        verdict = self._verdict(step.id, past, deadline_ms, asked)
        is_done = verdict in metrics.DONE
        return StepRow(
            step_id=step.id,
            title=step.title,
            stage=step.stage,
            stage_title=self._titles[step.stage],
            critical=step.critical,
            weight=step.weight,
            state=past.state,
            verdict=verdict,
            at_ms=self._done_ms[step.id] if is_done else None,
            deadline_ms=deadline_ms,
            asked=asked,
            evidence=self._evidence[step.id] if is_done else None,
            by=past.by,
            violates=(),
            unprepared=(),
            hint=step.hint,
        )

    def _words(self, step: Step) -> Evidence | None:
        """What was said, if it is still there and still said by whom the step asks (roles may have been swapped)."""
        past = self._story.steps.get(step.id)
        line = self._quotes.line(past.utterance_id) if past else None
        is_theirs = line is not None and line.speaker == (step.done_when.speaker or "rep")
        return self._quotes.lock(past.utterance_id, past.quote) if past and is_theirs else None

    def _ending(self, quotes: Quotes) -> int | None:
        """When somebody said goodbye first; else the end of a call that ran to its end."""
        goodbyes = [quotes.lock(s.utterance_id, s.quote) for s in self._story.signals if s.label == ENDING]
        ended_ms = self._story.duration_ms if self._is_complete else None
        return min((goodbye.end_ms for goodbye in goodbyes if goodbye), default=ended_ms)

    def _moment(self, step_id: str, past: StepPast) -> int:
        """A step is done when its words end, not when the recogniser had them."""
        evidence = self._evidence[step_id]
        return evidence.end_ms if evidence else past.at_ms

    def _verdict(self, step_id: str, past: StepPast, deadline_ms: int | None, asked: Span) -> Verdict:
        settled = SETTLED.get(past.state)
        if settled:
            lost = settled in metrics.DONE and past.quote and not past.by and not self._evidence[step_id]
            return "undetermined" if lost else settled
        is_due = self._is_complete or (deadline_ms is not None and deadline_ms <= self._story.duration_ms)
        return "missing" if is_due and self._rep_spoke and not self._was_deaf(asked) else "undetermined"

    def _was_deaf(self, asked: Span) -> bool:
        """Recognition was impaired for more than half of the span in which the step should have been said."""
        deaf_ms = sum(
            max(0, min(item.span.end_ms, asked.end_ms) - max(item.span.start_ms, asked.start_ms))
            for item in self._story.impairments
            if item.stage in HEARING_STAGES and item.reason != LATE
        )
        return deaf_ms * 2 > asked.length_ms

    def _deadline(self, step: Step, due: Due) -> int | None:
        """The earliest of the author's limits, as far as the log knows their anchors.

        A step that came to apply later than its anchor has its time from then on.
        """
        limits: list[int] = []
        anchor_ms = self._anchor(due.after)
        if due.within_s is not None and anchor_ms is not None:
            limits.append(max(anchor_ms, self._story.applied.get(step.id, 0)) + round(due.within_s * 1000))
        if due.before_stage in self._entered:
            limits.append(self._entered[due.before_stage])
        if due.before_end and self._ending_ms is not None:
            limits.append(self._ending_ms)
        return min(limits, default=None)

    def _anchor(self, after: str) -> int | None:
        kind, _, name = after.partition(":")
        if kind == "stage":
            return self._entered.get(name)
        return self._done_ms.get(name) if kind == "step" else 0

    def _reached(self, stage_id: str) -> int:
        """When the stage was entered, or else the last stage before it that was."""
        rank = self._rank[stage_id]
        before = [(self._rank.get(name, len(self._rank)), at_ms) for name, at_ms in self._entered.items()]
        return max(((place, at_ms) for place, at_ms in before if place <= rank), default=(0, 0))[1]

    def _asked(self, step: Step, deadline_ms: int | None) -> Span:
        after = [self._reached(step.stage), (self._anchor(step.due.after) if step.due else 0) or 0]
        after.append(self._story.applied.get(step.id, 0))
        after += [self._done_ms.get(required, 0) for required in step.requires]
        start_ms = max(after)
        end_ms = deadline_ms
        if end_ms is None:
            later = [
                at_ms
                for stage_id, at_ms in self._story.stages
                if at_ms > start_ms and self._rank.get(stage_id, -1) > self._rank[step.stage]
            ]
            end_ms = min(later, default=self._story.duration_ms)
        end_ms = min(end_ms, self._story.duration_ms)
        return Span(start_ms=start_ms if start_ms < end_ms else 0, end_ms=end_ms)


def instead(story: Story, asked: Span) -> Evidence | None:
    """The last thing the rep said in the span (or, if nothing, in the call)."""
    spoken = [line for line in story.lines if line.speaker == "rep"]
    inside = [line for line in spoken if line.start_ms < asked.end_ms and line.end_ms > asked.start_ms]
    said = inside or spoken
    return whole(said[-1]) if said else None


# --- order ----------------------------------------------------------------------------------------------------


def _ordered(rows: Sequence[StepRow], playbook: Playbook) -> tuple[StepRow, ...]:
    """Name the steps that are out of place: the fewest whose removal leaves the rest in the playbook's order."""
    said = [row for row in rows if row.verdict in metrics.DONE and row.evidence]
    kept = longest_rising([row.at_ms or 0 for row in said])
    steady = [said[index] for index in kept]
    place = {row.step_id: index for index, row in enumerate(rows)}
    requires = {step.id: step.requires for step in playbook.steps}
    by_id = {row.step_id: row for row in rows}
    result = []
    for row in rows:
        if row in said:
            violates = () if row in steady else _clashes(row, steady, place)
            unprepared = tuple(name for name in requires[row.step_id] if _is_owed(by_id[name], row.at_ms or 0))
            result.append(msgspec.structs.replace(row, violates=violates, unprepared=unprepared))
        else:
            result.append(row)
    return tuple(result)


def _clashes(row: StepRow, steady: Sequence[StepRow], place: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(
        other.step_id
        for other in steady
        if (place[row.step_id] < place[other.step_id]) != ((row.at_ms or 0) <= (other.at_ms or 0))
    )


def _is_owed(required: StepRow, at_ms: int) -> bool:
    """A required step was still to be done at ``at_ms``."""
    if required.verdict in metrics.DONE:
        return (required.at_ms or 0) > at_ms
    return required.verdict == "missing"


def longest_rising(values: Sequence[int]) -> list[int]:
    """Indexes of a longest non-decreasing subsequence, the earliest of equals."""
    best: list[list[int]] = []
    for index, value in enumerate(values):
        before = [chain for chain in best if values[chain[-1]] <= value]
        best.append([*max(before, key=len, default=[]), index])
    return max(best, key=len, default=[])
