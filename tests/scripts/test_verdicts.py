"""Judging cues: right, wrong, missed, tricked, and steps."""

from __future__ import annotations

from typing import Any

import pytest

from copilot.playbook.model import EventTest, Trigger
from scripts.benching.chatter import dialogues, spoken_s
from scripts.benching.truth import Phrase, Truth, Utterance
from scripts.benching.verdicts import (
    Found,
    cards,
    crowding,
    events,
    hard_negatives,
    judge,
    missing_cues,
    signals,
    steps,
    tricked,
    unseen,
)
from tests.cues.scripts import cue, playbook

PRICE, TRUST = "objection.price", "objection.trust"
TRUTH = Truth(
    "en",
    60.0,
    [
        Utterance(
            "customer",
            10.0,
            16.0,
            "Well. Too expensive. Far too much.",
            [
                Phrase(10, 11),
                Phrase(11.5, 13, [PRICE], text="Too expensive."),
                Phrase(13.5, 16, [PRICE], text="Far too much."),
            ],
        ),
        Utterance(
            "customer",
            40.0,
            42.0,
            "The price is no problem.",
            [Phrase(40, 42, [], text="The price is no problem.", hard_negative_for=[PRICE])],
        ),
        Utterance("customer", 50.0, 52.0, "Who are you?", [Phrase(50, 52, [TRUST], text="Who are you?")]),
    ],
    {"opening.intro": 5.0, "close.ask": None, "close.next_step": 30.0},
)


def found(label: str, end: float, at: float = 0.0, quote: str = "words") -> Found:
    return Found("c", label, at or end, end, quote)


def raised(cue_id: str, at: float, end_ms: int | None = None, **more: Any) -> dict[str, Any]:
    cause = None if end_ms is None else {"phrase_end_ms": end_ms, "quote": "words"}
    return {
        "type": "card.raised",
        "at": at,
        "card": {"id": f"{cue_id}{at}", "cue_id": cue_id},
        "caused_by": cause,
    } | more


class TestJudging:
    SAID = events("c", TRUTH, by_utterance=False)

    def test_a_label_said_twice_in_an_utterance_is_one_event(self):
        assert [(event.label, event.end) for event in self.SAID] == [(PRICE, 13), (TRUST, 52)]

    def test_right_wrong_and_missed(self):
        tallies = judge(self.SAID, [found(PRICE, 13.2, at=14.0), found(PRICE, 16, at=17), found(PRICE, 42)])
        figures = tallies[PRICE].figures()
        assert (figures["said"], figures["found"], figures["claimed"], figures["right"]) == (1, 1, 3, 2)
        assert (figures["precision"], figures["recall"], figures["f1"]) == (0.667, 1.0, 0.8)
        assert (figures["lag_p50_s"], figures["calls_said"], figures["calls_found"]) == (2.5, 1, 1)
        assert tallies[PRICE].false == ["c: words"]
        assert tallies[TRUST].missed == ["c: Who are you?"]
        assert tallies[TRUST].figures()["recall"] == 0.0

    def test_when_only_the_utterance_is_known_its_span_decides(self):
        said = events("c", TRUTH, by_utterance=True)
        assert judge(said, [found(PRICE, 10.5)])[PRICE].right == 1
        assert judge(said, [found(PRICE, 16.5)])[PRICE].right == 0

    def test_hard_negatives(self):
        negatives = hard_negatives("c", TRUTH)
        assert tricked(negatives, [found(PRICE, 41.9), found(TRUST, 41.9), found(PRICE, 13)]) == [
            "objection.price in c: words"
        ]

    def test_why_an_event_has_no_card(self):
        held = [found(PRICE, 13, quote="min_gap")]
        assert unseen(self.SAID, [], held) == ["objection.price in c: min_gap", "objection.trust in c: unheard"]
        assert unseen(self.SAID, [found(PRICE, 13), found(TRUST, 52)], held) == []


