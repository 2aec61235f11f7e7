"""Turn the published weights of the Universal Sentence Encoder, multilingual v3, into two files we can run anywhere.

In: ``sp.model`` (a SentencePiece unigram model) and ``weights.npz`` (a 17-way sharded, 8-bit embedding table and
float32 dense layers). Out: ``tokenizer.json`` for the `tokenizers` library, and ``encoder.onnx`` of stock CPU operators
with its table of words in ``words.bin``, of which the system keeps in memory only what was read:

    ids     int64   [tokens]      of all texts, one text after the other, without padding
    around  int64   [tokens, 5]   rows of ``ids``, from 1, of two tokens before to two after; 0 beyond a text's ends
    texts   int64   [tokens, 1]   the text each token belongs to
    lengths float32 [texts, 1]    tokens of each text
    embedding float32 [texts, 512] rows of length 1

The vocabulary is cut to English and Chinese, which halves the file. The same input gives the same bytes.
Architecture: Chidambaram et al. 2019, "Learning Cross-Lingual Sentence Representations via a Multi-task Dual-Encoder
Model" (the convolutional student), https://aclanthology.org/W19-4330.
"""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

from copilot.engines.embedder import REACH
from copilot.errors import ModelError

Floats = npt.NDArray[np.float32]
Weights = Mapping[str, npt.NDArray[np.generic]]

SHARDS = 17
"""Row ``i`` of the vocabulary is row ``i // 17`` of shard ``i % 17``; each shard has its own 8-bit scale."""
WIDTH = 512
CHANNELS = 256
BRANCHES = ((2, 0), (3, 1), (5, 2))
"""Convolutions of 2, 3 and 5 tokens, with so many tokens of left context."""
TABLE = "words"
"""The constant that has a file of its own."""
SPOKEN_HERE = re.compile(r"[▁\x21-\x7e\u2010-\u2027\u3001-\u3011\u4e00-\u9fff\uff01-\uff5e]*")
"""Pieces written wholly in ASCII, Chinese characters and the punctuation of both."""


@dataclass(frozen=True)
class Piece:
    """One entry of a SentencePiece vocabulary; ``row`` is its place there."""

    row: int
    text: str
    score: float
    special: bool


def build(sp_model: Path, weights: Path, folder: Path) -> None:
    """Write ``tokenizer.json``, ``encoder.onnx`` and ``words.bin`` into ``folder``.

    Raises ModelError ``model.unreadable``.
    """
    try:
        pieces, charsmap = read_sentencepiece(sp_model.read_bytes())
        kept = [piece for piece in pieces if piece.special or len(piece.text) == 1 or SPOKEN_HERE.fullmatch(piece.text)]
        tokenizer = describe_tokenizer(kept, charsmap)
        with weights.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            graph = make_graph(arrays, [piece.row for piece in kept])
    except (OSError, KeyError, ValueError, BadZipFile, DecodeError) as error:
        raise ModelError(
            "model.unreadable", f"cannot build the sentence encoder from {weights.name}: {error}"
        ) from error
    (folder / "tokenizer.json").write_text(tokenizer, encoding="utf-8", newline="\n")
    _set_apart(graph, TABLE, folder / "words.bin")
    (folder / "encoder.onnx").write_bytes(graph.SerializeToString(deterministic=True))


def _set_apart(model: onnx.ModelProto, name: str, file: Path) -> None:
    """Move one constant into a file of its own, which onnxruntime maps into memory instead of reading it."""
    (table,) = (constant for constant in model.graph.initializer if constant.name == name)
    file.write_bytes(table.raw_data)
    set_external_data(table, file.name)
    table.ClearField("raw_data")


# --- the tokenizer --------------------------------------------------------------------------------------------


def read_sentencepiece(model: bytes) -> tuple[list[Piece], bytes]:
    """The vocabulary and the compiled normalisation table of a SentencePiece ``ModelProto``."""
    pieces: list[Piece] = []
    charsmap = b""
    for number, value in _fields(model):
        if number == 1:  # repeated SentencePiece {piece = 1, score = 2, type = 3}; a normal piece has no type
            entry = dict(_fields(value))
            (score,) = struct.unpack("<f", struct.pack("<I", entry.get(2, 0)))
            pieces.append(Piece(len(pieces), entry[1].decode(), score, special=3 in entry))
        elif number == 3:  # NormalizerSpec {precompiled_charsmap = 2}
            charsmap = dict(_fields(value)).get(2, b"")
    return pieces, charsmap


