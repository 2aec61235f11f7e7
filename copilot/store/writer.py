"""One thread that owns all writing to the database: group commit, and nothing on the event loop.

Work gathers for up to ``gather_s``, then one transaction takes all of it. When that fails, the transaction is undone
and each piece gets its own, so that a bad piece spoils nothing but itself.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

from copilot.errors import LocalProtocolError, StorageError


class Piece(Protocol):
    """Something to write."""

    def fail(self, error: Exception) -> None:
        """It was not written, for good."""
        ...


class Request:
    """A piece of work somebody waits for."""

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self.work = work
        self.future: Future[Any] = Future()

    def fail(self, error: Exception) -> None:
        self.future.set_exception(error)


class Writer:
    """Hands gathered pieces, in the order they came, to ``commit`` on its own thread.

    ``commit`` does not raise; it returns the pieces to try again later (the database is away), which keep their place.
    """

    def __init__(self, commit: Callable[[list[Piece]], list[Piece]], *, gather_s: float, retry_s: float = 1.0) -> None:
        self._commit = commit
        self._gather_s = gather_s
        self._retry_s = retry_s
        self._queue: deque[Piece] = deque()
        self._kept: list[Piece] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="database", daemon=True)

    @property
    def backlog(self) -> int:
        """How many pieces wait."""
        return len(self._queue) + len(self._kept)

    def start(self) -> None:
        self._thread.start()

    def put(self, piece: Piece, *, hurry: bool = False) -> None:
        """Queue a piece; never waits. ``hurry`` skips the gathering."""
        with self._lock:
            if self._stopping:
                raise LocalProtocolError("store.closed", "the store is closed")
            self._queue.append(piece)
        if hurry:
            self._hurry.set()
        if not self._wake.is_set():
            self._wake.set()

    def stop(self) -> None:
        """Commit what is queued, once, then end the thread."""
        with self._lock:
            self._stopping = True
        self._hurry.set()
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        is_last = False
        while not is_last:
            self._wake.wait(self._retry_s if self._kept else None)
            self._hurry.wait(self._gather_s)
            self._wake.clear()
            self._hurry.clear()
            is_last = self._stopping
            pieces = self._kept + [self._queue.popleft() for _ in range(len(self._queue))]
            self._kept = self._commit(pieces) if pieces else []
        for piece in self._kept:
            piece.fail(StorageError("storage.unavailable", "the store was closed before the database came back"))
