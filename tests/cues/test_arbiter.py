"""The attention budget: who may be seen, when, and why not."""

from __future__ import annotations

from itertools import count, pairwise
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot.cues.arbiter import Arbiter, Reason, Request, Ruling, Show, Supersede, Withhold
from copilot.playbook.model import Attention, Cue
from tests.cues.scripts import cue


class Room:
    """An arbiter and everything it has ruled: (when, card, ruling). Cards are named like their cues, plus a number."""

    def __init__(self, *, held_out: tuple[str, ...] = (), **attention) -> None:
        self.arbiter = Arbiter(Attention(**attention), frozenset(held_out))
        self.log: list[tuple[float, str, str]] = []
        self.now = 0.0
        self.numbers = count(1)
        self.visible: list[str] = []
        self.most_visible = 0
        self.cues: dict[str, Cue] = {}

    def at(self, now: float) -> Room:
        """Live until ``now``, ticking at every deadline on the way."""
        while (due := self.arbiter.next_deadline(self.now)) is not None and due <= now:
            assert due > self.now
            self.now = due
            self._add(self.arbiter.tick(due))
        self.now = now
        return self

    def ask(self, each: Cue, *, utterance: str = "", again: bool = False, vital: bool = False) -> str:
        card_id = f"{each.id}{next(self.numbers)}"
        self.cues[card_id] = each
        request = Request(card_id=card_id, cue=each, utterance_id=utterance, again=again, vital=vital)
        self._add(self.arbiter.ask(request, self.now))
        return card_id

    def gone(self, card_id: str) -> Room:
        self.visible = [each for each in self.visible if each != card_id]
        self.arbiter.gone(card_id)
        return self.tick()

    def tick(self) -> Room:
        return self._add(self.arbiter.tick(self.now))

    def speaks(self, is_speaking: bool) -> Room:
        self.arbiter.speaking(is_speaking, self.now)
        return self.tick()

    def _add(self, rulings: list[Ruling]) -> Room:
        for ruling in rulings:
            word = {Show: "shown", Supersede: "superseded"}.get(type(ruling)) or ruling.reason
            self.log.append((self.now, ruling.card_id, word))
            if word == "shown":
                self.visible.append(ruling.card_id)
            elif word == "superseded":
                self.visible.remove(ruling.card_id)
            self.most_visible = max(self.most_visible, len(self.visible))
        return self


X, Y, Z = cue("x"), cue("y"), cue("z")
BIG, HUGE = cue("big", priority=90), cue("huge", critical=True, priority=10)
WIDE = {"min_gap_s": 0, "max_visible": 5, "hold_s": 6}
FREE = {"min_gap_s": 0, "max_per_min": 60}


class TestBudget:
    def test_a_card_in_an_empty_room_is_shown_at_once(self):
        room = Room()
        room.ask(X)
        assert room.log == [(0.0, "x1", "shown")]

    def test_the_next_one_waits_for_the_gap(self):
        room = Room(min_gap_s=3)
        room.ask(X)
        room.at(1.0).ask(Y)
        assert room.at(10).log == [(0.0, "x1", "shown"), (3.0, "y2", "shown")]

    def test_it_gives_up_after_a_while(self):
        room = Room(min_gap_s=10, hold_s=6)
        room.ask(X)
        room.at(1.0).ask(Y)
        assert room.at(20).log[1:] == [(7.0, "y2", "min_gap")]

    def test_the_best_waiting_card_goes_first(self):
        room = Room(min_gap_s=3)
        room.ask(X)
        room.ask(Y)
        room.ask(BIG)
        assert [line[1:] for line in room.at(3).log] == [("x1", "shown"), ("big3", "shown")]

    def test_an_answer_goes_before_what_stays_true(self):
        room = Room(min_gap_s=3, max_visible=3)
        room.ask(X)
        room.ask(cue("step", priority=90, ttl_s=20), vital=True)
        room.at(1).ask(Y, utterance="u1")
        assert [line[1:] for line in room.at(6).log] == [("x1", "shown"), ("y3", "shown"), ("step2", "shown")]

    def test_a_snoozed_card_coming_back_is_no_answer(self):
        room = Room(min_gap_s=3)
        room.ask(X)
        room.ask(Y, utterance="u1", again=True)
        room.ask(BIG)
        assert room.at(3).log[1:] == [(3.0, "big3", "shown")]

    def test_no_more_than_so_many_visible(self):
        room = Room(**FREE, max_visible=2, hold_s=6)
        for each in (X, Y, Z):
            room.ask(each)
        assert room.at(6).log[2:] == [(6.0, "z3", "budget_visible")]

    def test_room_made_in_time_is_used(self):
        room = Room(**FREE, max_visible=1)
        first = room.ask(X)
        room.ask(Y)
        room.at(2).gone(first)
        assert room.log[1:] == [(2, "y2", "shown")]

    def test_a_better_card_takes_the_place_of_the_least(self):
        room = Room(**FREE, max_visible=2)
        for each in (BIG, X, Y):
            room.ask(each)
        room.ask(cue("more", priority=60))
        assert room.log[2:] == [(0.0, "x2", "superseded"), (0.0, "more4", "shown")]

    def test_no_more_than_so_many_a_minute(self):
        room = Room(min_gap_s=0, max_per_min=2, reserve_per_min=0, max_visible=5, hold_s=6)
        room.ask(X)
        room.at(30).ask(Y)
        room.at(50).ask(Z)
        room.at(59).ask(BIG)
        assert room.at(70).log[2:] == [(56.0, "z3", "budget_rate"), (60.001, "big4", "shown")]

    def test_a_paused_call_shows_nothing(self):
        room = Room(hold_s=6)
        room.arbiter.pause(True)
        room.ask(HUGE)
        assert room.at(6).log == [(6.0, "huge1", "paused")]
        room.ask(X)
        room.arbiter.pause(False)
        assert room.at(7).tick().log[1:] == [(7, "x2", "shown")]


