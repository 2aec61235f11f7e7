"""The published metrics. Each function states its formula, numerator and denominator.

Attention bands are the project's defaults; ``docs/reference/metrics.md`` prints the same table.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Literal

from copilot.review import forms, turns
from copilot.review.model import Attention, Line, Maturity, Measure, ObjectionRow, Pause, Span, StepRow

TALK_RATIO_BANDS = (0.60, 0.65)
MONOLOGUE_BANDS_MS = (60_000, 120_000)
PATIENCE_AMBER_MS = 300
INTERRUPTIONS_AMBER_PER_MIN = 3
DEAD_AIR_AMBER_MS = 8_000
SPEECH_RATE_AMBER = {"en": 180, "zh": 300}
RATE_WINDOW_MS = 30_000
MIN_RATE_SPEECH_MS = 10_000
"""Below this much speech a rate says nothing, and no attention is drawn to it."""
MATURITY_COVERAGE = (0.40, 0.60, 0.80, 0.90)
MATURITY_ORDER = 0.8
MATURITY_TIMELINESS = 0.8

DONE = ("done", "done_late")
NOT_ASKED = ("not_applicable", "waived")


def _ratio(name: str, numerator: float, denominator: float, attention: Attention = "none") -> Measure:
    value = round(numerator / denominator, 4) if denominator else None
    return Measure(
        name=name,
        unit="share",
        kind="ratio",
        numerator=numerator,
        denominator=denominator,
        value=value,
        attention=attention,
    )


def _rate(
    name: str,
    count: float,
    duration_ms: int,
    *,
    unit: Literal["per_min", "per_10_min", "words_per_min", "chars_per_min"] = "per_min",
) -> Measure:
    """``count`` per minute (or ten minutes); the denominator is in that unit of time."""
    time = round(duration_ms / (600_000 if unit == "per_10_min" else 60_000), 4)
    value = round(count / time, 2) if time else None
    return Measure(name=name, unit=unit, kind="rate", numerator=count, denominator=time, value=value)


def _one(name: str, kind: Literal["median", "longest", "total"], value: float | None, looked_at: int) -> Measure:
    return Measure(name=name, unit="ms", kind=kind, numerator=value or 0, denominator=looked_at, value=value)


def _band(value: float | None, bands: tuple[float, float]) -> Attention:
    if value is None or value <= bands[0]:
        return "none"
    return "red" if value > bands[1] else "amber"


def _with(measure: Measure, attention: Attention) -> Measure:
    return Measure(
        name=measure.name,
        unit=measure.unit,
        kind=measure.kind,
        numerator=measure.numerator,
        denominator=measure.denominator,
        value=measure.value,
        attention=attention,
    )


# --- how it was said ------------------------------------------------------------------------------------------


def talk_ratio(lines: Sequence[Line], within: Span | None = None) -> Measure:
    """Rep speech / (rep speech + customer speech), in ms; silence excluded, a speaker's overlaps counted once.

    Above 0.60 amber, above 0.65 red. With one side silent the value stands but draws no attention: a channel may
    have been dead.
    """
    rep = turns.speech_ms([line for line in lines if line.speaker == "rep"], within)
    customer = turns.speech_ms([line for line in lines if line.speaker == "customer"], within)
    measure = _ratio("talk_ratio", rep, rep + customer)
    return _with(measure, _band(measure.value, TALK_RATIO_BANDS)) if rep and customer else measure


def talk_share(lines: Sequence[Line], duration_ms: int) -> Measure:
    """Rep speech / length of the call, in ms."""
    return _ratio("talk_share", turns.speech_ms([line for line in lines if line.speaker == "rep"]), duration_ms)


def customer_share(lines: Sequence[Line], duration_ms: int) -> Measure:
    """Customer speech / length of the call, in ms."""
    spoken = [line for line in lines if line.speaker == "customer"]
    return _ratio("customer_share", turns.speech_ms(spoken), duration_ms)


def longest_monologue_ms(lines: Sequence[Line], pauses: Sequence[Pause] = ()) -> Measure:
    """Longest rep run with no customer utterance except backchannels and no own pause of 2 s or more.

    Numerator: its length in ms, first word to last. Denominator: the number of runs. 60 s amber, 120 s red.
    """
    stretches = turns.runs(lines, "rep", pauses)
    best = turns.longest(stretches)
    value = best.span.length_ms if best else None
    return _with(_one("longest_monologue_ms", "longest", value, len(stretches)), _band(value, MONOLOGUE_BANDS_MS))


def longest_customer_story_ms(lines: Sequence[Line], pauses: Sequence[Pause] = ()) -> Measure:
    """The same for the customer; higher is better. Numerator: ms. Denominator: the number of runs."""
    stretches = turns.runs(lines, "customer", pauses)
    best = turns.longest(stretches)
    return _one("longest_customer_story_ms", "longest", best.span.length_ms if best else None, len(stretches))


def interactivity(lines: Sequence[Line], duration_ms: int) -> Measure:
    """Speaker switches / minutes of call, backchannels excluded."""
    return _rate("interactivity", max(0, len(turns.turns(lines)) - 1), duration_ms)


def patience_ms(lines: Sequence[Line], pauses: Sequence[Pause] = ()) -> Measure:
    """Median gap between the customer's end and the rep's start, gaps above 0 only; below 300 ms amber.

    Numerator: the median in ms. Denominator: the number of gaps.
    """
    waits = [rep.start_ms - customer.end_ms for customer, rep in turns.gaps(lines, pauses)]
    value = median(waits) if waits else None
    attention: Attention = "amber" if value is not None and value < PATIENCE_AMBER_MS else "none"
    return _with(_one("patience_ms", "median", value, len(waits)), attention)


def interruptions_per_min(lines: Sequence[Line], duration_ms: int) -> Measure:
    """Interruptions by the rep / minutes of call; 3 or more within some 60 s amber.

    An interruption: the rep starts while the customer speaks, both speak for 500 ms or more, and neither is a
    backchannel.
    """
    moments = turns.interruptions(lines)
    busy = len(turns.busiest_minute(moments)) >= INTERRUPTIONS_AMBER_PER_MIN
    return _with(_rate("interruptions_per_min", len(moments), duration_ms), "amber" if busy else "none")


def interrupted_per_min(lines: Sequence[Line], duration_ms: int) -> Measure:
    """Interruptions by the customer / minutes of call, by the same rule."""
    return _rate("interrupted_per_min", len(turns.interruptions(lines, "customer")), duration_ms)


def dead_air_ms(lines: Sequence[Line], pauses: Sequence[Pause] = ()) -> Measure:
    """Sum of the silences above 3 s between the first and the last words, holds excluded.

    Numerator: ms. Denominator: the number of silences.
    """
    spans = turns.silences(lines, pauses)
    return _one("dead_air_ms", "total", sum(span.length_ms for span in spans) if lines else None, len(spans))


def longest_silence_ms(lines: Sequence[Line], pauses: Sequence[Pause] = ()) -> Measure:
    """The longest of those silences; 8 s and more amber. Numerator: ms. Denominator: the number of silences."""
    lengths = [span.length_ms for span in turns.silences(lines, pauses)]
    value = max(lengths, default=0) if lines else None
    attention: Attention = "amber" if value is not None and value >= DEAD_AIR_AMBER_MS else "none"
    return _with(_one("longest_silence_ms", "longest", value, len(lengths)), attention)


def dead_air_share(lines: Sequence[Line], duration_ms: int, pauses: Sequence[Pause] = ()) -> Measure:
    """Dead air / length of the call, in ms."""
    return _ratio("dead_air_share", sum(span.length_ms for span in turns.silences(lines, pauses)), duration_ms)


def speech_rate(lines: Sequence[Line], language: str) -> Measure:
    """Words (en) or characters (zh) of the rep / minutes of the rep's speech, over the whole call."""
    spoken = [line for line in lines if line.speaker == "rep"]
    return _pace("speech_rate", spoken, language)