class TestReading:
    MESSAGES = (
        {"type": "signal.heard", "label": PRICE, "at": 14.0, "end_ms": 13_000, "quote": "too expensive"},
        {"type": "signal.heard", "label": "objection.any", "at": 14.0, "end_ms": 13_000, "quote": "too expensive"},
        raised(PRICE, 14.0, 13_000),
        raised("behaviour.monologue", 20.0),
        raised(TRUST, 21.0, 20_000) | {"type": "card.suppressed", "reason": "group"},
    )

    def test_signals_and_cards(self):
        assert signals("c", self.MESSAGES, {PRICE}) == [Found("c", PRICE, 14.0, 13.0, "too expensive")]
        assert cards("c", self.MESSAGES) == [Found("c", PRICE, 14.0, 13.0, "words")]
        assert cards("c", self.MESSAGES, "card.suppressed") == [Found("c", TRUST, 21.0, 20.0, "group")]

    def test_crowding(self):
        closed = {"type": "card.closed", "at": 15.0}
        calls = [raised(PRICE, 14.0), closed, raised(PRICE, 70.0), raised(TRUST, 71.0), {"type": "end", "at": 120.0}]
        assert crowding(calls) == {"cards": 3, "cards_per_minute": 1.5, "most_in_a_minute": 3, "most_at_once": 2}


class TestSteps:
    def step(self, name: str, state: str) -> dict[str, Any]:
        return {"type": "step.changed", "step_id": name, "state": state, "at": 20.0}

    def test_ticks_and_cards_about_missing_steps(self):
        missing = {"missing.intro": "opening.intro", "missing.ask": "close.ask", "missing.next": "close.next_step"}
        messages = [
            self.step("opening.intro", "done"),
            self.step("close.ask", "overdue"),
            self.step("close.ask", "done_late"),
            raised("missing.intro", 9.0),
            raised("missing.next", 20.0),
        ]
        figures = steps("c", TRUTH, messages, missing)
        assert (figures.wanted, figures.ticked, figures.right) == (2, 2, 1)
        assert (figures.states, figures.states_right) == (3, 1)
        assert (figures.missing, figures.missing_said) == (1, 0)
        assert (figures.missing_cards, figures.missing_cards_right) == (2, 1)
        assert figures.figures()["f1"] == 0.5
        assert set(figures.errors) == {
            "c: missed close.next_step",
            "c: ticked close.ask",
            "c: false card missing.intro",
            "c: no card about missing close.ask",
        }

    def test_cues_about_missing_steps_are_known_by_what_they_wait_for(self):
        late = Trigger(any=(Trigger(event=EventTest(is_="step_overdue", step="close.ask")), Trigger(signal="x")))
        assert missing_cues(playbook(cue("late", late), cue("price"))) == {"late": "close.ask"}


@pytest.mark.parametrize(
    ("text", "seconds"), [("too expensive for us", 1.44), ("太贵了", 0.66), ("嗯", 0.4), ("?!", 0.4)]
)
def test_how_long_a_line_takes(text, seconds):
    assert spoken_s(text) == pytest.approx(seconds)


def test_background_talk_comes_from_the_whole_of_each_corpus(tmp_path):
    rows = ["dialog_id\tturn\trole\ttext\tlabel1\tlabel2"]
    for number in range(10):
        rows += [f"d{number}\t0\tpersuader\tplease\t\t", f"d{number}\t0\tpersuadee\tI like dogs\tother\t"]
        rows += [f"d{number}\t1\tpersuadee\tno money for you\tdisagree-donation\t"]
    (tmp_path / "persuasionforgood_x.tsv").write_text("\n".join(rows))
    (tmp_path / "cped_x.csv").write_text("\ufeffDialogue_ID,Speaker,Utterance\n1,a,走吧\n1,b,好\n2,a,再见\n")
    found = dialogues(tmp_path, seconds=5.4)
    assert [dialogue.lines for dialogue in found["persuasion"]] == [["I like dogs"]] * 5
    assert [dialogue.lines for dialogue in found["cped"]] == [["走吧", "好"], ["再见"]]
    assert {dialogue.language for dialogue in found["cped"]} == {"zh"}
    assert "multidogo" not in found
