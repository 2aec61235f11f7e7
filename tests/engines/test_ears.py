"""Channels scored together score as they would alone, in order, whatever comes when."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import structlog

from copilot.engines.ears import FEW_CHANNELS, REST_S, Ears
from copilot.engines.silero import Silero
from copilot.events import WINDOW_SAMPLES
from tests.engines.speech import MODELS, call, needs_models

WINDOWS = 60


class Counting:
    """A voice model whose score is how many windows its stream has heard; waits until it may go on."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.batches: list[int] = []

    def stream(self) -> list[int]:
        return [0]

    def score_together(self, heard):
        self.may_go_on.wait()
        self.batches.append(len(heard))
        answers = []
        for stream, windows in heard:
            scores = []
            for _ in windows:
                stream[0] += 1
                scores.append(float(stream[0]))
            answers.append((tuple(scores), (0.0,) * len(windows)))
        return answers


class Broken(Counting):
    def score_together(self, heard):
        raise RuntimeError("no voice")


def nothing(count: int) -> np.ndarray:
    return np.zeros((count, WINDOW_SAMPLES), np.float32)


def test_what_came_meanwhile_is_scored_together_and_each_stream_in_order():
    model = Counting()
    ears = Ears(model)
    one, other = ears.ear(), ears.ear()
    heard: dict[str, list[float]] = {"one": [], "other": []}
    for _ in range(5):
        one.submit(nothing(2), lambda scores, _: heard["one"].extend(scores))
        other.submit(nothing(1), lambda scores, _: heard["other"].extend(scores))
    model.may_go_on.set()
    ears.close()
    assert heard["one"] == [float(number) for number in range(1, 11)]
    assert heard["other"] == [float(number) for number in range(1, 6)]
    assert max(model.batches) == 2


def test_many_ears_rest_answer_what_came_meanwhile_and_stop_when_told():
    model = Counting()
    model.may_go_on.set()
    ears = Ears(model, rest=1e9)
    channels = [ears.ear() for _ in range(FEW_CHANNELS + 1)]
    heard: list[float] = []
    done = threading.Event()
    channels[0].submit(nothing(1), lambda scores, _: done.set())
    assert done.wait(10)
    for channel in channels[1:4]:
        channel.submit(nothing(1), lambda scores, _: heard.extend(scores))
    ears.close()
    assert heard == [1.0, 1.0, 1.0]
    assert max(model.batches) >= 2


def test_only_many_ears_rest():
    ears = Ears(Counting(), rest=1e9)
    channels = [ears.ear() for _ in range(FEW_CHANNELS + 1)]
    assert ears.rest_s(1.0) == REST_S
    channels.pop()
    assert ears.rest_s(1.0) == 0.0
    ears.close()


def test_a_model_that_fails_hears_silence_and_says_so():
    ears = Ears(Broken())
    answers = []
    with structlog.testing.capture_logs() as logs:
        ears.ear().submit(nothing(3), lambda scores, levels: answers.append((scores, levels)))
        ears.close()
    assert answers == [((0.0, 0.0, 0.0), (-100.0, -100.0, -100.0))]
    assert logs[0]["event"] == "voice detector failed"


@pytest.mark.models
@needs_models
def test_together_or_alone_makes_no_difference_to_what_is_speech():
    silero = Silero.load(MODELS / "silero-vad" / "silero_vad.onnx")
    parts = [call().samples(channel, start, start + 4) for channel in (0, 1) for start in (0, 8)]
    sounds = [part[: WINDOWS * WINDOW_SAMPLES].reshape(WINDOWS, WINDOW_SAMPLES) for part in parts]
    together = silero.score_together([(silero.stream(), sound) for sound in sounds])
    for sound, (scores, levels) in zip(sounds, together, strict=True):
        alone, alone_levels = silero.stream().score(sound)
        assert scores == pytest.approx(alone, abs=0.002)
        assert levels == alone_levels
