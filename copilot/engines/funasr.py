"""A FunASR WebSocket server: ``funasr-wss-server``, ``funasr-wss-server-2pass`` or ``funasr_wss_server.py``.

Every request is one utterance in mode ``offline``: a message that says what comes, PCM in pieces of 60 ms (the Python
server's voice detector wants them even), and a message that says it was all. The three servers end an answer in
different ways; ``_Answers`` knows them. Protocol: ``runtime/docs/websocket_protocol.md`` of FunASR.
"""

from __future__ import annotations

import json
import math
import re
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import count
from typing import Any, Final

import msgspec
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from copilot.config import RecogniserSettings
from copilot.engines import remote
from copilot.engines.pool import AsrRequest
from copilot.engines.remote import Crew, Deadline, Timed
from copilot.events import SAMPLE_RATE_HZ, Hypothesis

PIECE_BYTES: Final = SAMPLE_RATE_HZ * 60 // 1000 * 2
HOTWORD_WEIGHT: Final = 20
MAX_ANSWER_BYTES: Final = 1 << 20
CLOSE_TIMEOUT_S: Final = 1.0
SETTLED_S: Final = 0.5
"""A server that has never said where an answer ends is done when it stays silent for so long."""
ATTEMPTS: Final = 2
"""A kept connection may have been closed by the server meanwhile: one more try, with a new one."""
_SEPARATORS: Final = re.compile(r"\s*[,，;；]\s*")


class _Message(msgspec.Struct):
    """What a server says. ``timestamp`` is a list of [start, end] in ms, or that list as a string."""

    text: str | None = None
    mode: str | None = None
    wav_name: str | None = None
    is_final: bool | None = None
    is_end: bool = False
    error: str | None = None
    timestamp: Any = None


class _Idle(msgspec.Struct):
    hotwords: str
    socket: ClientConnection


class FunAsr:
    """A recogniser behind a WebSocket; ``transcribe`` may be called from several threads."""

    def __init__(self, settings: RecogniserSettings, url: str) -> None:
        self._settings = settings
        self._url = url
        self._crew = Crew(self._ask, settings)
        self._lock = threading.Lock()
        self._idle: list[_Idle] = []
        self._numbers = count(1)
        self._announces_end = False

    @classmethod
    def connect(cls, settings: RecogniserSettings) -> FunAsr:
        """Ready to ask the server at ``settings.url``, which need not be up yet. Raises ConfigError."""
        return cls(settings, remote.server_url(settings, ("ws", "wss"), "ws://127.0.0.1:10095"))

    def transcribe(self, requests: Sequence[AsrRequest]) -> list[Hypothesis]:
        """One hypothesis per request, asked for at once, each on a connection of its own.

        Raises RecogniserError (``asr.unreachable``, ``asr.refused``, ``asr.invalid_answer``).
        """
        return self._crew.ask(requests)

    def close(self) -> None:
        """Finish what is being asked and hang up."""
        self._crew.close()
        for idle in self._idle:
            idle.socket.close()

    def _ask(self, request: AsrRequest, deadline: Deadline) -> Hypothesis:
        hotwords = _hotwords(request.hotwords)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._ask_on(self._take(hotwords, deadline, fresh=attempt > 1), request, hotwords, deadline)
            except TimeoutError as error:
                raise deadline.missed() from error
            except InvalidStatus as error:
                raise remote.refused(f"HTTP status {error.response.status_code}") from error
            except (WebSocketException, OSError) as error:
                deadline.left_s()  # a connection that we cut because it took too long is not tried again
                if attempt == ATTEMPTS:
                    raise remote.unreachable(self._url, error) from error
        raise AssertionError  # the last attempt returns or raises

    def _ask_on(self, line: ClientConnection, request: AsrRequest, hotwords: str, deadline: Deadline) -> Hypothesis:
        name = f"utterance-{next(self._numbers)}"
        try:
            audio = remote.pcm16(request.samples)
            line.send(_opening(name, hotwords))
            for start in range(0, len(audio), PIECE_BYTES):
                deadline.left_s()
                line.send(audio[start : start + PIECE_BYTES])
            line.send(json.dumps({"is_speaking": False, "is_end": True}))
            answers = _Answers(name)
            is_over = self._listen(line, answers, deadline)
        except BaseException:
            line.close()  # whatever comes on it belongs to this question
            raise
        if is_over:
            with self._lock:
                self._idle.append(_Idle(hotwords, line))
        else:
            line.close()
        return answers.hypothesis(request)

    def _listen(self, line: ClientConnection, answers: _Answers, deadline: Deadline) -> bool:
        """Take messages until the answer is whole. False: the server only fell silent; more may come."""
        while not answers.is_over:
            is_settling = answers.may_be_over and not self._announces_end
            try:
                message = line.recv(timeout=min(deadline.left_s(), SETTLED_S if is_settling else math.inf))
            except TimeoutError:
                if is_settling:
                    return False
                raise
            answers.receive(message)
        self._announces_end = True
        return True

    def _take(self, hotwords: str, deadline: Deadline, *, fresh: bool) -> ClientConnection:
        """A connection. Servers read hotwords once per connection, so an idle one must have had the same."""
        with self._lock:
            fitting = [] if fresh else [idle for idle in self._idle if idle.hotwords == hotwords]
            given_up = None
            if fitting:
                self._idle.remove(fitting[-1])
            elif self._idle:
                given_up = self._idle.pop(0)  # or there would be more than ``connections``
        if given_up:
            given_up.socket.close()
        return fitting[-1].socket if fitting else self._open(deadline)

    def _open(self, deadline: Deadline) -> ClientConnection:
        key = self._settings.api_key
        try:
            opened = connect(
                self._url,
                subprotocols=[Subprotocol("binary")],
                additional_headers={"Authorization": f"Bearer {key}"} if key else None,
                compression=None,
                open_timeout=deadline.left_s(),
                close_timeout=CLOSE_TIMEOUT_S,
                ping_interval=None,  # the servers answer none while they decode
                max_size=MAX_ANSWER_BYTES,
            )
        except AssertionError as error:  # websockets' own, when the server hangs up in the middle of the handshake
            raise ConnectionResetError("the server hung up during the handshake") from error
        line = ExitStack().enter_context(opened)  # it outlives this block; `close` ends it
        # A server that stops reading would block ``send`` for ever; websockets has no time-out for it.
        seconds, rest = divmod(self._settings.timeout_s, 1)
        line.socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(seconds), int(rest * 1_000_000))
        )
        return line


