"""Train the shipped intents: the corpus in, ``models/intents/intents.{onnx,json}`` out, figures into ``MODEL.md``.

Heads are judged by leaving authors out: every line is scored by a head that never saw its author. Thresholds need
talk in which nothing is to be found (``--background``); without it those of the present ``intents.json`` stay, so the
files can be made again, byte for byte, from the repository alone.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import msgspec
import numpy as np
import onnx
from scipy.special import expit

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from training import figures, fitting, graph  # noqa: E402
from training.corpus import CURATED, LABELS, TURNS_PER_HOUR, Line, read_background, read_corpus, read_lines  # noqa: E402

from copilot.config import load_settings  # noqa: E402
from copilot.engines.embedder import Embedder  # noqa: E402
from copilot.engines.intents import Card, Head, Intents  # noqa: E402
from copilot.engines.manifest import locate  # noqa: E402

FOLDER = ROOT / "models" / "intents"
VERSION = "1"
BUDGET = {"en": 3.0, "zh": 5.0}
"""False signals an hour of unrelated customer talk, all labels together."""
HEADS = (("en", "customer"), ("en", "rep"), ("zh", "customer"), ("zh", "rep"))


@dataclass
class Trained:
    """One head with all that is known of it. ``left_out`` are probabilities of the lines no figure may miss."""

    linear: fitting.Linear
    texts: fitting.Texts
    wanted: np.ndarray
    left_out: np.ndarray
    judged: np.ndarray


def train(lines: list[Line], encoder: Embedder, bend: fitting.Bend, labels: tuple[str, ...]) -> Trained:
    texts = fitting.prepare(lines, encoder, bend)
    wanted = fitting.truth(lines, labels)
    authors = sorted({line.author for line in lines} - {CURATED})
    ridge = fitting.Ridge.solve(texts, wanted)
    scores = ridge.left_out_scores(authors)
    judged = np.array([line.author != CURATED for line in lines])
    slopes, offsets = fitting.calibrate(scores[judged], wanted[judged])
    linear = fitting.Linear.of(ridge).calibrated(slopes, offsets)
    return Trained(linear, texts, wanted, expit(scores * slopes + offsets), judged)


def operating_points(
    head: Trained, language: str, quiet: tuple[np.ndarray, np.ndarray] | None
) -> tuple[np.ndarray, float]:
    """The thresholds, and the false signals an hour on halves of the dialogues they were not chosen on.

    Without background (``quiet``: probabilities and each line's half) F1 alone decides.
    """
    chances, wanted = head.left_out[head.judged], head.wanted[head.judged]
    if quiet is None:
        return fitting.operate(chances, wanted, chances[:0], 1.0, 0.0), 0.0
    background, halves = quiet

    def choose(part: np.ndarray) -> np.ndarray:
        return fitting.operate(chances, wanted, background[part], part.sum() / TURNS_PER_HOUR, BUDGET[language])

    false = sum((background[halves != half] >= choose(halves == half)).any(axis=1).sum() for half in (0, 1))
    return choose(np.ones(len(halves), bool)), false / (len(halves) / TURNS_PER_HOUR)


def quietness(head: Trained, talk: list[Line], encoder: Embedder, bend: fitting.Bend) -> figures.Quiet:
    """The head's probabilities of the background, its unrelated part first."""
    chances = expit(head.linear.score(fitting.prepare(talk, encoder, bend)))
    unrelated = np.array([not line.labels for line in talk])
    halves = np.array([crc32(line.author.encode()) % 2 for line in talk])
    return figures.Quiet(chances[unrelated], halves[unrelated], chances)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--background", type=Path, help="folder of unrelated dialogues: choose thresholds anew")
    parser.add_argument("--lines", type=Path, nargs="+", help="JSON lines of other authors to test on, file by file")
    parser.add_argument("--doubts", type=Path, help="write the lines the left-out heads disagree with most")
    parser.add_argument("--without-curated", action="store_true", help="train and print, but write nothing")
    chosen = parser.parse_args()
    encoder = Embedder.load(locate("sentence-encoder", load_settings(None).models))
    corpus = [
        line
        for line in read_corpus(FOLDER / "corpus")
        if fitting.heard(line) and not (chosen.without_curated and line.author == CURATED)
    ]
    unseen = [line for path in chosen.lines or () for line in read_lines(path)]
    talk = read_background(chosen.background) if chosen.background else []
    bend = fitting.Bend.choose(corpus, encoder)
    heads, linears, report, doubts = [], [], [], []
    for language, speaker in HEADS:
        started = time.perf_counter()
        own = [
            [line for line in part if (line.language, line.speaker) == (language, speaker)]
            for part in (corpus, unseen, talk)
        ]
        card, head, text = judge(own[0], own[1], own[2], encoder, bend)
        heads.append(card)
        linears.append(head.linear)
        report.append(text)
        doubts += figures.doubts(head, card.labels)
        print(f"{language} {speaker}: {len(own[0])} lines, {time.perf_counter() - started:.0f} s", flush=True)
    if chosen.doubts:
        chosen.doubts.write_text("\n".join(doubts), encoding="utf-8")
    if not chosen.without_curated:
        ship(bend, linears, heads)
        report.append(figures.cost(Intents.load(FOLDER), encoder, corpus, FOLDER))
        if talk and unseen:
            figures.write(FOLDER / "MODEL.md", report)
    print("\n".join(report))


def judge(
    lines: list[Line], unseen: list[Line], talk: list[Line], encoder: Embedder, bend: fitting.Bend
) -> tuple[Head, Trained, str]:
    """One head: trained, calibrated, with its operating points and its figures."""
    language, speaker = lines[0].language, lines[0].speaker
    labels = LABELS[speaker]
    head = train(lines, encoder, bend, labels)
    quiet = quietness(head, talk, encoder, bend) if talk else None
    if quiet or speaker == "rep":
        points, held_back = operating_points(head, language, (quiet.chances, quiet.halves) if quiet else None)
    else:
        points, held_back = _present(language, speaker, labels), 0.0
    text = figures.section(head, labels, points, quiet, held_back, f"{language}, {speaker}")
    for source in dict.fromkeys(line.author for line in unseen):
        own = [line for line in unseen if line.author == source]
        found = expit(head.linear.score(fitting.prepare(own, encoder, bend))) >= points
        text += "\n" + figures.unseen(own, found, labels, source)
    kept = {label: round(float(at), 3) for label, at in zip(labels, points, strict=True)}
    return Head(language=language, speaker=speaker, labels=labels, thresholds=kept), head, text


def ship(bend: fitting.Bend, linears: list[fitting.Linear], heads: list[Head]) -> None:
    onnx.save(graph.build(bend, linears), FOLDER / "intents.onnx")
    card = msgspec.json.format(msgspec.json.encode(Card(version=VERSION, heads=tuple(heads))), indent=1)
    (FOLDER / "intents.json").write_bytes(card + b"\n")


def _present(language: str, speaker: str, labels: tuple[str, ...]) -> np.ndarray:
    """The thresholds chosen last time there was background."""
    card = msgspec.json.decode((FOLDER / "intents.json").read_bytes(), type=Card)
    head = next(head for head in card.heads if (head.language, head.speaker) == (language, speaker))
    return np.array([head.thresholds[label] for label in labels], np.float32)


if __name__ == "__main__":
    main()
