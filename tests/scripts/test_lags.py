from __future__ import annotations

from typing import Any

from scripts.benching.lags import (
    final_lags,
    first_text_lags,
    match_cards,
    sequence_gaps,
    transcript,
    unheard,
)
from scripts.benching.truth import Phrase, Truth, Utterance

PRICE = "objection.price"
SAID = Utterance("customer", 1.0, 3.0, "That is too much.", [Phrase(1.0, 3.0, [PRICE])])
TRUTH = Truth(
    "en", 10.0, [SAID, Utterance("rep", 3.5, 6.0, "I see."), Utterance("rep", 7, 7.4, "Mm.", backchannel=True)]
)


def text(kind: str, start_ms: int, end_ms: int, at: float, speaker: str = "customer", **more: Any) -> dict[str, Any]:
    base = {"type": f"transcript.{kind}", "utterance_id": f"{speaker}{start_ms}", "speaker": speaker}
    return {**base, "start_ms": start_ms, "end_ms": end_ms, "text": "words", "at": at, **more}


def card(at: float, phrase_end_ms: int, cue: str = PRICE) -> dict[str, Any]:
    return {"at": at, "card": {"id": "c1", "cue_id": cue}, "caused_by": {"phrase_end_ms": phrase_end_ms}}


def test_a_final_counts_from_the_true_end_to_the_first_that_covers_it():
    messages = [
        text("final", 900, 2000, 2.4),  # ends too early
        text("final", 2000, 2700, 3.5),
        text("final", 2700, 3200, 9.0),
        text("final", 900, 3000, 3.1, speaker="rep"),
    ]
    assert final_lags(TRUTH, messages) == [(3.0, 0.5)]


def test_a_final_that_was_never_completed_has_no_latency():
    assert final_lags(TRUTH, [text("final", 900, 3000, 3.5, unfinished=True)]) == []


def test_the_first_text_must_reach_into_the_utterance():
    messages = [
        text("final", 0, 1100, 1.2),  # the end of what was said before
        text("interim", 900, 1500, 1.7),
        text("interim", 900, 2500, 2.7),
    ]
    assert first_text_lags(TRUTH, messages) == [(1.0, 0.7)]


def test_an_interim_without_words_shows_nothing():
    assert first_text_lags(TRUTH, [text("interim", 900, 1500, 1.7) | {"text": ""}]) == []


def test_unheard_are_utterances_no_final_touches_but_not_backchannels():
    assert unheard(TRUTH, [text("final", 900, 1200, 2.0)]) == [1]
    assert unheard(TRUTH, [text("final", 900, 1200, 2.0), text("final", 5000, 6000, 6.2, speaker="rep")]) == []


def test_a_card_belongs_to_the_nearest_phrase_of_its_label():
    phrases = [Phrase(1.0, 3.0, [PRICE]), Phrase(20.0, 21.0, [PRICE])]
    assert match_cards([card(3.4, 2900)], phrases) == ({"c1"}, [(3.0, 3.4 - 3.0)])
    assert match_cards([card(3.4, 2900, "objection.trust")], phrases) == (set(), [])
    assert match_cards([card(12.0, 11_000)], phrases) == (set(), [])


def test_gaps_in_the_sequence_are_counted_once():
    assert sequence_gaps([{"seq": 1}, {"seq": 2}, {"seq": 2}, {"seq": 5}]) == 2
    assert sequence_gaps([{"seq": 2}]) == 1
    assert sequence_gaps([]) == 0


def test_the_stored_transcript_is_as_the_second_pass_left_it():
    messages = [
        text("final", 900, 3000, 3.5),
        text("final", 3500, 6000, 6.5, speaker="rep"),
        text("revised", 900, 3000, 9.0, reason="second_pass") | {"text": "better"},
        text("revised", 3500, 6000, 9.0, speaker="rep", reason="second_pass") | {"text": ""},
    ]
    assert [line["text"] for line in transcript(messages)] == ["words", "words"]
    assert [line["text"] for line in transcript(messages, revised=True)] == ["better"]


def test_a_cut_call_is_judged_by_what_was_over_by_then():
    cut = TRUTH.until(5.0)
    assert cut.utterances == [SAID]
    assert cut.speech_s == 2.0
