"""Turn the encoder half of a CTranslate2 Whisper model into ``encoder.onnx``, which need not listen to silence.

Whisper was trained on windows of 30 s; less than 8 s around a short utterance and it begins to loop. Most of such a
window is silence, and what the encoder makes of silence hardly depends on what was said before it. So silence is
encoded once and remembered, and of an utterance only its own positions are:

``encoder.onnx``  ``features`` [1, mels, frames] (10 ms each, an even number of them), and of the remembered silence
                  that follows, per layer of the encoder ``rk{i}``, ``rv{i}`` and of the decoder ``rck{i}``,
                  ``rcv{i}`` [1, silence, width], ``rest`` [1, silence, width] (20 ms each, any number)
                  -> ``ck{i}`` [1, heads, depth, positions], ``cv{i}`` [1, heads, positions, depth]: what the decoder
                  attends to; ``encoded`` [1, positions, width]; and to be remembered, of the features alone,
                  ``rk{i}_own`` .. ``rest_own``

Weights have 8 bits, one scale per output. Activations have 8 bits, one scale for all, but where the feed-forward
network narrows: there a few loud positions would drown the others, so each has its own.

Architecture: Radford et al. 2022, "Robust Speech Recognition via Large-Scale Weak Supervision",
https://arxiv.org/abs/2212.04356. The same input gives the same bytes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx
from onnx import TensorProto

from copilot.engines.whisper_graph import FUSED, MIDDLE, Graph, Shape, quantise

GELU_LEAST: Final = 0.17
"""GELU is nowhere below minus this."""


def listener(shape: Shape) -> onnx.ModelProto:
    """``encoder.onnx``."""
    graph = Graph(shape)
    graph.takes("features", TensorProto.FLOAT, [1, shape.mels, "frames"])
    x = _positions(graph, _convolutions(graph))
    for layer in range(shape.encoder_layers):
        name = f"encoder/layer_{layer}"
        x = graph.op("Add", [x, _attention(graph, x, layer)])
        hidden = graph.op("Gelu", [_wide(graph, graph.norm(x, f"{name}/ffn/layer_norm"), f"{name}/ffn/linear_0")])
        x = graph.op("Add", [x, _narrow(graph, hidden, f"{name}/ffn/linear_1")])
    own = graph.norm(x, "encoder/layer_norm", "rest_own")
    _with_silence(graph, "rest", "encoded")
    graph.gives("encoded", TensorProto.FLOAT, [1, "positions", shape.width])
    _crossed(graph, own)
    return graph.model("encoder")


def _convolutions(graph: Graph) -> str:
    """[1, mels, frames] -> [1, frames / 2, width]."""
    x = "features"
    for number in (1, 2):
        name = f"encoder/conv{number}"
        kernel = graph.constant(f"{name}/weight", graph.shape.floats(f"{name}/weight"))
        bias = graph.constant(f"{name}/bias", graph.shape.floats(f"{name}/bias"))
        x = graph.op("Gelu", [graph.op("Conv", [x, kernel, bias], pads=[1, 1], strides=[number], kernel_shape=[3])])
    return graph.op("Transpose", [x], perm=(0, 2, 1))


def _positions(graph: Graph, x: str) -> str:
    table = graph.constant("places", graph.shape.floats("encoder/position_encodings/encodings"))
    zero, one, two = (graph.constant(f"at{number}", np.array([number])) for number in range(3))
    length = graph.op("Slice", [graph.op("Shape", [x]), one, two])
    return graph.op("Add", [x, graph.op("Slice", [table, zero, length, zero])])


def _attention(graph: Graph, x: str, layer: int) -> str:
    name = f"encoder/layer_{layer}/self_attention"
    width = graph.shape.width
    eight = _eight_bits(graph, graph.norm(x, f"{name}/layer_norm"))
    queries, _, _ = (
        _product(graph, eight, f"{name}/linear_0", slice(part * width, (part + 1) * width), result)
        for part, result in enumerate(("", f"rk{layer}_own", f"rv{layer}_own"))
    )
    keys, values = (_with_silence(graph, f"r{kind}{layer}") for kind in "kv")
    heard = graph.op("MultiHeadAttention", [queries, keys, values], domain=FUSED, num_heads=graph.shape.heads)
    return _wide(graph, heard, f"{name}/linear_1")


def _with_silence(graph: Graph, name: str, result: str = "") -> str:
    """``{name}_own`` [1, own, width] and what is remembered as ``name`` after it."""
    silence = graph.takes(name, TensorProto.FLOAT, [1, "silence", graph.shape.width])
    graph.gives(f"{name}_own", TensorProto.FLOAT, [1, "own", graph.shape.width])
    return graph.op("Concat", [f"{name}_own", silence], result, axis=1)


def _crossed(graph: Graph, own: str) -> None:
    """What the decoder attends to: the same for every token, so computed once."""
    shape, width, eight = graph.shape, graph.shape.width, _eight_bits(graph, own)
    for layer in range(shape.layers):
        name = f"decoder/layer_{layer}/attention/linear_1"
        for kind, part, perm in (("k", 0, (0, 2, 3, 1)), ("v", 1, (0, 2, 1, 3))):
            _product(graph, eight, name, slice(part * width, (part + 1) * width), f"rc{kind}{layer}_own")
            graph.split(_with_silence(graph, f"rc{kind}{layer}"), perm, f"c{kind}{layer}")
        graph.gives(f"ck{layer}", TensorProto.FLOAT, [1, shape.heads, shape.depth, "positions"])
        graph.gives(f"cv{layer}", TensorProto.FLOAT, [1, shape.heads, "positions", shape.depth])


def _wide(graph: Graph, x: str, name: str) -> str:
    return _product(graph, _eight_bits(graph, x), name, slice(None))


def _eight_bits(graph: Graph, x: str) -> tuple[str, str, str]:
    """Numbers, scale and zero of the whole of ``x``."""
    names = (f"{x}_numbers", f"{x}_scale", f"{x}_zero")
    graph.op_of_many("DynamicQuantizeLinear", [x], names)
    return names


def _product(graph: Graph, eight: tuple[str, str, str], name: str, rows: slice, result: str = "") -> str:
    numbers, scale, zero = eight
    weights, scales = quantise(graph.shape.floats(f"{name}/weight")[rows])
    name = f"{name}/{rows.start or 0}"
    matrix = graph.constant(f"{name}/weight", weights.T)
    bias = graph.constant(f"{name}/bias", graph.shape.floats(f"{name.rsplit('/', 1)[0]}/bias")[rows])
    given = [numbers, matrix, scale, graph.constant(f"{name}/scale", scales), zero, "", bias]
    return graph.op("MatMulIntegerToFloat", given, result, domain=FUSED)


def _narrow(graph: Graph, hidden: str, name: str) -> str:
    """After GELU, a scale for each position."""
    last = graph.constant("last", np.array([-1]))
    least = graph.constant("least", np.array(GELU_LEAST, np.float32))
    part = graph.constant("part", np.array(1 / 127, np.float32))
    scale = graph.op("Mul", [graph.op("Max", [graph.op("ReduceMax", [hidden, last], keepdims=1), least]), part])
    one, middle = graph.constant("one", np.array(1, np.float32)), graph.constant("middle", np.array(MIDDLE, np.uint8))
    numbers = graph.op("QuantizeLinear", [graph.op("Div", [hidden, scale]), one, middle])
    weights, scales = quantise(graph.shape.floats(f"{name}/weight"))
    matrix, scales_of = graph.constant(f"{name}/weight", weights.T), graph.constant(f"{name}/scale", scales)
    sums = graph.op("MatMulIntegerToFloat", [numbers, matrix, one, scales_of, middle], domain=FUSED)
    bias = graph.constant(f"{name}/bias", graph.shape.floats(f"{name}/bias"))
    return graph.op("Add", [graph.op("Mul", [sums, scale]), bias])
