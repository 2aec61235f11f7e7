"""The journal: everything a live call received, on disk before anybody is told that it is safe.

One append-only file per call (format: ``records``), one writer thread for all calls. ``append`` only queues; the
thread gathers what has come in, writes it with one ``writev`` per call, and every ``sync_interval_ms`` makes it
durable with ``fdatasync``. Only then does ``persisted`` advance and ``on_persisted`` run.

What happens when the disk is full: nothing queued is lost, ``on_failed`` says ``storage.full`` once, and writing is
tried again every interval until there is room or the queue has reached its bound, when ``append`` raises
``storage.backlog``. Any other error is final for that call (a failed ``fdatasync`` may have dropped pages for good,
so it is never repeated): what is on disk stays, ``append`` raises. Other calls go on.
"""

from __future__ import annotations

import errno
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import structlog

from copilot.clock import Clock, SystemClock
from copilot.config import StoreSettings
from copilot.errors import LocalProtocolError, StorageError
from copilot.store.disk import FULL, AppendFile, disk_error, sync_folder
from copilot.store.records import (
    HEADER_BYTES,
    MAX_BODY_BYTES,
    PREFIX_BYTES,
    JournalReader,
    Record,
    file_header,
    prefix,
    read_journal,
)

__all__ = ["Journal", "JournalHandle", "JournalReader", "Record", "read_journal"]

JOURNAL_FILE = "journal.bin"
TORN_FILE = "journal.torn"
GATHER_S = 0.02
"""How long the writer lets records gather before it writes: bounds both its wake-ups and what kill -9 can take."""
BATCH_RECORDS = 512
"""Records in one ``writev`` (two buffers each; the kernel takes at most 1024)."""

Persisted = Callable[[str, int], None]
Failed = Callable[[str, StorageError], None]

_log = structlog.get_logger()


class _Item(NamedTuple):
    kind: int
    body: bytes
    offset_after: int | None


