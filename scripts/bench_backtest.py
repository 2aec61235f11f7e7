"""Measure a backtest: stored calls thought through with a changed playbook, the first time and again.

The calls are what was truly said in the calls of DIR, told until they are long enough: the log of a live call of 20 ms
packets, speech windows, interims and finals. `cold` reads the log as a server of another version left it, `sealed` what
this version leaves beside it when a call ends, which is also what every later backtest finds.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from benching.report import emit, machine, people, show
from benching.stored import store
from benching.truth import load_truth

from copilot.backtest.runs import Bench, run_all
from copilot.backtest.track import TRACK_FILE
from copilot.config import Settings, load_settings
from copilot.playbook.load import find_playbook
from copilot.playbook.model import Phrase, Playbook, SignalRule, Trigger

FILE = "recording.bin.gz"


def changed(playbook: Playbook) -> Playbook:
    """As an author would between two backtests: another budget, other limits, a new rule, a cue less."""
    rule = SignalRule(id="bench.new", title="New", when=Trigger(phrase=Phrase(any=("guarantee", "warranty", "保证"))))
    cues = tuple(msgspec.structs.replace(cue, cooldown_s=cue.cooldown_s + 5) for cue in playbook.cues[:-1])
    attention = msgspec.structs.replace(playbook.attention, min_gap_s=5.0)
    return msgspec.structs.replace(
        playbook, version="0.0.0", attention=attention, signals=(*playbook.signals, rule), cues=cues
    )


def make(folder: Path, data: Path, calls: int, seconds: float, settings: Settings) -> dict[str, list[Path]]:
    """Recordings by language: one live call for each truth, copied until there are enough."""
    bench = Bench.open(settings)
    truths = [load_truth(path) for path in sorted(data.glob("*.json"))]
    made: dict[str, list[Path]] = {}
    for number in range(calls):
        truth = truths[number % len(truths)]
        path = folder / f"call_{number:04}" / FILE
        if number < len(truths):
            book = find_playbook(language=truth.lang)  # type: ignore[arg-type]
            events = store(path, truth, seconds, book, bench.setup(book), bench.encode)
            people.print(f"{truth.lang} {path.parent.name}: {events} events, {path.stat().st_size >> 10} KiB")
        else:
            path.parent.mkdir()
            shutil.copy(folder / f"call_{number % len(truths):04}" / FILE, path)
        made.setdefault(truth.lang, []).append(path)
    return made


def backtest(made: dict[str, list[Path]], settings: Settings, workers: int) -> dict[str, Any]:
    """Every call with the changed pack of its language: seconds, and what came of it."""
    began, cards, broken = time.monotonic(), 0, 0
    for language, paths in made.items():
        book = changed(find_playbook(language=language))  # type: ignore[arg-type]
        for (run,) in run_all(paths, [book], settings, model=True, workers=workers):
            cards += len(run.cards)
            broken += bool(run.error)
    return {"seconds": round(time.monotonic() - began, 1), "cards": cards, "errors": broken}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the truth of calls")
    parser.add_argument("--calls", type=int, default=200, help="stored calls (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=5.0, help="length of each (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: %(default)s)")
    options = parser.parse_args(arguments)
    settings = load_settings(None)
    with tempfile.TemporaryDirectory() as name:
        made = make(Path(name), options.data, options.calls, options.minutes * 60, settings)
        cold = backtest(made, settings, options.workers)
        kept = sum(path.with_name(TRACK_FILE).exists() for paths in made.values() for path in paths)
        sealed = backtest(made, settings, options.workers)
    report = {"cold": cold, "sealed": sealed}
    show(f"{options.calls} calls of {options.minutes:g} minutes", report)
    emit({"machine": machine(), "calls": options.calls, "minutes": options.minutes, "tracks": kept, **report})


if __name__ == "__main__":
    main()
