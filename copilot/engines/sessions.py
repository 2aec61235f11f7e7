"""How every ONNX model of this package runs: on the caller's thread, giving back what it worked with."""

from __future__ import annotations

from pathlib import Path

import onnxruntime


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """Load a model. onnxruntime raises a family of errors of its own, without a common base.

    Without its arena: every length of input leaves another block there, 300 MB in half an hour of calls, and a run
    takes no longer without it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = False
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
