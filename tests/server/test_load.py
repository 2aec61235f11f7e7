"""The ladder, the meter and the door, on a clock of their own."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.config import LoadSettings
from copilot.engines.pool import BatchDone
from copilot.events import LOAD_STAGES
from copilot.server.load import TOP, Admission, Ladder, Meter, Strain, stages_for

SETTINGS = LoadSettings()
STEP_S = 0.25
lags = st.integers(0, 20_000)
busies = st.floats(0, 1)


def climb(ladder: Ladder, strains: list[Strain], start: float = 0.0) -> list[tuple[float, int]]:
    """The stage after each measurement, one every 250 ms."""
    return [(at := start + index * STEP_S, ladder.observe(each, at)) for index, each in enumerate(strains)]


def changes(stages: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """When the stage moved, and by how much."""
    return [(at, after - before) for (_, before), (at, after) in itertools.pairwise(stages) if after != before]


@given(st.lists(lags, max_size=200).map(sorted), busies)
def test_under_rising_lag_it_never_steps_down(rising, busy):
    stages = [stage for _, stage in climb(Ladder(SETTINGS), [Strain(lag_ms=lag, busy=busy) for lag in rising])]
    assert stages == sorted(stages)


@given(st.lists(st.builds(Strain, lag_ms=lags, busy=busies), max_size=300))
def test_it_moves_one_step_at_a_time_and_takes_its_time_for_each(strains):
    moves = changes([(0.0, 0), *climb(Ladder(SETTINGS), strains)])
    assert all(abs(step) == 1 for _, step in moves)
    for (before, _), (after, step) in itertools.pairwise(moves):
        assert after - before >= (SETTINGS.sustained_s if step > 0 else SETTINGS.calm_s)


@given(st.integers(0, 300), st.integers(0, 20_000))
def test_whatever_was_it_returns_to_nothing_given_up_when_quiet(strained, lag):
    ladder = Ladder(SETTINGS)
    climb(ladder, [Strain(lag_ms=lag, busy=1.0)] * strained)
    quiet = round(SETTINGS.calm_s * (TOP + 1) / STEP_S)
    assert climb(ladder, [Strain()] * quiet, start=100.0)[-1][1] == 0


@given(st.lists(st.tuples(st.integers(601, 1199), st.floats(0.81, 0.91)), min_size=1, max_size=400))
def test_between_calm_and_late_nothing_moves(band):
    ladder = Ladder(SETTINGS)
    climb(ladder, [Strain(lag_ms=1_250)] * 10)
    assert ladder.stage == 1
    assert {stage for _, stage in climb(ladder, [Strain(lag_ms=lag, busy=busy) for lag, busy in band], 10.0)} == {1}


@pytest.mark.parametrize("enough", range(1, TOP + 1))
def test_load_that_comes_back_with_every_step_down_is_met_with_growing_patience(enough):
    """The worst case for a ladder: it helps, so it is taken back, so it is needed again."""
    ladder, stages = Ladder(SETTINGS), [(0.0, 0)]
    for index in range(4 * 3600):  # an hour
        strain = Strain(lag_ms=8_000) if ladder.stage < enough else Strain()
        stages.append((index * STEP_S, ladder.observe(strain, index * STEP_S)))
    falls = [at for at, step in changes(stages) if step < 0]
    assert len(falls) <= 3600 / 300 + 6
    assert falls[-1] - falls[-2] >= 300


@pytest.mark.parametrize(("lag_ms", "stage"), [(1_199, 0), (1_200, 1), (1_500, 2), (2_100, 3), (3_000, 4), (6_000, 5)])
def test_each_stage_needs_finals_that_are_later(lag_ms, stage):
    assert climb(Ladder(SETTINGS), [Strain(lag_ms=lag_ms)] * 200)[-1][1] == stage


def test_busy_workers_alone_cost_interim_text_and_no_more():
    assert climb(Ladder(SETTINGS), [Strain(busy=1.0)] * 400)[-1][1] == 2


def test_a_call_that_is_watched_keeps_its_interims_a_stage_longer():
    assert stages_for(2, watched=True) == ("interims_slow",)
    assert stages_for(2, watched=False) == ("interims_slow", "interims_off")
    for stage in (0, 1, 3, 4, 5):
        assert stages_for(stage, watched=True) == stages_for(stage, watched=False) == LOAD_STAGES[:stage]


# --- the meter --------------------------------------------------------------------------------------------------


def batch(*waits_ms: int, kind: str = "final", decode_ms: int = 200) -> BatchDone:
    return BatchDone(kinds=(kind,) * len(waits_ms), waits_ms=waits_ms, decode_ms=decode_ms, audio_ms=2_000)


def test_one_slow_final_is_an_accident_three_are_not():
    meter = Meter(workers=2)
    meter.took(batch(5_000), 1.0)
    assert meter.strain(0, 1.0).lag_ms == 0
    meter.took(batch(1_000, 2_000), 1.5)
    assert meter.strain(0, 2.0).lag_ms == 5_200
    assert meter.strain(0, 6.0).lag_ms == 0


def test_the_final_that_still_waits_counts_before_it_comes():
    assert Meter(workers=2).strain(3_000, 1.0) == Strain(lag_ms=3_000)


def test_interims_are_done_in_the_time_that_is_left_and_do_not_count():
    meter = Meter(workers=1)
    meter.took(batch(0, 0, 0, kind="interim", decode_ms=4_000), 1.0)
    meter.took(BatchDone(kinds=("final", "interim"), waits_ms=(0, 0), decode_ms=2_000, audio_ms=1), 1.0)
    assert meter.strain(0, 1.0).busy == 0.25


@given(st.integers(1, 50), st.floats(0.01, 0.5))
def test_what_a_call_costs_is_work_per_second_of_call(calls, cost):
    meter = Meter(workers=4)
    meter.count(calls, 0.0)
    assert meter.cost is None
    for second in range(1, 121):
        meter.took(batch(0, decode_ms=round(cost * calls * 1000)), float(second))
        meter.count(calls, float(second))
    assert meter.cost == pytest.approx(cost, rel=0.05)


# --- the door ---------------------------------------------------------------------------------------------------

costs = st.none() | st.floats(0, 4)


@given(st.integers(0, 100), st.integers(0, TOP), costs, st.integers(1, 60), st.integers(1, 16), st.integers(1, TOP))
def test_nobody_comes_in_who_would_be_too_many(calls, stage, cost, limit, workers, refuse_at):
    settings = LoadSettings(refuse_at=refuse_at)
    why = Admission(settings, workers=workers, limit=limit).refusal(calls, stage, cost)
    if not why:
        assert calls < limit
        assert stage < refuse_at
        assert cost is None or calls == 0 or cost * (calls + 1) <= workers * settings.busy_share
    else:
        assert calls >= limit or stage >= refuse_at or (cost or 0) * (calls + 1) > workers * settings.busy_share


def test_refused_callers_are_told_when_a_call_is_expected_to_end():
    door = Admission(SETTINGS, workers=2, limit=8)
    assert door.retry_after_s(1) == 60
    assert door.retry_after_s(8) == 23
    for _ in range(100):
        door.ended(8.0)
    assert door.retry_after_s(4) == 3
    assert door.retry_after_s(100) == 1
