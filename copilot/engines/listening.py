"""Whisper's encoder for short utterances: listens to what was said, and remembers what silence after it is like."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import onnxruntime

from copilot.engines.sessions import open_session
from copilot.errors import ModelError

Floats = npt.NDArray[np.float32]
POSITION_FRAMES: Final = 2
"""Frames (10 ms) of features for each position (20 ms) of the encoder."""


class Listened(msgspec.Struct, frozen=True):
    """What the encoder makes of one window: ``encoded`` [1, positions, width], and what the decoder attends to."""

    encoded: Floats
    crossed: dict[str, Floats]


class Listener:
    """``encoder.onnx`` of one model (see ``build_listener``). Several threads may listen at once."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        outputs = [output.name for output in session.get_outputs()]
        self._names = [name for name in outputs if not name.endswith("_own")]
        width = session.get_outputs()[outputs.index("encoded")].shape[-1]
        self._silence = {
            given.name: np.zeros((1, 0, width), np.float32)
            for given in session.get_inputs()
            if given.name != "features"
        }

    @classmethod
    def load(cls, folder: Path) -> Listener:
        """Raises ModelError (``model.unreadable``)."""
        try:
            return cls(open_session(folder / "encoder.onnx"))
        except Exception as error:  # onnxruntime raises a family of its own, without a common base
            raise ModelError(
                "model.unreadable", f"cannot load the encoder in {folder}", hint="Run `copilot models fetch`."
            ) from error

    @property
    def positions(self) -> int:
        """How many positions are remembered."""
        return int(next(iter(self._silence.values())).shape[1])

    def remember(self, features: Floats) -> None:
        """Silence from now on is as it is in ``features`` [mels, frames]: a short sound, then nothing."""
        names = list(self._silence)
        nothing = {name: silence[:, :0] for name, silence in self._silence.items()}
        heard = self._session.run([f"{name}_own" for name in names], {"features": features[np.newaxis]} | nothing)
        self._silence = dict(zip(names, heard, strict=True))

    def listen(self, features: Floats) -> Listened:
        """``features`` [mels, frames], an even number of them, and the silence that is remembered to follow."""
        own = features.shape[1] // POSITION_FRAMES
        silence = {name: remembered[:, own:] for name, remembered in self._silence.items()}
        heard = self._session.run(self._names, {"features": features[np.newaxis]} | silence)
        crossed = dict(zip(self._names, heard, strict=True))
        return Listened(crossed.pop("encoded"), crossed)
