"""The data directory: what lies where, that only one process uses it, and how much room is left.

    <data>/lock                              held while a server runs
    <data>/copilot.db                        calls, events, reports (unless `store.database` names a server)
    <data>/calls/2026/01/31/<call_id>/       one call, by the UTC day it started
        journal.bin                          while it is live, and until it is sealed
        audio.flac, recording.bin.gz         once sealed
        report.json, report.html             once diagnosed
        track.bin                            what backtests need of the recording; may go at any time

Folders are readable by their owner only: recordings of calls are nobody else's business.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

import platformdirs

import copilot
from copilot.config import StoreSettings
from copilot.errors import LocalProtocolError, StorageError
from copilot.store.disk import sync_folder

LOCK_FILE = "lock"
AUDIO_FILE = "audio.flac"
RECORDING_FILE = "recording.bin.gz"
REPORT_JSON = "report.json"
REPORT_HTML = "report.html"
CALL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})T")


def data_root(settings: StoreSettings) -> Path:
    """Where sessions are kept: as configured, else ``data`` in a checkout, else the user's data directory."""
    if settings.data_dir:
        return Path(settings.data_dir).expanduser().absolute()
    checkout = Path(copilot.__file__).parents[1]
    if (checkout / "pyproject.toml").is_file():
        return checkout / "data"
    return platformdirs.user_data_path("call-copilot")


class DataFolder:
    """The data directory of a running server, locked until ``close``."""

    def __init__(self, root: Path, lock_fd: int, min_free_mb: int) -> None:
        self.root = root
        self._lock_fd = lock_fd
        self._min_free_mb = min_free_mb

    @classmethod
    def open(cls, settings: StoreSettings) -> DataFolder:
        """Create the directory if need be and lock it. StorageError ``storage.unwritable`` or ``storage.locked``."""
        root = data_root(settings)
        try:
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
            (root / "calls").mkdir(exist_ok=True, mode=0o700)
            lock_fd = os.open(root / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError(
                "storage.unwritable",
                f"cannot write to the data directory {root}: {error.strerror}",
                hint="Set `store.data_dir` (or COPILOT_DATA_DIR) to a directory this user may write to.",
            ) from error
        try:
            _lock(lock_fd, root)
        except BaseException:
            os.close(lock_fd)
            raise
        return cls(root, lock_fd, settings.min_free_mb)

    def close(self) -> None:
        """Let another process have it."""
        os.close(self._lock_fd)

    def relative_folder(self, call_id: str, started_at: str) -> str:
        """Where a call's files go, relative to ``root``; this is what the database remembers."""
        day = DAY.match(started_at)
        if not CALL_ID.fullmatch(call_id) or not day:
            raise LocalProtocolError("storage.call_id", "a call id is letters, digits, - and _; started_at is RFC 3339")
        return f"calls/{'/'.join(day.groups())}/{call_id}"

    def folder(self, relative: str) -> Path:
        """The folder of a call as the database remembers it."""
        path = (self.root / relative).resolve()
        if not path.is_relative_to((self.root / "calls").resolve()) or not relative:
            raise LocalProtocolError("storage.folder", "a call's folder lies under `calls`")
        return path

    def create_folder(self, call_id: str, started_at: str) -> Path:
        """The folder for a new call. StorageError ``storage.full`` when less than ``min_free_mb`` is left."""
        if self.free_mb() < self._min_free_mb:
            raise StorageError(
                "storage.full",
                f"only {self.free_mb()} MB are left in {self.root}; new calls need {self._min_free_mb}",
                hint="Free some space or delete old calls; `store.min_free_mb` sets the limit.",
            )
        path = self.folder(self.relative_folder(call_id, started_at))
        try:
            _make_durably(path, self.root)
        except OSError as error:
            raise StorageError("storage.unwritable", f"cannot create {path}: {error.strerror}") from error
        return path

    def delete_folder(self, relative: str) -> None:
        """Remove a call's files; nothing happens when they are gone already."""
        path = self.folder(relative)
        doomed = path.with_name(f".{path.name}.deleted")  # whoever still writes a file there finds no folder
        try:
            with suppress(FileNotFoundError):
                path.rename(doomed)
            shutil.rmtree(doomed)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError("storage.unwritable", f"cannot delete {path}: {error.strerror}") from error

    def free_mb(self) -> int:
        """Room left on the disk."""
        return shutil.disk_usage(self.root).free >> 20


def _lock(lock_fd: int, root: Path) -> None:
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = os.pread(lock_fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
        raise StorageError(
            "storage.locked",
            f"the data directory {root} is in use by process {owner}",
            hint="Stop that server, or give this one its own `store.data_dir`.",
        ) from error
    os.ftruncate(lock_fd, 0)
    os.pwrite(lock_fd, f"{os.getpid()}\n".encode(), 0)


def _make_durably(path: Path, root: Path) -> None:
    """``mkdir -p`` whose result survives a power cut: a new folder's name is part of its parent."""
    missing = [folder for folder in (path, *path.parents) if folder.is_relative_to(root) and not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(folder.parent)
