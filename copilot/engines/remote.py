"""What recognisers on other machines share: a deadline for every request, sixteen-bit audio, one shape of answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Final
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from copilot.clock import SystemClock
from copilot.config import RecogniserSettings
from copilot.engines.loudness import normalise
from copilot.engines.pool import AsrRequest
from copilot.engines.spelling import compression_ratio, simplified
from copilot.errors import ConfigError, RecogniserError
from copilot.events import SAMPLE_RATE_HZ, Hypothesis, Word
from copilot.language.normalise import is_chinese

MIN_SAMPLES: Final = SAMPLE_RATE_HZ // 5
"""Servers refuse audio shorter than a tenth of a second; silence makes up for it."""
FULL_SCALE: Final = 32_767
_TOKEN: Final = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]|[^\W_\u3400-\u4dbf\u4e00-\u9fff]+(?:['’.-][^\W_]+)*")

Timed = tuple[str, float, float, float]
"""A word as a server tells it: text, start and end in milliseconds, probability."""


class Deadline:
    """When an answer is too late."""

    def __init__(self, timeout_s: float) -> None:
        self._clock = SystemClock()
        self._due = self._clock.now() + timeout_s
        self._timeout_s = timeout_s

    def left_s(self) -> float:
        """Seconds that remain. Raises RecogniserError (``asr.unreachable``) when none do."""
        left = self._due - self._clock.now()
        if left <= 0:
            raise self.missed()
        return left

    def missed(self) -> RecogniserError:
        """The error of an answer that did not come in time."""
        return RecogniserError(
            "asr.unreachable",
            f"the recogniser did not answer within {self._timeout_s:g} s",
            hint="Look whether its server is overloaded; `recogniser.timeout_s` is how long we wait.",
        )


class Crew:
    """Asks for the requests of a batch at once: at most ``connections`` at a time, whoever calls."""

    def __init__(self, ask: Callable[[AsrRequest, Deadline], Hypothesis], settings: RecogniserSettings) -> None:
        self._ask = ask
        self._timeout_s = settings.timeout_s
        self._threads = ThreadPoolExecutor(settings.connections, thread_name_prefix="asr-remote")

    def ask(self, requests: Sequence[AsrRequest]) -> list[Hypothesis]:
        """One answer per request, in order. The first error is raised when all have ended; waiting counts."""
        deadline = Deadline(self._timeout_s)
        answers = [self._threads.submit(self._ask, request, deadline) for request in requests]
        wait(answers)
        return [answer.result() for answer in answers]

    def close(self) -> None:
        """Wait for what is being asked, and take no more."""
        self._threads.shutdown()


def server_url(settings: RecogniserSettings, schemes: Sequence[str], example: str) -> str:
    """``recogniser.url`` without a slash at its end. Raises ConfigError (``config.recogniser``)."""
    parts = urlsplit(settings.url)
    if parts.scheme not in schemes or not parts.hostname:
        raise ConfigError(
            "config.recogniser",
            f"recogniser.url is {settings.url!r}, but recogniser.backend = {settings.backend!r} needs a server",
            hint=f'For example recogniser.url = "{example}".',
        )
    return settings.url.rstrip("/")


def unreachable(url: str, reason: Exception) -> RecogniserError:
    """The error of a server that is not there or hangs up. Tokens in the URL stay out of the message."""
    parts = urlsplit(url)
    return RecogniserError(
        "asr.unreachable",
        f"no recogniser at {parts.hostname}{f':{parts.port}' if parts.port else ''}: {type(reason).__name__}",
        hint="Look whether its server runs, and whether `recogniser.url` names it.",
    )


def refused(reason: str) -> RecogniserError:
    """The error of a server that answers, but does not want to."""
    return RecogniserError(
        "asr.refused",
        f"the recogniser's server refused: {reason}",
        hint="Check `recogniser.model` and `recogniser.api_key`; the server's own log says more.",
    )


def invalid_answer(what: str) -> RecogniserError:
    """The error of a server that answers what its protocol does not know. The answer itself is not shown."""
    return RecogniserError(
        "asr.invalid_answer",
        f"the recogniser's server answered {what}",
        hint="Look whether `recogniser.url` and `recogniser.backend` name the same kind of server.",
    )


def pcm16(samples: NDArray[np.float32]) -> bytes:
    """Little-endian 16-bit audio: quiet utterances lifted, and never shorter than ``MIN_SAMPLES``."""
    padded = np.zeros(max(len(samples), MIN_SAMPLES), np.float32)
    padded[: len(samples)] = normalise(samples)
    return (np.clip(padded, -1, 1) * FULL_SCALE).astype("<i2").tobytes()


def hypothesis(request: AsrRequest, text: str, language: str, words: Iterable[Timed] = ()) -> Hypothesis:
    """A server's text as ours: Chinese in simplified characters, word times for everything but interims.

    The language is what was asked for, else what the server says (``language``), else what the text looks like.
    """
    asked = "" if request.language == "auto" else request.language
    language = asked or language or ("zh" if is_chinese(text) else "en")
    text = simplified(text.strip()) if language == "zh" else text.strip()
    timed = () if request.kind == "interim" else tuple(words)
    return Hypothesis(
        text=text,
        language=language,
        words=_words(text, timed, language, len(request.samples) * 1000 // SAMPLE_RATE_HZ),
        compression_ratio=round(compression_ratio(text), 2),
    )


def tokens(text: str) -> list[str]:
    """Words and single Chinese characters, without punctuation: what recognisers give times for."""
    return _TOKEN.findall(text)


def _words(text: str, timed: Sequence[Timed], language: str, duration_ms: int) -> tuple[Word, ...]:
    """Words spelled as in the text, with the punctuation that follows them; times in order and inside the audio."""
    spellings = _spelled(text, [simplified(name) if language == "zh" else name for name, *_ in timed])
    words: list[Word] = []
    for spelling, (_, start, end, probability) in zip(spellings, timed, strict=True):
        earliest = words[-1].end_ms if words else 0
        start_ms = min(max(round(start), earliest), duration_ms)
        end_ms = min(max(round(end), start_ms), duration_ms)
        words.append(Word(text=spelling, start_ms=start_ms, end_ms=end_ms, probability=round(probability, 3)))
    return tuple(words)


def _spelled(text: str, names: Sequence[str]) -> list[str]:
    """Each name with the marks around it; the names as they are when the text does not hold them in this order."""
    names = [name.strip() for name in names]
    edges = [0]
    at = 0
    for index, name in enumerate(names):
        found = text.find(name, at)
        if found < 0:
            return names
        if index:
            space = text.find(" ", at, found)
            edges.append(found if space < 0 else space)
        at = found + len(name)
    return [text[start:end].strip() for start, end in zip(edges, [*edges[1:], len(text)], strict=True)][: len(names)]
