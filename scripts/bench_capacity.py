"""How many calls at once: the most at which finals come in time and nothing is lost. `--help` for options.

Each step starts a fresh server and keeps N lines busy at real-time pace for a while; N doubles until a step fails, then
is bisected. Latency counts while all lines are busy. `--offer 2` then offers twice as many calls to a server that
decides for itself whom it takes, and says what that did to the calls it took. The machine must be quiet.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench_live import MANY, add_options, settings_in, tapes_in
from benching.fleet import Plan, run_fleet
from benching.report import emit, machine, people, show
from benching.scores import load_figures, verdict
from benching.server import serving
from benching.stats import Search
from benching.svg import chart
from benching.tape import Tape

PLOT = Path(__file__).resolve().parents[1] / "docs" / "images" / "latency-by-calls.svg"
SHOWN = ("busy_final_p50_s", "busy_final_p95_s", "first_text_p50_s", "card_p95_s", "cpu_s_per_audio_s", "cores_used",
         "resident_mb", "loop_lag_p99_s", "client_cores_used", "client_late_p99_ms", "calls", "verdict")  # fmt: skip


def run_step(
    tapes: Sequence[Tape], lines: int, seconds: float, settings: Mapping[str, str], spread_s: float
) -> dict[str, Any]:
    """Figures of one load on a fresh server."""
    plan = Plan(lines=lines, seconds=seconds + spread_s, spread_s=spread_s)
    with serving({"server.max_calls": MANY, **settings}) as server:
        run = asyncio.run(run_fleet(server, tapes, plan))
    heard = [(call, call.messages()) for call in run.calls if call.call_id]
    return load_figures(run, heard)


def reference(tapes: Sequence[Tape], settings: Mapping[str, str]) -> dict[str, set[int]]:
    """What one call at a time does not hear of these recordings."""
    known: dict[str, set[int]] = {tape.name: set() for tape in tapes}
    with serving(settings) as server:
        run = asyncio.run(run_fleet(server, tapes, Plan(lines=1, spread_s=0.0)))
    heard = [(call, call.messages()) for call in run.calls if call.call_id]
    for name, index in load_figures(run, heard)["unheard"]:
        known[name].add(index)
    return known


def offered(
    tapes: Sequence[Tape], lines: int, base: Mapping[str, Any] | None, options: argparse.Namespace
) -> dict[str, Any]:
    """Twice too many: the calls that were taken against those at capacity, and how the others were refused."""
    settings = {**settings_in(options), "server.max_calls": str(options.max_calls or 0)}
    figures = run_step(tapes, lines, options.seconds, settings, options.offer_spread)
    before = base["busy_final_p95_s"] if base else None
    after = figures["busy_final_p95_s"]
    return {**figures, "offered": lines, "p95_against_capacity": round(after / before, 3) if before and after else None}


def plot(steps: Mapping[int, Mapping[str, Any]], bound_s: float) -> None:
    lines = {
        name: [(float(number), figures[key]) for number, figures in steps.items() if figures[key] is not None]
        for name, key in (("final, median", "busy_final_p50_s"), ("final, 95 %", "busy_final_p95_s"))
    }
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    title = "Final text after the end of the utterance"
    PLOT.write_text(chart(title, "two-channel calls at once", "seconds", lines, bound_s), encoding="utf-8")
    people.print(f"drew {PLOT}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--bound", type=float, default=1.5, help="seconds within which 95 %% of finals must come")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each step, all lines busy")
    parser.add_argument("--spread", type=float, default=10.0, help="seconds over which the lines begin")
    parser.add_argument("--start", type=int, default=4, help="calls of the first step")
    parser.add_argument("--limit", type=int, default=256, help="try no more than this")
    parser.add_argument("--resolution", type=int, default=1, help="stop when the answer is known this closely")
    parser.add_argument(
        "--no-reference", action="store_true", help="spare the one-call run that tells what is never heard"
    )
    parser.add_argument("--offer", type=_factor, metavar="FACTOR", help="then offer so many times the capacity: 2, 2x")
    parser.add_argument("--offer-spread", type=float, default=30.0, help="seconds over which the offered calls begin")
    parser.add_argument("--max-calls", type=int, help="server.max_calls while offering; default: as measured")
    parser.add_argument("--plot", action="store_true", help=f"draw {PLOT.name}")
    options = parser.parse_args()
    tapes, settings = tapes_in(options), settings_in(options)
    known = {} if options.no_reference else reference(tapes, settings)
    search = Search(options.start, options.limit, options.resolution)
    steps: dict[int, dict[str, Any]] = {}
    while (lines := search.upcoming()) is not None:
        figures = run_step(tapes, lines, options.seconds, settings, options.spread)
        figures["verdict"] = verdict(figures, options.bound, known) or "ok"
        steps[lines] = figures
        search.tell(lines, is_good=figures["verdict"] == "ok")
        show("calls at once", {str(number): steps[number] for number in sorted(steps)}, SHOWN)
    report: dict[str, Any] = {"machine": machine(), "bound_s": options.bound, "capacity": search.passed, "steps": steps}
    if options.offer and search.passed:
        number = round(options.offer * search.passed)
        report["offer"] = offered(tapes, number, steps.get(search.passed), options)
        show("offered", {str(number): {**report["offer"], **report["offer"]["refusals"]}})
    if options.plot:
        plot(dict(sorted(steps.items())), options.bound)
    emit(report)
    return 0 if search.passed else 1


def _factor(text: str) -> float:
    return float(text.rstrip("x"))


if __name__ == "__main__":
    sys.exit(main())
