"""Recordings: every format gives the same sound in 20 ms frames; every broken file says what is wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from copilot.engines.media import Recording, open_recording
from copilot.errors import MediaFileError
from tests.engines.speech import DATA

SECONDS = 2.51


def sound(rate: int, channels: int) -> np.ndarray:
    at = np.arange(round(SECONDS * rate)) / rate
    return np.stack([0.4 * np.sin(2 * np.pi * 440 * (index + 1) * at) for index in range(channels)], axis=1)


def heard(recording: Recording) -> np.ndarray:
    pcm = np.frombuffer(b"".join(recording.frames), "<i2")
    return pcm.reshape(-1, recording.channels) / 32_768


def pitch(samples: np.ndarray, rate: int) -> float:
    return int(np.argmax(np.abs(np.fft.rfft(samples)))) * rate / len(samples)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("suffix", "rate", "subtype"),
    [
        ("wav", 8_000, "PCM_16"),
        ("wav", 8_000, "ULAW"),
        ("wav", 16_000, "ALAW"),
        ("wav", 48_000, "FLOAT"),
        ("wav", 44_100, "PCM_16"),
        ("wav", 11_025, "PCM_24"),
        ("flac", 24_000, "PCM_16"),
        ("ogg", 16_000, "VORBIS"),
        ("ogg", 48_000, "OPUS"),
        ("mp3", 16_000, "MPEG_LAYER_III"),
    ],
)
def test_every_format_sounds_the_same(tmp_path, suffix, rate, subtype, channels):
    path = tmp_path / f"call.{suffix}"
    soundfile.write(path, sound(rate, channels), rate, subtype=subtype)
    recording = open_recording(path)
    assert recording.sample_rate_hz == (rate if rate in {8_000, 16_000, 24_000, 48_000} else 16_000)
    assert recording.channels == channels
    assert recording.duration_ms == pytest.approx(SECONDS * 1000, abs=80)
    samples = heard(recording)
    assert len(samples) / recording.sample_rate_hz == pytest.approx(SECONDS, abs=0.08)
    for channel in range(channels):
        assert pitch(samples[:, channel], recording.sample_rate_hz) == pytest.approx(440 * (channel + 1), abs=3)


def test_what_libsndfile_does_not_know_ffmpeg_reads(tmp_path):
    path = tmp_path / "call.m4a"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16_000, layout="stereo")
        pcm = (sound(16_000, 2).T * 32_767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm.T.reshape(1, -1)), format="s16", layout="stereo")
        frame.sample_rate = 16_000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    recording = open_recording(path)
    assert (recording.sample_rate_hz, recording.channels) == (16_000, 2)
    samples = heard(recording)
    assert len(samples) / 16_000 == pytest.approx(SECONDS, abs=0.15)
    assert pitch(samples[:, 1], 16_000) == pytest.approx(880, abs=3)


def test_frames_are_twenty_milliseconds():
    recording = open_recording(DATA / "en_dev_03_solar.flac")
    sizes = [len(frame) for frame in recording.frames]
    assert set(sizes[:-1]) == {8_000 // 50 * 2 * 2}
    assert sum(sizes) == recording.duration_ms * 8 * 2 * 2 + sizes[-1] % 32


def code_of(path: Path) -> str:
    with pytest.raises(MediaFileError) as caught:
        list(open_recording(path).frames)
    assert str(path) in caught.value.message
    return caught.value.code


def test_broken_files_say_what_is_wrong(tmp_path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "junk.wav").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "folder.wav").mkdir()
    soundfile.write(tmp_path / "nothing.wav", np.zeros((0, 1)), 8_000)
    soundfile.write(tmp_path / "four.wav", sound(8_000, 4), 8_000)
    found = {path.name: code_of(path) for path in tmp_path.iterdir() if path.is_file()}
    assert found == {
        "empty.wav": "media.empty",
        "junk.wav": "media.unreadable",
        "nothing.wav": "media.empty",
        "four.wav": "media.too_many_channels",
    }
    assert code_of(tmp_path / "absent.wav") == "media.unreadable"
    assert code_of(tmp_path / "folder.wav") in {"media.unreadable", "media.empty"}


def test_a_film_without_sound_has_no_audio(tmp_path):
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        for packet in [*stream.encode(picture), *stream.encode(None)]:
            container.mux(packet)
    assert code_of(path) == "media.no_audio"


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_file_that_breaks_off_plays_what_is_there_and_says_so(tmp_path, suffix):
    path = tmp_path / f"call.{suffix}"
    noise = np.random.default_rng(4).uniform(-0.5, 0.5, (40_000, 2))
    soundfile.write(path, noise, 8_000, subtype="PCM_16")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    recording = open_recording(path)
    assert recording.duration_ms == 5_000
    played = []
    with pytest.raises(MediaFileError) as caught:
        played.extend(recording.frames)
    assert caught.value.code == "media.truncated"
    assert 1.5 < sum(map(len, played)) / 4 / 8_000 <= 2.5


def test_a_wav_written_to_a_pipe_is_whole(tmp_path):
    path = tmp_path / "pipe.wav"
    soundfile.write(path, sound(8_000, 1), 8_000, subtype="PCM_16")
    raw = bytearray(path.read_bytes())
    at = raw.index(b"data") + 4
    raw[at : at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(raw)
    assert len(heard(open_recording(path))) == round(SECONDS * 8_000)


def test_the_name_of_a_file_does_not_matter(tmp_path):
    shutil.copy(DATA / "en_dev_03_solar.flac", tmp_path / "call.wav")
    assert open_recording(tmp_path / "call.wav").channels == 2