def speech_rate_peak(lines: Sequence[Line], language: str) -> Measure:
    """The same over the fastest trailing 30 s of the rep's speech; above 180 words or 300 characters a minute amber.

    Below 30 s of speech in all: over the whole of it; below 10 s no attention is drawn.
    """
    window = fastest_window(lines, language)
    measure = _pace("speech_rate_peak", window, language)
    enough = turns.speech_ms(window) >= MIN_RATE_SPEECH_MS
    fast = measure.value is not None and measure.value > SPEECH_RATE_AMBER[language]
    return _with(measure, "amber" if fast and enough else "none")


def fastest_window(lines: Sequence[Line], language: str) -> list[Line]:
    """The rep's lines in the fastest trailing 30 s of speech (whole lines, so a little more)."""
    spoken = [line for line in lines if line.speaker == "rep"]
    best, best_rate = spoken, -1.0
    for last in range(len(spoken)):
        first = last
        while first > 0 and turns.speech_ms(spoken[first : last + 1]) < RATE_WINDOW_MS:
            first -= 1
        window = spoken[first : last + 1]
        rate = _pace("", window, language).value or 0.0
        if turns.speech_ms(window) >= RATE_WINDOW_MS and rate > best_rate:
            best, best_rate = window, rate
    return best


def _pace(name: str, spoken: Sequence[Line], language: str) -> Measure:
    count = sum(forms.units(line.text, language) for line in spoken)
    unit: Literal["words_per_min", "chars_per_min"] = "chars_per_min" if language == "zh" else "words_per_min"
    return _rate(name, count, turns.speech_ms(spoken), unit=unit)