class TestReserve:
    """Places of every minute are for what must not be forgotten."""

    def test_the_last_place_is_not_for_everybody(self):
        room = Room(**WIDE, max_per_min=3, reserve_per_min=1)
        for each in (X, Y, Z):
            room.ask(each)
        room.at(10).ask(cue("step"), vital=True)
        assert room.log[2:] == [(6.0, "z3", "budget_rate"), (10, "step4", "shown")]

    def test_what_is_critical_may_have_it_too(self):
        room = Room(**WIDE, max_per_min=2, reserve_per_min=1)
        room.ask(X)
        room.ask(HUGE)
        assert [word for _, _, word in room.log] == ["shown", "shown"]

    def test_one_place_is_left_for_the_others(self):
        room = Room(**WIDE, max_per_min=1, reserve_per_min=5)
        room.ask(X)
        assert room.log == [(0.0, "x1", "shown")]

    def test_it_waits_as_long_as_it_would_be_seen(self):
        room = Room(**WIDE, grace_s=0).speaks(True)
        room.ask(X)
        room.ask(cue("step", ttl_s=20), vital=True)
        assert room.at(19).speaks(False).log == [(6.0, "x1", "moment_passed"), (19, "step2", "shown")]

    def test_on_a_full_screen_it_takes_the_place_of_the_least(self):
        room = Room(**FREE, max_visible=2)
        for each in (BIG, X, cue("step", priority=20)):
            room.ask(each, vital=each.id == "step")
        assert room.log[2:] == [(0.0, "x2", "superseded"), (0.0, "step3", "shown")]


class TestMidUtterance:
    def test_a_rep_who_has_only_begun_can_still_use_a_card(self):
        room = Room(grace_s=1.5).speaks(True).at(1.4)
        room.ask(X)
        assert room.log == [(1.4, "x1", "shown")]

    def test_otherwise_it_waits_for_the_end_of_the_turn(self):
        room = Room(grace_s=1.5).speaks(True).at(2)
        room.ask(X)
        assert room.at(5).speaks(False).log == [(5, "x1", "shown")]

    def test_its_moment_passes(self):
        room = Room(grace_s=0, hold_s=6).speaks(True)
        room.ask(X)
        assert room.at(30).log == [(6.0, "x1", "moment_passed")]

    def test_speech_that_goes_on_began_when_it_began(self):
        room = Room(grace_s=1.5).speaks(True).at(1.4).speaks(True).at(1.5)
        room.ask(X)
        assert room.log == []

    def test_a_critical_card_interrupts_and_needs_no_gap(self):
        room = Room(grace_s=0, min_gap_s=10)
        room.ask(X)
        room.speaks(True).ask(HUGE)
        assert room.log[1:] == [(0.0, "huge2", "shown")]

    def test_a_critical_card_keeps_the_rate(self):
        room = Room(max_per_min=1, hold_s=6)
        room.ask(X)
        room.at(10).ask(HUGE)
        assert room.at(30).log[1:] == [(16.0, "huge2", "budget_rate")]

    def test_the_end_of_the_call_ends_all_waiting(self):
        room = Room(grace_s=0).speaks(True)
        room.ask(X)
        assert room.arbiter.finish(1.0) == [Withhold(card_id="x1", reason="rep_speaking")]
        room.ask(Y)
        room.arbiter.speaking(False, 1.0)
        assert room.arbiter.finish(1.0) == [Withhold(card_id="y2", reason="moment_passed")]
        assert room.arbiter.next_deadline(1.0) is None


