"""Turn the decoder half of a CTranslate2 Whisper model into ``decoder.onnx``, which can check a whole draft at once.

CTranslate2 writes one token after another. Reading the weights takes most of a step, so checking twenty tokens costs
hardly more than writing two: a draft (what an utterance's previous reading said) is worth having. Two graphs in one
folder, 8-bit weights (one scale per output), float32 state:

``cross.onnx``    encoded [1, positions, width] -> keys ``ck{i}`` [1, heads, depth, positions] and values ``cv{i}``
``decoder.onnx``  tokens, positions int64 [1, n], mask float32 [1, 1, n, past + n], ``first`` int64 [1], ``look``
                  int64 [looked], past keys and values ``k{i}``, ``v{i}`` [1, heads, past, depth] -> for the answers
                  ``first``..n: ``next`` int64 [1, answers] (the likeliest next token), ``logprob`` of it,
                  ``attention`` [1, alignment heads, answers, positions], ``logits`` [1, looked, vocabulary] of the
                  answers ``look``, and the state to go on with (``k{i}_seen``, ``v{i}_seen``)

Architecture: Radford et al. 2022, "Robust Speech Recognition via Large-Scale Weak Supervision",
https://arxiv.org/abs/2212.04356. The same input gives the same bytes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from copilot.engines.ctranslate import Weights, read_weights
from copilot.errors import ModelError

Floats = npt.NDArray[np.float32]
MIDDLE: Final = 128
"""Zero in unsigned 8-bit numbers, the kind that processors multiply fastest."""
SILENCED: Final = -1e9
"""Added to the logits of tokens that must not be written."""


def build(folder: Path) -> None:
    """Write ``cross.onnx`` and ``decoder.onnx`` beside ``model.bin``. Raises ModelError (``model.unreadable``)."""
    weights = read_weights(folder / "model.bin")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        shape = _Shape(weights, config)
        graphs = {"cross.onnx": _cross(shape), "decoder.onnx": _decoder(shape)}
    except (OSError, KeyError, ValueError) as error:
        raise ModelError("model.unreadable", f"cannot build a decoder from {folder}: {error}") from error
    for name, graph in graphs.items():
        (folder / name).write_bytes(graph.SerializeToString(deterministic=True))


class _Shape:
    """The sizes of one Whisper, and its decoder's weights."""

    def __init__(self, weights: Weights, config: dict[str, Any]) -> None:
        self.weights = weights
        self.vocabulary, self.width = weights["decoder/embeddings/weight"].shape
        self.heads = int(weights["decoder/num_heads"])
        self.depth = self.width // self.heads
        self.layers = sum(name.endswith("/ffn/linear_0/weight") and "decoder" in name for name in weights)
        self.alignment = [(int(layer), int(head)) for layer, head in config["alignment_heads"]]
        self.silenced = [int(token) for token in config["suppress_ids"]]

    def floats(self, name: str) -> Floats:
        values = self.weights[name]
        if values.dtype not in (np.float16, np.float32):
            raise ValueError(f"{name} is {values.dtype}; only models stored in float16 or float32 can be converted")
        return values.astype(np.float32)


