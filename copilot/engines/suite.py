"""All models of one process, loaded once and shared by every call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from copilot.config import Settings
from copilot.engines.embedder import Embedder
from copilot.engines.intents import Intents, shipped
from copilot.engines.manifest import locate
from copilot.engines.memory import give_back, spare
from copilot.engines.pool import AsrModel, Pool
from copilot.engines.silero import Silero, SileroStream


class Encoder:
    """The sentence encoder as the rooms want it, and the classifier that reads its vectors.

    Without ``intents`` no ``intent`` of a playbook is ever heard.
    """

    def __init__(self, embedder: Embedder, intents: Intents | None = None) -> None:
        self._embedder = embedder
        self.intents = intents

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors [texts, 512]."""
        return self._embedder.encode(texts)

    def encode_bytes(self, texts: tuple[str, ...]) -> bytes:
        """The same as little-endian float32 bytes, as an ``Embedded`` event carries them."""
        return self._embedder.encode(texts).astype("<f4").tobytes()


class Suite:
    """Voice detector, recogniser and sentence encoder."""

    def __init__(self, silero: Silero, asr: AsrModel, encoder: Encoder) -> None:
        self.silero = silero
        self.asr = asr
        self.encoder = encoder

    def scorers(self, channels: int) -> list[SileroStream]:
        """One ear per channel of one call."""
        return [self.silero.stream() for _ in range(channels)]


def load_suite(settings: Settings) -> Suite:
    """Load every model. Raises ModelError naming what is missing and how to get it."""
    spare()
    silero = Silero.load(locate("silero-vad", settings.models) / "silero_vad.onnx")
    suite = Suite(silero, load_recogniser(settings), load_encoder(settings))
    give_back()
    return suite


def load_recogniser(settings: Settings) -> AsrModel:
    """The configured recogniser. Raises ModelError, or ConfigError for a ``recogniser.url`` that cannot be one."""
    return BACKENDS[settings.recogniser.backend](settings)


def load_encoder(settings: Settings) -> Encoder:
    """Load the sentence encoder and the shipped intents. Raises ModelError."""
    return Encoder(Embedder.load(locate("sentence-encoder", settings.models)), load_intents())


def load_intents() -> Intents | None:
    """The shipped classifier; None in a checkout where none was trained yet. Raises ModelError when it is broken."""
    folder = shipped()
    return Intents.load(folder) if (folder / "intents.json").exists() else None


def start_pool(suite: Suite, settings: Settings) -> Pool:
    """Recogniser threads for live calls."""
    return Pool(suite.asr, settings.recogniser)


def _whisper(settings: Settings) -> AsrModel:
    from copilot.engines.whisper import Whisper  # noqa: PLC0415  # each backend brings libraries the others do not need

    return Whisper.load(locate(settings.recogniser.model, settings.models), settings.recogniser)


def _openai(settings: Settings) -> AsrModel:
    from copilot.engines.openai_api import OpenAiApi  # noqa: PLC0415

    return OpenAiApi.connect(settings.recogniser)


def _funasr(settings: Settings) -> AsrModel:
    from copilot.engines.funasr import FunAsr  # noqa: PLC0415

    return FunAsr.connect(settings.recogniser)


def _ray(settings: Settings) -> AsrModel:
    from copilot.engines import ray_pool  # noqa: PLC0415

    return ray_pool.connect(settings.recogniser)


BACKENDS: Final[dict[str, Callable[[Settings], AsrModel]]] = {
    "whisper": _whisper,
    "openai": _openai,
    "funasr": _funasr,
    "ray": _ray,
}