def _fields(message: bytes) -> list[tuple[int, Any]]:
    """Every field of a protocol buffer whose schema we do not ship, in file order."""
    parsed = Empty()
    parsed.ParseFromString(message)
    return [(field.field_number, field.data) for field in UnknownFieldSet(parsed)]


def describe_tokenizer(pieces: Sequence[Piece], charsmap: bytes) -> str:
    """``tokenizer.json`` of a unigram model that numbers ``pieces`` from 0 and frames each sentence in ``<s> </s>``.

    Written by hand, not by the library, so that the bytes do not depend on its version.
    """
    ids = {piece.text: number for number, piece in enumerate(pieces)}
    frame = {text: {"id": text, "ids": [ids[text]], "tokens": [text]} for text in ("<s>", "</s>")}
    begin, end = ({"SpecialToken": {"id": text, "type_id": 0}} for text in frame)
    sentence = {"Sequence": {"id": "A", "type_id": 0}}
    table = base64.b64encode(charsmap).decode()
    characters = [{"type": "Precompiled", "precompiled_charsmap": table}] if charsmap else []
    description: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                *characters,
                {"type": "Strip", "strip_left": True, "strip_right": True},
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
            ],
        },
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": False},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [begin, sentence, end],
            "pair": [begin, sentence, end, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": frame,
        },
        "decoder": None,
        "model": {
            "type": "Unigram",
            "unk_id": ids["<unk>"],
            "vocab": [[piece.text, piece.score] for piece in pieces],
            "byte_fallback": False,
        },
    }
    return json.dumps(description, ensure_ascii=False, separators=(",", ":"))


# --- the network ----------------------------------------------------------------------------------------------