def question_rate(lines: Sequence[Line], duration_ms: int) -> Measure:
    """Questions of the rep / length of the call in units of 10 min."""
    return _rate("question_rate", sum(questions(lines)), duration_ms, unit="per_10_min")


def open_question_rate(lines: Sequence[Line], duration_ms: int) -> Measure:
    """Open questions of the rep (asked with a question word) / length of the call in units of 10 min."""
    return _rate("open_question_rate", questions(lines)[0], duration_ms, unit="per_10_min")


def closed_question_rate(lines: Sequence[Line], duration_ms: int) -> Measure:
    """Closed questions of the rep (yes/no or a choice) / length of the call in units of 10 min."""
    return _rate("closed_question_rate", questions(lines)[1], duration_ms, unit="per_10_min")


def open_question_share(lines: Sequence[Line]) -> Measure:
    """Open questions of the rep / all questions of the rep."""
    opened, closed = questions(lines)
    return _ratio("open_question_share", opened, opened + closed)


def questions(lines: Sequence[Line]) -> tuple[int, int]:
    """How many open and how many closed questions the rep asked."""
    kinds = [forms.question(sentence) for line in turns.spoken(lines, "rep") for sentence in forms.sentences(line.text)]
    return kinds.count("open"), kinds.count("closed")


# --- what was said --------------------------------------------------------------------------------------------


def sop_coverage(steps: Sequence[StepRow]) -> Measure:
    """Weight of steps done (late ones too) / weight of steps that apply (all but not-applicable and waived).

    An undetermined step applies and is not credited.
    """
    asked = [step for step in steps if step.verdict not in NOT_ASKED]
    done = [step for step in asked if step.verdict in DONE]
    return _ratio("sop_coverage", sum(step.weight for step in done), sum(step.weight for step in asked))


def sop_order(steps: Sequence[StepRow]) -> Measure:
    """1 - Kendall distance: pairs of done steps in the playbook's order / all pairs of done steps.

    ``steps`` come in the playbook's order. Steps done at the same moment are in order. Steps ticked by hand do not
    count: when a hand ticked is not when it was said. (M. G. Kendall, "A new measure of rank correlation", 1938.)
    """
    moments = [step.at_ms for step in steps if step.verdict in DONE and step.evidence and step.at_ms is not None]
    pairs = [(a, b) for index, a in enumerate(moments) for b in moments[index + 1 :]]
    return _ratio("sop_order", sum(a <= b for a, b in pairs), len(pairs))


def sop_timeliness(steps: Sequence[StepRow]) -> Measure:
    """Steps done before their deadline / steps with a deadline that were done, done late or missed."""
    due = [step for step in steps if step.verdict in (*DONE, "missing") and step.deadline_ms is not None]
    return _ratio("sop_timeliness", sum(step.verdict == "done" for step in due), len(due))


def sop_maturity(
    steps: Sequence[StepRow], coverage: Measure, order: Measure, timeliness: Measure, *, is_complete: bool
) -> Maturity:
    """L1 below 40 % coverage; L2 from 40; L3 from 60 and no critical miss; L4 from 80 and order >= 0.8; L5 from 90 and
    timeliness >= 0.8. Each level asks all that the levels below ask.

    Order with fewer than two done steps and timeliness without any deadline cannot fail. No level without a step
    that can be judged.
    """
    asked = [step for step in steps if step.verdict not in NOT_ASKED]
    missed = tuple(step.step_id for step in asked if step.critical and step.verdict not in DONE)
    judged = any(step.verdict != "undetermined" for step in asked)
    level: int | None = None
    if coverage.value is not None and judged:
        conditions = (
            coverage.value >= MATURITY_COVERAGE[0],
            coverage.value >= MATURITY_COVERAGE[1] and not missed,
            coverage.value >= MATURITY_COVERAGE[2] and (order.value is None or order.value >= MATURITY_ORDER),
            coverage.value >= MATURITY_COVERAGE[3]
            and (timeliness.value is None or timeliness.value >= MATURITY_TIMELINESS),
        )
        level = 1 + next((index for index, met in enumerate(conditions) if not met), len(conditions))
    return Maturity(level=level, is_provisional=not is_complete, critical_missed=missed)


def objection_recovery(rows: Sequence[ObjectionRow]) -> Measure:
    """Objections recovered / objections after which the customer spoke again (the others are undetermined)."""
    judged = [row for row in rows if row.recovered is not None]
    return _ratio("objection_recovery", sum(row.recovered is True for row in judged), len(judged))
