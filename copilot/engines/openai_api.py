"""Any server with OpenAI's ``POST /v1/audio/transcriptions``: OpenAI, vLLM, speaches, LocalAI, whisper.cpp and others.

They differ in what they can tell. We ask for word times first, then for figures only, then for the text alone, and
stay with the first form a server accepts.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence
from typing import Any, Final

import httpx
import msgspec

from copilot.config import RecogniserSettings
from copilot.engines import remote
from copilot.engines.pool import AsrRequest
from copilot.engines.remote import Crew, Deadline, Timed
from copilot.events import SAMPLE_RATE_HZ, Hypothesis

FORMS: Final[tuple[dict[str, Any], ...]] = (
    {"response_format": "verbose_json", "timestamp_granularities[]": ["segment", "word"]},
    {"response_format": "verbose_json"},
    {"response_format": "json"},
)
UNKNOWN_FORM: Final = frozenset({400, 415, 422})
"""What servers say to a form they do not have."""
LANGUAGES: Final = {"en": "en", "english": "en", "zh": "zh", "chinese": "zh", "mandarin": "zh", "yue": "zh"}
MAX_ANSWER_BYTES: Final = 4 << 20
ATTEMPTS: Final = 2
"""A kept connection may have been closed by the server meanwhile: one more try, with a new one."""


class _Word(msgspec.Struct):
    word: str
    start: float
    end: float
    probability: float | None = None


class _Segment(msgspec.Struct):
    start: float | None = None
    end: float | None = None
    avg_logprob: float | None = None
    no_speech_prob: float | None = None
    words: list[_Word] | None = None


class _Answer(msgspec.Struct):
    text: str
    language: str | None = None
    words: list[_Word] | None = None
    segments: list[_Segment] | None = None


class OpenAiApi:
    """A recogniser behind HTTP; ``transcribe`` may be called from several threads."""

    def __init__(self, client: httpx.Client, url: str, settings: RecogniserSettings) -> None:
        self._client = client
        self._url = f"{url}/audio/transcriptions"
        self._model = settings.model
        self._form = 0
        self._crew = Crew(self._ask, settings)

    @classmethod
    def connect(cls, settings: RecogniserSettings) -> OpenAiApi:
        """Ready to ask the server at ``settings.url``, which need not be up yet. Raises ConfigError."""
        url = remote.server_url(settings, ("http", "https"), "http://127.0.0.1:8000/v1")
        client = httpx.Client(
            headers={"Authorization": f"Bearer {settings.api_key}"} if settings.api_key else {},
            limits=httpx.Limits(max_connections=settings.connections, max_keepalive_connections=settings.connections),
        )
        return cls(client, url, settings)

    def transcribe(self, requests: Sequence[AsrRequest]) -> list[Hypothesis]:
        """One hypothesis per request, asked for at once.

        Raises RecogniserError (``asr.unreachable``, ``asr.refused``, ``asr.invalid_answer``).
        """
        return self._crew.ask(requests)

    def close(self) -> None:
        """Finish what is being asked and hang up."""
        self._crew.close()
        self._client.close()

    def _ask(self, request: AsrRequest, deadline: Deadline) -> Hypothesis:
        audio = _wav(request)
        for form in range(self._form, len(FORMS)):
            status, body = self._post(_fields(request, self._model) | FORMS[form], audio, deadline)
            if status == httpx.codes.OK:
                answer = _read(request, body)
                self._form = form
                return answer
            if status not in UNKNOWN_FORM:
                break
        raise remote.refused(f"HTTP status {status}")

    def _post(self, fields: dict[str, Any], audio: bytes, deadline: Deadline) -> tuple[int, bytes]:
        """Status and body. A connection that breaks gets a second attempt, a deadline does not."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._send(fields, audio, deadline)
            except httpx.TimeoutException as error:
                raise deadline.missed() from error
            except httpx.DecodingError as error:
                raise remote.invalid_answer("with a broken encoding") from error
            except httpx.TransportError as error:
                if attempt == ATTEMPTS:
                    raise remote.unreachable(self._url, error) from error
        raise AssertionError  # the last attempt returns or raises

    def _send(self, fields: dict[str, Any], audio: bytes, deadline: Deadline) -> tuple[int, bytes]:
        body = bytearray()
        file = {"file": ("speech.wav", audio, "audio/wav")}
        with self._client.stream("POST", self._url, data=fields, files=file, timeout=deadline.left_s()) as response:
            for piece in response.iter_bytes():
                body += piece
                deadline.left_s()  # a time-out of httpx is per read: a trickle would never end
                if len(body) > MAX_ANSWER_BYTES:
                    raise remote.invalid_answer(f"more than {MAX_ANSWER_BYTES} bytes")
            return response.status_code, bytes(body)


def _wav(request: AsrRequest) -> bytes:
    packed = io.BytesIO()
    with wave.open(packed, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(remote.pcm16(request.samples))
    return packed.getvalue()


def _fields(request: AsrRequest, model: str) -> dict[str, Any]:
    fields = {
        "model": model,
        "temperature": "0",
        "language": "" if request.language == "auto" else request.language,
        "prompt": " ".join(filter(None, (request.hotwords, request.prompt))),
    }
    return {name: value for name, value in fields.items() if value}


def _read(request: AsrRequest, body: bytes) -> Hypothesis:
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise remote.invalid_answer("no transcription in JSON") from error
    segments = answer.segments or []
    words = answer.words or [word for segment in segments for word in segment.words or ()]
    said = remote.hypothesis(
        request, answer.text, LANGUAGES.get((answer.language or "").lower(), ""), map(_timed, words)
    )
    return msgspec.structs.replace(
        said,
        avg_logprob=round(_mean_logprob(segments), 3),
        no_speech_prob=round(min((segment.no_speech_prob or 0.0 for segment in segments), default=0.0), 3),
    )


def _timed(word: _Word) -> Timed:
    return word.word, word.start * 1000, word.end * 1000, 1.0 if word.probability is None else word.probability


def _mean_logprob(segments: Sequence[_Segment]) -> float:
    """Over all segments, by their length; 0 (certain) when the server does not say."""
    known = [
        (segment.avg_logprob, max((segment.end or 0.0) - (segment.start or 0.0), 0.01))
        for segment in segments
        if segment.avg_logprob is not None
    ]
    return sum(value * length for value, length in known) / sum(length for _, length in known) if known else 0.0
