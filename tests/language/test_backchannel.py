"""A backchannel is short and says nothing."""

import pytest

from copilot.language.backchannel import MAX_BACKCHANNEL_MS, is_backchannel


@pytest.mark.parametrize(
    "text", ["嗯", "对对对", "嗯嗯", "好的好的", "是啊", "Uh-huh.", "Mm-hmm", "okay, yeah", "I see", "got it"]
)
def test_sounds_of_listening(text):
    assert is_backchannel(text, 500)


@pytest.mark.parametrize("text", ["no", "不对", "我想", "okay but why", "", "..."])
def test_words_that_say_something(text):
    assert not is_backchannel(text, 500)


def test_a_long_sound_is_a_turn():
    assert not is_backchannel("嗯", MAX_BACKCHANNEL_MS)
