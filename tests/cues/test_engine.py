"""The life of cards: raised, seen, answered, taken away, and what came of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot.cues.deck import NEXT
from copilot.cues.engine import SNOOZE_S
from copilot.cues.moments import Timing
from copilot.cues.scene import REMEMBERED_UTTERANCES
from copilot.errors import LocalProtocolError, NotFoundError
from copilot.events import Card, Evidence, Ledger
from copilot.playbook.model import Absence, EventTest, Expected, MetricTest, Phrase, Trigger
from tests.cues.scripts import Desk, cue, entered, heard, metric, moment, stepped

PRICE = cue("price", ttl_s=25)
FREE = {"min_gap_s": 0, "max_per_min": 60, "max_visible": 5}


class TestRaising:
    def test_a_card_says_what_to_do_why_and_when_it_was_known(self):
        signal = heard("price", 2_000, utterance="u1", quote="too expensive")
        card = cue("price", priority=70, critical=True, headline="Answer the price", kind="objection")
        desk = Desk(card)
        desk._add(desk.cues.observe(signal, desk.at(3.0), Timing(phrase_end=2_050, recognised=2_900)))
        ((_, what, shown),) = desk.log
        assert what == "raised"
        assert shown == Card(
            id="c1",
            cue_id="price",
            kind="objection",
            state="raised",
            priority=70,
            critical=True,
            headline="Answer the price",
            trigger=Evidence(utterance_id="u1", quote="too expensive", start_ms=1_500, end_ms=2_000),
            why="why price",
            raised_ms=3_000,
            ledger=Ledger(phrase_end=2_050, recognised=2_900, matched=3_000, decided=3_000, sent=3_000),
        )

    def test_no_time_in_the_ledger_is_before_the_one_before(self):
        desk = Desk(PRICE)
        timing = Timing(phrase_end=3_400, recognised=3_200)
        desk._add(desk.cues.observe(heard("price", 3_000), desk.at(3.0), timing)).render(3.0, "c1").ack(
            3.1, "c1", "used"
        )
        (ledger, *_) = (card.ledger for _, _, card in desk.log[::-1])
        assert ledger == Ledger(
            phrase_end=3_400, recognised=3_400, matched=3_400, decided=3_400, sent=3_400, rendered=3_400, acked=3_400
        )

    def test_a_card_from_silence_has_no_words_and_its_phrase_ends_now(self):
        never = cue("notice", Trigger(absence=Absence(of=Trigger(signal="notice"), within_s=30)))
        (_, _, card) = Desk(never).wait(40).log[0]
        assert (card.trigger, card.why) == (None, "absent for 30 s")
        assert card.ledger == Ledger(phrase_end=30_000, recognised=30_000, matched=30_000, decided=30_000, sent=30_000)

    def test_the_best_of_several_comes_first(self):
        both = [cue(name, Trigger(signal="a"), priority=priority) for name, priority in (("x", 10), ("y", 90))]
        assert [line[2] for line in Desk(*both, **FREE).hear(1, "a").story] == ["y", "x"]

    def test_a_card_held_back_says_when_and_why(self):
        desk = Desk(PRICE, cue("trust"), min_gap_s=10, hold_s=6).hear(1, "price").hear(2, "trust").wait(30)
        assert desk.story[1] == (8.0, "suppressed", "trust", "min_gap")
        assert desk.log[1][2].state == "suppressed"
        assert desk.log[1][2].ledger is None

    def test_a_held_card_remembers_when_it_matched(self):
        desk = Desk(PRICE, grace_s=0).speaks(0, True).hear(2, "price").speaks(4, False)
        (_, _, card) = desk.log[0]
        assert card.ledger == Ledger(phrase_end=1_200, recognised=1_900, matched=2_000, decided=4_000, sent=4_000)
        assert card.raised_ms == 4_000

    def test_the_customer_speaking_holds_nothing_back(self):
        desk = Desk(PRICE, grace_s=0).speaks(0, True, "customer").hear(2, "price")
        assert desk.story == [(2, "raised", "price", "c1")]

    def test_words_must_have_been_compiled_away(self):
        with pytest.raises(LocalProtocolError):
            Desk(cue("x", Trigger(phrase=Phrase(any=("price",)))))

    def test_context_metrics_stages_and_steps_reach_the_triggers(self):
        cues = [
            cue("fast", Trigger(metric=MetricTest(name="speech_rate", above=180.0))),
            cue("closing", Trigger(event=EventTest(is_="stage_entered", stage="close"))),
            cue("late", Trigger(event=EventTest(is_="step_overdue"))),
        ]
        facts = (metric("speech_rate", 200.0), entered("close"), stepped("x", "overdue"))
        assert [line[2] for line in Desk(*cues, **FREE).observe(1, *facts).story] == ["fast", "closing", "late"]

    def test_nothing_new_while_paused_but_the_pause_itself(self):
        hold = cue("hold", Trigger(event=EventTest(is_="paused")))
        desk = Desk(hold, PRICE, hold_s=6, **FREE).observe(1, moment("paused")).hear(2, "price").wait(20)
        assert desk.story[:2] == [(1, "raised", "hold", "c1"), (8.0, "suppressed", "price", "paused")]
        assert desk.observe(40, moment("resumed")).hear(41, "price").story[-1] == (41, "raised", "price", "c3")


class TestWaiting:
    """When the shell must come back."""

    def test_for_media_time(self):
        never = cue("notice", Trigger(absence=Absence(of=Trigger(signal="notice"), within_s=30)))
        cues = Desk(never).cues
        assert cues.next_deadline_ms() == cues.next_deadline_ms() == 30_000
        assert cues.next_deadline() is None

    def test_for_wall_time(self):
        desk = Desk(PRICE, cue("trust"), min_gap_s=3).hear(1, "price")
        assert desk.cues.next_deadline() == 26
        assert desk.hear(2, "trust").cues.next_deadline() == 4
        assert desk.cues.next_deadline_ms() is None


class TestEnding:
    def test_it_expires(self):
        assert Desk(PRICE).hear(1, "price").wait(60).story[1:] == [(26.0, "closed", "price", "expired: ttl")]

    def test_its_moment_passes(self):
        handled = cue("price", close_when=Trigger(signal="handled"))
        desk = Desk(handled).hear(1, "price").hear(5, "handled", speaker="rep")
        assert desk.story[1:] == [(5, "closed", "price", "withdrawn: moment_passed")]
        assert desk.log[1][2].closed_ms == 5_000

    def test_its_moment_passes_before_it_is_seen(self):
        handled = cue("price", close_when=Trigger(signal="handled"))
        desk = Desk(handled, PRICE, grace_s=0).speaks(0, True).hear(1, "price").hear(2, "handled")
        assert (2, "suppressed", "price", "moment_passed") in desk.story

    @pytest.mark.parametrize("state", ["done", "done_late", "waived"])
    def test_a_late_step_that_is_settled_needs_no_card(self, state):
        late = cue("late", Trigger(event=EventTest(is_="step_overdue", step="x")))
        desk = (
            Desk(late)
            .observe(1, stepped("x", "overdue"))
            .observe(2, stepped("y", state))
            .observe(3, stepped("x", state))
        )
        assert desk.story[1:] == [(3, "closed", "late", f"withdrawn: step_{state}")]

    def test_a_better_card_supersedes_it(self):
        desk = Desk(PRICE, cue("risk", priority=90), max_visible=1).hear(1, "price").hear(6, "risk")
        assert desk.story[1:] == [(6, "closed", "price", "superseded: priority"), (6, "raised", "risk", "c2")]

    def test_a_newer_card_of_its_group_supersedes_it(self):
        desk = Desk(cue("price", group="g"), cue("trust", group="g")).hear(1, "price").hear(6, "trust")
        assert desk.story[1:] == [(6, "closed", "price", "superseded: group"), (6, "raised", "trust", "c2")]

    def test_its_place_is_free_when_it_ends(self):
        desk = Desk(PRICE, cue("trust"), max_visible=1, hold_s=6).hear(1, "price").hear(22, "trust").wait(30)
        assert desk.story[1:] == [(26.0, "closed", "price", "expired: ttl"), (26.0, "raised", "trust", "c2")]

    def test_everything_can_be_withdrawn(self):
        desk = Desk(PRICE, cue("trust")).hear(1, "price").hear(2, "trust")
        desk._add(desk.cues.withdraw_all("roles_swapped", desk.at(2.5)))
        assert desk.story[1:] == [
            (2.5, "closed", "price", "withdrawn: roles_swapped"),
            (2.5, "suppressed", "trust", "roles_swapped"),
        ]

    def test_the_call_ends(self):
        desk = Desk(PRICE, cue("trust")).hear(1, "price").hear(2, "trust").end(3)
        assert desk.story[1:] == [
            (3, "suppressed", "trust", "min_gap"),
            (3, "closed", "price", "withdrawn: call_ended"),
        ]

    def test_after_the_end_nothing_follows_but_feedback(self):
        desk = Desk(PRICE, context={}).hear(1, "price").end(3).hear(4, "price").wait(99)
        assert len(desk.log) == 2
        assert desk.cues.next_deadline() is None
        assert desk.cues.next_deadline_ms() is None
        assert desk.ack(100, "c1", "wrong").story[2:] == [(100, "updated", "price", "wrong")]


class TestAnswers:
    @pytest.mark.parametrize(
        ("action", "state", "feedback"),
        [
            ("used", "acked", "useful"),
            ("dismissed", "dismissed", ""),
            ("wrong", "dismissed", "wrong"),
            ("snoozed", "dismissed", ""),
        ],
    )
    def test_each(self, action, state, feedback):
        (_, what, card) = Desk(PRICE).hear(1, "price").ack(3, "c1", action).log[1]
        assert (what, card.state, card.close_reason, card.feedback) == ("closed", state, action, feedback)
        assert (card.ledger.acked, card.ledger.rendered) == (3_000, None)

    def test_seen_then_answered(self):
        desk = Desk(PRICE).hear(1, "price").render(1.2, "c1").render(1.4, "c1").ack(3, "c1", "used")
        assert desk.story[1:] == [(1.2, "updated", "price", "shown"), (3, "closed", "price", "acked: used")]
        assert (desk.log[2][2].ledger.rendered, desk.log[2][2].ledger.acked) == (1_200, 3_000)

    def test_seen_after_it_was_answered_does_not_count(self):
        desk = Desk(PRICE).hear(1, "price").ack(3, "c1", "used").render(3.1, "c1")
        assert len(desk.log) == 2

    def test_seen_after_it_was_gone_is_known_and_changes_no_state(self):
        desk = Desk(PRICE).hear(1, "price").wait(30).render(30.5, "c1")
        (_, what, card) = desk.log[2]
        assert (what, card.state, card.ledger.rendered) == ("updated", "expired", 30_500)

    def test_feedback_on_a_card_that_is_gone_is_kept(self):
        desk = Desk(PRICE).hear(1, "price").wait(30).ack(31, "c1", "used").ack(32, "c1", "used")
        (_, what, card) = desk.log[2]
        assert (what, card.state, card.feedback, card.ledger.acked) == ("updated", "expired", "useful", 31_000)
        assert len(desk.log) == 3

    @pytest.mark.parametrize(
        "act", [lambda d: d.ack(3, "c9", "used"), lambda d: d.render(3, "c2")], ids=["unknown", "held"]
    )
    def test_a_card_nobody_was_shown_cannot_be_answered(self, act):
        desk = Desk(PRICE, cue("trust", shadow=True)).hear(1, "price").hear(2, "trust")
        with pytest.raises(NotFoundError) as caught:
            act(desk)
        assert caught.value.code == "card.unknown"

    def test_a_snoozed_card_comes_back_once(self):
        desk = Desk(cue("price", once=True)).hear(1, "price").ack(3, "c1", "snoozed").wait(3 + SNOOZE_S)
        assert desk.story[2:] == [(3 + SNOOZE_S, "raised", "price", "c2")]
        assert desk.ack(40, "c2", "snoozed").wait(500).story[3:] == [(40, "closed", "price", "dismissed: snoozed")]

    def test_a_snoozed_card_does_not_come_back_when_its_moment_has_passed(self):
        handled = cue("price", close_when=Trigger(signal="handled"))
        trust = cue("trust", once=True)
        desk = Desk(handled, trust, **FREE).hear(1, "price", "trust").ack(3, "c1", "snoozed").ack(3, "c2", "snoozed")
        desk.hear(10, "handled").wait(99)
        assert [line[2] for line in desk.story if line[0] > 10 and line[1] == "raised"] == ["trust"]

    def test_a_snoozed_card_does_not_come_back_after_the_call(self):
        assert len(Desk(PRICE).hear(1, "price").ack(3, "c1", "snoozed").end(5).wait(99).log) == 2


class TestInterim:
    EARLY = cue("price", Trigger(signal="price", interim=True), cooldown_s=0)

    def early(self, *cues) -> Desk:
        desk = Desk(*(cues or (self.EARLY,)))
        return desk.hear(1, "price", utterance="u", is_final=False, quote="to expensive")

    def test_what_interim_text_raised_the_final_does_not_raise_again(self):
        desk = self.early().hear(2, "price", utterance="u", quote="too expensive").finished(2, "u", "price")
        assert [line[1] for line in desk.story] == ["raised", "updated"]
        assert [card.trigger.quote for _, _, card in desk.log] == ["to expensive", "too expensive"]

    def test_what_the_final_does_not_say_is_withdrawn_with_its_quote(self):
        desk = self.early().finished(2, "u", "trust")
        assert desk.story[1:] == [(2, "closed", "price", "withdrawn: not_confirmed")]
        assert desk.log[1][2].trigger is None

    def test_an_answered_card_stays_answered(self):
        desk = self.early().ack(1.5, "c1", "used").finished(2, "u")
        assert desk.story[1:] == [(1.5, "closed", "price", "acked: used")]

    def test_another_utterance_says_nothing_about_it(self):
        assert [line[1] for line in self.early().finished(2, "v").story] == ["raised"]

    def test_a_card_held_back_on_interim_text_is_done_with(self):
        desk = self.early(cue("price", Trigger(signal="price", interim=True), shadow=True))
        assert len(desk.hear(2, "price", utterance="u").finished(2, "u").log) == 1

    def test_a_cue_that_negates_waits_for_the_whole_utterance(self):
        unless = cue("price", Trigger(all=(Trigger(signal="price"), Trigger(not_=Trigger(signal="joke")))))
        desk = Desk(unless).hear(1, "price", utterance="u").hear(1, "joke", utterance="u").finished(1.1, "u")
        assert desk.log == []
        desk.hear(5, "price", utterance="v").finished(5.2, "v", "price")
        ((_, _, card),) = desk.log
        assert card.ledger == Ledger(phrase_end=4_200, recognised=4_900, matched=5_200, decided=5_200, sent=5_200)

    def test_utterances_that_never_finish_are_forgotten(self):
        desk = Desk(PRICE)
        for index in range(REMEMBERED_UTTERANCES + 5):
            desk.hear(1, "other", utterance=f"u{index}")
        assert len(desk.cues._timings) == REMEMBERED_UTTERANCES


class TestOutcomes:
    ASK = cue("price", expected=Expected(trigger=Trigger(signal="asked", speaker="rep"), within_s=10), ttl_s=5)

    @pytest.mark.parametrize(
        ("said_at", "known_at", "outcome"),
        [
            (3, 3, "adhered"),
            (11, 11, "adhered"),
            (11.001, 11.001, "too_late"),
            (31, 31, "too_late"),
            (32, 31.001, "not_adhered"),
        ],
    )
    def test_what_the_rep_did(self, said_at, known_at, outcome):
        desk = Desk(self.ASK).hear(1, "price").hear(said_at, "asked", speaker="rep").wait(60)
        assert [line for line in desk.story if line[1] == "outcome"] == [(known_at, "outcome", "price", outcome)]

    def test_words_in_time_count_although_they_are_heard_late(self):
        desk = Desk(self.ASK).hear(1, "price")
        desk.observe(12.5, heard("asked", 10_900, speaker="rep"))
        assert desk.story[-1] == (12.5, "outcome", "price", "adhered")

    def test_what_came_before_the_trigger_is_no_answer_to_it(self):
        desk = Desk(self.ASK).observe(1, heard("price", 1_000)).observe(1.2, heard("asked", 900, speaker="rep"))
        assert [line[1] for line in desk.story] == ["raised"]

    def test_a_call_that_ends_too_soon_leaves_it_open(self):
        desk = Desk(self.ASK).hear(1, "price").end(9)
        assert [line[1] for line in desk.story] == ["raised", "closed"]
        assert desk.log[1][2].outcome == "undetermined"

    def test_a_call_that_ends_after_the_time_does_not(self):
        desk = Desk(self.ASK).hear(1, "price").end(15)
        assert desk.story[-1] == (15, "outcome", "price", "not_adhered")

    def test_what_the_rep_did_before_the_card_could_be_seen_needs_no_card(self):
        desk = Desk(self.ASK, grace_s=0).speaks(0, True).hear(1, "price").hear(3, "asked", speaker="rep")
        assert desk.speaks(4, False).story == [(3, "suppressed", "price", "already_done")]

    def test_what_was_done_before_the_trigger_takes_no_card_away(self):
        desk = Desk(self.ASK, grace_s=0).speaks(0, True).observe(2, heard("price", 2_000))
        desk.observe(2.5, heard("asked", 1_900, speaker="rep"))
        assert [line[1:3] for line in desk.speaks(4, False).story] == [("raised", "price")]

    @pytest.mark.parametrize("action", ["wrong", "snoozed"])
    def test_a_card_that_should_not_have_been_there_has_no_outcome(self, action):
        desk = Desk(self.ASK).hear(1, "price").ack(2, "c1", action).hear(3, "asked", speaker="rep")
        assert "outcome" not in {line[1] for line in desk.story}

    def test_nor_has_one_raised_on_words_nobody_said(self):
        early = cue("price", Trigger(signal="price", interim=True), expected=self.ASK.expected)
        desk = Desk(early).hear(1, "price", utterance="u", is_final=False).finished(2, "u")
        assert "outcome" not in {line[1] for line in desk.hear(3, "asked", speaker="rep").story}

    def test_nor_one_that_was_withdrawn_with_everything(self):
        desk = Desk(self.ASK).hear(1, "price")
        desk._add(desk.cues.withdraw_all("roles_swapped", desk.at(2)))
        assert "outcome" not in {line[1] for line in desk.hear(3, "asked", speaker="rep").story}

    def test_in_shadow_the_rep_is_watched_without_the_card(self):
        shadow = cue("price", expected=self.ASK.expected, shadow=True)
        desk = Desk(shadow).hear(1, "price").hear(3, "asked", speaker="rep")
        assert desk.story == [(1, "suppressed", "price", "shadow"), (3, "outcome", "price", "adhered")]
        assert desk.log[1][2].state == "suppressed"

    def test_held_out_the_rep_is_watched_without_the_card(self):
        held = cue("price", expected=self.ASK.expected, hold_out=1.0)
        desk = Desk(held).hear(1, "price").hear(3, "asked", speaker="rep").end(5)
        assert desk.story == [(1, "suppressed", "price", "hold_out"), (3, "outcome", "price", "adhered")]

    def test_held_out_it_is_watched_from_when_it_would_have_been_shown(self):
        held = cue("price", expected=self.ASK.expected, hold_out=1.0)
        desk = Desk(held, grace_s=0).speaks(0, True).hear(2, "price").speaks(4, False)
        assert desk.hear(14, "asked", speaker="rep").story[-1] == (14, "outcome", "price", "adhered")

    @pytest.mark.parametrize("held", [{"shadow": True}, {"hold_out": 1.0}])
    def test_a_card_held_back_on_words_nobody_said_has_no_outcome(self, held):
        early = cue("price", Trigger(signal="price", interim=True), expected=self.ASK.expected, **held)
        desk = Desk(early).hear(1, "price", utterance="u", is_final=False).finished(2, "u")
        assert len(desk.hear(3, "asked", speaker="rep").log) == 1

    def test_an_answered_card_raised_on_words_nobody_said_has_none_either(self):
        early = cue("price", Trigger(signal="price", interim=True), expected=self.ASK.expected)
        desk = Desk(early).hear(1, "price", utterance="u", is_final=False).ack(1.5, "c1", "used").finished(2, "u")
        assert "outcome" not in {line[1] for line in desk.hear(3, "asked", speaker="rep").story}

    def test_without_expectation_there_is_no_outcome(self):
        assert Desk(PRICE).cues.next_deadline_ms() is None
        assert [line[1] for line in Desk(PRICE).hear(1, "price").wait(500).story] == ["raised", "closed"]


LABELS = [f"s{index}" for index in range(8)]
WORDS = st.sampled_from(LABELS)


@st.composite
def any_cue(draw, index: int):
    return cue(
        f"q{index}",
        draw(
            st.one_of(
                WORDS.map(lambda label: Trigger(signal=label, interim=True)),
                st.lists(WORDS, min_size=2, max_size=3).map(
                    lambda labels: Trigger(any=tuple(Trigger(signal=label) for label in labels))
                ),
                st.tuples(WORDS, WORDS).map(
                    lambda two: Trigger(all=(Trigger(signal=two[0]), Trigger(not_=Trigger(signal=two[1]))))
                ),
                st.just(Trigger(event=EventTest(is_="step_overdue"))),
            )
        ),
        priority=draw(st.integers(0, 100)),
        critical=draw(st.booleans()),
        ttl_s=draw(st.sampled_from([2.0, 25.0])),
        cooldown_s=draw(st.sampled_from([0.0, 30.0])),
        group=draw(st.sampled_from(["", "g"])),
        once=draw(st.booleans()),
        shadow=draw(st.booleans()),
        hold_out=draw(st.sampled_from([0.0, 0.0, 0.5, 1.0])),
        close_when=draw(st.one_of(st.none(), WORDS.map(lambda label: Trigger(signal=label)))),
        expected=draw(
            st.one_of(st.none(), WORDS.map(lambda label: Expected(trigger=Trigger(signal=label), within_s=5)))
        ),
    )


CUES = st.integers(1, 8).flatmap(lambda n: st.tuples(*(any_cue(index) for index in range(n))))
ACTIONS = st.sampled_from(["used", "dismissed", "snoozed", "wrong"])
UTTERANCES = st.sampled_from(["u1", "u2", "u3", "u4", "u5"])


def shown(desk: Desk, number: int) -> str:
    """One of the cards shown so far."""
    cards = [card.id for _, what, card in desk.log if what == "raised"]
    return cards[number % len(cards)] if cards else ""


ACT = st.one_of(
    st.builds(lambda label, u: lambda desk, now: desk.hear(now, label, utterance=u), WORDS, UTTERANCES),
    st.builds(lambda label, u: lambda desk, now: desk.hear(now, label, utterance=u, is_final=False), WORDS, UTTERANCES),
    st.builds(lambda label, u: lambda desk, now: desk.finished(now, u, label), WORDS, UTTERANCES),
    st.booleans().map(lambda is_speaking: lambda desk, now: desk.speaks(now, is_speaking)),
    st.sampled_from(["overdue", "overdue", "done"]).map(
        lambda state: lambda desk, now: desk.observe(now, stepped("x", state))
    ),
    st.sampled_from(["paused", "resumed"]).map(lambda kind: lambda desk, now: desk.observe(now, moment(kind))),
    st.builds(
        lambda number, action: (
            lambda desk, now: desk.ack(now, shown(desk, number), action) if shown(desk, 0) else desk.wait(now)
        ),
        st.integers(0, 9),
        ACTIONS,
    ),
    st.integers(0, 9).map(
        lambda number: lambda desk, now: desk.render(now, shown(desk, number)) if shown(desk, 0) else desk.wait(now)
    ),
)
ACTS = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.7, 3.1, 12.0]), ACT), max_size=25)


def live(cues, acts) -> Desk:
    """A call in which all that happens."""
    desk = Desk(*cues)
    for delay, act in acts:
        act(desk, desk.now + delay)
    return desk.end(desk.now + 1)


@settings(max_examples=30, deadline=None)
@given(CUES, ACTS)
def test_every_card_has_one_life_and_one_end(cues, acts):
    desk = live(cues, acts)
    lives: dict[str, list[str]] = {}
    states: dict[str, str] = {}
    for _, what, card in desk.log:
        lives.setdefault(card.id, []).append(what)
        before = states.setdefault(card.id, card.state)
        assert card.state == before or card.state in {after for (state, _), after in NEXT.items() if state == before}
        states[card.id] = card.state
    for card_id, life in lives.items():
        deeds = [what for what in life if what not in {"updated", "outcome"}]
        assert deeds in (["raised", "closed"], ["suppressed"]), (card_id, life)
        assert life.count("outcome") <= 1
    assert all(card.suppressed_reason for _, what, card in desk.log if what == "suppressed")
    assert all(card.close_reason for _, what, card in desk.log if what == "closed")


@settings(max_examples=30, deadline=None)
@given(CUES, ACTS)
def test_ledgers_never_run_backwards(cues, acts):
    for _, _, card in live(cues, acts).log:
        if card.ledger:
            times = [
                at for at in (getattr(card.ledger, name) for name in card.ledger.__struct_fields__) if at is not None
            ]
            assert times == sorted(times)


@settings(max_examples=30, deadline=None)
@given(CUES, ACTS)
def test_the_same_call_has_the_same_cards(cues, acts):
    assert live(cues, acts).story == live(cues, acts).story


@settings(max_examples=30, deadline=None)
@given(CUES, ACTS)
def test_no_more_than_the_budget_is_ever_on_the_screen(cues, acts):
    visible: set[str] = set()
    raised: list[float] = []
    for now, what, card in live(cues, acts).log:
        if what == "raised":
            visible.add(card.id)
            raised.append(now)
        elif what == "closed":
            visible.remove(card.id)
        assert len(visible) <= 2
    assert all(later - first >= 60 - 1e-6 for first, later in zip(raised, raised[6:], strict=False))


def test_forty_matches_at_once_keep_the_budget():
    cues = [cue(f"q{index}", Trigger(signal="a"), priority=index) for index in range(40)]
    desk = Desk(*cues).hear(1, "a").wait(20).end(21)
    raised = [(now, cue_id) for now, what, cue_id, _ in desk.story if what == "raised"]
    assert raised == [(1, "q39"), (4.0, "q38")]
    reasons = {how for _, what, _, how in desk.story if what == "suppressed"}
    assert reasons == {"budget_visible"}
    assert sum(what == "suppressed" for _, what, _, _ in desk.story) == 38
