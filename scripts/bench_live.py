"""Whole calls through `copilot replay`: finals, cards, steps and words against the truth. `--help` for options.

Each call of DIR (`<name>.flac` with `<name>.json` beside it) is replayed in a process of its own, by default in real
time, so the machine must be quiet. Latency of a final: from the true end of an utterance to the final that covers it.
Latency of a card: from the true end of the phrase that earned it. Recordings in NOISE must yield no words, no cards.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench_asr import END_SLACK_MS, add, errors, quantile, rate, units
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
EARLY_S, LATE_S = 1.0, 6.0
"""A card belongs to a phrase when its trigger ends this close to the phrase's span."""
SPEAKER = {"agent": "rep", "customer": "customer"}


def replay(audio: Path, language: str, speed: str) -> list[dict[str, Any]]:
    """Every message of one call."""
    command = [ROOT / ".venv/bin/python", "-m", "copilot", "replay", audio, "--json", "--speed", speed]
    command += ["--language", language] if language else []
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode not in (0, 1):
        sys.exit(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def wall_s(message: dict[str, Any], started: datetime) -> float:
    """Seconds from the start of the call to the moment a message was told."""
    return (datetime.fromisoformat(message["emitted_at"]) - started).total_seconds()


def measure(truth: dict[str, Any], messages: list[dict[str, Any]]) -> dict[str, Any]:
    """One call's figures."""
    started = datetime.fromisoformat(messages[0]["started_at"])
    finals = [m for m in messages if m["type"] == "transcript.final"]
    cards = [m for m in messages if m["type"] == "card.raised" and m["caused_by"]]
    phrases = [
        {**phrase, "speaker": SPEAKER[utterance["speaker"]]}
        for utterance in truth["utterances"]
        for phrase in utterance["phrases"]
        if phrase["labels"]
    ]
    matched, lags = match(cards, phrases, started)
    done = {m["step_id"] for m in messages if m["type"] == "step.changed" and m["state"] in ("done", "done_late")}
    wanted = {step for step, end in truth["sop"].items() if end is not None}
    wrong: dict[str, int] = {}
    for speaker, ours in SPEAKER.items():
        said = "\n".join(u["text"] for u in truth["utterances"] if u["speaker"] == speaker)
        heard = "\n".join(m["text"] for m in finals if m["speaker"] == ours)
        add(wrong, errors(units(said, truth["lang"]), units(heard, truth["lang"])))
    cues = {
        label for phrase in phrases for label in phrase["labels"] if label.split(".")[0] in ("objection", "compliance")
    } - {"objection.handled"}  # a step of the rep, not a cue
    customer = [c for c in cards if c["card"]["cue_id"].split(".")[0] in ("objection", "compliance", "signal")]
    return {
        "final_lags": final_lags(truth, finals, started),
        "card_lags": lags,
        "cards_right": sum(card["card"]["id"] in matched for card in customer),
        "cards": len(customer),
        "false_cards": [
            f"{card['card']['cue_id']}: {card['caused_by']['quote']}"
            for card in customer
            if card["card"]["id"] not in matched
        ],
        "labels": len(cues),
        "labels_found": len(cues & {card["card"]["cue_id"] for card in cards}),
        "labels_missed": sorted(cues - {card["card"]["cue_id"] for card in cards}),
        "steps_right": len(done & wanted),
        "steps_done": len(done),
        "steps_wanted": len(wanted),
        "steps_missed": sorted(wanted - done),
        "steps_false": sorted(done - wanted),
        "errors": wrong,
    }


def final_lags(truth: dict[str, Any], finals: list[dict[str, Any]], started: datetime) -> list[float]:
    """Seconds from each true utterance's end to the first final of that speaker that covers it."""
    lags = []
    for utterance in truth["utterances"]:
        covering = [
            wall_s(final, started)
            for final in finals
            if final["speaker"] == SPEAKER[utterance["speaker"]]
            and final["end_ms"] >= utterance["end"] * 1000 - END_SLACK_MS
            and final["start_ms"] <= utterance["end"] * 1000
        ]
        if covering:
            lags.append(min(covering) - utterance["end"])
    return lags


def match(
    cards: list[dict[str, Any]], phrases: list[dict[str, Any]], started: datetime
) -> tuple[set[str], list[float]]:
    """Cards that belong to a phrase of their label, and how long after its end they came."""
    matched, lags = set(), []
    for card in cards:
        end_s = card["caused_by"]["phrase_end_ms"] / 1000
        fitting = [
            phrase
            for phrase in phrases
            if card["card"]["cue_id"] in phrase["labels"]
            and phrase["start"] - EARLY_S <= end_s <= phrase["end"] + LATE_S
        ]
        if fitting:
            matched.add(card["card"]["id"])
            nearest = min(fitting, key=lambda phrase: abs(phrase["end"] - end_s))
            lags.append(wall_s(card, started) - nearest["end"])
    return matched, lags


def summary(calls: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """All calls of one language together."""
    total: dict[str, int] = {}
    for call in calls.values():
        add(total, call["errors"])
    lags = [lag for call in calls.values() for lag in call["final_lags"]]
    card_lags = [lag for call in calls.values() for lag in call["card_lags"]]

    def add_up(key: str) -> int:
        return sum(call[key] for call in calls.values())

    return {
        "calls": len(calls),
        "error_rate": round(rate(total), 4),
        "final_p50_s": quantile(lags, 0.5),
        "final_p95_s": quantile(lags, 0.95),
        "card_p50_s": median(card_lags) if card_lags else None,
        "card_p95_s": quantile(card_lags, 0.95),
        "cards": add_up("cards"),
        "cards_right": add_up("cards_right"),
        "labels": add_up("labels"),
        "labels_found": add_up("labels_found"),
        "steps_wanted": add_up("steps_wanted"),
        "steps_done": add_up("steps_done"),
        "steps_right": add_up("steps_right"),
    }


def show(report: dict[str, Any]) -> None:
    """For people, on stderr."""
    table = Table("", *report["summary"], box=None)
    for key in next(iter(report["summary"].values())):
        values = [group[key] for group in report["summary"].values()]
        table.add_row(key, *(f"{value:.3f}" if isinstance(value, float) else str(value) for value in values))
    Console(stderr=True).print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with calls and their truth")
    parser.add_argument("--noise", type=Path, help="folder with recordings in which nobody speaks")
    parser.add_argument("--speed", choices=["1", "max"], default="1")
    parser.add_argument("--only", default="", help="calls whose name holds this")
    options = parser.parse_args()
    report: dict[str, Any] = {"calls": {}, "noise": {}, "summary": {}}
    by_language: dict[str, dict[str, Any]] = {}
    for path in sorted(options.data.glob("*.json")):
        audio = path.with_suffix(".flac")
        if options.only not in path.stem or not audio.exists():
            continue
        truth = json.loads(path.read_text(encoding="utf-8"))
        figures = measure(truth, replay(audio, truth["lang"], options.speed))
        report["calls"][path.stem] = figures
        by_language.setdefault(truth["lang"], {})[path.stem] = figures
    for path in sorted(options.noise.glob("*.wav")) if options.noise else ():
        messages = replay(path, "", "max")
        report["noise"][path.name] = [m["type"] for m in messages if m["type"] in ("transcript.final", "card.raised")]
    report["summary"] = {language: summary(calls) for language, calls in by_language.items()}
    show(report)
    print(json.dumps(report, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
