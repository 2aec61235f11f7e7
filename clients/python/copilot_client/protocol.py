"""The numbers of ``copilot.v1``: frames, formats, close codes."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

VERSION = 1
SUBPROTOCOL = "copilot.v1"
RETRY_CLOSE_CODES = frozenset({1001, 1005, 1006, 1011, 1012, 1013, 4408, 4413, 4429, 4503})
RETRY_STATUSES = frozenset({429, 500, 502, 503, 504})
SAMPLE_BYTES = {"pcm_s16le": 2, "mulaw": 1, "alaw": 1}

_HEADER = struct.Struct(">BBBBIQ")
_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


@dataclass(frozen=True)
class Media:
    """How the audio of a call is encoded; channels are interleaved."""

    encoding: Literal["pcm_s16le", "mulaw", "alaw"] = "pcm_s16le"
    sample_rate: int = 16_000
    channels: tuple[Literal["rep", "customer"], ...] = ("rep", "customer")

    @property
    def block_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return SAMPLE_BYTES[self.encoding] * len(self.channels)


@dataclass(frozen=True)
class Call:
    """Who is calling whom, and how it should be helped. ``playbook`` empty means by language."""

    external_id: str = ""
    direction: Literal["inbound", "outbound"] = "outbound"
    rep_id: str = ""
    customer_ref: str = ""
    campaign: str = ""
    context: dict[str, str] = field(default_factory=dict)
    language: Literal["en", "zh", "auto"] = "auto"
    playbook: str = ""


def start_message(media: Media, call: Call, resume: Mapping[str, Any] | None) -> dict[str, Any]:
    """The first message on a connection."""
    header = asdict(call)
    return {
        "type": "call.start",
        "v": VERSION,
        "language": header.pop("language"),
        "playbook": header.pop("playbook"),
        "call": header,
        "media": {**asdict(media), "framing": "v1"},
        "resume": resume,
    }


def audio_frame(epoch: int, offset: int, payload: bytes) -> bytes:
    """One binary frame."""
    return _HEADER.pack(1, 1, 0, 0, epoch, offset) + payload


def socket_url(url: str, path: str) -> str:
    """The address of an endpoint below the server's ``url`` (``http``, ``https``, ``ws`` or ``wss``)."""
    parts = urlsplit(url)
    scheme = _SCHEMES.get(parts.scheme)
    if scheme is None or not parts.netloc:
        raise ValueError(f"{url!r} is not the address of a server, like ws://127.0.0.1:8750")
    path, _, query = path.partition("?")
    return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/") + path, query, ""))
