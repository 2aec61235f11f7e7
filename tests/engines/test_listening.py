"""What is heard of an utterance hardly depends on whether the silence after it was listened to or remembered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from copilot.config import RecogniserSettings
from copilot.engines.listening import Listener
from copilot.engines.pool import AsrRequest
from copilot.engines.whisper import Whisper
from copilot.errors import ModelError
from tests.engines.speech import CHANNELS, MODELS, call, needs_models

WINDOW_MS = 8_000
POSITIONS = WINDOW_MS // 20


@pytest.fixture(scope="module")
def whisper() -> Whisper:
    return Whisper.load(MODELS / "whisper-base", RecogniserSettings(workers=1, window_floor_ms=WINDOW_MS))


@pytest.fixture(scope="module")
def listener(whisper: Whisper) -> Listener:
    assert whisper._short is not None
    return whisper._short.listener


def said(number: int) -> np.ndarray:
    truth = call().truth["utterances"][number]
    return call().samples(CHANNELS[truth["speaker"]], truth["start"] - 0.2, truth["end"] + 0.2)


def apart(heard: np.ndarray, wanted: np.ndarray) -> float:
    """Root mean square of the difference, relative to what is wanted."""
    return float(np.sqrt(((heard - wanted) ** 2).sum() / (wanted**2).sum()))


@pytest.mark.models
@needs_models
def test_a_whole_window_is_heard_as_ctranslate2_hears_it(whisper, listener):
    for number in range(3):
        wanted = np.asarray(whisper._encode([said(number)], WINDOW_MS))
        heard = listener.listen(whisper._features(said(number), WINDOW_MS * 16)).encoded
        assert heard.shape == wanted.shape == (1, POSITIONS, 512)
        assert apart(heard, wanted) < 0.15  # both have eight bits, differently


@pytest.mark.models
@needs_models
def test_silence_that_is_remembered_changes_little_of_what_is_heard(whisper, listener):
    for number in range(3):
        samples = whisper._listened(listener, len(said(number)))
        own = samples // 320
        assert own < POSITIONS / 2
        whole = listener.listen(whisper._features(said(number), WINDOW_MS * 16))
        part = listener.listen(whisper._features(said(number), samples))
        assert part.encoded.shape == whole.encoded.shape
        spoken = len(said(number)) // 320
        assert apart(part.encoded[:, :spoken], whole.encoded[:, :spoken]) < 0.35
        assert [part.crossed[name].shape for name in sorted(part.crossed)] == [
            whole.crossed[name].shape for name in sorted(whole.crossed)
        ]


@pytest.mark.models
@needs_models
def test_what_is_said_longer_than_silence_is_remembered_for_is_listened_to_as_a_whole(whisper, listener):
    assert listener.positions == POSITIONS
    assert whisper._listened(listener, 16_000 * 3) == 16_000 * 3 + 8_000
    assert whisper._listened(listener, 16_000 * 7) == 16_000 * 7 + 8_000
    assert whisper._listened(listener, 16_000 * 7 + 16) == 16_000 * 8 + 8_000
    (long,) = whisper.transcribe([AsrRequest(samples=call().samples(0, 5, 17), language="en")])
    assert len(long.text) > 60


@pytest.mark.models
@needs_models
def test_what_was_heard_before_leaves_no_trace(whisper):
    first = whisper.transcribe([AsrRequest(samples=said(1), language="en")])
    whisper.transcribe([AsrRequest(samples=said(2), language="en")])
    assert whisper.transcribe([AsrRequest(samples=said(1), language="en")]) == first


def test_a_folder_without_an_encoder_is_an_error(tmp_path: Path):
    with pytest.raises(ModelError, match="encoder") as error:
        Listener.load(tmp_path)
    assert error.value.code == "model.unreadable"