class JournalHandle:
    """One call's journal. ``append`` belongs to one thread, the rest of the work to the writer's."""

    def __init__(self, call_id: str, file: AppendFile, end: int, journal: Journal, persisted: int) -> None:
        self.call_id = call_id
        self._file = file
        self._end = end  # bytes of whole records on disk
        self._journal = journal
        self._persisted = persisted
        self._written_offset = persisted
        self._queue: deque[_Item] = deque()
        self._unwritten: list[_Item] = []  # taken from the queue by the writer, not on disk yet
        # Bytes in and out, each counted by one thread only, so that their difference needs no lock.
        self._bytes_appended = 0
        self._bytes_written = 0
        self._dirty = False
        self._error: StorageError | None = None
        self._broken = False
        self.closing = False
        self.done = threading.Event()

    @property
    def persisted(self) -> int:
        """The highest ``offset_after`` that is safe on disk."""
        return self._persisted

    @property
    def error(self) -> StorageError | None:
        """What is wrong with the disk at the moment, if anything."""
        return self._error

    @property
    def backlog_bytes(self) -> int:
        """How much waits for the disk."""
        return self._bytes_appended - self._bytes_written

    @property
    def is_waiting(self) -> bool:
        """Does anything still have to be written or synced?"""
        return self._dirty or self.backlog_bytes > 0

    def append(self, kind: int, body: bytes, *, offset_after: int | None = None) -> None:
        """Queue one record; never waits for the disk. ``body`` is kept by reference, not copied.

        ``offset_after`` is what ``persisted`` becomes once this record is durable. Raises StorageError
        ``storage.backlog`` (nothing was taken; try again later) or the error that broke this journal.
        """
        if self.closing:
            raise LocalProtocolError("journal.closed", f"journal of {self.call_id} is closed")
        if self._broken and self._error:
            raise self._error
        size = PREFIX_BYTES + len(body)
        if len(body) > MAX_BODY_BYTES:
            raise LocalProtocolError("journal.record_too_large", f"{len(body)} bytes in one record")
        if self.backlog_bytes + size > self._journal.backlog_limit_bytes:
            raise StorageError(
                "storage.backlog",
                "the disk does not keep up with this call",
                hint="Free some space or find out what else is writing; the client keeps the audio and sends it again.",
            )
        self._queue.append(_Item(kind, body, offset_after))
        self._bytes_appended += size
        self._journal.wake()

    def close(self) -> None:
        """Write and sync what is queued, then close the file. Waits; safe to call twice.

        Raises StorageError when something appended did not reach the disk.
        """
        self.closing = True
        self._journal.wake(hurry=True)
        self.done.wait()
        if self._error:
            raise self._error

    # --- on the writer thread ---------------------------------------------------------------------------------

    def write(self) -> None:
        """Move the queue into the file."""
        # Only what is there now: a caller faster than the disk must not keep this thread from syncing.
        left = len(self._queue)
        while left or self._unwritten:
            take = min(left, BATCH_RECORDS - len(self._unwritten))
            self._unwritten += (self._queue.popleft() for _ in range(take))
            left -= take
            try:
                self._end += self._write_batch()
            except OSError as error:
                self._fail(error)
                return
            self._dirty, self._error = True, None
            for item in self._unwritten:
                self._bytes_written += PREFIX_BYTES + len(item.body)
                if item.offset_after is not None:
                    self._written_offset = item.offset_after
            self._unwritten.clear()

    def _write_batch(self) -> int:
        buffers: list[bytes | memoryview] = []
        for item in self._unwritten:
            buffers += (prefix(item.kind, item.body), item.body)
        size = sum(map(len, buffers))
        left = size
        while left:
            count = self._file.write(buffers)
            left -= count
            while buffers and count >= len(buffers[0]):
                count -= len(buffers.pop(0))
            if count:
                buffers[0] = memoryview(buffers[0])[count:]
        return size

    def sync(self) -> None:
        """Make durable what has been written, and say so."""
        if self._broken or not self._dirty:
            return
        try:
            self._file.sync()
        except OSError as error:
            self._break(disk_error(error))
            return
        self._dirty = False
        if self._written_offset != self._persisted:
            self._persisted = self._written_offset
            self._journal.tell_persisted(self)

    def release(self) -> None:
        """Close the file; whoever waits in ``close`` goes on."""
        if self.backlog_bytes and not self._error:
            self._error = StorageError("storage.write_failed", f"the journal of {self.call_id} was abandoned")
        try:
            self._file.close()
        except OSError as error:
            self._error = self._error or disk_error(error)
        self.done.set()

    def _fail(self, error: OSError) -> None:
        if error.errno not in FULL:
            self._break(disk_error(error))
            return
        is_news = self._error is None
        self._error = disk_error(error)
        try:
            self._file.truncate(self._end)  # the part of a batch that did fit
        except OSError as worse:
            self._break(disk_error(worse))
            return
        if is_news:
            self._journal.tell_failed(self, self._error)

    def _break(self, error: StorageError) -> None:
        self._broken, self._error = True, error
        self._queue.clear()
        self._unwritten.clear()
        self._dirty = False
        self._bytes_written = self._bytes_appended
        self._journal.tell_failed(self, error)


