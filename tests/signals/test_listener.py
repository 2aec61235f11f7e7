"""What a playbook listens for is heard once, from the right mouth, at the right time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.signals.plans import encode, labels, listener, said

PRICE = "signals: [{id: price, speaker: customer, when: {interim: true, phrase: {any: [too expensive]}}}]"


def test_a_phrase_is_heard_with_its_evidence():
    hearing = listener(PRICE).hear(said("Well, it’s too, um, expensive."), stage="opening")
    (signal,) = hearing.signals
    assert (signal.label, signal.detector, signal.why) == ("price", "phrase", "too expensive")
    assert signal.evidence.quote == "too, um, expensive"
    assert signal.is_final
    assert hearing.embed == ()


def test_only_the_named_speaker_is_heard():
    assert labels(listener(PRICE), "too expensive", speaker="rep") == []


def test_two_successive_interims_must_agree():
    ear = listener(PRICE)
    texts = ["it's too", "it's too expensive", "it's too expensive", "it's too expensive for"]
    heard = [ear.hear(said(text, is_final=False), stage="opening").signals for text in texts]
    assert [len(signals) for signals in heard] == [0, 0, 1, 0]
    assert not heard[2][0].is_final
    assert labels(ear, "it's too expensive for us") == ["price"]
    assert labels(ear, "it's too expensive for us") == []


def test_interims_that_disagree_say_nothing():
    ear = listener(PRICE)
    for text in ("too expensive", "to expand", "too expensive"):
        assert labels(ear, text, is_final=False) == []


def test_without_interim_only_finals_count():
    ear = listener("signals: [{id: price, when: {phrase: {any: [dear]}}}]")
    assert labels(ear, "dear", is_final=False) == []
    assert labels(ear, "dear", is_final=False) == []
    assert labels(ear, "dear") == ["price"]


def test_an_old_utterance_is_forgotten_in_the_end():
    ear = listener(PRICE)
    assert labels(ear, "too expensive", id_="first") == ["price"]
    for number in range(80):
        labels(ear, "hello", id_=f"u{number}")
    assert labels(ear, "too expensive", id_="first") == ["price"]


@pytest.mark.parametrize(
    ("trigger", "heard", "not_heard"),
    [
        ("{regex: 'pay \\d+'}", "I'd pay 20 for it", "I'd pay for it"),
        ("{regex: 'DEAR'}", "that is dear", "that is not dear"),
        ("{regex: 'x*'}", "xx", "hello"),
        ("{phrase: {any: [too expensive]}}", "no way, too expensive", "I'm not saying it's too expensive"),
        ("{phrase: {any: [too expensive], negation: ignore}}", "it's not too expensive", "hello"),
        ("{phrase: {any: [interested]}}", "I'm interested", "I'm not interested"),
        ("{all: [{phrase: {any: [price]}}, {phrase: {any: [high]}}]}", "the price is high", "the price is low"),
        ("{any: [{phrase: {any: [price]}}, {regex: high}]}", "so high", "so low"),
        ("{all: [{phrase: {any: [price]}}, {not: {phrase: {any: [fair]}}}]}", "the price", "a fair price"),
        ("{not: {phrase: {any: [fair]}}}", "anything", "fair"),
        ("{all: [{phrase: {any: [price]}}, {context: {field: tier, equals: gold}}]}", "price", "cost"),
        ("{all: [{phrase: {any: [price]}}, {context: {field: tier, one_of: [gold, tin]}}]}", "price", "cost"),
        ("{all: [{phrase: {any: [price]}}, {context: {field: none, present: false}}]}", "price", "cost"),
        ("{phrase: {any: [price]}, language: en}", "price", "cost"),
    ],
)
def test_triggers(trigger, heard, not_heard):
    ear = listener(f"signals: [{{id: x, when: {trigger}}}]", tier="gold")
    assert labels(ear, heard, id_="a") == ["x"]
    assert labels(ear, not_heard, id_="b") == []


def test_context_that_does_not_hold():
    ear = listener(
        "signals: [{id: x, when: {all: [{phrase: {any: [price]}}, {context: {field: tier, equals: gold}}]}}]"
    )
    assert labels(ear, "price") == []


def test_a_context_alone_cites_the_whole_utterance():
    ear = listener("signals: [{id: x, when: {context: {field: tier, present: true}}}]", tier="gold")
    (signal,) = ear.hear(said("hello there"), stage="opening").signals
    assert signal.evidence.quote == "hello there"


def test_scopes():
    ear = listener("signals: [{id: x, when: {phrase: {any: [price]}, stage: [close], speaker: rep}}]")
    assert labels(ear, "price", stage="close", speaker="rep", id_="a") == ["x"]
    assert labels(ear, "price", stage="opening", speaker="rep", id_="b") == []
    assert labels(ear, "price", stage="close", speaker="customer", id_="c") == []


def test_language_scope():
    ear = listener("signals: [{id: x, when: {phrase: {any: [贵, ok]}, language: zh}}]", "auto")
    assert labels(ear, "太贵", id_="a") == ["x"]
    assert labels(ear, "ok", id_="b") == []


def test_a_playbook_in_chinese_reads_digits_its_own_way():
    ear = listener("signals: [{id: x, when: {phrase: {any: [三]}}}]", "zh")
    assert labels(ear, "3") == ["x"]


def test_signals_build_on_signals():
    ear = listener(
        "signals:\n"
        "  - {id: both, when: {interim: true, any: [{signal: price}, {signal: time}]}}\n"
        "  - {id: price, when: {interim: true, phrase: {any: [price]}}}\n"
        "  - {id: time, when: {phrase: {any: [time]}}}\n"
    )
    assert set(labels(ear, "the price", id_="a")) == {"price", "both"}
    assert set(labels(ear, "the time", id_="b")) == {"time", "both"}
    assert labels(ear, "the price", id_="c", is_final=False) == []
    assert set(labels(ear, "the price", id_="c", is_final=False)) == {"price", "both"}


def test_not_on_interim_text_needs_interim():
    ear = listener(
        "signals: [{id: x, when: {any: [{phrase: {any: [a]}, interim: true}, {not: {phrase: {any: [b]}}}]}}]"
    )
    assert labels(ear, "c", is_final=False) == labels(ear, "c", is_final=False) == []
    assert labels(ear, "c") == ["x"]


# --- examples -------------------------------------------------------------------------------------------------

LIKE = """
signals:
  - id: dear
    speaker: customer
    when:
      examples:
        threshold: 0.8
        like: [this costs us rather much, we have no funds]
        unlike: [this costs us rather little]
