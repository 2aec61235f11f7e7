"""`copilot serve` in a process of its own with a data folder of its own, and what that process costs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
STOP_S = 30
KEPT_LINES = 50
FINALS_ONLY = {"speech.first_interim_ms": "3600000", "speech.interim_interval_ms": "3600000"}
"""Settings under which no interim is ever asked for."""


def cpu_s(pid: int) -> float:
    """User and system time of a process, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def resident_mb(pid: int) -> float:
    """MiB in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES / 2**20


def variables(settings: Mapping[str, str]) -> dict[str, str]:
    """``server.max_calls`` -> ``COPILOT_SERVER__MAX_CALLS``."""
    return {f"COPILOT_{name.upper().replace('.', '__')}": value for name, value in settings.items()}


class Running:
    """A server that listens. ``address`` is host:port."""

    def __init__(self, process: subprocess.Popen[str], address: str, log: deque[str]) -> None:
        self.pid = process.pid
        self.address = address
        self.log = log
        self._process = process

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None


@contextmanager
def serving(settings: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Start a server on a free loopback port; it ends, and its data goes, with the block."""
    with tempfile.TemporaryDirectory(prefix="copilot-bench-") as data:
        process = subprocess.Popen(
            [sys.executable, "-m", "copilot", "serve", "--port", "0"],
            env={**os.environ, **variables(settings or {}), "COPILOT_DATA_DIR": data},
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        try:
            log: deque[str] = deque(maxlen=KEPT_LINES)
            address = _listening(process, log)
            yield Running(process, address, log)
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _listening(process: subprocess.Popen[str], log: deque[str]) -> str:
    """Read until it says where it listens; go on reading on a thread, or its pipe would fill."""
    lines = iter(process.stderr or ())
    for line in lines:
        log.append(line)
        if "listening on" in line:
            threading.Thread(target=log.extend, args=(lines,), daemon=True).start()
            return line.partition("http://")[2].split()[0]
    sys.exit("the server did not start:\n" + "".join(log))
