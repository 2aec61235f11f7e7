"""The procedure: what moves steps and stages, and what never does."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot.errors import NotFoundError
from copilot.events import Evidence, Signal, Speaker, StageChanged, StepChanged, StepState
from copilot.playbook.model import Due, Playbook, Stage, Step, Trigger
from copilot.sop.machine import NEXT, Change, Disorder, Sop

STAGES = ("opening", "discovery", "objection", "close")


def step(step_id: str, *, stage: str = "", due: Due | None = None, **more) -> Step:
    return Step(
        id=step_id,
        title=step_id,
        stage=stage or step_id.partition(".")[0],
        done_when=more.pop("done_when", Trigger(signal=step_id)),
        due=due,
        **more,
    )


def sop(*steps: Step) -> Sop:
    stages = tuple(Stage(id=stage, title=stage) for stage in STAGES)
    return Sop(Playbook(schema=1, id="test", version="1.0.0", title="Test", language="en", stages=stages, steps=steps))


def said(label: str, end_ms: int, *, speaker: Speaker = "rep", is_final: bool = True) -> Signal:
    evidence = Evidence(utterance_id=f"u{end_ms}", quote=label, start_ms=max(0, end_ms - 500), end_ms=end_ms)
    return Signal(label=label, speaker=speaker, evidence=evidence, score=1.0, is_final=is_final, detector="test")


def brief(changes: list[Change]) -> list[tuple[str, str, int]]:
    return [
        (change.step_id, change.state, change.at_ms)
        if isinstance(change, StepChanged)
        else (change.stage_id, f"entered from {change.previous or 'nothing'}", change.at_ms)
        for change in changes
    ]


INTRO = step("opening.intro")
NOTICE = step("opening.notice", due=Due(within_s=30, warn_s=10))


class TestSteps:
    def test_a_step_ticks_itself_when_said_and_enters_its_stage(self):
        machine = sop(INTRO)
        signal = said("opening.intro", 8_200)
        assert machine.observe(signal, 9_000) == [
            StepChanged(
                step_id="opening.intro", state="done", previous="pending", at_ms=8_200, evidence=signal.evidence
            ),
            StageChanged(stage_id="opening", previous="", at_ms=8_200, evidence=signal.evidence),
        ]
        assert (machine.stage, machine.steps_done, machine.states) == ("opening", 1, {"opening.intro": "done"})

    @pytest.mark.parametrize(
        "signal",
        [
            said("opening.intro", 5_000, speaker="customer"),
            said("opening.intro", 5_000, is_final=False),
            said("objection.price", 5_000),
            said("stage:nowhere", 5_000),
            said("applies:nothing", 5_000),
        ],
        ids=["the customer said it", "interim", "no step", "no stage", "no step to apply"],
    )
    def test_what_does_not_count(self, signal):
        machine = sop(INTRO)
        assert machine.observe(signal, 6_000) == []
        assert machine.states == {"opening.intro": "pending"}

    def test_a_step_of_the_customer_is_done_by_the_customer_only(self):
        agreed = step("close.agreed", done_when=Trigger(signal="close.agreed", speaker="customer"))
        assert sop(agreed).observe(said("close.agreed", 5_000), 6_000) == []
        assert sop(agreed).observe(said("close.agreed", 5_000, speaker="customer"), 6_000)

    def test_saying_it_again_changes_nothing(self):
        machine = sop(INTRO)
        machine.observe(said("opening.intro", 5_000), 6_000)
        assert machine.observe(said("opening.intro", 9_000), 9_500) == []

    def test_a_tick_by_hand_is_signed(self):
        machine = sop(INTRO)
        (change, stage) = machine.tick_by_hand("opening.intro", "anna", 7_000)
        assert change == StepChanged(step_id="opening.intro", state="done", previous="pending", at_ms=7_000, by="anna")
        assert stage == StageChanged(stage_id="opening", previous="", at_ms=7_000)

    def test_a_waiver_is_signed_and_has_a_reason(self):
        machine = sop(NOTICE)
        assert machine.waive("opening.notice", "anna", "called back", 7_000) == [
            StepChanged(
                step_id="opening.notice",
                state="waived",
                previous="pending",
                at_ms=7_000,
                by="anna",
                reason="called back",
            )
        ]
        assert machine.next_deadline_ms() is None
        assert machine.tick(99_000) == []

    def test_a_waived_step_that_is_said_anyway_is_done_and_never_late(self):
        machine = sop(NOTICE)
        machine.waive("opening.notice", "anna", "", 1_000)
        assert brief(machine.observe(said("opening.notice", 40_000), 41_000))[0] == ("opening.notice", "done", 40_000)

    def test_a_done_step_cannot_be_waived(self):
        machine = sop(INTRO)
        machine.tick_by_hand("opening.intro", "anna", 1_000)
        assert machine.waive("opening.intro", "anna", "", 2_000) == []

    @pytest.mark.parametrize(
        "act", [lambda m: m.tick_by_hand("no.such", "a", 0), lambda m: m.waive("no.such", "a", "", 0)]
    )
    def test_an_unknown_step_is_refused_by_name(self, act):
        with pytest.raises(NotFoundError) as caught:
            act(sop(INTRO))
        assert caught.value.code == "step.unknown"

    def test_after_the_end_nothing_falls_due(self):
        machine = sop(NOTICE)
        assert machine.next_deadline_ms() == 20_000
        machine.finish(10_000)
        assert machine.next_deadline_ms() is None
        assert machine.tick(60_000) == []

    def test_what_is_open_at_the_end_was_skipped(self):
        machine = sop(INTRO, NOTICE, step("close.ask", applies_when=Trigger(signal="x")), step("close.recap"))
        machine.observe(said("opening.intro", 5_000), 5_000)
        machine.tick(31_000)
        machine.waive("close.recap", "anna", "", 32_000)
        assert brief(machine.finish(60_000)) == [("opening.notice", "skipped", 60_000)]
        assert machine.states == {
            "opening.intro": "done",
            "opening.notice": "skipped",
            "close.ask": "not_applicable",
            "close.recap": "waived",
        }


class TestDeadlines:
    def test_warned_then_overdue_then_done_late(self):
        machine = sop(NOTICE)
        assert machine.next_deadline_ms() == machine.next_deadline_ms() == 20_000
        assert machine.tick(19_999) == []
        assert brief(machine.tick(20_500)) == [("opening.notice", "warned", 20_000)]
        assert machine.next_deadline_ms() == 30_000
        assert brief(machine.tick(30_000)) == [("opening.notice", "overdue", 30_000)]
        assert machine.next_deadline_ms() is None
        late = machine.observe(said("opening.notice", 33_000), 34_000)
        assert brief(late)[0] == ("opening.notice", "done_late", 33_000)
        assert machine.steps_done == 1

    def test_a_slow_recogniser_makes_nobody_late(self):
        machine = sop(NOTICE)
        machine.tick(31_000)
        assert machine.states == {"opening.notice": "overdue"}
        assert brief(machine.observe(said("opening.notice", 29_900), 32_000))[0][1] == "done"

    def test_late_is_late_even_if_nobody_ticked(self):
        assert brief(sop(NOTICE).observe(said("opening.notice", 30_001), 32_000))[0][1] == "done_late"

    def test_the_deadline_itself_is_in_time(self):
        assert brief(sop(NOTICE).observe(said("opening.notice", 30_000), 32_000))[0][1] == "done"

    def test_without_warning_time_nobody_is_warned(self):
        machine = sop(step("opening.notice", due=Due(within_s=30)))
        assert machine.next_deadline_ms() == 30_000
        assert machine.tick(29_999) == []

    def test_time_counts_from_a_stage(self):
        machine = sop(step("discovery.need", due=Due(after="stage:discovery", within_s=10)))
        assert machine.next_deadline_ms() is None
        machine.observe(said("stage:discovery", 50_000), 50_400)
        assert machine.next_deadline_ms() == 60_000

    def test_time_counts_from_a_step(self):
        machine = sop(INTRO, step("opening.permission", due=Due(after="step:opening.intro", within_s=10)))
        assert machine.next_deadline_ms() is None
        machine.observe(said("opening.intro", 5_000), 5_500)
        assert brief(machine.tick(15_000)) == [("opening.permission", "overdue", 15_000)]

    def test_due_before_a_stage(self):
        machine = sop(step("opening.notice", due=Due(before_stage="discovery")), step("discovery.need"))
        changes = brief(machine.observe(said("discovery.need", 40_000), 41_000))
        assert changes == [
            ("discovery.need", "done", 40_000),
            ("discovery", "entered from nothing", 40_000),
            ("opening.notice", "overdue", 40_000),
        ]

    def test_a_stage_that_is_jumped_over_is_reached_too(self):
        notice = step("opening.notice", due=Due(before_stage="discovery"))
        machine = sop(notice, step("close.ask"))
        assert brief(machine.observe(said("close.ask", 9_000), 9_500))[2:] == [("opening.notice", "overdue", 9_000)]

    def test_a_stage_that_words_of_the_customer_lead_to_leaves_nothing_behind(self):
        stages = tuple(
            Stage(id=each, title=each, enter_when=Trigger(signal=f"stage:{each}") if each == "objection" else None)
            for each in STAGES
        )
        notice = step("opening.notice", due=Due(before_stage="discovery"))
        book = Playbook(
            schema=1, id="test", version="1.0.0", title="Test", language="en", stages=stages, steps=(notice,)
        )
        machine = Sop(book)
        assert brief(machine.observe(said("stage:objection", 9_000, speaker="customer"), 9_500)) == [
            ("objection", "entered from nothing", 9_000)
        ]
        assert machine.states == {"opening.notice": "pending"}

    def test_due_before_the_end(self):
        machine = sop(step("close.next_step", due=Due(before_end=True)))
        assert machine.next_deadline_ms() is None
        assert brief(machine.observe(said("ending", 80_000), 81_000)) == [("close.next_step", "overdue", 80_000)]
        assert machine.observe(said("ending", 85_000, speaker="customer"), 86_000) == []
        assert brief(machine.observe(said("close.next_step", 84_000), 86_000))[0][1] == "done_late"

    def test_the_earliest_of_several_deadlines_counts(self):
        machine = sop(step("opening.notice", due=Due(within_s=60, before_end=True)))
        machine.observe(said("ending", 20_000), 20_500)
        assert machine.states == {"opening.notice": "overdue"}


class TestApplicability:
    HANDLED = step("objection.handled", applies_when=Trigger(signal="x"), due=Due(within_s=20))

    def test_a_step_applies_from_then_on_and_its_time_runs_from_then(self):
        machine = sop(self.HANDLED)
        assert machine.next_deadline_ms() is None
        assert machine.tick(60_000) == []
        assert brief(machine.observe(said("applies:objection.handled", 70_000, speaker="customer"), 71_000)) == [
            ("objection.handled", "pending", 70_000)
        ]
        assert machine.next_deadline_ms() == 90_000

    def test_applying_twice_is_applying_once(self):
        machine = sop(self.HANDLED)
        machine.observe(said("applies:objection.handled", 70_000), 70_000)
        assert machine.observe(said("applies:objection.handled", 75_000), 75_000) == []
        assert machine.next_deadline_ms() == 90_000

    def test_what_was_said_before_it_applied_does_not_count(self):
        machine = sop(self.HANDLED)
        assert machine.observe(said("objection.handled", 60_000), 61_000) == []
        assert brief(machine.observe(said("applies:objection.handled", 70_000), 71_000)) == [
            ("objection.handled", "pending", 70_000)
        ]

    def test_what_was_said_after_but_heard_before_counts(self):
        machine = sop(self.HANDLED)
        machine.observe(said("objection.handled", 74_000), 75_000)
        assert brief(machine.observe(said("applies:objection.handled", 70_000), 76_000)) == [
            ("objection.handled", "pending", 70_000),
            ("objection.handled", "done", 74_000),
            ("objection", "entered from nothing", 74_000),
        ]

    def test_ticking_by_hand_makes_it_apply(self):
        machine = sop(self.HANDLED)
        states = [change[1] for change in brief(machine.tick_by_hand("objection.handled", "anna", 5_000))]
        assert states == ["pending", "done", "entered from nothing"]

    def test_it_can_be_waived_in_advance(self):
        machine = sop(self.HANDLED)
        machine.waive("objection.handled", "anna", "", 1_000)
        assert machine.observe(said("applies:objection.handled", 70_000), 70_000) == []


class TestStages:
    def enter(self, *labels: str) -> tuple[Sop, list[str]]:
        machine = sop(*(step(f"{stage}.{name}") for stage in STAGES for name in ("one", "two")))
        path = []
        for index, label in enumerate(labels):
            changes = machine.observe(said(label, 1_000 * (index + 1)), 1_000 * (index + 1))
            path += [change.stage_id for change in changes if isinstance(change, StageChanged)]
        return machine, path

    def test_stages_follow_the_steps(self):
        machine, path = self.enter("opening.one", "opening.two", "discovery.one", "close.one")
        assert path == ["opening", "discovery", "close"]
        assert machine.stage == "close"

    def test_a_stage_that_was_jumped_over_can_still_be_entered(self):
        assert self.enter("opening.one", "stage:objection", "discovery.one")[1] == ["opening", "objection", "discovery"]

    def test_catching_up_on_a_step_does_not_drag_the_call_back(self):
        assert self.enter("opening.one", "discovery.one", "close.one", "discovery.two")[1][-1] == "close"

    def test_a_conversation_may_go_back_when_its_words_say_so_and_forward_again_by_a_step(self):
        path = self.enter("objection.one", "close.one", "stage:objection", "close.one")[1]
        assert path == ["objection", "close", "objection", "close"]

    def test_a_call_opens_once(self):
        assert self.enter("opening.one", "discovery.one", "stage:opening")[1] == ["opening", "discovery"]

    def test_the_current_stage_is_not_entered_again(self):
        assert self.enter("stage:objection", "stage:objection")[1] == ["objection"]


class TestOrder:
    ASK = step("close.ask", requires=("discovery.need",))
    NEED = step("discovery.need")

    def test_done_in_order_is_no_disorder(self):
        machine = sop(self.NEED, self.ASK)
        machine.observe(said("discovery.need", 5_000), 5_000)
        machine.observe(said("close.ask", 9_000), 9_000)
        assert machine.disorders == ()

    def test_done_before_what_it_requires_counts_as_done_and_is_kept(self):
        machine = sop(self.NEED, self.ASK)
        machine.observe(said("close.ask", 5_000), 5_000)
        assert machine.states["close.ask"] == "done"
        assert machine.disorders == (Disorder(step_id="close.ask", requires="discovery.need", at_ms=5_000),)
        machine.observe(said("discovery.need", 9_000), 9_000)
        assert machine.disorders == (
            Disorder(step_id="close.ask", requires="discovery.need", at_ms=5_000, required_ms=9_000),
        )

    def test_the_order_is_that_of_speech_not_of_recognition(self):
        machine = sop(self.NEED, self.ASK)
        machine.observe(said("close.ask", 9_000), 9_500)
        machine.observe(said("discovery.need", 5_000), 9_600)
        assert machine.disorders == ()

    def test_an_excused_step_is_not_missed(self):
        machine = sop(self.NEED, self.ASK)
        machine.waive("discovery.need", "anna", "", 1_000)
        machine.observe(said("close.ask", 5_000), 5_000)
        assert machine.disorders == ()


class TestTable:
    def test_done_is_for_good(self):
        assert not {"done", "done_late", "skipped"} & {state for state, _ in NEXT}

    def test_every_state_can_be_reached(self):
        reached = {"pending", "not_applicable", *NEXT.values()}
        assert reached == set(get_args(StepState))


STEPS = (
    step("opening.intro", due=Due(within_s=20, warn_s=5)),
    step("opening.notice", due=Due(before_stage="discovery")),
    step("discovery.need", due=Due(after="stage:discovery", within_s=10), requires=("opening.intro",)),
    step("objection.handled", applies_when=Trigger(signal="x"), due=Due(within_s=10)),
    step("close.next_step", due=Due(before_end=True)),
)
LABELS = [each.id for each in STEPS] + ["stage:objection", "stage:opening", "applies:objection.handled", "ending"]
TIMES = st.integers(0, 60_000)
SPEECH = st.lists(
    st.builds(
        said, st.sampled_from(LABELS), TIMES, speaker=st.sampled_from(["rep", "customer"]), is_final=st.booleans()
    ),
    max_size=25,
).map(lambda signals: sorted(signals, key=lambda signal: signal.evidence.end_ms))


def test_time_in_which_nobody_listened_counts_for_no_deadline():
    machine = sop(NOTICE)
    machine.begin(0)
    machine.unheard(5_000, 65_000)
    assert machine.tick(79_999) == []
    assert brief(machine.tick(80_000)) == [("opening.notice", "warned", 80_000)]
    assert brief(machine.tick(90_000)) == [("opening.notice", "overdue", 90_000)]
    assert brief(machine.observe(said("opening.notice", 89_000), 91_000))[0] == ("opening.notice", "done", 89_000)


def test_a_deadline_that_was_over_or_had_not_begun_is_where_it_was():
    machine = sop(NOTICE)
    machine.begin(0)
    assert brief(machine.tick(30_000))[-1] == ("opening.notice", "overdue", 30_000)
    machine.unheard(31_000, 60_000)
    assert brief(machine.observe(said("opening.notice", 61_000), 61_000))[0] == ("opening.notice", "done_late", 61_000)
    later = sop(NOTICE)
    later.unheard(0, 20_000)
    later.begin(20_000)
    assert later.tick(39_999) == []
    assert brief(later.tick(40_000)) == [("opening.notice", "warned", 40_000)]


def states_after(signals: list[Signal], ticks: set[int]) -> tuple[dict[str, StepState], str]:
    """Live through the signals, ticking at those moments too."""
    machine = sop(*STEPS)
    for signal in signals:
        for at_ms in sorted(ticks):
            if at_ms < signal.evidence.end_ms:
                machine.tick(at_ms)
        machine.observe(signal, signal.evidence.end_ms)
    machine.finish(60_001)
    return machine.states, machine.stage


@settings(deadline=None)
@given(SPEECH, st.sets(TIMES, max_size=10))
def test_when_it_is_looked_at_changes_nothing_in_the_end(signals, ticks):
    assert states_after(signals, ticks) == states_after(signals, set())


@settings(deadline=None)
@given(
    SPEECH, st.lists(st.tuples(TIMES, st.sampled_from(["tick", "waive", "hand"]), st.sampled_from(STEPS)), max_size=15)
)
def test_states_move_along_the_table_only(signals, acts):
    machine = sop(*STEPS)
    states = machine.states
    happenings = [(signal.evidence.end_ms, "say", signal) for signal in signals] + acts
    for at_ms, what, thing in sorted(happenings, key=lambda happening: happening[0]):
        changes = {
            "say": lambda thing=thing, at_ms=at_ms: machine.observe(thing, at_ms),
            "tick": lambda at_ms=at_ms: machine.tick(at_ms),
            "waive": lambda thing=thing, at_ms=at_ms: machine.waive(thing.id, "anna", "", at_ms),
            "hand": lambda thing=thing, at_ms=at_ms: machine.tick_by_hand(thing.id, "anna", at_ms),
        }[what]()
        for change in changes:
            if isinstance(change, StepChanged):
                assert change.previous == states[change.step_id]
                assert change.state in {after for (before, _), after in NEXT.items() if before == change.previous}
                states[change.step_id] = change.state
        assert states == machine.states
        due_ms = machine.next_deadline_ms()
        assert due_ms is None or due_ms > at_ms
    machine.finish(60_001)
    assert set(machine.states.values()) <= {"done", "done_late", "skipped", "not_applicable", "waived"}


@settings(deadline=None)
@given(SPEECH)
def test_what_is_done_stays_done_and_nothing_is_overdue_before_it_was_warned_of(signals):
    machine = sop(*STEPS)
    done, stages = 0, 0
    history: dict[str, list[StepState]] = {}
    for signal in signals:
        for change in machine.observe(signal, signal.evidence.end_ms):
            if isinstance(change, StepChanged):
                history.setdefault(change.step_id, []).append(change.state)
            else:
                stages += 1
                assert change.stage_id == machine.stage or stages > 1
        assert machine.steps_done >= done
        done = machine.steps_done
    for states in history.values():
        assert len(states) == len(set(states)), "no state is entered twice"
        assert "warned" not in states or "overdue" not in states or states.index("warned") < states.index("overdue")
        assert not {"done", "done_late"} & set(states[:-1]), "done is the last of it"