"""


def vectors_for(ear, text, **kwargs):
    hearing = ear.hear(said(text, **kwargs), stage="opening")
    return hearing, ear.embedded(kwargs.get("id_", "u1"), encode(hearing.embed))


def test_a_meaning_is_heard_when_its_vectors_arrive():
    ear = listener(LIKE, encoder=encode)
    hearing, signals = vectors_for(ear, "Hello my dear friend, this costs us rather much.")
    assert hearing.signals == []
    assert hearing.embed == (
        "Hello my dear friend, this costs us rather much",
        "Hello my dear friend",
        "this costs us rather much",
    )
    (signal,) = signals
    assert (signal.label, signal.detector, signal.why) == ("dear", "examples", "this costs us rather much")
    assert signal.evidence.quote == "this costs us rather much"
    assert signal.score == pytest.approx(1.0)


@pytest.mark.parametrize(
    "text",
    ["this costs us rather little", "this costs us not rather much", "quite another thing altogether"],
)
def test_counter_examples_negations_and_strangers_do_not_match(text):
    assert vectors_for(listener(LIKE, encoder=encode), text)[1] == []


def test_a_negated_example_may_match_when_told_so():
    ear = listener(LIKE.replace("threshold: 0.8", "threshold: 0.8\n        negation: ignore"), encoder=encode)
    assert [s.label for s in vectors_for(ear, "this costs us not rather much")[1]] == ["dear"]


def test_examples_without_counter_examples():
    ear = listener("signals: [{id: x, when: {examples: {like: [we have no funds]}}}]", encoder=encode)
    assert [s.label for s in vectors_for(ear, "we have no funds")[1]] == ["x"]


def test_nothing_is_encoded_in_vain():
    ear = listener(LIKE, encoder=encode)
    assert ear.hear(said("this costs us rather much", id_="a", speaker="rep"), stage="opening").embed == ()
    assert ear.hear(said("oh no", id_="b"), stage="opening").embed == ()
    assert ear.hear(said("this costs us rather much", id_="c", is_final=False), stage="opening").embed == ()
    assert listener(LIKE).hear(said("this costs us rather much"), stage="opening").embed == ()


def test_unasked_and_failed_vectors_say_nothing():
    ear = listener(LIKE, encoder=encode)
    assert ear.embedded("unknown", encode(["x"])) == []
    ear.hear(said("this costs us rather much"), stage="opening")
    assert ear.embedded("u1", np.zeros((0, 512), np.float32)) == []
    assert ear.embedded("u1", encode(["this costs us rather much"])) == []


def test_an_absent_meaning_is_known_only_after_the_encoder_answered():
    ear = listener(
        "signals: [{id: x, when: {all: [{phrase: {any: [costs]}}, {not: {examples: {like: [we have no funds]}}}]}}]",
        encoder=encode,
    )
    hearing, signals = vectors_for(ear, "this costs us much")
    assert hearing.signals == []
    assert [s.label for s in signals] == ["x"]
    hearing = ear.hear(said("this costs us plenty", id_="b"), stage="opening")
    assert [s.label for s in ear.embedded("b", np.zeros((0, 512), np.float32))] == ["x"]


def test_a_rule_with_words_and_meanings_fires_once():
    ear = listener(
        "signals: [{id: x, when: {any: [{phrase: {any: [costs]}}, {examples: {like: [this costs us much]}}]}}]",
        encoder=encode,
    )
    hearing, signals = vectors_for(ear, "this costs us much")
    assert [s.label for s in hearing.signals] == ["x"]
    assert signals == []


def test_meanings_on_interim_text():
    ear = listener("signals: [{id: x, when: {interim: true, examples: {like: [we have no funds]}}}]", encoder=encode)
    assert vectors_for(ear, "we have no funds", is_final=False)[1] == []
    assert [s.is_final for s in vectors_for(ear, "we have no funds", is_final=False)[1]] == [False]


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b"]), st.text("too expensive. not", max_size=30), st.booleans()), max_size=12
    )
)
def test_a_label_fires_at_most_once_as_interim_and_once_as_final(script):
    ear = listener(PRICE)
    fired = []
    for id_, text, is_final in script:
        for signal in ear.hear(said(text, id_=id_, is_final=is_final), stage="opening").signals:
            assert signal.evidence.quote
            assert signal.evidence.quote in text
            fired.append((id_, signal.label, signal.is_final))
    assert len(fired) == len(set(fired))
