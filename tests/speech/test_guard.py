"""The guard: what was not said is dropped, what was said is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.events import Hypothesis
from copilot.speech.guard import clean, objection, repeats, tokens


def judge(text: str, voiced_ms: int = 2_000, **figures: float) -> str:
    hypothesis = Hypothesis(text=text, **({"avg_logprob": -0.3} | figures))
    return objection(hypothesis, voiced_ms=voiced_ms, min_voiced_ms=250)


@pytest.mark.parametrize(
    ("text", "voiced_ms", "figures"),
    [
        ("Hello.", 300, {}),
        ("Thank you.", 500, {"avg_logprob": -0.5}),
        ("Bye.", 400, {"no_speech_prob": 0.4}),
        ("No, no, no, no.", 1_500, {}),
        ("对对对对", 900, {}),
        ("太贵了吧。", 900, {"avg_logprob": -0.7}),
        ("Thanks for listening to me today.", 1_600, {"avg_logprob": -0.2}),
        ("谢谢您的收听。", 1_600, {"avg_logprob": -0.1}),
        ("What is this service about?", 1_500, {"no_speech_prob": 0.9, "avg_logprob": -0.3}),
        ("I am (honestly) not sure.", 1_500, {}),
    ],
)
def test_speech_passes(text, voiced_ms, figures):
    assert judge(text, voiced_ms, **figures) == ""


@pytest.mark.parametrize(
    ("reason", "text", "voiced_ms", "figures"),
    [
        ("too_short", "Hello.", 224, {}),
        ("empty", "", 900, {}),
        ("empty", "...", 900, {}),
        ("empty", "[Music]", 3_000, {}),
        ("empty", "♪♪", 3_000, {}),
        ("empty", "（音乐）", 3_000, {}),
        ("noise", "BAH!", 500, {"avg_logprob": -1.6}),
        ("noise", "Okay then.", 500, {"avg_logprob": -0.9, "no_speech_prob": 0.7}),
        ("loop", "so " * 60, 9_000, {"compression_ratio": 9.0}),
        ("loop", "and then and then and then and then and then", 9_000, {}),
        ("loop", "我们我们我们我们我们我们", 9_000, {}),
        ("too_much", "This is what we said before and nobody said it again now.", 500, {}),
        ("too_much", "以前说过的话现在没有人再说一遍了对不对呀", 300, {}),
        ("invented", "Thanks for watching!", 1_200, {"avg_logprob": -0.5}),
        ("invented", "字幕由志愿者提供", 1_500, {"avg_logprob": -0.6}),
        ("invented", "请不吝点赞订阅", 1_500, {"avg_logprob": -0.4}),
        ("invented", "以下是普通话的句子。", 1_500, {"avg_logprob": -0.5}),
        ("invented", "Subtitles by somebody", 1_500, {"no_speech_prob": 0.8, "avg_logprob": -0.2}),
        ("filler", "you", 400, {"avg_logprob": -0.9}),
        ("filler", "Thank you.", 400, {"no_speech_prob": 0.8}),
    ],
)
def test_inventions_do_not(reason, text, voiced_ms, figures):
    assert judge(text, voiced_ms, **figures) == reason


def test_marks_of_non_speech_are_taken_out():
    assert clean(" [Music] Hello (laughs) there ♪ ") == "Hello there"


@pytest.mark.parametrize(
    ("text", "most"),
    [("", 0), ("one", 1), ("one two one two", 2), ("a b c b c b c d", 3), ("x x x", 3), ("对对对不对", 3)],
)
def test_repeats(text, most):
    assert repeats(text) == most


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=4), st.integers(2, 9), st.text("de ", max_size=6))
def test_a_loop_is_found_wherever_it_begins(unit, times, before):
    assert repeats(before + " " + " ".join(unit * times)) >= times


def test_tokens_are_words_or_characters():
    assert tokens("Don't 太贵了, OK?") == ["don't", "太", "贵", "了", "ok"]
