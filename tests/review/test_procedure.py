from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.review.procedure import longest_rising
from copilot.review.report import make_report
from copilot.wire import messages as wire
from tests.review.calls import TICK, Log, info, playbook

STAGES = [("one", "One"), ("two", "Two"), ("three", "Three")]
STEPS = [
    {"id": "a", "title": "A", "stage": "one", "due": {"within_s": 30}},
    {"id": "b", "title": "B", "stage": "two", "due": {"after": "step:a", "within_s": 20}},
    {"id": "c", "title": "C", "stage": "two", "due": {"after": "stage:two", "within_s": 5, "before_stage": "three"}},
    {"id": "d", "title": "D", "stage": "three", "requires": ["a"], "due": {"before_end": True}},
]
BOOK = playbook("en", STAGES, STEPS)
CONDITIONAL = playbook(
    "en", STAGES, [{"id": "x", "title": "X", "stage": "one", "applies_when": TICK, "due": {"within_s": 10}}]
)


def report_of(log: Log, at_s: float = 100, reason: str = "completed", book=BOOK):
    return make_report(info(), book, log.end(at_s, reason))


def rows(report):
    return {step.step_id: step for step in report.procedure.steps}


def codes(report):
    return [(item.code, item.subject, item.status) for item in report.deviations.content]


def test_deadlines_come_from_their_anchors():
    log = Log()
    first = log.rep(1, 4, "This is A.")
    log.step("a", "done", first, "This is A")
    log.stage("two", at_s=40)
    log.stage("three", at_s=42)
    found = rows(report_of(log))
    assert [found[name].deadline_ms for name in "abcd"] == [30_000, 24_000, 42_000, 100_000]
    assert found["a"].at_ms == 4000
    empty = rows(report_of(Log()))
    assert [empty[name].deadline_ms for name in "abcd"] == [30_000, None, None, 100_000]


def test_a_missing_step_shows_the_span_it_belonged_in_and_what_was_said_instead():
    log = Log()
    log.rep(1, 2, "Hello.")
    log.stage("two", at_s=10)
    log.rep(12, 14, "Something else.")
    log.stage("three", at_s=20)
    log.rep(22, 24, "Goodbye.")
    report = report_of(log, 30)
    found = rows(report)
    assert (found["b"].asked.start_ms, found["b"].asked.end_ms) == (10_000, 20_000)
    assert (found["c"].asked.start_ms, found["c"].asked.end_ms) == (10_000, 15_000)
    quotes = {item.subject: item.evidence[0].quote for item in report.deviations.content}
    assert quotes == {"a": "Goodbye.", "b": "Something else.", "c": "Something else.", "d": "Goodbye."}


def test_a_span_in_which_the_rep_was_silent_shows_the_last_words_of_the_call():
    log = Log()
    log.rep(50, 52, "Hello at last.")
    assert report_of(log).deviations.content[0].evidence[0].quote == "Hello at last."


def test_a_step_whose_words_were_revised_away_is_undetermined_unless_a_hand_ticked_it():
    log = Log()
    said = log.rep(1, 4, "Something else entirely.")
    log.step("a", "done", said, "This is A")
    log.step("b", "done", said, "This is B", by="ann")
    log.step("c", "done")
    log.step("d", "waived", by="ann")
    report = report_of(log)
    assert [step.verdict for step in report.procedure.steps] == ["undetermined", "done", "done", "waived"]
    assert codes(report) == [("step.undetermined", "a", "undetermined")]
    assert report.procedure.order.value is None


def test_words_that_turn_out_to_be_the_customers_do_not_tick_the_reps_step():
    log = Log()
    said = log.rep(1, 4, "This is A.")
    log.step("a", "done", said, "This is A")
    log.put(wire.RolesSwappedMessage, channels=("customer", "rep"))
    log.rep(5, 6, "Hello.")
    assert rows(report_of(log))["a"].verdict == "undetermined"


@pytest.mark.parametrize(
    ("stage", "reason", "verdict"),
    [("asr", "failed", "undetermined"), ("recognition", "late", "missing"), ("interim", "shed", "missing")],
)
def test_a_step_is_not_missing_when_nobody_could_hear_it(stage, reason, verdict):
    log = Log()
    log.rep(1, 2, "Hello.")
    log.put(wire.ServiceDegradedMessage, 5, stage=stage, reason=reason, lag_ms=9000)
    log.put(wire.ServiceRestored, 28, stage="other")
    log.put(wire.ServiceRestored, 29, stage=stage)
    assert rows(report_of(log))["a"].verdict == verdict


