"""`copilot serve` in a process of its own, as an operator runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

START_S = 90
STOP_S = 30


def environment(**settings: str) -> dict[str, str]:
    """This process's environment, with no settings of our own but those given and where the models are."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("COPILOT_") or name == "COPILOT_MODELS_DIR"
    }
    return {**kept, **settings}


QUICK = {
    "COPILOT_STORE__MIN_FREE_MB": "0",
    "COPILOT_STORE__KEEP_TRACKS": "false",
    "COPILOT_SPEECH__SECOND_PASS": "off",
}
"""Reading everything twice, and what backtests need, is left to the tests that are about it."""
REVISING = {"COPILOT_SPEECH__SECOND_PASS": "on"}


class Server:
    """A node with the real models. It takes a free port once and keeps it over restarts."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.data = data
        self._environment = environment(COPILOT_DATA_DIR=str(data), **QUICK | settings)
        self._process: subprocess.Popen[str] | None = None
        self._listening = threading.Event()
        self.address = "127.0.0.1:0"
        self.log: list[str] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Returns when it listens."""
        self._listening.clear()
        port = self.address.rpartition(":")[2]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "copilot", "serve", "--port", port],
            env=self._environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()
        assert self._listening.wait(START_S), "".join(self.log)
        assert self._process.poll() is None, "".join(self.log)
        assert not self.address.endswith(":0"), "".join(self.log)

    def kill(self) -> None:
        """As a power cut would, except for the page cache."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait(STOP_S)

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(STOP_S)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr
        with process.stderr:
            for line in process.stderr:
                self.log.append(line)
                if "listening on" in line:
                    self.address = line.partition("http://")[2].split()[0]
                    self._listening.set()
        self._listening.set()  # it died: whoever waits looks at the log
