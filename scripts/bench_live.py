"""Calls at the pace of speech against a real server: finals, cards, steps, words, cost. `--help` for options.

Starts `copilot serve` with a data folder of its own and plays the calls of DIR (`<name>.flac` with `<name>.json`
beside it) over `/v1/stream` from this process, at real-time pace: the machine must be quiet. Every latency counts from
the true moment in the recording (the end of an utterance, its start, the end of the phrase that earned a card) to the
message arriving here. Recordings in NOISE go through `copilot replay` and must yield no words and no cards.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benching import whisperlive
from benching.fleet import FleetRun, Plan, run_fleet
from benching.report import emit, machine, people, show
from benching.scores import call_figures, load_figures, summary
from benching.server import FINALS_ONLY, ROOT, serving
from benching.tape import Tape, load_tapes

MANY = "10000"


def run_live(tapes: list[Tape], plan: Plan, settings: dict[str, str]) -> dict[str, Any]:
    """Figures of each whole call, of each language, and of the load as a whole."""
    with serving({"server.max_calls": MANY, **settings}) as server:
        people.print(f"{plan.lines} line(s), server {server.pid} at {server.address}")
        run = asyncio.run(run_fleet(server, tapes, plan))
    return figures_of(run)


def figures_of(run: FleetRun) -> dict[str, Any]:
    heard = [(call, call.messages()) for call in run.calls if call.call_id]
    calls: dict[str, Any] = {}
    by_language: dict[str, list[dict[str, Any]]] = {}
    for call, messages in heard:
        if not call.is_whole:
            continue
        figures = call_figures(call.tape.truth, messages)
        played = sum(name.partition("#")[0] == call.tape.name for name in calls)
        calls[f"{call.tape.name}#{played + 1}" if played else call.tape.name] = figures
        by_language.setdefault(call.tape.truth.lang, []).append(figures)
    return {
        "calls": calls,
        "summary": {language: summary(figures) for language, figures in by_language.items()},
        "load": load_figures(run, heard),
    }


def listen_to_noise(folder: Path) -> dict[str, list[str]]:
    """What each recording without speech was taken for."""
    found = {}
    for path in sorted(folder.glob("*.wav")):
        command = [sys.executable, "-m", "copilot", "replay", str(path), "--json", "--speed", "max"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode not in (0, 1):
            sys.exit(done.stderr)
        types = [json.loads(line)["type"] for line in done.stdout.splitlines()]
        found[path.name] = [name for name in types if name in ("transcript.final", "card.raised")]
    return found


def settings_in(options: argparse.Namespace) -> dict[str, str]:
    """What ``--set`` and ``--finals-only`` ask for."""
    given = dict(each.split("=", 1) for each in options.set)
    return {**FINALS_ONLY, **given} if options.finals_only else given


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those that all benchmarks over a server share."""
    parser.add_argument("--data", type=Path, required=True, help="folder with calls and their truth")
    parser.add_argument("--only", default="", help="calls whose name holds this")
    parser.add_argument("--frame-ms", type=int, choices=[20, 60], default=20, help="audio in one frame")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="a server setting")
    parser.add_argument("--finals-only", action="store_true", help="let the server ask for no interims")


def tapes_in(options: argparse.Namespace) -> list[Tape]:
    tapes = load_tapes(options.data, options.frame_ms, options.only)
    return tapes or sys.exit(f"bench: no calls in {options.data}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--calls", type=int, default=1, help="how many at once; more than there are: cycled")
    parser.add_argument(
        "--seconds", type=float, help="keep every line busy for so long; default: each call once, whole"
    )
    parser.add_argument("--spread", type=float, default=10.0, help="seconds over which the lines begin")
    parser.add_argument("--noise", type=Path, help="folder with recordings in which nobody speaks")
    parser.add_argument("--peer", choices=["whisperlive"], help="then the same calls, one by one, through this server")
    options = parser.parse_args()
    tapes = tapes_in(options)
    plan = Plan(lines=options.calls, seconds=options.seconds, spread_s=options.spread)
    report: dict[str, Any] = {"machine": machine(), **run_live(tapes, plan, settings_in(options)), "noise": {}}
    show("whole calls", report["summary"])
    show("load", {f"{options.calls} at once": report["load"]})
    if options.noise:
        report["noise"] = listen_to_noise(options.noise)
        people.print(f"{sum(map(bool, report['noise'].values()))} of {len(report['noise'])} noises yielded something")
    if options.peer:
        report["peer"] = whisperlive.compare(tapes, report)
        show("peer", report["peer"]["table"])
    emit(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
