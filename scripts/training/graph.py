"""The heads as one ONNX graph: vectors, runs and a head's number in; probabilities out."""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .fitting import WIDTH, Bend, Linear

OPSET = 17


def build(bend: Bend, heads: Sequence[Linear]) -> onnx.ModelProto:
    """Heads with fewer labels than the widest are padded; weights on runs are bytes with one scale per label."""
    width = max(len(head.bias) for head in heads)
    padded = [_pad(head, width) for head in heads]
    scales = [np.abs(head.on_runs).max(axis=0).clip(1e-9) / 127 for head in padded]
    table = np.concatenate([np.rint(h.on_runs / s) for h, s in zip(padded, scales, strict=True)]).astype(np.int8)
    weights = {
        "landmarks_16": np.ascontiguousarray(bend.landmarks.T),
        "width": np.array(WIDTH, np.float32),
        "waves": np.stack([bend.whiten @ head.on_waves for head in padded]).astype(np.float32),
        "table": table,
        "scales": np.stack(scales).astype(np.float32),
        "biases": np.stack([head.bias for head in padded]).astype(np.float32),
        "last": np.array([2], np.int64),
        "middle": np.array([1], np.int64),
    }
    single = TensorProto.FLOAT
    nodes = [
        helper.make_node("Cast", ["landmarks_16"], ["landmarks"], to=single),
        helper.make_node("MatMul", ["vectors", "landmarks"], ["cosines"]),
        helper.make_node("Mul", ["cosines", "width"], ["widened"]),
        helper.make_node("Sub", ["widened", "width"], ["distances"]),
        helper.make_node("Exp", ["distances"], ["likeness"]),
        helper.make_node("Gather", ["waves", "head"], ["wave"], axis=0),
        helper.make_node("MatMul", ["likeness", "wave"], ["meaning"]),
        helper.make_node("Gather", ["table", "runs"], ["bytes"], axis=0),
        helper.make_node("Cast", ["bytes"], ["parts"], to=single),
        helper.make_node("Unsqueeze", ["weights", "last"], ["weight"]),
        helper.make_node("Mul", ["parts", "weight"], ["weighed"]),
        helper.make_node("ReduceSum", ["weighed", "middle"], ["summed"], keepdims=0),
        helper.make_node("Gather", ["scales", "head"], ["scale"], axis=0),
        helper.make_node("Mul", ["summed", "scale"], ["wording"]),
        helper.make_node("Gather", ["biases", "head"], ["bias"], axis=0),
        helper.make_node("Add", ["meaning", "wording"], ["both"]),
        helper.make_node("Add", ["both", "bias"], ["odds"]),
        helper.make_node("Sigmoid", ["odds"], ["probability"]),
    ]
    graph = helper.make_graph(
        nodes,
        "intents",
        [
            helper.make_tensor_value_info("vectors", single, ["texts", 512]),
            helper.make_tensor_value_info("runs", TensorProto.INT64, ["texts", "runs"]),
            helper.make_tensor_value_info("weights", single, ["texts", "runs"]),
            helper.make_tensor_value_info("head", TensorProto.INT64, []),
        ],
        [helper.make_tensor_value_info("probability", single, ["texts", width])],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="call-copilot")
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model


def _pad(head: Linear, width: int) -> Linear:
    more = ((0, 0), (0, width - len(head.bias)))
    return Linear(np.pad(head.on_waves, more), np.pad(head.on_runs, more), np.pad(head.bias, more[1]))
