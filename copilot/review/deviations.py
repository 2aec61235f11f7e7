"""What went wrong, in two lists that are never mixed: content (what was said) and behaviour (how it was said).

Every finding shows its evidence. What cannot be shown is ``undetermined`` and no reproach.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from copilot.events import Evidence
from copilot.playbook.model import Playbook
from copilot.review import metrics, turns
from copilot.review.evidence import Quotes, whole
from copilot.review.labels import Heard, heard
from copilot.review.model import (
    Deviations,
    Finding,
    Measure,
    ObjectionRow,
    Procedure,
    Severity,
    Span,
    StepRow,
    Text,
)
from copilot.review.procedure import instead
from copilot.review.story import Story
from copilot.review.wording import amount, clock, finding_texts, label_title, lengths, severity_rank

MIN_JUDGED_SPEECH_MS = 30_000
"""Below this much speech of both sides the balance between them says nothing."""
MIN_GAPS = 3
SHOWN_EXAMPLES = 3


def make_deviations(
    story: Story,
    playbook: Playbook,
    quotes: Quotes,
    procedure: Procedure,
    objections: Sequence[ObjectionRow],
    measures: dict[str, Measure],
    *,
    is_complete: bool,
) -> Deviations:
    """Both lists, the most serious first, then by time; what is undetermined at the end."""
    content = [
        *_steps(story, procedure),
        *_promises(story, playbook, quotes),
        *_objections(objections, is_complete=is_complete),
    ]
    behaviour = [
        *_talk_ratio(story, measures),
        *_monologues(story),
        *_interruptions(story),
        *_silences(story),
        *_pace(story, measures),
        *_patience(story, measures),
    ]
    return Deviations(content=_sorted(content), behaviour=_sorted(behaviour))


def _sorted(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(
        sorted(
            findings,
            key=lambda item: (
                item.status == "undetermined",
                severity_rank(item.severity),
                item.span.start_ms if item.span else 0,
            ),
        )
    )


def _finding(
    code: str,
    subject: str,
    severity: Severity,
    evidence: Sequence[Evidence],
    *,
    span: Span | None = None,
    values: dict[str, Text | str] | None = None,
) -> Finding:
    """The one place where the evidence lock is applied: nothing to show, nothing found."""
    title, advice = finding_texts(code, values or {})
    if span is None and evidence:
        span = Span(start_ms=min(e.start_ms for e in evidence), end_ms=max(e.end_ms for e in evidence))
    status: Literal["found", "undetermined"] = "found" if evidence else "undetermined"
    return Finding(
        code=code,
        subject=subject,
        status=status,
        severity=severity,
        title=title,
        advice=advice,
        span=span,
        evidence=tuple(evidence),
    )


# --- content --------------------------------------------------------------------------------------------------


def _steps(story: Story, procedure: Procedure) -> Iterator[Finding]:
    places = {step.step_id: index for index, step in enumerate(procedure.steps)}
    titles = {step.step_id: step.title for step in procedure.steps}
    for step in procedure.steps:
        if step.verdict == "missing":
            said = instead(story, step.asked)
            values: dict[str, Text | str] = {
                "title": step.title,
                "start": clock(step.asked.start_ms),
                "end": clock(step.asked.end_ms),
                "hint": step.hint,
            }
            severity: Severity = "high" if step.critical else "medium"
            evidence = [said] if said else []
            yield _finding("step.missing", step.step_id, severity, evidence, span=step.asked, values=values)
        elif step.verdict == "undetermined":
            values = {"title": step.title}
            yield _finding("step.undetermined", step.step_id, "low", (), span=step.asked, values=values)
        elif step.evidence:
            yield from _late(step, step.evidence)
            yield from _misplaced(step, step.evidence, places, titles)


def _late(step: StepRow, evidence: Evidence) -> Iterator[Finding]:
    """Only what the words themselves show: the live machine may have called late what was recognised late."""
    if step.verdict != "done_late" or step.at_ms is None or step.deadline_ms is None or step.at_ms <= step.deadline_ms:
        return
    values: dict[str, Text | str] = {
        "title": step.title,
        "late": lengths(step.at_ms - step.deadline_ms),
        "deadline": clock(step.deadline_ms),
        "at": clock(step.at_ms),
    }
    yield _finding("step.late", step.step_id, "medium" if step.critical else "low", [evidence], values=values)


def _misplaced(step: StepRow, evidence: Evidence, places: dict[str, int], titles: dict[str, str]) -> Iterator[Finding]:
    """Out of order, or done before what it requires."""
    severity: Severity
    early = tuple(name for name in step.violates if places[name] < places[step.step_id])
    if step.unprepared:
        code, others, severity = "step.unprepared", step.unprepared, "medium"
    elif early:
        code, others, severity = "step.too_early", early, "low"
    elif step.violates:
        code, others, severity = "step.too_late", step.violates, "low"
    else:
        return
    values: dict[str, Text | str] = {
        "title": step.title,
        "others": Text(
            en=", ".join(f"“{titles[name]}”" for name in others),
            zh="、".join(f"“{titles[name]}”" for name in others),
        ),
    }
    yield _finding(code, step.step_id, severity, [evidence], values=values)


def _promises(story: Story, playbook: Playbook, quotes: Quotes) -> Iterator[Finding]:
    """Forbidden wording: one finding per label, with every time it was said."""
    moments = heard(story, playbook, quotes, kind="compliance", prefix="compliance.forbidden", speaker="rep")
    titles = {rule.id: rule.title for rule in playbook.signals}
    groups: dict[str, list[Heard]] = {}
    for moment in moments:
        groups.setdefault(moment.label, []).append(moment)
    for label, group in groups.items():
        evidence = [moment.evidence for moment in group]
        values: dict[str, Text | str] = {"label": label_title(label, titles.get(label, "")), "count": str(len(group))}
        yield _finding("promise.forbidden", label, "high", evidence, values=values)


def _objections(rows: Sequence[ObjectionRow], *, is_complete: bool) -> Iterator[Finding]:
    for row in rows:
        values: dict[str, Text | str] = {"label": row.title}
        if row.answer is None and is_complete:
            yield _finding("objection.unanswered", row.label, "high", [row.evidence], values=values)
        elif row.answer and row.recovered is False:
            evidence = [part for part in (row.evidence, row.answer, row.reaction) if part]
            yield _finding("objection.not_recovered", row.label, "medium", evidence, values=values)


# --- behaviour ------------------------------------------------------------------------------------------------


def _talk_ratio(story: Story, measures: dict[str, Measure]) -> Iterator[Finding]:
    measure = measures["talk_ratio"]
    if measure.attention == "none" or measure.denominator < MIN_JUDGED_SPEECH_MS:
        return
    longest = sorted(turns.spoken(story.lines, "rep"), key=lambda line: -line.length_ms)[:SHOWN_EXAMPLES]
    evidence = sorted((whole(line) for line in longest), key=lambda item: item.start_ms)
    severity: Severity = "high" if measure.attention == "red" else "medium"
    span = Span(start_ms=0, end_ms=story.duration_ms)
    yield _finding("talk_ratio", "", severity, evidence, span=span, values={"value": f"{measure.value:.1%}"})


def _monologues(story: Story) -> Iterator[Finding]:
    amber_ms, red_ms = metrics.MONOLOGUE_BANDS_MS
    for run in turns.runs(story.lines, "rep", story.pauses):
        if run.span.length_ms > amber_ms:
            severity: Severity = "high" if run.span.length_ms > red_ms else "medium"
            ends = [run.lines[0], run.lines[-1]] if len(run.lines) > 1 else [run.lines[0]]
            values: dict[str, Text | str] = {"value": lengths(run.span.length_ms)}
            evidence = [whole(line) for line in ends]
            yield _finding("monologue", "", severity, evidence, span=run.span, values=values)


def _interruptions(story: Story) -> Iterator[Finding]:
    busy = turns.busiest_minute(turns.interruptions(story.lines))
    if len(busy) >= metrics.INTERRUPTIONS_AMBER_PER_MIN:
        evidence = [whole(line) for item in busy for line in (item.of, item.by)]
        yield _finding("interruptions", "", "medium", evidence, values={"value": str(len(busy))})


def _silences(story: Story) -> Iterator[Finding]:
    """Silences of 8 s and more, between the line before and the line after."""
    for span in turns.silences(story.lines, story.pauses):
        if span.length_ms >= metrics.DEAD_AIR_AMBER_MS:
            before = [line for line in story.lines if line.end_ms <= span.start_ms][-1:]
            after = [line for line in story.lines if line.start_ms >= span.end_ms][:1]
            evidence = [whole(line) for line in (*before, *after)]
            values: dict[str, Text | str] = {"value": lengths(span.length_ms)}
            yield _finding("dead_air", "", "medium", evidence, span=span, values=values)


def _pace(story: Story, measures: dict[str, Measure]) -> Iterator[Finding]:
    measure = measures["speech_rate_peak"]
    if measure.attention == "none":
        return
    language = "zh" if measure.unit == "chars_per_min" else "en"
    limit = msgspec.structs.replace(measure, value=metrics.SPEECH_RATE_AMBER[language])
    window = metrics.fastest_window(story.lines, language)
    values: dict[str, Text | str] = {
        "value": Text(en=amount(measure, "en"), zh=amount(measure, "zh")),
        "limit": Text(en=amount(limit, "en"), zh=amount(limit, "zh")),
    }
    evidence = [whole(line) for line in window]
    yield _finding("pace", "", "low", evidence, values=values)


def _patience(story: Story, measures: dict[str, Measure]) -> Iterator[Finding]:
    measure = measures["patience_ms"]
    if measure.attention == "none" or measure.denominator < MIN_GAPS:
        return
    waits = sorted(turns.gaps(story.lines, story.pauses), key=lambda pair: pair[1].start_ms - pair[0].end_ms)
    evidence = [whole(rep) for _, rep in sorted(waits[:SHOWN_EXAMPLES], key=lambda pair: pair[1].start_ms)]
    values: dict[str, Text | str] = {"value": lengths(measure.value or 0)}
    yield _finding("patience", "", "low", evidence, values=values)
