"""Hours in minutes: whether latency or memory grow while calls come and go. `--help` for options.

N lines make one call after another at real-time pace. Lag growth is the slope of each minute's p95 of finals; memory
growth is the slope of the server's resident memory; both from the end of the warm-up on.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from bench_live import MANY, add_options, settings_in, tapes_in
from benching import lags
from benching.fleet import FleetRun, Plan, run_fleet
from benching.lags import Message
from benching.phone import CallRun
from benching.report import emit, machine, people, show
from benching.scores import load_figures
from benching.server import serving
from benching.stats import quantile, slope

MINUTE_S, HOUR_S = 60.0, 3600.0
MIB_PER_HOUR = 1.0


def minutes(run: FleetRun, heard: Sequence[tuple[CallRun, list[Message]]]) -> list[dict[str, Any]]:
    """By minute of the run: finals that were due in it, and memory at its end."""
    due: dict[int, list[float]] = defaultdict(list)
    for call, messages in heard:
        for end, lag in lags.final_lags(call.tape.truth.until(call.sent_s), messages):
            due[int((call.began + end - run.began) / MINUTE_S)].append(lag)
    resident = {int((at - run.began) / MINUTE_S): mb for at, _, mb in run.usage.samples}
    return [
        {
            "minute": minute,
            "finals": len(due[minute]),
            "final_p50_s": quantile(due[minute], 0.5),
            "final_p95_s": quantile(due[minute], 0.95),
            "resident_mb": round(mb, 1),
        }
        for minute, mb in sorted(resident.items())
    ]


def growth(run: FleetRun, by_minute: Sequence[dict[str, Any]], warm_up_s: float) -> dict[str, Any]:
    """Slopes per hour after the warm-up; the minutes in which lines begin to stop are left out."""
    last = run.first_idle
    memory = [(at / HOUR_S, mb) for at, _, mb in run.usage.samples if run.began + warm_up_s <= at <= last]
    first, end = warm_up_s / MINUTE_S, (last - run.began) / MINUTE_S - 1
    kept = [row for row in by_minute if first <= row["minute"] <= end and row["final_p95_s"] is not None]
    return {
        "memory_mib_per_hour": _rounded(slope(memory), 2),
        "final_p95_s_per_hour": _rounded(slope([(row["minute"] / 60, row["final_p95_s"]) for row in kept]), 4),
        "final_p50_s_per_hour": _rounded(slope([(row["minute"] / 60, row["final_p50_s"]) for row in kept]), 4),
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--calls", type=int, required=True, help="how many at once: three quarters of the capacity")
    parser.add_argument("--warm-up", type=float, default=5.0, help="minutes that do not count")
    parser.add_argument("--spread", type=float, default=30.0, help="seconds over which the lines begin")
    options = parser.parse_args()
    tapes = tapes_in(options)
    plan = Plan(lines=options.calls, seconds=options.minutes * MINUTE_S, spread_s=options.spread)
    with serving({"server.max_calls": MANY, **settings_in(options)}) as server:
        run = asyncio.run(run_fleet(server, tapes, plan))
    heard = [(call, call.messages()) for call in run.calls if call.call_id]
    by_minute = minutes(run, heard)
    grown = growth(run, by_minute, options.warm_up * MINUTE_S)
    load = load_figures(run, heard)
    show("minute", {str(row["minute"]): row for row in by_minute[:: max(len(by_minute) // 8, 1)]})
    show("soak", {f"{options.calls} at once": {**load, **grown}})
    emit({"machine": machine(), "growth": grown, "load": load, "minutes": by_minute})
    is_well = grown["memory_mib_per_hour"] is not None and grown["memory_mib_per_hour"] < MIB_PER_HOUR
    people.print(f"memory: {grown['memory_mib_per_hour']} MiB per hour (wanted: below {MIB_PER_HOUR})")
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
