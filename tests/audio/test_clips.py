from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from copilot.audio.clips import Clips
from copilot.audio.timeline import Timeline
from copilot.events import REVISION_GAP_MS, MediaFormat


def ramp(ms: int, start: int = 0) -> np.ndarray:
    return (np.arange(start, start + ms * 16) % 30_000 / 32_768).astype(np.float32)


def test_what_is_kept_reads_back_to_the_last_bit():
    timeline = Timeline(MediaFormat(channels=("rep",)))
    noise = np.random.default_rng(3).integers(-32_768, 32_767, 16_000, dtype="<i2")
    timeline.receive(noise.tobytes())
    clips = Clips()
    clips.keep(100, timeline.samples(0, 100, 900))
    assert np.array_equal(clips.read(100, 900), timeline.samples(0, 100, 900))


def test_nothing_kept_reads_as_silence():
    clips = Clips()
    clips.keep(100, ramp(100))
    assert len(clips.read(0, 300)) == 300 * 16
    assert not clips.read(0, 100).any()
    assert not clips.read(200, 300).any()
    assert np.array_equal(clips.read(150, 200), ramp(100)[50 * 16 :])


def test_stretches_are_laid_end_to_end_with_silence_in_between():
    clips = Clips()
    clips.keep(0, ramp(100))
    clips.keep(500, ramp(50))
    packed = clips.packed(((0, 100), (500, 550)))
    gap = REVISION_GAP_MS * 16
    assert len(packed) == 150 * 16 + gap
    assert not packed[1_600 : 1_600 + gap].any()
    assert np.array_equal(packed[1_600 + gap :], ramp(50))


@given(st.lists(st.integers(20, 400), min_size=1, max_size=6), st.data())
def test_neighbours_join_without_a_seam(lengths, data):
    clips, at = Clips(), 0
    for length in lengths:
        clips.keep(at, ramp(length, at * 16))
        at += length
    begin = data.draw(st.integers(0, at))
    end = data.draw(st.integers(begin, at))
    assert np.array_equal(clips.read(begin, end), ramp(at)[begin * 16 : end * 16])


def test_memory_is_two_bytes_a_sample_and_goes_when_told():
    clips = Clips()
    for at in (0, 1_000, 2_000):
        clips.keep(at, ramp(500))
    assert clips.size_bytes == 3 * 500 * 16 * 2
    clips.forget(1_500)
    assert clips.size_bytes == 500 * 16 * 2
    assert not clips.read(1_000, 1_500).any()
    clips.forget(None)
    assert clips.size_bytes == 0
