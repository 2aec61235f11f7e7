"""The tracks of sealed calls, made ahead of the first backtest: a process of its own that is told which recordings.

It reads lines of JSON on stdin, first the settings, then the path of one recording after the other, and answers each
path with a line on stdout: an error code, or nothing between the quotes. It ends when stdin does.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from copilot.backtest.runs import Bench
from copilot.config import Settings
from copilot.engines.suite import load_encoder
from copilot.errors import CopilotError
from copilot.logs import configure_logs

PROGRAM = "import os; os.nice(19); from copilot.backtest.keeping import main; main()"
"""What such a process runs: it gives way to live calls before it so much as imports anything."""


def main() -> None:
    """Serve until stdin ends. Raises ModelError: without the encoder a track would lack what calls wanted to know."""
    configure_logs("error")
    settings = msgspec.json.decode(sys.stdin.buffer.readline(), type=Settings)
    bench = Bench(load_encoder(settings))
    for line in sys.stdin.buffer:
        code = keep(bench, Path(msgspec.json.decode(line, type=str)))
        sys.stdout.buffer.write(msgspec.json.encode(code) + b"\n")
        sys.stdout.buffer.flush()


def keep(bench: Bench, recording: Path) -> str:
    """Keep the track of one recording; the code of what went wrong, else empty."""
    try:
        bench.keep(recording)
    except CopilotError as error:
        return error.code if recording.exists() else ""  # a call deleted meanwhile needs none
    return ""
