"""The careful reading: what the search asks of CTranslate2, and what the real model makes of half a minute."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jiwer
import numpy as np
import pytest
from whisper_normalizer.english import EnglishTextNormalizer

from copilot.config import RecogniserSettings
from copilot.engines.pool import AsrRequest
from copilot.engines.second_pass import BEAM, HOTTER, read_at_leisure
from copilot.engines.whisper import Whisper
from copilot.events import REVISION_GAP_MS
from tests.engines.speech import CHANNELS, MODELS, call, needs_models


class Decoder:
    """Answers ``generate`` with prepared (text, score) pairs and remembers how it was asked."""

    def __init__(self, *answers: tuple[str, float]) -> None:
        self._answers = iter(answers)
        self.asked: list[dict[str, Any]] = []

    def generate(self, encoded: object, prompts: list[list[int]], **options: Any) -> list[SimpleNamespace]:
        assert encoded == "encoded"
        assert prompts == [[1, 2, 3]]
        self.asked.append(options)
        text, score = next(self._answers)
        return [SimpleNamespace(text=text, scores=[score])]


def read(decoder: Decoder) -> str:
    return read_at_leisure(decoder, "encoded", [1, 2, 3], 40, lambda result: "la la" in result.text).text


def test_five_hypotheses_are_in_the_running():
    decoder = Decoder(("good", -0.2))
    assert read(decoder) == "good"
    assert [(asked["beam_size"], asked["max_length"]) for asked in decoder.asked] == [(BEAM, 43)]


@pytest.mark.parametrize(
    ("first", "second", "chosen"),
    [
        (("la la la", -0.1), ("better", -0.6), "better"),
        (("unlikely", -1.4), ("better", -0.6), "better"),
        (("unlikely", -1.1), ("worse", -1.3), "unlikely"),
        (("unlikely", -1.1), ("la la", -0.1), "unlikely"),
    ],
)
def test_a_loop_or_an_unlikely_text_is_tried_once_more_hotter(first, second, chosen):
    decoder = Decoder(first, second)
    assert read(decoder) == chosen
    assert [asked.get("sampling_temperature", 0.0) for asked in decoder.asked] == [0.0, HOTTER]


# --- the real model ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whisper() -> Whisper:
    return Whisper.load(MODELS / "whisper-base", RecogniserSettings(workers=1))


@pytest.mark.models
@needs_models
def test_half_a_minute_is_read_whole_with_words_in_order_and_in_their_places(whisper):
    said = [said for said in call().truth["utterances"] if said["speaker"] == "agent"][:4]
    gap = np.zeros(REVISION_GAP_MS * 16, np.float32)
    pieces, starts, at = [], [], 0
    for each in said:
        samples = call().samples(CHANNELS["agent"], each["start"] - 0.2, each["end"] + 0.2)
        starts.append(at + 200)
        pieces += [samples, gap]
        at += len(samples) // 16 + REVISION_GAP_MS
    request = AsrRequest(samples=np.concatenate(pieces[:-1]), language="auto", kind="revision")
    other = AsrRequest(samples=pieces[0], language="en")
    together, alone = whisper.transcribe([request, other])
    normal = EnglishTextNormalizer()
    text = " ".join(each["text"] for each in said)
    assert together.language == "en"
    assert jiwer.wer(normal(text), normal(together.text)) < 0.25
    assert 0 < len(alone.words) < len(together.words)
    times = [time for word in together.words for time in (word.start_ms, word.end_ms)]
    assert times == sorted(times)
    assert times[-1] <= at
    assert "".join(word.text for word in together.words) == together.text.replace(" ", "")
    for start, each in zip(starts[1:], said[1:], strict=True):
        near = [word.text for word in together.words if abs(word.start_ms - start) < 1_000]
        assert near, f"nobody begins where {each['start']} s does"
