"""One thread that listens for voices on all channels of all calls: what came in meanwhile is scored together."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

log = structlog.get_logger(__name__)

Float32 = NDArray[np.float32]
Scores = tuple[tuple[float, ...], tuple[float, ...]]
"""Speech probabilities and levels in dBFS of consecutive windows."""
OnScores = Callable[[tuple[float, ...], tuple[float, ...]], None]
Asked = tuple[Any, Float32, OnScores]
REST_S: Final = 0.06
"""Two windows: the most by which a voice may be noticed later."""
FEW_CHANNELS: Final = 4
"""So many are heard at once: there is time for each, and every millisecond delays somebody's words."""
DEAF: Final = (0.0, -100.0)
"""Score and level of a window the model failed on: silence, so that the call goes on."""


class VoiceModel(Protocol):
    """A voice detector; a stream is its place in one channel."""

    def stream(self) -> Any: ...
    def score_together(self, heard: Sequence[tuple[Any, Float32]]) -> list[Scores]: ...


class Ears:
    """Scores windows off the event loop. ``close`` when no call is left.

    ``rest``: how many times as long as it listened it then rests, at most ``REST_S``, when there are more than
    ``FEW_CHANNELS``. The more channels, the more windows come together, and the cheaper each is.
    """

    def __init__(self, model: VoiceModel, rest: float = 0.0) -> None:
        self._model = model
        self._rest = rest
        self._changed = threading.Condition()
        self._waiting: list[Asked] = []
        self._closed = False
        self._channels: weakref.WeakSet[Ear] = weakref.WeakSet()
        self._resting = threading.Event()
        self._thread = threading.Thread(target=self._work, name="ears", daemon=True)
        self._thread.start()

    def ear(self) -> Ear:
        """For one channel of one call."""
        ear = Ear(self, self._model.stream())
        with self._changed:
            self._channels.add(ear)
        return ear

    def submit(self, stream: Any, windows: Float32, on_scores: OnScores) -> None:
        """Queue windows [n, 512]; answers of one stream come in order, on the thread of the ears."""
        with self._changed:
            self._waiting.append((stream, windows, on_scores))
            self._changed.notify()

    def rest_s(self, listened_s: float) -> float:
        """Seconds to rest after listening for so long."""
        with self._changed:
            many = len(self._channels) > FEW_CHANNELS
        return min(REST_S, self._rest * listened_s) if many else 0.0

    def close(self) -> None:
        """Answer what waits, and stop."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._resting.set()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                waiting, self._waiting = self._waiting, []
            if not waiting:
                return
            started = time.perf_counter()
            while waiting:
                waiting = self._listen(waiting)
            self._resting.wait(self.rest_s(time.perf_counter() - started))

    def _listen(self, waiting: list[Asked]) -> list[Asked]:
        """Score the first of each stream; return what is left."""
        first = {id(item[0]): item for item in reversed(waiting)}
        now = list(first.values())
        try:
            answers = self._model.score_together([(stream, windows) for stream, windows, _ in now])
        except Exception as error:  # noqa: BLE001  # a model may fail in any way; calls must not wait for ever
            log.error("voice detector failed", kind=type(error).__name__, streams=len(now))
            answers = [((DEAF[0],) * len(windows), (DEAF[1],) * len(windows)) for _, windows, _ in now]
        for (_, _, on_scores), (scores, levels) in zip(now, answers, strict=True):
            on_scores(scores, levels)
        return [item for item in waiting if item is not first[id(item[0])]]


class Ear:
    """One channel's place in the ears."""

    def __init__(self, ears: Ears, stream: Any) -> None:
        self._ears = ears
        self._stream = stream

    def submit(self, windows: Float32, on_scores: OnScores) -> None:
        """Score windows [n, 512]; the answer comes on another thread."""
        self._ears.submit(self._stream, windows, on_scores)
