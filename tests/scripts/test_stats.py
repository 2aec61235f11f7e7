from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.benching.stats import Search, quantile, ratio, slope


def tried(search: Search, most: int) -> list[int]:
    """Every number asked for, when up to ``most`` is good."""
    asked = []
    while (number := search.upcoming()) is not None:
        asked.append(number)
        search.tell(number, is_good=number <= most)
    return asked


def test_a_search_doubles_then_bisects():
    search = Search(start=4, limit=100)
    assert tried(search, 25) == [4, 8, 16, 32, 24, 28, 26, 25]
    assert search.passed == 25


@given(start=st.integers(1, 40), limit=st.integers(1, 300), resolution=st.integers(1, 9), most=st.integers(0, 400))
def test_a_search_ends_with_the_answer(start: int, limit: int, resolution: int, most: int):
    search = Search(start, limit, resolution)
    asked = tried(search, most)
    assert len(asked) == len(set(asked)) < 30
    assert max(asked) <= limit
    assert search.passed <= min(most, limit)
    assert min(most, limit) - search.passed < resolution


def test_a_search_that_fails_at_once_goes_below_its_start():
    search = Search(start=8, limit=100)
    assert tried(search, 3) == [8, 4, 2, 3]


def test_quantiles_of_nothing_are_nothing():
    assert quantile([], 0.5) is None
    assert quantile([1.0, 2.0, 3.0], 0.5) == 2.0


def test_a_slope_is_per_unit_of_x():
    assert slope([(0.0, 100.0), (0.5, 101.0), (1.0, 102.0)]) == pytest.approx(2.0)
    assert slope([(0.0, 1.0), (1.0, 2.0)]) is None


def test_a_ratio_says_how_many_times_ours_theirs_is():
    assert ratio(0.5, 4.5) == 9.0
    assert ratio(None, 1.0) is None
    assert ratio(0.0, 1.0) is None