class _Graph:
    """Nodes and constants under construction; every method returns the name of its result."""

    def __init__(self, shape: _Shape) -> None:
        self.shape = shape
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.quantised: dict[str, tuple[str, str]] = {}

    def constant(self, name: str, values: npt.NDArray[Any]) -> str:
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def op(self, kind: str, inputs: list[str], result: str = "", **attributes: Any) -> str:
        result = result or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [result], result, **attributes))
        return result

    def takes(self, name: str, kind: int, shape: list[str | int]) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def gives(self, name: str, kind: int, shape: list[str | int]) -> None:
        self.outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def linear(self, x: str, name: str, rows: slice = slice(None), scale: float = 1.0) -> str:
        """``x`` times 8-bit weights, plus bias."""
        quantised, scales = quantise(self.shape.floats(f"{name}/weight")[rows] * scale)
        bias = self.constant(f"{name}/{rows.start or 0}/bias", self.shape.floats(f"{name}/bias")[rows] * scale)
        return self.op("Add", [self.product(x, f"{name}/{rows.start or 0}", quantised, scales), bias])

    def product(self, x: str, name: str, weights: npt.NDArray[np.int8], scales: Floats) -> str:
        """``x`` [1, n, inputs] times ``weights`` [outputs, inputs] and their ``scales``.

        Each token is brought to 8 bits by a scale of its own, so that what it yields does not depend on the tokens
        it is computed with: a draft must not change what is written.
        """
        numbers, scale = self._eight_bits(x)
        zero = self.constant("middle", np.array(MIDDLE, np.uint8))
        matrix = self.constant(f"{name}/weight", weights.T)
        sums = self.op("Cast", [self.op("MatMulInteger", [numbers, matrix, zero])], to=TensorProto.FLOAT)
        return self.op("Mul", [self.op("Mul", [sums, self.constant(f"{name}/scale", scales)]), scale])

    def _eight_bits(self, x: str) -> tuple[str, str]:
        if x not in self.quantised:
            last = self.constant("last", np.array([-1]))
            most = self.op("ReduceMax", [self.op("Abs", [x]), last], keepdims=1)
            least = self.constant("least", np.array(1e-8, np.float32))
            step = self.constant("step", np.array(127, np.float32))
            scale = self.op("Div", [self.op("Max", [most, least]), step])
            rounded = self.op("Round", [self.op("Div", [x, scale])])
            shifted = self.op("Add", [rounded, self.constant("shift", np.array(MIDDLE, np.float32))])
            self.quantised[x] = self.op("Cast", [shifted], to=TensorProto.UINT8), scale
        return self.quantised[x]

    def norm(self, x: str, name: str) -> str:
        gamma = self.constant(f"{name}/gamma", self.shape.floats(f"{name}/gamma"))
        beta = self.constant(f"{name}/beta", self.shape.floats(f"{name}/beta"))
        return self.op("LayerNormalization", [x, gamma, beta], axis=-1, epsilon=1e-5)

    def split(self, x: str, perm: tuple[int, ...] = (0, 2, 1, 3), result: str = "") -> str:
        """[1, n, width] -> [1, heads, n, depth], or transposed as ``perm`` says."""
        sizes = self.constant("split", np.array([0, 0, self.shape.heads, self.shape.depth], np.int64))
        return self.op("Transpose", [self.op("Reshape", [x, sizes])], result, perm=perm)

    def merge(self, x: str) -> str:
        sizes = self.constant("merge", np.array([0, 0, self.shape.width], np.int64))
        return self.op("Reshape", [self.op("Transpose", [x], perm=(0, 2, 1, 3)), sizes])

    def model(self, name: str) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, name, self.inputs, self.outputs, list(self.constants.values()))
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def quantise(weights: Floats) -> tuple[npt.NDArray[np.int8], Floats]:
    """Rows as 8-bit integers, and what to multiply each row by to have it back."""
    scales = np.maximum(np.abs(weights).max(axis=1), 1e-8) / 127
    return np.round(weights / scales[:, np.newaxis]).astype(np.int8), scales.astype(np.float32)


def _cross(shape: _Shape) -> onnx.ModelProto:
    """What the decoder attends to: the same for every token, so computed once."""
    graph = _Graph(shape)
    encoded = graph.takes("encoded", TensorProto.FLOAT, [1, "positions", shape.width])
    for layer in range(shape.layers):
        name = f"decoder/layer_{layer}/attention/linear_1"
        keys = graph.linear(encoded, name, slice(0, shape.width))
        values = graph.linear(encoded, name, slice(shape.width, None))
        graph.split(keys, (0, 2, 3, 1), f"ck{layer}")
        graph.split(values, result=f"cv{layer}")
        graph.gives(f"ck{layer}", TensorProto.FLOAT, [1, shape.heads, shape.depth, "positions"])
        graph.gives(f"cv{layer}", TensorProto.FLOAT, [1, shape.heads, "positions", shape.depth])
    return graph.model("cross")


def _decoder(shape: _Shape) -> onnx.ModelProto:
    graph = _Graph(shape)
    tokens = graph.takes("tokens", TensorProto.INT64, [1, "n"])
    positions = graph.takes("positions", TensorProto.INT64, [1, "n"])
    graph.takes("mask", TensorProto.FLOAT, [1, 1, "n", "seen"])
    graph.takes("first", TensorProto.INT64, [1])
    graph.takes("look", TensorProto.INT64, ["looked"])
    embeddings, scales = quantise(shape.floats("decoder/embeddings/weight"))
    x = _embed(graph, tokens, positions, embeddings, scales)
    attention = []
    for layer in range(shape.layers):
        x = graph.op("Add", [x, _self_attention(graph, x, layer)])
        added, weights = _cross_attention(graph, x, layer)
        x = graph.op("Add", [x, added])
        if heads := [head for of, head in shape.alignment if of == layer]:
            attention.append(graph.op("Gather", [weights, graph.constant(f"heads{layer}", np.array(heads))], axis=1))
        name = f"decoder/layer_{layer}/ffn"
        hidden = graph.op("Gelu", [graph.linear(graph.norm(x, f"{name}/layer_norm"), f"{name}/linear_0")])
        x = graph.op("Add", [x, graph.linear(hidden, f"{name}/linear_1")])
    _answer(graph, graph.norm(_from_first(graph, x, 1), "decoder/layer_norm"), embeddings, scales)
    _from_first(graph, graph.op("Concat", attention, axis=1), 2, "attention")
    graph.gives("attention", TensorProto.FLOAT, [1, len(shape.alignment), "answers", "positions"])
    return graph.model("decoder")