class _Answers:
    """The messages that answer one utterance, until the last.

    | server | each sentence | the end |
    |---|---|---|
    | funasr-wss-server | mode offline, is_final false | the same message: there is one |
    | funasr-wss-server-2pass | mode 2pass-offline, is_final false | is_final true |
    | funasr_wss_server.py | mode offline, is_final true | is_end (before July 2026: nothing) |
    | funasr_wss_server.py until 2025 | mode offline, is_final true | mode offline, is_final false |
    """

    def __init__(self, name: str) -> None:
        self.is_over = False
        self.may_be_over = False
        self._name = name
        self._texts: list[str] = []
        self._times: list[tuple[float, float]] = []

    def receive(self, raw: str | bytes) -> None:
        """Take one message. Raises RecogniserError."""
        try:
            message = msgspec.json.decode(raw, type=_Message)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise remote.invalid_answer("a message that is none of FunASR's") from error
        if message.error:
            raise remote.refused("it reports an error")
        if message.wav_name not in (None, "", self._name):
            return  # the end of what was asked before
        if message.is_end:
            self.is_over = True
            return
        if message.text is None or message.is_final is None:
            raise remote.invalid_answer("a message without a text")
        if message.mode != "2pass-online":
            self._texts.append(message.text)
            self._times += _times(message.timestamp)
        is_offline = message.mode == "offline"
        self.is_over = message.is_final != is_offline
        self.may_be_over = is_offline

    def hypothesis(self, request: AsrRequest) -> Hypothesis:
        """All sentences as one. Words only when there are as many times as words."""
        text = _joined(self._texts)
        names = remote.tokens(text)
        is_timed = len(names) == len(self._times)
        words: Iterator[Timed] = (
            (name, start, end, 1.0) for name, (start, end) in zip(names, self._times if is_timed else (), strict=False)
        )
        return remote.hypothesis(request, text, "", words)


def _opening(name: str, hotwords: str) -> str:
    return json.dumps(
        {
            "mode": "offline",
            "wav_name": name,
            "wav_format": "pcm",
            "audio_fs": SAMPLE_RATE_HZ,
            "chunk_size": [5, 10, 5],
            "chunk_interval": 10,
            "is_speaking": True,
            "hotwords": hotwords,
            "itn": False,  # numbers are read by `language`, and written out every word keeps its time
        },
        ensure_ascii=False,
    )


def _hotwords(listed: str) -> str:
    """``"solar, 光伏"`` as the servers want it: a JSON object of weights, as a string. Some fail on anything else."""
    words = [word for word in _SEPARATORS.split(listed.strip()) if word]
    return json.dumps(dict.fromkeys(words, HOTWORD_WEIGHT), ensure_ascii=False) if words else ""


def _times(timestamp: Any) -> list[tuple[float, float]]:
    """Pairs in milliseconds. Models without times send nothing, or an empty string."""
    try:
        pairs = json.loads(timestamp) if isinstance(timestamp, str) and timestamp else timestamp or []
        return msgspec.convert(pairs, list[tuple[float, float]])
    except (json.JSONDecodeError, msgspec.ValidationError) as error:
        raise remote.invalid_answer("times that are none") from error


def _joined(texts: Sequence[str]) -> str:
    """Sentences in a row, with a space where both sides are not Chinese."""
    whole = ""
    for text in filter(None, map(str.strip, texts)):
        space = " " if whole and whole[-1].isascii() and text[0].isascii() else ""
        whole += space + text
    return whole