class TestRefusals:
    @pytest.mark.parametrize(
        ("limit", "at", "ruling"),
        [
            ({"cooldown_s": 30}, 29.9, "cooldown"),
            ({"cooldown_s": 30}, 30.0, "shown"),
            ({"once": True, "cooldown_s": 0}, 500.0, "once"),
            ({"max_shows": 1, "cooldown_s": 0}, 500.0, "max_shows"),
            ({"max_shows": 2, "cooldown_s": 0}, 500.0, "shown"),
        ],
    )
    def test_the_limits_of_a_cue(self, limit, at, ruling):
        room = Room()
        room.gone(room.ask(cue("x", **limit)))
        room.at(at).ask(cue("x", **limit))
        assert room.log[1:] == [(at, "x2", ruling)]

    def test_a_snoozed_card_comes_back_past_its_limits(self):
        room = Room()
        room.gone(room.ask(cue("x", once=True), utterance="u"))
        room.at(30).ask(cue("x", once=True), utterance="u", again=True)
        assert room.log[1:] == [(30, "x2", "shown")]

    def test_shadow(self):
        room = Room()
        room.ask(cue("x", shadow=True))
        assert room.log == [(0.0, "x1", "shadow")]

    def test_the_same_cue_on_the_screen(self):
        room = Room(**FREE)
        room.ask(cue("x", cooldown_s=0))
        room.ask(cue("x", cooldown_s=0))
        assert room.log[1:] == [(0.0, "x2", "duplicate")]

    def test_the_same_cue_waiting(self):
        room = Room(grace_s=0).speaks(True)
        room.ask(X)
        room.ask(X)
        assert room.log == [(0.0, "x2", "duplicate")]

    def test_the_same_words_are_answered_once(self):
        room = Room()
        room.gone(room.ask(cue("x", cooldown_s=0), utterance="u"))
        room.at(100).ask(cue("x", cooldown_s=0), utterance="u")
        room.ask(cue("y", cooldown_s=0), utterance="u")
        assert [line[2] for line in room.log] == ["shown", "duplicate", "shown"]

    @pytest.mark.parametrize(
        ("one", "other", "ruling"),
        [
            ("Answer the price concern first", "Answer the price concerns first", "duplicate"),
            ("Answer the price concern first", "Ask who decides", "shown"),
            ("先回应客户的价格顾虑再谈优惠", "先回应客户的价格顾虑再谈优惠!", "duplicate"),
            ("先回应价格顾虑", "问清谁来拍板", "shown"),
        ],
    )
    def test_nearly_the_same_headline(self, one, other, ruling):
        room = Room(**FREE)
        room.ask(cue("x", headline=one))
        room.ask(cue("y", headline=other))
        assert room.log[1][2] == ruling


class TestHoldOut:
    def test_it_is_withheld_when_it_would_have_been_shown(self):
        room = Room(held_out=("x",), min_gap_s=3)
        room.ask(Y)
        room.at(1.0).ask(X)
        assert room.at(10).log == [(0.0, "y1", "shown"), (3.0, "x2", "hold_out")]

    def test_what_would_not_have_been_shown_has_another_reason(self):
        room = Room(held_out=("x",), grace_s=0, hold_s=6).speaks(True)
        room.ask(X)
        assert room.at(10).log == [(6.0, "x1", "moment_passed")]

    def test_it_keeps_the_limits_of_its_cue(self):
        room = Room(held_out=("x",))
        room.ask(cue("x", cooldown_s=30))
        room.at(29).ask(cue("x", cooldown_s=30))
        assert [word for _, _, word in room.log] == ["hold_out", "cooldown"]

    def test_it_costs_nothing_of_the_budget(self):
        room = Room(held_out=("x",), min_gap_s=10, max_per_min=1, max_visible=1)
        room.ask(X)
        room.ask(Y)
        assert room.log == [(0.0, "x1", "hold_out"), (0.0, "y2", "shown")]

    def test_it_takes_nobodys_place(self):
        room = Room(held_out=("big",), **FREE, max_visible=1)
        room.ask(X)
        room.ask(BIG)
        assert room.log == [(0.0, "x1", "shown"), (0.0, "big2", "hold_out")]


