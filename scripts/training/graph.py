"""The heads as one ONNX graph: vectors, runs and a head's number in; probabilities out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .fitting import WIDTH, Bend, Linear

OPSET = 17
SINGLE = TensorProto.FLOAT

Step = tuple[str, str, str, dict[str, Any]]
"""An operator, what it takes, what it gives, its attributes."""

MEANING: tuple[Step, ...] = (
    ("Cast", "landmarks_16", "landmarks", {"to": SINGLE}),
    ("MatMul", "vectors landmarks", "cosines", {}),
    ("Mul", "cosines width", "widened", {}),
    ("Sub", "widened width", "distances", {}),
    ("Exp", "distances", "likeness", {}),
    ("Gather", "waves head", "wave", {"axis": 0}),
    ("MatMul", "likeness wave", "meaning", {}),
)
WORDING: tuple[Step, ...] = (
    ("Gather", "table runs", "bytes", {"axis": 0}),
    ("Cast", "bytes", "parts", {"to": SINGLE}),
    ("Unsqueeze", "weights last", "weight", {}),
    ("Mul", "parts weight", "weighed", {}),
    ("ReduceSum", "weighed middle", "summed", {"keepdims": 0}),
    ("Gather", "scales head", "scale", {"axis": 0}),
    ("Mul", "summed scale", "wording", {}),
)
BOTH: tuple[Step, ...] = (
    ("Gather", "biases head", "bias", {"axis": 0}),
    ("Add", "meaning wording", "both", {}),
    ("Add", "both bias", "odds", {}),
    ("Sigmoid", "odds", "probability", {}),
)


def build(bend: Bend, heads: Sequence[Linear]) -> onnx.ModelProto:
    """Heads with fewer labels than the widest are padded."""
    width = max(len(head.bias) for head in heads)
    weights = _weights(bend, [_pad(head, width) for head in heads])
    graph = helper.make_graph(
        [
            helper.make_node(operator, taken.split(), [given], **attributes)
            for operator, taken, given, attributes in (*MEANING, *WORDING, *BOTH)
        ],
        "intents",
        [
            helper.make_tensor_value_info("vectors", SINGLE, ["texts", 512]),
            helper.make_tensor_value_info("runs", TensorProto.INT64, ["texts", "runs"]),
            helper.make_tensor_value_info("weights", SINGLE, ["texts", "runs"]),
            helper.make_tensor_value_info("head", TensorProto.INT64, []),
        ],
        [helper.make_tensor_value_info("probability", SINGLE, ["texts", width])],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="call-copilot")
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model


def _weights(bend: Bend, heads: Sequence[Linear]) -> Mapping[str, Any]:
    """What the steps know. Weights on runs are bytes with one scale per label."""
    scales = [np.abs(head.on_runs).max(axis=0).clip(1e-9) / 127 for head in heads]
    table = np.concatenate([np.rint(h.on_runs / s) for h, s in zip(heads, scales, strict=True)]).astype(np.int8)
    return {
        "landmarks_16": np.ascontiguousarray(bend.landmarks.T),
        "width": np.array(WIDTH, np.float32),
        "waves": np.stack([bend.whiten @ head.on_waves for head in heads]).astype(np.float32),
        "table": table,
        "scales": np.stack(scales).astype(np.float32),
        "biases": np.stack([head.bias for head in heads]).astype(np.float32),
        "last": np.array([2], np.int64),
        "middle": np.array([1], np.int64),
    }


def _pad(head: Linear, width: int) -> Linear:
    more = ((0, 0), (0, width - len(head.bias)))
    return Linear(np.pad(head.on_waves, more), np.pad(head.on_runs, more), np.pad(head.bias, more[1]))
