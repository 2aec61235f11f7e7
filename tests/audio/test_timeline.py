"""The media timeline: samples in = samples out, whatever the chunks."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot.audio.g711 import encode_alaw, encode_mulaw
from copilot.audio.timeline import SAMPLE_RATES_HZ, Timeline, check_media
from copilot.errors import LocalProtocolError, RemoteProtocolError
from copilot.events import WINDOW_SAMPLES, MediaFormat

FORMATS = [
    MediaFormat(encoding=encoding, sample_rate_hz=rate, channels=channels)
    for encoding, rate in [("pcm_s16le", rate) for rate in SAMPLE_RATES_HZ] + [("mulaw", 8_000), ("alaw", 8_000)]
    for channels in (("rep",), ("rep", "customer"))
]
ENCODE = {"pcm_s16le": lambda pcm: pcm.astype("<i2").tobytes(), "mulaw": encode_mulaw, "alaw": encode_alaw}


def tone(media: MediaFormat, duration_ms: int, hz: float = 440.0) -> bytes:
    """A tone on the first channel, its double on the second."""
    at = np.arange(media.sample_rate_hz * duration_ms // 1000) / media.sample_rate_hz
    channels = [np.sin(2 * np.pi * hz * (index + 1) * at) * 12_000 for index in range(len(media.channels))]
    return ENCODE[media.encoding](np.stack(channels, axis=1).reshape(-1).astype(np.int16))


def size(media: MediaFormat) -> int:
    return (2 if media.encoding == "pcm_s16le" else 1) * len(media.channels)


def everything(timeline: Timeline) -> list[np.ndarray]:
    return [
        timeline.window_samples(channel, 0, timeline.windows).reshape(-1)
        for channel in range(len(timeline._tracks))  # each channel the format has
    ]


@given(st.sampled_from(FORMATS), st.lists(st.integers(0, 1_500), max_size=12))
@settings(max_examples=60, deadline=None)
def test_any_chunking_gives_the_same_samples(media, cuts):
    payload = tone(media, 150)
    whole = Timeline(media)
    counted = whole.receive(payload) + whole.finish()
    chunked = Timeline(media)
    edges = [0, *sorted(min(cut * size(media), len(payload)) for cut in cuts), len(payload)]
    fresh = [chunked.receive(payload[low:high]) for low, high in pairwise(edges)]
    assert sum(fresh) + chunked.finish() == counted == whole.windows == chunked.windows
    assert all(np.array_equal(one, other) for one, other in zip(everything(whole), everything(chunked), strict=True))


@pytest.mark.parametrize("media", FORMATS)
def test_samples_in_are_samples_out(media):
    timeline = Timeline(media)
    timeline.receive(tone(media, 1_000))
    timeline.finish()
    assert timeline.position_ms == 1_000
    assert timeline.source_samples == media.sample_rate_hz
    assert timeline.windows == -(-16_000 // WINDOW_SAMPLES)


@pytest.mark.parametrize("media", [media for media in FORMATS if len(media.channels) == 2])
def test_a_tone_keeps_its_pitch_and_its_channel(media):
    timeline = Timeline(media)
    timeline.receive(tone(media, 1_000))
    timeline.finish()
    for channel, hz in enumerate((440, 880)):
        spectrum = np.abs(np.fft.rfft(timeline.samples(channel, 0, 1_000)))
        assert abs(int(np.argmax(spectrum)) - hz) <= 1
        assert np.max(np.abs(timeline.samples(channel, 100, 900))) == pytest.approx(12_000 / 32_768, rel=0.05)


@pytest.mark.parametrize("rate", SAMPLE_RATES_HZ)
def test_the_resampler_holds_back_at_most_one_window(rate):
    media = MediaFormat(sample_rate_hz=rate, channels=("rep",))
    timeline = Timeline(media)
    timeline.receive(tone(media, 960))
    assert timeline.windows >= 960 // 32 - 1


def test_a_gap_is_silence_of_the_same_length():
    media = MediaFormat(channels=("rep",))
    timeline = Timeline(media)
    timeline.receive(tone(media, 100))
    timeline.miss(16_000 * 5 // 2)
    timeline.receive(tone(media, 100))
    assert timeline.position_ms == 2_700
    assert timeline.gaps_ms == 2_500
    assert not timeline.samples(0, 100, 2_600).any()
    assert np.array_equal(timeline.samples(0, 2_600, 2_700), timeline.samples(0, 0, 100))


@pytest.mark.parametrize("encoding", ["mulaw", "alaw"])
def test_a_gap_in_g711_is_silence_too(encoding):
    timeline = Timeline(MediaFormat(encoding=encoding, sample_rate_hz=8_000))
    timeline.miss(8_000)
    assert np.max(np.abs(timeline.samples(1, 0, 900))) < 0.001


def test_memory_is_bounded_and_old_windows_read_as_silence():
    media = MediaFormat(channels=("rep",))
    timeline = Timeline(media, retain_ms=1_000)
    second = tone(media, 1_000)
    for _ in range(60):
        timeline.receive(second)
    track = timeline._tracks[0]
    assert len(track._buffer) < 16_000 * 5
    assert len(timeline.samples(0, 0, 10_000)) == 0
    assert len(timeline.samples(0, 59_000, 60_000)) == 16_000
    assert not timeline.window_samples(0, 0, 3).any()
    assert timeline.window_samples(0, timeline.windows - 20, 20).any()


def test_samples_are_clipped_to_what_has_arrived():
    media = MediaFormat(channels=("rep",))
    timeline = Timeline(media)
    timeline.receive(tone(media, 100))
    assert len(timeline.samples(0, 50, 10_000)) == 800
    assert len(timeline.samples(0, 200, 300)) == 0


def test_the_last_window_is_filled_with_silence():
    media = MediaFormat(channels=("rep",))
    timeline = Timeline(media)
    assert timeline.receive(tone(media, 10)) == 0
    assert timeline.finish() == 1
    assert timeline.window_samples(0, 0, 1)[0, :160].any()
    assert not timeline.window_samples(0, 0, 1)[0, 160:].any()


def test_a_call_of_no_time_has_no_windows():
    timeline = Timeline(MediaFormat())
    assert timeline.finish() == timeline.windows == timeline.position_ms == 0


def test_finishing_twice_changes_nothing():
    timeline = Timeline(MediaFormat(channels=("rep",)))
    timeline.receive(b"\1\0" * 600)
    assert timeline.finish() == 1
    assert timeline.finish() == 0
    assert timeline.windows == 2


@pytest.mark.parametrize(
    ("misuse", "code"),
    [
        (lambda timeline: timeline.receive(b"\0" * 3), "audio.partial_frame"),
        (lambda timeline: timeline.window_samples(0, 0, 1), "audio.not_there_yet"),
        (lambda timeline: timeline.window_samples(0, -1, 1), "audio.not_there_yet"),
        (lambda timeline: timeline.finish() or timeline.receive(b"\0" * 4), "audio.finished"),
    ],
)
def test_misuse_is_a_bug_of_ours(misuse, code):
    with pytest.raises(LocalProtocolError) as caught:
        misuse(Timeline(MediaFormat()))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("encoding", "rate", "channels"),
    [("opus", 16_000, 1), ("pcm_s16le", 12_345, 2), ("mulaw", 8_000, 0), ("mulaw", 8_000, 3)],
)
def test_what_cannot_be_heard_is_refused(encoding, rate, channels):
    with pytest.raises(RemoteProtocolError) as caught:
        check_media(encoding, rate, channels)
    assert (caught.value.code, caught.value.close_code) == ("media.unsupported", 4406)


@pytest.mark.parametrize("media", FORMATS)
def test_what_can_be_heard_is_not(media):
    check_media(media.encoding, media.sample_rate_hz, len(media.channels))


def test_memory_is_bounded_and_what_is_too_old_is_known_to_be():
    timeline = Timeline(MediaFormat(sample_rate_hz=8_000), retain_ms=2_000)
    for _ in range(200):
        timeline.receive(b"\x01\x02" * 2 * 4_000)
    assert timeline.size_bytes < 2 * 2 * 16_000 * 4
    assert 96_000 < timeline.oldest_ms <= timeline.position_ms - 1_900
    oldest = timeline.oldest_ms
    assert len(timeline.samples(0, oldest, oldest + 500)) == 500 * 16