class TestGroups:
    def group(self, name: str, **more) -> Cue:
        return cue(name, group="objection", **more)

    def test_the_newer_of_equals_replaces_the_older(self):
        room = Room(**FREE, max_visible=5)
        room.ask(self.group("x"))
        room.ask(self.group("y"))
        assert room.log[1:] == [(0.0, "x1", "superseded"), (0.0, "y2", "shown")]

    def test_a_lesser_one_waits_and_gives_up(self):
        room = Room(**FREE, max_visible=5, hold_s=6)
        room.ask(self.group("x", priority=80))
        room.ask(self.group("y"))
        assert room.at(10).log[1:] == [(6.0, "y2", "group")]

    def test_a_lesser_one_of_later_words_comes_when_the_other_has_had_its_time(self):
        room = Room(**FREE, max_visible=5, hold_s=6)
        room.ask(self.group("x", priority=80), utterance="u1")
        room.at(2.0).ask(self.group("y"), utterance="u2")
        assert room.at(10).log[1:] == [(6.0, "x1", "superseded"), (6.0, "y2", "shown")]

    def test_a_lesser_one_of_the_same_words_does_not(self):
        room = Room(**FREE, max_visible=5, hold_s=6)
        room.ask(self.group("x", priority=80), utterance="u1")
        room.at(2.0).ask(self.group("y"), utterance="u1")
        assert room.at(10).log[1:] == [(8.0, "y2", "group")]

    def test_a_critical_one_stays(self):
        room = Room(**FREE, max_visible=5, hold_s=6)
        room.ask(self.group("x", critical=True), utterance="u1")
        room.at(30.0).ask(self.group("y", priority=99), utterance="u2")
        assert room.at(50).log[1:] == [(36.0, "y2", "group")]

    def test_when_the_screen_is_full_it_replaces_its_rival_not_the_least(self):
        room = Room(**FREE, max_visible=2)
        room.ask(cue("least", priority=1))
        room.ask(self.group("x"))
        room.ask(self.group("y"))
        assert room.log[2:] == [(0.0, "x2", "superseded"), (0.0, "y3", "shown")]


# Names end in "_" so that no two cards, named after cue and number, have the same.
TRAITS = st.fixed_dictionaries(
    {
        "priority": st.integers(0, 100),
        "critical": st.booleans(),
        "cooldown_s": st.sampled_from([0, 10, 60]),
        "group": st.sampled_from(["", "", "g"]),
        "max_shows": st.integers(1, 5),
    }
)
CUES = st.builds(lambda index, traits: cue(f"q{index}_", **traits), st.integers(0, 12), TRAITS)
FORTY = st.lists(TRAITS, min_size=40, max_size=40).map(
    lambda forty: [cue(f"q{index}_", **traits) for index, traits in enumerate(forty)]
)
ACTS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.3, 1.7, 5.0, 20.0]),
        st.one_of(CUES, CUES, st.sampled_from(["speaks", "stops", "pause", "resume", "gone"])),
        st.sampled_from(["", "", "u1", "u2"]),
    ),
    max_size=60,
)
MOVES = {
    "speaks": lambda room: room.speaks(True),
    "stops": lambda room: room.speaks(False),
    "pause": lambda room: room.arbiter.pause(True),
    "resume": lambda room: room.arbiter.pause(False),
    "gone": lambda room: room.gone(room.visible[0]) if room.visible else room,
}
ATTENTION = st.fixed_dictionaries(
    {
        "max_visible": st.integers(1, 3),
        "min_gap_s": st.sampled_from([0, 3, 10]),
        "max_per_min": st.integers(1, 8),
        "reserve_per_min": st.integers(0, 3),
        "hold_s": st.sampled_from([1, 6]),
    }
)


HELD_OUT = st.sampled_from([(), (), ("q1_",), ("q1_", "q2_", "q3_")])


