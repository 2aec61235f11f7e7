"""Measure an idle server: share of one core and resident memory with the models loaded. See `--help`.

Starts `copilot serve` on a free port with a data folder of its own, waits until it listens and has settled, then reads
how much processor time it used over a while.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading

from benching.server import cpu_s, resident_mb, serving

CORE_LIMIT_PERCENT = 3.0
RESIDENT_LIMIT_MB = 700


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
    with serving() as server:
        result = measure(server.pid, args.settle, args.seconds)
    if args.json:
        print(json.dumps(result))
    else:
        print(f"{result['core_percent']} % of one core (wanted: below {CORE_LIMIT_PERCENT:.0f} %)")
        print(f"{result['resident_mb']} MB resident (wanted: below {RESIDENT_LIMIT_MB} MB)")
    is_well = result["core_percent"] < CORE_LIMIT_PERCENT and result["resident_mb"] < RESIDENT_LIMIT_MB
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
