"""A draft changes how long a reading takes, not what it says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from copilot.config import RecogniserSettings
from copilot.engines.build_decoder import build
from copilot.engines.ctranslate import read_weights
from copilot.engines.drafting import DRAFTS, SMOOTHED_POSITIONS, DraftDecoder, Drafts, _smooth, heard_at
from copilot.engines.pool import AsrRequest
from copilot.engines.whisper import Whisper
from copilot.errors import ModelError
from tests.engines.speech import CHANNELS, MODELS, call, needs_models

FOLDER = MODELS / "whisper-base"


def request(number: int, **fields: object) -> AsrRequest:
    """One true utterance of the shipped call."""
    said = call().truth["utterances"][number]
    samples = call().samples(CHANNELS[said["speaker"]], said["start"] - 0.2, said["end"] + 0.2)
    return AsrRequest(**({"samples": samples, "language": "en"} | fields))


@pytest.fixture(scope="module")
def whisper() -> Whisper:
    return Whisper.load(FOLDER, RecogniserSettings(workers=1))


def listened(whisper: Whisper, said: AsrRequest) -> tuple[dict[str, np.ndarray], DraftDecoder]:
    assert whisper._short is not None
    listener = whisper._short.listener
    features = whisper._features(said.samples, whisper._listened(listener, len(said.samples)))
    return listener.listen(features).crossed, whisper._short.decoder


# --- decoding -------------------------------------------------------------------------------------------------


@pytest.mark.models
@needs_models
def test_a_reading_says_the_same_with_and_without_its_draft(whisper):
    for number in range(4):
        (fresh,) = whisper.transcribe([request(number)])
        whisper.transcribe([request(number, utterance="c/u1", kind="interim")])
        (drafted,) = whisper.transcribe([request(number, utterance="c/u1")])
        assert drafted.text == fresh.text
        assert drafted.avg_logprob == pytest.approx(fresh.avg_logprob, abs=0.05)
        assert [word.text for word in drafted.words] == [word.text for word in fresh.words]


@pytest.mark.models
@needs_models
def test_the_draft_of_another_utterance_does_no_harm(whisper):
    (fresh,) = whisper.transcribe([request(1)])
    whisper.transcribe([request(3, utterance="c/u2")])
    (misled,) = whisper.transcribe([request(1, utterance="c/u2")])
    assert misled.text == fresh.text


@pytest.mark.models
@needs_models
def test_a_good_draft_saves_nearly_every_pass(whisper):
    heard, decoder = listened(whisper, request(1))
    prompt = whisper._prompt([], "en")
    fresh = decoder.read(heard, prompt, [], sot=0, cap=60)
    drafted = decoder.read(heard, prompt, fresh.tokens, sot=0, cap=60)
    assert drafted.tokens == fresh.tokens
    assert fresh.passes > len(fresh.tokens)
    assert drafted.passes <= 2
    assert len(drafted.probabilities) == len(drafted.tokens)
    assert drafted.attention.shape[1] == len(drafted.tokens) + 1


@pytest.mark.models
@needs_models
def test_no_more_is_written_than_asked_for(whisper):
    heard, decoder = listened(whisper, request(1))
    written = decoder.read(heard, whisper._prompt([], "en"), [], sot=0, cap=3)
    assert len(written.tokens) == 3
    assert not written.is_complete


@pytest.mark.models
@needs_models
def test_requests_keep_their_order(whisper):
    together = whisper.transcribe([request(number) for number in (2, 1, 3)])
    assert [hypothesis.text for hypothesis in together] == [
        whisper.transcribe([request(number)])[0].text for number in (2, 1, 3)
    ]


# --- what is remembered ---------------------------------------------------------------------------------------


def test_only_so_many_drafts_are_remembered():
    drafts = Drafts()
    for number in range(DRAFTS + 1):
        drafts.put(f"c/u{number}", [1, 2, 3, number])
    assert drafts.get("c/u0") == []
    assert drafts.get(f"c/u{DRAFTS}") == [1, 2, 3, DRAFTS]


def test_nothing_is_remembered_of_an_utterance_without_a_name():
    drafts = Drafts()
    drafts.put("", [1, 2, 3])
    assert drafts.get("") == []


# --- word times -----------------------------------------------------------------------------------------------


def test_tokens_begin_where_they_are_attended_to():
    attention = np.full((2, 3, 60), 1e-3, np.float32)
    attention[:, 0, 0:20] = 1.0
    attention[:, 1, 20:45] = 1.0
    attention[:, 2, 45:60] = 1.0
    starts = heard_at(attention, 60)
    assert starts[0] == 0
    assert starts[1] == pytest.approx(20, abs=2)
    assert starts[2] == pytest.approx(45, abs=2)


def test_the_median_of_neighbours_is_that_of_numpy():
    values = np.random.default_rng(7).normal(size=(3, 5, 40)).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(values, SMOOTHED_POSITIONS, axis=-1)
    assert np.array_equal(_smooth(values), np.median(windows, axis=-1))


# --- building -------------------------------------------------------------------------------------------------


@pytest.mark.models
@needs_models
def test_both_halves_are_built_the_same_every_time(tmp_path: Path):
    for name in ("model.bin", "config.json"):
        (tmp_path / name).symlink_to(FOLDER / name)
    build(tmp_path)
    for name in ("encoder.onnx", "decoder.onnx"):
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes()


def test_weights_that_are_none_are_refused_by_name(tmp_path: Path):
    (tmp_path / "model.bin").write_bytes(b"\x06\x00\x00\x00\x05")
    (tmp_path / "config.json").write_text(json.dumps({}))
    with pytest.raises(ModelError, match=r"model\.bin") as error:
        read_weights(tmp_path / "model.bin")
    assert error.value.code == "model.unreadable"
    with pytest.raises(ModelError):
        build(tmp_path)
