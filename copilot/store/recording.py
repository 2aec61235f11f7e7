"""A call as the log of ``(now, event)``: entries in its journal while it is live, a small file afterwards.

The file (``recording.bin.gz``) is a gzip stream of blocks, each a length (u32, little-endian) and that many bytes of
MessagePack: first the header, then one entry per block. Audio is left out: an entry says only where it was and how
long. The core never looks at sample values, so zeros in its place give the same call again, byte for byte.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import msgspec

from copilot.errors import StorageError
from copilot.events import AudioReceived, CallEvent, CallInfo, Event, Frozen
from copilot.store.disk import disk_error, replacing

HEADER = 1
"""Kind of the first record of a journal: the ``RecordingHeader``."""
ENTRY = 2
"""Kind of every other record: one ``(now, event)``."""

Entry = tuple[float, CallEvent]
Audio = Callable[[int, int], bytes]
"""``(offset, length)`` -> the ``length`` bytes of payload that came in at sample ``offset``."""

_LENGTH = struct.Struct("<I")


class RecordingHeader(Frozen, frozen=True, kw_only=True):
    """What a call needs besides its events to be lived again.

    ``playbook`` is its text; ``settings`` whatever else the shell needs to set the call up (bytes are welcome).
    """

    call: CallInfo
    playbook: str = ""
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    format: Literal[1] = 1


class AudioElided(Event, frozen=True, kw_only=True, tag="audio_elided"):
    """Stands for an ``AudioReceived`` with ``length`` bytes of payload."""

    offset: int
    length: int


_encoder = msgspec.msgpack.Encoder()
_entries = msgspec.msgpack.Decoder(tuple[float, CallEvent])
_elided_entries = msgspec.msgpack.Decoder(tuple[float, CallEvent | AudioElided])
_headers = msgspec.msgpack.Decoder(RecordingHeader)


def encode_header(header: RecordingHeader) -> bytes:
    """The body of a journal's first record."""
    return _encoder.encode(header)


def decode_header(body: bytes) -> RecordingHeader:
    """Reverse of ``encode_header``. StorageError ``storage.recording_corrupt``."""
    return cast("RecordingHeader", _decoding(_headers)(body))


def encode_entry(now: float, event: CallEvent) -> bytes:
    """The body of a journal's record: MessagePack of ``[now, event]``, audio included."""
    return _encoder.encode((now, event))


def decode_entry(body: bytes) -> Entry:
    """Reverse of ``encode_entry``. StorageError ``storage.recording_corrupt``."""
    return cast("Entry", _decoding(_entries)(body))


def write_recording(path: Path, header: RecordingHeader, entries: Iterable[Entry]) -> None:
    """Write a call without its audio; ``path`` appears only when it is complete and durable."""
    try:
        with (
            replacing(path) as temporary,
            temporary.open("wb") as plain,
            gzip.GzipFile("", "wb", fileobj=plain, mtime=0) as file,  # no name, no time: equal calls, equal files
        ):
            _write_block(file, _encoder.encode(header))
            for entry in entries:
                _write_block(file, _encoder.encode(_without_audio(entry)))
    except OSError as error:
        raise disk_error(error) from error


class Recording:
    """A call to be lived again. Iterating yields its entries; each time from the beginning.

    Without ``audio`` the payloads are zeros, of which there is one object per length.
    """

    def __init__(self, path: Path, audio: Audio | None = None) -> None:
        self.path = path
        self._silence: dict[int, bytes] = {}
        self._audio = audio or self._zeros
        with self._open() as file:
            self.header = decode_header(next(_blocks(file), b""))

    def __iter__(self) -> Iterator[Entry]:
        decode = _decoding(_elided_entries)
        with self._open() as file:
            blocks = _blocks(file)
            next(blocks)
            for block in blocks:
                now, event = decode(block)
                if isinstance(event, AudioElided):
                    payload = self._audio(event.offset, event.length)
                    event = AudioReceived(offset=event.offset, payload=payload)
                yield now, event

    def _open(self) -> gzip.GzipFile:
        try:
            return gzip.open(self.path)
        except OSError as error:
            raise StorageError("storage.unreadable", f"cannot read {self.path}: {error.strerror}") from error

    def _zeros(self, _offset: int, length: int) -> bytes:
        return self._silence.setdefault(length, bytes(length))


def read_recording(path: Path, audio: Audio | None = None) -> Recording:
    """Open a recording. StorageError ``storage.unreadable`` or ``storage.recording_corrupt``, also while iterating."""
    return Recording(path, audio)


def _without_audio(entry: Entry) -> tuple[float, CallEvent | AudioElided]:
    now, event = entry
    if isinstance(event, AudioReceived):
        return now, AudioElided(offset=event.offset, length=len(event.payload))
    return entry


def _write_block(file: gzip.GzipFile, block: bytes) -> None:
    file.write(_LENGTH.pack(len(block)))
    file.write(block)


def _blocks(file: gzip.GzipFile) -> Iterator[bytes]:
    reader = cast("BinaryIO", file)
    try:
        while size := reader.read(_LENGTH.size):
            (length,) = _LENGTH.unpack(size)
            yield reader.read(length)  # cut short only where gzip itself has raised
    except (EOFError, OSError, zlib.error, struct.error) as error:
        raise _corrupt(error) from error


def _decoding(decoder: msgspec.msgpack.Decoder[Any]) -> Callable[[bytes], Any]:
    def decode(body: bytes) -> Any:
        try:
            return decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _corrupt(error) from error

    return decode


def _corrupt(error: Exception) -> StorageError:
    return StorageError(
        "storage.recording_corrupt",
        f"the recording of this call is damaged: {type(error).__name__}",
        hint="Restore its folder from a backup. The audio and the events in the database are not affected.",
    )