def live(room: Room, acts) -> dict[str, Cue]:
    """Let it all happen; the cue of every card that was asked for."""
    asked: dict[str, Cue] = {}
    for delay, act, utterance in acts:
        room.at(room.now + delay)
        if isinstance(act, Cue):
            asked[room.ask(act, utterance=utterance)] = act
        else:
            MOVES[act](room)
    room._add(room.arbiter.finish(room.now))
    return asked


def check_budget(room: Room, asked: dict[str, Cue], attention: dict[str, int]) -> None:
    """The promises of the arbiter, over everything it has ruled."""
    assert room.most_visible <= attention["max_visible"]
    decided = [card_id for _, card_id, word in room.log if word != "superseded"]
    assert sorted(decided) == sorted(asked), "one ruling for every request"
    assert {word for _, _, word in room.log} <= {*get_args(Reason), "shown", "superseded"}
    shown = [(at, asked[card_id]) for at, card_id, word in room.log if word == "shown"]
    common = max(1, attention["max_per_min"] - attention["reserve_per_min"])
    for at, _ in shown:
        within = [each for other, each in shown if at <= other < at + 60]
        assert len(within) <= attention["max_per_min"]
        assert sum(not each.critical for each in within) <= common
    for cue_id in {each.id for _, each in shown}:
        shows = [(at, each) for at, each in shown if each.id == cue_id]
        assert all(at >= before + each.cooldown_s for (before, _), (at, each) in pairwise(shows))
    assert all(each.critical or at >= before + attention["min_gap_s"] for (before, _), (at, each) in pairwise(shown))


@settings(deadline=None)
@given(ATTENTION, HELD_OUT, ACTS)
def test_the_budget_holds_for_any_stream(attention, held_out, acts):
    room = Room(held_out=held_out, **attention)
    asked = live(room, acts)
    check_budget(room, asked, attention)
    ruled = {asked[card_id].id for _, card_id, word in room.log if word == "hold_out"}
    assert ruled <= set(held_out)
    assert not {asked[card_id].id for _, card_id, word in room.log if word == "shown"} & set(held_out)


@settings(deadline=None, max_examples=50)
@given(ATTENTION, FORTY, st.booleans())
def test_forty_at_once_keep_the_budget_and_every_other_has_its_reason(attention, cues, is_speaking):
    room = Room(grace_s=0, **attention).speaks(is_speaking)
    asked = {room.ask(each): each for each in cues}
    room.at(attention["hold_s"] + 120)
    check_budget(room, asked, attention)
    if is_speaking:
        assert all(asked[card_id].critical for _, card_id, word in room.log if word == "shown")


@settings(deadline=None)
@given(ATTENTION, ACTS)
def test_only_a_critical_card_comes_while_the_rep_is_in_the_middle_of_an_utterance(attention, acts):
    room = Room(grace_s=0, **attention)
    spans, since = [], None
    for delay, act, utterance in acts:
        room.at(room.now + delay)
        if isinstance(act, Cue):
            room.ask(act, utterance=utterance)
            continue
        if act == "speaks" and since is None:
            since = len(room.log)
        elif act == "stops" and since is not None:
            spans.append((since, len(room.log)))
            since = None
        MOVES[act](room)
    shown_meanwhile = [card_id for start, end in spans for _, card_id, word in room.log[start:end] if word == "shown"]
    assert all(room.cues[card_id].critical for card_id in shown_meanwhile)


COMMON = st.builds(
    lambda index, priority: cue(f"q{index}_", priority=priority, cooldown_s=0), st.integers(0, 12), st.integers(0, 100)
)
CALM = st.lists(st.tuples(st.sampled_from([0.0, 0.3, 1.7, 5.0, 20.0]), COMMON, st.just("")), max_size=60)


@settings(deadline=None)
@given(ATTENTION, CALM, st.integers(0, 100))
def test_what_must_not_be_forgotten_is_shown_whatever_else_was(attention, acts, priority):
    """As many in a minute as have places kept for them, and before they would have gone again."""
    kept = min(attention["reserve_per_min"], attention["max_per_min"] - 1, attention["max_visible"])
    room = Room(**attention)
    live(room, acts)
    steps = [room.ask(cue(f"step{number}_", priority=priority, ttl_s=40), vital=True) for number in range(kept)]
    room.at(room.now + 40)
    assert {card_id for _, card_id, word in room.log if word == "shown"} >= set(steps)
