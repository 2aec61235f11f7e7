"""The journal's file format, and reading it back.

A journal is a file header followed by records, all integers little-endian:

    header   magic 8 bytes ``CALLJRNL`` | version u32
    record   length u32 | kind u8 | crc32c u32 | body (``length`` bytes)

The checksum (CRC-32C, Castagnoli) covers length, kind and body, so that a record of zeros, which a file system may
leave behind after a power cut, is not valid. A reader accepts records up to the first one that is cut short or does
not match its checksum; everything before it is exactly what was appended, in order.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from crc32c import crc32c

from copilot.errors import StorageError

MAGIC = b"CALLJRNL"
VERSION = 1
MAX_BODY_BYTES = 16 * 1024 * 1024
"""No record is larger; a longer length field is damage, not data."""

_HEADER = struct.Struct("<8sI")
_PREFIX = struct.Struct("<IBI")
_CHECKED = struct.Struct("<IB")
HEADER_BYTES = _HEADER.size
PREFIX_BYTES = _PREFIX.size


class Record(NamedTuple):
    """One thing that was appended."""

    kind: int
    body: bytes


def file_header() -> bytes:
    """The bytes every journal starts with."""
    return _HEADER.pack(MAGIC, VERSION)


def prefix(kind: int, body: bytes) -> bytes:
    """What precedes ``body`` on disk; the body itself is not copied."""
    return _PREFIX.pack(len(body), kind, _checksum(kind, body))


def _checksum(kind: int, body: bytes) -> int:
    return crc32c(body, crc32c(_CHECKED.pack(len(body), kind)))


class JournalReader:
    """The valid prefix of a journal, read record by record. Iterating again starts from the beginning.

    ``valid_bytes`` and ``torn_bytes`` describe the file once an iteration has run to its end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.valid_bytes = 0
        self.torn_bytes = 0

    def __iter__(self) -> Iterator[Record]:
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(0)
                self.valid_bytes = self._read_header(file)
                self.torn_bytes = size - self.valid_bytes
                while self.valid_bytes and (record := _read_record(file, self.torn_bytes)):
                    self.valid_bytes += PREFIX_BYTES + len(record.body)
                    self.torn_bytes = size - self.valid_bytes
                    yield record
        except OSError as error:
            raise StorageError("storage.unreadable", f"cannot read {self.path}: {error.strerror}") from error

    def _read_header(self, file: BinaryIO) -> int:
        """Length of a whole file header, or 0 when the file ends inside it."""
        found = file.read(HEADER_BYTES)
        if found == file_header():
            return HEADER_BYTES
        if len(found) < HEADER_BYTES and file_header().startswith(found):
            return 0
        raise StorageError(
            "storage.journal_foreign",
            f"{self.path} is not a journal this version can read",
            hint="It was written by a newer version, or is damaged in its first bytes; restore it from a backup.",
        )


def read_journal(path: Path) -> JournalReader:
    """The records of the journal at ``path``, up to the first damaged one.

    Iterating raises StorageError ``storage.unreadable`` or ``storage.journal_foreign``.
    """
    return JournalReader(path)


def _read_record(file: BinaryIO, available: int) -> Record | None:
    """The next record, or None when the rest of the file (``available`` bytes) does not begin with a valid one."""
    if available < PREFIX_BYTES:
        return None
    length, kind, checksum = _PREFIX.unpack(file.read(PREFIX_BYTES))
    if length > min(available - PREFIX_BYTES, MAX_BODY_BYTES):
        return None
    body = file.read(length)
    return Record(kind, body) if len(body) == length and _checksum(kind, body) == checksum else None
