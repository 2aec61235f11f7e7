"""Files that must survive: append, sync, replace."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from copilot.errors import StorageError

FULL = (errno.ENOSPC, errno.EDQUOT)

_sync = getattr(os, "fdatasync", os.fsync)  # macOS has only fsync


def disk_error(error: OSError) -> StorageError:
    """What the operating system refused, with what to do about it."""
    if error.errno in FULL:
        return StorageError("storage.full", "the disk with the calls is full", hint="Free some space; writing goes on.")
    return StorageError(
        "storage.write_failed",
        f"cannot write a call's files: {error.strerror}",
        hint="What was confirmed as persisted is on disk. Check the disk (`dmesg`) before taking more calls.",
    )


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file under another name; it becomes ``path``, durably, when the block ends without an error."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable: a new or renamed file is only there for good after this."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class AppendFile:
    """A file that only grows at its end. All methods raise OSError."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(self, buffers: Sequence[bytes | memoryview]) -> int:
        """Append as much as the disk takes; returns how many bytes that was."""
        return os.writev(self._fd, buffers)

    def sync(self) -> None:
        """Return when everything written would survive a power cut."""
        _sync(self._fd)

    def truncate(self, size: int) -> None:
        """Cut the file down to ``size`` bytes."""
        os.ftruncate(self._fd, size)

    def close(self) -> None:
        os.close(self._fd)
