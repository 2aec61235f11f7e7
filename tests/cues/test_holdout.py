"""Which calls go without which cues."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.cues.holdout import draw, held_out
from tests.cues.scripts import cue

CALLS = [f"call_{index}" for index in range(4_000)]
IDS = st.text(min_size=1, max_size=20)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_that_share_of_calls(share):
    held = [call for call in CALLS if held_out([cue("x", hold_out=share)], call)]
    assert len(held) / len(CALLS) == pytest.approx(share, abs=0.025)


def test_none_and_all():
    assert not any(held_out([cue("x")], call) for call in CALLS)
    assert all(held_out([cue("x", hold_out=1.0)], call) for call in CALLS)


def test_one_cue_says_nothing_of_another():
    cues = [cue("x", hold_out=0.5), cue("y", hold_out=0.5)]
    both = [call for call in CALLS if len(held_out(cues, call)) == 2]
    assert len(both) / len(CALLS) == pytest.approx(0.25, abs=0.03)


@given(IDS, IDS, st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_keeps_the_calls_of_a_smaller_one(call_id, cue_id, one, other):
    few, many = sorted((one, other))
    number = draw(call_id, cue_id)
    assert 0 <= number < 1
    assert number == draw(call_id, cue_id)
    assert number >= few or number < many


def test_it_stays_what_it_was():
    """Stored calls are replayed years later: the draw must never change."""
    assert draw("call_1", "objection.price") == 0.16346769098769248
    assert draw("通话", "x") == 0.0010296175665583168
