"""Where to cut speech that does not pause."""

from hypothesis import given
from hypothesis import strategies as st

from copilot.speech.cut import quietest


def test_the_quietest_moment_of_the_later_half():
    levels = [-20.0] * 100
    levels[30:34] = [-60.0] * 4  # too early
    levels[70:74] = [-50.0] * 4
    assert 70 <= quietest([0.9] * 100, levels) < 74


def test_the_voice_detector_counts_too():
    scores = [0.9] * 100
    scores[80:85] = [0.1] * 5
    assert quietest(scores, [-20.0] * 100) == 82


def test_a_single_quiet_window_is_a_consonant():
    levels = [-20.0] * 100
    levels[60] = -45.0
    levels[80:85] = [-40.0] * 5
    assert 79 <= quietest([0.9] * 100, levels) <= 85


def test_of_equals_the_latest():
    assert quietest([0.9] * 100, [-20.0] * 100) == 94


@given(st.integers(1, 300).flatmap(lambda n: st.lists(st.floats(0, 1), min_size=n, max_size=n)))
def test_both_parts_exist(scores):
    at = quietest(scores, [-30.0] * len(scores))
    assert len(scores) // 2 <= at < len(scores)