class _Graph:
    """Collects nodes and constants; every method returns the name of a tensor."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, array: npt.ArrayLike, dtype: npt.DTypeLike = np.float32, name: str = "") -> str:
        name = name or f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array, dtype), name))
        return name

    def node(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        output = name or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def distinct(self, x: str) -> tuple[str, str]:
        """The different values in ``x``, and for each entry of ``x`` which of them it is."""
        values, places = f"n{len(self.nodes)}", f"places{len(self.nodes)}"
        self.nodes.append(helper.make_node("Unique", [x], [values, "", places]))
        return values, places

    def dense(self, x: str, matrix: npt.ArrayLike, bias: npt.ArrayLike) -> str:
        return self.node("Gemm", x, self.constant(matrix), self.constant(bias))

    def normalise(self, x: str, weights: Weights, suffixes: Sequence[str]) -> str:
        gain, shift = (np.concatenate([weights[f"{kind}{s}"] for s in suffixes]) for kind in ("ln_g", "ln_b"))
        return self.node(
            "LayerNormalization", x, self.constant(gain), self.constant(shift), axis=-1, epsilon=float(weights["eps"])
        )

    def columns(self, x: str, start: int, stop: int) -> str:
        return self.node("Slice", x, *(self.constant([i], np.int64) for i in (start, stop, 1)))


def make_graph(weights: Weights, rows: Sequence[int]) -> onnx.ModelProto:
    """The whole encoder over the vocabulary ``rows``."""
    graph = _Graph()
    words, which = graph.distinct("ids")
    vectors = _look_up(graph, weights, np.asarray(rows), words)
    branches = _convolve(graph, weights, vectors, which)
    spoken = graph.node("Gather", vectors, which, axis=0)
    features = graph.normalise(graph.node("Concat", spoken, *branches, axis=1), weights, [""])
    _project(graph, weights, _sum_up(graph, features))
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "sentence-encoder",
            [
                helper.make_tensor_value_info("ids", TensorProto.INT64, ["tokens"]),
                helper.make_tensor_value_info("around", TensorProto.INT64, ["tokens", REACH[1] - REACH[0] + 1]),
                helper.make_tensor_value_info("texts", TensorProto.INT64, ["tokens", 1]),
                helper.make_tensor_value_info("lengths", TensorProto.FLOAT, ["texts", 1]),
            ],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["texts", WIDTH])],
            initializer=graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.checker.check_model(model)
    return model


def _look_up(graph: _Graph, weights: Weights, rows: npt.NDArray[np.int64], words: str) -> str:
    """Distinct words -> their vectors [words, 512], from the 8-bit table."""
    table = np.empty((SHARDS * len(weights["q1"]), WIDTH), np.uint8)
    for shard in range(SHARDS):
        table[shard::SHARDS] = weights[f"q{shard + 1}"]
    coded = graph.node("Gather", graph.constant(table[rows], np.uint8, name=TABLE), words, axis=0)
    scale, low = (
        graph.node("Gather", graph.constant(weights[name][rows % SHARDS][:, None]), words, axis=0)
        for name in ("scale", "lo")
    )
    values = graph.node("Cast", coded, to=TensorProto.FLOAT)
    return graph.node("Add", graph.node("Mul", values, scale), low)


def _convolve(graph: _Graph, weights: Weights, vectors: str, which: str) -> list[str]:
    """Two residual convolutions over 2, 3 and 5 tokens; beyond the ends of a text there is silence (zero)."""
    names = [str(size) for size, _ in BRANCHES]
    matrix, bias = (np.concatenate([weights[f"{kind}{n}"] for n in names], axis=-1) for kind in ("proj", "proj_b"))
    narrow = graph.normalise(graph.dense(vectors, matrix, bias), weights, names)
    branches = []
    for index, (size, left) in enumerate(BRANCHES):
        x = graph.node("Gather", graph.columns(narrow, index * CHANNELS, (index + 1) * CHANNELS), which, axis=0)
        around = graph.columns("around", -REACH[0] - left, -REACH[0] - left + size)
        for layer in (1, 2):
            heard = _window(graph, x, around, size)
            y = graph.dense(heard, weights[f"w{layer}_{size}"], weights[f"b{layer}_{size}"])
            x = graph.node("Add", graph.node("Relu", y), x)
        branches.append(x)
    return branches


def _window(graph: _Graph, x: str, around: str, size: int) -> str:
    """Beside each token its neighbours: [tokens, size * channels]."""
    silence = graph.constant(np.zeros((1, CHANNELS)))
    heard = graph.node("Gather", graph.node("Concat", silence, x, axis=0), around, axis=0)
    return graph.node("Reshape", heard, graph.constant([-1, size * CHANNELS], np.int64))


def _sum_up(graph: _Graph, features: str) -> str:
    """Each text's features added up, token by token: no text's sum depends on its company, not even in the last bit."""
    texts = graph.node("Shape", "lengths", start=0, end=1)
    shape = graph.node("Concat", texts, graph.constant([WIDTH + len(BRANCHES) * CHANNELS], np.int64), axis=0)
    zeros = graph.node("ConstantOfShape", shape)
    return graph.node("ScatterND", zeros, "texts", features, reduction="add")


def _project(graph: _Graph, weights: Weights, total: str) -> None:
    """Sums [texts, 1280] -> unit vectors: a mean scaled by the square root of the length, then residual layers."""
    bias = graph.node("Mul", "lengths", graph.constant(weights["cnn_b"]))
    sum_ = graph.node("Add", graph.node("MatMul", total, graph.constant(weights["cnn_W"])), bias)
    x = graph.node("Div", sum_, graph.node("Sqrt", "lengths"))

    def times(value: str, name: str) -> str:
        return graph.node("MatMul", value, graph.constant(weights[name]))

    first = graph.node("Relu", times(x, "d0"))
    middle = graph.node("Relu", graph.node("Add", times(x, "p1"), times(first, "d1")))
    second = graph.node("Relu", times(middle, "d2"))
    last = graph.node("Tanh", graph.node("Add", times(middle, "p3"), times(second, "d3")))
    graph.node("LpNormalization", last, name="embedding", axis=1, p=2)
