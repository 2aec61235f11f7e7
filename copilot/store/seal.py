"""Sealing: a finished call's journal becomes ``audio.flac`` and ``recording.bin.gz``, and only then goes away.

Every step can be repeated: files appear under their names complete or not at all, and the journal is deleted last,
after the FLAC has been read back and found to hold exactly the samples of the journal.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from copilot.audio.g711 import decode_alaw, decode_mulaw
from copilot.errors import StorageError
from copilot.events import AudioMissed, AudioReceived, Encoding, Frozen, MediaFormat, Paused, Resumed
from copilot.store.disk import disk_error, replacing, sync_folder
from copilot.store.journal import JOURNAL_FILE
from copilot.store.layout import AUDIO_FILE, RECORDING_FILE
from copilot.store.recording import ENTRY, HEADER, Entry, decode_entry, decode_header, write_recording
from copilot.store.records import read_journal

Int16 = NDArray[np.int16]

BLOCK_FRAMES = 65_536
MAX_CALL_S = 86_400
"""Audio that would end later than this is damage, not a call."""

DECODERS: dict[Encoding, Callable[[bytes], Int16]] = {
    "pcm_s16le": lambda payload: np.frombuffer(payload, "<i2"),
    "mulaw": decode_mulaw,
    "alaw": decode_alaw,
}


class Sealed(Frozen, frozen=True, kw_only=True):
    """What became of a call's journal; ``flac_path`` is None for a call without any audio.

    ``sha256``: per channel, over its 16-bit little-endian PCM at source rate. ``torn_bytes``: damaged, not in here.
    """

    flac_path: Path | None
    recording_path: Path | None
    sha256: tuple[str, ...]
    duration_ms: int
    torn_bytes: int = 0


class _Digest(NamedTuple):
    sha256: tuple[str, ...]
    frames: int


def seal(folder: Path, media: MediaFormat) -> Sealed:
    """Seal the call in ``folder``, or go on with it after a crash, or find it sealed. Slow: not for an event loop.

    Raises StorageError: ``storage.seal_mismatch`` (the journal stays), ``storage.no_audio`` (there is nothing to seal),
    or what reading and writing raise.
    """
    journal, flac, recording = folder / JOURNAL_FILE, folder / AUDIO_FILE, folder / RECORDING_FILE
    torn_bytes = 0
    try:
        if journal.exists():
            digest = _seal_audio(journal, flac, media)
            torn_bytes = _seal_events(journal, recording)
            journal.unlink()
            sync_folder(folder)
        elif flac.exists() or recording.exists():
            digest = _digest(_read_flac(flac), media)
        else:
            raise StorageError("storage.no_audio", f"{folder} holds neither a journal nor a sealed call")
    except OSError as error:
        raise disk_error(error) from error
    return Sealed(
        flac_path=flac if flac.exists() else None,
        recording_path=recording if recording.exists() else None,
        sha256=digest.sha256,
        duration_ms=digest.frames * 1000 // media.sample_rate_hz,
        torn_bytes=torn_bytes,
    )


def entries(journal: Path) -> Iterator[Entry]:
    """The ``(now, event)`` of a journal, as far as it is valid."""
    for record in read_journal(journal):
        if record.kind == ENTRY:
            yield decode_entry(record.body)


def _seal_audio(journal: Path, flac: Path, media: MediaFormat) -> _Digest:
    """Write the FLAC and read it back."""
    if not any(map(len, samples(journal, media))):  # FLAC cannot hold nothing
        return _digest(iter(()), media)
    with replacing(flac) as temporary:
        expected = _digest(_write_flac(temporary, samples(journal, media), media), media)
        if _digest(_read_flac(temporary), media) != expected:
            raise StorageError(
                "storage.seal_mismatch",
                f"the FLAC made of {journal} does not hold the same samples",
                hint="The journal is kept. Check the disk and memory of this machine, then restart the server.",
            )
    return expected


def _seal_events(journal: Path, recording: Path) -> int:
    """Write the recording, if the journal says what call it is; returns how many bytes are damaged."""
    reader = read_journal(journal)
    first = next(iter(reader), None)
    if first and first.kind == HEADER:
        write_recording(recording, decode_header(first.body), entries(journal))
    deque(reader, maxlen=0)
    return reader.torn_bytes


def samples(journal: Path, media: MediaFormat) -> Iterator[Int16]:
    """The audio of a journal as blocks [frames, channels]; what was lost, or came while paused, is silence."""
    decode, channels = DECODERS[media.encoding], len(media.channels)
    position, is_paused = 0, False
    for _now, event in entries(journal):
        if isinstance(event, Paused | Resumed):
            is_paused = isinstance(event, Paused)
        elif isinstance(event, AudioMissed):
            yield from _silence(position, event.offset + event.samples, media)
            position = max(position, event.offset + event.samples)
        elif isinstance(event, AudioReceived):
            yield from _silence(position, event.offset, media)
            block = decode(event.payload)
            block = block[: len(block) // channels * channels].reshape(-1, channels)[max(0, position - event.offset) :]
            yield np.zeros_like(block) if is_paused else block
            position = max(position, event.offset) + len(block)


def _silence(begin: int, end: int, media: MediaFormat) -> Iterator[Int16]:
    if end > MAX_CALL_S * media.sample_rate_hz:
        raise StorageError("storage.audio_implausible", f"audio at sample {end} is later than any call lasts")
    for at in range(begin, end, BLOCK_FRAMES):
        yield np.zeros((min(BLOCK_FRAMES, end - at), len(media.channels)), np.int16)


def _write_flac(path: Path, blocks: Iterator[Int16], media: MediaFormat) -> Iterator[Int16]:
    """Passes the blocks on while writing them."""
    with _sound(path, "w", samplerate=media.sample_rate_hz, channels=len(media.channels)) as file:
        for block in blocks:
            file.write(block)
            yield block


def _read_flac(path: Path) -> Iterator[Int16]:
    if not path.exists():
        return
    with _sound(path, "r") as file:
        while len(block := file.read(BLOCK_FRAMES, dtype="int16", always_2d=True)):
            yield block


@contextmanager
def _sound(path: Path, mode: str, **new: int) -> Iterator[soundfile.SoundFile]:
    kind = {"format": "FLAC", "subtype": "PCM_16"} if new else {}
    try:
        with soundfile.SoundFile(path, mode, **kind, **new) as file:
            yield file
    except soundfile.SoundFileError as error:
        raise StorageError(
            "storage.flac_failed",
            f"cannot use {path} as FLAC",
            hint="Is the disk full? A journal is kept until its audio has been sealed.",
        ) from error


def _digest(blocks: Iterator[Int16], media: MediaFormat) -> _Digest:
    """sha256 of each channel's samples, and how many frames there are."""
    hashes = [hashlib.sha256() for _ in media.channels]
    frames = 0
    for block in blocks:
        frames += len(block)
        for of_channel, channel in zip(hashes, block.T, strict=True):
            of_channel.update(channel.astype("<i2").tobytes())
    return _Digest(tuple(of_channel.hexdigest() for of_channel in hashes), frames)
