"""What the heads are worth, as Markdown."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from copilot.engines.embedder import Embedder
from copilot.engines.intents import Intents

from .corpus import TURNS_PER_HOUR, Line, accepted

BEGIN, END = "<!-- figures: scripts/train_intents -->", "<!-- end of figures -->"


@dataclass(frozen=True)
class Quiet:
    """Probabilities of talk without signals, which half each line is in, and those of all talk, signals included."""

    chances: Any
    halves: Any
    all_chances: Any


def section(head: Any, labels: Sequence[str], points: Any, quiet: Quiet | None, held_back: float, title: str) -> str:
    """Precision, recall and F1 per label with authors left out; false signals where there is background."""
    wanted, chances = head.wanted[head.judged], head.left_out[head.judged]
    fired = chances >= points
    rows = [f"\n### {title}, authors left out\n"]
    rows += [
        "| label | threshold | precision | recall | F1 | best F1 | false per hour |",
        "|---|---|---|---|---|---|---|",
    ]
    f1s, tops = [], []
    for k, label in enumerate(labels):
        precision, recall, f1 = _scores(fired[:, k], wanted[:, k])
        top = max(_scores(chances[:, k] >= at, wanted[:, k])[2] for at in np.arange(0.05, 0.95, 0.01))
        false = f"{(quiet.chances[:, k] >= points[k]).mean() * TURNS_PER_HOUR:.2f}" if quiet else ""
        rows.append(f"| {label} | {points[k]:.2f} | {precision:.2f} | {recall:.2f} | {f1:.2f} | {top:.2f} | {false} |")
        f1s.append(f1)
        tops.append(top)
    rows.append(f"| mean | | | | {np.mean(f1s):.3f} | {np.mean(tops):.3f} | |")
    if quiet:
        own = (quiet.chances >= points).any(axis=1).mean() * TURNS_PER_HOUR
        everything = (quiet.all_chances >= points).any(axis=1).mean() * TURNS_PER_HOUR
        rows.append(
            f"\nFalse signals an hour of unrelated customer talk ({len(quiet.chances)} utterances): {held_back:.1f} on "
            f"the half the thresholds were not chosen on, {own:.1f} with the shipped thresholds; {everything:.1f} when "
            "turns that by their annotation refuse, ask about or agree to an offer count as well."
        )
    return "\n".join(rows)


def unseen(lines: Sequence[Line], fired: Any, labels: Sequence[str], source: str) -> str:
    """The same on lines of authors who did not know the corpus."""
    rows = [f"\n| unseen lines: {source} | right | false | missed | F1 |", "|---|---|---|---|---|"]
    total = np.zeros(3, int)
    for name in sorted({name for line in lines for name in line.labels}):
        columns = [labels.index(label) for label in accepted(name)]
        found = fired[:, columns].any(axis=1)
        want = np.array([name in line.labels for line in lines])
        counts = np.array([(found & want).sum(), (found & ~want).sum(), (~found & want).sum()])
        total += counts
        rows.append(f"| {name} | {counts[0]} | {counts[1]} | {counts[2]} | {_f1(*counts):.2f} |")
    rows.append(f"| all | {total[0]} | {total[1]} | {total[2]} | {_f1(*total):.3f} |")
    return "\n".join(rows)


def doubts(head: Any, labels: Sequence[str]) -> list[str]:
    """Lines whose label a head of other authors finds hardest to believe."""
    rows = []
    for k, label in enumerate(labels):
        for row in np.argsort(-np.abs(head.wanted[:, k] - head.left_out[:, k]))[:25]:
            line = head.texts.lines[row]
            side = "missed" if head.wanted[row, k] else "false"
            rows.append(f"{side}\t{label}\t{head.left_out[row, k]:.2f}\t{line.author}\t{line.text}")
    return rows


def cost(intents: Intents, encoder: Embedder, corpus: Sequence[Line], folder: Path) -> str:
    """Size on disk and CPU time of one utterance on one thread, vector and runs included."""
    times = []
    for line in corpus[:: max(1, len(corpus) // 600)]:
        start = time.thread_time()
        intents.score([line.text], encoder.encode([line.text]), line.language, line.speaker)  # type: ignore[arg-type]
        times.append((time.thread_time() - start) * 1000)
    megabytes = (folder / "intents.onnx").stat().st_size / 1e6
    return (
        f"\n`intents.onnx` has {megabytes:.1f} MB. CPU time of one utterance on one thread, with its sentence vector: "
        f"p50 {np.percentile(times, 50):.1f} ms, p99 {np.percentile(times, 99):.1f} ms."
    )


def write(path: Path, report: Sequence[str]) -> None:
    """Put the report between the marks of the model card."""
    before, rest = path.read_text(encoding="utf-8").split(BEGIN)
    path.write_text(f"{before}{BEGIN}\n" + "\n".join(report) + f"\n\n{END}" + rest.split(END)[1], encoding="utf-8")


def _scores(fired: Any, want: Any) -> tuple[float, float, float]:
    right = float((fired * want).sum())
    precision = right / max(1.0, float(fired.sum()))
    recall = right / max(1.0, float(want.sum()))
    return precision, recall, 2 * right / max(1.0, float(fired.sum() + want.sum()))


def _f1(right: int, false: int, missed: int) -> float:
    return float(2 * right / max(1, 2 * right + false + missed))
