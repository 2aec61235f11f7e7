"""Measure an idle server: share of one core and resident memory with the models loaded. See `--help`.

Starts `copilot serve` on a free port with a data directory of its own, waits until it listens and has settled, then
reads how much processor time it used over a while.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
CORE_LIMIT_PERCENT = 3.0
RESIDENT_LIMIT_MB = 700


def cpu_s(pid: int) -> float:
    """User and system time of a process, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES / 2**20


def start(data: str) -> subprocess.Popen[str]:
    """Returns when the server listens."""
    server = subprocess.Popen(
        [sys.executable, "-m", "copilot", "serve", "--port", "0"],
        env={**os.environ, "COPILOT_DATA_DIR": data},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr  # noqa: S101  # for the type checker
    for line in server.stderr:
        if "listening on" in line:
            return server
    sys.exit("the server did not start")


def measure(pid: int, settle_s: float, measure_s: float) -> dict[str, float]:
    pause = threading.Event()
    pause.wait(settle_s)
    before = cpu_s(pid)
    pause.wait(measure_s)
    used = cpu_s(pid) - before
    return {"core_percent": round(100 * used / measure_s, 2), "resident_mb": round(resident_mb(pid), 1)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long to measure")
    parser.add_argument("--settle", type=float, default=5.0, help="how long to wait before")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="copilot-idle-") as data:
        server = start(data)
        try:
            result = measure(server.pid, args.settle, args.seconds)
        finally:
            server.kill()
            server.wait()
    if args.json:
        print(json.dumps(result))
    else:
        print(f"{result['core_percent']} % of one core (wanted: below {CORE_LIMIT_PERCENT:.0f} %)")
        print(f"{result['resident_mb']} MB resident (wanted: below {RESIDENT_LIMIT_MB} MB)")
    is_well = result["core_percent"] < CORE_LIMIT_PERCENT and result["resident_mb"] < RESIDENT_LIMIT_MB
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
