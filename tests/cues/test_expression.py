"""Trigger expressions: when they happen, and when they do not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot.cues.expression import Condition
from copilot.cues.scene import REMEMBERED_UTTERANCES, Scene
from copilot.errors import LocalProtocolError
from copilot.playbook.model import (
    Absence,
    ContextTest,
    Count,
    EventTest,
    MetricTest,
    Ordered,
    Phrase,
    Seq,
    Trigger,
)
from tests.cues.scripts import entered, follow, heard, matches, metric, moment, stepped

A, B, C = Trigger(signal="a"), Trigger(signal="b"), Trigger(signal="c")


def event(kind: str, **more) -> Trigger:
    scope = {name: more.pop(name) for name in ("stage_scope", "speaker") if name in more}
    return Trigger(event=EventTest(is_=kind, **more), stage=scope.get("stage_scope", ()), speaker=scope.get("speaker"))


def signals(*labelled: tuple[str, int]) -> list:
    return [(at_ms, heard(label, at_ms)) for label, at_ms in labelled]


class TestSignal:
    def test_it_happens_when_it_is_heard_and_points_at_the_words(self):
        signal = heard("a", 1_000)
        (match,) = matches(A, [(1_500, heard("b", 1_000)), (1_800, signal)])
        assert (match.at_ms, match.signal, match.evidence, match.why) == (1_000, signal, signal.evidence, "why a")

    def test_once_for_an_utterance(self):
        assert follow(A, [(1_000, heard("a", 900, utterance="u")), (2_000, heard("a", 1_900, utterance="u"))]) == [900]

    @pytest.mark.parametrize(
        ("trigger", "times"),
        [
            (Trigger(signal="a", speaker="rep"), [2_000]),
            (Trigger(signal="a", language="zh"), [3_000]),
            (Trigger(signal="a", language="en"), [1_000, 2_000]),
            (Trigger(signal="a", language="auto"), [1_000, 2_000, 3_000]),
            (Trigger(any=(A, B), speaker="rep"), [2_000]),
            (Trigger(any=(A, B), language="zh"), [3_000]),
        ],
    )
    def test_scope(self, trigger, times):
        script = [
            (1_000, heard("a", 1_000)),
            (2_000, heard("a", 2_000, speaker="rep")),
            (3_000, heard("a", 3_000, quote="太贵了")),
        ]
        assert follow(trigger, script) == times

    def test_interim_text_counts_only_if_the_trigger_says_so(self):
        script = [(1_000, heard("a", 900, utterance="u", is_final=False)), (2_000, heard("a", 950, utterance="u"))]
        assert follow(A, script) == [950]
        assert follow(Trigger(signal="a", interim=True), script) == [900]
        assert follow(Trigger(any=(A,), interim=True), script) == [900]

    def test_what_is_remembered_must_be_final(self):
        twice = Trigger(count=Count(of=Trigger(signal="a", interim=True), n=2, within_s=60))
        script = [(at_ms, heard("a", at_ms, is_final=False)) for at_ms in (1_000, 2_000, 3_000)]
        assert follow(twice, script) == []

    def test_in_a_stage(self):
        script = [*signals(("a", 1_000)), (2_000, entered("discovery")), *signals(("a", 3_000))]
        assert follow(Trigger(signal="a", stage=("opening",)), script) == [1_000]
        assert follow(Trigger(signal="a", stage=("discovery", "close")), script) == [3_000]


class TestMetric:
    FAST = Trigger(metric=MetricTest(name="speech_rate", above=180.0))
    LONG = Trigger(metric=MetricTest(name="talk_ratio", above=0.6, sustained_s=10))

    def test_beyond_the_bound(self):
        script = [
            (at_ms, metric("speech_rate", value)) for at_ms, value in ((1_000, 180.0), (2_000, 180.5), (3_000, 250))
        ]
        assert follow(self.FAST, script) == [2_000]

    def test_below_the_bound(self):
        script = [(1_000, metric("patience_ms", 200.0)), (2_000, metric("patience_ms", 199.0))]
        assert follow(Trigger(metric=MetricTest(name="patience_ms", below=200.0)), script) == [2_000]

    def test_it_must_last(self):
        assert follow(self.LONG, [(1_000, metric("talk_ratio", 0.7)), (12_000, None)]) == [11_000]

    def test_a_lapse_begins_the_wait_anew(self):
        script = [(1_000, metric("talk_ratio", 0.7)), (9_000, metric("talk_ratio", 0.5))]
        script += [(10_000, metric("talk_ratio", 0.7)), (19_000, None), (25_000, None)]
        assert follow(self.LONG, script) == [20_000]

    def test_it_happens_again_only_after_a_lapse(self):
        values = [200, 210, 100, 190]
        script = [(1_000 * (i + 1), metric("speech_rate", value)) for i, value in enumerate(values)]
        assert follow(self.FAST, script) == [1_000, 4_000]

    def test_one_speaker_does_not_end_the_others(self):
        test = Trigger(metric=MetricTest(name="monologue_ms", above=60_000.0, sustained_s=5))
        script = [(1_000, metric("monologue_ms", 70_000, "rep")), (2_000, metric("monologue_ms", 0, "customer"))]
        assert follow(test, [*script, (10_000, None)]) == [6_000]

    def test_a_speaker_can_be_named(self):
        test = Trigger(metric=MetricTest(name="monologue_ms", above=60_000.0), speaker="rep")
        assert follow(test, [(1_000, metric("monologue_ms", 70_000, "customer"))]) == []
        assert follow(test, [(1_000, metric("monologue_ms", 70_000, "rep"))]) == [1_000]

    def test_the_second_speaker_to_get_there_adds_nothing(self):
        test = Trigger(metric=MetricTest(name="monologue_ms", above=60_000.0))
        script = [(1_000, metric("monologue_ms", 70_000, "rep")), (2_000, metric("monologue_ms", 70_000, "customer"))]
        assert follow(test, script) == [1_000]

    def test_the_reason_names_the_bound(self):
        (match,) = matches(self.LONG, [(0, metric("talk_ratio", 0.7)), (10_000, None)])
        assert match.why == "talk_ratio above 0.6"


class TestEvents:
    @pytest.mark.parametrize(
        ("trigger", "times"),
        [
            (event("stage_entered"), [1_000, 2_000]),
            (event("stage_entered", stage="close"), [2_000]),
            (event("step_warned", step="x"), [3_000]),
            (event("step_overdue"), [4_000]),
            (event("step_done", step="x"), [5_000]),
            (event("step_done"), [5_000, 6_000]),
            (event("elapsed", at_s=4.5), [4_500]),
            (event("elapsed"), [0]),
            (event("paused"), [7_000]),
            (event("resumed"), [8_000]),
            (event("dtmf"), [9_000]),
            (event("dtmf", speaker="customer"), [9_000]),
            (event("dtmf", speaker="rep"), []),
            (event("ending"), [10_000]),
        ],
    )
    def test_each(self, trigger, times):
        script = [
            (1_000, entered("discovery", 1_000)),
            (2_000, entered("close", 2_000)),
            (3_000, stepped("x", "warned", 3_000)),
            (4_000, stepped("x", "overdue", 4_000)),
            (5_000, stepped("x", "done_late", 5_000)),
            (6_000, stepped("y", "done", 6_000)),
            (7_000, moment("paused")),
            (8_000, moment("resumed")),
            (9_000, moment("dtmf", value="5", speaker="customer")),
            (10_000, moment("ending")),
        ]
        assert follow(trigger, script) == times

    def test_a_late_step_is_named(self):
        (match,) = matches(event("step_overdue"), [(4_000, stepped("x", "overdue", 3_900))])
        assert (match.at_ms, match.step_id, match.why, match.evidence) == (3_900, "x", "step_overdue x", None)


class TestContext:
    @pytest.mark.parametrize(
        ("test", "true"),
        [
            (ContextTest(field="tier", equals="gold"), True),
            (ContextTest(field="tier", equals="silver"), False),
            (ContextTest(field="tier", one_of=("silver", "gold")), True),
            (ContextTest(field="tier", one_of=("silver",)), False),
            (ContextTest(field="tier", present=True), True),
            (ContextTest(field="tier", present=False), False),
            (ContextTest(field="other", present=False), True),
            (ContextTest(field="other"), False),
            (ContextTest(field="tier"), True),
            (ContextTest(field="empty"), False),
            (ContextTest(field="tier", equals="gold", present=False), False),
        ],
    )
    def test_it_happens_once_at_the_start_if_it_is_true(self, test, true):
        script = [(1_000, None), (2_000, heard("a", 2_000))]
        assert follow(Trigger(context=test), script, tier="gold", empty="") == [0] * true


class TestAll:
    def test_signals_of_one_utterance(self):
        both = Trigger(all=(A, B))
        together = [(2_000, heard("a", 1_000, utterance="u")), (2_000, heard("b", 1_900, utterance="u"))]
        assert follow(both, together) == [1_900]
        assert follow(both, together[::-1]) == [1_000]
        assert follow(both, signals(("a", 1_000), ("b", 1_900))) == []

    def test_a_signal_while_something_holds(self):
        script = [*signals(("a", 1_000)), (2_000, None), *signals(("a", 3_000)), (3_500, moment("paused"))]
        script += [*signals(("a", 4_000)), (5_000, moment("resumed")), *signals(("a", 6_000))]
        assert follow(Trigger(all=(A, event("elapsed", at_s=2))), script) == [3_000, 4_000, 6_000]
        assert follow(Trigger(all=(A, event("paused"))), script) == [4_000]
        assert follow(Trigger(all=(A, event("resumed"))), script) == []
        assert follow(Trigger(all=(A, event("stage_entered", stage="opening"))), script) == [1_000, 3_000, 4_000, 6_000]
        assert follow(Trigger(all=(A, Trigger(context=ContextTest(field="vip")))), script, vip="yes") == [
            1_000,
            3_000,
            4_000,
            6_000,
        ]

    @pytest.mark.parametrize(
        ("level", "fact"),
        [
            (event("ending"), moment("ending")),
            (event("step_overdue", step="x"), stepped("x", "overdue")),
            (event("step_overdue"), stepped("x", "overdue")),
            (Trigger(metric=MetricTest(name="talk_ratio", above=0.6)), metric("talk_ratio", 0.7)),
            (Trigger(any=(event("ending"), event("step_done"))), stepped("y", "done")),
            (Trigger(all=(event("ending"), event("elapsed"))), moment("ending")),
            (Trigger(event=EventTest(is_="elapsed"), stage=("close",)), entered("close")),
        ],
    )
    def test_levels(self, level, fact):
        script = [*signals(("a", 1_000)), (2_000, fact), *signals(("a", 3_000))]
        assert follow(Trigger(all=(A, level)), script) == [3_000]

    def test_without_signals_it_happens_when_the_last_begins_to_hold(self):
        both = Trigger(all=(event("ending"), event("step_overdue", step="x")))
        assert follow(both, [(1_000, moment("ending")), (2_000, stepped("x", "overdue", 2_000))]) == [2_000]
        assert follow(both, [(1_000, stepped("x", "overdue", 1_000)), (2_000, moment("ending"))]) == [2_000]

    def test_a_key_pressed_holds_for_its_own_moment_only(self):
        both = Trigger(all=(event("dtmf"), event("ending")))
        assert follow(both, [(1_000, moment("dtmf")), (2_000, moment("ending"))]) == []
        assert follow(both, [(1_000, moment("ending")), (2_000, moment("dtmf"))]) == [2_000]


class TestNot:
    UNLESS = Trigger(all=(A, Trigger(not_=B)))

    def play(self, trigger, *labels):
        scene = Scene(first_stage="opening", context={})
        condition = Condition(trigger, scene)
        for label in labels:
            signal = heard(label, 1_000, utterance="u")
            scene.note(signal)
            assert condition.observe(signal, 1_500) is None
        scene.conclude("u")
        return condition.utterance_finished("u", 2_000)

    def test_it_is_judged_on_the_whole_utterance_whatever_comes_first(self):
        assert self.play(self.UNLESS, "a").at_ms == 1_000
        assert self.play(self.UNLESS, "a", "b") is None
        assert self.play(self.UNLESS, "b", "a") is None

    def test_another_utterance_is_another_matter(self):
        scene = Scene(first_stage="opening", context={})
        condition = Condition(self.UNLESS, scene)
        for utterance, label in (("u1", "b"), ("u2", "a")):
            signal = heard(label, 1_000, utterance=utterance)
            scene.note(signal)
            condition.observe(signal, 1_000)
        assert condition.utterance_finished("u1", 2_000) is None
        assert condition.utterance_finished("u2", 2_000)

    def test_what_was_only_interim_was_not_said(self):
        scene = Scene(first_stage="opening", context={})
        condition = Condition(Trigger(all=(A, Trigger(not_=Trigger(signal="b", interim=True)))), scene)
        for signal in (heard("b", 900, utterance="u", is_final=False), heard("a", 1_000, utterance="u")):
            scene.note(signal)
            assert condition.observe(signal, 1_500) is None
        scene.conclude("u")
        assert condition.utterance_finished("u", 2_000)

    def test_an_utterance_that_never_ends_is_forgotten(self):
        scene = Scene(first_stage="opening", context={})
        condition = Condition(self.UNLESS, scene)
        names = [f"u{i}" for i in range(REMEMBERED_UTTERANCES + 1)]
        for name in names:
            signal = heard("a", 1_000, utterance=name)
            scene.note(signal)
            condition.observe(signal, 1_000)
        assert scene.heard(names[0]) == ()
        assert condition.utterance_finished(names[0], 2_000) is None
        assert condition.utterance_finished(names[-1], 2_000)

    def test_an_unknown_utterance_ends_in_nothing(self):
        scene = Scene(first_stage="opening", context={})
        scene.conclude("u")
        assert Condition(self.UNLESS, scene).utterance_finished("u", 0) is None

    def test_it_filters_and_never_happens_by_itself(self):
        quiet = Trigger(not_=event("paused"))
        script = [*signals(("a", 1_000)), (2_000, moment("paused")), *signals(("a", 3_000)), (4_000, moment("resumed"))]
        assert follow(quiet, script) == []
        assert follow(Trigger(all=(A, quiet)), script) == [1_000]


class TestSeq:
    ABC = Trigger(seq=Seq(of=(A, B, C), within_s=10))

    @pytest.mark.parametrize(
        ("script", "times"),
        [
            ([("a", 1_000), ("b", 2_000), ("c", 3_000)], [3_000]),
            ([("a", 1_000), ("c", 2_000), ("b", 3_000)], []),
            ([("a", 1_000), ("b", 2_000), ("c", 11_000)], [11_000]),
            ([("a", 1_000), ("b", 2_000), ("c", 11_001)], []),
            ([("a", 1_000), ("a", 5_000), ("b", 6_000), ("c", 14_000)], [14_000]),
            ([("a", 1_000), ("b", 2_000), ("a", 9_000), ("c", 10_000), ("b", 11_000), ("c", 12_000)], [10_000]),
            ([("a", 1_000), ("b", 2_000), ("c", 3_000), ("c", 4_000)], [3_000]),
        ],
    )
    def test_in_order_and_in_time(self, script, times):
        assert follow(self.ABC, signals(*script)) == times

    def test_the_same_words_are_not_one_after_the_other(self):
        script = [(1_000, heard("a", 1_000, utterance="u")), (1_000, heard("b", 1_000, utterance="u"))]
        assert follow(Trigger(seq=Seq(of=(A, B), within_s=10)), script) == []

    def test_it_can_be_part_of_all(self):
        both = Trigger(all=(Trigger(seq=Seq(of=(A, B), within_s=10)), C))
        together = [(2_000, heard("b", 2_000, utterance="u")), (2_000, heard("c", 2_500, utterance="u"))]
        assert follow(both, [*signals(("a", 1_000)), *together]) == [2_500]
        assert follow(both, signals(("a", 1_000), ("b", 2_000), ("c", 3_000))) == []

    def test_it_can_hold_for_a_fact_without_words(self):
        both = Trigger(all=(Trigger(seq=Seq(of=(A, event("dtmf")), within_s=10)), event("elapsed", at_s=1)))
        assert follow(both, [*signals(("a", 2_000)), (3_000, moment("dtmf"))]) == [3_000]
        late = Trigger(all=(Trigger(seq=Seq(of=(A, event("dtmf")), within_s=10)), event("elapsed", at_s=5)))
        assert follow(late, [*signals(("a", 2_000)), (3_000, moment("dtmf")), (6_000, None)]) == []


class TestCount:
    def test_n_times_in_time_and_then_anew(self):
        thrice = Trigger(count=Count(of=A, n=3, within_s=10))
        times = [1_000, 2_000, 12_000, 12_500, 13_000, 14_000, 15_000, 16_000, 30_000]
        assert follow(thrice, signals(*(("a", at_ms) for at_ms in times))) == [13_000, 16_000]
        assert follow(thrice, signals(("a", 1_000), ("a", 2_000), ("a", 11_000), ("a", 12_001))) == [11_000]
        assert follow(thrice, signals(("a", 1_000), ("a", 2_000), ("a", 11_001), ("a", 12_000))) == [12_000]


class TestOrdered:
    def test_after(self):
        after = Trigger(after=Ordered(what=A, reference=B))
        assert follow(after, signals(("a", 1_000), ("b", 2_000), ("a", 90_000), ("a", 95_000))) == [90_000, 95_000]

    def test_after_within(self):
        after = Trigger(after=Ordered(what=A, reference=B, within_s=5))
        assert follow(after, signals(("b", 2_000), ("a", 7_000), ("a", 7_001))) == [7_000]

    def test_at_the_same_time_is_not_after(self):
        after = Trigger(after=Ordered(what=A, reference=B))
        assert follow(after, [(2_000, heard("b", 1_000)), (2_000, heard("a", 1_000))]) == []

    def test_before_is_known_at_once(self):
        before = Trigger(before=Ordered(what=A, reference=B))
        assert follow(before, signals(("a", 1_000), ("b", 2_000), ("a", 3_000), ("b", 4_000))) == [1_000]

    def test_before_is_a_matter_of_speech_not_of_recognition(self):
        before = Trigger(before=Ordered(what=A, reference=B))
        assert follow(before, [(3_000, heard("b", 2_000)), (3_100, heard("a", 1_000))]) == [1_000]

    def test_before_within_is_known_when_the_reference_happens(self):
        before = Trigger(before=Ordered(what=A, reference=B, within_s=5))
        assert follow(before, signals(("a", 1_000), ("b", 4_000), ("a", 10_000), ("b", 16_000))) == [4_000]


class TestAbsence:
    NEVER = Trigger(absence=Absence(of=A, within_s=10))
    NO_ANSWER = Trigger(absence=Absence(of=B, within_s=5, since=A))

    def test_from_the_start_of_the_call(self):
        assert follow(self.NEVER, [(30_000, None)]) == [10_000]
        assert follow(self.NEVER, [*signals(("a", 9_000)), (30_000, None)]) == []

    def test_since_something(self):
        question = heard("a", 1_000)
        (match,) = matches(self.NO_ANSWER, [(1_500, question), (9_000, None)])
        assert (match.at_ms, match.evidence, match.why) == (6_000, question.evidence, "why a; absent for 5 s")
        assert follow(self.NO_ANSWER, signals(("a", 1_000), ("b", 6_000), ("c", 20_000))) == []

    def test_every_time(self):
        script = signals(("a", 1_000), ("a", 10_000), ("b", 12_000), ("a", 20_000))
        assert follow(self.NO_ANSWER, [*script, (30_000, None)]) == [6_000, 25_000]

    def test_asking_again_does_not_lengthen_the_wait(self):
        assert follow(self.NO_ANSWER, [*signals(("a", 1_000), ("a", 4_000)), (30_000, None)]) == [6_000]

    def test_an_answer_from_before_the_question_is_none(self):
        script = [(1_500, heard("a", 1_000)), (1_600, heard("b", 500)), (9_000, None)]
        assert follow(self.NO_ANSWER, script) == [6_000]

    def test_an_answer_in_time_counts_although_it_is_heard_late(self):
        assert follow(self.NO_ANSWER, [(1_500, heard("a", 1_000)), (6_000, heard("b", 5_900)), (9_000, None)]) == []

    def test_an_answer_too_late_ends_the_absence_but_not_the_match(self):
        scene = Scene(first_stage="opening", context={})
        condition = Condition(Trigger(all=(self.NO_ANSWER, event("elapsed"))), scene)
        for pos_ms, signal, happens in ((1_500, heard("a", 1_000), False), (7_000, heard("b", 6_500), True)):
            scene.note(signal)
            assert bool(condition.observe(signal, pos_ms)) == happens

    def test_it_holds_until_what_was_awaited_comes(self):
        still = Trigger(all=(C, self.NO_ANSWER))
        script = [*signals(("c", 500), ("a", 1_000)), *signals(("c", 7_000), ("b", 8_000), ("c", 9_000))]
        assert follow(still, script) == [7_000]


class TestCompiling:
    @pytest.mark.parametrize(
        "trigger", [Trigger(phrase=Phrase(any=("price",))), Trigger(), Trigger(not_=Trigger(regex="x"))]
    )
    def test_words_must_have_been_compiled_away(self, trigger):
        with pytest.raises(LocalProtocolError) as caught:
            Condition(trigger, Scene(first_stage="opening", context={}))
        assert caught.value.code == "trigger.uncompiled"


TRIGGERS = st.recursive(
    st.sampled_from([A, B, event("ending"), event("elapsed", at_s=20), event("step_overdue"), event("dtmf")]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: Trigger(all=tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: Trigger(any=tuple(parts))),
        inner.map(lambda part: Trigger(not_=part)),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: Trigger(seq=Seq(of=tuple(parts), within_s=10))),
        inner.map(lambda part: Trigger(count=Count(of=part, n=2, within_s=10))),
        st.tuples(inner, inner).map(lambda two: Trigger(after=Ordered(what=two[0], reference=two[1]))),
        st.tuples(inner, inner).map(lambda two: Trigger(absence=Absence(of=two[0], since=two[1], within_s=5))),
    ),
    max_leaves=6,
)
FACTS = st.one_of(
    st.sampled_from(["a", "b"]).map(lambda label: lambda at_ms: heard(label, at_ms)),
    st.sampled_from(["ending", "dtmf"]).map(lambda kind: lambda at_ms: moment(kind)),
    st.just(lambda at_ms: stepped("x", "overdue", at_ms)),
)


@settings(deadline=None)
@given(TRIGGERS, st.lists(st.tuples(st.integers(0, 60_000), FACTS), max_size=20))
def test_deadlines_always_move_on(trigger, script):
    scene = Scene(first_stage="opening", context={})
    condition = Condition(trigger, scene)
    for pos_ms, make in sorted(script, key=lambda pair: pair[0]):
        fact = make(pos_ms)
        scene.note(fact)
        condition.observe(fact, pos_ms)
        due_ms = condition.next_deadline_ms()
        assert due_ms is None or due_ms > pos_ms
