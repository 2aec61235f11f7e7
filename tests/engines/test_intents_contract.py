"""The shipped classifier keeps the promise that the rooms rely on, and knows exactly the names of the format."""

import numpy as np
import pytest

from copilot.engines.suite import load_intents
from copilot.playbook.intents import INTENTS
from copilot.signals.intents import IntentScorer, understand
from tests.fakes import FakeIntents


@pytest.fixture(scope="module")
def shipped() -> IntentScorer:
    found = load_intents()
    assert found is not None, "the head ships with the project: models/intents"
    return found


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("speaker", ["customer", "rep"])
def test_it_knows_the_names_of_the_format_and_no_others(shipped, language, speaker):
    wanted = {label for label, side in INTENTS.items() if side == speaker}
    assert set(shipped.thresholds(language, speaker)) == wanted
    (scores,) = shipped.score(["hello there"], np.zeros((1, 512), np.float32), language, speaker)
    assert set(scores) == wanted


@pytest.mark.parametrize("fake", [True, False])
def test_every_scorer_gives_probabilities_for_every_text_and_the_same_again(fake, request):
    scorer = FakeIntents({"objection.price": {"steep": 0.9}}) if fake else request.getfixturevalue("shipped")
    texts = ["it is steep", "", "hello"]
    vectors = np.random.default_rng(1).normal(size=(3, 512)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = scorer.score(texts, vectors, "en", "customer")
    assert len(scores) == len(texts)
    assert all(0 <= chance <= 1 for each in scores for chance in each.values())
    assert list(scores) == list(scorer.score(texts, vectors, "en", "customer"))
    assert all(0 <= least <= 1 for least in scorer.thresholds("en", "customer").values())
    assert scorer.score([], np.zeros((0, 512), np.float32), "en", "customer") == []


def test_what_it_understands_lies_in_the_text(shipped):
    text = "it is rather steep, good bye"
    meaning = understand(shipped, text, [(0, 28), (0, 18)], np.zeros((2, 512), np.float32), "en", "customer")
    for found in meaning.stretches.values():
        assert [chance for chance, _, _ in found] == sorted((chance for chance, _, _ in found), reverse=True)
        assert all(0 <= start < end <= len(text) for _, start, end in found)