def test_an_interrupted_call_is_held_to_the_deadlines_that_passed():
    log = Log()
    log.rep(1, 2, "Hello.")
    found = rows(report_of(log, 40, "interrupted"))
    assert (found["a"].verdict, found["d"].verdict) == ("missing", "undetermined")


def done_at(**moments: int):
    log = Log()
    for name, at_s in moments.items():
        said = log.rep(at_s, at_s + 1, f"This is {name}.")
        log.step(name, "done", said, f"This is {name}")
    return report_of(log)


def test_out_of_order_names_the_step_that_is_out_of_place_and_which_way():
    early = done_at(d=1, a=10, b=20, c=25)
    assert rows(early)["d"].violates == ("a", "b", "c")
    assert codes(early) == [("step.unprepared", "d", "found")]
    late = done_at(b=10, c=15, d=18, a=20)
    assert [(item.code, item.subject) for item in late.deviations.content] == [
        ("step.unprepared", "d"),
        ("step.too_late", "a"),
    ]
    alone = done_at(a=1, c=5, b=8, d=20)
    assert [item.code for item in alone.deviations.content] in (["step.too_early"], ["step.too_late"])
    assert alone.procedure.order.value == 0.8333
    first = done_at(c=1, a=5, b=8)
    assert ("step.too_early", "c", "found") in codes(first)


@pytest.mark.parametrize(("at_s", "late"), [(33, "3.0 s"), (120, "1 min 30 s")])
def test_late_says_how_late(at_s, late):
    log = Log()
    said = log.rep(at_s - 1, at_s, "This is A.")
    log.step("a", "done_late", said, "This is A")
    (finding,) = [item for item in report_of(log, 200).deviations.content if item.code == "step.late"]
    assert finding.title.en == f"“A” came {late} late"


def test_a_late_step_without_a_known_deadline_or_words_is_no_finding():
    log = Log()
    said = log.rep(1, 2, "This is B.")
    log.step("b", "done_late", said, "This is B")
    log.step("a", "done_late")
    assert not [item for item in report_of(log).deviations.content if item.code == "step.late"]


def test_stages_are_visits():
    log = Log()
    log.stage("one", at_s=0)
    log.stage("two", at_s=10)
    log.stage("one", at_s=20)
    log.stage("unknown", at_s=30)
    found = report_of(log, 50).stages
    assert [(row.title, row.span.start_ms, row.span.end_ms) for row in found] == [
        ("One", 0, 10_000),
        ("Two", 10_000, 20_000),
        ("One", 20_000, 30_000),
        ("unknown", 30_000, 50_000),
    ]


def test_a_step_that_never_came_to_apply_is_not_asked_for():
    assert rows(report_of(Log(), book=CONDITIONAL))["x"].verdict == "not_applicable"


def test_a_conditional_step_has_its_time_from_when_it_applies():
    log = Log()
    log.rep(1, 2, "Hello.")
    log.put(wire.StepChangedMessage, 50, step_id="x", state="pending", previous="not_applicable")
    found = rows(report_of(log, book=CONDITIONAL))["x"]
    assert (found.verdict, found.deadline_ms, found.asked.start_ms) == ("missing", 60_000, 50_000)


def test_goodbye_is_the_deadline_of_what_must_come_before_the_end():
    log = Log()
    said = log.rep(10, 12, "Goodbye then.")
    log.signal("ending", said, "Goodbye", "rep")
    log.signal("ending", said, "something else", "rep")
    assert rows(report_of(log))["d"].deadline_ms == 12_000


def test_a_step_done_without_what_it_requires_is_unprepared():
    report = done_at(d=10)
    assert rows(report)["d"].unprepared == ("a",)
    assert ("step.unprepared", "d", "found") in codes(report)
    log = Log()
    said = log.rep(1, 2, "This is d.")
    log.step("d", "done", said, "This is d")
    log.step("a", "waived", by="ann")
    assert rows(report_of(log))["d"].unprepared == ()


@given(st.lists(st.integers(0, 9), max_size=8))
def test_longest_rising_rises_and_nothing_can_be_added(values):
    chain = longest_rising(values)
    picked = [values[index] for index in chain]
    assert picked == sorted(picked)
    assert chain == sorted(set(chain))
    assert not values or len(chain) >= 1
