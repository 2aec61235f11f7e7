import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.config import load_settings
from copilot.engines.embedder import Embedder
from copilot.engines.intents import HEAD_RUNS, Intents, features, shipped
from copilot.engines.manifest import locate
from copilot.errors import ModelError
from copilot.language.ngrams import BUCKETS, GROUPS, runs
from copilot.language.normalise import normalise

LINES = st.lists(st.text("too dear 太贵了。, 3%", max_size=30), max_size=6)
HEADS = [("en", "customer"), ("en", "rep"), ("zh", "customer"), ("zh", "rep")]


@pytest.fixture(scope="module")
def intents() -> Intents:
    return Intents.load(shipped())


def vectors(count: int) -> np.ndarray:
    found = np.random.default_rng(7).standard_normal((count, 512)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@given(text=st.text(max_size=60), language=st.sampled_from(["en", "zh"]))
def test_runs_are_buckets_each_once(text: str, language: str) -> None:
    views = runs(normalise(text, language), language)
    assert len(views) == GROUPS
    for view in views:
        assert list(view) == sorted(set(view))
        assert all(0 <= bucket < BUCKETS for bucket in view)


def test_homophones_share_their_syllables_and_numbers_are_alike() -> None:
    _, said = runs(normalise("合同", "zh"), "zh")
    characters, heard = runs(normalise("和同", "zh"), "zh")
    assert said == heard
    assert characters != runs(normalise("合同", "zh"), "zh")[0]
    assert runs(normalise("it was 30 dollars", "en"), "en") == runs(normalise("it was 45 dollars", "en"), "en")


@given(lines=LINES)
def test_every_view_of_a_text_with_words_has_length_one(lines: list[str]) -> None:
    ids, weights = features(lines, "zh")
    assert ids.shape == weights.shape
    assert ((ids >= 0) & (ids < HEAD_RUNS)).all()
    for line, row, weight in zip(lines, ids, weights, strict=True):
        for view in range(GROUPS):
            length = (weight[row // BUCKETS == view] ** 2).sum()
            assert length == pytest.approx(1.0 if normalise(line, "zh").tokens else 0.0, abs=1e-5)


@given(lines=LINES)
def test_a_text_scores_the_same_alone_and_in_company(intents: Intents, lines: list[str]) -> None:
    rows = vectors(len(lines))
    together = intents.score(lines, rows, "auto", "customer")
    for line, row, scores in zip(lines, rows, together, strict=True):
        (alone,) = intents.score([line], row[np.newaxis], "auto", "customer")
        assert alone == pytest.approx(scores, abs=1e-4)
        assert all(0 <= chance <= 1 for chance in scores.values())


@pytest.mark.parametrize(("language", "speaker"), HEADS)
def test_every_head_names_its_labels_and_thresholds(intents: Intents, language: str, speaker: str) -> None:
    (scores,) = intents.score(["hello there 你好"], vectors(1), language, speaker)
    assert tuple(scores) == intents.labels(language, speaker)
    assert set(intents.thresholds(language, speaker)) == set(scores)
    assert all(0 < at < 1 for at in intents.thresholds(language, speaker).values())


def test_what_has_no_words_means_nothing(intents: Intents) -> None:
    blank, dots = intents.score(["", "...?!"], vectors(2), "en", "rep")
    assert not any(blank.values())
    assert blank == dots


def test_the_language_of_each_text_may_be_told_by_its_letters(intents: Intents) -> None:
    rows = vectors(2)
    mixed = intents.score(["太贵了", "too dear"], rows, "auto", "customer")
    assert mixed[0] == pytest.approx(intents.score(["太贵了"], rows[:1], "zh", "customer")[0], abs=1e-6)
    assert mixed[1] == pytest.approx(intents.score(["too dear"], rows[1:], "en", "customer")[0], abs=1e-6)


def test_a_vector_for_each_text_is_required(intents: Intents) -> None:
    with pytest.raises(ValueError, match="expected vectors"):
        intents.score(["one", "two"], vectors(1), "en", "rep")


@pytest.mark.parametrize("name", ["intents.json", "intents.onnx"])
def test_an_unreadable_file_is_a_model_error(tmp_path: Path, name: str) -> None:
    for file in ("intents.json", "intents.onnx"):
        shutil.copy(shipped() / file, tmp_path / file)
    (tmp_path / name).write_bytes(b"not a model")
    with pytest.raises(ModelError) as caught:
        Intents.load(tmp_path)
    assert caught.value.code == "model.unreadable"


# --- with the real encoder: plain wording must be plain to it ---------------------------------------------------


@pytest.fixture(scope="module")
def encoder() -> Embedder:
    return Embedder.load(locate("sentence-encoder", load_settings(None).models))


@pytest.mark.models
@pytest.mark.parametrize(
    ("language", "speaker", "text", "label"),
    [
        ("en", "customer", "that's far too expensive for a small shop like ours", "objection.price"),
        ("en", "customer", "I need to talk to my husband before I decide", "objection.authority"),
        ("en", "customer", "just email me the brochure", "objection.send_info"),
        ("en", "rep", "just so you know, this call is being recorded", "opening.recording_notice"),
        ("en", "rep", "I guarantee you will double your money, there is no risk", "compliance.forbidden"),
        ("zh", "customer", "我得回去跟我老公商量一下", "objection.authority"),
        ("zh", "customer", "你先把资料发到我邮箱吧", "objection.send_info"),
        ("zh", "rep", "为了服务质量，这次通话会录音", "opening.recording_notice"),
        ("zh", "rep", "这个绝对稳赚，一点风险都没有", "compliance.forbidden"),
        ("en", "customer", "the bus was late again this morning", ""),
        ("zh", "customer", "我们晚上去吃火锅吧", ""),
    ],
)
def test_plain_lines_are_told(
    intents: Intents, encoder: Embedder, language: str, speaker: str, text: str, label: str
) -> None:
    (scores,) = intents.score([text], encoder.encode([text]), language, speaker)
    told = {name for name, at in intents.thresholds(language, speaker).items() if scores[name] >= at}
    assert label in told if label else not told