def _embed(graph: _Graph, tokens: str, positions: str, embeddings: npt.NDArray[np.int8], scales: Floats) -> str:
    rows = graph.op("Gather", [graph.constant("embeddings", embeddings), tokens])
    scale = graph.op("Gather", [graph.constant("embedding_scales", scales[:, np.newaxis]), tokens])
    embedded = graph.op("Mul", [graph.op("Cast", [rows], to=TensorProto.FLOAT), scale])
    places = graph.constant("places", graph.shape.floats("decoder/position_encodings/encodings"))
    return graph.op("Add", [embedded, graph.op("Gather", [places, positions])])


def _self_attention(graph: _Graph, x: str, layer: int) -> str:
    shape, name = graph.shape, f"decoder/layer_{layer}/self_attention"
    width, size = shape.width, [1, shape.heads, "past", shape.depth]
    for kind in "kv":
        graph.takes(f"{kind}{layer}", TensorProto.FLOAT, size)
        graph.gives(f"{kind}{layer}_seen", TensorProto.FLOAT, [1, shape.heads, "seen", shape.depth])
    y = graph.norm(x, f"{name}/layer_norm")
    queries, keys, values = (
        graph.split(graph.linear(y, f"{name}/linear_0", slice(part * width, (part + 1) * width), scale))
        for part, scale in enumerate((shape.depth**-0.5, 1.0, 1.0))
    )
    keys = graph.op("Concat", [f"k{layer}", keys], f"k{layer}_seen", axis=2)
    values = graph.op("Concat", [f"v{layer}", values], f"v{layer}_seen", axis=2)
    scores = graph.op("MatMul", [queries, graph.op("Transpose", [keys], perm=(0, 1, 3, 2))])
    weights = graph.op("Softmax", [graph.op("Add", [scores, "mask"])], axis=-1)
    return graph.linear(graph.merge(graph.op("MatMul", [weights, values])), f"{name}/linear_1")


def _cross_attention(graph: _Graph, x: str, layer: int) -> tuple[str, str]:
    """What is added to ``x``, and the weights over the encoder's positions."""
    shape, name = graph.shape, f"decoder/layer_{layer}/attention"
    graph.takes(f"ck{layer}", TensorProto.FLOAT, [1, shape.heads, shape.depth, "positions"])
    graph.takes(f"cv{layer}", TensorProto.FLOAT, [1, shape.heads, "positions", shape.depth])
    y = graph.norm(x, f"{name}/layer_norm")
    queries = graph.split(graph.linear(y, f"{name}/linear_0", scale=shape.depth**-0.5))
    weights = graph.op("Softmax", [graph.op("MatMul", [queries, f"ck{layer}"])], axis=-1)
    mixed = graph.merge(graph.op("MatMul", [weights, f"cv{layer}"]))
    return graph.linear(mixed, f"{name}/linear_2"), weights


def _from_first(graph: _Graph, x: str, axis: int, result: str = "") -> str:
    """Only what follows from the token at ``first`` on is asked for: the vocabulary is the dearest matrix."""
    end = graph.constant("end", np.array([np.iinfo(np.int64).max]))
    return graph.op("Slice", [x, "first", end, graph.constant(f"axis{axis}", np.array([axis]))], result)


def _answer(graph: _Graph, x: str, embeddings: npt.NDArray[np.int8], scales: Floats) -> None:
    """Logits -> the likeliest token and its log-probability; the logits themselves only where they are looked at."""
    shape = graph.shape
    silence = np.zeros(shape.vocabulary, np.float32)
    silence[shape.silenced] = SILENCED
    logits = graph.product(x, "projection", embeddings, scales)
    graph.op("Gather", [logits, "look"], "logits", axis=1)
    allowed = graph.op("Add", [logits, graph.constant("silence", silence)])
    graph.op("ArgMax", [allowed], "next", axis=-1, keepdims=0)
    last = graph.constant("last", np.array([-1]))
    most = graph.op("ReduceMax", [allowed, last], keepdims=1)
    odds = graph.op("ReduceSum", [graph.op("Exp", [graph.op("Sub", [allowed, most])]), last], keepdims=0)
    graph.op("Neg", [graph.op("Log", [odds])], "logprob")
    graph.gives("next", TensorProto.INT64, [1, "answers"])
    graph.gives("logprob", TensorProto.FLOAT, [1, "answers"])
    graph.gives("logits", TensorProto.FLOAT, [1, "looked", shape.vocabulary])