class Journal:
    """The writer thread and its open journals. Callbacks run on that thread and must return quickly."""

    def __init__(
        self,
        settings: StoreSettings,
        *,
        on_persisted: Persisted | None = None,
        on_failed: Failed | None = None,
        clock: Clock | None = None,
        opener: Callable[[Path], AppendFile] = AppendFile,
    ) -> None:
        self.backlog_limit_bytes = settings.journal_backlog_kb * 1024
        self._interval_s = settings.sync_interval_ms / 1000
        self._on_persisted = on_persisted
        self._on_failed = on_failed
        self._clock = clock or SystemClock()
        self._opener = opener
        self._handles: dict[str, JournalHandle] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._sync_at = 0.0
        self._stopping = False
        self._thread: threading.Thread | None = None

    def open(self, call_id: str, folder: Path, *, persisted: int = 0) -> JournalHandle:
        """Start the journal of a call, or go on with the one in ``folder`` behind its last valid record.

        Reads and syncs an existing journal, so it may take a while. A torn tail is moved to ``journal.torn``.
        ``persisted`` is where the recovered audio ends. Raises StorageError.
        """
        path = folder / JOURNAL_FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            end = _mend(path)
            file = self._opener(path)
        except OSError as error:
            raise disk_error(error) from error
        try:
            if not end:
                end = _begin(file)
            file.sync()
            sync_folder(folder)
        except OSError as error:
            file.close()
            raise disk_error(error) from error
        handle = JournalHandle(call_id, file, end, self, persisted)
        with self._lock:
            if call_id in self._handles or self._stopping:
                file.close()
                raise LocalProtocolError("journal.open", f"journal of {call_id} is already open, or all are closed")
            self._handles[call_id] = handle
            self._start()
        return handle

    def close(self) -> None:
        """Flush, sync and close every journal, then stop the thread. What could not be written was reported."""
        with self._lock:
            handles = list(self._handles.values())
            thread, self._stopping = self._thread, True
        for handle in handles:
            handle.closing = True
        self.wake(hurry=True)
        if thread:
            thread.join()

    def wake(self, *, hurry: bool = False) -> None:
        """There is something to write; ``hurry`` skips the gathering."""
        if hurry:
            self._hurry.set()
        if not self._wake.is_set():
            self._wake.set()

    def tell_persisted(self, handle: JournalHandle) -> None:
        """Run ``on_persisted``; a callback's bug must not stop the recording of all calls."""
        if self._on_persisted:
            try:
                self._on_persisted(handle.call_id, handle.persisted)
            except Exception:  # noqa: BLE001  # logged; the writer thread outlives it
                _log.exception("journal.callback_failed", call_id=handle.call_id)

    def tell_failed(self, handle: JournalHandle, error: StorageError) -> None:
        """Run ``on_failed``, or at least say it in the log."""
        _log.error("journal.failed", call_id=handle.call_id, code=error.code)
        if self._on_failed:
            try:
                self._on_failed(handle.call_id, error)
            except Exception:  # noqa: BLE001  # logged; the writer thread outlives it
                _log.exception("journal.callback_failed", call_id=handle.call_id)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            while self._handles or not self._stopping:
                self._wake.wait(self._seconds_to_sync())
                self._hurry.wait(GATHER_S)
                self._wake.clear()
                self._hurry.clear()
                self._round()
        finally:
            for handle in self._snapshot():
                handle.release()

    def _round(self) -> None:
        now = self._clock.now()
        is_due = now >= self._sync_at
        for handle in self._snapshot():
            is_last = handle.closing  # read once: a record appended before it was set is in the queue by now
            handle.write()
            if is_due or is_last:
                handle.sync()
            if is_last:
                with self._lock:
                    del self._handles[handle.call_id]
                handle.release()
        if is_due:
            self._sync_at = now + self._interval_s

    def _seconds_to_sync(self) -> float | None:
        if any(handle.is_waiting for handle in self._snapshot()):
            return max(0.0, self._sync_at - self._clock.now())
        return None

    def _snapshot(self) -> list[JournalHandle]:
        with self._lock:
            return list(self._handles.values())


def _begin(file: AppendFile) -> int:
    if file.write([file_header()]) < HEADER_BYTES:
        file.truncate(0)
        raise OSError(errno.ENOSPC, "no room for the file header")
    return HEADER_BYTES


def _mend(path: Path) -> int:
    """Cut a torn tail off an existing journal, keeping the bytes beside it; returns the length of what is valid."""
    if not path.exists():
        return 0
    reader = read_journal(path)
    deque(reader, maxlen=0)
    if reader.torn_bytes:
        with path.open("rb+") as file, path.with_name(TORN_FILE).open("ab") as torn:
            file.seek(reader.valid_bytes)
            while chunk := file.read(1 << 20):
                torn.write(chunk)
            file.truncate(reader.valid_bytes)
    return reader.valid_bytes
