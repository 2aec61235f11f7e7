"""Turn the decoder half of a CTranslate2 Whisper model into ``decoder.onnx``, which can check a whole draft at once.

CTranslate2 writes one token after another. Reading the weights takes most of a step, so checking twenty tokens costs
hardly more than writing two: a draft (what an utterance's previous reading said) is worth having. 8-bit weights (one
scale per output), float32 state:

``decoder.onnx``  tokens, positions int64 [1, n], mask float32 [1, 1, n, past + n], ``first`` int64 [1], ``look``
                  int64 [looked], past keys and values ``k{i}``, ``v{i}`` [1, heads, past, depth], what is attended to
                  ``ck{i}``, ``cv{i}`` (see ``build_listener``) -> for the answers
                  ``first``..n: ``next`` int64 [1, answers] (the likeliest next token), ``logprob`` of it,
                  ``attention`` [1, alignment heads, answers, positions], ``logits`` [1, looked, vocabulary] of the
                  answers ``look``, and the state to go on with (``k{i}_seen``, ``v{i}_seen``)

Architecture: Radford et al. 2022, "Robust Speech Recognition via Large-Scale Weak Supervision",
https://arxiv.org/abs/2212.04356. The same input gives the same bytes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto

from copilot.engines.build_listener import listener
from copilot.engines.ctranslate import read_weights
from copilot.engines.whisper_graph import Floats, Graph, Shape, quantise
from copilot.errors import ModelError

SILENCED: Final = -1e9
"""Added to the logits of tokens that must not be written."""


def build(folder: Path) -> None:
    """Write ``encoder.onnx`` and ``decoder.onnx`` beside ``model.bin``. Raises ModelError (``model.unreadable``)."""
    weights = read_weights(folder / "model.bin")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        shape = Shape(weights, config)
        graphs = {"encoder.onnx": listener(shape), "decoder.onnx": _decoder(shape)}
    except (OSError, KeyError, ValueError) as error:
        raise ModelError("model.unreadable", f"cannot build a decoder from {folder}: {error}") from error
    for name, graph in graphs.items():
        (folder / name).write_bytes(graph.SerializeToString(deterministic=True))


def _decoder(shape: Shape) -> onnx.ModelProto:
    graph = Graph(shape)
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


def _embed(graph: Graph, tokens: str, positions: str, embeddings: npt.NDArray[np.int8], scales: Floats) -> str:
    rows = graph.op("Gather", [graph.constant("embeddings", embeddings), tokens])
    scale = graph.op("Gather", [graph.constant("embedding_scales", scales[:, np.newaxis]), tokens])
    embedded = graph.op("Mul", [graph.op("Cast", [rows], to=TensorProto.FLOAT), scale])
    places = graph.constant("places", graph.shape.floats("decoder/position_encodings/encodings"))
    return graph.op("Add", [embedded, graph.op("Gather", [places, positions])])


def _self_attention(graph: Graph, x: str, layer: int) -> str:
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


def _cross_attention(graph: Graph, x: str, layer: int) -> tuple[str, str]:
    """What is added to ``x``, and the weights over the encoder's positions."""
    shape, name = graph.shape, f"decoder/layer_{layer}/attention"
    graph.takes(f"ck{layer}", TensorProto.FLOAT, [1, shape.heads, shape.depth, "positions"])
    graph.takes(f"cv{layer}", TensorProto.FLOAT, [1, shape.heads, "positions", shape.depth])
    y = graph.norm(x, f"{name}/layer_norm")
    queries = graph.split(graph.linear(y, f"{name}/linear_0", scale=shape.depth**-0.5))
    weights = graph.op("Softmax", [graph.op("MatMul", [queries, f"ck{layer}"])], axis=-1)
    mixed = graph.merge(graph.op("MatMul", [weights, f"cv{layer}"]))
    return graph.linear(mixed, f"{name}/linear_2"), weights


def _from_first(graph: Graph, x: str, axis: int, result: str = "") -> str:
    """Only what follows from the token at ``first`` on is asked for: the vocabulary is the dearest matrix."""
    end = graph.constant("end", np.array([np.iinfo(np.int64).max]))
    return graph.op("Slice", [x, "first", end, graph.constant(f"axis{axis}", np.array([axis]))], result)


def _answer(graph: Graph, x: str, embeddings: npt.NDArray[np.int8], scales: Floats) -> None:
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
