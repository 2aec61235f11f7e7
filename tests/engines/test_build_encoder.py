from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from tokenizers import Tokenizer

from copilot.engines.build_encoder import build, read_sentencepiece
from copilot.errors import ModelError
from tests.engines.weights import KEPT, NORMAL, SPECIAL, random_weights, reference, sentencepiece, write_sources


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    build(*write_sources(folder / "sources"), folder)
    return folder


def test_reads_the_vocabulary() -> None:
    pieces, charsmap = read_sentencepiece(sentencepiece())
    assert tuple(piece.text for piece in pieces) == SPECIAL + NORMAL
    assert [piece.special for piece in pieces] == [True] * 3 + [False] * len(NORMAL)
    assert pieces[3].score == pytest.approx(-6.3)
    assert charsmap == b""


def test_keeps_english_chinese_and_single_characters(built: Path) -> None:
    tokenizer = Tokenizer.from_file(str(built / "tokenizer.json"))
    assert tokenizer.get_vocab_size() == KEPT
    assert tokenizer.encode("hello").tokens == ["<s>", "▁hello", "</s>"]
    assert tokenizer.encode("  你好  hello ").tokens == ["<s>", "▁", "你好", "▁hello", "</s>"]
    unknown = tokenizer.token_to_id("<unk>")
    assert tokenizer.encode("été").ids[3] == unknown != tokenizer.encode("hé").ids[3]


@pytest.mark.parametrize("rows", [[1, 8, 2], [1, 3, 9, 9, 4, 9, 2], list(range(KEPT))])
def test_the_graph_computes_what_the_paper_describes(built: Path, rows: list[int]) -> None:
    session = onnxruntime.InferenceSession(str(built / "encoder.onnx"), providers=["CPUExecutionProvider"])
    count = len(rows)
    around = np.array([[at if 0 < at <= count else 0 for at in range(t - 1, t + 4)] for t in range(count)], np.int64)
    feeds = {
        "ids": np.array(rows, np.int64),
        "around": around,
        "texts": np.zeros((count, 1), np.int64),
        "lengths": np.array([[count]], np.float32),
    }
    (vectors,) = session.run(None, feeds)
    np.testing.assert_allclose(vectors[0], reference(random_weights(), rows), atol=1e-5)


def test_the_same_sources_give_the_same_bytes(built: Path, tmp_path: Path) -> None:
    build(*write_sources(tmp_path / "sources"), tmp_path)
    for name in ("tokenizer.json", "encoder.onnx", "words.bin"):
        assert (tmp_path / name).read_bytes() == (built / name).read_bytes()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("sp.model", b""),
        ("sp.model", b"\x0a\xff not what it was"),
        ("weights.npz", b"nor this"),
        ("weights.npz", b"PK\3\4"),
    ],
)
def test_damaged_sources_are_an_error(tmp_path: Path, name: str, content: bytes) -> None:
    sources = write_sources(tmp_path / "sources")
    (tmp_path / "sources" / name).write_bytes(content)
    with pytest.raises(ModelError) as caught:
        build(*sources, tmp_path)
    assert caught.value.code == "model.unreadable"
