"""What the classifier understands counts like words do: in scope, in clauses, surely enough, and not when denied."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.signals.intents import INTERIM_MARGIN
from tests.fakes import FakeIntents
from tests.signals.plans import encode, listener, said

PRICE = "signals: [{id: price, speaker: customer, when: {intent: {label: objection.price}}}]"
WORDS = {
    "objection.price": {"steep": 0.9, "much": 0.6, "贵": 0.9},
    "objection.trust": {"trust": 0.9, "相信": 0.9},
    "compliance.forbidden": {"promise": 0.9},
}


def ear_for(rest, language="en", words=WORDS):
    return listener(rest, language, encode, FakeIntents(words))


def heard(ear, text, stage="opening", **kwargs):
    hearing = ear.hear(said(text, **kwargs), stage=stage)
    return hearing.signals + ear.embedded(kwargs.get("id_", "u1"), encode(hearing.embed))


def test_an_intent_is_heard_with_its_clause_and_its_probability():
    (signal,) = heard(ear_for(PRICE), "Thanks for calling me back, that is rather steep, good bye to you.")
    assert (signal.label, signal.detector, signal.why) == ("price", "intent", "intent objection.price 0.90")
    assert signal.evidence.quote == "that is rather steep"
    assert signal.score == 0.9


@pytest.mark.parametrize(("text", "language"), [("Steep.", "en"), ("贵啊", "zh"), ("Bit steep", "en")])
def test_one_or_two_words_are_understood_as_a_whole(text, language):
    ear = ear_for(PRICE, language)
    assert [s.label for s in heard(ear, text)] == ["price"]


def test_a_bound_of_the_author_goes_before_the_classifiers_own():
    strict = PRICE.replace("label: objection.price", "label: objection.price, above: 0.7")
    assert [s.label for s in heard(ear_for(PRICE), "it is so much")] == ["price"]
    assert heard(ear_for(strict), "it is so much") == []


def test_a_label_nobody_knows_is_never_sure():
    assert heard(ear_for(PRICE, words={"objection.trust": {"steep": 1.0}}), "it is steep") == []


def test_scopes_hold():
    ear = ear_for("signals: [{id: x, when: {intent: {label: objection.price}, stage: [close], speaker: customer}}]")
    assert heard(ear, "it is steep", id_="a") == []
    assert [s.label for s in heard(ear, "it is steep", stage="close", id_="b")] == ["x"]
    assert heard(ear, "it is steep", stage="close", speaker="rep", id_="c") == []


def test_a_language_scope_holds():
    ear = ear_for("signals: [{id: x, when: {intent: {label: objection.price}, language: zh}}]", "auto")
    assert heard(ear, "that is steep", id_="a") == []
    assert [s.label for s in heard(ear, "这个太贵了", id_="b")] == ["x"]


def test_an_intent_of_the_other_side_is_never_heard():
    ear = ear_for("signals: [{id: x, when: {intent: {label: compliance.forbidden}}}]")
    assert heard(ear, "I promise you", id_="a") == []
    assert [s.label for s in heard(ear, "I promise you", id_="b", speaker="rep")] == ["x"]


def test_the_classifier_is_asked_once_however_many_rules_want_to_know():
    words = FakeIntents(WORDS)
    rules = "".join(f"{{id: x{n}, when: {{intent: {{label: objection.price}}}}}}," for n in range(5))
    ear = listener(f"signals: [{rules}]", "en", encode, words)
    assert len(heard(ear, "Hello there my friend, it is steep")) == 5
    assert words.asked == [("Hello there my friend, it is steep", "Hello there my friend", "it is steep")]


def test_without_an_encoder_or_a_classifier_nothing_is_asked():
    for ear in (listener(PRICE, "en", encode), listener(PRICE, "en", None, FakeIntents(WORDS))):
        assert ear.hear(said("it is steep"), stage="opening").embed == ()


def test_vectors_that_failed_mean_nothing():
    ear = ear_for(PRICE)
    ear.hear(said("it is steep"), stage="opening")
    assert ear.embedded("u1", np.zeros((0, 512), np.float32)) == []


def test_an_absent_intent_is_known_only_after_the_classifier_answered():
    ear = ear_for(
        "signals: [{id: x, when: {all: [{regex: steep}, {not: {intent: {label: objection.trust}}}]}}]",
    )
    hearing = ear.hear(said("that is steep"), stage="opening")
    assert hearing.signals == []
    assert [s.label for s in ear.embedded("u1", encode(hearing.embed))] == ["x"]
    assert heard(ear, "that is steep and I do not trust it", id_="b") == []


def test_words_and_intents_of_one_rule_fire_once():
    ear = ear_for("signals: [{id: x, when: {any: [{regex: steep}, {intent: {label: objection.price}}]}}]")
    assert [s.detector for s in heard(ear, "it is steep")] == ["regex"]


def test_steps_and_cues_understand_too():
    ear = ear_for(
        "steps: [{id: vow, title: Vow, stage: opening, done_when: {intent: {label: compliance.forbidden}}}]\n"
        "cues: [{id: dear, kind: objection, when: {intent: {label: objection.price}}, card: {headline: Dear}}]"
    )
    assert [s.label for s in heard(ear, "I promise you", id_="a", speaker="rep")] == ["vow"]
    assert [s.label for s in heard(ear, "it is steep", id_="b")] == ["cue:dear#1"]


# --- interim text ---------------------------------------------------------------------------------------------

EARLY = PRICE.replace("when: {", "when: {interim: true, ")


def test_while_somebody_speaks_one_must_be_surer_twice_and_the_final_is_judged_anew():
    least = 0.5
    sure, unsure = least + INTERIM_MARGIN + 0.01, least + INTERIM_MARGIN - 0.01
    ear = ear_for(EARLY, words={"objection.price": {"steep": sure, "dear": unsure}})
    for text in ("it is dear", "it is dear now", "it is steep"):
        assert heard(ear, text, is_final=False) == []
    (early,) = heard(ear, "it is steep now", is_final=False)
    assert (early.is_final, early.score) == (False, sure)
    (late,) = heard(ear, "it is dear now")
    assert (late.is_final, late.score) == (True, unsure)


def test_the_final_may_disagree():
    ear = ear_for(EARLY)
    assert heard(ear, "it is steep", is_final=False) == []
    assert len(heard(ear, "it is steep", is_final=False)) == 1
    assert heard(ear, "it is a good one") == []


# --- vetoes ---------------------------------------------------------------------------------------------------

DENIED = [
    ("It's not that it's steep.", "en"),
    ("I'm not saying it's steep", "en"),
    ("Not that it's too steep or anything", "en"),
    ("I never said it was steep", "en"),
    ("My neighbour said it's steep", "en"),
    ("My mate says, that is steep", "en"),
    ('She wrote: "this is steep", on the wall', "en"),
    ("我不是嫌贵", "zh"),
    ("我不是说贵", "zh"),
    ("不贵不贵", "zh"),
    ("我邻居说太贵了", "zh"),
    ("我邻居说，太贵了", "zh"),
]
MEANT = [
    ("It's steep, I'm not saying it isn't good.", "en"),
    ("My wife says it's steep", "en"),
    ("My friend said you are steep", "en"),
    ("我老婆说太贵了", "zh"),
    ("不好意思，太贵了", "zh"),
    ("这不是很贵吗", "zh"),
    ("我不是不想买，是真的贵", "zh"),
]


@pytest.mark.parametrize(("text", "language"), DENIED)
def test_what_is_denied_or_told_of_others_does_not_count(text, language):
    assert heard(ear_for(PRICE, language), text) == []


@pytest.mark.parametrize(("text", "language"), MEANT)
def test_what_is_meant_does(text, language):
    assert [s.label for s in heard(ear_for(PRICE, language), text)] == ["price"]


def test_to_deny_a_doubt_is_no_doubt():
    ear = ear_for("signals: [{id: doubt, when: {intent: {label: objection.trust}}}]", "zh")
    assert heard(ear, "我不是不相信你", id_="a") == []
    assert [s.label for s in heard(ear, "我不相信你", id_="b")] == ["doubt"]


# --- whatever is said -----------------------------------------------------------------------------------------

SAYINGS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.text(st.sampled_from("steep much 贵不是说，, .’\n"), max_size=30)
        | st.sampled_from([*(text for text, _ in DENIED), *(text for text, _ in MEANT)]),
        st.booleans(),
    ),
    max_size=8,
)


@given(SAYINGS)
def test_every_signal_quotes_what_was_said_and_is_sure_enough(script):
    ear = ear_for(EARLY, "auto")
    fired = []
    for id_, text, is_final in script:
        for signal in heard(ear, text, id_=id_, is_final=is_final):
            assert signal.evidence.quote in text
            assert any(word in signal.evidence.quote.lower() for word in WORDS["objection.price"])
            assert signal.score >= (0.5 if is_final else 0.5 + INTERIM_MARGIN)
            fired.append((id_, signal.label, signal.is_final))
    assert len(fired) == len(set(fired))


@given(st.sampled_from(DENIED), st.sampled_from(["", "Okay. ", "Well then, ", "好的。"]))
def test_a_denial_stays_one_whatever_stands_before_it(denial, before):
    text, language = denial
    assert heard(ear_for(PRICE, language), before + text) == []
