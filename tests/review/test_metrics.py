"""Each metric on a conversation small enough to count by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.events import Evidence
from copilot.review import metrics, turns
from copilot.review.forms import is_backchannel
from copilot.review.model import Line, ObjectionRow, Pause, Span, StepRow, Text


def talk(*rows: tuple[str, float, float, str]) -> list[Line]:
    return [
        Line(
            utterance_id=f"u{index}",
            speaker="rep" if speaker == "r" else "customer",
            start_ms=round(start * 1000),
            end_ms=round(end * 1000),
            text=text,
            is_backchannel=is_backchannel(text, round((end - start) * 1000)),
        )
        for index, (speaker, start, end, text) in enumerate(rows)
    ]


def hold(start_s: float, end_s: float) -> Pause:
    return Pause(span=Span(start_ms=round(start_s * 1000), end_ms=round(end_s * 1000)), reason="hold", paused_ms=1)


def parts(measure):
    return measure.numerator, measure.denominator, measure.value, measure.attention


def test_talk_ratio_counts_a_speakers_overlaps_once():
    lines = talk(("r", 0, 6, "a"), ("r", 4, 7, "b"), ("c", 8, 11, "c"))
    assert parts(metrics.talk_ratio(lines)) == (7000, 10_000, 0.7, "red")
    assert parts(metrics.talk_ratio(lines, Span(start_ms=5000, end_ms=9000))) == (2000, 3000, 0.6667, "red")
    assert parts(metrics.talk_share(lines, 14_000))[2] == 0.5
    assert parts(metrics.customer_share(lines, 12_000))[2] == 0.25
    assert metrics.talk_ratio([]).value is None


@pytest.mark.parametrize(("rep_s", "attention"), [(6.0, "none"), (6.2, "amber"), (6.6, "red")])
def test_talk_ratio_bands(rep_s, attention):
    lines = talk(("r", 0, rep_s, "a"), ("c", 10, 20 - rep_s, "b"))
    assert metrics.talk_ratio(lines).attention == attention


def test_monologue_survives_backchannels_and_ends_at_own_pause_turn_or_hold():
    lines = talk(
        ("r", 0, 30, "a"), ("c", 29, 29.5, "嗯"), ("r", 31, 61, "b"), ("r", 63, 70, "c"), ("c", 70.2, 72, "but I")
    )
    assert parts(metrics.longest_monologue_ms(lines)) == (61_000, 2, 61_000, "amber")
    assert metrics.longest_monologue_ms(lines, [hold(30.2, 30.8)]).value == 30_000
    assert metrics.longest_monologue_ms(talk(("r", 0, 121, "a"))).attention == "red"
    assert parts(metrics.longest_monologue_ms([])) == (0, 0, None, "none")
    assert parts(metrics.longest_customer_story_ms(lines)) == (1800, 1, 1800, "none")
    assert metrics.longest_customer_story_ms([]).value is None


def test_interactivity_ignores_backchannels():
    lines = talk(("r", 0, 5, "a"), ("c", 5, 5.5, "嗯"), ("r", 6, 9, "b"), ("c", 9, 12, "c"), ("r", 12, 13, "d"))
    assert parts(metrics.interactivity(lines, 30_000))[:3] == (2, 0.5, 4.0)
    assert metrics.interactivity([], 0).value is None


def test_patience_is_the_median_of_positive_gaps():
    lines = talk(
        ("c", 0, 1, "a"), ("r", 1.1, 2, "b"), ("c", 2, 4, "c"), ("r", 3.5, 5, "d"), ("c", 5, 6, "e"), ("r", 6.3, 7, "f")
    )
    assert parts(metrics.patience_ms(lines)) == (200, 2, 200, "amber")
    assert metrics.patience_ms(lines, [hold(6.1, 6.2)]).value == 100
    assert parts(metrics.patience_ms([])) == (0, 0, None, "none")


def test_interruption_needs_half_a_second_of_overlap_and_real_words():
    lines = talk(
        ("c", 0, 10, "a"),
        ("r", 4, 4.7, "uh-huh"),
        ("r", 9.6, 12, "too short an overlap"),
        ("c", 20, 30, "b"),
        ("r", 29.5, 33, "an interruption"),
        ("c", 32, 34, "the customer's turn to interrupt"),
    )
    assert parts(metrics.interruptions_per_min(lines, 60_000)) == (1, 1.0, 1.0, "none")
    assert metrics.interrupted_per_min(lines, 60_000).numerator == 1


def test_three_interruptions_within_a_minute_draw_attention():
    def at(*starts: float) -> list[Line]:
        return talk(*[row for s in starts for row in (("c", s, s + 5, "a"), ("r", s + 3, s + 6, "b"))])

    assert metrics.interruptions_per_min(at(0, 20, 40), 600_000).attention == "amber"
    assert metrics.interruptions_per_min(at(0, 40, 80), 600_000).attention == "none"


def test_dead_air_is_more_than_three_seconds_and_not_a_hold():
    lines = talk(("r", 0, 10, "a"), ("c", 2, 3, "b"), ("r", 13, 14, "c"), ("c", 22, 23, "d"))
    assert parts(metrics.dead_air_ms(lines)) == (8000, 1, 8000, "none")
    assert parts(metrics.longest_silence_ms(lines)) == (8000, 1, 8000, "amber")
    assert metrics.dead_air_share(lines, 32_000).value == 0.25
    assert metrics.dead_air_ms(lines, [hold(17, 18)]).numerator == 4000
    assert metrics.longest_silence_ms(lines, [hold(15, 20)]).value == 0
    assert metrics.dead_air_ms([]).value is None
    assert metrics.longest_silence_ms([]).value is None


def test_speech_rate_by_language_and_over_the_fastest_half_minute():
    slow = talk(("r", 0, 30, " ".join(["word"] * 60)), ("r", 40, 70, " ".join(["word"] * 95)), ("c", 70, 80, "x y z"))
    assert parts(metrics.speech_rate(slow, "en"))[:3] == (155, 1.0, 155.0)
    assert parts(metrics.speech_rate_peak(slow, "en")) == (95, 0.5, 190.0, "amber")
    assert metrics.speech_rate_peak(talk(("r", 0, 60, "字" * 290)), "zh").attention == "none"
    assert metrics.speech_rate_peak(talk(("r", 0, 12, "字" * 62)), "zh").attention == "amber"
    assert metrics.speech_rate_peak(talk(("r", 0, 9, "字" * 62)), "zh").attention == "none"
    assert metrics.speech_rate([], "en").value is None


def test_question_rates():
    lines = talk(("r", 0, 5, "What do you need? Is it today?"), ("c", 5, 6, "Why?"), ("r", 6, 7, "How many?"))
    assert parts(metrics.question_rate(lines, 300_000))[:3] == (3, 0.5, 6.0)
    assert metrics.open_question_rate(lines, 600_000).value == 2
    assert metrics.closed_question_rate(lines, 600_000).value == 1
    assert metrics.open_question_share(lines).value == 0.6667
    assert metrics.open_question_share([]).value is None


# --- the procedure --------------------------------------------------------------------------------------------


def step(name: str, verdict: str, at_ms: int | None = None, *, deadline_ms=None, critical=False, weight=1.0) -> StepRow:
    evidence = None if at_ms is None else Evidence(utterance_id="u", quote="q", start_ms=at_ms, end_ms=at_ms)
    return StepRow(
        step_id=name,
        title=name,
        stage="s",
        stage_title="S",
        critical=critical,
        weight=weight,
        state="pending",
        verdict=verdict,
        at_ms=at_ms,
        deadline_ms=deadline_ms,
        asked=Span(start_ms=0, end_ms=1),
        evidence=evidence,
        by="",
        violates=(),
        unprepared=(),
        hint="",
    )


def test_coverage_is_weighted_and_leaves_out_what_does_not_apply():
    steps = [
        step("a", "done", 1, weight=2),
        step("b", "done_late", 2),
        step("c", "missing"),
        step("d", "waived", weight=9),
        step("e", "not_applicable", weight=9),
        step("f", "undetermined"),
    ]
    assert parts(metrics.sop_coverage(steps))[:3] == (3, 5, 0.6)
    assert metrics.sop_coverage([]).value is None


def test_order_is_the_share_of_pairs_in_order():
    steps = [step("a", "done", 30), step("b", "done", 10), step("c", "done", 30), step("d", "missing")]
    assert parts(metrics.sop_order(steps))[:3] == (2, 3, 0.6667)
    assert metrics.sop_order(steps[:1]).value is None


@given(st.permutations(range(6)))
def test_order_is_one_minus_the_kendall_distance(moments):
    swaps, todo = 0, list(moments)
    while todo != sorted(todo):
        at = next(index for index in range(5) if todo[index] > todo[index + 1])
        todo[at], todo[at + 1] = todo[at + 1], todo[at]
        swaps += 1
    steps = [step(str(index), "done", moment) for index, moment in enumerate(moments)]
    assert metrics.sop_order(steps).value == pytest.approx(1 - swaps / 15, abs=1e-4)


def test_timeliness_counts_missed_deadlines():
    steps = [
        step("a", "done", 1, deadline_ms=5),
        step("b", "done_late", 9, deadline_ms=5),
        step("c", "missing", deadline_ms=5),
        step("d", "undetermined", deadline_ms=5),
        step("e", "done", 9),
    ]
    assert parts(metrics.sop_timeliness(steps))[:3] == (1, 3, 0.3333)


def ratio(value: float | None):
    return metrics.sop_coverage([]) if value is None else metrics._ratio("x", value * 100, 100)


@pytest.mark.parametrize(
    ("coverage", "order", "timeliness", "critical", "level"),
    [
        (0.39, 1.0, 1.0, False, 1),
        (0.40, 1.0, 1.0, False, 2),
        (0.60, 0.0, 0.0, True, 2),
        (0.60, 0.0, 0.0, False, 3),
        (0.80, 0.79, 1.0, False, 3),
        (0.80, 0.80, 0.0, False, 4),
        (0.95, 0.80, 0.79, False, 4),
        (0.90, 0.80, 0.80, False, 5),
        (0.90, None, None, False, 5),
        (0.95, 1.0, 1.0, True, 2),
        (None, None, None, False, None),
    ],
)
def test_maturity_levels(coverage, order, timeliness, critical, level):
    steps = [step("a", "done", 1), step("b", "missing", critical=critical)]
    found = metrics.sop_maturity(steps, ratio(coverage), ratio(order), ratio(timeliness), is_complete=True)
    assert found.level == level
    assert found.critical_missed == (("b",) if critical else ())
    assert not found.is_provisional


def test_recovery_leaves_out_what_is_undetermined():
    evidence = Evidence(utterance_id="u", quote="q", start_ms=0, end_ms=1)
    rows = [
        ObjectionRow(
            label="x", title=Text(en="", zh=""), evidence=evidence, answer=None, reaction=None, recovered=known
        )
        for known in (True, False, None)
    ]
    assert parts(metrics.objection_recovery(rows))[:3] == (1, 2, 0.5)


# --- turns ----------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from("rc"), st.integers(0, 50), st.integers(0, 9)), max_size=15))
def test_silence_and_speech_never_exceed_the_call(rows):
    lines = sorted(talk(*[(who, start, start + long, "word") for who, start, long in rows]), key=lambda x: x.start_ms)
    quiet = sum(span.length_ms for span in turns.silences(lines))
    assert quiet + turns.speech_ms(lines) <= 59_000
    assert sum(len(turn.lines) for turn in turns.turns(lines)) == len(lines)
    assert all(a.speaker != b.speaker for a, b in zip(turns.turns(lines), turns.turns(lines)[1:], strict=False))
