"""Recognisers behind ``AsrModel``: one contract for the fake and the real one, and what only the real one can do."""

from __future__ import annotations

from pathlib import Path

import jiwer
import numpy as np
import pytest
from whisper_normalizer.english import EnglishTextNormalizer

from copilot.config import RecogniserSettings
from copilot.engines.pool import AsrModel, AsrRequest
from copilot.engines.spelling import compression_ratio, simplified
from copilot.engines.whisper import Whisper
from copilot.errors import ModelError
from tests.engines.speech import CHANNELS, MODELS, call, needs_models
from tests.fakes import FakeAsr


@pytest.fixture(scope="module")
def whisper() -> Whisper:
    return Whisper.load(MODELS / "whisper-base", RecogniserSettings(workers=1))


def utterances(first: int, last: int, **fields: object) -> list[tuple[AsrRequest, str]]:
    """Requests for some true utterances of the shipped call, with their texts."""
    return [
        (
            AsrRequest(
                samples=call().samples(CHANNELS[said["speaker"]], said["start"] - 0.2, said["end"] + 0.2),
                **({"language": "en"} | fields),
            ),
            said["text"],
        )
        for said in call().truth["utterances"][first:last]
    ]


# --- the contract ---------------------------------------------------------------------------------------------


@pytest.fixture(params=["fake", pytest.param("whisper", marks=[pytest.mark.models, needs_models])])
def asr(request) -> AsrModel:
    return FakeAsr() if request.param == "fake" else request.getfixturevalue("whisper")


def test_one_hypothesis_per_request_in_order(asr):
    requests = [request for request, _ in utterances(0, 4)]
    together = asr.transcribe(requests)
    assert len(together) == 4
    longest = max(range(4), key=lambda index: len(requests[index].samples))
    assert max(range(4), key=lambda index: len(together[index].text)) == longest


def test_nothing_asked_nothing_answered(asr):
    assert asr.transcribe([]) == []


def test_word_times_are_measured_ordered_and_inside(asr):
    for request, _ in utterances(1, 4):
        (hypothesis,) = asr.transcribe([request])
        times = [moment for word in hypothesis.words for moment in (word.start_ms, word.end_ms)]
        assert times
        assert times == sorted(times)
        assert times[-1] <= len(request.samples) // 16
        assert [word.text for word in hypothesis.words] == hypothesis.text.split()


def test_interims_have_no_word_times(asr):
    ((request, _),) = utterances(1, 2, kind="interim")
    (hypothesis,) = asr.transcribe([request])
    assert hypothesis.text
    assert hypothesis.words == ()


def test_figures_are_plausible(asr):
    (hypothesis,) = asr.transcribe([utterances(1, 2)[0][0]])
    assert hypothesis.language == "en"
    assert -1 < hypothesis.avg_logprob <= 0
    assert 0 <= hypothesis.no_speech_prob < 0.5
    assert 0 < hypothesis.compression_ratio < 2.4


# --- the real one ---------------------------------------------------------------------------------------------


@pytest.mark.models
@needs_models
def test_word_errors_are_few(whisper):
    spell = EnglishTextNormalizer()
    pairs = utterances(0, 12)
    heard = [whisper.transcribe([request])[0].text for request, _ in pairs]
    assert jiwer.wer([spell(text) for _, text in pairs], [spell(text) for text in heard]) < 0.08


@pytest.mark.models
@needs_models
def test_a_batch_reads_like_single_requests(whisper):
    requests = [request for request, _ in utterances(3, 7)]
    alone = [whisper.transcribe([request])[0].text for request in requests]
    assert jiwer.wer(alone, [hypothesis.text for hypothesis in whisper.transcribe(requests)]) < 0.1


@pytest.mark.models
@needs_models
def test_phrase_ends_are_found_to_a_quarter_of_a_second(whisper):
    said = call().truth["utterances"][3]
    (hypothesis,) = whisper.transcribe([utterances(3, 4)[0][0]])
    solar = next(word for word in hypothesis.words if word.text.startswith("Solar"))
    assert solar.end_ms / 1000 + said["start"] - 0.2 == pytest.approx(said["phrases"][0]["end"], abs=0.25)


@pytest.mark.models
@needs_models
def test_the_language_is_detected(whisper):
    requests = [request for request, _ in utterances(3, 5, language="auto")]
    assert {hypothesis.language for hypothesis in whisper.transcribe(requests)} == {"en"}


@pytest.mark.models
@needs_models
@pytest.mark.parametrize("language", ["en", "zh", "auto"])
def test_noise_never_becomes_a_flood_of_text(whisper, language):
    noise = (np.random.default_rng(3).standard_normal(16_000 * 6) * 0.05).astype(np.float32)
    (hypothesis,) = whisper.transcribe([AsrRequest(samples=noise, language=language)])
    assert len(hypothesis.text) < 120


@pytest.mark.models
@needs_models
def test_nothing_and_almost_nothing_can_be_read(whisper):
    for count in (0, 1, 160, 1_600):
        (hypothesis,) = whisper.transcribe([AsrRequest(samples=np.zeros(count, np.float32), language="en")])
        assert len(hypothesis.text) < 60


def test_a_folder_without_a_model_is_an_error(tmp_path: Path):
    with pytest.raises(ModelError) as caught:
        Whisper.load(tmp_path, RecogniserSettings())
    assert caught.value.code == "model.unreadable"


def test_chinese_is_simplified():
    assert simplified("價錢太貴了") == "价钱太贵了"


def test_text_that_repeats_compresses():
    assert compression_ratio("") == 0.0
    assert compression_ratio("and so on " * 40) > 2.4 > compression_ratio("How long does the fitting take?")


@pytest.mark.models
@needs_models
def test_loops_are_caught_and_read_again(whisper):
    """Windows as short as the speech make the decoder loop; the guard must hide that."""
    reckless = Whisper(whisper._whisper, RecogniserSettings(workers=1, window_floor_ms=1))
    spell = EnglishTextNormalizer()
    pairs = [pair for pair in utterances(0, 12) if len(pair[0].samples) < 16_000 * 3]
    heard = [reckless.transcribe([request])[0] for request, _ in pairs]
    assert jiwer.wer([spell(text) for _, text in pairs], [spell(hypothesis.text) for hypothesis in heard]) < 0.25
    assert all(hypothesis.compression_ratio < 2.4 for hypothesis in heard)
