"""Read the weights out of a CTranslate2 ``model.bin``.

Format (version 6, little-endian): version u32, name, revision u32, count u32; then per variable: name, rank u8,
dims u32[rank], dtype u8, bytes u32, data. A name is its length u16 (with the closing zero) and its bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from copilot.errors import ModelError

Weights = Mapping[str, npt.NDArray[Any]]
DTYPES: Final = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


def read_weights(path: Path) -> Weights:
    """Every variable by its name. Raises ModelError (``model.unreadable``)."""
    try:
        with path.open("rb") as stream:
            _number(stream, "I")
            _name(stream)
            _number(stream, "I")
            return dict(_variable(stream) for _ in range(_number(stream, "I")))
    except (OSError, struct.error, KeyError, ValueError, UnicodeDecodeError) as error:
        raise ModelError("model.unreadable", f"cannot read the weights in {path}: {error}") from error


def _variable(stream: BinaryIO) -> tuple[str, npt.NDArray[Any]]:
    name = _name(stream)
    shape = [_number(stream, "I") for _ in range(_number(stream, "B"))]
    dtype = DTYPES[_number(stream, "B")]
    return name, np.frombuffer(stream.read(_number(stream, "I")), dtype).reshape(shape)


def _name(stream: BinaryIO) -> str:
    return stream.read(_number(stream, "H"))[:-1].decode()


def _number(stream: BinaryIO, form: str) -> int:
    (number,) = struct.unpack(f"<{form}", stream.read(struct.calcsize(f"<{form}")))
    return int(number)
