"""The voice detector: on real speech when the model is there; its gain always."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.engines.loudness import MAX_GAIN_DB, SILENCE_DB, TARGET_DB, Loudness, gain, level_db, normalise
from copilot.engines.silero import Silero
from copilot.errors import ModelError
from copilot.events import WINDOW_SAMPLES
from tests.engines.speech import MODELS, call, needs_models

# --- loudness -------------------------------------------------------------------------------------------------


def test_levels():
    full = np.sin(np.linspace(0, 200 * np.pi, 16_000)).astype(np.float32)
    assert level_db(full) == pytest.approx(-3.01, abs=0.05)
    assert level_db(full / 100) == pytest.approx(-43.01, abs=0.05)
    assert level_db(np.zeros(512, np.float32)) == level_db(np.zeros(0, np.float32)) == SILENCE_DB


@given(st.floats(-120, 20))
def test_gain_brings_speech_to_the_target_within_reason(speech_db):
    db = 20 * np.log10(gain(speech_db))
    assert abs(db) <= MAX_GAIN_DB + 1e-9
    assert abs(db) == pytest.approx(MAX_GAIN_DB) or speech_db + db == pytest.approx(TARGET_DB)


def test_quiet_utterances_are_lifted_and_never_clip():
    rng = np.random.default_rng(1)
    quiet = (rng.standard_normal(16_000) * 0.001).astype(np.float32)
    assert level_db(normalise(quiet)) == pytest.approx(TARGET_DB, abs=3)
    quiet[100] = 0.5
    assert np.max(np.abs(normalise(quiet))) <= 1.0
    loud = (rng.standard_normal(16_000) * 0.1).astype(np.float32)
    assert normalise(loud) is loud
    assert not normalise(np.zeros(100, np.float32)).any()


def test_a_click_does_not_deafen_and_speech_is_learnt_soon():
    ear = Loudness()
    ear.observe(0.0)
    assert ear.gain(-60.0) > gain(TARGET_DB + 6)
    for _ in range(10):
        ear.observe(-10.0)
    assert ear.gain(-60.0) == pytest.approx(gain(-10.0))


def test_pauses_are_not_pumped_up():
    ear = Loudness()
    for _ in range(10 * 31):  # ten seconds of line noise after speech at the target
        ear.observe(-60.0)
    assert 20 * np.log10(ear.gain(-60.0)) < 7
    ear.observe(SILENCE_DB)
    assert 20 * np.log10(ear.gain(-60.0)) < 7


# --- the model ------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_a_model_is_an_error(tmp_path: Path):
    (tmp_path / "vad.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelError) as caught:
        Silero.load(tmp_path / "vad.onnx")
    assert caught.value.code == "model.unreadable"


@pytest.fixture(scope="module")
def silero() -> Silero:
    return Silero.load(MODELS / "silero-vad" / "silero_vad.onnx")


def windows(samples: np.ndarray) -> np.ndarray:
    return samples[: len(samples) // WINDOW_SAMPLES * WINDOW_SAMPLES].reshape(-1, WINDOW_SAMPLES)


@pytest.mark.models
@needs_models
@pytest.mark.parametrize("gain_db", [0, -20, -30])
def test_speech_scores_high_and_silence_low_however_quiet_the_line(silero, gain_db):
    recording = call()
    samples = np.round(recording.samples(1, 0, 30) * 10 ** (gain_db / 20) * 32_768).astype(np.float32) / 32_768
    scores, levels = silero.stream().score(windows(samples))
    assert len(scores) == len(levels) == 30_000 // 32
    spoken = np.zeros(len(scores), bool)
    near = spoken.copy()
    for start, end in recording.phrases("customer", until=30):
        spoken[int(start / 0.032) + 2 : int(end / 0.032) - 2] = True
        near[max(int(start / 0.032) - 3, 0) : int(end / 0.032) + 10] = True
    assert np.mean(np.array(scores)[spoken] > 0.35) > 0.85
    assert np.mean(np.array(scores)[~near] > 0.35) < 0.02


@pytest.mark.models
@needs_models
def test_any_chunking_gives_the_same_scores(silero):
    whole = windows(call().samples(0, 0, 4))
    stream = silero.stream()
    parts = [stream.score(part)[0] for part in np.array_split(whole, [1, 2, 40, 41])]
    assert tuple(score for part in parts for score in part) == silero.stream().score(whole)[0]


@pytest.mark.models
@needs_models
def test_what_is_not_speech_scores_low(silero):
    at = np.arange(16_000 * 3) / 16_000
    rng = np.random.default_rng(2)
    sounds = {
        "silence": np.zeros_like(at),
        "noise": rng.standard_normal(len(at)) * 0.02,
        "key": 0.3 * (np.sin(2 * np.pi * 770 * at) + np.sin(2 * np.pi * 1_336 * at)),
        "hum": 0.1 * np.sin(2 * np.pi * 50 * at),
    }
    loudest = {name: max(silero.stream().score(windows(sound.astype(np.float32)))[0]) for name, sound in sounds.items()}
    assert max(loudest.values()) < 0.35, loudest
