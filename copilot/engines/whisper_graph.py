"""What the builders of Whisper's ONNX graphs share: the model's sizes and weights, and a graph under construction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from copilot.engines.ctranslate import Weights

Floats = npt.NDArray[np.float32]
MIDDLE: Final = 128
"""Zero in unsigned 8-bit numbers, the kind that processors multiply fastest."""
FUSED: Final = "com.microsoft"
"""onnxruntime's own operators, which do in one pass what standard ones do in several."""


class Shape:
    """The sizes of one Whisper, and its weights."""

    def __init__(self, weights: Weights, config: dict[str, Any]) -> None:
        self.weights = weights
        self.vocabulary, self.width = weights["decoder/embeddings/weight"].shape
        self.heads = int(weights["decoder/num_heads"])
        self.depth = self.width // self.heads
        self.mels = weights["encoder/conv1/weight"].shape[1]
        self.encoder_layers, self.layers = (
            sum(name.startswith(half) and name.endswith("/ffn/linear_0/weight") for name in weights)
            for half in ("encoder", "decoder")
        )
        self.alignment = [(int(layer), int(head)) for layer, head in config["alignment_heads"]]
        self.silenced = [int(token) for token in config["suppress_ids"]]

    def floats(self, name: str) -> Floats:
        values = self.weights[name]
        if values.dtype not in (np.float16, np.float32):
            raise ValueError(f"{name} is {values.dtype}; only models stored in float16 or float32 can be converted")
        return values.astype(np.float32)


class Graph:
    """Nodes and constants under construction; every method returns the name of its result."""

    def __init__(self, shape: Shape) -> None:
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
        self.op_of_many(kind, inputs, (result,), **attributes)
        return result

    def op_of_many(self, kind: str, inputs: list[str], results: Sequence[str], **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, results, results[0], **attributes))

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
        given = [numbers, matrix, self._one(), self.constant(f"{name}/scale", scales), zero]
        return self.op("Mul", [self.op("MatMulIntegerToFloat", given, domain=FUSED), scale])

    def _eight_bits(self, x: str) -> tuple[str, str]:
        if x not in self.quantised:
            last = self.constant("last", np.array([-1]))
            most = self.op("ReduceMax", [self.op("Abs", [x]), last], keepdims=1)
            least = self.constant("least", np.array(1e-8, np.float32))
            step = self.constant("step", np.array(127, np.float32))
            scale = self.op("Div", [self.op("Max", [most, least]), step])
            zero = self.constant("middle", np.array(MIDDLE, np.uint8))
            self.quantised[x] = self.op("QuantizeLinear", [self.op("Div", [x, scale]), self._one(), zero]), scale
        return self.quantised[x]

    def _one(self) -> str:
        return self.constant("one", np.array(1, np.float32))

    def norm(self, x: str, name: str, result: str = "") -> str:
        gamma = self.constant(f"{name}/gamma", self.shape.floats(f"{name}/gamma"))
        beta = self.constant(f"{name}/beta", self.shape.floats(f"{name}/beta"))
        return self.op("LayerNormalization", [x, gamma, beta], result, axis=-1, epsilon=1e-5)

    def split(self, x: str, perm: tuple[int, ...] = (0, 2, 1, 3), result: str = "") -> str:
        """[1, n, width] -> [1, heads, n, depth], or transposed as ``perm`` says."""
        sizes = self.constant("split", np.array([0, 0, self.shape.heads, self.shape.depth], np.int64))
        return self.op("Transpose", [self.op("Reshape", [x, sizes])], result, perm=perm)

    def merge(self, x: str) -> str:
        sizes = self.constant("merge", np.array([0, 0, self.shape.width], np.int64))
        return self.op("Reshape", [self.op("Transpose", [x], perm=(0, 2, 1, 3)), sizes])

    def model(self, name: str) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, name, self.inputs, self.outputs, list(self.constants.values()))
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid(FUSED, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def quantise(weights: Floats) -> tuple[npt.NDArray[np.int8], Floats]:
    """Rows as 8-bit integers, and what to multiply each row by to have it back."""
    scales = np.maximum(np.abs(weights).max(axis=1), 1e-8) / 127
    return np.round(weights / scales[:, np.newaxis]).astype(np.int8), scales.astype(np.float32)
